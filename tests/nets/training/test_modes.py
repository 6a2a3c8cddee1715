"""Modes and frozen parameters: looking at a network leaves them alone, and so does training it."""

import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

import nets
from nets import Transform
from nets.deploy import export as exporting
from nets.deploy import predict as prediction
from nets.models.modes import is_frozen
from nets.training.batch_norms import average_statistics
from nets.training.checks import check_fit
from nets.training.distributed import Ranks
from tests.nets.training.test_training import RECIPE, blobs, stop_after

NAME = "MgNet[1,2]-[4]-B^{l,i}"
SETTINGS = {"recipe": replace(RECIPE, epochs=1), "progress": False}


def network(name=NAME, **settings):
    torch.manual_seed(1)
    model = nets.create_model(name, num_classes=3, in_channels=1, **settings)
    model.transform = Transform("blobs", (1, 6, 6), (0.0,), (1.0,), ("a", "b", "c"))
    return model


def modes(model):
    return {name: module.training for name, module in model.named_modules()}


def export(model, folder):
    nets.export(model, folder / "model.pt2", overwrite=True)


LOOKS = {
    "evaluate": lambda model, folder: nets.evaluate(model, blobs()),
    "probabilities": lambda model, folder: prediction.probabilities(model, torch.rand(2, 1, 6, 6)),
    "export": export,
    "DDP": lambda model, folder: sys.modules["nets.training.distributed"]._has_unused_weights(
        model, torch.rand(2, 1, 6, 6)
    ),
    "check_fit": lambda model, folder: check_fit(model, blobs(), RECIPE, 1),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("fails", [False, True])
def test_modes_are_left_as_they_were(look, fails, tmp_path, monkeypatch):
    monkeypatch.setitem(exporting.WRITERS, "torch", lambda wrapped, images, file: (file.touch(), wrapped)[1])

    @given(st.randoms(use_true_random=False))
    def check(random):
        model = network()
        for module in model.modules():
            module.training = random.random() < 0.5
        before = modes(model)
        if fails:
            monkeypatch.setattr(type(model), "forward_features", lambda *_: 1 / 0)
        try:
            LOOKS[look](model, tmp_path)
        except ZeroDivisionError:
            assert fails
        else:
            assert not fails
        assert modes(model) == before

    check()


PARTS = ("stem", "A", "B", "norm_f", "norm_u", "R", "norm_R", "Pi", "norm_Pi", "head")
SETTINGS_OF_RUNS = (
    {},
    {"averaging": 0.0},
    {"averaging": 0.9, "norm_batches": 2},
    {"whitening": True},
    {"momentum_form": "S19", "decay_norms": True},
    {"channels_last": True, "precision": "bf16", "grad_accum": 2},
)


@pytest.mark.parametrize("settings", SETTINGS_OF_RUNS)
def test_frozen_parameters_and_their_statistics_stay(settings, monkeypatch):
    loop = sys.modules["nets.training.loop"]
    update = loop.update

    @examples(max_examples=8)
    @given(st.sets(st.sampled_from(PARTS), max_size=len(PARTS) - 1))
    def check(frozen):
        model = network()
        kept = {"stem"} if settings.get("whitening") else set()
        for name in frozen - kept:
            getattr(model, name).requires_grad_(False)
        if not any(p.requires_grad for name in PARTS if name != "A" for p in getattr(model, name).parameters()):
            model.head.requires_grad_()
        before = {name: weight.requires_grad for name, weight in model.named_parameters()}
        still = {f"{name}.{b}" for name, m in model.named_modules() if is_frozen(m) for b, _ in m.named_buffers()}
        state = {name: value.clone() for name, value in model.state_dict().items()}
        during = []

        def seen(*arguments):
            during.append({name: weight.requires_grad for name, weight in model.named_parameters()})
            update(*arguments)

        monkeypatch.setattr(loop, "update", seen)
        result = nets.train(model, blobs(), **SETTINGS, **settings)
        assert {name: weight.requires_grad for name, weight in model.named_parameters()} == before
        whitened = {"stem.conv.weight": False} if kept else {}
        assert all(one == {**before, **whitened} for one in during)
        for name, value in result.model.state_dict().items():
            if not before.get(name, name not in still):
                assert torch.equal(value, state[name]), name
            elif "running" in name and not name.startswith("norm_A"):
                assert not torch.equal(value, state[name]), name

    check()


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_a_run_with_frozen_parameters_resumes_to_the_same_bits(tmp_path, averaging, monkeypatch):
    def train(folder, resume=False, *names):
        model = network()
        for name in names or ("stem", "norm_f"):
            getattr(model, name).requires_grad_(False)
        return nets.train(
            model, blobs(), recipe=replace(RECIPE, averaging=averaging), output=folder, resume=resume, progress=False
        )

    whole = train(tmp_path / "whole").model.state_dict()
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken")
    monkeypatch.undo()
    for names, words in (
        (("stem",), r"norm_f\.0\.0\.weight is frozen there alone"),
        (("stem", "norm_f", "head"), r"head\.weight is frozen here alone"),
    ):
        with pytest.raises(nets.CheckpointError, match=f"output holds a run with other frozen parameters: {words}"):
            train(tmp_path / "broken", True, *names)
    resumed = train(tmp_path / "broken", True).model.state_dict()
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def freeze_all(model):
    model.requires_grad_(False)


def freeze_all_but_a_weight_without_a_part(model):
    """A of the coarsest grid with one sweep: its only residual is what R gives."""
    model.requires_grad_(False)
    model.A[1].requires_grad_()


def freeze_all_but_the_stem(model):
    model.requires_grad_(False)
    model.stem.conv.requires_grad_()


def freeze_the_stem(model):
    model.stem.requires_grad_(False)


@pytest.mark.parametrize(
    ("freeze", "settings", "words"),
    [
        (freeze_all, {}, "model must have a weight to train; it has 0 trained parameters, all others are frozen"),
        (freeze_all_but_a_weight_without_a_part, {}, "it has 1 trained parameter, its scores depend on none of them"),
        (freeze_all_but_the_stem, {"whitening": True}, "it has 0 trained parameters"),
        (freeze_the_stem, {"whitening": True}, r"whitening sets .* model\.stem\.conv\.weight is frozen"),
    ],
)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_nothing_to_train(freeze, settings, words, checkpointing, tmp_path):
    model = network("MgNet[1,1]-[4]-B^l", activation_checkpointing=checkpointing)
    freeze(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=words):
        nets.train(model, blobs(), output=tmp_path / "run", **SETTINGS, **settings)
    assert not (tmp_path / "run").exists()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("grids", [3, 4])  # 6 x 6, 3 x 3, 2 x 2, 1 x 1 pixels
@pytest.mark.parametrize(
    ("batch", "parts", "ranks"), [(1, 1, 1), (2, 2, 1), (2, 1, 2), (4, 2, 2), (2, 1, 1), (4, 2, 1)]
)
def test_a_batch_norm_needs_two_values_per_channel(grids, batch, parts, ranks):
    model = network(f"MgNet[{','.join(['1'] * grids)}]-[4]-B^l")
    recipe = replace(RECIPE, batch=batch, grad_accum=parts, epochs=1, limit_batches=1)
    if grids == 4 and batch == parts * ranks:
        with pytest.raises(
            ValueError, match=rf"batch must be at least {2 * batch}, .* the batch norm norm_\w+\.\S+ sees"
        ):
            check_fit(model, blobs(), recipe, ranks)
        for name in ("norm_R", "norm_Pi"):
            getattr(model, name)[2].requires_grad_(False)
        model.norm_f[3].requires_grad_(False)
        model.norm_u[3].requires_grad_(False)
    check_fit(model, blobs(), recipe, ranks)
    if ranks == 1:  # the step itself
        nets.train(model, blobs(), recipe=recipe, progress=False)


def test_statistics_of_frozen_norms_are_not_averaged_over_processes(monkeypatch):
    dist = sys.modules["nets.training.distributed"].dist
    monkeypatch.setattr(dist, "all_reduce", lambda values: values.mul_(5))
    model = network()
    model.norm_f.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average_statistics(Ranks(0, 3), model, None)
    for name, value in model.state_dict().items():
        moves = "running_var" in name and not name.startswith("norm_f")  # means are zero
        assert torch.equal(value, before[name]) != moves, name
