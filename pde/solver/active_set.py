"""Primal-dual active sets for obstacle problems (Hintermueller, Ito, Kunisch 2003), from a nested start.

A step on one grid, with r = f - A u and the diagonal D of A:

    held = {u + r / D is at or beyond a bound};  u = that bound there;  A u = f elsewhere, by conjugate gradients

around the cycles of truncated levels. With exact solves it is a step of a semismooth Newton method, and a few steps end
it from a nested start. Clipping may raise the energy, where a coefficient jumps above all, and with bounds on both
sides sets may go round in circles: where a few sets in a row do not lower the energy, a step of truncated Newton is
made in their place.
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

    sets: ClassVar[int] = 5
    """Active sets, one after the other, that a step tries at most until the energy is not above that before it."""

    def step(self) -> None:
        energy, before = self.energy(), self.u
        for _ in range(self.sets):
            v = self._predicted()
            if self.mg.problem.singular and not v[1].any():
                self.meet()
                v = self._predicted()
            self.begin(self.grid.bounds.clip(self._solved(*v)))
            if self.energy() <= energy + 64 * np.finfo(self.u.dtype).eps * abs(energy):
                return
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
        u = np.where(held, clipped, self.u).astype(self.u.dtype, copy=False)  # D may be in float64
        if not free.any():
            return u
        backend = self.levels(held)
        r = backend.project((free * (grid.rhs - grid.A(u)))[None])
        accel = None if len(backend.hierarchy.levels) == 1 else "cg"
        backend = self.watch(backend if accel is None else backend.symmetric())
        iteration = backend.start("V", accel, Data(r, sizes=backend.norms(r)))
        u += free * solve_batch(iteration, rtol=self.accuracy, max_cycles=self.most).u[0]
        return u
