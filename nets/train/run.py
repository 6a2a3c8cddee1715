"""The state of a training run: what a checkpoint keeps."""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nets.data import Dataset
from nets.network import Network
from nets.train import checkpoint as checkpoints
from nets.train import machine, provenance, record
from nets.train.checkpoint import CheckpointError
from nets.train.recipe import Recipe


@dataclass
class Sums:
    """Of the steps of the epoch that is under way; `began` is the run's `seconds` at its first."""

    steps: int = 0
    loss: float = 0.0
    correct: int = 0
    images: int = 0
    began: float = 0.0


@dataclass(eq=False)
class Run:
    """Everything that a run changes, and what it must not change.

    `epoch` counts the epochs that are complete, with their row in the history, `step` all steps. `seconds` go from the
    first batch on, over all pieces of a run that was resumed, each up to its last checkpoint.
    """

    model: Network
    data: Dataset
    recipe: Recipe
    seed: int
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None
    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums)
    started: str = field(default_factory=record.now)
    compile_seconds: float = 0.0
    _clock: float = field(default_factory=time.perf_counter)

    @classmethod
    def start(cls, model: Network, data: Dataset, recipe: Recipe, seed: int) -> Run:
        average = None
        if recipe.averaging > 0:
            average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.averaging), use_buffers=True)
        return cls(model, data, recipe, seed, _optimizer(model, recipe), average)

    @property
    def trained(self) -> nn.Module:
        return self.model if self.average is None else self.average.module

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._clock

    def start_clock(self, seconds: float = 0.0) -> None:
        """The run has computed for so many seconds by now."""
        self._clock = time.perf_counter() - seconds

    def end_epoch(self, row: dict[str, float]) -> None:
        self.history.append(row)
        self.epoch, self.sums = self.epoch + 1, Sums()

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
            "sums": asdict(self.sums),
            "clock": {"started": self.started, "seconds": self.seconds, "compile_seconds": self.compile_seconds},
            "computed_with": self.computed_with(),
        }

    def computed_with(self) -> dict[str, Any]:
        """What the last bits depend on."""
        device = next(self.model.parameters()).device
        return {"device": str(device), "threads": torch.get_num_threads(), **machine.versions()}

    def resume(self, content: dict[str, Any] | None) -> None:
        """Go on from what `record` gave.

        Raises:
            CheckpointError: it is of another run, with what differs.
        """
        if content is None:
            return
        for name, value in self.identity().items():
            if content[name] != value:
                raise CheckpointError(f"output holds a run with another {name}: {_differences(content[name], value)}")
        if content["computed_with"] != self.computed_with():
            difference = _differences(content["computed_with"], self.computed_with())
            warnings.warn(f"resume: {difference}; the last bits may differ from those of an unbroken run", stacklevel=3)
        self.model.load_state_dict(content["weights"])
        self.optimizer.load_state_dict(content["optimizer"])
        if self.average is not None:
            self.average.module.load_state_dict(content["averaged"])
            self.average.n_averaged.fill_(content["step"])
        self.epoch, self.step, self.history = content["epoch"], content["step"], content["history"]
        self.sums, clock = Sums(**content["sums"]), content["clock"]
        self.started, self.compile_seconds = clock["started"], clock["compile_seconds"]
        self.start_clock(clock["seconds"])


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    kernels = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0, foreach=True
    )


def _differences(theirs: Any, ours: Any) -> str:
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        return f"{theirs!r} there, {ours!r} here"
    for name in ours:
        if theirs.get(name) != ours[name]:
            return f"{name} is {_differences(theirs.get(name), ours[name])}"
    return f"{theirs} there, {ours} here"
