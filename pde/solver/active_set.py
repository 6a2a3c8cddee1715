"""Primal-dual active sets for obstacle problems (Hintermueller, Ito, Kunisch 2003), from a nested start.

A step on one grid, with r = f - A u and the diagonal D of A:

    held = {u + r / D is at or beyond a bound};  u = that bound there;  A u = f elsewhere, by conjugate gradients

around the cycles of truncated levels. With exact solves it is a step of a semismooth Newton method, and a few steps end
it from a nested start. With bounds on both sides it may go round in circles: where the energy of the clipped iterate
does not fall, a step of truncated Newton is made in its place.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mgcore import solve_batch
from pde.backends.data import Data
from pde.problem.grid import Array
from pde.solver.truncated_newton import TruncatedNewton


class ActiveSet(TruncatedNewton):
    """See above."""

    accuracy: ClassVar[float] = 1e-3
    """A step solves to this share of the residual before it."""

    most: ClassVar[int] = 30
    """Iterations of conjugate gradients in a step."""

    def step(self) -> None:
        energy = self.energy()
        v = self._predicted()
        if self.mg.problem.singular and not v[1].any():
            self.meet()
            v = self._predicted()
        before = self.u
        self.begin(self.grid.bounds.clip(self._solved(*v)))
        if not self.energy() <= energy + 64 * np.finfo(self.u.dtype).eps * abs(energy):
            self.begin(before)
            super().step()

    def _predicted(self) -> tuple[Array, Array]:
        """u + r / D clipped, and where that has changed it: the active set."""
        v = self.r / self.grid.A.diagonal
        v += self.u
        clipped = self.grid.bounds.clip(v)
        return clipped, clipped != v

    def _solved(self, clipped: Array, held: Array) -> Array:
        """u at its bounds where it is held, and A u = f elsewhere."""
        grid, free = self.grid, self.free(held)
        u = np.where(held, clipped, self.u)
        if not free.any():
            return u
        backend = self.levels(held)
        r = backend.project((free * (grid.rhs - grid.A(u)))[None])
        accel = None if len(backend.hierarchy.levels) == 1 else "cg"
        backend = self.watch(backend if accel is None else backend.symmetric())
        iteration = backend.start("V", accel, Data(r, sizes=backend.norms(r)))
        u += free * solve_batch(iteration, rtol=self.accuracy, max_cycles=self.most).u[0]
        return u
