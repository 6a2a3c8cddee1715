"""The training loop."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nets import data as datasets
from nets.data import Dataset
from nets.models.modes import train_mode, trained_as_before
from nets.models.base import Network
from nets.training.average import recompute_norms
from nets.runs.checkpoint import load_weights
from nets.training.evaluation import Evaluation, evaluate
from nets.runs.tensorboard import Events, check_tensorboard
from nets.training.every import Every
from nets.runs.directory import NoFolder, RunFolder
from nets.training.fit import check_arguments, check_fit, network_for, usable_device
from nets.training.progress import Progress
from nets.training.distributed import joined, local_device
from nets.training.recipe import Recipe
from nets.training.recipes import SOURCES, name_of, recipe_for
from nets.runs.run import Run
from nets.training.signals import Stop, TrainingInterrupted, name
from nets.training.step import autocast, gradient, update
from nets.training.metrics import NotFiniteError, Tally

LOOK_EVERY = 20
"""Steps on a GPU between two looks at the loss; on a CPU every loss is looked at before the weights change."""


class TrainingError(RuntimeError):
    """The loss is not finite: the message names the step and the last checkpoint."""

    status = "diverged"
    """In the record of the run."""


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a run gives: the network (averaged weights where the recipe averages) in evaluation mode after its last
    epoch, how it classifies the held-out part, one row of numbers per epoch, and the checkpoint's path or None.

    `validation` is how it classifies the validation part, where there is one.
    """

    model: Network
    evaluation: Evaluation
    history: list[dict[str, Any]]
    checkpoint: Path | None
    validation: Evaluation | None = None

    def __repr__(self) -> str:
        reached = f"accuracy={self.accuracy:.4f}, {len(self.history)} epochs"
        return f"TrainingResult({type(self.model).__name__}, {reached}, checkpoint={self.checkpoint})"

    @property
    def accuracy(self) -> float:
        """Held-out accuracy in [0, 1] after the last epoch; never the best one."""
        return self.evaluation.accuracy


@torch.inference_mode(False)  # within torch.no_grad() too
def train(
    model: Network | str,
    data: Dataset | str,
    *,
    recipe: Recipe | str | None = None,
    seed: int = 0,
    output: str | PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_every: str | int = "1 epoch, 5 min",
    init_from: str | PathLike[str] | None = None,
    evaluate_every: int = 1,
    tensorboard: bool = False,
    device: str | torch.device = "cpu",
    progress: bool | None = None,
    **overrides: Any,
) -> TrainingResult:
    """Train a network and classify the held-out part of the data.

    Under torchrun the processes share every batch; batch and learning rate are those of all of them together.

    Args:
        model: a network, which is trained in place, or a name for `create_model`, made from the seed. Parameters with
            requires_grad=False stay as they are, and so do the statistics of a batch norm all of whose parameters are
            frozen: it stays in evaluation mode.
        data: a data set, or a name in `nets.data.DATA`, split by the seed.
        recipe: a `Recipe` or its name; None takes the one made for the data set.
        seed: decides every random choice, as a function of (seed, epoch, index).
        output: a folder for the last two checkpoints (checkpoint.pt, checkpoint.previous.pt), record.json, history.csv
            and learning_curve.png.
        resume: go on with the run in `output`; float32 on the CPU, with equal threads and versions, ends with the same
            bits as without the break, which may be in the middle of an epoch. Where there is no checkpoint yet, start.
        checkpoint_every: how much work may be lost, such as "10 min", "2 epochs", "500 steps" or several of them.
        init_from: a checkpoint, run folder or state_dict to start from, instead of random weights.
        evaluate_every: epochs between two looks at the held-out part; the last epoch is always evaluated.
        tensorboard: write events for TensorBoard into the folder "tensorboard" of `output`.
        device: where to train. Under torchrun "cuda" is one GPU per process.
        progress: whether to say on stderr how it goes, a line for every epoch, and on a terminal a bar too; None does.
        overrides: single settings of the recipe, such as epochs=10.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed, before any work.
        ImportError: `tensorboard` is asked for and not installed.
        CheckpointError: `output` holds a run and `resume` is False, or another run than the one to resume.
        TrainingError: the loss is not finite.
        TrainingInterrupted: by SIGINT (Ctrl-C), SIGTERM, SIGHUP, SIGUSR1 or SIGUSR2, after a step and a checkpoint; a
            second signal ends at once. The last three do what they did where the process ignores or handles them.
        OSError: the last checkpoint cannot be written; before that, a full disk is a warning.
    """
    check_arguments(data, seed, output, resume, progress, evaluate_every)
    for argument, value in (("resume", resume), ("tensorboard", tensorboard)):
        if value and output is None:
            raise ValueError(f"{argument} needs output, the folder of the run; got None")
    if tensorboard:
        check_tensorboard()
    if isinstance(data, str):
        data = datasets.load(data, seed)
    asked = recipe_for(data.name, recipe, {})
    told = {"name": name_of(asked), "source": SOURCES.get(name_of(asked) or ""), "overrides": overrides}
    recipe = recipe_for(data.name, asked, overrides)
    model = network_for(model, data, seed, recipe.initialization)
    every = Every.parse(checkpoint_every)
    device = local_device(usable_device(device))
    with joined(device) as ranks, ExitStack() as stack:
        check_fit(model, data, recipe, ranks.count)
        folder = NoFolder() if output is None or not ranks.first else RunFolder(Path(output), every)

        def claim() -> dict[str, Any] | None:
            stack.enter_context(folder)
            return folder.claim(resume)

        content = ranks.on_first(claim)
        if init_from is not None and content is None:
            load_weights(model, init_from)
        stop = stack.enter_context(Stop())
        stack.enter_context(trained_as_before(model))  # whitening freezes a layer
        run = Run.start(model.to(device), data, recipe, seed, ranks)
        run.resume(content)
        ranks.on_first(lambda: folder.begin(run, told))
        events = stack.enter_context(Events(Path(output) / "tensorboard" if tensorboard and output else None, ranks))
        try:
            evaluation, validation = _train(run, folder, stop, events, evaluate_every, progress)
        except TrainingInterrupted as interrupted:
            folder.keep(run, at_once=True)
            message = f"by {name(interrupted.signal)} after step {run.step} of {run.steps}; {folder.last()}"
            raise TrainingInterrupted(interrupted.signal, message) from None
        finally:
            run.optimizer.zero_grad()
        folder.finish(run, evaluation)
    if run.trained is not model:
        model.load_state_dict(run.trained.state_dict())
    model.origin = {"from": "a training run", "model": model.config.notation, "data": data.name}
    model.eval()
    return TrainingResult(model, evaluation, run.history, folder.checkpoint, validation)


def _train(
    run: Run, folder: RunFolder | NoFolder, stop: Stop, events: Events, evaluate_every: int, progress: bool | None
) -> tuple[Evaluation, Evaluation | None]:
    """All epochs that are left; returns how the network classifies the held-out and the validation part."""
    if run.recipe.compile and run.epoch < run.recipe.epochs:
        _compile(run)
    with Progress(progress, run) as shown:
        while run.epoch < run.recipe.epochs:
            row = _epoch(run, shown, folder, stop)
            if row["epoch"] == run.recipe.epochs or row["epoch"] % evaluate_every == 0:
                row[run.held_out] = _accuracy(run, stop)
            run.end_epoch(row)
            folder.end_epoch(run)
            shown.end_epoch(row)
            events.add(row)
    with stop.at_once(), autocast(run.recipe, run.device):
        validation = evaluate(run.trained, run.data) if run.recipe.val_fraction else None
        return evaluate(run.trained, run.whole), validation


def _epoch(run: Run, shown: Progress, folder: RunFolder | NoFolder, stop: Stop) -> dict[str, Any]:
    """What is left of one pass over the training part; returns the row of the history."""
    if not run.step:
        run.start_clock()
    sums, first = run.sums, run.step - run.sums.steps
    if not sums.steps:
        sums.began = run.seconds
    batches = run.batches()[sums.steps :]
    parts = run.parts(batches)
    tally = Tally(sums, run.ranks, run.device, 1 if run.device.type == "cpu" else LOOK_EVERY)
    train_mode(run.model)
    run.optimizer.zero_grad()
    try:
        for number, batch in enumerate(batches, 1):
            loss, hits = _step(run, list(islice(parts, run.recipe.grad_accum)), len(batch))
            tally.add(loss, hits, len(batch), keep=folder.due(run, steps=1), stop=stop.signal is not None)
            looked = tally.look(at_once=number == len(batches))
            update(run.optimizer, run.rate(run.step), run.recipe)
            if run.average is not None:
                run.average.update_parameters(run.model)
            run.step += 1
            if looked:
                _looked(run, tally, shown, folder, stop)
    except NotFiniteError as error:
        step, last = first + error.step, folder.last()
        raise TrainingError(f"the loss is {error.loss} at step {step} (epoch {run.epoch + 1}); {last}") from error
    run.ranks.average_buffers(run.model, run.average)
    seconds = run.seconds - sums.began
    return {
        "epoch": run.epoch + 1,
        "learning_rate": run.rate(run.step - 1),
        "loss": sums.loss / sums.images,
        "accuracy": sums.correct / sums.images,
        run.held_out: None,
        "seconds": seconds,
        "images_per_second": sums.images / seconds,
    }


def _step(run: Run, parts: list[tuple[Tensor, Tensor]], count: int) -> tuple[Tensor, Tensor]:
    """The gradient of a batch of `count` images, of which this process has these parts; its loss and hits."""
    return gradient(run.stepped, parts, count, run.recipe, run.ranks.count)


def _looked(run: Run, tally: Tally, shown: Progress, folder: RunFolder | NoFolder, stop: Stop) -> None:
    """What all processes do together where they have looked: show the loss, keep a checkpoint, stop."""
    shown.looked(tally)
    if tally.keep or tally.stop:
        run.ranks.average_buffers(run.model, run.average)
        folder.keep(run, at_once=True)
    if tally.stop:
        raise TrainingInterrupted(stop.signal or signal.SIGTERM)


def _compile(run: Run) -> None:
    """Let torch.compile do its work on a first batch, while the clock stands still; nothing else changes."""
    seconds, started = run.seconds, time.perf_counter()
    buffers = [buffer.clone() for buffer in run.model.buffers()]
    batch = run.batches()[0]
    train_mode(run.model)
    loss, _ = _step(run, list(run.parts([batch])), len(batch))
    loss.item()
    run.optimizer.zero_grad()
    for buffer, value in zip(run.model.buffers(), buffers, strict=True):
        buffer.copy_(value)
    run.compile_seconds += time.perf_counter() - started
    run.start_clock(seconds)


def _accuracy(run: Run, stop: Stop) -> float:
    """Of the held-out part; each process classifies its share of it."""
    data, ranks = run.data, run.ranks
    if len(data.test_labels) >= ranks.count > 1:
        data = data.without(test=(i for i in range(len(data.test_labels)) if i % ranks.count != ranks.rank))
    # one process must not leave the others waiting
    with stop.at_once() if ranks.count == 1 else nullcontext(), autocast(run.recipe, run.device):
        if run.average is not None and run.recipe.norm_batches:
            _recompute_norms(run)
        hits = round(evaluate(run.trained, data).accuracy * len(data.test_labels))
    counts = ranks.sum(torch.tensor([hits, len(data.test_labels)], device=run.device)).tolist()
    return float(counts[0] / counts[1])


def _recompute_norms(run: Run) -> None:
    """Batch norms' statistics for the averaged weights, from batches of the epoch's training images."""
    assert run.average is not None
    batches = run.batches()[: run.recipe.norm_batches]
    recompute_norms(run.average.module, (images for images, _ in run.parts(batches)))
    run.ranks.average_buffers(run.average)
