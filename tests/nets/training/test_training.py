"""Training: repeatable, resumable, and clear about what went wrong."""

import csv
import os
import sys
import zipfile
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

import nets
from nets import CheckpointError, Recipe, TrainingError
from nets.common.checked_file import write_atomically
from nets.data import Dataset
from nets.models.checkpoint import read

NAME = "MgNet[1,1]-[4]-a_iB^l"
RECIPE = Recipe(epochs=3, batch=16, shift=1.0, averaging=0.9)
TIMES = ("seconds", "images_per_second")


def blobs(count=80, seed=0):
    """Three classes of noisy 6 x 6 images, a bright row telling the class."""
    noise = torch.randn(count, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(count) % 3
    noise[torch.arange(count), 0, 2 * labels] += 2
    return Dataset("blobs", noise[20:], labels[20:], noise[:20], labels[:20], ("a", "b", "c"))


def train(output=None, **settings):
    return nets.train(NAME, blobs(), **{"recipe": RECIPE, "output": output, "progress": False, **settings})


def assert_same(a, b):
    """Two checkpoints with the same bits, times apart."""
    a, b = read(a), read(b)
    for record in (a, b):
        record["history"] = [{k: v for k, v in row.items() if k not in TIMES} for row in record["history"]]
    for key in ("history", "epoch", "step", "recipe", "model", "seed", "data"):
        assert a[key] == b[key], key
    assert (a["averaged"] is None) == (b["averaged"] is None)
    for key in ("weights", "averaged") if a["averaged"] is not None else ("weights",):
        assert all(torch.equal(a[key][name], tensor) for name, tensor in b[key].items()), key
    for x, y in zip(a["optimizer"]["state"].values(), b["optimizer"]["state"].values(), strict=True):
        assert torch.equal(x["momentum_buffer"], y["momentum_buffer"])


def test_seeds_decide_everything(tmp_path):
    torch.manual_seed(1)
    train(tmp_path / "a")
    torch.manual_seed(2)
    state = torch.get_rng_state()
    train(tmp_path / "b")
    assert torch.equal(torch.get_rng_state(), state)  # the caller's stream is left alone
    assert_same(tmp_path / "a", tmp_path / "b")
    other = train(seed=1)
    assert not other.model.training
    assert not torch.equal(other.model.head.weight, nets.load(tmp_path / "a").head.weight)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_resumed_run_ends_with_the_same_bits(tmp_path, averaging, monkeypatch):
    recipe = replace(RECIPE, averaging=averaging)
    whole = train(tmp_path / "whole", recipe=recipe)
    stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", recipe=recipe)
    monkeypatch.undo()
    assert read(tmp_path / "broken")["epoch"] == 2
    resumed = train(tmp_path / "broken", recipe=recipe, resume=True)
    for a, b in zip(whole.model.state_dict().values(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert whole.accuracy == resumed.accuracy
    again = train(tmp_path / "broken", recipe=recipe, resume=True)  # nothing left to do
    assert again.accuracy == whole.accuracy


def stop_after(monkeypatch, epochs):
    """Interrupt the run in the middle of the epoch after `epochs` whole ones."""
    loop = sys.modules["nets.training.loop"]
    step, count = loop._step, [0]

    def counted(run, *rest):
        count[0] += 1
        if run.epoch == epochs and count[0] % 4 == 2:
            raise KeyboardInterrupt
        return step(run, *rest)

    monkeypatch.setattr(loop, "_step", counted)


def test_files_of_a_run(tmp_path):
    result = train(tmp_path / "run")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "checkpoint.previous.pt",
        "checkpoint.pt",
        "history.csv",
        "learning_curve.png",
        "model_card.md",
        "record.json",
    ]
    with open(tmp_path / "run" / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in result.history]
    assert float(rows[-1]["test_accuracy"]) == result.accuracy
    model = nets.load(tmp_path / "run")
    assert not model.training
    assert torch.equal(nets.evaluate(model, blobs()).predictions, result.evaluation.predictions)


def test_evaluate():
    data = blobs()
    result = train(epochs=20, averaging=0.0)
    evaluation = nets.evaluate(result.model.train(), data, batch=7)
    assert result.model.training
    assert evaluation.accuracy == result.accuracy > 0.6
    assert evaluation.confusion.sum() == 20
    assert evaluation.confusion.diagonal().sum() / 20 == pytest.approx(evaluation.accuracy)
    pair = nets.evaluate(result.model, (data.test_images, data.test_labels))
    assert torch.equal(pair.predictions, evaluation.predictions)
    with pytest.raises(ValueError, match="3 classes apart"):
        nets.evaluate(result.model, (data.test_images, data.test_labels + 1))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_loss_names_the_step_and_the_checkpoint(tmp_path, value, monkeypatch):
    loop = sys.modules["nets.training.loop"]
    step = loop._step
    monkeypatch.setattr(loop, "_step", lambda run, *rest: (value, 0) if run.step == 5 else step(run, *rest))
    with pytest.raises(
        TrainingError, match=rf"the loss is {value} at step 6 \(epoch 2\); .*checkpoint.pt \(epoch 1, step 4\)"
    ):
        train(tmp_path / "run")
    monkeypatch.undo()
    train(tmp_path / "run", resume=True)


def test_a_weight_that_is_not_finite_stops_the_run():
    model = nets.create_model(NAME, num_classes=3, in_channels=1)
    model.head.bias.data[0] = float("nan")
    before = model.A[0].weight.clone()
    with pytest.raises(TrainingError, match=r"step 1 \(epoch 1\); there is no checkpoint"):
        nets.train(model, blobs(), recipe=RECIPE, progress=False)
    assert torch.equal(model.A[0].weight, before)


@pytest.mark.parametrize("damage", ["truncated", "foreign", "bits", "pickle", "missing", "empty"])
def test_damaged_checkpoints(tmp_path, damage):
    train(tmp_path / "run", epochs=1)
    path = tmp_path / "run" / "checkpoint.pt"
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        entry = max(archive.infolist(), key=lambda info: info.file_size if "/data/" in info.filename else 0)
    at = entry.header_offset + 200 + entry.file_size // 2
    if damage == "foreign":
        torch.save({"weights": torch.zeros(3)}, path)
    elif damage == "pickle":
        torch.save({"weights": print}, path)
    else:
        bits = content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]
        path.write_bytes({"truncated": content[: len(content) // 2], "bits": bits}.get(damage, b""))
    if damage == "missing":
        path.unlink()
    for attempt in (lambda: nets.load(path), lambda: nets.create_model(NAME, weights=path)):
        with pytest.raises(CheckpointError, match=r"checkpoint\.pt") as caught:
            attempt()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_last_checkpoint(tmp_path, broken, monkeypatch):
    path, real = tmp_path / "checkpoint.pt", getattr(os, broken)
    write_atomically(path, b"old")

    def full(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, broken, full)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    monkeypatch.setattr(os, broken, real)
    write_atomically(path, b"new")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"new"]


def test_output_of_another_run_is_left_alone(tmp_path):
    train(tmp_path / "run", epochs=1)
    before = {p: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    for settings, words in (
        ({}, "belongs to a run already"),
        ({"resume": True, "seed": 1}, "another seed: 0 there, 1 here"),
        ({"resume": True, "epochs": 2, "batch": 8}, "another recipe: batch is 16 there, 8 here$"),
    ):
        with pytest.raises(CheckpointError, match=words):
            train(tmp_path / "run", **{"epochs": 1, **settings})
    for model, data, words in (
        ("MgNet[1,1]-[4]-B^l", blobs(), "another model: notation is"),
        (NAME, blobs(seed=1), "another data"),
    ):  # the recipe, which data may decide on, is named last
        with pytest.raises(CheckpointError, match=words):
            nets.train(model, data, recipe=replace(RECIPE, batch=8), output=tmp_path / "run", resume=True)
    assert {p: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="output must be a folder"):
        train(tmp_path / "file")


def test_weights_with_another_head(tmp_path):
    trained = train(tmp_path / "run", epochs=1, averaging=0.0).model
    for classes in (0, 3, 7):
        with nullcontext() if classes == 3 else pytest.warns(UserWarning, match="the head in .* is left out"):
            model = nets.create_model(NAME, num_classes=classes, in_channels=1, weights=tmp_path / "run")
        assert torch.equal(model.A[0].weight, trained.A[0].weight)
        assert classes != 3 or torch.equal(model.head.weight, trained.head.weight)
    with pytest.raises(CheckpointError, match=r"holds .*-a_iB\^l, the model is .*-B\^l; level 1 of 2: alpha"):
        nets.create_model("MgNet[1,1]-[4]-B^l", in_channels=1, weights=tmp_path / "run")
    with pytest.raises(CheckpointError, match="in_channels=1, the model has 3"):
        nets.create_model(NAME, weights=tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"epochs": 0}, ValueError, "epochs must be an integer >= 1; got 0"),
        ({"epochs": 1.5}, TypeError, "epochs must be an integer"),
        ({"batch": 61}, ValueError, "batch must be at most 60"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be a number > 0"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate must be"),
        ({"momentum": 1.0}, ValueError, r"momentum must be a number in \[0, 1\)"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must be a number >= 0"),
        ({"epoch": 3}, TypeError, "train has no setting 'epoch'"),
        ({"recipe": "slow"}, ValueError, "recipe must be one of .*'digits'.*got 'slow'"),
        ({"recipe": 3}, TypeError, "recipe must be a nets.Recipe or a name"),
        ({"seed": 0.5}, TypeError, "seed must be an integer; got 0.5"),
    ],
)
def test_bad_settings(tmp_path, settings, error, words):
    with pytest.raises(error, match=words):
        train(tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_models_that_do_not_fit():
    with pytest.raises(ValueError, match="model has 10 outputs, and data 'blobs' has 3 classes"):
        nets.train(nets.create_model(NAME, in_channels=1), blobs())
    with pytest.raises(ValueError, match="in_channels=3"):
        nets.train(nets.create_model(NAME, num_classes=3), blobs())
    with pytest.raises(TypeError, match=r"model must be a nets.Network or a name"):
        nets.train(torch.nn.Linear(3, 3), blobs())
    with pytest.raises(ValueError, match=r"data must be one of 'digits', .*; got 'mnits'; did you mean 'mnist'"):
        nets.train(NAME, "mnits")


def test_signals_train_without_augmentation():
    data = blobs()
    parts = (data.train_images.flatten(2), data.train_labels, data.test_images.flatten(2), data.test_labels)
    signals = Dataset("signals", *parts, data.class_names)
    assert nets.train(NAME, signals, recipe=replace(RECIPE, shift=0.0), progress=False).model.config.dims == 1
    with pytest.raises(ValueError, match="shift must change nothing: images of 1 dimensions"):
        nets.train(NAME, signals, recipe=RECIPE)


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_learning_rate_cycle(steps):
    recipe = Recipe(learning_rate=0.3, warmup=0.2)
    rates = [recipe.rate(step, steps) for step in range(steps)]
    assert min(rates) > 0
    assert max(rates) <= 0.3
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_caller_without_gradients_trains_all_the_same(mode):
    with mode():
        there = train(epochs=1)
        assert not torch.is_grad_enabled()
    here = train(epochs=1)
    assert there.history[0]["loss"] == here.history[0]["loss"]
    assert all(map(torch.equal, there.model.parameters(), here.model.parameters()))
