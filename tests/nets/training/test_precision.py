"""precision="auto": the choice by the processor and a trial, and what a run keeps of it."""

import copy
import json
import signal
from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nets
from nets import CheckpointError, Recipe, TrainingInterrupted
from nets.__main__ import main
from nets.models.checkpoint import read
from nets.runs import run as runs
from nets.runs.records import Record
from nets.training import precision
from nets.training.precision import GAIN, Precision, choose, processor_flags, trial
from tests.nets.interrupted import during
from tests.nets.training.test_training import NAME, RECIPE, blobs, train

AUTO = replace(RECIPE, precision="auto")
BF16 = Precision("bf16", True, "for the test")
FLOAT32 = Precision("float32", False, "for the test")


def network(**settings):
    torch.manual_seed(0)
    return nets.create_model(NAME, num_classes=3, in_channels=1, **settings)


def with_flags(monkeypatch, folder, text):
    (folder / "cpuinfo").write_text(text)
    monkeypatch.setattr(precision, "CPUINFO", folder / "cpuinfo")


def no_trial(*arguments):
    pytest.fail("there is nothing to try")


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile amx_bf16\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx512_bf16\n\nprocessor\t: 1\nflags\t\t: fpu avx512_bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f avx512_fp16 amx_int8\n", False),  # amx_int8 multiplies integers
        ("model name\t: amx_bf16\nflags\t\t:\n", False),
        ("Features\t: fp asimd bf16\n", False),  # not tried on Arm
    ],
)
def test_a_trial_is_made_where_the_processor_multiplies_in_bfloat16(text, usable, monkeypatch, tmp_path):
    with_flags(monkeypatch, tmp_path, text)
    monkeypatch.setattr(precision, "trial", (lambda *_: (4, [3.0, 2.9, 1.0])) if usable else no_trial)
    chosen = choose(network(), blobs(), AUTO)
    assert chosen[:2] == (("bf16", True) if usable else ("float32", False))
    assert ("a trial step of 4 images" if usable else "neither AMX nor AVX512-BF16") in chosen.reason


def test_a_system_that_does_not_tell_its_flags(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "CPUINFO", tmp_path / "nothing")
    monkeypatch.setattr(precision, "trial", no_trial)
    assert processor_flags() == frozenset()
    assert choose(network(), blobs(), AUTO).precision == "float32"


@pytest.mark.parametrize(
    ("seconds", "choice"),
    [
        ([1.0, 1.0, 0.5], ("bf16", True)),
        ([1.0, 1.0, 1 / GAIN - 0.01], ("bf16", True)),
        ([1.0, 0.99, 0.98], ("float32", False)),  # noise
        ([1.0, 0.5, 0.49], ("float32", True)),  # the layout gains, bf16 does not
        ([1.0, 0.5, 2.0], ("float32", True)),
        ([1.0, 2.0, 1.5], ("float32", False)),
    ],
)
def test_the_fastest_one_wins(seconds, choice, monkeypatch):
    monkeypatch.setattr(precision, "processor_flags", lambda: {"amx_bf16"})
    monkeypatch.setattr(precision, "trial", lambda *_: (16, seconds))
    chosen = choose(network(), blobs(), AUTO)
    assert chosen[:2] == choice
    assert chosen.reason.startswith("a trial step of 16 images takes 1e+03 ms in float32, ")
    assert chosen.reason.endswith(f", {1e3 * seconds[2]:.3g} ms in bf16 with channels_last")
    assert chosen.apply(AUTO) == replace(RECIPE, precision=choice[0], channels_last=choice[1])


@pytest.mark.parametrize("last", [True, False])
def test_what_is_tried(last, monkeypatch):
    """A recipe's channels_last stays."""
    monkeypatch.setattr(precision, "processor_flags", lambda: {"amx_bf16"})
    tried = []
    monkeypatch.setattr(precision, "trial", lambda *given: (16, [1.0] * len(tried.extend(given[3]) or given[3])))
    assert choose(network(), blobs(), replace(AUTO, channels_last=last))[:2] == ("float32", last)
    expected = [("float32", False), ("float32", True), ("bf16", True)][last:]
    assert [(recipe.precision, recipe.channels_last) for recipe in tried] == expected


def test_where_float32_is_left_without_a_trial(monkeypatch):
    monkeypatch.setattr(precision, "processor_flags", lambda: {"amx_bf16"})
    monkeypatch.setattr(precision, "trial", no_trial)
    for model, words in ((network().double(), "torch.float64"), (network().to("meta"), "the device is meta")):
        chosen = choose(model, blobs(), AUTO)
        assert chosen[:2] == ("float32", False)
        assert words in chosen.reason


class Float32Alone(torch.nn.Module):
    """As a module of a user that autocast does not suit."""

    def forward(self, x):
        if x.dtype != torch.float32:
            raise RuntimeError("expected float32\nand more")
        return x


def test_a_network_that_cannot_compute_in_bf16(monkeypatch):
    monkeypatch.setattr(precision, "processor_flags", lambda: {"amx_bf16"})
    model = network()
    model.s[0] = Float32Alone()
    assert choose(model, blobs(), AUTO) == ("float32", False, "a trial failed: expected float32")


@settings(max_examples=10)
@given(count=st.integers(2, 40), dims=st.integers(1, 3), parts=st.sampled_from([1, 2]))
def test_a_trial_times_both_and_changes_nothing(count, dims, parts):
    model = network(dims=dims)
    model.stem.requires_grad_(False)
    model.norm_f[0].eval()
    seen = []
    model.register_forward_hook(lambda _, x, y: seen.append((len(y), y.dtype, x[0].stride(1) == 1, torch.rand(1))))
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state()
    images = torch.randn(count, 1, *dims * [6], generator=torch.Generator().manual_seed(0))
    recipes = [replace(RECIPE, precision=p, channels_last=p == "bf16" and dims == 2) for p in ("float32", "bf16")]
    used, times = trial(model, images, torch.arange(count) % 3, recipes)
    assert min(count, precision.FEW) <= used <= count
    assert len(times) == 2
    assert all(0 < seconds < float("inf") for seconds in times)
    assert {entry[1] for entry in seen} == {torch.float32, torch.bfloat16}
    assert {entry[0] for entry in seen} == {min(count, precision.FEW), used}
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())


def test_slow_networks_are_tried_with_few_images(monkeypatch):
    monkeypatch.setattr(precision, "SECONDS", 0.0)
    recipes = [RECIPE, replace(RECIPE, precision="bf16")]
    assert trial(network(), torch.randn(30, 1, 6, 6), torch.arange(30) % 3, recipes)[0] == precision.FEW


def test_images_of_a_trial_are_the_part_of_one_process(monkeypatch):
    monkeypatch.setattr(precision, "processor_flags", lambda: {"avx512_bf16"})
    given = []
    monkeypatch.setattr(precision, "trial", lambda _, images, labels, *__: given.append((len(images), len(labels))))
    with pytest.raises(TypeError):  # the stand-in returns nothing
        choose(network(), blobs(), replace(AUTO, batch=24, grad_accum=3), ranks=2)
    assert given == [(4, 4)]


@pytest.fixture
def chosen(monkeypatch):
    """Let runs choose this; a second choice fails."""

    def let(*choices):
        left = list(choices)
        monkeypatch.setattr(runs, "choose", lambda *_: left.pop() if left else pytest.fail("a second choice"))

    return let


@pytest.mark.parametrize("choice", [BF16, FLOAT32])
def test_a_run_computes_what_was_chosen_and_says_so(choice, chosen, tmp_path, capsys):
    chosen(choice)
    result = train(tmp_path / "auto", recipe=AUTO, progress=True)
    assert f"\ncomputed in {choice}\n" in capsys.readouterr().err
    record = json.loads((tmp_path / "auto" / "record.json").read_text())
    assert record["precision"] == choice._asdict() == read(tmp_path / "auto")["precision"]
    assert record["recipe"]["precision"] == read(tmp_path / "auto")["recipe"]["precision"] == "auto"
    assert f"| precision | {choice.precision}: for the test |" in (tmp_path / "auto" / "model_card.md").read_text()
    explicit = train(tmp_path / "explicit", recipe=choice.apply(AUTO), progress=True)
    assert "computed in" not in capsys.readouterr().err
    for ours, theirs in zip(result.model.state_dict().values(), explicit.model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_reports_tell_runs_of_two_precisions_apart(chosen, tmp_path):
    records = []
    for choice in (BF16, FLOAT32, FLOAT32):
        chosen(choice)
        folder = tmp_path / f"{len(records)}"
        train(folder, recipe=AUTO, seed=len(records), epochs=1)
        records.append(Record(folder, json.loads((folder / "record.json").read_text())))
    assert [record.recipe for record in records] == [
        f"own, epochs=1, computed in {p}" for p in ("bf16", "float32", "float32")
    ]
    assert records[0].kind() != records[1].kind() == records[2].kind()


@pytest.mark.slow
@pytest.mark.parametrize("choice", [BF16, FLOAT32])
def test_a_resumed_run_keeps_what_it_had(choice, chosen, tmp_path, monkeypatch, capsys):
    chosen(choice)
    whole = train(tmp_path / "whole", recipe=AUTO)
    chosen(choice)
    with monkeypatch.context() as patch:
        during(patch, 6, lambda: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(TrainingInterrupted, match="after step 6"):
            train(tmp_path / "run", recipe=AUTO)
    capsys.readouterr()
    resumed = train(tmp_path / "run", recipe=AUTO, resume=True, progress=True)  # another choice would fail
    assert f"\ncomputed in {choice}\n" in capsys.readouterr().err
    for ours, theirs in zip(resumed.model.state_dict().values(), whole.model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.slow
def test_another_precision_is_another_recipe(chosen, tmp_path):
    chosen(BF16)
    train(tmp_path / "auto", recipe=AUTO)
    train(tmp_path / "explicit", recipe=RECIPE)
    with pytest.raises(CheckpointError, match="another recipe: precision is 'auto' there, 'bf16' here"):
        train(tmp_path / "auto", recipe=BF16.apply(AUTO), resume=True)
    with pytest.raises(CheckpointError, match="another recipe: precision is 'float32' there, 'auto' here"):
        train(tmp_path / "explicit", recipe=AUTO, resume=True)


def test_the_first_process_chooses_for_all():
    class Ranks:
        count = 2

        def on_first(self, work):
            return BF16  # of another process, without the work

    assert runs._precision(network(), blobs(), AUTO, Ranks(), None) == BF16


def test_on_the_command_line(monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert '--precision X "float32"; "bf16", bfloat16 where autocast uses it' in words
    assert '"auto", on a CPU with AMX or AVX512-BF16 the fastest of float32, float32 with channels_last' in words
    monkeypatch.setattr(precision, "processor_flags", lambda: {"amx_bf16"})
    command = ["train", "--model", NAME, "--limit-batches", "1", "--epochs", "1", "--output", f"{tmp_path}/run"]
    assert main([*command, "--precision", "auto"]) == 0
    assert "computed in " in (said := capsys.readouterr().err)
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["precision"]["reason"] in said
    assert record["overrides"]["precision"] == "auto"


@pytest.mark.parametrize("value", ["bfloat16", "float16", "Auto", "", None, 16])
def test_other_words_are_refused(value):
    with pytest.raises(ValueError, match=r"precision must be 'float32' or 'bf16' or 'auto'; got"):
        Recipe(precision=value)


@pytest.mark.slow
def test_bf16_learns_the_digits_as_well():
    """Within four standard deviations of two accuracies that 360 images tell."""
    settings = {"epochs": 2, "batch": 32, "shift": 0.0, "progress": False}
    accuracies = [
        nets.train("MgNet[1,1]-[8]-B^l", "digits", **{**settings, **more}).accuracy
        for more in ({}, {"precision": "bf16", "channels_last": True})
    ]
    assert min(accuracies) > 0.7  # or nothing has been learned that could be lost
    worst = min(accuracies)
    assert abs(accuracies[0] - accuracies[1]) < 4 * (2 * worst * (1 - worst) / 360) ** 0.5


def test_recipes_keep_their_precision():
    """The choice changes no result that is published: recipes ask for it only where they say so."""
    assert {recipe.precision for recipe in nets.training.RECIPES.values()} == {"float32", "bf16"}
    assert asdict(Recipe())["precision"] == "float32"
