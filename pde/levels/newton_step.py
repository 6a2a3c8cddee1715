"""One step of an inexact Newton method: GMRES around a cycle for J e = r, and a line search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, gcrotmk

from mgcore import CYCLES
from pde.levels.linearised import linearised_levels
from pde.problem.compact import CompactOperator
from pde.problem.grid import Array
from pde.problem.linearised import Linearised
from pde.problem.nonlinear_operator import NonlinearOperator

MOST_ITERATIONS = 30
"""Cycles for one Newton step at most; the line search takes what they have reached."""

SHORTEST = 2.0**-12
"""A line search gives up below this share of a step."""

DECREASE = 1e-4
"""Armijo's rule: a step of the share t is to lower the norm of the residual by this times t, at least."""


def krylov(
    apply: Callable[[Array], Array],
    A: CompactOperator,
    r: Array,
    eta: float,
    sweeps: tuple[int, int] = (1, 1),
    kind: str = "V",
    restarts: int = 1,
) -> tuple[Array, int]:
    """e with ||r - J e|| <= eta ||r||, by GMRES around cycles on the levels of A, and how many cycles that took.

    Args:
        apply: e -> J e.
        A: J, or what is near it, as a compact operator.
        restarts: runs of `MOST_ITERATIONS` at most.
    """
    levels, shape, made = linearised_levels(A, sweeps), r.shape, [0]

    def cycle(v: Array) -> Array:
        made[0] += 1
        e: Array = CYCLES[kind](levels, v.reshape(shape))
        return e.ravel()

    matrix, M = (
        LinearOperator((r.size, r.size), matvec=each, dtype=r.dtype)
        for each in (lambda v: apply(v.reshape(shape)).ravel(), cycle)
    )
    size = float(np.max(abs(r)))  # GMRES squares numbers
    e, _ = gcrotmk(matrix, r.ravel() / size, rtol=eta, atol=0.0, maxiter=restarts, m=MOST_ITERATIONS, k=0, M=M)
    return (size * e).reshape(shape).astype(r.dtype), made[0]


def newton_step(
    A: NonlinearOperator, u: Array, f: Array, norm: Callable[[Array], float], eta: float, **options: Any
) -> tuple[Array, float] | None:
    """The next iterate for A(u) = f and the norm of its residual; None where no step lowers it.

    Where one along J^-1 r does not, as where J is singular, the step is along r.
    """
    r = f - A(u)
    before, J = norm(r), Linearised(A, u)
    if not 0 < before < np.inf or not np.isfinite(J.stencil).all():
        return None
    for direction in (lambda: krylov(J, J.compact(), r, eta, **options)[0], lambda: (1 + norm(u)) / before * r):
        try:
            e = direction()
        except RuntimeError:  # a factor is singular
            continue
        if (found := _line_search(A, u, f, e, norm, before)) is not None:
            return found
    return None


def _line_search(
    A: NonlinearOperator, u: Array, f: Array, e: Array, norm: Callable[[Array], float], before: float
) -> tuple[Array, float] | None:
    """The first of u + e, u + e/2, ... that is admissible and lowers the residual enough, with its norm."""
    t = 1.0
    while t >= SHORTEST and np.isfinite(e).all():
        new = u + u.dtype.type(t) * e
        after = norm(f - A(new))
        if after <= (1 - DECREASE * t) * before and A.is_elliptic(new):
            return new, after
        t /= 2
    return None
