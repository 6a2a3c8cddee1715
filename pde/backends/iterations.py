"""Iterations over the cycle of any backend: the nested one of full multigrid, and one cycle after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import mgcore
from mgcore import Remaining
from pde.backends.data import Data, Norms, Vector
from pde.backends.full_multigrid import (
    data_restrictions,
    further_cycles,
    interpolations,
    sides_of_every_grid,
)
from pde.common.arrays import copied, namespace, zeros
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array


def nested_iteration(
    backend: Any, data: Data, *, out: Array | None = None, measure: str | None = None
) -> tuple[Vector, Norms]:
    """One pass from the coarsest grid to the finest: u interpolated, then one V-cycle, on each; see `further_cycles`.

    It begins with a direct solution on a finer grid where that is cheap; see `DirectStart`.

    Rediscretised levels have the equation itself, with f and the boundary data of their grid. Operators R A P have
    right-hand sides R (f - A E g), f with g folded in; see `BoundaryTerm`.
    """
    hierarchy: Hierarchy = backend.nested()
    sides = sides_of_every_grid(data.sides, hierarchy)
    galerkin, start = hierarchy.choices.coarse == "galerkin", hierarchy.start
    count = len(hierarchy.levels) if start is None else start.level + 1
    norms: Norms = None

    def cycle(levels: Sequence[int], f: Vector, u: Vector | None) -> Vector:
        nonlocal norms
        level = levels[0]
        if not galerkin:
            f = backend.project(backend.fold(f, sides[level], level=level), level=level)
        if start is not None and level == start.level:
            return backend.solve_directly(f)
        u, norms = backend.cycle("V", Data(f), u, level=level, measure=measure)
        return u

    f = backend.project(backend.fold(data.nodal, sides[0])) if galerkin else data.nodal
    u = mgcore.full_multigrid(
        range(count),  # type: ignore[arg-type]
        f,
        interpolate=interpolations(hierarchy, sides)[: count - 1],
        restrict_data=data_restrictions(hierarchy, sides)[: count - 1],
        cycle=cycle,
    )
    for _ in range(further_cycles(hierarchy)):
        u = cycle(range(len(hierarchy.levels)), f, u)
    return u, norms


class Cycling:
    """One cycle at a time, u <- cycle(u); see `mgcore.Iteration` and `Backend.start`."""

    def __init__(self, backend: Any, kind: str, data: Data, u: Array | None = None, out: Array | None = None) -> None:
        self._backend, self._kind, self._out = backend, kind, out
        self._data = data.each(backend.vector)
        self._sizes: np.ndarray = backend.norms(self._data.rhs) if data.sizes is None else data.sizes
        self.scale: Sequence[float] = self._sizes.tolist()
        self._none = data.rhs[:0]
        self._u = None if u is None else backend.vector(u)
        self._owned = False  # whether u may be overwritten: it is neither the user's nor given away
        self._last = out is not None  # whether u is asked for once
        self._guess = self._u
        self._members = list(range(len(self._sizes)))
        self._ended: dict[int, Array] = {}
        self._indefinite: np.ndarray | None = None  # where conjugate gradients met (p, A p) <= 0

    def norms(self) -> Sequence[float]:
        if self._u is None and self._data.sizes_are_norms and not self._backend.hierarchy.choices.singular:
            return self._sizes.tolist()
        return self._backend.norms(self._residual()).tolist()

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        if self._u is None and self._kind == "fmg":
            u, norms = self._backend.full_multigrid(self._data, out=self._take_out(), measure="residual")
        else:
            kind, out = "V" if self._kind == "fmg" else self._kind, self._u if self._owned else None
            u, norms = self._backend.cycle(kind, self._data, self._u, out=out, measure="residual")
        return self._accept(u, norms, left)

    def attainable(self) -> Sequence[float] | None:
        return None if self._u is None else self._backend.rounding(self._backend.project(self._u), self._sizes).tolist()

    def failures(self) -> Sequence[str | None]:
        wrong = self._indefinite
        return [None] * len(self._members) if wrong is None else ["indefinite" if each else None for each in wrong]

    def u(self) -> Array:
        current = self._current()
        self._owned = False
        if not self._ended:
            return current
        every = {**self._ended, **dict(zip(self._members, current, strict=True))}
        return namespace(current).stack([every[i] for i in sorted(every)])

    def keep(self, members: Sequence[int]) -> None:
        going = set(members)
        ended = [k for k in range(len(self._members)) if k not in going]
        for k, u in zip(ended, self._current(ended), strict=True):
            self._ended[self._members[k]] = copied(u)
        self._members, self._indefinite = [self._members[k] for k in members], None
        self._data, self._sizes = self._data.select(members, self._none.ndim - 1), self._sizes[members]
        self._out = None
        if self._u is not None:
            self._u, self._owned = self._u[members], True

    def _take_out(self) -> Array | None:
        """The user's memory for the result, once: iterates in it may be given away."""
        out, self._out = self._out, None
        return out

    def _residual(self) -> Vector:
        return self._data.rhs if self._u is None else self._data.rhs - self._backend.apply(self._u)

    def _accept(self, u: Vector, norms: Norms, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        """Take the new iterate; its norms, relative to the scale of each member."""
        self._u, self._owned = u, True
        measured = self.norms() if norms is None else norms
        return [[norm / member.scale] for norm, member in zip(measured, left, strict=True)]

    def _current(self, members: list[int] | None = None) -> Array:
        """The iterates of the members that take part, or of some of them, in memory that is not the user's."""
        count = len(self._members if members is None else members)
        if self._u is None:
            return zeros((count, *self._none.shape[1:]), self._none)
        u = self._u if members is None else self._u[members]
        out = u if self._owned and self._last and members is None else None
        array: Array = self._backend.array(self._backend.project(u, out=out))  # cycles let the mean drift
        return copied(array) if array is self._guess else array
