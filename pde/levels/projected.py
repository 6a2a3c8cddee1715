"""Sweeps and coarsest solves of obstacle problems: lower <= u <= upper, and A(u) = f wherever u is between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from pde.problem.grid import Array, trailing
from pde.problem.linearised import jacobian
from pde.problem.nonlinear_operator import NonlinearOperator

MOST_STEPS, MOST_FAILED = 60, 4
"""Steps of a coarsest solve at most, and those which leave 0.9 of the residual; from the first guess of a cycle two or
three steps are usual."""

SWEEPS = 10
"""Projected sweeps that take the place of a step of Newton's method which leads to no smaller residual."""

ENOUGH = 1e-6
"""A coarsest solve ends where its residual has fallen by this factor: the cycle around it falls by 0.5."""


def complementarity(r: Array, slope: Any, u: Array, lower: Array, upper: Array) -> Array:
    """The residual of an obstacle problem: r = f - A(u), or where a bound is nearer than r / slope, the way there.

    It is zero where u solves the problem: r = 0 between the bounds, r <= 0 on the lower one, r >= 0 on the upper one.
    """
    return np.clip(r, slope * (lower - u), slope * (upper - u))


@dataclass(frozen=True, eq=False)
class ProjectedGaussSeidel:
    """One sweep (u, f, lower, upper) -> u of Gauss-Seidel by colours, clipped to the bounds point by point."""

    A: Any
    omega: float = 1.0

    def __call__(self, u: Array, f: Array, lower: Array, upper: Array) -> Array:
        u, A = u.copy(), self.A
        weight = np.broadcast_to(u.dtype.type(self.omega) / A.diagonal, A.grid.shape)
        for colour in A.colours:
            r = f - A(u)
            for block in colour if isinstance(colour, list) else [colour]:
                at = trailing(block)
                u[at] = np.clip(u[at] + weight[block] * r[at], lower[at], upper[at])
        return u


@dataclass(frozen=True, eq=False)
class ProjectedNewtonGaussSeidel:
    """The same with a step of Newton's method at each point; see `NonlinearOperator.sweep`."""

    A: NonlinearOperator
    omega: float | None = None
    most: float = 1.0

    def __call__(self, u: Array, f: Array, lower: Array, upper: Array) -> Array:
        return self.A.sweep(u, f, self.omega, self.most, (lower, upper))


@dataclass(frozen=True, eq=False)
class ActiveSets:
    """A solve (u, f, lower, upper) -> u by semismooth Newton steps: u is on its bounds where the last step led there.

    Where a step leads to no smaller residual, sweeps take its place.
    """

    sweep: ProjectedGaussSeidel | ProjectedNewtonGaussSeidel

    def __call__(self, u: Array, f: Array, lower: Array, upper: Array) -> Array:
        A = self.sweep.A
        members = [v.reshape(-1, *A.grid.shape) for v in (u, f, lower, upper)]
        solved = [self._solve(k, *each) for k, each in enumerate(zip(*members, strict=True))]
        return np.stack(solved).reshape(u.shape)

    def _solve(self, member: int, u: Array, f: Array, lower: Array, upper: Array) -> Array:
        A, sweep = self.sweep.A, self.sweep
        if isinstance(A, NonlinearOperator):
            A, sweep = (B := ProjectedNewtonGaussSeidel(A.of_member(member), sweep.omega)).A, B
        bounds = lower, upper

        def residuals(u: Array) -> tuple[Array, Array]:
            r = f - A(u)
            return r, complementarity(r, diagonal(A, u), u, *bounds)

        r, left = residuals(u)
        size = first = _norm(left)
        failed = 0
        for _ in range(MOST_STEPS):
            rounding = 4 * float(np.finfo(u.dtype).eps) * _norm(abs(diagonal(A, u) * u) + abs(f) * (left == r))
            if not size > max(ENOUGH * first, rounding) or failed > MOST_FAILED:
                break
            new = np.clip(u + self._step(A, u, r, left), *bounds)
            r, after = residuals(new)
            if not _norm(after) < 0.9 * size:
                new = u
                for _ in range(SWEEPS):
                    new = sweep(new[None], f[None], lower[None], upper[None])[0]
                r, after = residuals(new)
                failed += not _norm(after) < 0.9 * size
            u, left, size = new, after, _norm(after)
        return u

    def _step(self, A: Any, u: Array, r: Array, left: Array) -> Array:
        """The step to the bounds where `left` is not f - A(u), and of Newton's method at the other points."""
        held = (left != r).ravel()
        e = np.where(held, (left / diagonal(A, u)).ravel(), 0.0)
        free = ~held
        J = jacobian(A, u) if isinstance(A, NonlinearOperator) else A.matrix()
        J = sp.csr_matrix(J.astype(float))[free]
        if free.any():
            try:
                e[free] = splu(sp.csc_matrix(J[:, free])).solve(r.ravel()[free] - J[:, held] @ e[held])
            except RuntimeError:  # singular
                e[free] = 0.0
        return e.reshape(u.shape).astype(u.dtype)


def diagonal(A: Any, u: Array) -> Array:
    """The derivative of A(u) at each unknown with respect to that unknown."""
    d: Array = A.slope(u) if isinstance(A, NonlinearOperator) else np.broadcast_to(A.diagonal, u.shape)
    return d


def _norm(r: Array) -> float:
    return float(np.max(abs(r)))
