"""Truncated nonsmooth Newton multigrid for obstacle problems (Graeser, Kornhuber 2009), from a nested start.

A step on one grid, with r = f - A u:

    u <- projected Gauss-Seidel (u);  held = {u at a bound, r pushes against it};  T = 1 - held
    e = V-cycle for T A T e = T r, whose coarse operators are R A P with P truncated by T
    d = clip(u + e) - u;  u <- u + min(1, (r, d) / (d, A d)) d

No part of it raises the energy (A u, u)/2 - (f, u), and all iterates keep the bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pde.backends.choice import make, makers, passes
from pde.backends.contact import Contact
from pde.backends.data import Data
from pde.levels.hierarchy import with_finest
from pde.levels.obstacle import ObstacleGrid, coarser, free_terms, without_contact
from pde.problem.grid import Array

COARSEST = 64
"""Unknowns of the grid on which nested iteration begins, at most."""

FEW = 0.01
"""Share of the unknowns that may have changed for coarse levels to stay: they are a little worse, and cost as much as
three iterations of conjugate gradients."""

ENOUGH, MOST = 0.05, 4
"""On coarser grids nested iteration ends where the residual has fallen by this factor, or after so many steps."""


class GridSolver:
    """Steps on one grid from the iterate `u`, whose residual f - A u is `r`.

    Args:
        mg: the solver whose options are taken.
        watch: of the backends of corrections.

    Attributes:
        target: the norm of the residual of complementarity that steps are to reach.
    """

    target = 0.0

    def __init__(self, mg: Any, grid: ObstacleGrid, watch: Callable[[Any], Any] = lambda backend: backend) -> None:
        self.mg, self.grid, self.watch = mg, grid, watch
        options = mg._options
        self._options = replace(options, kernels="numpy" if options.kernels == "numpy" else "auto")
        self.passes = passes(grid, self._options)
        self.volumes = self.passes.volumes
        self._contact: Contact | None = None
        self._held: Array | None = None
        self._made: Array | None = None
        self._backend: Any = None

    def begin(self, u: Array) -> None:
        """Take a first guess."""
        domain = self.grid.A.terms.domain
        u = u if domain is None else u * domain.inside
        self.take(u, self.passes.residual(u))

    def take(self, u: Array, r: Array) -> None:
        """Take an iterate with its residual."""
        self.u, self.r, self._contact = u, r, None

    @property
    def contact(self) -> Contact:
        """The iterate beside its bounds."""
        if self._contact is None:
            self._contact = self.passes.contact(self.u, self.r)
        return self._contact

    def step(self) -> None:
        """Make one step."""
        raise NotImplementedError

    def levels(self, held: Array) -> Any:
        """The backend of the levels without the unknowns that are held.

        Where few have changed since levels were made, the coarse ones stay.
        """
        if self._held is not None and np.array_equal(held, self._held):
            return self._backend
        A, mg, hierarchy, backend = self.grid.A, self.mg, None, None
        singular = mg.problem.singular and not held.any()
        if self._made is not None and not singular and np.count_nonzero(held != self._made) <= FEW * held.size:
            hierarchy = with_finest(self._backend.hierarchy, free_terms(A, held))
            backend = None if hierarchy is None else self._backend.with_finest(hierarchy)
        if hierarchy is None:
            by = makers(A.grid, self._options)
            hierarchy = without_contact(A, held, self.u.dtype, mg._sweeps, mg.omega, by, singular)
            self._made = None if singular else held
        backend = backend or make(hierarchy, self._options)
        self._backend, self._held = backend, held
        backend.prepare()
        return backend

    def free(self, held: Array) -> Array:
        domain = self.grid.A.terms.domain
        return ~held if domain is None else domain.inside & ~held

    def meet(self) -> None:
        """Move u of a singular problem by a constant until it meets a bound, where no point does and r drives it."""
        bounds, mean = self.grid.bounds, float(self.volumes.mean(self.r))
        gap = np.min(self.u - bounds.lower) if mean < 0 else np.min(bounds.upper - self.u)
        if np.isfinite(gap) and abs(mean) > 64 * np.finfo(self.u.dtype).eps * float(self.volumes.mean(abs(self.r))):
            self.begin(bounds.clip(self.u + self.u.dtype.type(np.sign(mean) * gap)))


class TruncatedNewton(GridSolver):
    """See above."""

    def step(self) -> None:
        grid = self.grid
        u = grid.sweep(self.u)
        self.take(u, self.passes.residual(u))
        held = self._at_bounds()
        if self.mg.problem.singular and not held.any():
            self.meet()
            held = self._at_bounds()
        free = self.free(held)
        if not free.any():
            return
        backend = self.levels(held)
        r = backend.project((free * self.r)[None])
        e = self.watch(backend).cycle("V", Data(r))[0][0]
        self.search(free * e)

    def search(self, e: Array) -> None:
        """u + alpha d for d = clip(u + e) - u, alpha in [0, 1] of the least energy."""
        u, r, grid = self.u, self.r, self.grid
        v = grid.bounds.clip(u + e)
        d = v - u
        Ad = grid.A(d)
        slope, curvature = float(self.volumes.mean(r * d)), float(self.volumes.mean(d * Ad))
        if not slope > 0:
            return
        alpha = u.dtype.type(min(1.0, slope / curvature) if curvature > 0 else 1.0)
        self.take(v if alpha == 1 else grid.bounds.clip(u + alpha * d), r - alpha * Ad)

    def _at_bounds(self) -> Array:
        bounds = self.grid.bounds
        return (self.u <= bounds.lower) & (self.r <= 0) | (self.u >= bounds.upper) & (self.r >= 0)


def nested_start(solver: GridSolver) -> Array:
    """A first guess on the grid of a solver, from solutions on all coarser ones."""
    below = coarser(solver.grid) if solver.grid.A.grid.size > COARSEST else None
    if below is None:
        return solver.grid.bounds.clip(np.zeros_like(solver.grid.f))
    grid, interpolate = below
    coarse = type(solver)(solver.mg, grid, solver.watch)
    last = grid.A.grid.size <= COARSEST
    coarse.begin(nested_start(coarse))
    coarse.target = (1e-8 if last else ENOUGH) * coarse.contact.size
    for _ in range(20 if last else MOST):
        if coarse.contact.size <= coarse.target:
            break
        coarse.step()
    u = interpolate(coarse.u[None], {k: g for k, g in solver.grid.sides.items() if k != "walls"})[0]
    return solver.grid.bounds.clip(u)
