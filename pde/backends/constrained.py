"""The backend of FASCD: `mgcore`'s cycles on constrained levels, for linear and nonlinear problems with obstacles."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mgcore import Event, Moves, Remaining, traced
from pde.backends.base import Backend
from pde.backends.data import Data, Vector
from pde.backends.iterations import Cycling
from pde.levels.fascd import constrained_levels, injected
from pde.problem.grid import Array, Sides
from pde.problem.nonlinear_operator import NonlinearOperator


class Constrained(Backend):
    """Runs cycles between bounds, on the NumPy levels of another backend.

    Args:
        plain: holds the data of Dirichlet sides where the problem is nonlinear.
        bounds: (lower, upper), each (members or 1, *shape), infinite where there is none.
        nu: sweeps before and after the correction.
        omega: relaxation parameter of the sweeps; None takes what suits them.
    """

    runs_in = "NumPy"

    def __init__(self, plain: Backend, bounds: tuple[Array, Array], nu: tuple[int, int], omega: float | None) -> None:
        choices = replace(plain.hierarchy.choices, singular=False)
        hierarchy = replace(plain.hierarchy, start=None, choices=choices)
        super().__init__(hierarchy, plain.dtype, why="iterates stay between bounds")
        self._plain, self._bounds, self._options = plain, bounds, (nu, omega)
        levels, every = hierarchy.levels, [bounds]
        for level in levels[:-1]:
            every.append(injected(level, every[-1]))
        self._levels = constrained_levels(levels, every, nu, omega)
        self.moves: Sequence[Moves[Any]] = self._levels

    def select(self, members: Sequence[int]) -> Constrained:
        """The same for these members of a batch."""
        chosen = [bound if len(bound) == 1 else bound[members] for bound in self._bounds]
        return Constrained(self._plain, (chosen[0], chosen[1]), *self._options)

    def traced(self, report: Callable[[Event], Any]) -> Constrained:
        def norm(number: int, r: Vector) -> float:
            return float(np.max(self.norms(r, level=number - 1)))

        other = copy.copy(self)
        levels: Any = self._levels
        other.moves = traced(levels, report, norm)
        return other

    def fold(self, f: Vector, sides: Sides, *, level: int = 0) -> Vector:
        return self._plain.fold(f, sides, level=level)

    def rounding(self, u: Vector, sizes: np.ndarray) -> np.ndarray:
        return self._plain.rounding(u, sizes)

    def residual(self, f: Vector, u: Vector) -> Vector:
        """The part of the problem that is left; see `pde.levels.projected.complementarity`."""
        level = self._levels[0]
        return level.residual(level.start(f, u))

    def begin(self, f: Vector, u: Vector) -> Vector:
        """u, or where it is None the first guess, between the bounds."""
        return self._levels[0].start(f, u).u

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Constraining:
        return Constraining(self, kind, data, u, out)


class Constraining(Cycling):
    """One cycle at a time, from iterates between the bounds to iterates between them."""

    _backend: Constrained

    def norms(self) -> Sequence[float]:
        norms = self._backend.norms(self._backend.residual(self._data.rhs, self._u))
        if self._u is not None or not np.isfinite(norms).all():  # full multigrid may never meet the guess 0
            self._check_coefficient()
        return norms.tolist()

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        norms = super().advance(left)
        self._check_coefficient()
        return norms

    def _check_coefficient(self) -> None:
        """Refuse an iterate for which a is not positive, whether or not its residual is finite."""
        A = self._backend.hierarchy.levels[0].A
        if isinstance(A, NonlinearOperator):
            u = np.asarray(self._backend.begin(self._data.rhs, self._u))
            if np.isfinite(u).all():
                A.check_coefficient(u)

    def keep(self, members: Sequence[int]) -> None:
        super().keep(members)
        self._backend = self._backend.select(members)

    def _current(self, members: list[int] | None = None) -> Array:
        u: Array = self._backend.begin(self._data.rhs, self._u)
        return u if members is None else u[members]
