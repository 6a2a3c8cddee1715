"""Unknowns as nodes of a graph whose edges are the open faces between them, on every level; blocks that they lie in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from pde.problem.grid import SAME_COUPLING, Array
from pde.problem.operators import StencilOperator


@dataclass(frozen=True, eq=False)
class FaceGraph:
    """Edges between nodes, each twice, as (row, column) and the reverse.

    Args:
        row, column, axis: of each edge its ends and the axis along which it leads.
        k: its conductance, positive.
        place: the integer coordinates of each node, (nodes, ndim); several nodes may be at one place.
        held: what ties each node to held values.
        labels: the closed component of each node, -1 where there is none.
    """

    row: Array
    column: Array
    axis: Array
    k: Array
    place: Array
    held: Array
    labels: Array

    @property
    def size(self) -> int:
        return len(self.place)

    @cached_property
    def degree(self) -> Array:
        """The sum of the conductances at each node."""
        return np.bincount(self.row, self.k, self.size)

    def axes_to_coarsen(self) -> Array:
        """The axes along which the typical conductance is near the largest one (semicoarsening)."""
        ndim = self.place.shape[1]
        count = np.maximum(np.bincount(self.axis, minlength=ndim), 1)
        typical = np.exp(np.bincount(self.axis, np.log(self.k), ndim) / count)
        typical[np.bincount(self.axis, minlength=ndim) == 0] = 0.0
        return (typical > 0) & (typical * SAME_COUPLING >= typical.max())

    def components(self, edges: Array) -> tuple[int, Array]:
        """How many components these edges make, and the number of each node's."""
        ones = np.ones(np.count_nonzero(edges), dtype=np.int8)
        graph = sp.csr_matrix((ones, (self.row[edges], self.column[edges])), shape=(self.size, self.size))
        count, number = connected_components(graph, directed=False)
        return int(count), number


def face_graph(A: StencilOperator, matrix: sp.csr_matrix, labels: Array) -> FaceGraph:
    """The graph of the open faces of A, with its conductances in `matrix`, which is W A / mean(W).

    Points outside a domain are nodes without edges.
    """
    place = np.stack(np.unravel_index(np.arange(A.grid.size), A.grid.shape), axis=1)
    entries = matrix.tocoo()
    edges = (entries.row != entries.col) & (entries.data < 0)
    row, column, k = entries.row[edges], entries.col[edges], -entries.data[edges]
    axis = np.argmax(place[row] != place[column], axis=1)
    size, diagonal = A.grid.size, matrix.diagonal()
    reaction = (A.volumes / A.volumes.mean() * A.terms.reaction).ravel()
    held = diagonal - np.bincount(row, k, size) - reaction
    held[held < 1e-12 * diagonal] = 0.0  # rounding
    return FaceGraph(row, column, axis, k, place, held, labels.ravel())
