"""A time limit and a callback: they stop a run, and change nothing else of it."""

import json
import pickle
import sys

import pytest
import torch

import nets
from nets import TrainingInterrupted
from nets.__main__ import main
from nets.models.checkpoint import FILE, read
from nets.runs import directory, records
from nets.runs.time_limit import TimeLimit
from tests.nets.interrupted import during
from tests.nets.training.test_training import assert_same, blobs, train

time_limit = sys.modules["nets.runs.time_limit"]


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Drawing takes longer than these trainings."""
    monkeypatch.setattr(directory, "draw_history", None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 3 epochs of 4 steps."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder)
    return folder


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(time_limit, "time", self)

    def monotonic(self):
        return self.now

    def later(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("50m", 3000), ("90 s", 90), ("1.5h", 5400), (" 2 min ", 120), (None, float("inf"))]
)
def test_times(text, seconds, monkeypatch):
    clock = Clock(monkeypatch)
    limit = TimeLimit(text)
    clock.later(min(seconds, 1e9) - 0.5)
    assert limit.seconds == seconds
    assert not limit.over
    clock.later(0.5)
    assert limit.over == (text is not None)


@pytest.mark.parametrize("text", ["", "50", "0m", "-1 h", "5 minutes", "1h 30m", "infh"])
def test_bad_times(text):
    with pytest.raises(ValueError, match=f"stop_after must be a time > 0 such as '50m', .*; got {text!r}"):
        TimeLimit(text)


def test_the_end_of_the_time_is_that_of_a_signal(tmp_path, whole, monkeypatch):
    step = 6  # in the middle of an epoch
    clock = Clock(monkeypatch)
    during(monkeypatch, step, lambda: clock.later(3000))
    words = (
        rf"after 50m, after step {step} of 12; the last checkpoint is .*{FILE} \(epoch {(step - 1) // 4}, step {step}\)"
    )
    with pytest.raises(TrainingInterrupted, match=words) as caught:
        train(tmp_path / "run", stop_after="50m")
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert (error.signal, error.exit_code, str(error)) == (None, 75, str(caught.value))
    assert read(tmp_path / "run")["step"] == step
    found = records.read(tmp_path / "run" / "record.json")
    assert (found.status, found.finished) == ("stopped", False)
    assert found.message == str(caught.value)
    monkeypatch.undo()
    monkeypatch.setattr(directory, "draw_history", None)
    train(tmp_path / "run", resume=True, stop_after="24 h")
    assert_same(whole, tmp_path / "run")


def test_the_command_says_that_there_is_more_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["nets.cli.train"], "draw_evaluation", lambda *rest: None)
    clock = Clock(monkeypatch)
    during(monkeypatch, 2, lambda: clock.later(90))
    command = ["train", "--model", "MgNet[1]-[2]-B^l", "--epochs", "1", "--batch", "500", "--output", f"{tmp_path}/run"]
    command += ["--val-fraction", "0.1", "--keep", "best"]
    assert main([*command, "--stop-after", "1.5 min"]) == 75
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("python -m nets train: stopped after 1.5 min, after step 2 of 3; the last checkpoint is ")
    assert main(["report", f"{tmp_path}/run"]) == 0
    assert "1 stopped" in capsys.readouterr().out
    assert main([*command, "--resume", "--test-every", "1"]) == 0
    assert capsys.readouterr().out.startswith("best validation accuracy, epoch 1 of 1\nvalidation accuracy ")


def test_a_callback_sees_every_epoch_and_changes_nothing(tmp_path):
    seen = []

    def look(row, model):
        content = read(tmp_path / "run")
        assert (content["epoch"], content["history"][-1]) == (row["epoch"], row)  # its checkpoint is there
        assert all(torch.equal(content["weights"][name], tensor) for name, tensor in model.state_dict().items())
        assert not any(module.training for module in model.modules())
        seen.append(row.pop("epoch"))
        model(torch.rand(2, 1, 6, 6)).sum().backward()
        model.train()
        torch.set_grad_enabled(False)

    train(tmp_path / "whole", averaging=0.0)
    result = train(tmp_path / "run", averaging=0.0, on_epoch=look)
    assert seen == [row["epoch"] for row in result.history] == [1, 2, 3]
    assert not any(module.training for module in result.model.modules())
    assert_same(tmp_path / "whole", tmp_path / "run")


def test_a_callback_stops_a_run(tmp_path):
    result = train(tmp_path / "run", on_epoch=lambda row, model: row["epoch"] == 2)
    assert (len(result.history), result.epoch, result.reason) == (2, 2, "stopped by on_epoch after epoch 2")
    assert result.accuracy == result.history[-1]["test_accuracy"]
    found = json.loads((tmp_path / "run" / "record.json").read_text())
    assert (found["status"], found["message"], found["result"]["epoch"]) == ("finished", result.reason, 2)
    assert nets.evaluate(nets.load(tmp_path / "run"), blobs()).accuracy == result.accuracy
    last = "Measured after epoch 2 of 3, the last one, never the best one (stopped by on_epoch after epoch 2)."
    assert last in (tmp_path / "run" / "model_card.md").read_text()


def test_a_run_that_a_callback_stopped_is_no_repetition_of_a_whole_one(tmp_path, whole):
    train(tmp_path / "run", on_epoch=lambda row, model: row["epoch"] == 2)
    found = records.runs([whole, tmp_path / "run"])
    assert [group.n for group in found] == [1, 1]
    assert found[1].first.recipe.endswith("stopped by on_epoch after epoch 2")


def test_a_run_that_is_killed_after_its_callback_stopped_it_stays_stopped(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(*arguments):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["nets.training.loop"], "_end", kill)
        with pytest.raises(Killed):
            train(tmp_path / "run", on_epoch=lambda row, model: row["epoch"] == 2)
    assert train(tmp_path / "run", resume=True).reason == "stopped by on_epoch after epoch 2"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (lambda row, model: 1 / 0, ZeroDivisionError, "division by zero"),
        (lambda row, model: "stop", TypeError, "on_epoch must return True, to stop, or False or None; got 'stop'"),
    ],
)
def test_an_error_of_a_callback_leaves_a_checkpoint(answer, error, words, tmp_path, whole):
    with pytest.raises(error, match=words):
        train(tmp_path / "run", checkpoint_every="9 epochs", on_epoch=answer)
    content = read(tmp_path / "run")
    assert (content["epoch"], content["step"]) == (1, 4)
    found = json.loads((tmp_path / "run" / "record.json").read_text())
    assert found["status"] == "failed"
    assert words in found["message"]
    train(tmp_path / "run", resume=True)
    assert_same(whole, tmp_path / "run")
