"""A run that is stopped, killed or out of disk goes on with the same bits, and says what happened."""

import errno
import json
import os
import signal
import subprocess
import sys

import filelock
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets import TrainingInterrupted
from nets.__main__ import main
from nets.common import checked_file
from nets.models.checkpoint import FILE, PREVIOUS, read
from nets.runs.checkpoint_interval import CheckpointInterval
from nets.runs.directory import RunFolder
from nets.training.signals import Stop
from tests.nets.interrupted import during, loop
from tests.nets.training.test_training import assert_same, train

resource = pytest.importorskip("resource", reason="Windows has no signals between processes")


def record(folder):
    return json.loads((folder / "record.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run without a break: 3 epochs of 4 steps."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder)
    return folder


@pytest.fixture(autouse=True)
def an_interrupt_is_heard():
    """Also where a shell has started the tests in the background, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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


EVERYTHING = [
    {
        **{"momentum_form": "S19", "nesterov": False, "schedule": "step", "step_epochs": 1, "clip_grad": 1.0},
        **{"crop_padding": 1, "flip": "alternating", "cutout": 2, "grad_accum": 2, "averaging": 0.0},
        **{"drop_last": True, "val_fraction": 0.2, "mixup": 0.4, "cutmix": 1.0, "sampling": "balanced"},
    },
    {"precision": "bf16", "channels_last": True, "norm_batches": 2, "whitening": True, "decay_norms": True}
    | {"class_weights": "balanced", "mixup": 0.4},
    pytest.param({"compile": True}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("settings", EVERYTHING)
def test_every_setting_resumes_to_the_same_bits(tmp_path, settings, monkeypatch):
    """On a CPU; in the middle of an epoch."""
    train(tmp_path / "whole", **settings)
    during(monkeypatch, 5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(TrainingInterrupted, match="after step 5 of"):
        train(tmp_path / "run", **settings)
    monkeypatch.undo()
    train(tmp_path / "run", resume=True, **settings)
    assert_same(tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [({}, 1e-5), ({"compile": True}, 1e-5), ({"compile": True, "precision": "bf16", "channels_last": True}, 1e-2)],
)
def test_the_first_steps_after_a_break_on_a_gpu(tmp_path, settings, tolerance, monkeypatch):
    """docs/runs.md states the tolerances; TF32 is off, as torch has it for products of matrices by default."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    settings = {**settings, "device": "cuda"}
    train(tmp_path / "whole", **settings)
    during(monkeypatch, 6, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(TrainingInterrupted):
        train(tmp_path / "run", **settings)
    train(tmp_path / "run", resume=True, **settings)
    ours, theirs = (read(tmp_path / name)["weights"] for name in ("run", "whole"))
    for name, weight in theirs.items():
        difference = (ours[name].double() - weight.double()).norm()
        assert difference <= tolerance * weight.double().norm(), name


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_exit_codes(tmp_path, number, code, monkeypatch, capsys):
    command = ["train", "--model", "MgNet[1]-[2]-B^l", "--epochs", "1", "--batch", "500", "--output", f"{tmp_path}/run"]
    during(monkeypatch, 2, lambda: os.kill(os.getpid(), number))
    assert main(command) == code
    words = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}[number]
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"python -m nets train: interrupted by {words} after step 2 of 3; the last checkpoint is ")
    monkeypatch.undo()
    (tmp_path / "run" / FILE).rename(tmp_path / "run" / PREVIOUS)
    (tmp_path / "run" / FILE).write_bytes(b"damaged")
    assert main([*command, "--resume"]) == 0
    warning = next(line for line in capsys.readouterr().err.splitlines() if "warning" in line)
    assert warning.startswith("python -m nets train: warning: checkpoint: ")
    assert warning.endswith(f"{PREVIOUS} (epoch 0, step 2) is used instead")


def interrupt_at_once(stop):
    with stop.at_once():
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("at_once waits")


def test_a_signal_after_the_last_check_is_not_lost(monkeypatch):
    received = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        with Stop() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert received == []
        assert received == [stop.signal] == [signal.SIGTERM]
        with Stop():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)  # the second one acts at once
            assert len(received) == 2
        assert len(received) == 3
        stop = Stop()
        with stop, pytest.raises(TrainingInterrupted):
            interrupt_at_once(stop)
    finally:
        signal.signal(signal.SIGTERM, before)


KILLS = """
import json, os, random, signal, stat, sys
import matplotlib.figure, torch, torch._dynamo, torch.utils.flop_counter  # once, not in every child
from tests.nets.training.test_training import train
torch.set_num_threads(1)
folder, seed, kills = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
numbers, left = random.Random(seed), 0

def moment(file=None):
    global left
    left -= 1
    if left == 0:
        if file is not None and numbers.random() < 0.5:  # in the middle of a write: a part of it has reached the disk
            os.ftruncate(file, numbers.randrange(os.fstat(file).st_size + 1))
        os.kill(os.getpid(), signal.SIGKILL)

def watched(owner, name, file=False):
    real = getattr(owner, name)
    def call(*arguments, **options):
        moment(arguments[0] if file and stat.S_ISREG(os.fstat(arguments[0]).st_mode) else None)
        result = real(*arguments, **options)
        moment()
        return result
    setattr(owner, name, call)

watched(sys.modules["nets.training.loop"], "_step")
watched(os, "replace")
watched(os, "fsync", file=True)
killed = 0
while True:
    every, left = numbers.choice((1, 2, "1 epoch")), numbers.randint(1, 40) if killed < kills else 0
    child = os.fork()
    if child == 0:
        train(folder, resume=True, checkpoint_every=every, **json.loads(sys.argv[4]))
        os._exit(0)
    code = os.waitpid(child, 0)[1]
    killed += code == signal.SIGKILL
    if code != signal.SIGKILL:
        print(killed)
        sys.exit(code)
"""
"""Before and after every step and every write that has to last, a child counts; it is killed when its number is up."""


def killed_at_random(folder, seed, kills, settings):
    """A run that is killed again and again, at moments that follow from the seed; returns how often it was."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLS, str(folder), str(seed), str(kills), json.dumps(settings)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))])
def test_killed_again_and_again(tmp_path, seed):
    """The best network so far, of which a checkpoint is the only place, is not lost either."""
    settings, whole = {"val_fraction": 0.2, "keep": "best", "patience": 3}, tmp_path / "whole"
    train(whole, **settings)
    kills = killed_at_random(tmp_path / "run", seed, 8 if seed else 4, settings)
    assert kills > 0
    ours, theirs = (read(folder)["best"] for folder in (tmp_path / "run", whole))
    assert (ours["epoch"], ours["value"]) == (theirs["epoch"], theirs["value"])
    assert all(torch.equal(ours["weights"][name], tensor) for name, tensor in theirs["weights"].items())
    assert_same(whole, tmp_path / "run")
    assert sorted(os.listdir(tmp_path / "run")) == sorted(os.listdir(whole))
    assert record(tmp_path / "run")["status"] == "finished"


def test_the_record_of_a_run_under_way(tmp_path, monkeypatch):
    """The record that a killed run leaves behind."""
    seen = []
    during(monkeypatch, 6, lambda: seen.append(record(tmp_path / "run")))
    train(tmp_path / "run")
    assert (seen[0]["status"], seen[0]["epoch"], len(seen[0]["history"])) == ("running", 1, 1)
    assert "result" not in seen[0]


def full_disk(monkeypatch, when):
    """Let os.fsync fail while `when()`."""
    real = os.fsync

    def fsync(file):
        if when():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)


def test_training_goes_on_while_the_disk_is_full(tmp_path, whole, monkeypatch):
    full, steps = [False], []

    def step(run):
        steps.append(run.step)
        full[0] = 6 <= run.step < 10

    real = loop._step
    monkeypatch.setattr(loop, "_step", lambda run, *rest: (step(run), real(run, *rest))[1])
    full_disk(monkeypatch, lambda: full[0])
    words = r"cannot be written \(No space left on device\); the last checkpoint is .*\(epoch 1, step 4\)"
    with pytest.warns(UserWarning, match=words) as warned:
        train(tmp_path / "run")
    names = [str(warning.message).partition(" cannot")[0].rpartition("/")[2] for warning in warned]
    assert names == ["checkpoint.pt", "history.csv", "record.json"]
    assert steps == list(range(12))
    assert_same(whole, tmp_path / "run")
    assert sorted(os.listdir(tmp_path / "run")) == sorted(os.listdir(whole))


def test_a_disk_that_stays_full(tmp_path, whole, monkeypatch):
    full = [False]
    during(monkeypatch, 10, lambda: full.__setitem__(0, True))
    full_disk(monkeypatch, lambda: full[0])
    words = r"checkpoint\.pt cannot be written .*; the last checkpoint is .*\(epoch 2, step 8\); free some space"
    with pytest.raises(OSError, match=words), pytest.warns(UserWarning, match="cannot be written"):
        train(tmp_path / "run")
    monkeypatch.undo()
    train(tmp_path / "run", resume=True)
    assert_same(whole, tmp_path / "run")


def test_a_disk_that_is_full_at_the_end(tmp_path, whole, monkeypatch):
    """The last weights are on it: only the figures of the test part are not in the checkpoint."""
    full, end = [False], loop._end
    monkeypatch.setattr(loop, "_end", lambda *rest: (full.__setitem__(0, True), end(*rest))[1])
    full_disk(monkeypatch, lambda: full[0])
    with pytest.warns(UserWarning, match=r"cannot be written .* \(epoch 3, step 12\)") as warned:
        result = train(tmp_path / "run")
    assert f"{FILE} cannot" in str(warned[0].message)
    monkeypatch.undo()
    assert train(tmp_path / "run", resume=True).accuracy == result.accuracy
    assert_same(whole, tmp_path / "run")


def test_a_disk_that_is_full_from_the_start(tmp_path, monkeypatch):
    full_disk(monkeypatch, lambda: True)
    during(monkeypatch, 1, lambda: pytest.fail("work has begun"))
    with pytest.raises(OSError, match="No space left"):
        train(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_file_that_may_not_grow(tmp_path):
    """A real failure of the system, without a stand-in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    checked_file.write(tmp_path / FILE, {"epoch": 1})
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            checked_file.write(tmp_path / FILE, {"weights": torch.zeros(20_000)}, tmp_path / "previous.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert checked_file.read(tmp_path / FILE) == ({"epoch": 1}, True)
    assert os.listdir(tmp_path) == [FILE]


def test_two_processes_in_one_folder(tmp_path, monkeypatch):
    with RunFolder(tmp_path, CheckpointInterval(steps=1)):
        for resume in (False, True):
            with pytest.raises(ValueError, match=rf"process {os.getpid()} on .* is writing into {tmp_path}"):
                train(tmp_path, resume=resume)
    assert os.listdir(tmp_path) == []
    (tmp_path / "run.lock").write_text("process 1 on another machine")  # what a killed run leaves behind
    train(tmp_path, epochs=1)


def test_a_folder_that_cannot_be_locked_is_written_to_with_a_warning(tmp_path, monkeypatch):
    def refuse(*arguments, **settings):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with (
        pytest.warns(UserWarning, match=f"output: {tmp_path} cannot be locked"),
        RunFolder(tmp_path, CheckpointInterval(steps=1)),
    ):
        pass
    assert os.listdir(tmp_path) == []


def test_a_killed_process_leaves_no_lock(tmp_path):
    code = f"""
import os, pathlib, signal
from nets.runs.lock import Lock
lock = Lock(pathlib.Path({str(tmp_path)!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (tmp_path / "run.lock").read_text().startswith("process ")
    with RunFolder(tmp_path, CheckpointInterval(steps=1)):
        pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, CheckpointInterval(steps=3)),
        ("3", CheckpointInterval(steps=3)),
        ("200 steps", CheckpointInterval(steps=200)),
        ("1 epoch, 5 min", CheckpointInterval(epochs=1, seconds=300)),
        ("0.5h", CheckpointInterval(seconds=1800)),
        ("90s,2epochs,7steps", CheckpointInterval(steps=7, epochs=2, seconds=90)),
    ],
)
def test_intervals(value, expected):
    assert CheckpointInterval.parse(value) == expected


@pytest.mark.parametrize(
    "value", ["", "0", "1.5 epochs", "5 minutes ago", "-3 steps", "1 s, 2 min", 0, True, None, 1.5]
)
def test_bad_intervals(tmp_path, value):
    with pytest.raises((TypeError, ValueError), match="checkpoint_every must be a number of steps, or an interval"):
        train(tmp_path / "run", checkpoint_every=value)
    assert not (tmp_path / "run").exists()


@given(steps=st.integers(1, 9), seconds=st.integers(1, 9), passed=st.tuples(*3 * [st.integers(0, 9)]))
def test_due(steps, seconds, passed):
    every = CheckpointInterval(steps=steps, seconds=seconds)
    assert every.due(steps=passed[0], epochs=passed[1], seconds=passed[2]) == (
        passed[0] >= steps or passed[2] >= seconds
    )
