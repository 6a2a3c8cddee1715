"""The folder of a run: its checkpoints, its record, its history, and the lock."""

from __future__ import annotations

import csv
import io
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from os.path import isdir  # for a name that is too long it returns False
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nets.common.checked_file import is_whole, write_atomically
from nets.common.paths import make_folder
from nets.models import checkpoint as checkpoints
from nets.models.checkpoint import CheckpointError
from nets.runs import record
from nets.runs.checkpoint_interval import CheckpointInterval
from nets.runs.lock import Lock
from nets.runs.model_card import FILE as CARD
from nets.runs.model_card import model_card
from nets.runs.resume import Run
from nets.training.dense_evaluation import DenseEvaluation
from nets.training.loop import Result

HISTORY, CURVE, PREDICTIONS = "history.csv", "learning_curve.png", "predictions.png"
Moment = tuple[int, int, str, list[int]]
"""Epoch, step, why the run stopped, and the epochs after which the test part was looked at."""
draw_history: Callable[[list[dict[str, Any]], Path], None] | None = None
"""Draws a history into a file: `nets.plot.learning_curve`, set by `nets`, as nothing here imports plots."""
draw_predictions: Callable[[DenseEvaluation, Path], None] | None = None
"""Draws predictions into a file: `nets.plot.predictions`."""


class RunFolder:
    """checkpoint.pt, checkpoint.previous.pt, record.json, history.csv, learning_curve.png and model_card.md of one run.

    Where a target belongs to every point, predictions.png too.

    `with` locks it; where an exception ends the block, the record says so. A file that cannot be written, as on a full
    disk, is a warning and the training goes on; only the last checkpoint of a run must be written.

    Args:
        path: the folder, which is made where there is none.
        interval: how often a checkpoint is written.
    """

    def __init__(self, path: Path, interval: CheckpointInterval) -> None:
        self.path, self.interval = path, interval
        self.checkpoint = path / checkpoints.FILE
        self._record: dict[str, Any] = {}
        self._kept: Moment | None = None  # that of the last checkpoint
        self._tried = (0, 0, time.monotonic())  # epoch, step and time of the last attempt

    def __enter__(self) -> Self:
        """Raises FolderInUseError, a ValueError, where another process writes there."""
        self._made = not isdir(self.path)
        make_folder("output", self.path)
        self._lock = Lock(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._record:
            status = "interrupted" if issubclass(kind, KeyboardInterrupt) else "failed"
            self._write_record({"status": getattr(error, "status", status), "message": str(error) or kind.__name__})
        self._lock.release()
        if self._made and not any(self.path.iterdir()):
            self.path.rmdir()  # the run never began

    def claim(self, resume: bool) -> dict[str, Any] | None:
        """The checkpoint to go on from, or None for a new run."""
        names = (checkpoints.FILE, checkpoints.PREVIOUS, record.FILE, HISTORY, CURVE)
        found = [self.path / name for name in names if (self.path / name).exists()]
        if found and not resume:
            hint = "choose another folder, or resume=True (--resume)"
            raise CheckpointError(f"output: {found[0]} belongs to a run already; {hint}")
        if not any(file.name in (checkpoints.FILE, checkpoints.PREVIOUS) for file in found):
            return None
        return checkpoints.read(self.path)

    def begin(self, run: Run, recipe: Mapping[str, Any]) -> None:
        """Write the record of a run that is about to compute; `recipe` has its name, its source and the overrides."""
        path = self.path / record.FILE
        content = {"format": record.FORMAT, "status": "running", "message": "", **record.describe(run, recipe)}
        if run.training.step:
            content |= record.resume(path, run)
        record.write(path, content | record.progress(run))
        self._record = content
        self._kept = _moment(run) if run.training.step else None
        self._tried = (run.training.epoch, run.training.step, time.monotonic())

    def due(self, run: Run, steps: int = 0) -> bool:
        """Tell whether a checkpoint is due, after `steps` more."""
        epoch, step, then = self._tried
        seconds = time.monotonic() - then
        done, epochs = run.training.step + steps - step, run.training.epoch - epoch
        return self.interval.due(steps=done, epochs=epochs, seconds=seconds)

    def keep(self, run: Run) -> None:
        """Write a checkpoint, unless the last one is of this step."""
        if _moment(run) != self._kept:
            self._write_checkpoint(run)
            self._write_record(record.progress(run))

    def end_epoch(self, run: Run) -> None:
        """The checkpoint, if one is due, before what can be made again from it."""
        if _moment(run) != self._kept and self.due(run):
            self._write_checkpoint(run)
        self._write_history(run)
        self._write_record(record.progress(run))

    def finish(self, run: Run, evaluation: Result) -> None:
        """Write the last checkpoint, the result, the learning curve and the model card."""
        if self._kept is None or _moment(run)[:3] != self._kept[:3]:
            try:
                self._save(run)
            except OSError as error:
                why = f"{self.checkpoint} cannot be written ({error.strerror}); {self.last()}"
                raise OSError(error.errno, f"{why}; free some space and resume the run") from error
        elif _moment(run) != self._kept:  # the figures of the test part, which a resumed run finds again
            self._write_checkpoint(run)
        self._write_history(run)
        result = {"message": run.training.ending, "result": record.result(run, evaluation)}
        self._write_record({"status": "finished", **record.progress(run), **result})
        if draw_history is not None:
            self._try(CURVE, partial(draw_history, run.training.history, self.path / CURVE))
        if draw_predictions is not None and isinstance(evaluation, DenseEvaluation):
            self._try(PREDICTIONS, partial(draw_predictions, evaluation, self.path / PREDICTIONS))
        self._try(CARD, lambda: record.write_text(self.path / CARD, model_card(self._record)))

    def last(self) -> str:
        """Where the last checkpoint is, in words."""
        if self._kept is None:
            return "there is no checkpoint yet"
        whole = next((f for f in (self.checkpoint, self.path / checkpoints.PREVIOUS) if is_whole(f)), self.checkpoint)
        epoch, step, *_ = self._kept
        return f"the last checkpoint is {whole} (epoch {epoch}, step {step})"

    def _write_checkpoint(self, run: Run) -> None:
        self._try(checkpoints.FILE, lambda: self._save(run))
        self._tried = (run.training.epoch, run.training.step, time.monotonic())

    def _save(self, run: Run) -> None:
        checkpoints.save(self.path, run.content())
        self._kept = _moment(run)

    def _write_history(self, run: Run) -> None:
        self._try(HISTORY, lambda: write_atomically(self.path / HISTORY, _table(run.training.history).encode()))

    def _write_record(self, changes: Mapping[str, Any]) -> None:
        self._record |= changes
        self._try(record.FILE, lambda: record.write(self.path / record.FILE, self._record))

    def _try(self, name: str, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            reason = error.strerror or str(error)
            warnings.warn(f"output: {self.path / name} cannot be written ({reason}); {self.last()}", stacklevel=2)


def _moment(run: Run) -> Moment:
    training = run.training
    return training.epoch, training.step, training.stopped, training.tested


def _table(history: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    names = dict.fromkeys(name for row in history for name in row)  # rows of earlier versions have other columns
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
