"""A full tensor as coefficient: the energy of the cells between nodes, as conductances between their corners.

In a cell the gradient's parts are differences along its edges. The energy of a_ii is the mean of their squares along
axis i; that of a_ij is the product of their means over a face, averaged over the two faces across a third axis. That is
positive wherever the tensor is, and couples a node with its neighbours along the axes and across the diagonals of
faces: nine points in two dimensions, nineteen in three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from pde.common.arrays import expand, like, namespace, zeros
from pde.problem.grid import ENDS, Array, Axis, Grid, Sides, trailing, window

LOW, HIGH, ALL = slice(None, -1), slice(1, None), slice(None)


class Edges(NamedTuple):
    """Pairs of nodes with this offset: the first and the second ones as slices, and their conductances."""

    offset: tuple[int, ...]
    here: tuple[slice, ...]
    there: tuple[slice, ...]
    conductance: Array


@dataclass(frozen=True, eq=False)
class FullTensor:
    """A full tensor on a grid.

    Arrays of nodes hold the unknowns with the points of Dirichlet ends, and behind the last point of a periodic axis
    the first one again.

    Args:
        entries: a_ij with i <= j at the unknowns, numbers or arrays of the grid's shape.
    """

    grid: Grid
    entries: dict[tuple[int, int], float | Array]

    @cached_property
    def edges(self) -> list[Edges]:
        """Every pair of nodes that couple."""
        axes, ndim = self.grid.axes, self.grid.ndim
        h = [_intervals(axis).reshape((-1,) + (1,) * (ndim - 1 - a)) for a, axis in enumerate(axes)]
        volume = np.prod(np.broadcast_arrays(*h), axis=0) / 2 ** (ndim - 1)
        edges = []
        for (a, b), entry in self._at_nodes().items():
            k = _in_cells(entry) * volume / (h[a] * h[b])
            for across in set(range(ndim)) - {a, b}:
                k = _summed_at_nodes(k, across)
            edges += [_edges({a: 1, b: step}, step * k) for step in ((1,) if a == b else (1, -1))]
        return edges

    def inflow(self, nodes: Any) -> Any:
        """The flow into each unknown by the differences of these values at the nodes, (..., *nodes)."""
        total = zeros(tuple(nodes.shape), nodes)
        for _, here, there, k in self.edges:
            flux = like(k, nodes) * (nodes[trailing(there)] - nodes[trailing(here)])
            total[trailing(here)] += flux
            total[trailing(there)] -= flux
        return self._unknowns(total)

    def energy(self, nodes: Any) -> Any:
        """Half of the integral of grad u . (tensor) grad u for these values at the nodes, of each member of a batch."""
        axes, total = tuple(range(-self.grid.ndim, 0)), 0.0
        for _, here, there, k in self.edges:
            steps = nodes[trailing(there)] - nodes[trailing(here)]
            total = total + namespace(nodes).sum(like(k, nodes) * steps**2, axis=axes) / 2
        return total

    def stencil(self) -> dict[tuple[int, ...], Array]:
        """The coefficients of -inflow by offset, for zero values at Dirichlet ends."""
        ndim, shape = self.grid.ndim, tuple(_node_count(axis) for axis in self.grid.axes)
        result = {(0,) * ndim: np.zeros(shape)}
        for offset, here, there, k in self.edges:
            for way, part in ((offset, here), (tuple(-o for o in offset), there)):
                result.setdefault(way, np.zeros(shape))[part] -= k
                result[(0,) * ndim][part] += k
        stencil = {offset: np.ascontiguousarray(self._unknowns(values)) for offset, values in result.items()}
        for offset, values in stencil.items():
            for a, axis in enumerate(self.grid.axes):
                for side, end in enumerate(ENDS):
                    if axis.sides[side].kind == "dirichlet" and offset[a] == (-1, 1)[side]:
                        values[window(a, ndim, end)] = 0.0
        return stencil

    def nodes(self, u: Any, sides: Mapping[Any, Any]) -> Any:
        """The values at the nodes: u, and the data of Dirichlet sides.

        At edges of the box, which belong to more than one side, the data of each are continued by a parabola, and their
        mean is taken.
        """
        grid, ndim = self.grid, self.grid.ndim
        ends = {key: g for key, g in sides.items() if kind_of(grid, key) == "dirichlet"}
        batch = np.broadcast_shapes(u.shape[:-ndim], *(g.shape[: g.ndim - ndim + 1] for g in ends.values()))
        total = zeros(batch + tuple(_node_count(axis) for axis in grid.axes), u)
        number = np.zeros(total.shape[-ndim:])
        for a, axis in enumerate(grid.axes):
            for side, end in enumerate(ENDS):
                if axis.sides[side].kind == "dirichlet":
                    number[window(a, ndim, end)] += 1
                    if (a, side) in ends:
                        total[window(a, ndim, end)] += self._continued(ends[a, side], a)
        total = total / like(np.maximum(number, 1), u)
        total[trailing([_unknown(axis) for axis in grid.axes])] = u
        for a, axis in enumerate(grid.axes):
            if axis.periodic:
                total[window(a, ndim, ENDS[1])] = total[window(a, ndim, ENDS[0])]
        return total

    def from_sides(self, sides: Sides, u: Any) -> Any:
        """The flow into each unknown from Dirichlet data where u is zero; arrays of the kind of u."""
        return self.inflow(self.nodes(0 * u, sides))

    def _at_nodes(self) -> dict[tuple[int, int], Array]:
        """The entries at the nodes; those at Dirichlet ends are continued from the two unknowns beside them."""
        values = {key: np.broadcast_to(np.asarray(e, dtype=float), self.grid.shape) for key, e in self.entries.items()}
        for a, axis in enumerate(self.grid.axes):
            low, high = (_beyond(values, axis, a, side) for side in (0, 1))
            values = {key: np.concatenate((*low[key], v, *high[key]), axis=a) for key, v in values.items()}
        return values

    def _unknowns(self, nodes: Any) -> Any:
        """The part of values at the nodes that belongs to unknowns; the two layers of a periodic axis are added."""
        ndim = self.grid.ndim
        for a, axis in enumerate(self.grid.axes):
            if axis.periodic:
                nodes[window(a, ndim, ENDS[0])] += nodes[window(a, ndim, ENDS[1])]
        return nodes[trailing([_unknown(axis) for axis in self.grid.axes])]

    def _continued(self, g: Any, across: int) -> Any:
        """The data of a side at all nodes of it, with one entry along its axis."""
        ndim = self.grid.ndim
        others = [a for a in range(ndim) if a != across]
        for position, a in enumerate(others):
            axis, here = self.grid.axes[a], position - len(others)
            low, high = _unknown(axis).start, axis.sides[1].kind == "dirichlet"
            parts = [_end_value(g, axis, here, 0)] if low else []
            parts += [g, *([_end_value(g, axis, here, 1)] if high else [])]
            parts += [g[window(0, -here, ENDS[0])]] if axis.periodic else []
            g = namespace(g).concatenate(parts, axis=here)
        return expand(g, across - ndim)


def is_definite(entries: Mapping[tuple[int, int], Any], ndim: int) -> Any:
    """Whether the symmetric tensor with these entries a_ij, i <= j, is positive definite: one boolean per point.

    The pivots of elimination are positive then.
    """
    left = {(i, j): np.asarray(entries.get((i, j), 0.0)) for i in range(ndim) for j in range(i, ndim)}
    definite: Any = True
    for k in range(ndim):
        pivot = np.where(left[k, k] > 0, left[k, k], 1.0)
        definite = definite & (left[k, k] > 0)
        with np.errstate(over="ignore", invalid="ignore"):  # only where it is not definite
            left = {(i, j): v - left[k, i] / pivot * left[k, j] for (i, j), v in left.items() if i > k}
    return definite


def _beyond(values: dict[tuple[int, int], Array], axis: Axis, a: int, side: int) -> dict[tuple[int, int], list[Array]]:
    """The entries at the nodes before the first or behind the last unknown of an axis, if there are such nodes.

    They are on a straight line through the two unknowns beside them, or, where that is not positive definite, those of
    the nearest one.
    """
    ndim, nearest = next(iter(values.values())).ndim, list(range(axis.n)[:: -1 if side else 1])
    if axis.periodic:
        return {key: [v[window(a, ndim, ENDS[0])]] if side else [] for key, v in values.items()}
    if axis.sides[side].kind != "dirichlet":
        return {key: [] for key in values}
    first, second = (
        {key: v[window(a, ndim, slice(i, i + 1))] for key, v in values.items()} for i in (nearest[0], nearest[:2][-1])
    )
    way = axis.ends[side] / axis.gaps[-side] if axis.n > 1 else 0.0
    line = {key: v + way * (v - second[key]) for key, v in first.items()}
    good = is_definite(line, ndim)
    return {key: [np.where(good, line[key], v)] for key, v in first.items()}


def _edges(steps: dict[int, int], conductance: Array) -> Edges:
    """The pairs of nodes of a cell whose indices differ by these steps along its axes."""
    ndim = conductance.ndim
    here = tuple({0: ALL, 1: LOW, -1: HIGH}[steps.get(a, 0)] for a in range(ndim))
    there = tuple({0: ALL, 1: HIGH, -1: LOW}[steps.get(a, 0)] for a in range(ndim))
    return Edges(tuple(steps.get(a, 0) for a in range(ndim)), here, there, conductance)


def _in_cells(k: Array) -> Array:
    """The mean at the corners of every cell."""
    for a in range(k.ndim):
        k = (k[window(a, k.ndim, LOW)] + k[window(a, k.ndim, HIGH)]) / 2
    return k


def _summed_at_nodes(k: Array, a: int) -> Array:
    """Of each node along an axis the sum over the two intervals beside it, one at the ends."""
    width = [(0, 0)] * k.ndim
    width[a] = (1, 1)
    k = np.pad(k, width)
    return k[window(a, k.ndim, LOW)] + k[window(a, k.ndim, HIGH)]


def _intervals(axis: Axis) -> Array:
    """The distances between nodes."""
    if axis.periodic:
        return axis.gaps
    low, high = (side.kind == "dirichlet" for side in axis.sides)
    return np.diff(np.concatenate((axis.nodes[: int(low)], axis.points, axis.nodes[len(axis.nodes) - int(high) :])))


def _unknown(axis: Axis) -> slice:
    """The unknowns among the nodes."""
    low = int(axis.sides[0].kind == "dirichlet")
    return slice(low, low + axis.n)


def _node_count(axis: Axis) -> int:
    return len(_intervals(axis)) + 1


def kind_of(grid: Grid, key: Any) -> str:
    """The kind of the side with this key of `Sides`; "" where the key is none."""
    return grid.axes[key[0]].sides[key[1]].kind if isinstance(key, tuple) else ""


def _end_value(g: Any, axis: Axis, here: int, side: int) -> Any:
    """The value at an end by the parabola through the three points beside it, or through as many as there are."""
    nearest = list(range(axis.n)[:: -1 if side else 1][:3])
    x = axis.points[nearest] - axis.nodes[-side]
    total: Any = 0.0
    for i, index in enumerate(nearest):
        others = np.delete(x, i)
        weight = float(np.prod(others / (others - x[i])))
        total = total + weight * g[window(0, -here, slice(index, index + 1))]
    return total
