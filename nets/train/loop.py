"""The training loop."""

from __future__ import annotations

import time
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
from nets.train.files import RunFolder
from nets.train.fit import check_arguments, check_fit, network_for, usable_device
from nets.train.recipe import Recipe
from nets.train.recipes import recipe_for
from nets.train.run import Run


class TrainingError(RuntimeError):
    """The loss is not finite: the message names the step and the last checkpoint."""


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
        output: a folder for checkpoint.pt, history.csv and learning_curve.png, the first two written after every epoch.
        resume: go on with the run in `output`; float32 on the CPU ends with the same bits as without the break. Where
            there is no checkpoint yet, start.
        device: where to train.
        progress: whether to show a progress bar; None shows it on a terminal.
        overrides: single settings of the recipe, such as epochs=10.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed, before any work.
        CheckpointError: `output` holds a run and `resume` is False, or another run than the one to resume.
        TrainingError: the loss is not finite.
    """
    check_arguments(data, seed, output, resume, progress)
    if isinstance(data, str):
        data = datasets.load(data, seed)
    recipe = recipe_for(data.name, recipe, overrides)
    model = network_for(model, data, seed)
    check_fit(model, data, recipe)
    if resume and output is None:
        raise ValueError("resume needs output, the folder of the run to go on with; got None")
    run = Run.start(model.to(usable_device(device)), data, recipe, seed)
    folder = None if output is None else RunFolder(Path(output))
    if folder is not None:
        run.resume(folder.claim(resume))
    with _bar(progress, run) as bar:
        for epoch in range(run.epoch, recipe.epochs):
            run.history.append(_epoch(run, epoch, bar, folder))
            run.epoch = epoch + 1
            if folder is not None:
                folder.write(run.record(), run.history)
    if folder is not None:
        folder.draw(run.history)
    trained = run.trained.eval()
    if trained is not model:
        model.load_state_dict(trained.state_dict())
    model.eval()
    return TrainingResult(model, evaluate(model, data), run.history, None if folder is None else folder.checkpoint)


def _epoch(run: Run, epoch: int, bar: Any, folder: RunFolder | None) -> dict[str, float]:
    """One pass over the training part; returns the row of the history."""
    started, loss_sum, correct, count = time.perf_counter(), 0.0, 0, len(run.data.train_images)
    run.model.train()
    for images, labels in _batches(run, epoch):
        rate = run.recipe.rate(run.step, run.steps)
        loss, hits = _step(run, images, labels, rate)
        if not isfinite(loss):
            last = "there is no checkpoint" if folder is None else folder.last(run.epoch)
            raise TrainingError(f"the loss is {loss} at step {run.step + 1} (epoch {epoch + 1}); {last}")
        run.step += 1
        loss_sum, correct = loss_sum + loss * len(images), correct + hits
        bar.set_postfix(epoch=epoch + 1, loss=f"{loss:.3f}", accuracy=f"{hits / len(images):.3f}", refresh=False)
        bar.update(len(images))
    seconds = time.perf_counter() - started
    return {
        "epoch": epoch + 1,
        "learning_rate": rate,
        "loss": loss_sum / count,
        "accuracy": correct / count,
        "test_accuracy": evaluate(run.trained, run.data).accuracy,
        "seconds": seconds,
        "images_per_second": count / seconds,
    }


def _batches(run: Run, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    device, augmentation = next(run.model.parameters()).device, run.recipe.augmentation
    images = Batches(run.data, augmentation=augmentation, seed=run.seed, device=device)
    order = randomness.order(run.seed, epoch, len(images))
    return images.epoch(epoch, order.split(run.recipe.batch))


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
        initial=run.epoch * count,
        unit=" images",
        unit_scale=True,
        desc=str(run.model.config),
        disable=None if progress is None else not progress,
    )
