"""The content of a run's checkpoints, and how a run goes on from one."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch

from nets.common.formatting import counted
from nets.data import Data
from nets.data.dataset import LABELS
from nets.models.base import Network
from nets.models.checkpoint import CheckpointError
from nets.models.modes import frozen_names
from nets.models.state_dict_checks import description
from nets.runs import environment, provenance
from nets.training.average import RULE
from nets.training.distributed import Ranks
from nets.training.precision import Precision
from nets.training.recipe import Recipe
from nets.training.state import Training


@dataclass(eq=False)
class Run:
    """A training and where it comes from.

    Attributes:
        frozen: names of the parameters that came frozen.
        initial: where the initial weights are from, and their SHA-256.
        asked: the recipe as it was given; `training.recipe` is the one that is computed.
        precision: the choice for precision="auto", else None.
        started: the time of its start.
        continued: where it went on to other epochs than it was started with.
    """

    training: Training
    frozen: list[str]
    initial: dict[str, Any]
    asked: Recipe
    precision: Precision | None = None
    started: str = field(default_factory=environment.now)
    continued: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(
        cls,
        model: Network,
        whole: Data,
        recipe: Recipe,
        seed: int,
        ranks: Ranks,
        precision: Precision | None = None,
    ) -> Run:
        """Make a run before its first step; the model lies on its device."""
        frozen, initial = frozen_names(model), provenance.initial_weights(model)  # before whitening changes both
        computed = recipe if precision is None else precision.apply(recipe)
        return cls(Training.start(model, whole, computed, seed, ranks), frozen, initial, recipe, precision)

    def identity(self) -> dict[str, Any]:
        """The plain values in which runs differ; the more telling ones come first."""
        return {
            "seed": self.training.seed,
            "data": provenance.describe(self.training.whole),
            "model": description(self.training.model),
            "recipe": asdict(self.asked),
            "frozen": self.frozen,
        }

    def content(self) -> dict[str, Any]:
        """The content of a checkpoint: `nets.models.checkpoint.KEYS` and more."""
        state = self.training.state()
        return {
            **self.identity(),
            **state,
            "initial": self.initial,
            "continued": self.continued,
            "precision": None if self.precision is None else self.precision._asdict(),
            "folder": provenance.folder(self.training.whole),
            "clock": {"started": self.started, **state["clock"]},
            "computed_with": self.computed_with(),
        }

    def computed_with(self) -> dict[str, Any]:
        """Everything that the last bits depend on."""
        return {
            "device": str(self.training.device),
            "processes": self.training.ranks.count,
            "threads": torch.get_num_threads(),
            **environment.versions(),
        }

    def resume(self, content: dict[str, Any] | None, other_epochs: bool = False) -> None:
        """Go on from the content of a checkpoint, where there is one; to another number of epochs if that is asked."""
        if content is None:
            return
        epochs = self.asked.epochs
        for name, value in self.identity().items():
            theirs = self._as_written_now(name, content.get(name, value), content)
            if name == "recipe":
                before, theirs = theirs["epochs"], {**theirs, "epochs": epochs}
            if theirs != value:
                raise CheckpointError(f"output holds a run with {_other(name, theirs, value)}")
        if epochs != before and not other_epochs:
            why = f"another recipe: epochs is {before} there, {epochs} here"
            raise CheckpointError(f"output holds a run with {why}; give epochs (--epochs) to go on to another number")
        if epochs != before and epochs <= content["epoch"]:
            done = counted(content["epoch"], "epoch")
            raise CheckpointError(f"epochs must be more than the {done} that the run in output has done; got {epochs}")
        if content["computed_with"] != self.computed_with():
            difference = _differences(content["computed_with"], self.computed_with())
            warnings.warn(f"resume: {difference}; the last bits may differ from those of an unbroken run", stacklevel=3)
        if self.training.average is not None and content.get("averaging") != RULE:
            warnings.warn(f"resume: the run began with another average; it goes on with {RULE}", stacklevel=3)
        self.training.restore(content)
        self.initial, self.started = content.get("initial", {}), content["clock"]["started"]
        self.continued = content.get("continued", [])
        if epochs != before:
            at = {"from_epoch": self.training.epoch, "from_step": self.training.step, "at": environment.now()}
            self.continued = [*self.continued, {**at, "epochs_before": before, "epochs": epochs}]
            self.training.stopped = ""

    def _as_written_now(self, name: str, theirs: Any, content: dict[str, Any]) -> Any:
        """An entry of `identity`: older files lack some, and a folder has a name from every working directory."""
        data = self.training.whole
        if name == "recipe":
            return {**asdict(Recipe()), **theirs}
        if name == "model":
            ours, defaults = description(self.training.model), fields(self.training.model.config)
            new = {d.name: d.default for d in defaults if d.name in ours["settings"]}
            return {"modules": ours["modules"], **theirs, "settings": {**new, **theirs["settings"]}}
        if name == "data":
            moved = (folder := provenance.folder(data)) and content.get("folder") == folder
            labels = {key: value for key, value in data.checksums().items() if key in LABELS}
            return {**labels, **theirs, **({"name": data.name} if moved else {})}
        return theirs


def _other(name: str, theirs: Any, ours: Any) -> str:
    """Say what differs, and what works instead."""
    if name == "frozen":
        both = ((theirs, ours, "there"), (ours, theirs, "here"))
        alone = next((only[0], where) for a, b, where in both if (only := [w for w in a if w not in b]))
        return f"other frozen parameters: {alone[0]} is frozen {alone[1]} alone"
    return f"another {name}: {_differences(theirs, ours)}"


def _differences(theirs: Any, ours: Any) -> str:
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        return f"{theirs!r} there, {ours!r} here"
    for name in ours:
        if theirs.get(name) != ours[name]:
            found = _differences(theirs.get(name), ours[name])
            return found if name == "settings" else f"{name} is {found}"
    return f"{theirs} there, {ours} here"
