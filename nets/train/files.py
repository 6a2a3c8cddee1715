"""The folder of a run."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from nets.train import checkpoint as checkpoints
from nets.train.checkpoint import CheckpointError
from nets.train.sealed import write_atomically


class RunFolder:
    """checkpoint.pt, the one before, history.csv and learning_curve.png of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / checkpoints.FILE
        self.previous = path / checkpoints.PREVIOUS
        self.history = path / "history.csv"
        self.curve = path / "learning_curve.png"

    def claim(self, resume: bool) -> dict[str, Any] | None:
        """The record to go on from, or None for a new run.

        Raises:
            ValueError: the path is a file.
            CheckpointError: the folder holds a run and `resume` is False, or its checkpoint cannot be read.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"output must be a folder; {self.path} is a file")
        found = [file for file in (self.checkpoint, self.previous, self.history, self.curve) if file.exists()]
        if found and not resume:
            raise CheckpointError(
                f"output: {found[0]} belongs to a run already; choose another folder, or resume=True (--resume)"
            )
        return checkpoints.read(self.path) if self.checkpoint.exists() or self.previous.exists() else None

    def write(self, record: dict[str, Any], history: list[dict[str, float]]) -> None:
        """The checkpoint first: what follows can be made again from it."""
        self.path.mkdir(parents=True, exist_ok=True)
        checkpoints.save(self.path, record)
        write_atomically(self.history, _table(history).encode())

    def draw(self, history: list[dict[str, float]]) -> None:
        from nets import plot

        plot.learning_curve(history, self.curve)

    def last(self, epoch: int) -> str:
        """Where the last checkpoint is, in words."""
        return f"the last checkpoint is {self.checkpoint} (epoch {epoch})" if epoch else "there is no checkpoint yet"


def _table(history: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
