"""Newton-multigrid, and the choice between it and cycles of the full approximation scheme while a solve goes on."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from mgcore import Iteration, Remaining
from pde.backends.data import Data
from pde.backends.full_approximation import TOO_LARGE, Approximating, FullApproximation
from pde.levels.newton_step import newton_step
from pde.problem.grid import Array

FORCING = 0.1
"""GMRES lowers the residual of J e = r by this factor at least; see `forcing`."""

SLOW = 0.4
"""A second cycle in a row that leaves a larger share of the residual is the last one before Newton steps."""


class NewtonMultigrid(FullApproximation):
    """The backend of nonlinear problems with all methods of a solve."""

    method = "auto"

    def by(self, method: str) -> NewtonMultigrid:
        """The same, whose solves are by one method."""
        other = copy.copy(self)
        other.method = method
        return other

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Iteration:
        if self.method == "fas":
            return super().start(kind, accel, data, u, out)
        return NewtonSteps(self.with_sides(data.sides), kind, data, u, out)


class NewtonSteps(Approximating):
    """A step of Newton's method at a time, or cycles until they are slow; see `newton_step`.

    A first pass of full multigrid is by the full approximation scheme in both cases, and counts if it lowers the
    residual.

    By method "auto" each member has cycles up to one that raises its residual, or a second one that is `SLOW`.
    """

    _backend: NewtonMultigrid

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._auto = self._backend.method == "auto"
        self._by_steps = np.full(len(self._members), not self._auto)
        self._stuck, self._slow = np.zeros((2, len(self._members)), dtype=bool)
        self._newton = set() if self._auto else set(self._members)

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        several, A = len(self._backend.hierarchy.levels) > 1, self._backend.hierarchy.levels[0].A
        nested = self._u is None and self._kind == "fmg" and several
        old: Array = self._begin() if self._u is None else self._u
        before = np.array([member.last for member in left])
        new, norms = np.array(old), before.copy()
        steps = self._by_steps & (not nested) & (several or A.inside is not None)  # a coarsest grid has Newton's method
        cycles = np.flatnonzero(~steps).tolist()
        if cycles:
            part = self if len(cycles) == len(left) else self._part(cycles)
            norms[cycles] = [each[-1] for each in Approximating.advance(part, [left[k] for k in cycles])]
            new[cycles] = part._u
            norms[[k for k in cycles if not self._is_elliptic(k, new[k])]] = np.inf
        for k in np.flatnonzero(steps).tolist():
            made = newton_step(A.of_member(k), old[k], self._data.rhs[k], self._norm, forcing(left[k]), **self._options)
            self._stuck[k] = made is None
            if made is not None:
                new[k], norms[k] = made[0], made[1] / left[k].scale
        worse = ~(norms <= before * (1.0 if nested or self._auto else TOO_LARGE))
        new[worse], norms[worse] = old[worse], before[worse]
        self._u, self._owned = new, True
        if self._auto:
            self._choose(norms, before, left, worse, nested)
        if self._stuck.any():
            super()._check_coefficient(new)
        return norms.reshape(-1, 1).tolist()

    def failures(self) -> Sequence[str | None]:
        """Where no step lowers the residual, and rounding is not the reason."""
        if not self._stuck.any():
            return [None] * len(self._members)
        above = np.array(self.norms()) > np.array(self.attainable())
        return ["stalled" if each else None for each in self._stuck & above]

    def keep(self, members: Sequence[int]) -> None:
        super().keep(members)
        self._by_steps, self._stuck, self._slow = (x[members] for x in (self._by_steps, self._stuck, self._slow))

    def methods(self) -> Sequence[tuple[str, bool]]:
        every = range(len(self._members) + len(self._ended))
        named = "fas, then newton" if self._auto else "newton"
        return [(named, False) if k in self._newton else ("fas", True) for k in every]

    def _check_coefficient(self, u: Any) -> None:
        """Of a batch a member whose coefficient is not positive goes on from where it was, and may stall."""
        if len(self._members) + len(self._ended) == 1:
            super()._check_coefficient(u)

    def _is_elliptic(self, k: int, u: Array) -> bool:
        A: Any = self._backend.hierarchy.levels[0].A
        return not np.isfinite(u).all() or bool(A.of_member(k).is_elliptic(u))

    def _retries(self, nested: bool) -> Sequence[float]:
        return ()

    @property
    def _options(self) -> dict[str, Any]:
        """Of the cycles for J e = r."""
        return {"sweeps": self._backend.hierarchy.choices.nu, "kind": "V" if self._kind == "fmg" else self._kind}

    def _choose(
        self, norms: np.ndarray, before: np.ndarray, left: Sequence[Remaining], worse: np.ndarray, nested: bool
    ) -> None:
        """Leave members to Newton's method whose last cycles were slow, unless they are done or at their rounding."""
        slow = ~(norms < (1.0 if nested else SLOW) * before)
        leave = (worse | (slow & self._slow)) & ~self._by_steps & (norms > [member.tolerance for member in left])
        self._slow = slow
        if leave.any():
            attainable = np.array(self.attainable()) / [member.scale for member in left]
            self._by_steps |= leave & ~(norms <= attainable)
            self._newton |= {self._members[k] for k in np.flatnonzero(self._by_steps)}

    def _part(self, members: Any) -> NewtonSteps:
        """The iteration of some members alone, for one cycle."""
        part = copy.copy(self)
        part._ended = {}
        part.keep(members)
        return part

    def _norm(self, r: Array) -> float:
        return float(self._backend.norms(r[None])[0])


def forcing(left: Remaining) -> float:
    """The share of a residual that GMRES is to leave: Eisenstat and Walker's min(0.1, |r|^0.5), or what is enough.

    |r| is relative to the scale of the solve.
    """
    return min(FORCING, max(left.last**0.5, 0.3 * left.tolerance / left.last))
