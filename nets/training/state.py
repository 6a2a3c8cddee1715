"""A training under way: network, optimizer, average and counters, all that a checkpoint keeps of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nets.common import randomness
from nets.data import Batches, Data, validation_split
from nets.models.base import Network
from nets.training.average import RULE, Average
from nets.training.best import Best, copied
from nets.training.class_weights import NONE
from nets.training.distributed import Ranks
from nets.training.metrics import Sums
from nets.training.objective import FIGURES, Objective, objective_for
from nets.training.optimizer import create_optimizer
from nets.training.plan import batches, share, steps_per_epoch
from nets.training.recipe import Recipe
from nets.training.whitening import whiten

WHITENED = 2048
"""Training images from which whitening takes its patches."""


@dataclass(eq=False)
class Training:
    """A network in training: everything that changes, and what must not change.

    Attributes:
        whole: the data set as given.
        data: what is learned: `whole`, or with `recipe.val_fraction` a part of its training images, the other one being
            the test part.
        stepped: the model as a step calls it, wrapped for several processes and compiled.
        epoch: complete epochs, each with its row in `history`.
        step: all steps.
        best: the best epoch on the validation part.
        stopped: why the training ended before its last epoch; "" where it did not.
        compile_seconds: time of torch.compile, which `seconds` leaves out.
    """

    model: Network
    whole: Data
    data: Data
    recipe: Recipe
    seed: int
    objective: Objective
    ranks: Ranks
    images: Batches
    optimizer: torch.optim.Optimizer
    average: Average | None
    stepped: nn.Module
    best: Best
    stopped: str = ""
    epoch: int = 0
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums)
    compile_seconds: float = 0.0
    _clock: float = field(default_factory=time.perf_counter)

    @classmethod
    def start(cls, model: Network, whole: Data, recipe: Recipe, seed: int, ranks: Ranks) -> Training:
        """Make a training before its first step; the model lies on its device."""
        weight = next(model.parameters())
        data = validation_split(whole, recipe.val_fraction, seed) if recipe.val_fraction else whole
        images = Batches(
            data,
            augmentation=recipe.augmentation,
            sampling=recipe.sampling,
            seed=seed,
            device=weight.device,
            dtype=weight.dtype,
        )
        if recipe.whitening:
            whiten(model, images.sample(WHITENED))
        if recipe.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = None
        if recipe.averaging > 0:
            average = Average(model, recipe.averaging, buffers=recipe.norm_batches == 0)
        optimizer = create_optimizer(model, recipe)
        stepped = ranks.wrapped(model, lambda: images.sample(2))
        if recipe.compile:
            stepped = torch.compile(stepped)  # type: ignore[assignment]
        objective = objective_for(data, recipe)
        best = Best(objective.figures[0])
        return cls(model, whole, data, recipe, seed, objective, ranks, images, optimizer, average, stepped, best)

    @property
    def device(self) -> torch.device:
        return self.images.device

    @property
    def trained(self) -> nn.Module:
        """The network with the weights that count: averaged ones where the recipe averages."""
        return self.model if self.average is None else self.average.module

    @property
    def seconds(self) -> float:
        """Time since the first batch, over all pieces of a resumed run, each up to its last checkpoint."""
        return time.perf_counter() - self._clock

    def start_clock(self, seconds: float = 0.0) -> None:
        """Set `seconds`."""
        self._clock = time.perf_counter() - seconds

    def end_epoch(self, row: dict[str, Any]) -> None:
        """Count an epoch, and stop where its figure of the validation part says so."""
        self.history.append(row)
        self.epoch, self.sums = self.epoch + 1, Sums()
        value = row.get(f"validation_{self.best.figure}")
        if value is not None:
            self.best.see(self.epoch, value, self.trained if self.recipe.keep == "best" else None)
            self.stopped = self.best.too_long_ago(self.epoch, self.recipe.patience)

    @property
    def ended(self) -> bool:
        """Whether there is no epoch left."""
        return self.epoch >= self.recipe.epochs or bool(self.stopped)

    @property
    def tested(self) -> list[int]:
        """The epochs after which the test part was looked at."""
        return [row["epoch"] for row in self.history if row.get(f"test_{self.best.figure}") is not None]

    @property
    def kept_epoch(self) -> int:
        """The epoch whose network counts: the last one, or the best."""
        return self.epoch if self.best.weights is None else self.best.epoch

    @property
    def ending(self) -> str:
        """Say which epoch's network counts, and why no later one does; "" for the last of all epochs."""
        words = f"best validation {FIGURES[self.best.figure].words}, epoch {self.best.epoch} of {self.recipe.epochs}"
        return "; ".join(filter(None, ["" if self.best.weights is None else words, self.stopped]))

    def kept(self) -> dict[str, Tensor]:
        """The state_dict of the network that counts, which is not to be changed."""
        return self.trained.state_dict() if self.best.weights is None else self.best.weights

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Give `trained` the weights of the epoch that counts for a while."""
        last = None if self.best.weights is None else copied(self.trained)
        if last is not None:
            self.trained.load_state_dict(self.kept())
        try:
            yield
        finally:
            if last is not None:
                self.trained.load_state_dict(last)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.recipe.epochs * steps_per_epoch(len(self.images), self.recipe, self.ranks.count)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.recipe.rate(step, self.steps)

    def batches(self) -> list[Tensor]:
        """The batches of the epoch under way, as tensors of indices."""
        order = randomness.order(self.seed, self.epoch, len(self.images))
        return batches(order, self.recipe, self.ranks.count)

    def parts(self, batches: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels of this process's parts of the batches, `recipe.grad_accum` of each."""
        shares = (part for b in batches for part in share(b, self.recipe, self.ranks.rank, self.ranks.count))
        return self.images.epoch(self.epoch, shares)

    def divisor(self, batch: Tensor) -> Tensor | int:
        """The divisor of the sum of the losses of a batch of the epoch under way in their mean."""
        if self.recipe.class_weights == NONE:
            return len(batch)
        return self.objective.divisor(self.images.labels_of(self.epoch, batch))

    def state(self) -> dict[str, Any]:
        """Everything that changes, as tensors and plain values."""
        return {
            "weights": self.model.state_dict(),
            "averaged": None if self.average is None else self.average.module.state_dict(),
            "averaging": None if self.average is None else RULE,
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
            "sums": asdict(self.sums),
            "best": self.best.state(),
            "stopped": self.stopped,
            "clock": {"seconds": self.seconds, "compile_seconds": self.compile_seconds},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.model.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.module.load_state_dict(state["averaged"])
            self.average.n_averaged.fill_(state["step"])
        self.epoch, self.step, self.history = state["epoch"], state["step"], state["history"]
        self.sums, self.compile_seconds = Sums(**state["sums"]), state["clock"]["compile_seconds"]
        self.best = Best(self.best.figure, **state.get("best", {}))  # older files have none
        self.stopped = state.get("stopped", "")
        self.start_clock(state["clock"]["seconds"])
