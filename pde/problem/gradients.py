"""Gradients and fluxes of a solution: across the faces of its control volumes, at points, through sides and walls."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.common.arguments import choose, described
from pde.common.arrays import like, namespace
from pde.problem.boundary import BoundaryData
from pde.problem.coefficients import Terms
from pde.problem.fluxes import (
    along_axis,
    as_like,
    conductances,
    face_fluxes,
    open_faces,
    outer,
    refuse_tensor,
    wall_areas,
    wall_faces,
    wall_fluxes,
    wall_widths,
)
from pde.problem.grid import ENDS, Array, Axis, Sides, window
from pde.problem.poisson import Poisson


def gradient(problem: Poisson, u: Any, g: BoundaryData = None, at: str = "faces") -> tuple[Array, ...]:
    """The gradient of a solution, of second order: one array per axis.

    Where two Dirichlet sides of cells meet the error is h^2 / r at a distance r from their corner. It is 0 outside a
    domain and where faces are closed, and of first order beside curved walls.

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
    if any(side.of_flux and side.kind != "periodic" for pair in problem.boundary for side in pair):
        refuse_tensor(problem, "the gradient beside a Neumann or Robin side")
    u, sides = _read(problem, u, g)
    result = []
    for a in range(problem.ndim):
        fluxes, field = face_fluxes(problem, u, sides, a), problem._diffusion[a]
        if points and problem._faces is None and not _cut(problem):  # what jumps at faces is the slope, not the flux
            result.append(_at_points(fluxes, problem, a) / -as_like(field, u))
        else:
            a_times_share = as_like(_diffusion(problem, a), u)
            slopes = namespace(u).where(a_times_share > 0, -fluxes / (a_times_share + (a_times_share == 0)), 0 * fluxes)
            result.append(_at_points(slopes, problem, a) if points else slopes)
    return tuple(result)


def flux(problem: Poisson, u: Any, side: Any = None, g: BoundaryData = None) -> Any:
    """The flux -a grad u: through a side of the box or the walls of a domain, outward, or through all faces.

    Args:
        u: (..., *shape), an array or a tensor, through which derivatives are taken.
        side: (axis, 0) or (axis, 1) for the integral over that side; "walls" for that over the walls of the domain, or
            a boolean array of `shape` for the walls before the points outside where it is True, such as those of one
            conductor; the result has the batch axes of u. None for the flux per area across every face of the control
            volumes in the direction of its axis: one array per axis, one entry longer along it. Differences of these
            over the widths of the volumes, summed over the axes, are f - c u up to the residual. A face that a wall
            cuts has the flux of its open share.
        g: the boundary data that u was solved with. Open sides need none.

    A Dirichlet side of a vertex-centred grid, where the last face lies half a step inside, has the flux extrapolated
    from two faces, and beside an edge from two lines of them: of second order, and not conservative to the last bit.
    Through curved walls that hold values it is that through the faces beside them: what sources between these and the
    wall give is not in it.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> rod = Poisson(9, boundary=[("dirichlet", "neumann")])
    >>> heat = flux(rod, 2 * rod.points()[0], (0, 0), {(0, 1): 2.0})
    >>> round(float(heat), 12)
    2.0
    """
    refuse_tensor(problem, "the flux")
    side, points = _read_side(problem, side)
    u, sides = _read(problem, u, g)
    if side is None:
        return tuple(face_fluxes(problem, u, sides, a) for a in range(problem.ndim))
    if points is None:
        return _through_side(problem, u, sides, *side)
    walls = [(w, wall_areas(w, problem.grid), outward) for w, _, outward in wall_fluxes(problem, u, sides)]
    parts = [outward * as_like(areas * points.ravel()[w.beyond], u) for w, areas, outward in walls]
    nothing = 0 * u.reshape(*u.shape[: u.ndim - problem.ndim], -1)[..., 0]
    return sum((namespace(u).sum(part, axis=-1) for part in parts), nothing)


def _read_side(problem: Poisson, side: Any) -> tuple[Any, Array | None]:
    """The side, and of walls the points that count as beyond them."""
    if side is None or (isinstance(side, tuple) and side in [(a, s) for a in range(problem.ndim) for s in (0, 1)]):
        return side, None
    if problem.domain is not None and isinstance(side, str) and side == "walls":
        return side, np.ones(problem.shape, dtype=bool)
    if problem.domain is not None and getattr(side, "shape", ()) == problem.shape and side.dtype.kind == "b":
        return "walls", np.asarray(side)
    walls = "" if problem.domain is None else f", 'walls', or a boolean array of shape {problem.shape}"
    raise ValueError(
        f"side must be None or (axis, side) with axis < {problem.ndim} and side 0 or 1{walls}; got {described(side)}"
    )


def _through_side(problem: Poisson, u: Array, sides: Sides, a: int, side: int) -> Any:
    ndim = problem.ndim
    through = _at_end(face_fluxes(problem, u, sides, a), problem.grid.axes[a], a, ndim, side)
    lengths = [np.ones(1) if b == a else _side_lengths(axis) for b, axis in enumerate(problem.grid.axes)]
    total = namespace(u).sum(through * as_like(outer(lengths), u), axis=tuple(range(-ndim, 0)))
    return total if side else -total


def _side_lengths(axis: Axis) -> Array:
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
    u = problem.read("u", u, tensors=True, imaginary=True)
    return u, {key: like(values, u) for key, values in problem.sides(u, g).items()}


def _cut(problem: Poisson) -> bool:
    return problem.domain is not None and problem.domain.open is not None


def _diffusion(problem: Poisson, a: int) -> Any:
    """a at the faces across an axis, times their open share: what the flux is to be divided by."""
    grid, ndim, field = problem.grid, problem.ndim, problem._diffusion[a]
    axis, beside = grid.axes[a], np.broadcast_to(field, grid.shape)
    if problem._faces is not None:
        result = problem._faces[a].copy()
    elif isinstance(field, float):
        result = np.full(tuple(n + (b == a) for b, n in enumerate(grid.shape)), field)
    else:
        gaps = np.concatenate((axis.gaps[-1:], axis.gaps)) if axis.periodic else np.pad(axis.gaps, 1)
        result = conductances(grid, Terms(problem._diffusion), a) * along_axis(gaps, a, ndim)
        if not axis.periodic:
            for part in ENDS:
                result[window(a, ndim, part)] = beside[window(a, ndim, part)]
    if problem.domain is None or problem.terms.domain is None:
        return result
    if problem.domain.open is not None:
        result *= problem.domain.open[a]
    result *= open_faces(problem, a)
    flat = result.reshape(-1)
    for wall, weight in zip(problem.domain.walls, problem.terms.domain.weights, strict=True):
        if wall.axis == a and wall.areas is None:
            along = beside.ravel()[wall.cells]
            if wall.kind == "dirichlet":
                theta = 1.0 if wall.theta is None else wall.theta
                along = weight * wall_widths(wall, grid) * wall.way(grid) * theta
            for faces in wall_faces(wall, grid):
                flat[faces] = along
    return result


def _at_points(values: Array, problem: Poisson, a: int) -> Array:
    """Values at the faces of an axis, interpolated to the unknowns; where walls cut faces, by their open shares."""
    axis, ndim, domain = problem.grid.axes[a], problem.ndim, problem.domain
    p = _positions(axis)
    below, above = (along_axis(d, a, ndim) for d in (axis.points - p[:-1], p[1:] - axis.points))
    low, high = (window(a, ndim, part) for part in (slice(None, -1), slice(1, None)))
    if domain is not None:
        below, above = (np.broadcast_to(d, problem.shape).copy() for d in (below, above))
        for wall in domain.walls:
            if wall.theta is not None and wall.axis == a:
                (above if wall.side else below).reshape(-1)[wall.cells] = wall.theta * wall.way(problem.grid) / 2
        if domain.open is not None:
            below, above = below * domain.open[a][high], above * domain.open[a][low]
    whole = below + above
    share = as_like(np.divide(below, whole, out=np.zeros(whole.shape), where=whole > 0), values)
    result = values[low] * (1 - share) + values[high] * share
    return result if domain is None else result * as_like(domain.inside, values)


def _positions(axis: Axis) -> Array:
    """The coordinates of the faces: the edges of cells; else midway between nodes, and ends that are unknowns."""
    if axis.cell:
        return axis.nodes
    x = axis.points
    if axis.periodic:
        return np.concatenate((x[:1] - axis.gaps[-1] / 2, x + axis.gaps / 2))
    whole = np.concatenate((axis.nodes[:1], x, axis.nodes[-1:]))
    return (whole[:-1] + whole[1:]) / 2


def _at_end(values: Array, axis: Axis, a: int, ndim: int, side: int) -> Array:
    """Values at the faces of an axis, extrapolated from the last two to the end, with one entry along the axis."""
    p = _positions(axis)[:: -1 if side else 1]
    nearest = (slice(-1, None), slice(-2, -1)) if side else (slice(0, 1), slice(1, 2))
    last, before = (values[window(a, ndim, part)] for part in nearest)
    return last + float((axis.nodes[-side] - p[0]) / (p[1] - p[0])) * (before - last)
