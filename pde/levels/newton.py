"""Sweeps and coarsest solves of nonlinear levels, by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from pde.problem.grid import Array
from pde.problem.linearised import jacobian
from pde.problem.nonlinear_operator import NonlinearOperator

MOST_STEPS = 30
"""Newton steps of a coarsest solve at most; from the first guess of a cycle one or two are usual."""

ENOUGH = 1e-6
"""A coarsest solve ends where its residual has fallen by this factor: the cycle around it falls by 0.1."""

SLOW, PATIENCE = 0.99, 4
"""It ends too after so many steps in a row that leave more than this share of the residual: there is no solution."""

SHORTEST_STEP = 2.0**-30
"""A line search gives up below this share of a Newton step."""


SHIFT = 1e-6
"""The share of its diagonal added to a Jacobian where it leads to no smaller residual: where u = 0 leaves it singular,
as u^3 between Neumann sides does."""


@dataclass(frozen=True, eq=False)
class NewtonGaussSeidel:
    """One sweep (u, f) -> u of Newton's method at single unknowns, colour by colour; see `NonlinearOperator.sweep`."""

    A: NonlinearOperator
    omega: float | None
    most: float

    def __call__(self, u: Array, f: Array) -> Array:
        return self.A.sweep(u, f, self.omega, self.most)


@dataclass(frozen=True, eq=False)
class Newton:
    """A solve (u, f) -> u of A(u) = f by damped Newton steps, from the first guess u."""

    A: NonlinearOperator

    def __call__(self, u: Array, f: Array) -> Array:
        shape = self.A.grid.shape
        pairs = zip(u.reshape(-1, *shape), f.reshape(-1, *shape), range(u.size // self.A.grid.size), strict=True)
        return np.stack([self._solve(*each) for each in pairs]).reshape(u.shape)

    def _solve(self, u: Array, f: Array, member: int) -> Array:
        A = self.A.of_member(member)
        r = f - A(u)
        size = first = _norm(r)
        slow = 0
        for _ in range(MOST_STEPS):
            rounding = 4 * float(np.finfo(u.dtype).eps) * _norm(abs(A.slope(u) * u) + abs(f))
            if not size > max(ENOUGH * first, rounding):
                break
            J, found = jacobian(A, u), None
            for shift in (0.0, SHIFT * J.diagonal(), size / (1 + _norm(u))):  # the last is a short step along r
                step = _newton_step(J + sp.diags(np.broadcast_to(shift, u.size)), r)
                found = found or _line_search(A, u, f, step, size)
            slow = slow + 1 if found is None or found[2] > SLOW * size else 0
            if found is None or slow == PATIENCE:
                break
            u, r, size = found
        return u


def _newton_step(J: sp.spmatrix, r: Array) -> Array:
    """J^-1 r; zero where J is singular. SuperLU, as threads of a dense solver would wait for each other."""
    try:
        e: Array = splu(sp.csc_matrix(J)).solve(r.ravel().astype(float))
    except RuntimeError:  # an exact zero among the pivots
        return np.zeros_like(r)
    return e.reshape(r.shape).astype(r.dtype)


def _line_search(A: Any, u: Array, f: Array, e: Array, size: float) -> tuple[Array, Array, float] | None:
    """The first of u + e, u + e/2, ... whose residual is smaller, with that and its norm; None where there is none."""
    t = 1.0
    while t >= SHORTEST_STEP:
        new = u + u.dtype.type(t) * e
        r = f - A(new)
        norm = _norm(r)
        if norm < (1 - t / 4) * size:
            return new, r, norm
        t /= 2
    return None


def _norm(r: Array) -> float:
    return float(np.max(abs(r)))
