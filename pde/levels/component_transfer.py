"""Interpolation from coarse unknowns that are the components, through open faces, of blocks of 2^d places.

A node takes the value of its own component, and of the one that a face leads to out of it, by the resistances on the
way from the centre of the one to that of the other; between cells of a box these are the weights 3/4 and 1/4. Nothing
is taken through a closed face, and constants are kept where no value is held.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from pde.levels.face_graph import FaceGraph
from pde.problem.grid import Array

STRONG = 0.05
"""Faces through which a component leads have at least this share of the largest conductance at both of their ends.

Where a jumps, pieces of a good conductor have values of their own, whatever the poor one between them.
"""

LEAST_SHRINKING = 0.75
"""Where more than this share of the nodes stays, components lead through weak faces too."""

MOST_FROM_OTHERS = 0.75
"""The share that a node takes from other components at most; it is this one in a box of three dimensions."""

WEAKEST = 1e-10
"""Conductances count as no less than this share of the mean, so that a component's matrix can be inverted."""


def coarsened(graph: FaceGraph) -> tuple[sp.csr_matrix, FaceGraph] | None:
    """P and the coarse graph; None where no node would be left.

    Nodes without edges have no coarse unknown: a sweep has solved for them. Nor has a closed component that becomes one
    node: its error would be a constant.
    """
    which = graph.axes_to_coarsen()
    place = np.where(which, graph.place // 2, graph.place)
    block = np.ravel_multi_index(tuple(place.T), tuple(place.max(axis=0) + 1))
    within = block[graph.row] == block[graph.column]
    largest = np.zeros(graph.size)
    np.maximum.at(largest, graph.row, graph.k)
    strong = graph.k >= STRONG * np.maximum(largest[graph.row], largest[graph.column])
    count, number = graph.components(within & strong)
    if np.count_nonzero(np.bincount(number[graph.degree > 0], minlength=count)) > (
        LEAST_SHRINKING * np.count_nonzero(graph.degree)
    ):
        count, number = graph.components(within)
    resistance = resistances(graph, count, number, which)
    coarse = _coarse_graph(graph, count, number, place, resistance)
    kept = (coarse.degree > 0) | (coarse.labels < 0)
    kept[number[graph.degree == 0]] = False
    if not kept.any():
        return None
    P = _interpolation(graph, count, number, resistance, which)
    return sp.csr_matrix(P[:, np.flatnonzero(kept)]), _restricted(coarse, kept)


def _interpolation(graph: FaceGraph, count: int, number: Array, resistance: Array, which: Array) -> sp.csr_matrix:
    row, column, axis = graph.row, graph.column, graph.axis
    out = np.flatnonzero((number[row] != number[column]) & which[axis])
    row, column, axis = row[out], column[out], axis[out]
    way = 1 / (1 / graph.k[out] + resistance[column, axis])  # the conductance from the node to the other centre
    own = resistance[row, axis]
    ndim = len(which)
    total = np.bincount(row * ndim + axis, way, graph.size * ndim)[row * ndim + axis]
    weight = own * way / (1 + own * total)
    weight /= np.maximum(np.bincount(row, weight, graph.size) / MOST_FROM_OTHERS, 1.0)[row]
    nodes = np.arange(graph.size)
    values = np.concatenate((1 - np.bincount(row, weight, graph.size), weight))
    where = np.concatenate((nodes, row)), np.concatenate((number, number[column]))
    P = sp.csr_matrix((values, where), shape=(graph.size, count))
    kept = np.divide(graph.degree, graph.degree + graph.held, out=np.zeros(graph.size), where=graph.degree > 0)
    P = sp.csr_matrix(sp.diags(kept) @ P)
    P.eliminate_zeros()
    return P


def _coarse_graph(graph: FaceGraph, count: int, number: Array, place: Array, resistance: Array) -> FaceGraph:
    """Components as nodes; the conductance between two is that of the ways between their centres, through each face."""
    out = np.flatnonzero(number[graph.row] != number[graph.column])
    row, column, axis, ndim = graph.row[out], graph.column[out], graph.axis[out], place.shape[1]
    k = 1 / (resistance[row, axis] + 1 / graph.k[out] + resistance[column, axis])
    edges = sp.coo_matrix((k, (number[row], number[column] * ndim + axis)), shape=(count, count * ndim))
    edges = edges.tocsr().tocoo()  # adds up those between the same two nodes
    first = np.zeros(count, dtype=np.intp)
    first[number] = np.arange(graph.size)
    held = np.bincount(number, graph.held, count)
    return FaceGraph(
        edges.row, edges.col // ndim, edges.col % ndim, edges.data, place[first], held, graph.labels[first]
    )


def _restricted(graph: FaceGraph, kept: Array) -> FaceGraph:
    """The graph of these nodes, which have all the edges."""
    new = np.cumsum(kept) - 1
    nodes = graph.place[kept], graph.held[kept], graph.labels[kept]
    return FaceGraph(new[graph.row], new[graph.column], graph.axis, graph.k, *nodes)


def resistances(graph: FaceGraph, count: int, number: Array, which: Array) -> Array:
    """From each node to the centre of its component, for what comes in along each axis, (nodes, ndim).

    Half the way to the neighbour in the component along the axis. Where there is none, the way turns: half the
    effective resistance to the other nodes of the component with faces out of it, on average.
    """
    inside = number[graph.row] == number[graph.column]
    ndim = len(which)
    key = graph.row[inside] * ndim + graph.axis[inside]
    k = np.bincount(key, graph.k[inside], graph.size * ndim).reshape(graph.size, ndim)
    result = np.divide(0.5, k, out=np.zeros(k.shape), where=k > 0)
    out = np.zeros((graph.size, ndim), dtype=bool)
    out[graph.row[~inside], graph.axis[~inside]] = True
    turns = (out & which & (k == 0)).any(axis=1) & (k > 0).any(axis=1)
    if turns.any():
        leads_out = np.asarray(out.any(axis=1))
        around = _around(graph, inside, number, leads_out, np.unique(number[turns]), count)
        result = np.where(k > 0, result, around[:, None])
    return np.where(which, result, 0.0)


def _around(graph: FaceGraph, inside: Array, number: Array, out: Array, chosen: Array, count: int) -> Array:
    """Half the mean effective resistance from each node of the chosen components to their other nodes in `out`."""
    result = np.zeros(graph.size)
    size = np.bincount(number, minlength=count)
    order = np.argsort(number, kind="stable")
    first = np.cumsum(size) - size
    position = np.empty(graph.size, dtype=np.intp)
    position[order] = np.arange(graph.size) - first[number[order]]
    index = np.full(count, -1)
    row, column, k = graph.row[inside], graph.column[inside], graph.k[inside]
    for m in np.unique(size[chosen]):
        alike = chosen[size[chosen] == m]
        index[:] = -1
        index[alike] = np.arange(len(alike))
        edges = index[number[row]] >= 0
        matrices = np.zeros((len(alike), m, m))
        matrices[index[number[row[edges]]], position[row[edges]], position[column[edges]]] = -k[edges]
        nodes = order[first[alike][:, None] + np.arange(m)]
        result[nodes] = _half_means(matrices, out[nodes].astype(float))
    return result


def _half_means(matrices: Array, out: Array) -> Array:
    """The same of many components of one size: minus the conductances, (components, m, m), and their nodes in `out`."""
    m, scale = matrices.shape[1], -matrices.sum(axis=2).mean(axis=1)[:, None, None]
    matrices = np.where(matrices < 0, np.minimum(matrices, -WEAKEST * scale), 0.0)
    degree = -matrices.sum(axis=2)
    inverse = np.linalg.inv((matrices + degree[:, :, None] * np.eye(m)) / scale + 1 / m) / scale  # and 1, which cancels
    diagonal = np.diagonal(inverse, axis1=1, axis2=2)
    total = out.sum(axis=1, keepdims=True)
    ways = total * diagonal + (out * diagonal).sum(axis=1, keepdims=True) - 2 * (inverse @ out[:, :, None])[:, :, 0]
    others = total - out
    return np.asarray(np.divide(ways, 2 * others, out=np.zeros(ways.shape), where=(others > 0) & (ways > 0)))
