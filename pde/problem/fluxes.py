"""Gradients and fluxes of a solution: across the faces of its control volumes, at points, and through sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pde.common.arguments import choose, described
from pde.common.arrays import cast, expand, like, namespace
from pde.problem.boundary import BoundaryData
from pde.problem.coefficients import Terms, grid_fluxes, side_weights
from pde.problem.grid import ENDS, Array, Axis, Grid, Sides, window
from pde.problem.poisson import Poisson


def gradient(problem: Poisson, u: Any, g: BoundaryData = None, at: str = "faces") -> tuple[Array, ...]:
    """The gradient of a solution, of second order: one array per axis.

    Where two Dirichlet sides of cells meet the error is h^2 / r at a distance r from their corner.

    Args:
        u: (..., *shape), an array or a tensor, through which derivatives are taken.
        g: the boundary data that u was solved with. Open sides need none.
        at: "faces": across the faces between control volumes, one entry more along the axis than u has, those at both
            ends among them; a projection on a staggered grid subtracts these. "points": at the unknowns, in the shape
            of u.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> problem = Poisson(4, centering="cell")
    >>> gradient(problem, problem.points()[0], {(0, 1): 1.0})[0].tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    points = choose("at", at, ("faces", "points")) == "points"
    u, sides = _read(problem, u, g)
    result = []
    for a, axis in enumerate(problem.grid.axes):
        through = _fluxes(problem, u, sides, a)
        if points:
            result.append(_at_points(through, axis, a, problem.ndim) / -as_like(problem.terms.diffusion[a], u))
        else:
            result.append(through / -as_like(_diffusion(problem, a), u))
    return tuple(result)


def flux(problem: Poisson, u: Any, side: tuple[int, int] | None = None, g: BoundaryData = None) -> Any:
    """The flux -a grad u: through a side of the box, outward, or through all faces of the control volumes.

    Args:
        u: (..., *shape), an array or a tensor, through which derivatives are taken.
        side: (axis, 0) or (axis, 1) for the integral over that side; the result has the batch axes of u. None for the
            flux per area across every face in the direction of its axis: one array per axis, one entry longer along it.
            Differences of these over the widths of the volumes, summed over the axes, are f - c u up to the residual.
        g: the boundary data that u was solved with. Open sides need none.

    A Dirichlet side of a vertex-centred grid, where the last face lies half a step inside, has the flux extrapolated
    from two faces, and beside an edge from two lines of them: of second order, and not conservative to the last bit.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> rod = Poisson(9, boundary=[("dirichlet", "neumann")])
    >>> heat = flux(rod, 2 * rod.points()[0], (0, 0), {(0, 1): 2.0})
    >>> round(float(heat), 12)
    2.0
    """
    if side is not None and side not in [(a, s) for a, axis in enumerate(problem.grid.axes) for s in (0, 1)]:
        raise ValueError(
            f"side must be None or (axis, side) with axis < {problem.ndim} and side 0 or 1; got {described(side)}"
        )
    u, sides = _read(problem, u, g)
    if side is None:
        return tuple(_fluxes(problem, u, sides, a) for a in range(problem.ndim))
    axis, end = side
    through = _at_end(_fluxes(problem, u, sides, axis), problem.grid.axes[axis], axis, problem.ndim, end)
    weights = [np.ones(1) if a == axis else side_lengths(line) for a, line in enumerate(problem.grid.axes)]
    total = namespace(u).sum(through * as_like(outer(weights), u), axis=tuple(range(-problem.ndim, 0)))
    return total if end else -total


def outer(factors: Sequence[Array]) -> Array:
    """The products of numbers along each axis."""
    result = np.ones(())
    for factor in factors:
        result = np.multiply.outer(result, factor)
    return result


def side_lengths(axis: Axis) -> Array:
    """The widths of the control volumes, with what is left beside Dirichlet nodes extrapolated from two unknowns."""
    lengths = axis.width.copy()
    for side, distance in enumerate(axis.ends):
        if distance > 0 and not axis.cell and not axis.periodic:
            nearest, next_one = (-1, -2) if side else (0, 1)
            lengths[nearest] += distance / 2
            if axis.n > 1:
                slope = distance / float(axis.gaps[nearest])
                lengths[nearest] += distance / 2 * slope
                lengths[next_one] -= distance / 2 * slope
    return lengths


def _read(problem: Poisson, u: Any, g: BoundaryData) -> tuple[Array, Sides]:
    u = problem.read("u", u, tensors=True)
    return u, {key: like(values, u) for key, values in problem.sides(u, g).items()}


def _fluxes(problem: Poisson, u: Array, sides: Sides, a: int) -> Array:
    """-a du/dx across the faces of an axis, as the finite volumes have it."""
    grid, ndim = problem.grid, problem.ndim
    axis, k = grid.axes[a], as_like(conductances(problem.grid, problem.terms, a), u)
    first, last = (window(a, ndim, part) for part in ENDS)
    before, after = (window(a, ndim, part) for part in (slice(None, -1), slice(1, None)))
    inner = k[window(a, ndim, slice(1, -1))] * (u[before] - u[after])
    if axis.periodic:
        around = k[first] * (u[last] - u[first])
        return joined(around, inner, around, a - ndim)
    ends = [k[first] * u[first], k[last] * u[last]]
    for side in (0, 1):
        if (a, side) in sides:
            weight = as_like(inflow_weight(grid, problem.terms, a, side), u)
            ends[side] = ends[side] - expand(weight * sides[a, side], a - ndim)
    return joined(-ends[0], inner, ends[1], a - ndim)


def conductances(grid: Grid, terms: Terms, a: int) -> Array:
    """a/h at the faces across an axis, with as many axes as the grid."""
    k = grid_fluxes(grid, terms, a)
    return k if k.ndim == grid.ndim else along_axis(k, a, grid.ndim)


def inflow_weight(grid: Grid, terms: Terms, a: int, side: int) -> Any:
    """The flux into the volumes beside a side for each unit of its data: a number or an array."""
    return float(grid.axes[a].width[-side]) * side_weights(grid, terms, a, side)


def _diffusion(problem: Poisson, a: int) -> Any:
    """a at the faces across an axis: between two unknowns what their conductance and their distance make of it."""
    field, axis, ndim = problem.terms.diffusion[a], problem.grid.axes[a], problem.ndim
    if isinstance(field, float):
        return field
    gaps = np.concatenate((axis.gaps[-1:], axis.gaps)) if axis.periodic else np.pad(axis.gaps, 1)
    result = conductances(problem.grid, problem.terms, a) * along_axis(gaps, a, ndim)
    if not axis.periodic:
        for part in ENDS:
            result[window(a, ndim, part)] = field[window(a, ndim, part)]
    return result


def _positions(axis: Axis) -> Array:
    """The coordinates of the faces: the edges of cells; else midway between nodes, and ends that are unknowns."""
    if axis.cell:
        return axis.nodes
    x = axis.points
    if axis.periodic:
        return np.concatenate((x[:1] - axis.gaps[-1] / 2, x + axis.gaps / 2))
    whole = np.concatenate((axis.nodes[:1], x, axis.nodes[-1:]))
    return (whole[:-1] + whole[1:]) / 2


def _at_points(values: Array, axis: Axis, a: int, ndim: int) -> Array:
    """Values at the faces of an axis, interpolated to the unknowns."""
    p = _positions(axis)
    share = as_like(along_axis((axis.points - p[:-1]) / np.diff(p), a, ndim), values)
    return values[window(a, ndim, slice(None, -1))] * (1 - share) + values[window(a, ndim, slice(1, None))] * share


def _at_end(values: Array, axis: Axis, a: int, ndim: int, side: int) -> Array:
    """Values at the faces of an axis, extrapolated from the last two to the end, with one entry along the axis."""
    p = _positions(axis)[:: -1 if side else 1]
    nearest = (slice(-1, None), slice(-2, -1)) if side else (slice(0, 1), slice(1, 2))
    last, before = (values[window(a, ndim, part)] for part in nearest)
    return last + float((axis.nodes[-side] - p[0]) / (p[1] - p[0])) * (before - last)


def along_axis(values: Array, a: int, ndim: int) -> Array:
    """Numbers along an axis of ndim."""
    return values.reshape([-1 if b == a else 1 for b in range(ndim)])


def joined(low: Array, inner: Array, high: Array, axis: int) -> Array:
    """Arrays one after the other along an axis."""
    result: Array = namespace(inner).concatenate((low, inner, high), axis=axis)
    return result


def as_like(x: Any, u: Array) -> Any:
    """x as u is, with its dtype."""
    return x if isinstance(x, float) else like(cast(x, u.dtype), u)
