"""The backend of nonlinear problems: `mgcore`'s cycles as the full approximation scheme."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mgcore import Event, Iteration, Remaining, traced
from pde.backends.base import Backend
from pde.backends.data import Data, Norms, Vector
from pde.backends.iterations import Cycling, nested_iteration
from pde.levels.cubic_interpolation import coarsen_sides
from pde.levels.hierarchy import Hierarchy
from pde.levels.nonlinear import with_sides
from pde.problem.grid import Array, Sides

TOO_LARGE = 10.0
"""A cycle that raises the residual by this factor, or leaves the range of numbers, is made again with shorter steps."""

COARSER, DOUBTFUL = 2, 100.0
"""A pass is compared with the first guess on a grid so many levels coarser, which costs a sixteenth, and with that on
the finest one if its residual is not so many times smaller than a failure's there."""

SHARES = (0.25, 1 / 16, 1 / 64, 1 / 256)
"""The shares of the residual that a cycle made again is to remove."""


class FullApproximation(Backend):
    """Runs cycles on nonlinear levels, whose operators hold the values on Dirichlet sides."""

    def __init__(self, hierarchy: Hierarchy, dtype: np.dtype, why: str) -> None:
        super().__init__(hierarchy, dtype, why=why)
        self.runs_in = "NumPy" if why else "Numba"
        self._report: Callable[[Event], Any] | None = None

    def describe(self) -> str:
        return super().describe() if self.why else "compiled kernels around functions of u, Numba"

    def with_sides(self, sides: Sides) -> FullApproximation:
        """The same for these boundary data."""
        other = copy.copy(self)
        other.hierarchy = replace(self.hierarchy, levels=with_sides(self.hierarchy.levels, sides))
        return other._reporting(self._report)

    def traced(self, report: Callable[[Event], Any]) -> FullApproximation:
        return copy.copy(self)._reporting(report)

    def _reporting(self, report: Callable[[Event], Any] | None) -> FullApproximation:
        """Itself, with moves that report; None: with moves that do not."""

        def norm(number: int, r: Vector) -> float:
            return float(np.max(self.norms(r, level=number - 1)))

        levels, self._report = self.hierarchy.levels, report
        self.moves = levels if report is None else traced(levels, report, norm)
        return self

    def fold(self, f: Vector, sides: Sides, *, level: int = 0) -> Vector:
        """f with the data of Neumann and Robin sides of the level in it."""
        folded: Vector = self.hierarchy.levels[level].info.operator.add_fluxes(f, sides)
        return folded

    def full_multigrid(self, data: Data, *, out: Vector = None, measure: str | None = None) -> tuple[Vector, Norms]:
        backend = self.with_sides(data.sides)
        u, norms = nested_iteration(backend, data)
        if measure == "iterate":  # for the user; solves measure the residual, and make a failed pass again
            backend._check_pass(u, data)
        return u, norms

    def _check_pass(self, u: Vector, data: Data) -> None:
        """Refuse a pass of full multigrid that raises the residual of the first guess as no cycle may.

        Raises:
            ArithmeticError: naming the growth and the remedy.
            ValueError: the coefficient is not positive.
        """
        self.hierarchy.levels[0].A.check_coefficient(u)
        rhs = self.fold(data.nodal, data.sides)
        after = self.norms(rhs - self.apply(u))
        if np.all(after <= TOO_LARGE / DOUBTFUL * self._first_norms(data, COARSER)):
            return
        first = self._first_norms(data, 0)
        failed = ~(after <= TOO_LARGE * (first + self.rounding(u, self.norms(rhs))))
        if failed.any():
            k = int(np.argmax(failed))
            raise ArithmeticError(
                f"full_multigrid: the pass took the residual from {first[k]:.2e} to {after[k]:.2e}, as nonlinear terms "
                "or their derivatives are too large for one cycle per level, or there is no solution; solve makes "
                "failed cycles again with shorter steps, and tells whether they converge"
            )

    def _first_norms(self, data: Data, level: int) -> np.ndarray:
        """The residual norms of the first guess, on the finest grid or a coarser one."""
        f, sides = data.nodal, data.sides
        for each in self.hierarchy.interpolations[:level]:
            f, sides = each.restrict_data(f), coarsen_sides(sides, each.fine, each.which)
        level = min(level, len(self.hierarchy.levels) - 1)
        rhs, here = self.fold(f, sides, level=level), self.hierarchy.levels[level]
        return self.norms(rhs - here.A(here.start(rhs).u), level=level)

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Iteration:
        return Approximating(self.with_sides(data.sides), kind, data, u, out)

    def rounding(self, u: Vector, sizes: np.ndarray) -> np.ndarray:
        A: Any = self.hierarchy.levels[0].A
        return np.asarray(np.finfo(self.dtype).eps * (2 * self.norms(A.slope(u) * u) + sizes))


class Approximating(Cycling):
    """One cycle at a time, with shorter steps where a cycle fails."""

    _backend: FullApproximation

    def norms(self) -> Sequence[float]:
        return self._backend.norms(self._residual()).tolist()

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        nested, old = self._u is None and self._kind == "fmg", self._u
        old = self._begin() if old is None else old
        before = np.array([member.last * member.scale for member in left])
        after = np.array([norms[-1] for norms in super().advance(left)]) * [member.scale for member in left]
        failed = ~(after <= TOO_LARGE * before)
        for share in self._retries(nested):
            if not failed.any():
                break
            u, norms = self._shorter(old, share)
            better = failed & ~(norms >= after)
            assert self._u is not None
            self._u, after = np.where(_column(better, u), u, self._u), np.where(better, norms, after)
            failed &= ~(after <= before)
        self._check_coefficient(np.where(_column(np.isfinite(after), old), self._u, old))
        return [[float(norm) / member.scale] for norm, member in zip(after, left, strict=True)]

    def methods(self) -> Sequence[tuple[str, bool]]:
        """Of all members, what made their iterates, and whether these are cycles alone."""
        return [("fas", True)] * (len(self._members) + len(self._ended))

    def _retries(self, nested: bool) -> Sequence[float]:
        """The shares of the residual that cycles in the place of a failed one are to remove."""
        return (1.0, *SHARES) if nested else SHARES

    def _check_coefficient(self, u: Any) -> None:
        self._backend.hierarchy.levels[0].A.check_coefficient(u)

    def keep(self, members: Sequence[int]) -> None:
        super().keep(members)
        self._backend = self._backend.with_sides(self._data.sides)

    def _shorter(self, old: Array, share: float) -> tuple[Array, np.ndarray]:
        """The iterate and norms of a V-cycle from `old` that is to remove a share of the residual."""
        at = self._backend.apply(old)
        u, _ = self._backend.cycle("V", Data(at + old.dtype.type(share) * (self._data.rhs - at)), old)
        return u, self._backend.norms(self._data.rhs - self._backend.apply(u))

    def _residual(self) -> Vector:
        return self._data.rhs - self._backend.apply(self._begin() if self._u is None else self._u)

    def _current(self, members: list[int] | None = None) -> Array:
        if self._u is not None:
            return super()._current(members)
        guess: Array = self._begin()
        return guess if members is None else guess[members]

    def _begin(self) -> Any:
        """The first guess of a solve that has none."""
        level = self._backend.hierarchy.levels[0]
        guess: Any = level.start(self._data.rhs).u
        return guess


def _column(members: np.ndarray, u: Array) -> np.ndarray:
    return members.reshape((-1,) + (1,) * (u.ndim - 1))
