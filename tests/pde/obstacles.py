"""Obstacle problems for tests, and independent solutions of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import lsq_linear

import pde

RADIUS, A, B = 0.697965148223374, 0.680259411891719, 0.471519893402112
"""a of a^2 (ln 2 - ln a) = 1 - a^2, and u = -A ln r + B beyond it: a membrane over a ball in (-2, 2)^2."""


def ball(n: int, **options: Any) -> tuple[pde.Poisson, Any, Any]:
    """(problem, obstacle, solution): psi is a half ball with a linear skirt, u touches it where r <= RADIUS."""

    def radius(x: Any, y: Any) -> Any:
        return np.hypot(x - 2, y - 2)

    def psi(x: Any, y: Any) -> Any:
        r, edge = radius(x, y), 0.9
        height = np.sqrt(1 - edge**2)
        return np.where(r <= edge, np.sqrt(np.maximum(1 - r**2, 0)), height - edge / height * (r - edge))

    def exact(x: Any, y: Any) -> Any:
        r = radius(x, y)
        return np.where(r <= RADIUS, psi(x, y), -A * np.log(np.maximum(r, RADIUS)) + B)

    return pde.Poisson((n, n), extent=4.0, **options), psi, exact


def reference(problem: pde.Poisson, f: Any, g: Any, lower: Any, upper: Any) -> np.ndarray:
    """u of least energy between the bounds, by SciPy's bounded least squares, of `pde.energy` and a dense matrix.

    With K = W A = C^T C the energy is |C u - C^-T b|^2 / 2 and a constant, b from energies of unit vectors.
    """
    K = problem.matrix(symmetric=True).toarray()
    inside = np.ones(problem.shape, bool) if problem.domain is None else problem.domain.inside
    units = np.zeros((len(K), *problem.shape))
    units[:, inside] = np.eye(len(K))
    f = np.broadcast_to(f, problem.shape)
    b = np.diag(K) / 2 + pde.energy(problem, np.zeros(problem.shape), f, g) - pde.energy(problem, units, f, g)
    C = np.linalg.cholesky(K).T
    bounds = tuple(np.broadcast_to(bound, problem.shape)[inside] for bound in (lower, upper))
    u = np.zeros(problem.shape)
    u[inside] = lsq_linear(C, np.linalg.solve(C.T, b), bounds, method="bvls", tol=1e-15).x
    return u


def violation(problem: pde.Poisson, u: Any, f: Any, lower: Any, upper: Any) -> float:
    """How far u is from the solution with zero boundary data: max |D (clip(u + r / D) - u)| with a dense A."""
    A = problem.matrix().toarray()
    r, D = np.broadcast_to(f, problem.shape).ravel() - A @ u.ravel(), np.diag(A)
    low, high = (np.broadcast_to(bound, problem.shape).ravel() for bound in (lower, upper))
    return float(np.max(abs(D * (np.clip(u.ravel() + r / D, low, high) - u.ravel()))))
