"""The interval between two checkpoints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf
from typing import Any

from nets.runs.time_limit import SECONDS

ALLOWED = "a number of steps, or an interval such as '5 min', '200 steps', '2 epochs' or '1 epoch, 5 min'"


@dataclass(frozen=True)
class CheckpointInterval:
    """After so many steps, epochs or seconds, whichever comes first: no more than that is lost."""

    steps: float = inf
    epochs: float = inf
    seconds: float = inf

    @classmethod
    def parse(cls, value: Any) -> CheckpointInterval:
        """'1 epoch, 5 min', or a number of steps."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise TypeError(f"checkpoint_every must be {ALLOWED}; got {value!r}")
        found: dict[str, float] = {}
        for part in str(value).split(","):
            match = re.fullmatch(r"(\d+(?:\.\d+)?) *(steps?|epochs?|s|m|min|h|)", part.strip())
            number, unit = (float(match[1]), match[2]) if match else (0.0, "")
            name = "seconds" if unit in SECONDS else "epochs" if unit.startswith("epoch") else "steps"
            if number <= 0 or name in found or (name != "seconds" and not number.is_integer()):
                raise ValueError(f"checkpoint_every must be {ALLOWED}, of numbers > 0; got {value!r}")
            found[name] = number * SECONDS.get(unit, 1)
        return cls(**found)

    def due(self, *, steps: int, epochs: int, seconds: float) -> bool:
        """Tell whether to write, so many steps, whole epochs and seconds after the last checkpoint."""
        return steps >= self.steps or epochs >= self.epochs or seconds >= self.seconds
