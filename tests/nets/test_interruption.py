"""A run that is stopped, killed or out of disk goes on with the same bits, and says what happened."""

import json
import os
import signal
import sys

import pytest

from nets import TrainingInterrupted
from nets.train.checkpoint import FILE, read
from tests.nets.test_training import assert_same, train

loop = sys.modules["nets.train.loop"]


def record(folder):
    return json.loads((folder / "record.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run without a break: 3 epochs of 4 steps."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder)
    return folder


def during(monkeypatch, step, action):
    """Before this step of the run, counted from 1, do something."""
    real = loop._step
    monkeypatch.setattr(loop, "_step", lambda run, *rest: (run.step == step - 1 and action(), real(run, *rest))[1])


@pytest.mark.parametrize(("number", "step"), [(signal.SIGINT, 1), (signal.SIGTERM, 6), (signal.SIGINT, 12)])
def test_a_signal_writes_a_checkpoint(tmp_path, whole, number, step, monkeypatch):
    during(monkeypatch, step, lambda: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    folder = tmp_path / "run"
    words = rf"after step {step} of 12; the last checkpoint is .*{FILE} \(epoch {(step - 1) // 4}, step {step}\)"
    with pytest.raises(TrainingInterrupted, match=words) as caught:
        train(folder)
    monkeypatch.undo()
    assert caught.value.signal == number
    assert signal.getsignal(number) is before
    assert read(folder)["step"] == step
    assert record(folder)["status"] == "interrupted"
    train(folder, resume=True)
    assert_same(whole, folder)
    assert record(folder)["status"] == "finished"
