"""Several processes: the gradients of their shares of a batch, averaged, and files written by the first alone."""

import copy
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

import nets
from nets import Recipe
from nets.common import randomness
from tests.nets.training.test_training import blobs

pytest.importorskip("resource", reason="Windows has no signals between processes")

NAME = "MgNet[1,2]-[4]-B^l"
RECIPE = Recipe(epochs=2, batch=16, label_smoothing=0.0, schedule="constant", warmup=0.0)
MIXED = replace(RECIPE, class_weights=(0.5, 2.0, 0.25), mixup=0.4, cutmix=1.0, sampling="balanced")
DECAY = 5e-4
HANGS = 1800
"""Seconds after which something hangs, on the slowest machine."""

CHILD = """
import os, signal, sys, torch
torch.set_num_threads(1)
from nets import TrainingInterrupted
from nets.training import loop
from tests.nets.training.test_ranks import MIXED, train
train(False, recipe=MIXED, test_every=1, output=f"{sys.argv[1]}/mixed")
for batch_norm in (True, False):
    train(batch_norm, output=f"{sys.argv[1]}/{batch_norm}")
update, steps = loop.update, []
def stopped(*arguments):
    update(*arguments)
    steps.append(None)
    if len(steps) == 5 and os.environ["RANK"] == "1":  # heard in the next step, the second of the second epoch
        os.kill(os.getpid(), signal.SIGTERM)
loop.update = stopped
try:
    train(True, output=f"{sys.argv[1]}/broken")
except TrainingInterrupted:
    assert len(steps) == 6
loop.update = update
train(True, output=f"{sys.argv[1]}/broken", resume=True)
assert len(steps) == 6

from nets.runs.time_limit import TimeLimit
TimeLimit.over = property(lambda self: self.text is not None and os.environ["RANK"] == "1")
seen = []
stops = dict(val_fraction=0.3, keep="best", stop_after="1 h", output=f"{sys.argv[1]}/stopped")
def look(row, model):
    seen.append(row["epoch"])
    return len(seen) == 2
try:
    train(True, epochs=3, **stops)
except TrainingInterrupted as stopped:
    assert stopped.exit_code == 75
TimeLimit.over = False
result = train(True, epochs=3, resume=True, on_epoch=look, **stops)
assert seen == ([1, 2] if os.environ["RANK"] == "0" else [])
assert result.reason.endswith("stopped by on_epoch after epoch 2"), result.reason
torch.save(result.model.state_dict(), f"{sys.argv[1]}/{os.environ['RANK']}.pt")
"""


def blobs_of_61():
    """61 training images: the last batch of 16 has 13, 7 for one process and 6 for the other."""
    return blobs(81)


def model_of(batch_norm):
    torch.manual_seed(3)
    return nets.create_model(NAME, num_classes=3, in_channels=1, batch_norm=batch_norm).double()


def train(batch_norm, **settings):
    return nets.train(model_of(batch_norm), blobs_of_61(), **{"recipe": RECIPE, "progress": False, **settings})


def start(code, folder, *arguments):
    """Two processes that know of each other as torchrun's do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, str(folder), *arguments]
    return [
        subprocess.Popen(command, env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, stderr=subprocess.PIPE)
        for rank in range(2)
    ]


def by_hand(batch_norm):
    """Two copies with the same weights and their own batch norms' statistics, one for each half of a batch."""
    copies = [model_of(batch_norm).train() for _ in range(2)]
    optimizers = [torch.optim.SGD(_groups(m), lr=0.1, momentum=0.9, nesterov=True) for m in copies]
    data = blobs_of_61()
    for epoch in range(RECIPE.epochs):
        for batch in randomness.order(0, epoch, 61).split(RECIPE.batch):
            for model, half in zip(copies, (batch[: -(-len(batch) // 2)], batch[-(-len(batch) // 2) :]), strict=True):
                model.zero_grad()
                scores = model(data.train_images[half].double())
                (functional.cross_entropy(scores, data.train_labels[half], reduction="sum") / len(batch)).backward()
            for one, other in zip(copies[0].parameters(), copies[1].parameters(), strict=True):
                if one.grad is not None:
                    one.grad += other.grad
                    other.grad = one.grad.clone()
            for optimizer in optimizers:
                optimizer.step()
    states = [model.state_dict() for model in copies]
    return {name: (states[0][name] + states[1][name]) / 2 for name in states[0]}


def _groups(model):
    return [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": DECAY},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The runs of two processes: "True" and "False", with and without batch norm, "mixed", and "broken", resumed."""
    folder = tmp_path_factory.mktemp("ranks")
    children = start(CHILD, folder)
    try:
        for child in children:
            _, errors = child.communicate(timeout=HANGS)
            assert child.returncode == 0, errors.decode()
    finally:
        for child in children:
            child.kill()
    return folder


# rounding grows with steps and with the sums of a few hundred terms in each
TOLERANCE = {"rtol": 0, "atol": 1e4 * torch.finfo(torch.float64).eps}


def test_two_processes_are_one_that_averages_the_gradients_of_half_batches(folders):
    reference = {batch_norm: by_hand(batch_norm) for batch_norm in (True, False)}
    alone = train(False)
    for batch_norm in (True, False):
        saved = _weights(folders / str(batch_norm))
        for name, value in reference[batch_norm].items():
            torch.testing.assert_close(saved[name].double(), value.double(), **TOLERANCE)
    for name, value in alone.model.state_dict().items():  # without batch norm the halves do not matter
        torch.testing.assert_close(_weights(folders / "False")[name], value, **TOLERANCE)
    record = json.loads((folders / "False" / "record.json").read_text())
    assert record["hardware"]["processes"] == 2
    assert record["status"] == "finished"
    assert record["result"]["accuracy"] == alone.accuracy
    for ours, theirs in zip(alone.history, record["history"], strict=True):
        for key in ("loss", "accuracy", "learning_rate"):
            assert theirs[key] == pytest.approx(ours[key], rel=1e-10)
    assert record["history"][-1]["test_accuracy"] == alone.accuracy


def test_two_processes_draw_mix_and_weigh_as_one(folders):
    """Without batch norm; a process alone takes the batch whole, or in four parts."""
    saved = _weights(folders / "mixed")
    history = json.loads((folders / "mixed" / "record.json").read_text())["history"]
    for parts in (1, 4):
        alone = train(False, recipe=replace(MIXED, grad_accum=parts), test_every=1)
        for name, value in alone.model.state_dict().items():
            torch.testing.assert_close(saved[name], value, **TOLERANCE)
        for ours, theirs in zip(alone.history, history, strict=True):
            for key in ("loss", "accuracy", "test_accuracy"):
                assert theirs[key] == pytest.approx(ours[key], rel=1e-10)


def test_accumulation_gives_the_weights_of_two_processes_and_other_statistics():
    """One process takes the halves one after the other: batch norms apply their momentum to each of them."""
    settings = {"recipe": replace(RECIPE, grad_accum=2), "progress": False}
    accumulated, reference = nets.train(model_of(True), blobs_of_61(), **settings).model.state_dict(), by_hand(True)
    for name, value in accumulated.items():
        close = torch.allclose(value.double(), reference[name].double(), **TOLERANCE)
        assert close == (not name.endswith(("running_mean", "running_var", "num_batches_tracked"))), name
    model, halves = model_of(True), [model_of(True).train() for _ in range(2)]
    nets.train(model, blobs_of_61(), epochs=1, limit_batches=1, **settings)
    data, batch = blobs_of_61(), randomness.order(0, 0, 61)[: RECIPE.batch]
    for half, images in zip(halves, batch.tensor_split(2), strict=True):
        half(data.train_images[images].double())
    fresh, (first, second) = model_of(True).state_dict(), (half.state_dict() for half in halves)
    for name, value in model.state_dict().items():
        if name.endswith(("running_mean", "running_var")):  # 0.9 (0.9 m + 0.1 m_1) + 0.1 m_2
            expected = 0.9 * first[name] + second[name] - 0.9 * fresh[name]
            torch.testing.assert_close(value, expected, **TOLERANCE)


def _weights(folder):
    from nets.models.checkpoint import read

    return read(folder)["weights"]


def test_two_processes_go_on_together_where_they_were_stopped(folders):
    whole, broken = _weights(folders / "True"), _weights(folders / "broken")
    for name, value in whole.items():  # statistics of batch norms are averaged at the break too, which rounds them
        torch.testing.assert_close(broken[name], value, **TOLERANCE)
    records = [json.loads((folders / name / "record.json").read_text()) for name in ("True", "broken")]
    for one, other in zip(*(record["history"] for record in records), strict=True):
        for key in ("epoch", "loss", "accuracy", "learning_rate"):
            assert other[key] == pytest.approx(one[key], rel=1e-10)


def test_two_processes_stop_and_choose_together(folders):
    """After a time that is over in one of them, by a callback that the first one calls, with the best network."""
    from nets.models.checkpoint import read

    first, second = (torch.load(folders / f"{rank}.pt") for rank in range(2))
    kept = read(folders / "stopped")["best"]
    assert kept["epoch"] in (1, 2)
    for name, value in kept["weights"].items():
        assert torch.equal(first[name], value), name
        assert torch.equal(second[name], value), name
    record = json.loads((folders / "stopped" / "record.json").read_text())
    assert [piece["from_step"] for piece in record["resumed"]] == [1]
    assert record["result"]["epoch"] == kept["epoch"]


LONG = """
import sys, torch
torch.set_num_threads(1)
from tests.nets.training.test_ranks import blobs_of_61, model_of
import nets
try:
    nets.train(model_of(True), blobs_of_61(), epochs=100000, batch=16, progress=False, output=sys.argv[1])
except nets.TrainingInterrupted as stopped:
    print(stopped, file=sys.stderr)
    sys.exit(128 + stopped.signal)
"""


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_one_process_stops_all_of_them(tmp_path, rank):
    children = start(LONG, tmp_path / "run")
    deadline = time.monotonic() + HANGS
    while not (tmp_path / "run" / "checkpoint.pt").exists():
        assert time.monotonic() < deadline
        assert all(child.poll() is None for child in children)
        time.sleep(0.05)
    children[rank].send_signal(signal.SIGTERM)
    errors = [child.communicate(timeout=HANGS)[1].decode() for child in children]
    assert [child.returncode for child in children] == [143, 143], errors
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["status"] == "interrupted"
    assert "checkpoint.pt" in errors[0]


def test_each_process_classifies_its_share_of_the_images(monkeypatch):
    from nets.training import loop
    from nets.training.distributed import Ranks
    from nets.training.state import Training

    seen, evaluate = [], loop.evaluate
    monkeypatch.setattr(loop, "evaluate", lambda model, data: seen.append(data.test_images) or evaluate(model, data))
    run = Training.start(model_of(True), blobs_of_61(), RECIPE, 0, Ranks())
    for rank in range(3):
        run.ranks = SimpleNamespace(count=3, rank=rank, sum=lambda counts: counts)
        loop._figures(run, run.data, loop.Observer())
    assert [len(images) for images in seen] == [7, 7, 6]
    assert torch.equal(torch.cat(seen).flatten(1).unique(dim=0), run.data.test_images.flatten(1).unique(dim=0))


def test_a_batch_must_be_shared_out_evenly():
    from nets.training.checks import check_fit

    model, data = model_of(True), blobs_of_61()
    check_fit(model, data, RECIPE, 2)
    with pytest.raises(ValueError, match="batch must be a multiple of 3, 3 processes times grad_accum 1; got 16"):
        check_fit(model, data, RECIPE, 3)


def test_buffers_are_left_alone_by_one_process():
    from nets.training.batch_norms import average_statistics
    from nets.training.distributed import Ranks

    model = model_of(True)
    before = copy.deepcopy(model.state_dict())
    average_statistics(Ranks(), model, None)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
