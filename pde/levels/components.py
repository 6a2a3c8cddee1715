"""Levels for closed faces: a coarse unknown is a component, through open faces, of a block of 2^d places."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from pde.levels.component_transfer import coarsened
from pde.levels.direct import DirectSolver, factor_of_definite
from pde.levels.face_graph import face_graph
from pde.levels.graph_operator import GraphOperator, MatrixOperator
from pde.levels.transfers import MatrixTransfer
from pde.problem.components import UNSEEN, Components, closed_components
from pde.problem.grid import Array
from pde.problem.operators import Operator, StencilOperator


def component_volumes(A: Operator) -> Components:
    """The inner product of a level, with a mean for each closed component."""
    if isinstance(A, GraphOperator):
        return Components(A.graph.labels, A.volumes)
    assert isinstance(A, StencilOperator)
    return Components(closed_components(A, UNSEEN), A.volumes)


def component_level(A: Operator, volumes: Components, dtype: np.dtype) -> tuple[MatrixTransfer, GraphOperator] | None:
    """The transfer to the next coarser level and its operator R A P; None where no unknown would be left."""
    volume = float(A.volumes.mean())
    if isinstance(A, GraphOperator):
        matrix, graph = A.exact, A.graph
    else:
        assert isinstance(A, StencilOperator)
        matrix = A.symmetric_matrix() / volume
        graph = face_graph(A, matrix, volumes.labels)
    made = coarsened(graph)
    if made is None:
        return None
    P, coarse = made
    operator = GraphOperator(sp.csr_matrix(P.T @ (matrix @ P)), coarse, volume, dtype)
    return MatrixTransfer(operator.grid, P, A.volumes, operator.volumes, dtype), operator


def as_rows(A: StencilOperator, dtype: np.dtype) -> MatrixOperator:
    """A as a sparse matrix, which skips what is outside a domain; points without open faces are not relaxed."""
    matrix, numbers = A.matrix(), np.arange(A.grid.size).reshape(A.grid.shape)
    centre = matrix.diagonal()
    colours = [np.concatenate([numbers[block].ravel() for block in blocks]) for blocks in A.colours]
    colours = [np.sort(rows[centre[rows] > 0]) for rows in colours]
    matrix.eliminate_zeros()
    diagonal = np.broadcast_to(A.diagonal, A.grid.shape).astype(dtype)
    return MatrixOperator(A.grid, matrix, A.terms, A.volumes, [rows for rows in colours if len(rows)], dtype, diagonal)


class ComponentSolver(DirectSolver):
    """B = A^-1 by sparse factors; on closed components the d of zero mean for an r of zero mean.

    One unknown of each of these is left out of the factors, and so are those whose rows are empty.
    """

    def __init__(self, A: Operator, volumes: Components) -> None:
        self.A, self.volumes = A, volumes
        matrix = sp.csr_matrix(A.matrix().astype(float))
        diagonal, labels = matrix.diagonal(), volumes.labels.ravel()
        last = np.argsort(diagonal, kind="stable")
        fixed = np.zeros(volumes.count, dtype=np.intp)
        closed = last[labels[last] >= 0]
        fixed[labels[closed]] = closed  # the one that is tied to others most strongly
        free = diagonal > 0
        free[fixed] = False
        self._free = np.flatnonzero(free)
        self._factor = factor_of_definite(matrix[self._free][:, self._free]) if free.any() else None

    def __call__(self, r: Array) -> Array:
        flat = self.volumes.without_mean(r.astype(float)).reshape(-1, self.A.grid.size)
        d = np.zeros_like(flat)
        if self._factor is not None:
            d[:, self._free] = self._factor.solve(np.ascontiguousarray(flat[:, self._free].T)).T
        return self.volumes.without_mean(d.reshape(r.shape)).astype(r.dtype)
