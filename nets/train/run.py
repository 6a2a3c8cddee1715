"""The state of a training run: what a checkpoint keeps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nets.data import Dataset
from nets.network import Network
from nets.train import checkpoint as checkpoints
from nets.train import provenance
from nets.train.checkpoint import CheckpointError
from nets.train.recipe import Recipe


@dataclass(eq=False)
class Run:
    """Everything that a run changes, and what it must not change."""

    model: Network
    data: Dataset
    recipe: Recipe
    seed: int
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None
    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

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
