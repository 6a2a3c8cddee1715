"""The training loop: steps, epochs, and the evaluation after them. It knows no folder; an `Observer` keeps things."""

from __future__ import annotations

import signal
import time
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any

from torch import Tensor

from nets.data import Data
from nets.models.modes import train_mode
from nets.training.batch_norms import average_statistics, recompute_norms
from nets.training.dense_evaluation import DenseEvaluation
from nets.training.evaluation import Evaluation, evaluate
from nets.training.metrics import NotFiniteError, Tally
from nets.training.multilabel import MultiLabelEvaluation
from nets.training.signals import TrainingInterrupted
from nets.training.state import Training
from nets.training.step import autocast, gradient, update

Result = Evaluation | MultiLabelEvaluation | DenseEvaluation
STOPPED = "stopped by on_epoch after epoch"
LOSS_EVERY = 20
"""Steps on a GPU between two reads of the losses; on a CPU every loss is read before the weights change."""


class TrainingError(RuntimeError):
    """The loss is not finite: the message names the step and the last checkpoint.

    >>> issubclass(TrainingError, Exception)
    True
    """

    status = "diverged"
    """In the record of the run."""


class Observer:
    """Follow a training. These methods do nothing; `nets.runs` has an observer that keeps checkpoints and reports.

    Attributes:
        signal: of the signal that asks this process to stop, or None.
        late: whether the time of this process is over.
    """

    signal: int | None = None
    late: bool = False

    def due(self) -> bool:
        """Whether a checkpoint is due after the step under way."""
        return False

    def read_losses(self, tally: Tally) -> None:
        """The losses of the last steps are known."""

    def keep(self) -> None:
        """Keep a checkpoint, which is due in one of the processes or the last before a stop."""

    def end_epoch(self, row: dict[str, Any]) -> None:
        """An epoch is over; `row` is its row of the history."""

    def stops(self, row: dict[str, Any]) -> bool:
        """Whether to stop after this epoch; asked in the first process alone."""
        return False

    def end(self, figures: dict[str, Any]) -> None:
        """The training is over; `figures` are the row's to be: those of the test part, and "epoch", whose they are."""

    def interruptible(self) -> AbstractContextManager[Any]:
        """Wrap work that a signal may end at any moment."""
        return nullcontext()


def train_epochs(
    training: Training, observer: Observer, evaluate_every: int = 1, test_every: int = 0
) -> tuple[Result, Result | None]:
    """Train the epochs that are left.

    Args:
        evaluate_every: epochs between two evaluations on the validation part; the last epoch is always evaluated.
        test_every: epochs between two evaluations on the test part, which is evaluated at the end in any case; 0 has
            no others.

    Returns:
        How the network that counts does on the test part and, where there is one, the validation part.

    Raises:
        TrainingError: the loss is not finite.
        TrainingInterrupted: the observer of one of the processes has a signal, or no time left.
    """
    recipe = training.recipe
    if recipe.compile and not training.ended:
        _compile(training)
    while not training.ended:
        row = _epoch(training, observer)
        epoch, last = row["epoch"], row["epoch"] == recipe.epochs
        _recompute_norms(training, observer)
        if recipe.val_fraction and (last or epoch % evaluate_every == 0):
            row |= _named("validation", _figures(training, training.data, observer))
        if test_every and epoch % test_every == 0 and not (last and recipe.keep == "last"):
            row |= _named("test", _figures(training, training.whole, observer))
        training.end_epoch(row)
        observer.end_epoch(row)
        if _stops(training, observer, row) and not training.stopped:
            training.stopped = f"{STOPPED} {epoch}"
            observer.keep()  # or a run killed before its end would go on
    return _end(training, observer)


def _stops(training: Training, observer: Observer, row: dict[str, Any]) -> bool:
    """Ask the observer of the first process; an error of it leaves a checkpoint of this epoch."""
    try:
        return training.ranks.on_first(lambda: observer.stops(row))
    except Exception:
        observer.keep()
        raise


def _end(training: Training, observer: Observer) -> tuple[Result, Result | None]:
    """Evaluate the network that counts, and write its figures of the test part into the row of its epoch."""
    with training.keeping(), observer.interruptible(), autocast(training.recipe, training.device):
        validation = evaluate(training.trained, training.data) if training.recipe.val_fraction else None
        found = evaluate(training.trained, training.whole)
    figures = _named("test", {name: found.figures[name] for name in training.objective.figures})
    observer.end({"epoch": training.kept_epoch, **figures})
    training.history[training.kept_epoch - 1] |= figures
    return found, validation


def _named(part: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Figures by the names of their columns."""
    return {f"{part}_{name}": value for name, value in figures.items()}


def _epoch(training: Training, observer: Observer) -> dict[str, Any]:
    """Train what is left of one epoch; returns its row of the history."""
    if not training.step:
        training.start_clock()
    sums, first = training.sums, training.step - training.sums.steps
    if not sums.steps:
        sums.began = training.seconds
    batches = training.batches()[sums.steps :]
    parts = training.parts(batches)
    tally = Tally(sums, training.ranks, training.device, 1 if training.device.type == "cpu" else LOSS_EVERY)
    train_mode(training.model)
    training.optimizer.zero_grad()
    try:
        for number, batch in enumerate(batches, 1):
            loss, figure = _step(training, list(islice(parts, training.recipe.grad_accum)), batch)
            asked = {"keep": observer.due(), "stop": observer.signal is not None, "late": observer.late}
            tally.add(loss, figure, len(batch), **asked)
            known = tally.read(at_once=number == len(batches))
            update(training.optimizer, training.rate(training.step), training.recipe)
            if training.average is not None:
                training.average.update_parameters(training.model)
            training.step += 1
            if known:
                _losses_known(training, tally, observer)
    except NotFiniteError as error:
        step = first + error.step
        raise TrainingError(f"the loss is {error.loss} at step {step} (epoch {training.epoch + 1})") from error
    average_statistics(training.ranks, training.model, training.average)
    seconds = training.seconds - sums.began
    nothing = dict.fromkeys(training.objective.figures)
    return {
        "epoch": training.epoch + 1,
        "learning_rate": training.rate(training.step - 1),
        "loss": sums.loss / sums.images,
        training.objective.figures[0]: sums.correct / sums.images,
        **(_named("validation", nothing) if training.recipe.val_fraction else {}),
        **_named("test", nothing),
        "seconds": seconds,
        "images_per_second": sums.images / seconds,
    }


def _step(training: Training, parts: list[tuple[Tensor, Tensor]], batch: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of a batch of images, of which this process has these parts; sums of their loss and figure."""
    divisor, ranks = training.divisor(batch), training.ranks.count
    loss, figure = gradient(training.stepped, parts, divisor, training.recipe, ranks, training.objective)
    return loss * (len(batch) / divisor), figure


def _losses_known(training: Training, tally: Tally, observer: Observer) -> None:
    """Do what all processes do together once they know the losses: report, keep a checkpoint, stop."""
    observer.read_losses(tally)
    if tally.keep or tally.stop or tally.late:
        average_statistics(training.ranks, training.model, training.average)
        observer.keep()
    if tally.stop or tally.late:
        raise TrainingInterrupted((observer.signal or signal.SIGTERM) if tally.stop else None)


def _compile(training: Training) -> None:
    """Let torch.compile do its work on a first batch, while the clock stands still; nothing else changes."""
    seconds, started = training.seconds, time.perf_counter()
    buffers = [buffer.clone() for buffer in training.model.buffers()]
    batch = training.batches()[0]
    train_mode(training.model)
    loss, _ = _step(training, list(training.parts([batch])), batch)
    loss.item()
    training.optimizer.zero_grad()
    for buffer, value in zip(training.model.buffers(), buffers, strict=True):
        buffer.copy_(value)
    training.compile_seconds += time.perf_counter() - started
    training.start_clock(seconds)


def _recompute_norms(training: Training, observer: Observer) -> None:
    """Give averaged weights their statistics, from batches of the epoch that is over."""
    if training.average is None or not training.recipe.norm_batches:
        return
    with _interruptible(training, observer), autocast(training.recipe, training.device):
        batches = training.batches()[: training.recipe.norm_batches]
        recompute_norms(training.average.module, (images for images, _ in training.parts(batches)))
        average_statistics(training.ranks, training.average)


def _figures(training: Training, data: Data, observer: Observer) -> dict[str, float]:
    """The figures of the objective on the test part of `data`; each process evaluates its share of it."""
    ranks = training.ranks
    if len(data.test_labels) >= ranks.count > 1:
        data = data.without(test=(i for i in range(len(data.test_labels)) if i % ranks.count != ranks.rank))
    with _interruptible(training, observer), autocast(training.recipe, training.device):
        totals = training.objective.totals(evaluate(training.trained, data))
    return training.objective.figures_of(ranks.sum(totals.to(training.device)).tolist())


def _interruptible(training: Training, observer: Observer) -> AbstractContextManager[Any]:
    """Work in the middle of a training: one process must not leave the others waiting."""
    return observer.interruptible() if training.ranks.count == 1 else nullcontext()
