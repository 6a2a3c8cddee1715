"""`train`: one run, from its arguments to its result, with what is kept of it in a folder."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, fields
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from nets import data as datasets
from nets.common.checks import suggesting
from nets.data import Data, DenseDataset, DenseTransform
from nets.models.base import Network
from nets.models.modes import trained_as_before
from nets.models.weights import load_weights
from nets.runs.checkpoint_interval import CheckpointInterval
from nets.runs.directory import RunFolder
from nets.runs.resume import Run
from nets.runs.tensorboard import Events, check_tensorboard
from nets.training.checks import check_arguments, check_fit, network_for, usable_device
from nets.training.dense_evaluation import DenseEvaluation
from nets.training.distributed import Ranks, joined, local_device
from nets.training.loop import Observer, Result, TrainingError, train_epochs
from nets.training.metrics import Tally
from nets.training.precision import Precision, choose
from nets.training.progress import Progress
from nets.training.recipe import Recipe
from nets.training.recipes import SOURCES, name_of, recipe_for
from nets.training.signals import Stop, TrainingInterrupted, name


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """The result of a run.

    Attributes:
        model: the network after the last epoch (averaged weights where the recipe averages), in evaluation mode.
        evaluation: how it does on the held-out part: `Evaluation`, `MultiLabelEvaluation` where images have several
            labels, or `DenseEvaluation` of a `DenseDataset`.
        history: one row of numbers per epoch.
        checkpoint: the path of the last checkpoint, or None.
        validation: how it does on the validation part, where there is one.

    >>> result = train("MgNet[1]-[4]-B^l", "digits", epochs=1, limit_batches=1, progress=False)
    >>> result.model.training, result.checkpoint
    (False, None)
    """

    model: Network
    evaluation: Result
    history: list[dict[str, Any]]
    checkpoint: Path | None
    validation: Result | None = None

    def __repr__(self) -> str:
        name, value = next(iter(self.evaluation.figures.items()))
        reached = f"{name}={value:.4f}, {len(self.history)} epochs"
        return f"TrainingResult({type(self.model).__name__}, {reached}, checkpoint={self.checkpoint})"

    @property
    def accuracy(self) -> float:
        """Held-out accuracy in [0, 1] after the last epoch, of images or of points; never the best one.

        Of several labels per image it is the share of images without a wrong one.
        """
        found = self.evaluation
        return found.pixel_accuracy if isinstance(found, DenseEvaluation) else found.accuracy

    @property
    def error(self) -> float:
        """Held-out relative L2 error of a regression after the last epoch; never the best one."""
        if not isinstance(self.evaluation, DenseEvaluation):
            raise AttributeError("a classification has no relative error, which is that of a regression")
        return self.evaluation.relative_l2


@torch.inference_mode(False)  # within torch.no_grad() too
def train(
    model: Network | str,
    data: Data | str | PathLike[str],
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
    """Train a network and evaluate it on the held-out part of the data.

    Under torchrun the processes share every batch; batch and learning rate are those of all of them together.

    Args:
        model: a network, which is trained in place, or a name for `create_model`, made from the seed. Parameters with
            requires_grad=False stay as they are, and so do the statistics of a batch norm all of whose parameters are
            frozen: it stays in evaluation mode.
        data: a data set, or a name that `nets.data.load` takes, split by the seed. A `nets.data.DenseDataset`, or the
            path of a file .npz, has a target at every point: the model must predict there, as V-MgNet does.
        recipe: a `Recipe` or its name; None takes the one made for the data set.
        seed: decides every random choice, as a function of (seed, epoch, index).
        output: a folder for the last two checkpoints (checkpoint.pt, checkpoint.previous.pt), record.json, history.csv
            and learning_curve.png.
        resume: go on with the run in `output`; float32 on the CPU, with equal threads and versions, ends with the same
            bits as without the break, which may be in the middle of an epoch. Where there is no checkpoint yet, start.
        checkpoint_every: how much work may be lost, such as "10 min", "2 epochs", "500 steps" or "1 epoch, 5 min".
        init_from: a checkpoint, run folder or state_dict to start from, instead of random weights.
        evaluate_every: epochs between two evaluations on the held-out part; the last epoch is always evaluated.
        tensorboard: write events for TensorBoard into the folder "tensorboard" of `output`.
        device: where to train. Under torchrun "cuda" is one GPU per process.
        progress: whether to report on stderr, a line for every epoch, and on a terminal a bar too; None reports.
        overrides: single settings of the recipe, such as epochs=10.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed, before any work.
        ImportError: `tensorboard` is asked for and not installed.
        CheckpointError: `output` holds a run and `resume` is False, or another run than the one to resume.
        TrainingError: the loss is not finite.
        TrainingInterrupted: by SIGINT (Ctrl-C), SIGTERM, SIGHUP, SIGUSR1 or SIGUSR2, after a step and a checkpoint; a
            second signal ends at once. The last three do what they did where the process ignores or handles them.
        OSError: the last checkpoint cannot be written; before that, a full disk is a warning.

    >>> result = train("MgNet[1]-[4]-B^l", "digits", epochs=1, limit_batches=1, progress=False)
    >>> len(result.history)
    1
    """
    check_arguments(data, seed, output, resume, progress, evaluate_every)
    for argument, value in (("resume", resume), ("tensorboard", tensorboard)):
        if value and output is None:
            raise ValueError(f"{argument} needs output, the folder of the run; got None")
    if tensorboard:
        check_tensorboard()
    if isinstance(data, str | PathLike):
        data = datasets.load(data, seed)
    asked = recipe_for(data, recipe, {})
    named = {"name": name_of(asked), "source": SOURCES.get(name_of(asked) or ""), "overrides": overrides}
    recipe = recipe_for(data, asked, overrides)
    model = network_for(model, data, seed, recipe.initialization)
    interval = CheckpointInterval.parse(checkpoint_every)
    device = local_device(usable_device(device))
    with joined(device) as ranks, ExitStack() as stack:
        check_fit(model, data, recipe, ranks.count)
        folder = RunFolder(Path(output), interval) if output is not None and ranks.first else None

        def claim() -> dict[str, Any] | None:
            return None if folder is None else stack.enter_context(folder).claim(resume)

        content = ranks.on_first(claim)
        if init_from is not None and content is None:
            load_weights(model, init_from, "init_from")
        model.to(device)
        if isinstance(data, DenseDataset):
            model.transform = DenseTransform.of(data)
        precision = _precision(model, data, recipe, ranks, content) if recipe.precision == "auto" else None
        stop = stack.enter_context(Stop())
        stack.enter_context(trained_as_before(model))  # whitening freezes a layer
        run = Run.start(model, data, recipe, seed, ranks, precision)
        run.resume(content)
        ranks.on_first(lambda: None if folder is None else folder.begin(run, named))
        events = Events(Path(output) / "tensorboard" if tensorboard and output else None, ranks)
        with closing(events), closing(Progress(progress, run.training, precision)) as shown:
            observer = RunObserver(run, folder, stop, shown, events)
            evaluation, validation = _train(run, observer, evaluate_every)
        if folder is not None:
            folder.finish(run, evaluation)
    if run.training.trained is not model:
        model.load_state_dict(run.training.trained.state_dict())
    model.origin = {"from": "a training run", "model": model.config.notation, "data": data.name}
    model.eval()
    checkpoint = None if folder is None else folder.checkpoint
    return TrainingResult(model, evaluation, run.training.history, checkpoint, validation)


# create_model(lr=0.1) is told where a learning rate goes
suggesting.arguments["train"] = {*signature(train).parameters, *(field.name for field in fields(Recipe))}


def _precision(model: Network, data: Data, recipe: Recipe, ranks: Ranks, content: dict[str, Any] | None) -> Precision:
    """The choice of the run that goes on, or a new one, by the first process."""
    if content is None:
        return ranks.on_first(lambda: choose(model, data, recipe, ranks.count))
    return Precision(**(content.get("precision") or {"precision": "float32", "channels_last": False, "reason": ""}))


def _train(run: Run, observer: RunObserver, evaluate_every: int) -> tuple[Result, Result | None]:
    """Train; errors name the last checkpoint."""
    training = run.training
    try:
        return train_epochs(training, observer, evaluate_every)
    except TrainingError as error:
        raise TrainingError(f"{error}; {observer.last()}") from error
    except TrainingInterrupted as interrupted:
        observer.keep()
        after = f"after step {training.step} of {training.steps}; {observer.last()}"
        raise TrainingInterrupted(interrupted.signal, f"by {name(interrupted.signal)} {after}") from None
    finally:
        training.optimizer.zero_grad()


class RunObserver(Observer):
    """Keep what a training gives in the folder of its run, show how it goes, and stop it on a signal."""

    def __init__(self, run: Run, folder: RunFolder | None, stop: Stop, shown: Progress, events: Events) -> None:
        self.run, self.folder, self.stop, self.shown, self.events = run, folder, stop, shown, events

    @property
    def signal(self) -> int | None:  # type: ignore[override]
        return self.stop.signal

    def due(self) -> bool:
        return self.folder is not None and self.folder.due(self.run, steps=1)

    def read_losses(self, tally: Tally) -> None:
        self.shown.read_losses(tally)

    def keep(self) -> None:
        if self.folder is not None:
            self.folder.keep(self.run)

    def end_epoch(self, row: dict[str, Any]) -> None:
        if self.folder is not None:
            self.folder.end_epoch(self.run)
        self.shown.end_epoch(row)
        self.events.add(row)

    def interruptible(self) -> AbstractContextManager[Any]:
        return self.stop.at_once()

    def last(self) -> str:
        """Where the last checkpoint is, in words."""
        return "there is no checkpoint" if self.folder is None else self.folder.last()
