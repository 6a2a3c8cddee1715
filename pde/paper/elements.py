"""Finite elements of section 5: stiffness and mass on grids of points, and the maps Pi of (4.17).

"linear" are triangles, each square of points cut along its anti-diagonal (4.14), "bilinear" are squares (4.13). Points
have distance 1: in the plane the stiffness matrix does not depend on it.

>>> A, divisor = stiffness((3, 3), "linear")
>>> (A.toarray()[4] / divisor).tolist()  # K_A (5.4)
[0.0, -1.0, 0.0, -1.0, 4.0, -1.0, 0.0, -1.0, 0.0]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from mgcore.stencils import BILINEAR, LINEAR, POISSON, Kernel
from pde.common.arguments import choose, count
from pde.paper.convolution import restriction_matrix
from pde.problem.grid import Array

Shape = tuple[int, int]
Local = tuple[tuple[int, ...], ...]


class Element(NamedTuple):
    """One kind of elements, with integers as entries, so that products with R and P have no rounding.

    Attributes:
        vertices: per element of a square of points its corners, numbered 0 1 / 2 3, the right angle first.
        stiffness, divisor: of one element; mass, volume: the same.
        K_R, K_A: the kernels of restriction, and of the stiffness matrix in the interior.
    """

    vertices: Local
    stiffness: Local
    divisor: int
    mass: Local
    volume: int
    K_R: Kernel
    K_A: Kernel


_NINE = tuple(tuple((8 if p == q == 1 else -1) / 3 for q in range(3)) for p in range(3))
_TRIANGLE, _THIRDS = ((2, -1, -1), (-1, 1, 0), (-1, 0, 1)), ((2, 1, 1), (1, 2, 1), (1, 1, 2))
_SQUARE = ((4, -1, -1, -2), (-1, 4, -2, -1), (-1, -2, 4, -1), (-2, -1, -1, 4))
_MEANS = ((4, 2, 2, 1), (2, 4, 1, 2), (2, 1, 4, 2), (1, 2, 2, 4))
ELEMENTS = {
    "linear": Element(((0, 1, 2), (3, 1, 2)), _TRIANGLE, 2, _THIRDS, 24, LINEAR, POISSON),
    "bilinear": Element(((0, 1, 2, 3),), _SQUARE, 6, _MEANS, 36, BILINEAR, _NINE),
}
INTERPOLATIONS = ("nodal", "scott-zhang", "l2")


def stiffness(shape: Shape, transfer: str) -> tuple[sp.csr_matrix, int]:
    """The stiffness matrix of -Laplace u = f with Neumann sides (5.1) as N / d, a matrix of integers and a divisor."""
    element = ELEMENTS[choose("transfer", transfer, ELEMENTS)]
    return _assembled(_points(shape), element.vertices, element.stiffness), element.divisor


def mass(shape: Shape, transfer: str) -> sp.csr_matrix:
    """The mass matrix: (u, v) in L2 where points have distance 1; with distance h, h^2 times it."""
    element = ELEMENTS[choose("transfer", transfer, ELEMENTS)]
    return _assembled(_points(shape), element.vertices, element.mass) / element.volume


def feature_map(name: str, shape: Shape, transfer: str, walls: str = "neumann") -> Callable[[Array], Array]:
    """Pi of (4.17) from `shape` points to every second one: a projection, Pi P = id, and so it keeps linear functions.

    "nodal" takes the values of u at coarse points; "scott-zhang" takes there the L2 projection on one coarse edge, a
    side's own edge where the point lies on a side; "l2" is the L2 projection on all of the domain.

    Args:
        name: "nodal", "scott-zhang" or "l2".
        shape: points of the finer grid.
        transfer: the elements, "linear" or "bilinear".
        walls: "neumann", where the points include both ends of an axis, an odd number of them; or "dirichlet", interior
            points alone, also an odd number, and u = 0 on the sides.

    Returns:
        A map of arrays (..., m, n) to arrays (..., (m + 1) / 2, (n + 1) / 2) or, for "dirichlet", (m - 1) / 2, ...

    Raises:
        ValueError: naming the argument, what came and what is allowed.

    >>> feature_map("scott-zhang", (3, 3), "linear")(np.arange(9.0).reshape(3, 3)).tolist()
    [[0.0, 2.0], [6.0, 8.0]]
    """
    choose("name", name, INTERPOLATIONS)
    choose("walls", walls, ("neumann", "dirichlet"))
    element = ELEMENTS[choose("transfer", transfer, ELEMENTS)]
    outside = 2 if walls == "dirichlet" else 0
    shape = _points(shape)
    if any(n % 2 == 0 for n in shape):
        raise ValueError(f"shape must be two odd numbers of points, at least 3 each; got {shape}")
    fine = (shape[0] + outside, shape[1] + outside)
    coarse = ((fine[0] + 1) // 2, (fine[1] + 1) // 2)
    kept, kept_coarse = (_inside(n, outside // 2) for n in (fine, coarse))
    matrix, solve = _rows(name, fine, transfer, element), None
    if name == "l2":  # M_c Pi u = R M u, where squares of the coarse grid are 4 times as large
        coarse_mass = sp.csc_matrix(4 * mass(coarse, transfer))[kept_coarse][:, kept_coarse]
        solve = spla.splu(sp.csc_matrix(coarse_mass)).solve
    target = (coarse[0] - outside, coarse[1] - outside)
    return partial(_mapped, sp.csr_matrix(matrix[kept_coarse][:, kept]), solve, shape, target)


def _rows(name: str, fine: Shape, transfer: str, element: Element) -> sp.csr_matrix:
    """Pi as a matrix on points with both ends; for the L2 projection R M, the right-hand side of its equation."""
    if name == "l2":
        return sp.csr_matrix(restriction_matrix(element.K_R, fine) @ mass(fine, transfer))
    (N_0, Z_0), (N_1, Z_1) = (_along_axis(n) for n in fine)
    if name == "nodal":
        return sp.csr_matrix(sp.kron(N_0, N_1))
    on_side = np.zeros(N_1.shape[0])
    on_side[[0, -1]] = 1  # low and high side of axis 1: their edges run along axis 0
    side, inner = (sp.kron(sp.eye(N_0.shape[0]), sp.diags(d)) for d in (on_side, 1 - on_side))
    return sp.csr_matrix(inner @ sp.kron(N_0, Z_1) + side @ sp.kron(Z_0, N_1))


def _along_axis(n: int) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Of an axis of n points: every second value, and the mean with the function dual to its hat on a coarse edge."""
    nodal = sp.csr_matrix(sp.eye(n))[::2]
    dual = sp.lil_matrix(nodal.shape)
    for i in range(nodal.shape[0]):
        ahead = 1 if 2 * i + 2 < n else -1
        for step, weight in enumerate((0.75, 0.5, -0.25)):  # of (4, -2) / H from end to end, and a, (a + b) / 2, b
            dual[i, 2 * i + ahead * step] = weight
    return nodal, sp.csr_matrix(dual)


def _points(shape: Sequence[int]) -> Shape:
    """`shape` as two numbers of points, a square of them at least."""
    if isinstance(shape, str) or not isinstance(shape, Sequence) or len(shape) != 2:
        raise ValueError(f"shape must be two numbers of points; got {shape!r}")
    return count("shape", shape[0], least=2), count("shape", shape[1], least=2)


def _assembled(shape: Shape, vertices: Local, local: Local) -> sp.csr_matrix:
    """The sum of the matrices of all elements."""
    m, n = shape
    first = np.arange(m * n).reshape(m, n)[:-1, :-1].ravel()
    corners = np.array([0, 1, n, n + 1])
    entries, rows, columns = [], [], []
    for element in vertices:
        points = first[:, None] + corners[list(element)]
        rows.append(np.repeat(points, len(element), axis=1).ravel())
        columns.append(np.tile(points, len(element)).ravel())
        entries.append(np.tile(np.array(local, dtype=float).ravel(), len(first)))
    data = (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns)))
    matrix = sp.csr_matrix(data, shape=(m * n, m * n))
    matrix.eliminate_zeros()
    return matrix


def _inside(shape: Shape, width: int) -> Array:
    """The numbers of the points that are not among the outermost `width` ones."""
    m, n = shape
    return np.arange(m * n).reshape(m, n)[width : m - width, width : n - width].ravel()


def _mapped(matrix: sp.csr_matrix, solve: Any, shape: Shape, target: Shape, u: Array) -> Array:
    if u.shape[-2:] != shape:
        raise ValueError(f"u must have the shape (..., {shape[0]}, {shape[1]}); got {u.shape}")
    flat = matrix @ u.reshape(-1, matrix.shape[1]).T
    flat = flat if solve is None else solve(flat)
    return np.ascontiguousarray(flat.T).reshape(*u.shape[:-2], *target)
