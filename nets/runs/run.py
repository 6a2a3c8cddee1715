"""`train`: one run, from its arguments to its result, with what is kept of it in a folder."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, closing
from dataclasses import fields
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from nets.common.checks import suggesting
from nets.data import Data
from nets.data.own import data_set
from nets.models.base import Network
from nets.models.freezing import freeze
from nets.models.modes import trained_as_before
from nets.models.weights import load_weights
from nets.runs import provenance
from nets.runs.checkpoint_interval import CheckpointInterval
from nets.runs.directory import RunFolder
from nets.runs.log_header import header
from nets.runs.observer import OnEpoch, RunObserver
from nets.runs.result import TrainingResult
from nets.runs.resume import Run
from nets.runs.start import check_start
from nets.runs.tensorboard import Events, check_tensorboard
from nets.runs.time_limit import TimeLimit
from nets.training.checks import check_arguments, check_fit, network_for, usable_device
from nets.training.distributed import Ranks, joined, local_device
from nets.training.loop import Result, TrainingError, train_epochs
from nets.training.precision import Precision, choose
from nets.training.progress import Progress
from nets.training.recipe import Recipe
from nets.training.recipes import SOURCES, name_of, recipe_for
from nets.training.signals import Stop, TrainingInterrupted, name


@torch.inference_mode(False)  # within torch.no_grad() too
def train(
    model: Network | str,
    data: Any,
    *,
    recipe: Recipe | str | None = None,
    seed: int = 0,
    output: str | PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_every: str | int = "1 epoch, 5 min",
    init_from: str | PathLike[str] | None = None,
    evaluate_every: int = 1,
    test_every: int = 0,
    stop_after: str | None = None,
    on_epoch: OnEpoch | None = None,
    tensorboard: bool = False,
    device: str | torch.device = "cpu",
    progress: bool | None = None,
    **overrides: Any,
) -> TrainingResult:
    """Train a network and evaluate it on the held-out part of the data.

    Under torchrun the processes share every batch; batch and learning rate are those of all of them together.

    Args:
        model: a network, which is trained in place, or a name for `create_model`, made from the seed. Parameters with
            requires_grad=False stay as they are. A module none of whose parameters is trained stays in evaluation mode,
            with the statistics of its batch norms. Afterwards the parameters that were trained before are so again.
        data: a data set, or a name that `nets.data.load` takes, split by the seed. A `nets.data.DenseDataset`, or the
            path of a file .npz, has a target at every point: the model must predict there, as V-MgNet does. Or data of
            one's own as they are: a pair (x, y) as `nets.data.from_arrays` takes it, ((x, y), (x_test, y_test)), or a
            Dataset or DataLoader of torch.utils.data or two of them, which are read once, in order, into memory.
        recipe: a `Recipe` or its name; None takes the one made for the data set.
        seed: decides every random choice, as a function of (seed, epoch, index).
        output: a folder for the last two checkpoints (checkpoint.pt, checkpoint.previous.pt), record.json, history.csv
            and learning_curve.png.
        resume: go on with the run in `output`; float32 on the CPU, with equal threads and versions, ends with the same
            bits as without the break, which may be in the middle of an epoch. Where there is no checkpoint yet, start.
            Where other epochs are given than the run had, more than are done, it goes on to so many, by the learning
            rates of that number.
        checkpoint_every: how much work may be lost, such as "10 min", "2 epochs", "500 steps" or "1 epoch, 5 min".
        init_from: a checkpoint, run folder or state_dict to start from, instead of random weights.
        evaluate_every: epochs between two evaluations on the validation part (`val_fraction`); the last epoch is
            always evaluated.
        test_every: epochs between two looks at the test part, for the history; 0 looks once, at the end.
        stop_after: time such as "50m", "90 s" or "1.5 h" from the call on, after which the run ends as by a signal, in
            all processes: after a step and a checkpoint. `resume` goes on.
        on_epoch: called as on_epoch(row, model) after every epoch and its checkpoint, in the first process, with a copy
            of the row of the history, and the network (the averaged one where the recipe averages) in evaluation mode.
            Where it returns True the run stops and is evaluated; an error ends the run, which can be resumed.
        tensorboard: write events for TensorBoard into the folder "tensorboard" of `output`.
        device: where to train. Under torchrun "cuda" is one GPU per process.
        progress: whether to report on stderr, a line for every epoch, and on a terminal a bar too; None reports.
        overrides: single settings of the recipe, such as epochs=10 or freeze="stem".

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed, before any work.
        ImportError: `tensorboard` is asked for and not installed.
        CheckpointError: `output` holds a run and `resume` is False, or another run than the one to resume.
        TrainingError: the loss is not finite.
        TrainingInterrupted: by SIGINT (Ctrl-C), SIGTERM, SIGHUP, SIGUSR1 or SIGUSR2, after a step and a checkpoint; a
            second signal ends at once. The last three do what they did where the process ignores or handles them. And
            by `stop_after`.
        OSError: the last checkpoint cannot be written; before that, a full disk is a warning.

    >>> result = train("MgNet[1]-[4]-B^l", "digits", epochs=1, limit_batches=1, progress=False)
    >>> len(result.history)
    1
    """
    limit = TimeLimit(stop_after)
    check_arguments(data, seed, output, resume, progress, evaluate_every, test_every, on_epoch)
    for argument, value in (("resume", resume), ("tensorboard", tensorboard)):
        if value and output is None:
            raise ValueError(f"{argument} needs output, the folder of the run; got None")
    if tensorboard:
        check_tensorboard()
    data = data_set(data, seed, progress)
    other_epochs = "epochs" in overrides or isinstance(recipe, Recipe)
    asked = recipe_for(data, recipe, {})
    recipe = recipe_for(data, asked, overrides)
    if evaluate_every != 1 and not recipe.val_fraction:
        need = "1 where val_fraction is 0, as it counts epochs between looks at the validation part"
        raise ValueError(f"evaluate_every must be {need}; got {evaluate_every}: test_every is of the test part")
    settings = {name: getattr(recipe, name) for name in overrides}
    named = {"name": name_of(asked), "source": SOURCES.get(name_of(asked) or ""), "overrides": settings}
    model = network_for(model, data, seed, recipe.initialization)
    interval = CheckpointInterval.parse(checkpoint_every)
    device = local_device(usable_device(device))
    with joined(device) as ranks, ExitStack() as stack:
        stack.enter_context(trained_as_before(model))  # freeze and whitening are of this run
        if recipe.freeze:
            freeze(model, recipe.freeze)
        check_fit(model, data, recipe, ranks.count)
        folder = RunFolder(Path(output), interval) if output is not None and ranks.first else None

        def claim() -> dict[str, Any] | None:
            return None if folder is None else stack.enter_context(folder).claim(resume)

        content = ranks.on_first(claim)
        if init_from is not None and content is None:
            load_weights(model, init_from, "init_from")
            if recipe.whitening:
                warnings.warn("whitening: it replaces the weights that init_from gives to the stem", stacklevel=4)
        elif init_from is not None and content is not None:
            check_start(content, init_from)
        model.to(device)
        model.transform = provenance.transform(data)
        precision = _precision(model, data, recipe, ranks, content) if recipe.precision == "auto" else None
        stop = stack.enter_context(Stop())
        run = Run.start(model, data, recipe, seed, ranks, precision)
        run.resume(content, other_epochs)
        ranks.on_first(lambda: None if folder is None else folder.begin(run, named))
        events = Events(Path(output) / "tensorboard" if tensorboard and output else None, ranks)
        with closing(events), closing(Progress(progress, run.training, header(run, named, output))) as shown:
            observer = RunObserver(run, folder, stop, limit, shown, events, on_epoch)
            evaluation, validation = _train(run, observer, evaluate_every, test_every)
        if folder is not None:
            folder.finish(run, evaluation)
    model.load_state_dict(run.training.kept())
    model.origin = {"from": "a training run", "model": model.config.notation, "data": data.name}
    model.eval()
    checkpoint = None if folder is None else folder.checkpoint
    training = run.training
    return TrainingResult(
        model, evaluation, training.history, checkpoint, validation, training.kept_epoch, training.ending
    )


# create_model(lr=0.1) is told where a learning rate goes
suggesting.arguments["train"] = {*signature(train).parameters, *(field.name for field in fields(Recipe))}


def _precision(model: Network, data: Data, recipe: Recipe, ranks: Ranks, content: dict[str, Any] | None) -> Precision:
    """The choice of the run that goes on, or a new one, by the first process."""
    if content is None:
        return ranks.on_first(lambda: choose(model, data, recipe, ranks.count))
    return Precision(**(content.get("precision") or {"precision": "float32", "channels_last": False, "reason": ""}))


def _train(run: Run, observer: RunObserver, evaluate_every: int, test_every: int) -> tuple[Result, Result | None]:
    """Train; errors name the last checkpoint."""
    training = run.training
    try:
        return train_epochs(training, observer, evaluate_every, test_every)
    except TrainingError as error:
        raise TrainingError(f"{error}; {observer.last()}") from error
    except TrainingInterrupted as interrupted:
        observer.keep()
        by = f"after {observer.limit.text}," if interrupted.signal is None else f"by {name(interrupted.signal)}"
        after = f"after step {training.step} of {training.steps}; {observer.last()}"
        raise TrainingInterrupted(interrupted.signal, f"{by} {after}") from None
    finally:
        training.optimizer.zero_grad()
