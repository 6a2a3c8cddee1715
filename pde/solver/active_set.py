"""Primal-dual active sets for obstacle problems (Hintermueller, Ito, Kunisch 2003), from a nested start.

A step on one grid, with r = f - A u and the diagonal D of A:

    held = {u + r / D is at or beyond a bound};  u = that bound there;  A u = f elsewhere, by conjugate gradients

around the cycles of truncated levels. A step of exact solves is one of a semismooth Newton method; it ends after a few
steps, whose number does not depend on the grid from a nested start.
"""

from __future__ import annotations

import numpy as np

from mgcore import solve_batch
from pde.backends.data import Data
from pde.problem.grid import Array
from pde.solver.truncated_newton import GridSolver

ACCURACY, MOST = 1e-3, 30
"""A step solves to this share of the residual before it, in so many iterations at most."""


class ActiveSet(GridSolver):
    """See above; between its steps u may leave the bounds, and `admissible` is that clipped."""

    def step(self) -> None:
        grid = self.grid
        if self.mg.problem.singular and not grid.held(self.u, self.r).any():
            self.meet()
        held = grid.held(self.u, self.r)
        u = np.where(held, grid.bounds.clip(self.u + self.r / grid.A.diagonal), self.u)
        self.begin(u.astype(self.u.dtype, copy=False))
        free = self.free(held)
        if not free.any():
            return
        r = np.ascontiguousarray((free * self.r)[None])
        backend = self.levels(held)
        accel = None if len(backend.hierarchy.levels) == 1 else "cg"
        iteration = (backend if accel is None else backend.symmetric()).start(
            "V", accel, Data(r, sizes=backend.norms(r))
        )
        e = solve_batch(iteration, rtol=ACCURACY, max_cycles=MOST).u[0]
        self.begin(self.u + free * e)

    @property
    def admissible(self) -> Array:
        return self.grid.bounds.clip(self.u)

    def complementarity(self) -> Array:
        u = self.admissible
        return self.grid.complementarity(u, self.grid.rhs - self.grid.A(u))
