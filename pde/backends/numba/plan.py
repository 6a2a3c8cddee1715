"""A plan: the steps of a cycle over buffers that it names.

It can be printed, pickled, and run by any `Executor` of the same levels, in one call or leg by leg.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from pde.backends.numba.buffers import NULL, Buffer
from pde.backends.numba.fused_sweep import CUBIC, INNER, ITERATE, RESIDUAL, ZERO
from pde.backends.numba.interpreter import COMBINE, DIRECT, FIND, FOLD, HALO, OUTER, PASS, RHS, SUBTRACT, SUM
from pde.problem.grid import Array

SUMS = {RESIDUAL: "norm of the residual", ITERATE: "norm of u", INNER: "inner product of f and u"}

WORDS = {
    RHS: "restrict right-hand side",
    DIRECT: "solve directly",
    HALO: "copy halo",
    COMBINE: "combine iterates",
    FIND: "find numbers",
    FOLD: "fold boundary data",
    SUM: "sum planes",
    SUBTRACT: "subtract mean",
    OUTER: "add products",
}


@dataclass(frozen=True, eq=False)
class Plan:
    """Steps in their order.

    Args:
        steps: an array of `interpreter.Step`.
        divisions: of the work space; steps hold their numbers.
        buffers: what the indices in steps stand for.
        grids: the shape of each level.
        again: the step that rounds after the first begin with, and the end of the first; 0: each has all steps.
    """

    steps: Array
    divisions: Array
    buffers: tuple[Buffer, ...]
    grids: tuple[tuple[int, ...], ...]
    again: int = 0

    @cached_property
    def blocks(self) -> int:
        """The most blocks of any step: more threads would have no work."""
        return int(self.steps["blocks"].max())

    @cached_property
    def level(self) -> int:
        """The level that it begins and ends on."""
        return int(self.steps["level"][-1])

    @cached_property
    def planes(self) -> int:
        """Planes of the last step, or tiles of all of them, over which it may sum."""
        return int(self.steps["planes"][-1] * self.steps["tiles"][-1])

    @cached_property
    def work_size(self) -> int:
        """Numbers of the work space of a thread."""
        return int(self.divisions["size"].max())

    def legs(self, alone: tuple[int, ...] = (), singly: bool = False) -> Iterator[Plan]:
        """Cut the first round into legs, which make the same steps one after the other.

        Args:
            alone: kinds of steps that are a leg each. singly: every step is a leg.
        """
        every = self.steps[: self.again or None]
        single = np.isin(every["op"], alone) | singly
        cuts = [0, *(k for k in range(1, len(every)) if single[k] or single[k - 1]), len(every)]
        for begin, end in pairwise(cuts):
            steps = every[begin:end].copy()
            steps["blocks"][0] = max(steps["blocks"][0], 1)
            yield replace(self, steps=steps, again=0)

    def __str__(self) -> str:
        """Say what the steps do, one a line."""
        rows = [("level", "grid", "does", "reads", "writes"), *map(self._row, self.steps)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def _row(self, step: Any) -> tuple[str, ...]:
        level = len(self.grids) - 1 if step["op"] == DIRECT and not step["start"] else int(step["level"])
        name = {field: self.buffers[step[field]].name for field in ("f", "u", "halo", "coarse", "out", "f_coarse")}
        reads, writes = {
            PASS: (("f", "u", "halo", "coarse"), ("out", "f_coarse")),
            HALO: (("u",), ("halo",)),
            FOLD: ((), ("out",)),
            SUM: (("f",), ()),
            COMBINE: (("f", "u", "halo", "coarse", "out"), ("f_coarse",)),
            FIND: ((), ()),
        }.get(int(step["op"]), (("f",), ("out",)))
        used = [", ".join(name[field] for field in fields if step[field] != NULL) for fields in (reads, writes)]
        return str(level), " x ".join(map(str, self.grids[level])), self._does(step, name), *used

    def _does(self, step: Any, name: dict[str, str]) -> str:
        if step["op"] != PASS:
            return WORDS[int(step["op"])]
        residual = step["f_coarse"] != NULL or step["norm"] == RESIDUAL
        start = {ZERO: "zero", CUBIC: f"interpolate {name['coarse']}"}.get(int(step["source"]), f"load {name['u']}")
        parts = (
            start,
            f"correct by {name['coarse']}" if step["correct"] else "",
            f"relax x {step['sweeps']}{' backwards' * bool(step['flip'])}" if step["sweeps"] else "",
            "residual" if residual else "",
            f"restrict to {name['f_coarse']}" if step["f_coarse"] != NULL else "",
            f"store {name['out']}" if step["sink"] != ZERO else "",
            SUMS.get(int(step["norm"]), ""),
        )
        return ", ".join(filter(None, parts))
