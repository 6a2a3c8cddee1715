"""A finished or interrupted run goes on to another number of epochs."""

import json
import os
import signal

import pytest
import torch

import nets
from nets import CheckpointError, TrainingInterrupted
from nets.common import checked_file
from nets.models.checkpoint import FILE, read
from nets.runs import directory, records
from tests.nets.interrupted import during
from tests.nets.training.test_training import NAME, TIMES, assert_same, blobs, train

CONSTANT = {"schedule": "constant", "warmup": 0.0}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Drawing takes longer than these trainings."""
    monkeypatch.setattr(directory, "draw_history", None)


def record(folder):
    return json.loads((folder / "record.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An unbroken run of 4 epochs of 4 steps, which looks at the test part after the second."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder, epochs=4, test_every=2, **CONSTANT)
    return folder


def test_a_finished_run_goes_on_as_an_unbroken_one(tmp_path, whole):
    first = train(tmp_path / "run", epochs=2, **CONSTANT)
    result = train(tmp_path / "run", epochs=4, resume=True, **CONSTANT)
    assert_same(whole, tmp_path / "run")  # its look at the test part after two epochs stays in the history
    assert result.history[1]["test_accuracy"] == first.accuracy
    found = record(tmp_path / "run")
    (piece,) = found["continued"]
    assert piece == {"from_epoch": 2, "from_step": 8, "at": piece["at"], "epochs_before": 2, "epochs": 4}
    assert (found["status"], found["recipe"]["epochs"], found["result"]["epoch"]) == ("finished", 4, 4)
    assert "| after epoch 2, from 2 epochs to 4 |" in (tmp_path / "run" / "model_card.md").read_text()
    assert "continued after epoch 2" in records.read(tmp_path / "run" / "record.json").recipe
    assert len(records.runs([tmp_path / "run", whole])) == 2  # no repetitions of one run
    again = train(tmp_path / "run", epochs=4, resume=True, **CONSTANT)
    assert again.accuracy == result.accuracy
    assert record(tmp_path / "run")["continued"] == [piece]


def test_the_learning_rates_are_those_of_the_new_number(tmp_path):
    train(tmp_path / "run", epochs=2)
    rates = [row["learning_rate"] for row in train(tmp_path / "run", epochs=4, resume=True).history]
    unbroken = [row["learning_rate"] for row in train(epochs=4).history]
    assert rates[2:] == unbroken[2:]
    assert rates[1] == 0.1 * (1 + torch.cos(torch.tensor(torch.pi * 5.4 / 6.4, dtype=torch.float64)).item()) / 2


@pytest.mark.parametrize("epochs", [2, 4])
def test_an_interrupted_run_may_get_other_epochs(epochs, tmp_path, whole, monkeypatch):
    during(monkeypatch, 6, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(TrainingInterrupted):
        train(tmp_path / "run", epochs=3, **CONSTANT)
    monkeypatch.undo()
    monkeypatch.setattr(directory, "draw_history", None)
    result = train(tmp_path / "run", epochs=epochs, resume=True, **CONSTANT)
    assert len(result.history) == epochs
    assert [(piece["from_epoch"], piece["from_step"]) for piece in record(tmp_path / "run")["continued"]] == [(1, 6)]
    assert torch.equal(read(tmp_path / "run")["weights"]["head.weight"], read(whole)["weights"]["head.weight"]) == (
        epochs == 4
    )


def test_fewer_epochs_than_are_done(tmp_path):
    train(tmp_path / "run", epochs=2)
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(CheckpointError, match=r"epochs must be more than the 2 epochs that the run .*; got 1$"):
        train(tmp_path / "run", epochs=1, resume=True)
    with pytest.raises(CheckpointError, match=r"another recipe: batch is 16 there, 8 here$"):
        train(tmp_path / "run", epochs=4, batch=8, resume=True)
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_epochs_that_nobody_gave(tmp_path):
    """A forgotten epochs=1 does not make it the 40 epochs of the recipe."""
    settings = {"batch": 16, "limit_batches": 1, "output": tmp_path / "run", "progress": False}
    nets.train(NAME, blobs(), epochs=1, **settings)
    words = r"epochs is 1 there, 40 here; give epochs \(--epochs\) to go on to another number"
    with pytest.raises(CheckpointError, match=words):
        nets.train(NAME, blobs(), resume=True, **settings)


def test_a_run_that_stopped_early_goes_on(tmp_path):
    stopped = train(tmp_path / "run", epochs=4, on_epoch=lambda row, model: row["epoch"] == 2)
    assert (len(stopped.history), stopped.reason) == (2, "stopped by on_epoch after epoch 2")
    assert len(train(tmp_path / "run", epochs=4, resume=True).history) == 2  # it is over
    result = train(tmp_path / "run", epochs=5, resume=True)
    assert (len(result.history), result.reason) == (5, "")
    assert record(tmp_path / "run")["message"] == ""


@pytest.mark.parametrize("val_fraction", [0.0, 0.2])
def test_runs_of_before_all_this_go_on(val_fraction, tmp_path):
    """Their checkpoints have no best epoch, and rows of their histories one held-out part, in every epoch."""
    settings = {"val_fraction": val_fraction, "epochs": 2}
    train(tmp_path, **settings, test_every=0 if val_fraction else 1)
    content = read(tmp_path)
    for name in ("best", "stopped", "continued"):
        del content[name]
    for name in ("patience", "keep"):
        del content["recipe"][name]
    if val_fraction:
        content["history"] = [{k: v for k, v in row.items() if k != "test_accuracy"} for row in content["history"]]
    checked_file.write(tmp_path / FILE, content)
    assert (
        nets.load(tmp_path).config
        == nets.create_model(content["model"]["notation"], in_channels=1, num_classes=3).config
    )
    result = train(tmp_path, resume=True, **{**settings, "epochs": 3})
    assert len(result.history) == 3
    header, *rows = (tmp_path / "history.csv").read_text().splitlines()
    assert len(rows) == 3
    assert set(header.split(",")) == set(result.history[-1])
    assert set(result.history[-1]) >= {"test_accuracy", *TIMES}
