"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nets import data as datasets
from nets.data import Dataset
from nets.inputs import check_input
from nets.mgnet import MgNet
from nets.train import checkpoint as checkpoints
from nets.train import provenance, randomness
from nets.train.augment import COLUMNS, augment
from nets.train.checkpoint import CheckpointError
from nets.train.evaluation import Evaluation, evaluate
from nets.train.files import RunFolder
from nets.train.recipe import Recipe
from nets.train.recipes import recipe_for


class TrainingError(RuntimeError):
    """The loss is not finite: the message names the step and the last checkpoint."""


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a run gives: the network (averaged weights where the recipe averages) in evaluation mode after its last
    epoch, how it classifies the held-out part, one row of numbers per epoch, and the checkpoint's path or None."""

    model: MgNet
    evaluation: Evaluation
    history: list[dict[str, float]]
    checkpoint: Path | None

    @property
    def accuracy(self) -> float:
        """Held-out accuracy in [0, 1] after the last epoch; never the best one."""
        return self.evaluation.accuracy


def train(
    model: MgNet | str,
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
    if isinstance(data, str):
        data = datasets.load(data, seed)
    recipe = recipe_for(data.name, recipe, overrides)
    model = _model(model, data, seed)
    _check_fit(model, data, recipe, seed)
    if resume and output is None:
        raise ValueError("resume needs output, the folder of the run to go on with; got None")
    run = _Run.start(model.to(_device(device)), data, recipe, seed)
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


@dataclass(eq=False)
class _Run:
    """Everything that a run changes, and what it must not change."""

    model: MgNet
    data: Dataset
    recipe: Recipe
    seed: int
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None
    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def start(cls, model: MgNet, data: Dataset, recipe: Recipe, seed: int) -> _Run:
        average = None
        if recipe.averaging > 0:
            average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.averaging), use_buffers=True)
        return cls(model, data, recipe, seed, _optimizer(model, recipe), average)

    @property
    def trained(self) -> nn.Module:
        return self.model if self.average is None else self.average.module

    @property
    def steps(self) -> int:
        return self.recipe.epochs * -(-len(self.data.train_images) // self.recipe.batch)

    def identity(self) -> dict[str, Any]:
        """What makes this run another than any other one, as plain values."""
        return {
            "model": checkpoints.describe(self.model),
            "recipe": asdict(self.recipe),
            "data": provenance.describe(self.data),
            "seed": self.seed,
        }

    def record(self) -> dict[str, Any]:
        return {
            **self.identity(),
            "weights": self.model.state_dict(),
            "averaged": None if self.average is None else self.average.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
            "versions": {"torch": str(torch.__version__)},
        }

    def resume(self, record: dict[str, Any] | None) -> None:
        if record is None:
            return
        for name, value in self.identity().items():
            if record[name] != value:
                raise CheckpointError(f"output holds a run with another {name}: {_differences(record[name], value)}")
        self.model.load_state_dict(record["weights"])
        self.optimizer.load_state_dict(record["optimizer"])
        if self.average is not None:
            self.average.module.load_state_dict(record["averaged"])
            self.average.n_averaged.fill_(record["step"])
        self.epoch, self.step, self.history = record["epoch"], record["step"], record["history"]


def _epoch(run: _Run, epoch: int, bar: Any, folder: RunFolder | None) -> dict[str, float]:
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


def _batches(run: _Run, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    device = next(run.model.parameters()).device
    images, labels = run.data.train_images, run.data.train_labels
    numbers = randomness.table(run.seed, epoch, len(images), COLUMNS)
    for index in randomness.order(run.seed, epoch, len(images)).split(run.recipe.batch):
        yield augment(images[index], numbers[index], run.recipe).to(device), labels[index].to(device)


def _step(run: _Run, images: Tensor, labels: Tensor, rate: float) -> tuple[float, int]:
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


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    kernels = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0, foreach=True
    )


def _model(model: MgNet | str, data: Dataset, seed: int) -> MgNet:
    from nets.zoo import create_model

    if isinstance(model, MgNet):
        return model
    if not isinstance(model, str):
        raise TypeError(f"model must be a nets.MgNet or a name; got {type(model).__name__}")
    dims = data.train_images.ndim - 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return create_model(model, num_classes=len(data.class_names), in_channels=data.in_channels, dims=dims)


def _check_fit(model: MgNet, data: Dataset, recipe: Recipe, seed: int) -> None:
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise TypeError(f"seed must be an integer; got {seed!r}")
    classes, dims = len(data.class_names), data.train_images.ndim - 2
    if model.config.num_classes != classes:
        raise ValueError(
            f"model has {model.config.num_classes} outputs, and data {data.name!r} has {classes} classes: "
            f"call model.reset_classifier({classes}) first"
        )
    check_input(model, data.train_images[:1].to(next(model.parameters()).device))
    if recipe.batch > len(data.train_images):
        raise ValueError(f"batch must be at most {len(data.train_images)}, the training images; got {recipe.batch}")
    if dims != 2 and (recipe.shift or recipe.rotation or recipe.scaling):
        raise ValueError(f"shift, rotation and scaling move 2-dimensional images; these have {dims}: set them to 0")


def _device(device: str | torch.device) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {str(device)!r} cannot be used here: {str(error).splitlines()[0]}") from error


def _differences(theirs: Any, ours: Any) -> str:
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        return f"{theirs!r} there, {ours!r} here"
    for name in ours:
        if theirs.get(name) != ours[name]:
            return f"{name} is {_differences(theirs.get(name), ours[name])}"
    return f"{theirs} there, {ours} here"


def _bar(progress: bool | None, run: _Run) -> Any:
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
