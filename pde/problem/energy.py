"""The energy of u: the functional whose minimum is the solution."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.common.arrays import cast, expand, is_complex, like, namespace
from pde.problem.boundary import BoundaryData
from pde.problem.coefficients import Terms, grid_resistances
from pde.problem.fluxes import (
    as_like,
    conductances,
    inflow_weight,
    open_faces,
    outer,
    wall_areas,
    wall_faces,
    wall_fluxes,
)
from pde.problem.grid import ENDS, Array, Axis, Grid, Side, Sides, window
from pde.problem.poisson import Poisson
from pde.problem.walls import Wall


def energy(problem: Poisson, u: Any, f: Any = 0.0, g: BoundaryData = None) -> Any:
    """The integral of a |grad u|^2 / 2 + c u^2 / 2 - f u, with what the sides bring in, of second order.

    Neumann and Robin sides and walls add the integral of beta u^2 / 2 - g u. Among all u with the values g on Dirichlet
    sides and walls the solution has the least energy. With open sides, where u goes on outside, it is that of a
    solution, minus half of the integral of f u. On a domain, and with coefficients of faces, half a step along
    Dirichlet sides of vertices is left out, as if u were zero there.

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
    u = cast(problem.read("u", u, tensors=True), np.dtype(float))
    f = like(cast(problem.read("f", f, tensors=True, constant=True), np.dtype(float)), u)
    if problem.open:
        return -_sum(f * u, problem.grid.volumes()) / 2
    sides = {key: like(values, u) for key, values in problem.sides(u, g).items()}
    if any(map(is_complex, sides.values())):
        raise TypeError("g must hold real numbers here; add the energies of the real and the imaginary parts")
    grid, terms, W = problem.grid, problem.terms, problem.control_volumes()
    tensor, of_tensor = terms.tensor, 0.0
    if tensor is not None:
        of_tensor = tensor.energy(tensor.nodes(u, sides))
    if problem.domain is None and not terms.resistances:
        grid, terms, u, f, sides = _closed(problem, u, f, sides)
        W = grid.volumes()
    total = _sum(as_like(terms.reaction, u) * u**2 / 2 - f * u, W) + _of_walls(problem, u, sides) + of_tensor
    for a in range(grid.ndim):
        areas = _areas(grid, a) if problem.domain is None else _areas(grid, a) * open_faces(problem, a)
        if tensor is None:
            total = total + _differences(grid, terms, u, a, areas)
        for side in (0, 1):
            if tensor is not None and grid.axes[a].sides[side].kind == "dirichlet":
                continue
            total = total + _side(grid, terms, u, _data(sides, a, side, grid.ndim), a, side, areas)
    return total


def _of_walls(problem: Poisson, u: Array, sides: Sides) -> Any:
    """The part between the walls of a domain and the unknowns beside them, with the data; see `_side`."""
    total: Any = 0.0
    flat = u.reshape(*u.shape[: u.ndim - problem.ndim], -1)
    for wall, k, outward in wall_fluxes(problem, u, sides):
        beside, areas = flat[..., wall.cells], wall_areas(wall, problem.grid)
        if wall.kind == "dirichlet":
            total = total + _sum(outward**2 / (k + (k == 0)), areas) / 2
        else:
            total = total + _sum(outward * (beside - as_like(_half_resistance(wall, problem), u) * outward), areas)
    return total


def _half_resistance(wall: Wall, problem: Poisson) -> Any:
    """Half of the integral of dx/a on the way to an insulated wall that goes along faces."""
    if wall.areas is not None:
        return 0.0
    if problem._faces is None:
        a = np.broadcast_to(problem._diffusion[wall.axis], problem.shape).ravel()[wall.cells]
    else:
        a = problem._faces[wall.axis].ravel()[wall_faces(wall, problem.grid)[0]]
    return np.divide(wall.way(problem.grid) / 4, a, out=np.zeros(len(a)), where=a > 0)


def _differences(grid: Grid, terms: Terms, u: Array, a: int, areas: Array) -> Any:
    """The part of differences along an axis."""
    ndim, k = grid.ndim, as_like(conductances(grid, terms, a), u)
    first, last = (window(a, ndim, part) for part in ENDS)
    inner, before, after = (slice(1, -1), slice(None, -1), slice(1, None))
    steps = u[window(a, ndim, after)] - u[window(a, ndim, before)]
    total = _sum(k[window(a, ndim, inner)] * steps**2, _part(areas, a, inner)) / 2
    if grid.axes[a].periodic:
        total = total + _sum(k[first] * (u[first] - u[last]) ** 2, _part(areas, a, ENDS[0])) / 2
    return total


def _side(grid: Grid, terms: Terms, u: Array, g: Any, a: int, side: int, areas: Array) -> Any:
    """The part between a side and the unknowns beside it, with the data; u on the side is what makes it least."""
    axis, part = grid.axes[a], window(a, grid.ndim, ENDS[side])
    if axis.periodic:
        return 0.0
    k, u, areas = as_like(conductances(grid, terms, a), u)[part], u[part], _part(areas, a, ENDS[side])
    if axis.sides[side].kind == "dirichlet":
        return _sum(k * (u - g) ** 2, areas) / 2
    weight = inflow_weight(grid, terms, a, side)
    weight = as_like(weight if np.ndim(weight) == 0 else expand(weight, a - grid.ndim), u)
    half = grid_resistances(grid, terms, a)[part] / 2
    half = as_like(np.where(np.isfinite(half), half, 0.0), u)
    return _sum(k * u**2 / 2 - weight * g * (u + half * g), areas)


def _part(areas: Array, a: int, part: slice) -> Array:
    """The areas of some faces across an axis, along which all may have the same."""
    return areas if areas.shape[a] == 1 else areas[window(a, areas.ndim, part)]


def _data(sides: Sides, a: int, side: int, ndim: int) -> Any:
    """The data of a side with one entry along its axis, or 0.0."""
    return expand(sides[a, side], a - ndim) if (a, side) in sides else 0.0


def _closed(problem: Poisson, u: Array, f: Array, data: Sides) -> tuple[Grid, Terms, Array, Array, Sides]:
    """All with the Dirichlet sides of vertices as unknowns, so that the control volumes fill the box.

    Coefficients, beta and f are those of the nearest unknowns, data of other sides go on along straight lines.
    """
    ndim, axes = problem.ndim, list(problem.grid.axes)
    fields: list[Any] = [f, problem.terms.reaction, *problem.terms.diffusion]
    betas = problem.terms.betas
    for a in sorted(range(ndim), key=lambda a: axes[a].n == 1):  # one value says nothing of a slope along the side
        axis = axes[a]
        for side, distance in enumerate(axis.ends):
            if distance > 0 and not axis.cell and not axis.periodic:
                nearest = window(a, ndim, ENDS[side])
                u = _longer(u, 0 * u[nearest] + _data(data, a, side, ndim), a - ndim, side)
                fields = [v if isinstance(v, float) else _longer(v, v[nearest], a - ndim, side) for v in fields]
                data = {key: _continued(v, key[0], a, side, ndim, 1.0) for key, v in data.items() if key != (a, side)}
                betas = {key: _continued(v, key[0], a, side, ndim, 0.0) for key, v in betas.items()}
        if not axis.cell:
            low, high = (Side("neumann") if end.kind == "dirichlet" else end for end in axis.sides)
            axes[a] = Axis(axis.nodes, (low, high))
    return Grid(tuple(axes)), Terms(tuple(fields[2:]), fields[1], betas=betas), u, fields[0], data


def _continued(values: Array, of: int, a: int, side: int, ndim: int, slope: float) -> Array:
    """Values on a side of axis `of`, with one more at an end of axis a, on the straight line where `slope` is 1."""
    if of == a:
        return values
    place = (a if a < of else a - 1) - (ndim - 1)
    n = values.shape[place]
    near, next_one = (
        values[window(place + ndim - 1, ndim - 1, slice(i, i + 1))]
        for i in ((n - 1, max(n - 2, 0)) if side else (0, min(1, n - 1)))
    )
    return _longer(values, near + slope * (near - next_one), place, side)


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
