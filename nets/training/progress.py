"""Progress of a training: a bar on a terminal, and a line after every epoch there and in a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nets.common.formatting import duration
from nets.common.paths import on_terminal, say
from nets.training.metrics import Tally
from nets.training.objective import FIGURES, said
from nets.training.state import Training

BAR = "{desc} |{bar}| {percentage:.0f} % [{elapsed}<{remaining}, {rate_fmt}]"
"""The loss stands at the left: what a terminal has no columns for is cut off at the right."""


class Progress:
    """Report a run on stderr, from its first process; a log gets whole lines, each at once.

    Args:
        shown: whether to report; None reports.
        header: lines about the run, for its beginning.
    """

    def __init__(self, shown: bool | None, training: Training, header: Sequence[str] = ()) -> None:
        from tqdm import tqdm

        self.training, self.shown = training, shown is not False and training.ranks.first
        batches = training.batches()
        images = sum(map(len, batches))
        if self.shown and not training.ended:
            epochs = f"epochs {training.epoch + 1} to {training.recipe.epochs}, {len(batches)} steps each"
            for line in (*header, epochs):
                say(line)
        self.bar: Any = tqdm(
            total=training.recipe.epochs * images,
            initial=training.epoch * images + training.sums.images,
            unit=" images",
            unit_scale=True,
            bar_format=BAR,
            dynamic_ncols=True,
            leave=False,
            disable=not (self.shown and on_terminal()),
        )

    def close(self) -> None:
        self.bar.close()

    def read_losses(self, tally: Tally) -> None:
        """Show the loss and the leading figure of the last steps."""
        where = f"epoch {self.training.epoch + 1} of {self.training.recipe.epochs}"
        words = FIGURES[self.training.objective.figures[0]].words
        self.bar.set_description_str(f"{where}, loss {tally.loss:.3f}, {words} {tally.figure:.3f}", refresh=False)
        self.bar.update(tally.images)

    def end_epoch(self, row: Mapping[str, Any]) -> None:
        """Say what an epoch gave, on a line of its own."""
        if self.shown:
            self.bar.clear()
            say(epoch_line(row, self.training.recipe.epochs))

    def end(self, figures: Mapping[str, Any]) -> None:
        """Say how the network that counts does on the test part, and why it is that one."""
        if self.shown:
            self.bar.clear()
            words = ", ".join(_said("test", figures))
            say(f"{words} ({self.training.ending or 'last epoch'})")


def epoch_line(row: Mapping[str, Any], epochs: int) -> str:
    """Format a row of the history."""
    parts = [f"loss {row['loss']:.4f}", *(said(name, row[name]) for name in FIGURES if name in row)]
    parts += [*_said("validation", row), *_said("test", row)]
    return f"epoch {row['epoch']} of {epochs}: {', '.join(parts)}, {duration(row['seconds'])}"


def _said(part: str, row: Mapping[str, Any]) -> list[str]:
    columns = [(name, row.get(f"{part}_{name}")) for name in FIGURES]
    return [f"{part} {said(name, value)}" for name, value in columns if value is not None]
