"""The problems of the tests, and the discrete Laplacian assembled from nothing but numpy and scipy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse as sp
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve

from pde.problem.grid import Axis, Grid

EPS = float(np.finfo(float).eps)
SEEDS = st.integers(0, 2**32 - 1)
F8 = np.dtype(float)

SMOOTHERS = ("jacobi", "two-step jacobi", "red-black", "sor")
COARSE = ("rediscretised", "galerkin")
CYCLES = ("V", "W", "F", "backslash")

PROBLEMS: dict[str, tuple[tuple[int, ...], tuple[float, ...]]] = {
    "one unknown": ((1,), (1.0,)),
    "two unknowns": ((2,), (3.0,)),
    "odd": ((31,), (0.1,)),
    "even": ((40,), (1.0,)),
    "prime": ((97,), (1.0,)),
    "one cell thick": ((5, 1), (1.0, 1.0)),
    "one unknown in 2-D": ((1, 1), (2.0, 1.0)),
    "two by two": ((2, 2), (1.0, 1.0)),
    "odd square": ((31, 31), (1.0, 1.0)),
    "even square": ((32, 32), (1.0, 1.0)),
    "prime square": ((29, 29), (7.0, 7.0)),
    "mixed parity": ((20, 33), (1.0, 1.6)),
    "needle": ((7, 100), (1.0, 1.0)),
    "flat box": ((30, 24), (1.0, 40.0)),
    "slightly flat box": ((24, 24), (1.0, 1.4)),
    "mixed 3-D": ((4, 5, 6), (1.0, 1.0, 1.0)),
    "line in 3-D": ((1, 1, 9), (1.0, 2.0, 1.0)),
    "plate in 3-D": ((8, 1, 11), (1.0, 1.0, 1.0)),
    "odd cube": ((11, 11, 11), (1.0, 1.0, 1.0)),
    "even cube": ((10, 10, 10), (1.0, 1.0, 1.0)),
    "brick": ((9, 12, 7), (3.0, 1.0, 10.0)),
}
"""The crossed table: every kind of size in every dimension, boxes of unequal sides among them."""

shapes = st.one_of(
    st.tuples(st.integers(1, 60)),
    st.tuples(st.integers(1, 18), st.integers(1, 18)),
    st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8)),
)


@st.composite
def boxes(draw: Callable) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """(shape, extent), aspect ratios up to 100."""
    shape = draw(shapes)
    return shape, tuple(draw(st.sampled_from((0.1, 0.7, 1.0, 2.0, 10.0))) for _ in shape)


@st.composite
def nonuniform_grids(draw: Callable, smallest: int = 1, dims: Sequence[int] = (1, 2, 3)) -> Grid:
    """Grids with random spacings that differ by up to a factor of 4."""
    rng = np.random.default_rng(draw(SEEDS))
    ndim = draw(st.sampled_from(list(dims)))
    sizes = [draw(st.integers(smallest, (40, 9, 5)[ndim - 1])) for _ in range(ndim)]
    return Grid(tuple(Axis(np.concatenate(([0.0], np.cumsum(rng.uniform(0.5, 2, n + 1))))) for n in sizes))


def halvings(grid: Grid) -> list[tuple[bool, ...]]:
    """Every choice of axes to coarsen that `grid` allows."""
    options = [(False, True) if n > 1 else (False,) for n in grid.shape]
    return [which for which in product(*options) if any(which)]


def second_difference(n: int, length: float) -> sp.csr_matrix:
    """(-1, 2, -1) / h^2 for n interior points."""
    return sp.csr_matrix(sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n)) * ((n + 1) / length) ** 2)


def laplacian(shape: Sequence[int], extent: Sequence[float]) -> sp.csc_matrix:
    """-Laplace by second differences, as a sum of Kronecker products."""
    total = sp.csr_matrix((prod(shape),) * 2)
    for a, (n, L) in enumerate(zip(shape, extent, strict=True)):
        left, right = sp.identity(prod(shape[:a])), sp.identity(prod(shape[a + 1 :]))
        total = total + sp.kron(sp.kron(left, second_difference(n, L)), right)
    return sp.csc_matrix(total)


def finite_volumes(nodes: Sequence[np.ndarray]) -> np.ndarray:
    """The dense finite-volume operator on a tensor grid, flux by flux: what leaves a cell over its volume."""
    shape = tuple(len(x) - 2 for x in nodes)
    number = np.arange(prod(shape)).reshape(shape)
    A = np.zeros((prod(shape),) * 2)
    for index in np.ndindex(*shape):
        for a, x in enumerate(nodes):
            i = index[a] + 1
            width = (x[i + 1] - x[i - 1]) / 2
            for step in (-1, 1):
                flux = 1 / abs(x[i + step] - x[i]) / width
                A[number[index], number[index]] += flux
                other = (*index[:a], index[a] + step, *index[a + 1 :])
                if 0 <= other[a] < shape[a]:
                    A[number[index], number[other]] -= flux
    return A


def eigenvalues(shape: Sequence[int], extent: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest eigenvalue of `laplacian`."""

    def one(n: int, L: float, k: int) -> float:
        return (2 * (n + 1) / L * np.sin(k * np.pi / 2 / (n + 1))) ** 2

    pairs = list(zip(shape, extent, strict=True))
    return sum(one(n, L, 1) for n, L in pairs), sum(one(n, L, n) for n, L in pairs)


def direct(shape: Sequence[int], extent: Sequence[float], f: np.ndarray) -> np.ndarray:
    return np.asarray(spsolve(laplacian(shape, extent), np.asarray(f, float).ravel())).reshape(shape)


def by_sines(shape: Sequence[int], extent: Sequence[float], f: np.ndarray) -> np.ndarray:
    """The solution by the discrete sine transform of type I, in which `laplacian` is diagonal."""
    eigenvalue = np.zeros(())
    for n, L in zip(shape, extent, strict=True):
        one = (2 * (n + 1) / L * np.sin(np.arange(1, n + 1) * np.pi / 2 / (n + 1))) ** 2
        eigenvalue = np.add.outer(eigenvalue, one)
    return scipy.fft.idstn(scipy.fft.dstn(f, type=1) / eigenvalue, type=1)


def coordinates(shape: Sequence[int], extent: Sequence[float], ends: bool = False) -> list[np.ndarray]:
    axes = [np.arange(n + 2) * (L / (n + 1)) for n, L in zip(shape, extent, strict=True)]
    return list(np.meshgrid(*(x if ends else x[1:-1] for x in axes), indexing="ij"))


def with_boundary(shape: Sequence[int], extent: Sequence[float], g: Callable[..., Any]) -> np.ndarray:
    """f = 0 with g folded in, point by point: g / h^2 of every neighbour on the boundary."""
    f = np.zeros(shape)
    h = [L / (n + 1) for n, L in zip(shape, extent, strict=True)]
    for index in np.ndindex(*shape):
        for a, n in enumerate(shape):
            for neighbour in (index[a], index[a] + 2):  # counted with the boundary points
                if neighbour in (0, n + 1):
                    point = [(i + 1) * step for i, step in zip(index, h, strict=True)]
                    point[a] = neighbour * h[a]
                    f[index] += g(*point) / h[a] ** 2
    return f


def close(
    u: np.ndarray,
    expected: np.ndarray,
    shape: Sequence[int],
    extent: Sequence[float],
    residual: float,
    data: np.ndarray | float = 0.0,
) -> None:
    """u solves A u = f with this absolute residual (2-norm); `expected` is the solution to rounding.

    |u - A^-1 f| <= residual / lambda_min. Rounding: coordinates are exact to eps and intervals to n eps, so are the
    coefficients; a backward stable solve adds a few eps; the condition number carries both to u. `data`, the folded
    f, is given where the data have rounding errors of their own.
    """
    low, high = eigenvalues(shape, extent)
    rounding = (32 + 4 * max(shape)) * EPS * high / low * np.linalg.norm(expected)
    rounding += 16 * EPS * float(np.linalg.norm(data)) / low
    error = np.linalg.norm(u - expected)
    assert error <= residual / low + rounding, f"{error} > {residual / low} + {rounding}"


def weighted(W: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The inner product in which transfers are adjoint, W being the control volumes."""
    return float(np.sum(W * a * b))


def residual_norm(solution: Any, f: np.ndarray) -> float:
    """The last residual of a solution as an absolute 2-norm, f being the folded data."""
    return float(solution.residual_norms[-1] * np.linalg.norm(f))
