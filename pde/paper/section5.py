"""Levels of Section 5 of the paper to the letter: the setting in which Theorem 6.1 is stated.

Grids of (2^k + 1)^2 points, A^1 = K_A * with zero padding (5.4)-(5.5), Jacobi as a kernel (5.6)-(5.10), restriction
K_R *_2 (4.13) or (4.14), prolongation its transpose, and coarse operators R A P (5.11).

The text is wrong in two points. Zero padding is not the Neumann condition of (5.1): K_A * 1 is not zero at the
boundary; it is the Dirichlet condition one point outside of the grid. And R A P is a convolution in the interior
only: in the rows of boundary points it has other coefficients, because the hat functions there are cut in half.
`boundary="neumann"` has the finite elements of (5.1), whose R A P are the elements of the coarser grid exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from mgcore import Level
from mgcore.stencils import BILINEAR, LINEAR, POISSON, Kernel, galerkin, jacobi, two_step_jacobi
from pde.common.arguments import choose, count, number, read_nu, read_omega
from pde.paper.convolution import correlate, correlate_2, correlation_matrix, restriction_matrix, spread_2
from pde.paper.elements import ELEMENTS, INTERPOLATIONS, feature_map, stiffness
from pde.problem.grid import Array

RESTRICTIONS = {"bilinear": BILINEAR, "linear": LINEAR}
SMOOTHERS: dict[str, Callable[[float, Kernel], Kernel]] = {
    "S0": lambda omega, K: jacobi(omega, K[1][1]),  # (5.8)
    "S1": two_step_jacobi,  # (5.9)
}


def section5_levels(
    k: int,
    *,
    transfer: str = "linear",
    smoother: str = "S0",
    omega: float = 0.8,
    nu: tuple[int, int] = (1, 1),
    boundary: str = "zeros",
    coarse: str = "galerkin",
    levels: int | None = None,
    Pi: str | Callable[[Array], Array] | None = None,
) -> list[Level]:
    """Levels on (2^k + 1)^2, (2^{k-1} + 1)^2, ... points for the functions of `mgcore`; arrays have shape (..., n, n).

    Args:
        k: the finest grid has 2^k + 1 points per axis, k >= 1.
        transfer: "linear" (4.14) or "bilinear" (4.13).
        smoother: "S0", one damped Jacobi step (5.6), or "S1", two of them as one operator (5.7). Where A^l is a
            kernel so are they, (5.8)-(5.10); for R A P they take the diagonal of the matrix, since with the interior
            kernel's omega / centre on the heavier boundary rows the cycle diverges.
        nu: sweeps before and after the correction.
        boundary: "zeros", K_A with zero padding (5.3), or "neumann", linear or bilinear finite elements for (5.1). Then
            A 1 = 0, f must sum to zero (it holds integrals with hat functions), and u is open to a constant. R and P
            are the same.
        coarse: "galerkin", exactly R A P with its boundary rows (5.11), or "kernel", the interior kernel of R A P
            with zero padding on every row, as in a network. That one is no solver: its coarse grids put the zero
            values one coarse spacing outside, so that the correction is too large and the cycle diverges.
        levels: how many; None goes down to 3 x 3 points.
        Pi: map of u to the next coarser level (6.5), or its name, "nodal", "scott-zhang" or "l2" (4.17), see
            `pde.paper.elements.feature_map`; None is zero, that is MG0.

    >>> [level.info["shape"] for level in section5_levels(3)]
    [(9, 9), (5, 5), (3, 3)]
    """
    k = count("k", k, least=1)
    choose("transfer", transfer, RESTRICTIONS)
    choose("smoother", smoother, SMOOTHERS)
    choose("boundary", boundary, ("zeros", "neumann"))
    choose("coarse", coarse, ("galerkin",) if boundary == "neumann" else ("galerkin", "kernel"))
    read_omega(number("omega", omega))
    nu = read_nu(nu)
    depth = k if levels is None else count("levels", levels, least=1)
    if depth > k:
        raise ValueError(f"levels must lie between 1 and k = {k}, got {levels}")
    if isinstance(Pi, str):
        choose("Pi", Pi, INTERPOLATIONS)
    elif Pi is not None and not callable(Pi):
        raise TypeError(f"Pi must be callable, None or one of {', '.join(map(repr, INTERPOLATIONS))}; got {Pi!r}")
    K_R, K = RESTRICTIONS[transfer], POISSON
    matrix: sp.csr_matrix | None = None
    divisor = 1  # of the matrix: integers have no rounding
    if boundary == "neumann":
        K, (matrix, divisor) = ELEMENTS[transfer].K_A, stiffness((2**k + 1,) * 2, transfer)
    result = []
    for l in range(depth):
        shape = (2 ** (k - l) + 1,) * 2
        A: Any = partial(correlate, K) if matrix is None else partial(_multiply, matrix, divisor)  # (5.5)
        S = _smoother(smoother, omega, K, matrix, divisor)
        last = l + 1 == depth
        result.append(
            Level(
                A,
                [S] * nu[0],
                R=None if last else partial(correlate_2, K_R),  # (4.12)
                Pi=None if last else feature_map(Pi, shape, transfer) if isinstance(Pi, str) else Pi,
                P=None if last else partial(_prolong, K_R),
                B_post=[S] * nu[1],
                info={"shape": shape, "kernel": K, "matrix": None if matrix is None else matrix / divisor},
            )
        )
        if coarse == "galerkin":
            fine = correlation_matrix(K, shape) if matrix is None else matrix
            R = restriction_matrix(K_R, shape)
            matrix = sp.csr_matrix(R @ fine @ R.T)  # (5.11)
        K = galerkin(K, K_R)
    return result


def _smoother(
    name: str, omega: float, K: Kernel, matrix: sp.csr_matrix | None, divisor: int
) -> Callable[[Array], Array]:
    if matrix is None:
        return partial(correlate, SMOOTHERS[name](omega, K))  # (5.10)
    S0 = sp.diags(omega * divisor / matrix.diagonal())  # (5.6)
    S = S0 if name == "S0" else 2 * S0 - S0 @ (matrix / divisor) @ S0  # (5.7)
    return partial(_multiply, sp.csr_matrix(S), 1)


def _prolong(K_R: Kernel, e: Array, like: Array) -> Array:
    return spread_2(K_R, e, like.shape[-2:])


def _multiply(matrix: sp.csr_matrix, divisor: int, u: Array) -> Array:
    flat = u.reshape(-1, matrix.shape[1])
    return np.ascontiguousarray((matrix @ flat.T).T / divisor).reshape(u.shape)
