"""The cycles by name, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import mgcore

CYCLES: dict[str, Callable[..., Any]] = {
    "V": mgcore.v_cycle,
    "W": mgcore.w_cycle,
    "F": mgcore.f_cycle,
    "backslash": mgcore.backslash_cycle,
}
VISITS = {"V": lambda l: 1, "W": lambda l: 2**l, "F": lambda l: l + 1, "backslash": lambda l: 1}
"""How often a cycle visits level l, counted from 0."""


@cache
def work_units(nonzeros: tuple[int, ...], sweeps: tuple[int, int], cycle: str, cycles: int) -> float:
    """See `Multigrid.work_units`; `nonzeros` are those of the operators per level, `sweeps` those down and up."""

    def cost(kind: str, start: int) -> float:
        each = sweeps[0] + (0 if kind == "backslash" else sweeps[1]) + 2
        return sum(VISITS[kind](l) * n * each for l, n in enumerate(nonzeros[start:])) / nonzeros[0]

    if cycle != "fmg":
        return cycles * cost(cycle, 0)
    nested = sum(cost("V", start) for start in range(len(nonzeros)))
    return (nested if cycles else 0.0) + max(0, cycles - 1) * cost("V", 0)
