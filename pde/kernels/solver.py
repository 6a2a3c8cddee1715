"""A solver's levels as fused ones, and its cycles on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

import mgcore
from mgcore import Level
from pde.grid import Array
from pde.kernels.level import FusedLevel, Interpolated, Pending, Rows, Sweeping, Tail
from pde.kernels.tables import Tables
from pde.operators import StencilOperator
from pde.smoothers import red_black
from pde.transfer import BilinearTransfer, CubicInterpolation

TAIL = 1 << 13
"""Levels with at most so many unknowns go into one call."""

LARGEST_DIRECT = 64
"""Unknowns of the coarsest level at most: it is solved with a dense inverse."""


class Fused:
    """The cycles of a solver on fused levels; see `fuse`."""

    def __init__(self, levels: Sequence[Level], packed: Any, sweeping: Sweeping, threads: int) -> None:
        self.dtype = packed[1].dtype
        self.shape = levels[0].info.grid.shape
        start = next(l for l, level in enumerate(levels) if level.info.grid.size <= TAIL or l == len(levels) - 1)
        self.levels: list[Any] = [FusedLevel(levels[l], packed, l, sweeping, threads) for l in range(start)]
        self.levels.append(Tail(levels[start:], packed, start, sweeping))
        self.volume = float(np.sum(levels[0].info.operator.volumes))

    def v_cycle(self, f: Array, u: Array | None, out: Array) -> float:
        """One V-cycle to `out`, which may be u; returns the root mean square of f - A u over the box."""
        return self._rms(mgcore.v_cycle(self.levels, f, u).write(out, norm=True))

    def full_multigrid(self, f: Array, out: Array, norm: bool = True) -> float:
        """One pass of full multigrid for zero boundary data; as `v_cycle`."""
        if len(self.levels) == 1:
            return self._rms(self.levels[0].nested(f, Rows(out.reshape(-1), False), norm))
        u = mgcore.full_multigrid(
            self.levels,
            f,
            interpolate=[lambda u: Interpolated(u.stored())] * (len(self.levels) - 1),
            restrict_data=[
                partial(level.restrict_data, coarse=coarse)
                for level, coarse in zip(self.levels[:-1], self.levels[1:], strict=True)
            ],
            cycle=self._nested,
        )
        return self._rms(u.write(out, norm=norm))

    def _nested(self, levels: Sequence[Any], f: Any, u: Any) -> Pending:
        if len(levels) > 1:
            return mgcore.v_cycle(levels, f, u)
        tail = levels[0]
        tail.nested(f)
        return Pending(tail, tail.start(f, tail.room["u"]))

    def _rms(self, total: float) -> float:
        return float(np.sqrt(total / self.volume))


def fuse(levels: Sequence[Level], interpolations: Sequence[CubicInterpolation], threads: int) -> Fused | str:
    """Fused levels for plain ones, or a sentence that says why there are none."""
    infos = [level.info for level in levels]
    ndim, dtype = infos[0].grid.ndim, np.dtype(infos[0].operator.diagonal_dtype)
    if ndim not in (2, 3):
        return f"the kernels are for two and three dimensions, the grid has {ndim}"
    if len(levels) > 1 and not all(getattr(level.B[0], "func", None) is red_black for level in levels[:-1]):
        return "the kernels make red-black sweeps, and the smoother is another"
    if infos[-1].grid.size > LARGEST_DIRECT:
        return "the coarsest level is large"
    tables = Tables(dtype)
    for level, interpolation in zip(levels[:-1], interpolations, strict=True):
        info, terms = level.info, level.info.operator.terms
        if not isinstance(info.operator, StencilOperator) or not isinstance(info.to_coarse, BilinearTransfer):
            return "the kernels are for rediscretised operators and bilinear transfers"
        if terms.varies or not isinstance(terms.reaction, float):
            return "the kernels are for constant coefficients"
        if any(axis.periodic and axis.n % 2 for axis in info.grid.axes):
            return f"a periodic axis has an odd number of unknowns on the grid {info.grid.shape}"
        if not tables.add(info.grid, terms, level.B[0].args[1], interpolation):
            return "the last axis is stretched"
    return Fused(levels, tables.pack(), _sweeping(levels[0]), threads)


def _sweeping(level: Level) -> Sweeping:
    def reverse(B: Sequence[Any]) -> bool:
        return bool(B and B[0].keywords.get("reverse", False))

    return Sweeping(len(level.B), len(level.B_post), reverse(level.B), reverse(level.B_post))
