"""J = A'(u), the linearisation of a nonlinear operator: coefficients at the 3^d nearest points of each unknown."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import Frozen
from pde.problem.coefficients import Terms
from pde.problem.compact import CompactOperator, offsets
from pde.problem.face_gradients import shifted
from pde.problem.grid import ENDS, Array, window
from pde.problem.laws import Law
from pde.problem.nonlinear_operator import NonlinearOperator


class Linearised(Frozen):
    """J e = A'(u) e for one u, exact but for the derivatives of the laws.

    Of a(|grad u|^2) it is -div((a I + 2 a' grad u grad u^T) grad e). Of a(u), with the term a'(u) e grad u in its flux,
    it is self-adjoint in no inner product.

    Args:
        A: the operator.
        u: where it is linearised, of the grid's shape.

    Attributes:
        stencil: (3**ndim, *grid.shape), the coefficients of e at the offsets of `pde.problem.compact.offsets`, of
            neighbours beyond sides too.

    >>> from pde import NonlinearPoisson
    >>> problem = NonlinearPoisson(3, extent=4.0, reaction=lambda u, x: u**3, derivative=lambda u, x: 3 * u**2)
    >>> Linearised(problem._operator, np.array([0.0, 1.0, 2.0]))(np.ones(3)).tolist()
    [1.0, 3.0, 13.0]
    """

    def __init__(self, A: NonlinearOperator, u: Array) -> None:
        self.A, self.grid = A.with_values({}), A.grid
        self._numbers = {offset: n for n, offset in enumerate(offsets(A.grid.ndim))}
        self.stencil = np.zeros((len(self._numbers), *u.shape), A.dtype)
        self._differentiate(A, u, A._padded(u))

    def __call__(self, e: Array) -> Array:
        """J e for e of shape (..., *grid.shape)."""
        padded, whole = self.A._padded(e), self.A._whole
        parts = (k * padded[shifted(whole, offset)] for offset, k in zip(self._numbers, self.stencil, strict=True))
        total: Array = sum(parts)
        return total

    def compact(self) -> CompactOperator:
        """The same as couplings of nearest unknowns; parabolas that go on beyond sides with fluxes become lines."""
        k, grid = self.stencil.copy(), self.grid
        diagonals = self.A.laws.gradient is not None
        for a, axis in enumerate(grid.axes):
            for end, side, outer in zip(ENDS, axis.sides, (-1, 1), strict=True):
                if axis.periodic or side.kind == "dirichlet" or not diagonals:
                    continue
                at = window(a, grid.ndim, end)
                for offset, number in self._numbers.items():
                    if offset[a] == outer:  # e there is 2 e_0 - e_1
                        here, inner = (self._numbers[(*offset[:a], o, *offset[a + 1 :])] for o in (0, -outer))
                        beyond, k[number][at] = k[number][at].copy(), 0
                        k[here][at] += beyond * (2 if axis.n > 1 else 1)
                        if axis.n > 1:
                            k[inner][at] -= beyond
        if self.A.inside is not None:  # a diagonal to divide by
            centre = k[self._numbers[(0,) * grid.ndim]]
            centre[~self.A.inside] = centre.max()
        terms = Terms(self.A.terms.typical if self.A.laws.coefficient is None else (1.0,) * grid.ndim)
        return CompactOperator(grid, k, terms, inside=self.A.inside)

    def compact_adjoint(self) -> CompactOperator:
        """The adjoint of `compact` in the inner product of control volumes, W^-1 J^T W."""
        A, W = self.compact(), sp.diags(self.grid.volumes().ravel())
        transposed = sp.diags(1 / W.diagonal()) @ A.matrix().T @ W
        result: CompactOperator = CompactOperator.from_matrix(self.grid, transposed, A.terms).changed(inside=A.inside)
        return result

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """J on the flattened unknowns; outside a domain the diagonal alone is 1, not 0."""
        grid = self.grid
        wide = np.arange(int(np.prod([n + 2 for n in grid.shape]))).reshape([n + 2 for n in grid.shape])
        columns = np.stack([wide[shifted(self.A._whole, offset)] for offset in self._numbers])
        rows = np.broadcast_to(np.arange(grid.size).reshape(grid.shape), columns.shape)
        entries = self.stencil.astype(float).ravel(), (rows.ravel(), columns.ravel())
        result = sp.csr_matrix(entries, shape=(grid.size, wide.size)) @ padding(self.A)
        if self.A.inside is None:
            return sp.csr_matrix(result)
        inside = self.A.inside.ravel().astype(float)
        return sp.csr_matrix(result @ sp.diags(inside) + sp.diags(1 - inside))

    def _differentiate(self, A: NonlinearOperator, u: Array, padded: Array) -> None:
        """Sum up the derivatives of the fluxes, the held share and the reaction."""
        ndim = A.grid.ndim
        for a in range(ndim):
            for offset in (-1, 1):
                self._flux(A, padded, a, offset)
        centre = self.stencil[self._numbers[(0,) * ndim]]
        if A._held is not None:
            centre += A._held
        if (law := A.laws.reaction) is not None:
            centre += law.with_slope(u, A._points)[1]
        if A.inside is not None:
            self.stencil[...] = np.where(A.inside, self.stencil, 0)

    def _flux(self, A: NonlinearOperator, padded: Array, a: int, offset: int) -> None:
        ndim, whole = A.grid.ndim, A._whole
        there = tuple(offset if b == a else 0 for b in range(ndim))
        u, beside = padded[shifted(whole, (0,) * ndim)], padded[shifted(whole, there)]
        k, step, points = A.coupling(a, offset, whole), u - beside, A._faces[a][offset > 0]
        if (law := A.laws.coefficient) is not None:
            value, slope = law.with_slope((u + beside) / 2, points)
            self._add(there, k * (step * slope / 2 - value), k * (step * slope / 2 + value))
        elif (law := A.laws.gradient) is not None:
            gradients = A._gradients
            squares, _ = gradients.across(padded, whole, a, offset, step)
            value, slope = relative_slope(law, squares, points)
            weight = 2 * k * step * slope
            normal = k * value + weight * step * gradients.per_square(whole, a, offset)
            self._add(there, -normal, normal)
            for b in range(ndim):
                if b != a:
                    share = weight * gradients.along(padded, whole, a, offset, b) / 2
                    for o, w in zip((-1, 0, 1), gradients.weights(whole, b), strict=True):
                        if w is not None:
                            sideways = tuple(o if c == b else 0 for c in range(ndim))
                            both = tuple(map(sum, zip(sideways, there, strict=True)))
                            self._add(both, share * w, share * w, sideways)
        else:
            self._add(there, -k, k)

    def _add(self, there: tuple[int, ...], beside: Any, here: Any, at: tuple[int, ...] | None = None) -> None:
        self.stencil[self._numbers[there]] += beside
        self.stencil[self._numbers[(0,) * self.grid.ndim if at is None else at]] += here


def jacobian(A: NonlinearOperator, u: Array) -> sp.csc_matrix:
    """The derivative of A at one u, (*grid.shape), as a sparse matrix on flattened unknowns."""
    law = A.laws.reaction
    if A.laws.coefficient is not None or A.laws.gradient is not None:
        return sp.csc_matrix(Linearised(A, u).matrix)
    slope = np.zeros(u.shape) if law is None else law.with_slope(u, A._points)[1]
    return sp.csc_matrix(A.box_matrix + sp.diags(slope.ravel().astype(float)))


def padding(A: NonlinearOperator) -> sp.csr_matrix:
    """The linear part of u -> u with its neighbours beyond sides, as a matrix: one axis after the other."""
    result = sp.identity(1)
    for a, axis in enumerate(A.grid.axes):
        ends = [np.zeros(axis.n), np.zeros(axis.n)]
        for side, end in enumerate(axis.sides):
            if axis.periodic:
                ends[side][side - 1] = 1
            elif end.kind != "dirichlet" and A.laws.gradient is not None:
                ends[side] += A._gradients.weights_beyond(a, side)
        result = sp.kron(result, np.vstack([ends[0], np.eye(axis.n), ends[1]]))
    return sp.csr_matrix(result)


def relative_slope(law: Law, squares: Array, points: Any) -> tuple[Array, Array]:
    """a(s) and a'(s), by differences relative to s, which suit any size of it, where there is no exact derivative."""
    if law.is_exact:
        return law.with_slope(squares, points)
    tiny = np.finfo(squares.dtype).tiny
    value, moved = law(squares, points), squares * (1 + squares.dtype.type(np.finfo(squares.dtype).eps ** 0.5)) + tiny
    return value, (law(moved, points) - value) / (moved - squares)
