"""Reports of a run while it goes: whole lines in a log, the loss first on a terminal, and nothing that can stop it."""

import errno
import io
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm

import nets
from nets.__main__ import main
from nets.training.progress import BAR, epoch_line
from tests.nets.training.test_training import NAME, RECIPE, blobs, train

START = "epochs 1 to 3, 4 steps each"


class Terminal(io.StringIO):
    """A stand-in for a terminal: whatever is written to it is kept."""

    def isatty(self):
        return True


class Gone(Terminal):
    """A terminal that has hung up, or a log on a full disk."""

    number = errno.EIO

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))


class Log(io.StringIO):
    """A file that notes what had been written at each flush."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def flush(self):
        self.seen.append(self.getvalue())


@pytest.mark.parametrize("settings", [{"test_every": 1}, {"val_fraction": 0.2}, {"test_every": 2, "progress": True}])
def test_a_log_has_a_line_for_every_epoch_at_once(settings, monkeypatch):
    log = Log()
    monkeypatch.setattr(sys, "stderr", log)
    result = train(**{"progress": None, **settings})
    lines = [epoch_line({**row, "test_accuracy": None} if row["epoch"] == 3 else row, 3) for row in result.history]
    start = START.replace("4 steps", "3 steps") if "val_fraction" in settings else START
    end = f"test accuracy {100 * result.accuracy:.2f} % (last epoch)"
    written = log.getvalue().splitlines()
    assert [line.partition(":")[0] for line in written[:5]] == ["device", "model", "data", "recipe", "seed"]
    assert written[5:] == [start, *lines, end]
    assert [text.splitlines()[-1] for text in dict.fromkeys(log.seen)] == written
    assert "\r" not in log.getvalue()
    for line, row in zip(lines[:2], result.history, strict=False):
        assert line.startswith(f"epoch {row['epoch']} of 3: loss {row['loss']:.4f}, accuracy ")
        for part in ("validation", "test"):
            value, words = row.get(f"{part}_accuracy"), f", {part} accuracy "
            assert (words in line) == (value is not None)
            assert value is None or f"{words}{100 * value:.2f} %" in line


def test_the_first_lines_of_a_log(tmp_path, monkeypatch):
    log = Log()
    monkeypatch.setattr(sys, "stderr", log)
    first = {"recipe": "digits", "batch": 16, "epochs": 1, "limit_batches": 1, "progress": None}
    result = train(tmp_path / "a", **first, val_fraction=0.2, seed=4)
    device, *lines = log.getvalue().splitlines()[:6]
    assert device.startswith("device: cpu, ")
    assert device.endswith(", 1 thread")
    assert lines == [
        f"model: {NAME}, in_channels=1, num_classes=3, {nets.parameters(result.model):,} parameters",
        "data: blobs, 48 images for training, 12 for validation, 20 for the test, of 1 x 6 x 6, 3 classes",
        "recipe: digits, epochs=1, batch=16, val_fraction=0.2, limit_batches=1",
        "seed: 4",
        f"output: {tmp_path / 'a'}",
    ]
    nets.train(NAME, blobs(), init_from=tmp_path / "a", **{**first, "recipe": RECIPE})
    text = log.getvalue()
    assert f"\nstarts from {tmp_path / 'a' / 'checkpoint.pt'} (" in text
    assert "recipe: own, epochs=1, batch=16, shift=1.0, averaging=0.9, limit_batches=1\n" in text


def test_nothing_is_said_where_nothing_is_asked_for(monkeypatch):
    for log in (Log(), Terminal()):
        monkeypatch.setattr(sys, "stderr", log)
        train(progress=False, epochs=1)
        assert log.getvalue() == ""


def test_a_terminal_has_the_lines_and_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    result = train(progress=None)
    text = terminal.getvalue()
    assert all(f"{epoch_line(row, 3)}\n" in text for row in result.history[:2])
    assert "\r" in text


@given(
    columns=st.integers(60, 200),
    epoch=st.integers(1, 400),
    loss=st.floats(0, 99),
    done=st.floats(0, 1),
    elapsed=st.floats(1, 1e6),
)
def test_the_bar_never_cuts_off_the_loss(columns, epoch, loss, done, elapsed):
    words = f"epoch {epoch} of 400, loss {loss:.3f}, accuracy 0.123"
    total = 20_000_000
    line = tqdm.format_meter(
        round(done * total),
        total,
        elapsed,
        ncols=columns,
        prefix=words,
        unit=" images",
        unit_scale=True,
        bar_format=BAR,
    )
    assert line.startswith(words)
    assert len(line) <= columns
    assert columns < 100 or line.endswith("]")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EPIPE])
@pytest.mark.parametrize("terminal", [True, False])
def test_nobody_who_reads_is_no_error(number, terminal, tmp_path, monkeypatch):
    gone = Gone()
    gone.number, gone.isatty = number, lambda: terminal and number == errno.EIO
    monkeypatch.setattr(sys, "stderr", gone)
    train(tmp_path / "run", progress=None)
    assert (tmp_path / "run" / "model_card.md").exists()


def test_streams_that_are_closed_are_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["list", "MgNet*"]) == 0
    assert main(["list", "none of them"]) == 2
    assert len(train().history) == 3


def test_a_log_of_stdout_gets_each_line_at_once(tmp_path, monkeypatch):
    with open(tmp_path / "log", "w") as log:
        monkeypatch.setattr(sys, "stdout", log)
        assert main(["list", "MgNet*"]) == 0
        print("a line")
        assert (tmp_path / "log").read_text().endswith("\na line\n")


def test_the_command_s_log(tmp_path):
    """A real file: stdout and stderr of the whole program."""
    command = [sys.executable, "-m", "nets", "train", "--model", "MgNet[1]-[2]-B^l", "--epochs", "2", "--batch", "500"]
    with open(tmp_path / "log", "wb") as log:
        subprocess.run([*command, "--progress"], stdout=log, stderr=log, check=True, cwd=tmp_path)
    text = (tmp_path / "log").read_text()
    lines = text.splitlines()
    starts = ["device: ", "model: ", "data: ", "recipe: ", "seed: 0", "epochs 1 to 2, ", "epoch 1 of 2", "epoch 2 of 2"]
    starts += ["test accuracy ", "held-out accuracy "]
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=False))
    assert "\r" not in text
