"""The training loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nets import data as datasets
from nets import randomness
from nets.data import Batches, Dataset
from nets.network import Network
from nets.train.evaluation import Evaluation, evaluate
from nets.train.every import Every
from nets.train.files import NoFolder, RunFolder
from nets.train.fit import check_arguments, check_fit, network_for, usable_device
from nets.train.recipe import Recipe
from nets.train.recipes import recipe_for
from nets.train.run import Run
from nets.train.signals import Stop, TrainingInterrupted, name


class TrainingError(RuntimeError):
    """The loss is not finite: the message names the step and the last checkpoint."""

    status = "diverged"
    """In the record of the run."""


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a run gives: the network (averaged weights where the recipe averages) in evaluation mode after its last
    epoch, how it classifies the held-out part, one row of numbers per epoch, and the checkpoint's path or None."""

    model: Network
    evaluation: Evaluation
    history: list[dict[str, float]]
    checkpoint: Path | None

    @property
    def accuracy(self) -> float:
        """Held-out accuracy in [0, 1] after the last epoch; never the best one."""
        return self.evaluation.accuracy


def train(
    model: Network | str,
    data: Dataset | str,
    *,
    recipe: Recipe | str | None = None,
    seed: int = 0,
    output: str | PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_every: str | int = "1 epoch, 5 min",
    device: str | torch.device = "cpu",
    progress: bool | None = None,
    **overrides: Any,
) -> TrainingResult:
    """Train a network and classify the held-out part of the data.

    Args:
        model: a network, which is trained in place, or a name for `create_model`, made from the seed.
        data: a data set, or a name in `nets.data.DATA`, split by the seed.
        recipe: a `Recipe` or its name; None takes the one made for the data set.
        seed: decides every random choice, as a function of (seed, epoch, index).
        output: a folder for the last two checkpoints (checkpoint.pt, checkpoint.previous.pt), record.json, history.csv
            and learning_curve.png.
        resume: go on with the run in `output`; float32 on the CPU, with equal threads and versions, ends with the same
            bits as without the break, which may be in the middle of an epoch. Where there is no checkpoint yet, start.
        checkpoint_every: how much work may be lost, such as "10 min", "2 epochs", "500 steps" or several of them.
        device: where to train.
        progress: whether to show a progress bar; None shows it on a terminal.
        overrides: single settings of the recipe, such as epochs=10.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed, before any work.
        CheckpointError: `output` holds a run and `resume` is False, or another run than the one to resume.
        TrainingError: the loss is not finite.
        TrainingInterrupted: by SIGINT (Ctrl-C) or SIGTERM, after a step and a checkpoint; a second signal ends at once.
        OSError: the last checkpoint cannot be written; before that, a full disk is a warning.
    """
    check_arguments(data, seed, output, resume, progress)
    if isinstance(data, str):
        data = datasets.load(data, seed)
    told = {"name": recipe if isinstance(recipe, str) else None, "source": None, "overrides": overrides}
    recipe = recipe_for(data.name, recipe, overrides)
    model = network_for(model, data, seed)
    check_fit(model, data, recipe)
    if resume and output is None:
        raise ValueError("resume needs output, the folder of the run to go on with; got None")
    every = Every.parse(checkpoint_every)
    run = Run.start(model.to(usable_device(device)), data, recipe, seed)
    with NoFolder() if output is None else RunFolder(Path(output), every) as folder, Stop() as stop:
        run.resume(folder.claim(resume))
        folder.begin(run, told)
        try:
            evaluation = _train(run, folder, stop, progress)
        except TrainingInterrupted as interrupted:
            folder.keep(run, at_once=True)
            message = f"by {name(interrupted.signal)} after step {run.step} of {run.steps}; {folder.last()}"
            raise TrainingInterrupted(interrupted.signal, message) from None
        folder.finish(run, evaluation)
    if run.trained is not model:
        model.load_state_dict(run.trained.state_dict())
    model.eval()
    return TrainingResult(model, evaluation, run.history, folder.checkpoint)


def _train(run: Run, folder: RunFolder | NoFolder, stop: Stop, progress: bool | None) -> Evaluation:
    """All epochs that are left; returns how the network classifies the held-out part."""
    with _bar(progress, run) as bar:
        while run.epoch < run.recipe.epochs:
            run.end_epoch(_epoch(run, bar, folder, stop))
            folder.end_epoch(run)
    with stop.at_once():
        return evaluate(run.trained, run.data)


def _epoch(run: Run, bar: Any, folder: RunFolder | NoFolder, stop: Stop) -> dict[str, float]:
    """What is left of one pass over the training part; returns the row of the history."""
    if not run.step:
        run.start_clock()
    sums = run.sums
    if not sums.steps:
        sums.began = run.seconds
    run.model.train()
    for images, labels in _batches(run):
        stop.check()
        loss, hits = _step(run, images, labels, run.recipe.rate(run.step, run.steps))
        if not isfinite(loss):
            raise TrainingError(f"the loss is {loss} at step {run.step + 1} (epoch {run.epoch + 1}); {folder.last()}")
        run.step += 1
        sums.steps, sums.images = sums.steps + 1, sums.images + len(images)
        sums.loss, sums.correct = sums.loss + loss * len(images), sums.correct + hits
        bar.set_postfix(epoch=run.epoch + 1, loss=f"{loss:.3f}", accuracy=f"{hits / len(images):.3f}", refresh=False)
        bar.update(len(images))
        folder.keep(run)
    seconds = run.seconds - sums.began
    with stop.at_once():
        accuracy = evaluate(run.trained, run.data).accuracy
    return {
        "epoch": run.epoch + 1,
        "learning_rate": run.recipe.rate(run.step - 1, run.steps),
        "loss": sums.loss / sums.images,
        "accuracy": sums.correct / sums.images,
        "test_accuracy": accuracy,
        "seconds": seconds,
        "images_per_second": sums.images / seconds,
    }


def _batches(run: Run) -> Iterator[tuple[Tensor, Tensor]]:
    """Those of the epoch under way that have had no step yet."""
    device, augmentation = next(run.model.parameters()).device, run.recipe.augmentation
    images = Batches(run.data, augmentation=augmentation, seed=run.seed, device=device)
    order = randomness.order(run.seed, run.epoch, len(images)).split(run.recipe.batch)
    return images.epoch(run.epoch, order[run.sums.steps :])


def _step(run: Run, images: Tensor, labels: Tensor, rate: float) -> tuple[float, int]:
    """One step of the optimiser, unless the loss is not finite; returns the loss and how many were right."""
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    scores = run.model(images)
    loss = nn.functional.cross_entropy(scores, labels, label_smoothing=run.recipe.label_smoothing)
    value = loss.item()
    if isfinite(value):
        run.optimizer.zero_grad()
        loss.backward()
        run.optimizer.step()
        if run.average is not None:
            run.average.update_parameters(run.model)
    return value, int((scores.detach().argmax(1) == labels).sum())


def _bar(progress: bool | None, run: Run) -> Any:
    from tqdm import tqdm

    count = len(run.data.train_images)
    return tqdm(
        total=run.recipe.epochs * count,
        initial=run.epoch * count + run.sums.images,
        unit=" images",
        unit_scale=True,
        desc=str(run.model.config),
        disable=None if progress is None else not progress,
    )
