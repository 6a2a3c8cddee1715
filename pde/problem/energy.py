"""The energy of u: the functional whose minimum is the solution."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.common.arrays import cast, expand, like, namespace
from pde.problem.boundary import BoundaryData
from pde.problem.coefficients import Terms
from pde.problem.fluxes import as_like, conductances, inflow_weight, outer
from pde.problem.grid import ENDS, Array, Axis, Grid, Side, Sides, window
from pde.problem.poisson import Poisson


def energy(problem: Poisson, u: Any, f: Any = 0.0, g: BoundaryData = None) -> Any:
    """The integral of a |grad u|^2 / 2 + c u^2 / 2 - f u, with what the sides bring in, of second order.

    Neumann and Robin sides add the integral of beta u^2 / 2 - g u. Among all u with the values g on Dirichlet sides the
    solution has the least energy. With open sides, where u goes on outside, it is that of a solution, minus half of the
    integral of f u.

    Args:
        u: (..., *shape), an array or a tensor, through which derivatives are taken.
        f: as u, or a number, or a callable of the coordinates.
        g: the boundary data that u was solved with.

    Returns:
        The energy in float64, with the batch axes of u.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> plates = Poisson((9, 9), boundary=("dirichlet", "neumann"))  # one volt, over a distance of 1
    >>> round(float(energy(plates, plates.points()[0], g={(0, 1): 1.0})), 12)
    0.5
    """
    u, f = (
        cast(problem.read(name, v, tensors=True, constant=True), np.dtype(float)) for name, v in (("u", u), ("f", f))
    )
    f = like(f, u)
    if problem.open:
        return -_sum(f * u, problem.grid.volumes()) / 2
    sides = {key: like(values, u) for key, values in problem.sides(u, g).items()}
    grid, terms, u, f, sides = _closed(problem, u, f, sides)
    total = _sum(as_like(terms.reaction, u) * u**2 / 2 - f * u, grid.volumes())
    for a in range(grid.ndim):
        total = total + _differences(grid, terms, u, a)
        for side in (0, 1):
            total = total + _side(grid, terms, u, _data(sides, a, side, grid.ndim), a, side)
    return total


def _differences(grid: Grid, terms: Terms, u: Array, a: int) -> Any:
    """The part of differences along an axis."""
    ndim, k = grid.ndim, as_like(conductances(grid, terms, a), u)
    first, last = (window(a, ndim, part) for part in ENDS)
    before, after = (window(a, ndim, part) for part in (slice(None, -1), slice(1, None)))
    total = _sum(k[window(a, ndim, slice(1, -1))] * (u[after] - u[before]) ** 2, _areas(grid, a)) / 2
    if grid.axes[a].periodic:
        total = total + _sum(k[first] * (u[first] - u[last]) ** 2, _areas(grid, a)) / 2
    return total


def _side(grid: Grid, terms: Terms, u: Array, g: Any, a: int, side: int) -> Any:
    """The part between a side and the unknowns beside it, with the data; u on the side is what makes it least."""
    axis, end, part = grid.axes[a], grid.axes[a].sides[side], window(a, grid.ndim, ENDS[side])
    if axis.periodic:
        return 0.0
    k, u = as_like(conductances(grid, terms, a), u)[part], u[part]
    if end.kind == "dirichlet":
        return _sum(k * (u - g) ** 2, _areas(grid, a)) / 2
    weight, field = inflow_weight(grid, terms, a, side), terms.diffusion[a]
    weight = as_like(weight if np.ndim(weight) == 0 else expand(weight, a - grid.ndim), u)
    half = axis.ends[side] / 2 / (field if isinstance(field, float) else as_like(field[part], u))
    return _sum(k * u**2 / 2 - weight * g * (u + half * g), _areas(grid, a))


def _data(sides: Sides, a: int, side: int, ndim: int) -> Any:
    """The data of a side with one entry along its axis, or 0.0."""
    return expand(sides[a, side], a - ndim) if (a, side) in sides else 0.0


def _closed(problem: Poisson, u: Array, f: Array, data: Sides) -> tuple[Grid, Terms, Array, Array, Sides]:
    """All with the Dirichlet sides of vertices as unknowns, so that the control volumes fill the box.

    Coefficients and f are those of the nearest unknowns, data of other sides go on along straight lines.
    """
    ndim, axes = problem.ndim, list(problem.grid.axes)
    fields: list[Any] = [f, problem.terms.reaction, *problem.terms.diffusion]
    for a in sorted(range(ndim), key=lambda a: axes[a].n == 1):  # one value says nothing of a slope along the side
        axis = axes[a]
        for side, distance in enumerate(axis.ends):
            if distance > 0 and not axis.cell and not axis.periodic:
                nearest = window(a, ndim, ENDS[side])
                u = _longer(u, 0 * u[nearest] + _data(data, a, side, ndim), a - ndim, side)
                fields = [v if isinstance(v, float) else _longer(v, v[nearest], a - ndim, side) for v in fields]
                data = {key: _straight(v, key[0], a, side, ndim) for key, v in data.items() if key != (a, side)}
        if not axis.cell:
            low, high = (Side("neumann") if end.kind == "dirichlet" else end for end in axis.sides)
            axes[a] = Axis(axis.nodes, (low, high))
    return Grid(tuple(axes)), Terms(tuple(fields[2:]), fields[1]), u, fields[0], data


def _straight(values: Array, of: int, a: int, side: int, ndim: int) -> Array:
    """Data of a side of axis `of`, with one more value at an end of axis a on the line through the last two."""
    if of == a:
        return values
    place = (a if a < of else a - 1) - (ndim - 1)
    n = values.shape[place]
    near, next_one = (
        values[window(place + ndim - 1, ndim - 1, slice(i, i + 1))]
        for i in ((n - 1, max(n - 2, 0)) if side else (0, min(1, n - 1)))
    )
    return _longer(values, 2 * near - next_one, place, side)


def _longer(values: Array, more: Array, axis: int, side: int) -> Array:
    parts = (values, more) if side else (more, values)
    result: Array = namespace(values).concatenate(parts, axis=axis)
    return result


def _areas(grid: Grid, across: int) -> Array:
    """The areas of the faces across an axis."""
    return outer([np.ones(1) if a == across else axis.width for a, axis in enumerate(grid.axes)])


def _sum(values: Array, W: Array) -> Any:
    """The sum of W times values over the axes of W."""
    return namespace(values).sum(values * like(W, values), axis=tuple(range(-W.ndim, 0)))
