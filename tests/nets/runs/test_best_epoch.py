"""Early stopping, and the epoch that is best on the validation part: which it is, where it is kept, who reads it."""

import json
import os
import signal
from math import isnan, nan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets import TrainingInterrupted
from nets.models.checkpoint import read
from nets.plot import learning_curve, learning_curves
from nets.runs import directory, model_card, records, report
from nets.training.best import Best, copied
from tests.nets.dense_data import denoising
from tests.nets.interrupted import during, loop
from tests.nets.training.test_training import assert_same, blobs, train

SETTINGS = {"epochs": 4, "val_fraction": 0.3}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Drawing takes longer than these trainings."""
    for name in ("draw_history", "draw_predictions"):
        monkeypatch.setattr(directory, name, None)


def scripted(monkeypatch, values, figure="accuracy"):
    """Let the validation part have these figures, one for each epoch."""
    monkeypatch.setattr(loop, "_figures", lambda run, data, observer: {figure: values[run.epoch]})


def record(folder):
    return json.loads((folder / "record.json").read_text())


def same(state, other):
    return all(torch.equal(state[name], tensor) for name, tensor in other.items())


@given(
    values=st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, nan]), min_size=1, max_size=12),
    patience=st.integers(0, 4),
    figure=st.sampled_from(["accuracy", "relative_l2"]),
)
def test_the_best_is_the_earliest_of_the_best(values, patience, figure):
    """Beside a search through all that was seen."""
    best = Best(figure)
    for epoch, value in enumerate(values, 1):
        best.see(epoch, value, None)
        seen = [v for v in values[:epoch] if not isnan(v)]
        expected = 1 + values.index((max if figure == "accuracy" else min)(seen)) if seen else 0
        assert best.epoch == expected
        assert bool(best.too_long_ago(epoch, patience)) == (patience > 0 and epoch - expected >= patience)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_the_network_of_the_best_epoch_is_the_result(tmp_path, averaging, monkeypatch):
    scripted(monkeypatch, [0.5, 0.9, 0.9, 0.8])
    states = {}
    settings = {**SETTINGS, "averaging": averaging, "keep": "best"}
    result = train(
        tmp_path / "run", on_epoch=lambda row, model: states.update({row["epoch"]: copied(model)}), **settings
    )
    best = 2
    assert result.epoch == best
    assert result.reason == f"best validation accuracy, epoch {best} of 4"
    assert same(result.model.state_dict(), states[best])
    assert not same(result.model.state_dict(), states[4])
    assert [row["epoch"] for row in result.history if row["test_accuracy"] is not None] == [best]
    assert result.history[best - 1]["test_accuracy"] == result.accuracy
    found, content = record(tmp_path / "run"), read(tmp_path / "run")
    assert found["message"] == result.reason
    assert (found["result"]["epoch"], found["result"]["accuracy"]) == (best, result.accuracy)
    assert "best validation accuracy" in found["result"]["which"]
    assert same(content["best"]["weights"], states[best])
    assert same(content["averaged"] or content["weights"], states[4])  # to go on from
    loaded = nets.load(tmp_path / "run")
    assert same(loaded.state_dict(), states[best])
    assert nets.evaluate(loaded, blobs()).accuracy == result.accuracy
    card = model_card.model_card(found)
    assert f"never by the test part (best validation accuracy, epoch {best} of 4)" in card
    assert "Result: " in report.table(records.runs([tmp_path / "run"]))
    again = train(tmp_path / "run", resume=True, **settings)  # nothing left to do
    assert same(again.model.state_dict(), states[best])
    assert (again.epoch, again.reason, again.accuracy) == (best, result.reason, result.accuracy)


@pytest.mark.parametrize(
    ("values", "settings", "ends", "kept"),
    [
        ([0.5, 0.6, 0.6, 0.4, 0.9, 0.9], {"patience": 2}, 4, 4),
        ([0.5, 0.6, 0.6, 0.4, 0.9, 0.9], {"patience": 2, "keep": "best"}, 4, 2),
        ([0.5, 0.6, 0.6, 0.4, 0.9, 0.9], {"patience": 3, "keep": "best"}, 6, 5),
        ([0.5, nan, 0.6, nan, nan, 0.9], {"patience": 2, "evaluate_every": 3, "keep": "best"}, 6, 6),
        ([nan] * 6, {"patience": 4, "keep": "best"}, 4, 4),
    ],
)
def test_a_run_stops_when_nothing_gets_better(values, settings, ends, kept, monkeypatch):
    scripted(monkeypatch, values)
    result = train(limit_batches=1, **{**SETTINGS, "epochs": 6}, **settings)
    assert (len(result.history), result.epoch) == (ends, kept)
    since = {2: 2, 4: 0}.get(settings["patience"])
    assert result.reason.endswith(f"stopped: no better since epoch {since}") == (ends < 6)


def test_smaller_errors_are_better(tmp_path, monkeypatch):
    scripted(monkeypatch, [0.5, 0.2, 0.3, 0.4], "relative_l2")
    settings = {"epochs": 4, "batch": 15, "val_fraction": 0.2, "patience": 2, "keep": "best", "progress": False}
    result = nets.train("V-MgNet[1]-[2]-B^l", denoising(n=8), output=tmp_path / "run", **settings)
    assert result.epoch == 2
    assert result.reason == "best validation error, epoch 2 of 4; stopped: no better since epoch 2"
    assert result.error == result.history[1]["test_relative_l2"]
    assert (record(tmp_path / "run")["status"], record(tmp_path / "run")["message"]) == ("finished", result.reason)
    monkeypatch.setattr(loop, "_step", None)  # nothing is trained any more
    again = nets.train("V-MgNet[1]-[2]-B^l", denoising(n=8), output=tmp_path / "run", resume=True, **settings)
    assert (again.reason, again.error) == (result.reason, result.error)
    learning_curve(result.history, tmp_path / "one.png")
    found = records.runs([tmp_path / "run"])
    learning_curves(found, tmp_path / "many.png")
    assert {"one.png", "many.png"} <= set(os.listdir(tmp_path))


def test_a_break_changes_nothing(tmp_path, monkeypatch):
    """In the first epoch and in one after the best; 3 steps an epoch."""
    settings = {**SETTINGS, "keep": "best", "patience": 3}
    step = loop._step
    train(tmp_path / "whole", **settings)
    for number in (2, 8):
        folder = tmp_path / str(number)
        during(monkeypatch, number, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(TrainingInterrupted):
            train(folder, **settings)
        monkeypatch.setattr(loop, "_step", step)
        train(folder, resume=True, **settings)
        assert_same(tmp_path / "whole", folder)
        ours, theirs = read(folder), read(tmp_path / "whole")
        assert ours["stopped"] == theirs["stopped"]
        assert (ours["best"]["epoch"], ours["best"]["value"]) == (theirs["best"]["epoch"], theirs["best"]["value"])
        assert same(ours["best"]["weights"], theirs["best"]["weights"])


def test_a_signal_during_the_last_evaluation_keeps_the_last_weights(tmp_path, monkeypatch):
    """The best network stands in for the last one then."""
    settings = {**SETTINGS, "keep": "best", "checkpoint_every": "100 epochs"}
    train(tmp_path / "whole", **settings)
    evaluate = loop.evaluate

    def interrupted(model, data):
        if data.checksums() == blobs().checksums():  # the test part, not the validation part
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(model, data)

    monkeypatch.setattr(loop, "evaluate", interrupted)
    with pytest.raises(TrainingInterrupted, match="after step 12 of 12"):
        train(tmp_path / "run", **settings)
    monkeypatch.setattr(loop, "evaluate", evaluate)
    train(tmp_path / "run", resume=True, **settings)
    assert_same(tmp_path / "whole", tmp_path / "run")
