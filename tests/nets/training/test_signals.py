"""Signals of terminals and batch systems end a run as SIGTERM does, unless somebody ignores or handles them."""

import json
import os
import signal
import subprocess
import sys

import pytest

from nets import TrainingInterrupted
from nets.models.checkpoint import FILE, read
from tests.nets.interrupted import during
from tests.nets.training.test_training import assert_same, train

pytest.importorskip("resource", reason="Windows has no signals between processes")
SIGNALS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@pytest.fixture(autouse=True)
def default_signals():
    """Also where the tests run under nohup."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run without a break."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder)
    return folder


@pytest.mark.parametrize("number", SIGNALS)
def test_a_checkpoint_is_written(number, tmp_path, whole, monkeypatch):
    during(monkeypatch, 6, lambda: os.kill(os.getpid(), number))
    words = rf"by {number.name} after step 6 of 12; the last checkpoint is .*{FILE} \(epoch 1, step 6\)"
    with pytest.raises(TrainingInterrupted, match=words) as caught:
        train(tmp_path / "run")
    monkeypatch.undo()
    assert caught.value.signal == number
    assert signal.getsignal(number) == signal.SIG_DFL
    assert read(tmp_path / "run")["step"] == 6
    assert json.loads((tmp_path / "run" / "record.json").read_text())["status"] == "interrupted"
    train(tmp_path / "run", resume=True)
    assert_same(whole, tmp_path / "run")


@pytest.mark.parametrize("number", SIGNALS)
def test_others_keep_their_signals(number, tmp_path, whole, monkeypatch):
    """Ignored, as SIGHUP under nohup, or handled by the program itself."""
    received = []
    for name, handler in (("ignored", signal.SIG_IGN), ("handled", lambda number, frame: received.append(number))):
        signal.signal(number, handler)
        during(monkeypatch, 6, lambda: os.kill(os.getpid(), number))
        train(tmp_path / name)
        monkeypatch.undo()
        assert signal.getsignal(number) is handler
        assert_same(whole, tmp_path / name)
    assert received == [number]


HUNG_UP = """
import os, signal, sys
from nets.__main__ import main
from nets.training import loop
step = loop._step
def stopped(run, *rest):
    if run.step == 1:
        os.close(leader)  # the terminal is gone
        os.kill(os.getpid(), signal.SIGHUP)
    return step(run, *rest)
loop._step = stopped
leader, terminal = os.openpty()
os.dup2(terminal, 1)
os.dup2(terminal, 2)
sys.exit(main(["train", "--model", "MgNet[1]-[2]-B^l", "--batch", "500", "--output", sys.argv[1]]))
"""


def test_a_terminal_that_closes(tmp_path):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a child inherits what is ignored
    done = subprocess.run([sys.executable, "-c", HUNG_UP, str(tmp_path / "run")], check=False)
    assert done.returncode == 128 + signal.SIGHUP
    assert json.loads((tmp_path / "run" / "record.json").read_text())["status"] == "interrupted"
    assert read(tmp_path / "run")["step"] == 2
