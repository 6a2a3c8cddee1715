"""Loss and leading figure of an epoch, kept on the device: reading a number there waits for all work before it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from nets.training.distributed import Ranks

LOSS, FIGURE, KEEP, STOP, LATE = range(5)


@dataclass
class Sums:
    """Sums over the steps of the epoch under way, in all processes; it began at `began` of the training's seconds.

    `correct` is the sum of the leading figure of the objective: images that were right, or relative errors.
    """

    steps: int = 0
    loss: float = 0.0
    correct: float = 0
    images: int = 0
    began: float = 0.0


class NotFiniteError(ArithmeticError):
    """The loss of a step of the epoch, counted from 1, is not finite."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"the loss is {loss} at step {step} of the epoch")
        self.step, self.loss = step, loss


class Tally:
    """Bring the sums of an epoch up to date every few steps, on all processes together.

    Attributes:
        loss, figure: means of the steps between the last two reads; `images` of them.
        keep, stop, late: whether, by then, a process had asked for a checkpoint, to stop, or had no time left.
    """

    def __init__(self, sums: Sums, ranks: Ranks, device: torch.device, every: int) -> None:
        self.sums, self.ranks = sums, ranks
        self.window = torch.zeros(every, 5, dtype=torch.float64, device=device)
        self.counts: list[int] = []
        self.loss, self.figure, self.images = 0.0, 0.0, 0
        self.keep, self.stop, self.late = False, False, False

    def add(
        self, loss: Tensor, figure: Tensor, images: int, *, keep: bool = False, stop: bool = False, late: bool = False
    ) -> None:
        """A step: sums over this process's images, of which all processes together have `images`."""
        row = self.window[len(self.counts)]
        row[LOSS], row[FIGURE] = loss, figure
        for column, asked in ((KEEP, keep), (STOP, stop), (LATE, late)):
            if asked:
                row[column] = 1
        self.counts.append(images)

    def read(self, at_once: bool = False) -> bool:
        """Bring the sums up to date where the window is full, or at once; tell whether that was done."""
        counts, sums = self.counts, self.sums
        if not counts or (len(counts) < len(self.window) and not at_once):
            return False
        rows = self.ranks.sum(self.window).tolist()[: len(counts)]
        self.window.zero_()
        self.counts = []
        for number, (row, count) in enumerate(zip(rows, counts, strict=True), 1):
            if not isfinite(row[LOSS]):
                raise NotFiniteError(sums.steps + number, row[LOSS] / count)
        self.images = sum(counts)
        loss, figure = (sum(row[column] for row in rows) for column in (LOSS, FIGURE))
        self.loss, self.figure = loss / self.images, figure / self.images
        self.keep, self.stop, self.late = (any(row[column] for row in rows) for column in (KEEP, STOP, LATE))
        sums.steps, sums.images = sums.steps + len(counts), sums.images + self.images
        sums.loss, sums.correct = sums.loss + loss, sums.correct + figure
        return True
