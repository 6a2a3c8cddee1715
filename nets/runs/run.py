"""The state of a training run: what a checkpoint keeps."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nets.common import randomness
from nets.data import Batches, Dataset, validation_split
from nets.models.modes import frozen_names
from nets.models.base import Network
from nets.models.state_dict_checks import description
from nets.runs import environment as machine
from nets.runs import provenance
from nets.runs import record
from nets.training.average import RULE, Average
from nets.runs.checkpoint import CheckpointError
from nets.training.optimizer import create_optimizer
from nets.training.plan import batches, share, steps_per_epoch
from nets.training.distributed import Ranks
from nets.training.recipe import Recipe
from nets.training.whitening import whiten

WHITENED = 2048
"""Training images from which whitening takes its patches."""


@dataclass
class Sums:
    """Of the steps of the epoch that is under way, in all processes; `began` is the run's `seconds` at its first."""

    steps: int = 0
    loss: float = 0.0
    correct: int = 0
    images: int = 0
    began: float = 0.0


@dataclass(eq=False)
class Run:
    """Everything that a run changes, and what it must not change.

    `data` is what is learned and what is evaluated after an epoch: with `recipe.val_fraction` both from the training
    part of `whole`, the data set as it was given. `stepped` is the model as a step calls it. `frozen` are the names of
    the parameters that came frozen, `initial` is where the weights are from, and their SHA-256.
    `epoch` counts the epochs that are complete, with their row in the history, `step` all steps. `seconds` go from the
    first batch on, over all pieces of a run that was resumed, each up to its last checkpoint.
    """

    model: Network
    whole: Dataset
    data: Dataset
    recipe: Recipe
    seed: int
    ranks: Ranks
    images: Batches
    optimizer: torch.optim.Optimizer
    average: Average | None
    stepped: nn.Module
    frozen: list[str]
    initial: dict[str, Any]
    epoch: int = 0
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums)
    started: str = field(default_factory=record.now)
    compile_seconds: float = 0.0
    _clock: float = field(default_factory=time.perf_counter)

    @classmethod
    def start(cls, model: Network, whole: Dataset, recipe: Recipe, seed: int, ranks: Ranks) -> Run:
        """A run before its first step; the model lies on its device."""
        weight = next(model.parameters())
        data = validation_split(whole, recipe.val_fraction, seed) if recipe.val_fraction else whole
        images = Batches(data, augmentation=recipe.augmentation, seed=seed, device=weight.device, dtype=weight.dtype)
        frozen, initial = frozen_names(model), provenance.initial_weights(model)
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
        return cls(model, whole, data, recipe, seed, ranks, images, optimizer, average, stepped, frozen, initial)

    @property
    def device(self) -> torch.device:
        return self.images.device

    @property
    def trained(self) -> nn.Module:
        return self.model if self.average is None else self.average.module

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._clock

    def start_clock(self, seconds: float = 0.0) -> None:
        """The run has computed for so many seconds by now."""
        self._clock = time.perf_counter() - seconds

    def end_epoch(self, row: dict[str, Any]) -> None:
        self.history.append(row)
        self.epoch, self.sums = self.epoch + 1, Sums()

    @property
    def steps(self) -> int:
        return self.recipe.epochs * steps_per_epoch(len(self.images), self.recipe, self.ranks.count)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.recipe.rate(step, self.steps)

    def batches(self) -> list[Tensor]:
        """Those of the epoch under way, tensors of indices."""
        order = randomness.order(self.seed, self.epoch, len(self.images))
        return batches(order, self.recipe, self.ranks.count)

    def parts(self, batches: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels of this process's parts of the batches, `recipe.grad_accum` of each."""
        shares = (part for b in batches for part in share(b, self.recipe, self.ranks.rank, self.ranks.count))
        return self.images.epoch(self.epoch, shares)

    @property
    def held_out(self) -> str:
        """What is evaluated after an epoch, as the history names it."""
        return "validation_accuracy" if self.recipe.val_fraction else "test_accuracy"

    def identity(self) -> dict[str, Any]:
        """What makes this run another than any other one, as plain values; what decides on others comes first."""
        return {
            "seed": self.seed,
            "data": provenance.describe(self.whole),
            "model": description(self.model),
            "recipe": asdict(self.recipe),
            "frozen": self.frozen,
        }

    def record(self) -> dict[str, Any]:
        return {
            **self.identity(),
            "weights": self.model.state_dict(),
            "averaged": None if self.average is None else self.average.module.state_dict(),
            "averaging": None if self.average is None else RULE,
            "initial": self.initial,
            "folder": provenance.folder(self.whole),
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
        return {
            "device": str(self.device),
            "processes": self.ranks.count,
            "threads": torch.get_num_threads(),
            **machine.versions(),
        }

    def resume(self, content: dict[str, Any] | None) -> None:
        """Go on from what `record` gave.

        Raises:
            CheckpointError: it is of another run, with what differs.
        """
        if content is None:
            return
        for name, value in self.identity().items():
            theirs = self._as_written_now(name, content.get(name, value), content)
            if theirs != value:
                raise CheckpointError(f"output holds a run with {_other(name, theirs, value)}")
        if content["computed_with"] != self.computed_with():
            difference = _differences(content["computed_with"], self.computed_with())
            warnings.warn(f"resume: {difference}; the last bits may differ from those of an unbroken run", stacklevel=3)
        self.model.load_state_dict(content["weights"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.initial = content.get("initial", {})
        if self.average is not None:
            if content.get("averaging") != RULE:
                warnings.warn(f"resume: the run began with another average; it goes on with {RULE}", stacklevel=3)
            self.average.module.load_state_dict(content["averaged"])
            self.average.n_averaged.fill_(content["step"])
        self.epoch, self.step, self.history = content["epoch"], content["step"], content["history"]
        self.sums, clock = Sums(**content["sums"]), content["clock"]
        self.started, self.compile_seconds = clock["started"], clock["compile_seconds"]
        self.start_clock(clock["seconds"])

    def _as_written_now(self, name: str, theirs: Any, content: dict[str, Any]) -> Any:
        """An entry of `identity`: older files lack some, and a folder has a name from every place."""
        if name == "model":
            return {"modules": description(self.model)["modules"], **theirs}
        if name == "data" and (folder := provenance.folder(self.whole)) and content.get("folder") == folder:
            return {**theirs, "name": self.whole.name}
        return theirs


def _other(name: str, theirs: Any, ours: Any) -> str:
    """Say what differs, and what works instead."""
    if name == "frozen":
        both = ((theirs, ours, "there"), (ours, theirs, "here"))
        alone = next((only[0], where) for a, b, where in both if (only := [w for w in a if w not in b]))
        return f"other frozen parameters: {alone[0]} is frozen {alone[1]} alone"
    words = f"another {name}: {_differences(theirs, ours)}"
    if name == "recipe" and {**theirs, "epochs": ours["epochs"]} == ours:
        return f"{words}; to train its weights further, start a run in another folder with init_from (--init-from)"
    return words


def _differences(theirs: Any, ours: Any) -> str:
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        return f"{theirs!r} there, {ours!r} here"
    for name in ours:
        if theirs.get(name) != ours[name]:
            return f"{name} is {_differences(theirs.get(name), ours[name])}"
    return f"{theirs} there, {ours} here"
