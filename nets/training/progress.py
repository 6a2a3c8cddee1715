"""Progress of a training: a bar on a terminal, and a line after every epoch there and in a log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nets.common.formatting import duration
from nets.common.paths import on_terminal, say
from nets.training.metrics import Tally
from nets.training.objective import FIGURES, said
from nets.training.precision import Precision
from nets.training.state import Training

BAR = "{desc} |{bar}| {percentage:.0f} % [{elapsed}<{remaining}, {rate_fmt}]"
"""The loss stands at the left: what a terminal has no columns for is cut off at the right."""


class Progress:
    """Report a run on stderr, from its first process; a log gets whole lines, each at once.

    Args:
        shown: whether to report; None reports.
        precision: the choice for precision="auto".
        start: a line on the weights that the run starts from, and those that it leaves alone.
    """

    def __init__(
        self, shown: bool | None, training: Training, precision: Precision | None = None, start: str = ""
    ) -> None:
        from tqdm import tqdm

        self.training, self.shown = training, shown is not False and training.ranks.first
        batches = training.batches()
        images = sum(map(len, batches))
        if self.shown and training.epoch < training.recipe.epochs:
            epochs = f"epochs {training.epoch + 1} to {training.recipe.epochs}, {len(batches)} steps each"
            say(f"{training.model.config.notation} on {training.whole.name}: {epochs}")
            if start:
                say(start)
            if precision is not None:
                say(f"computed in {precision}")
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


def epoch_line(row: Mapping[str, Any], epochs: int) -> str:
    """Format a row of the history."""
    parts = [f"loss {row['loss']:.4f}", *(said(name, row[name]) for name in FIGURES if name in row)]
    for part in ("validation", "test"):
        columns = [(name, row.get(f"{part}_{name}")) for name in FIGURES]
        parts += [f"{part} {said(name, value)}" for name, value in columns if value is not None]
    return f"epoch {row['epoch']} of {epochs}: {', '.join(parts)}, {duration(row['seconds'])}"
