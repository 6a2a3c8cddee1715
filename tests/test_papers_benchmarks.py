"""The queue of the papers' claims: its rule, its plan of an hour, its images, and its runs on small files."""

import json
import re
import shlex
from itertools import pairwise

import pytest
import torch

import nets
from benchmarks.papers import __main__ as command
from benchmarks.papers import cifar, plot, rule, tables, training
from benchmarks.papers.claims import CLAIMS, HAT_CLAIMS, HAT_MODELS, MODELS
from benchmarks.papers.experiments import HAT_SCALES, SCALES, experiments, hour_name
from benchmarks.papers.images import averaged, degraded, images
from benchmarks.papers.training import Scale
from benchmarks.runner import Clock, Experiment, append, read, run_queue
from nets.data.published import CIFAR10
from nets.runs import directory
from nets.runs.lock import Lock
from tests.nets.data_files import cifar_files, small, write

SMALL = "MgNet[1,1]-[4]-B^l"


def by_seed(values):
    return dict(enumerate(values))


def test_the_interval_is_students():
    # differences 1, 2, 3: mean 2, deviation 1, and t(0.975, 2) = 4.30265 of the tables
    found = rule.decide("better", by_seed([1.0, 2.0, 3.0]), by_seed([0.0, 0.0, 0.0]))
    assert (found.n, found.mean) == (3, 2.0)
    assert found.high - found.mean == pytest.approx(4.30265 / 3**0.5, abs=1e-5)
    assert found.mean - found.low == pytest.approx(4.30265 / 3**0.5, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "differences", "words"),
    [
        ("better", [1.0, 1.1, 0.9], rule.SUPPORTED),
        ("better", [-1.0, -1.1, -0.9], rule.CONTRADICTED),
        ("better", [1.0, -1.0, 0.5], rule.OPEN),
        ("better", [1.0, 1.1], rule.FEW),
        ("better", [], rule.FEW),
        ("as good", [-0.1, 0.0, 0.1], rule.SUPPORTED),
        ("as good", [5.0, 5.1, 4.9], rule.SUPPORTED),
        ("as good", [-2.0, -2.1, -1.9], rule.CONTRADICTED),
        ("as good", [-1.0, -1.2, -0.8], rule.OPEN),
    ],
)
def test_the_rule(kind, differences, words):
    a = by_seed([50.0 + d for d in differences])
    assert rule.decide(kind, a, dict.fromkeys(range(5), 50.0)).words == words


def test_only_pairs_count_and_the_order_of_runs_does_not():
    a, b = {2: 52.0, 0: 51.0, 1: 53.0, 7: 99.0}, {0: 50.0, 1: 50.0, 2: 50.0, 9: 1.0}
    assert rule.decide("better", a, b) == rule.decide("better", dict(sorted(a.items())), b)
    assert rule.decide("better", a, b).mean == 2.0


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="kind must be one of"):
        rule.decide("equal", {}, {})


def test_networks_of_the_claims_exist_and_differ():
    for claim in (*CLAIMS, *HAT_CLAIMS):
        assert claim.kind in rule.KINDS
        assert claim.a != claim.b
        for name in (claim.a, claim.b):
            nets.create_model(name, in_channels=1)
    assert set(HAT_MODELS) == {name for claim in HAT_CLAIMS for name in (claim.a, claim.b)}


def test_the_queue_has_every_run_once(tmp_path):
    for scale in SCALES:
        names = [e.name for e in experiments(scale, tmp_path, None)]
        assert len(set(names)) == len(names) == 3 + 5 * (len(MODELS) + len(HAT_MODELS))
        assert names[0].startswith("an hour")
    assert not set(map(str, SCALES.values())) & set(map(str, HAT_SCALES.values()))


def test_averaged_images_are_means():
    pixels = torch.randint(0, 256, (3, 2, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    blocks = pixels.double().unflatten(3, (16, 2)).unflatten(2, (16, 2)).mean((3, 5))
    assert averaged(pixels, 16).dtype == torch.uint8
    assert (averaged(pixels, 16) - blocks).abs().max() <= 0.5  # rounding to a byte
    constant = torch.full((1, 3, 32, 32), 77, dtype=torch.uint8)
    assert (averaged(constant, 24) == 77).all()


def test_a_plan_fits_the_time():
    rates, seconds, count = {16: 80.0, 24: 40.0, 32: 20.0}, 6768.0, 49_927
    slow = cifar.plan(rates, seconds, count)["parts"]
    assert [part["size"] for part in slow] == [16, 24, 32]
    per_step = [128 / rates[part["size"]] for part in slow]
    steps = [part["epochs"] * part["limit_batches"] for part in slow]
    taken = sum(n * s for n, s in zip(steps, per_step, strict=True))
    lost = sum(part["epochs"] * s for part, s in zip(slow, per_step, strict=True))  # whole steps of whole epochs
    assert seconds - lost <= taken <= seconds
    assert all(part["limit_batches"] <= count // 128 for part in slow)
    assert all(a["learning_rate"] > b["learning_rate"] for a, b in pairwise(slow))
    (fast,) = cifar.plan({16: 1600.0, 24: 600.0, 32: 400.0}, seconds / 2, count)["parts"]
    assert (fast["size"], fast["limit_batches"]) == (32, 0)
    assert fast["epochs"] == int(seconds / 2 * 400 / count)


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """Small files of CIFAR-10, with a list of degraded images, one for training and two of the test."""
    folder = tmp_path / "data" / "cifar-10"
    files, _ = cifar_files()
    write(folder, files)
    (folder / "substituted.txt").write_text("data_batch_2.bin 3\ntest_batch.bin 0\ntest_batch.bin 4\n")
    monkeypatch.setitem(nets.data.sets.PUBLISHED, "cifar-10", small(CIFAR10))
    for recipe in (cifar.RECIPE, training.RECIPE):
        monkeypatch.setitem(recipe, "batch", 16)
    monkeypatch.setattr(directory, "draw_history", None)  # a second for each run
    images.cache_clear()
    degraded.cache_clear()
    yield str(tmp_path / "data")
    images.cache_clear()
    degraded.cache_clear()


def record(folder):
    return json.loads((folder / "record.json").read_text())


@pytest.mark.filterwarnings("ignore:data 'cifar-10'.* are not the published files")
def test_an_hour_in_small(cifar10, tmp_path, monkeypatch):
    asked = []

    def plan(*given):
        asked.append(given)
        return whole(*given)

    whole = cifar.plan
    monkeypatch.setattr(cifar, "plan", plan)
    assert degraded("cifar-10", cifar10) == {"train": [13], "test": [0, 4]}
    assert len(images("cifar-10", 16, cifar10).train_labels) == 49
    experiment = cifar.run(SMALL, 0, tmp_path / "run", cifar10)

    def killed(size):
        if size == 24 and (tmp_path / "run" / "1-16px").exists():
            raise KeyboardInterrupt  # between two parts
        return base(size)

    base = cifar.base
    monkeypatch.setattr(cifar, "base", killed)
    with pytest.raises(KeyboardInterrupt):
        experiment(Clock(1e-3), {})
    monkeypatch.setattr(cifar, "base", base)
    assert [path.name for path in (tmp_path / "run").iterdir() if path.is_dir()] == ["1-16px"]
    found = experiment(Clock(1e-3), {})
    assert [part["size"] for part in found["parts"]] == [16, 24, 32]
    assert [given[2] for given in asked] == [49]  # the plan was kept
    model = nets.load(tmp_path / "run" / "3-32px")
    evaluation = nets.evaluate(model, nets.data.load("cifar-10", data_dir=cifar10))
    assert found["accuracy"] == 100 * evaluation.accuracy
    assert found["accuracy_without_degraded"] == 100 * evaluation.without([0, 4]).accuracy
    first, second, third = (record(tmp_path / "run" / part) for part in ("1-16px", "2-24px", "3-32px"))
    assert [r["from_step"] for r in first["resumed"]] == [first["step"]]  # evaluated again, not trained
    assert second["initial"] is not None
    assert second["data"]["train"] == 49
    assert found["training_seconds"] == round(sum(part["seconds"] for part in (first, second, third)), 1)
    for part, settings in zip((first, third), (cifar.COARSE_RECIPE, cifar.FULL_RECIPE), strict=True):
        assert all(part["recipe"][name] == getattr(settings, name) for name in ("nesterov", "label_smoothing"))
    again = experiment(Clock(1e-3), {})  # killed before its line was written
    assert again["accuracy"] == found["accuracy"]

    found["seconds"] = 6840.0  # the queue's
    tables.write_all({hour_name(SMALL): {"experiment": "x", **found}}, {}, tmp_path)
    assert "No result yet." in (tmp_path / "cifar10.md").read_text()  # the queue has other networks
    text = tables.hours_body([found])
    assert "of the test images 2 are degraded" in text
    assert f"| `{SMALL}` | {found['parameters']:,} | **{found['accuracy']:.2f}** |" in text
    assert f"| 1.90 ({found['threads']} thread" in text
    assert plot.work(found) == sum(
        3 * nets.multiply_adds(model, (3, p["size"], p["size"])) * p["epochs"] * p["limit_batches"] * 16
        for p in found["parts"]
    )
    monkeypatch.setattr(plot, "RESNETS", {"ResNet-8": (1, 90.0)})
    assert plot.hours([found], tmp_path / "cifar10.png").stat().st_size > 0


@pytest.mark.filterwarnings("ignore:data 'cifar-10'.* are not the published files")
def test_runs_and_their_tables(cifar10, tmp_path):
    scale, results = Scale(16, 1), {}
    hat = f"{SMALL}, activation=hat-trained:5,10"
    for model, at, seed in ((SMALL, scale, 0), (SMALL, scale, 1), (hat, scale, 0), (SMALL, Scale(32, 1), 0)):
        name = f"{model}-{at}-{seed}"
        results[name] = training.run(model, "cifar-10", at, seed, tmp_path / name, cifar10)(Clock(1.0), {})
    first, second, hat_result, full = results.values()
    assert first["accuracy"] == pytest.approx(100 * round(first["accuracy"] / 10) / 10)  # of ten images
    assert len(hat_result["supports"]) == 2
    found = tables.accuracies(results, SMALL, "cifar-10", scale)
    assert found == {0: first["accuracy"], 1: second["accuracy"]}
    assert tables.accuracies(results, SMALL, "cifar-10", Scale(32, 1)) == {0: full["accuracy"]}  # scales are not mixed
    small, large = (record(tmp_path / f"{SMALL}-{at}-0")["recipe"] for at in (scale, Scale(32, 1)))
    assert {key for key in small if small[key] != large[key]} == {"crop_padding"}  # one recipe for all scales
    for setting in tables.CLAIMS_RECIPE.split(", "):
        key, value = setting.split("=")
        assert key == "batch" or value == repr(small[key])

    queue = [Experiment("busy", 1.0, training.run(SMALL, "cifar-10", scale, 0, tmp_path / "busy", cifar10))]
    (tmp_path / "busy").mkdir()
    lock = Lock(tmp_path / "busy")
    assert "is writing into" in run_queue(queue, tmp_path / "some.jsonl", 1.0)["busy"]
    lock.release()
    assert read(tmp_path / "some.jsonl") == {}


@pytest.fixture
def papers(tmp_path, monkeypatch, capsys):
    """The command, in a folder without data; returns what it prints of an error, or None."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MGNET_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words):
        monkeypatch.setattr("sys.argv", ["x", *words, "--output", "results"])
        try:
            command.main()
        except SystemExit:
            return capsys.readouterr().err
        return None

    return run


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--budget", "0"], "--budget: a duration is a positive number of seconds.*got '0'"),
        (["--threads", "0"], "--threads must be at least 1; got 0"),
        (["--only", "nothing"], "--only: no experiment has 'nothing'"),
        (["--scale", "huge"], "--scale: invalid choice: 'huge'"),
        (["--data-dir", "nowhere"], "data_dir must be a folder; there is none at nowhere"),
        ([], "--data-dir: cifar-10 is not in data/cifar-10, cache/mgnet/cifar-10"),
        (["--only", "mnist"], "--data-dir: mnist is not in"),
        (["--table"], "--table: there are no results in results/papers.jsonl"),
    ],
)
def test_what_cannot_run_is_told_before_hours_of_work(papers, tmp_path, words, error):
    assert re.search(error, papers(*words).replace(f"{tmp_path}/", ""))
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:data 'cifar-10'.* are not the published files")
def test_a_truncated_file_is_told_before_hours_of_work(papers, cifar10, tmp_path):
    file = tmp_path / "data" / "cifar-10" / "data_batch_4.bin"
    file.write_bytes(file.read_bytes()[:-1])
    assert "data_batch_4.bin" in papers("--only", "CIFAR-10")
    assert not (tmp_path / "results").exists()


def test_tables_tell_all_that_is_missing(papers, tmp_path, capsys):
    names = [e.name for e in experiments("small", tmp_path, None)]
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "papers.jsonl"
    path.touch()
    append(path, {"experiment": names[1], **made_up(MODELS[0], "cifar-10", SCALES["small"], 0, 50.0)})
    assert papers("--table", "--only", names[1]) is None
    texts = "".join((tmp_path / "results" / f"{name}.md").read_text() for name in ("claims", "hat", "cifar10"))
    listed = []
    for line in re.findall(r"^- (.*): not run yet$", texts, re.MULTILINE):
        run, _, seeds = line.partition(", seed ")
        listed += [f"{run}, seed {seed}" for seed in seeds.split(", ")] if seeds else [run]
    assert sorted(listed) == sorted([names[0], *names[2:]])
    assert f"--only {shlex.quote(names[1])} --output results`" in texts  # to be copied into a shell
    capsys.readouterr()
    assert papers("--list", "--only", "seed 0") is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines] == ["done", *["open"] * (len(MODELS) + len(HAT_MODELS) - 1)]


def made_up(model, data, scale, seed, accuracy, **more):
    about = {"model": model, "data": data, "size": scale.size, "epochs": scale.epochs, "seed": seed}
    return {**about, "accuracy": accuracy, "seconds": 1.0, **more}


def test_tables_of_made_up_results(tmp_path):
    results = {}
    for scale in SCALES.values():
        for seed in range(3):
            for model in MODELS:
                right = 70.0 + seed + 0.1 * MODELS.index(model) * (scale is SCALES["small"])
                results[f"{scale} {model} {seed}"] = made_up(model, "cifar-10", scale, seed, right)
    for seed in range(2):
        ends = {"supports": [4.0 + seed, 9.0, 14.0, 19.0]}
        for model in HAT_MODELS:
            results[f"{model} {seed}"] = made_up(model, "mnist", HAT_SCALES["small"], seed, 98.0 + seed, **ends)
    failed = made_up(HAT_MODELS[-1], "mnist", HAT_SCALES["small"], 2, training.CHANCE, diverged="the loss is nan")
    results["diverged"] = failed  # and has no supports
    tables.write_all(results, {"cifar-10, later": "not run yet"}, tmp_path)
    claims, hat = ((tmp_path / f"{name}.md").read_text() for name in ("claims", "hat"))
    assert "- cifar-10, later: not run yet" in claims
    assert "later" not in hat
    assert claims.count("## ") == 3
    assert claims.count("| 71.00 ± 1.00 (3) |") > len(CLAIMS)
    assert rule.FEW in hat
    assert "| 98.00, 99.00, diverged |" in hat
    assert "| 4.50, 9.00, 14.00, 19.00 | 2 |" in hat


def test_runs_that_are_missing_are_in_a_line_for_each_network():
    missing = {"a, seed 3": "no budget", "b": "not run yet", "a, seed 4": "no budget", "a, seed 5": "no data"}
    (section,) = tables.not_run(missing)
    assert section.splitlines()[2:] == ["- a, seed 3, 4: no budget", "- b: not run yet", "- a, seed 5: no data"]
    assert tables.not_run({}) == []


@pytest.mark.filterwarnings("ignore:data 'cifar-10'.* are not the published files")
def test_fixed_supports_stay(cifar10, tmp_path):
    run = training.run(f"{SMALL}, activation=hat:5,10", "cifar-10", Scale(16, 1), 0, tmp_path / "run", cifar10)
    assert run(Clock(1.0), {})["supports"] == [5.0, 10.0]
