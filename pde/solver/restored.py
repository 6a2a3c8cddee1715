"""The iteration of a solve in terms of u itself, where the backend iterates on reduced data."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mgcore import Iteration, Remaining
from pde.common.arrays import copied
from pde.problem.grid import Array
from pde.solver.reduced import Reduced


class Restored:
    """An iteration for v that tells of u = unit v + w; see `Reduced`.

    Args:
        project: project(u, out) gives u the mean that it should have, in `out` if it can.
        again: whether `u` is asked for more than once, so that v stays as it is.
    """

    def __init__(self, iteration: Iteration, reduced: Reduced, project: Callable[..., Array], again: bool) -> None:
        self._iteration, self._reduced, self._project, self._again = iteration, reduced, project, again
        self._unit, self._members = reduced.unit, np.arange(len(iteration.scale))
        self.scale = iteration.scale if self._unit is None else (self._unit * iteration.scale).tolist()

    def norms(self) -> Sequence[float]:
        norms = self._iteration.norms()
        if self._unit is None:
            return norms
        return np.where(self._overflows(), np.inf, self._unit * norms).tolist()

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        if self._unit is None:
            return self._iteration.advance(left)
        scaled = [member._replace(scale=member.scale / k) for member, k in zip(left, self._unit.tolist(), strict=True)]
        norms = self._iteration.advance(scaled)
        return [[*each[:-1], np.inf] if wrong else each for each, wrong in zip(norms, self._overflows(), strict=True)]

    def attainable(self) -> Sequence[float] | None:
        norms = self._iteration.attainable()
        return norms if norms is None or self._unit is None else (self._unit * norms).tolist()

    def failures(self) -> Sequence[str | None]:
        return self._iteration.failures()

    def u(self) -> Array:
        v = self._iteration.u()
        u = self._reduced.restored(copied(v) if self._again else v)
        return u if self._reduced.w is None else self._project(u, u)

    def keep(self, members: Sequence[int]) -> None:
        self._iteration.keep(members)
        self._members = self._members[members]
        self._unit = None if self._unit is None else self._unit[members]

    def _overflows(self) -> np.ndarray:
        """Whether u is not finite though v is, for each member."""
        assert self._unit is not None
        return self._reduced.overflows(self._iteration.u()[self._members], self._unit)
