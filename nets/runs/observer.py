"""The observer of a run: around its steps it keeps checkpoints, reports, and hears who wants it to stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from nets.models.base import Network
from nets.models.modes import evaluating
from nets.runs.directory import RunFolder
from nets.runs.resume import Run
from nets.runs.tensorboard import Events
from nets.runs.time_limit import TimeLimit
from nets.training.loop import Observer
from nets.training.metrics import Tally
from nets.training.progress import Progress
from nets.training.signals import Stop

OnEpoch = Callable[[dict[str, Any], Network], bool | None]


class RunObserver(Observer):
    """Keep what a training gives in the folder of its run, show how it goes, and stop it.

    Args:
        stop, limit: hear signals, and know when the time is over.
        on_epoch: called after every epoch, or None.
    """

    def __init__(
        self,
        run: Run,
        folder: RunFolder | None,
        stop: Stop,
        limit: TimeLimit,
        shown: Progress,
        events: Events,
        on_epoch: OnEpoch | None,
    ) -> None:
        self.run, self.folder, self.stop, self.limit = run, folder, stop, limit
        self.shown, self.events, self.on_epoch = shown, events, on_epoch

    @property
    def signal(self) -> int | None:  # type: ignore[override]
        return self.stop.signal

    @property
    def late(self) -> bool:  # type: ignore[override]
        return self.limit.over

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

    def stops(self, row: dict[str, Any]) -> bool:
        """Call `on_epoch` with a copy of the row and the network, in evaluation mode, whose modes it may change."""
        if self.on_epoch is None:
            return False
        model: Any = self.run.training.trained
        with evaluating(model), torch.enable_grad():
            answer = self.on_epoch(dict(row), model)
        if answer is not None and not isinstance(answer, bool):
            raise TypeError(f"on_epoch must return True, to stop, or False or None; got {answer!r}")
        return bool(answer)

    def end(self, figures: dict[str, Any]) -> None:
        self.shown.end(figures)
        if figures["epoch"] not in self.run.training.tested:
            self.events.add(figures)

    def interruptible(self) -> AbstractContextManager[Any]:
        return self.stop.at_once()

    def last(self) -> str:
        """Where the last checkpoint is, in words."""
        return "there is no checkpoint" if self.folder is None else self.folder.last()
