"""The papers' 3 x 3 kernels as tuples, for the solver and for the networks alike.

A kernel acts as in (3.7): `(K * g)_ij = sum_pq K_pq g_{i+p, j+q}`, with p, q = -1, 0, 1 from top left.

>>> stencils.galerkin(stencils.POISSON, stencils.LINEAR) == stencils.POISSON
True
"""

from __future__ import annotations

Kernel = tuple[tuple[float, ...], ...]

POISSON: Kernel = ((0, -1, 0), (-1, 4, -1), (0, -1, 0))
"""K_A of (5.4): -h^2 times the five-point Laplacian."""

BILINEAR: Kernel = ((0.25, 0.5, 0.25), (0.5, 1, 0.5), (0.25, 0.5, 0.25))
"""K_R of (4.13), the transpose of bilinear prolongation."""

LINEAR: Kernel = ((0, 0.5, 0.5), (0.5, 1, 0.5), (0.5, 0.5, 0))
"""K_R of (4.14), the transpose of linear prolongation on triangles cut along the anti-diagonal."""


def jacobi(omega: float, centre: float = 4) -> Kernel:
    """K_S0 of (5.8): damped Jacobi for a stencil with this centre; (5.8) has centre 4."""
    return ((0, 0, 0), (0, omega / centre, 0), (0, 0, 0))


def two_step_jacobi(omega: float, K: Kernel = POISSON) -> Kernel:
    """K_S1 of (5.9): two damped Jacobi steps for K as one kernel, S_0 + S_0 (I - A S_0).

    Exact wherever the operator is K with zero padding or periodic. (5.9) is the case K = POISSON.
    """
    centre = K[1][1]
    s = omega / centre
    return tuple(tuple(s * (2 * (p == q == 1) - s * K[p][q]) for q in range(3)) for p in range(3))


def transpose(K: Kernel) -> Kernel:
    """The kernel of the adjoint of K * with zero padding: K turned by 180 degrees."""
    return tuple(tuple(reversed(row)) for row in reversed(K))


def galerkin(K_A: Kernel, K_R: Kernel) -> Kernel:
    """The interior kernel of R A P (5.11), where R = K_R with stride 2 and P = R^T.

    Without boundary rows (an infinite grid) R A P is this convolution. LINEAR reproduces POISSON; BILINEAR
    gives 3 in the centre, -1/2 beside it and -1/4 at the corners.
    """
    r = range(-1, 2)
    result = [[0.0] * 3 for _ in r]
    for p, q, k, l, s, t in ((p, q, k, l, s, t) for p in r for q in r for k in r for l in r for s in r for t in r):
        i, j = p + k - s, q + l - t  # R reads A at p, A reads P e at p + k = 2 I + s
        if i % 2 == 0 and j % 2 == 0:
            result[i // 2 + 1][j // 2 + 1] += K_R[p + 1][q + 1] * K_A[k + 1][l + 1] * K_R[s + 1][t + 1]
    return tuple(map(tuple, result))
