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
from pde.backends.contact import Contact
from pde.backends.data import Data
from pde.problem.grid import Array
from pde.solver.truncated_newton import TruncatedNewton


class ActiveSet(TruncatedNewton):
    """See above."""

    accuracy: ClassVar[tuple[float, float]] = 1e-2, 1e-6
    """A step solves to this share of the residual before it: while the active set changes, and once it has not, but no
    further than half of `target`."""

    most: ClassVar[int] = 30
    """Iterations of conjugate gradients in a step."""

    sets: ClassVar[int] = 5
    """Active sets, one after the other, that a step tries at most until the energy is not above that before it."""

    def step(self) -> None:
        energy, before = self.contact.energy, (self.u, self.r)
        for _ in range(self.sets):
            if self.mg.problem.singular and not self.contact.held.any():
                self.meet()
            self.begin(self._solved(self.contact))
            if self.contact.energy <= energy + 64 * np.finfo(self.u.dtype).eps * abs(energy):
                return
        self.take(*before)
        super().step()

    def _solved(self, contact: Contact) -> Array:
        """u at its bounds where it is held, and A u = f elsewhere, clipped."""
        u, free = contact.moved.astype(self.u.dtype, copy=False), self.free(contact.held)  # D may be in float64
        if not free.any():
            return u
        stays = self._held is not None and np.array_equal(contact.held, self._held)
        backend, r = self.levels(contact.held), self.passes.residual(u)
        r *= free
        r = backend.project(r[None])
        accel = None if len(backend.hierarchy.levels) == 1 else "cg"
        backend = self.watch(backend if accel is None else backend.symmetric())
        iteration = backend.start("V", accel, Data(r, sizes=backend.norms(r)))
        rtol, atol = self.accuracy[stays], self.target / 2
        e = solve_batch(iteration, rtol=rtol, atol=atol, max_cycles=self.most).u[0]
        return self.passes.corrected(u, e)
