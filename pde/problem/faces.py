"""The coefficients of a problem on its faces: given one by one, closed by zeros or by the walls of a domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pde.common.arguments import described, finite, real_array
from pde.common.arrays import like, zeros
from pde.problem.coefficients import DomainTerms, Terms, grid_fluxes, grid_resistances
from pde.problem.domain import Domain
from pde.problem.grid import Array, Grid, window
from pde.problem.walls import Wall


def read_faces(face_coefficients: Any, grid: Grid) -> tuple[Array, ...]:
    """`face_coefficients` of `Poisson`: for each axis an array with one entry more than unknowns along it.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    given = face_coefficients
    if not isinstance(given, list | tuple) or len(given) != grid.ndim:
        came = f"{len(given)} entries" if isinstance(given, list | tuple) else described(given)
        raise ValueError(f"face_coefficients must hold {grid.ndim} arrays, one per axis; got {came}")
    return tuple(_read_axis(f"face_coefficients[{a}]", values, grid, a) for a, values in enumerate(given))


def _read_axis(name: str, values: Any, grid: Grid, a: int) -> Array:
    shape = tuple(n + (b == a) for b, n in enumerate(grid.shape))
    array = finite(name, real_array(name, values), np.dtype(float))
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, one entry more along its axis; got {array.shape}")
    if array.min() < 0:
        raise ValueError(f"{name} must be zero or positive, got values down to {array.min()}")
    first, last = (array[window(a, grid.ndim, part)] for part in (slice(0, 1), slice(-1, None)))
    if grid.axes[a].periodic and not np.array_equal(first, last):
        raise ValueError(
            f"{name}: the first and the last face of a periodic axis are the same, and their values differ"
        )
    return array.copy()


def terms_on_faces(box: Terms, faces: tuple[Array, ...] | None, domain: Domain | None, grid: Grid) -> Terms:
    """The coefficients `box` with those of faces in the place of its diffusion, and with the walls of a domain."""
    terms = box
    if faces is not None:
        resistances = tuple(_resistances(k, grid, a) for a, k in enumerate(faces))
        terms = replace(box, diffusion=tuple(_at_unknowns(k, a) for a, k in enumerate(faces)), resistances=resistances)
    if domain is None or (domain.inside.all() and not domain.walls):
        if faces is None or not any(_has_closed(k, grid, a) for a, k in enumerate(faces)):
            return terms
        domain = Domain(np.ones(grid.shape, dtype=bool), ())
    fluxes = [grid_fluxes(grid, terms, a) for a in range(grid.ndim)]
    shares = [_shares_of_box(wall, fluxes[wall.axis], grid) for wall in domain.walls]
    weights = tuple(_weights(*each, terms, domain, grid) for each in zip(domain.walls, shares, strict=True))
    closed = domain.open is not None or any(wall.kind == "neumann" for wall in domain.walls)
    closed = closed or (faces is not None and any(_has_closed(k, grid, a) for a, k in enumerate(faces)))
    held = _held(domain, weights, shares, closed, grid)
    made = DomainTerms(
        domain.inside,
        domain.walls,
        weights,
        closed,
        held,
        domain.fraction,
        _open_ends(domain, grid),
        None if domain.fraction is None else terms,
    )
    if not closed:
        return replace(terms, domain=made)
    whole = [grid_resistances(grid, terms, a) for a in range(grid.ndim)]
    resistances = tuple(_closed(r, domain, grid, a) for a, r in enumerate(whole))
    typical = tuple(
        _typical(w, np.isfinite(r), grid, a) for a, (w, r) in enumerate(zip(whole, resistances, strict=True))
    )
    return replace(terms, diffusion=typical, resistances=resistances, domain=made)


def _resistances(faces: Array, grid: Grid, a: int) -> Array:
    """The integral of dx/a across each face, infinite where it is closed; 0 at ends that are unknowns."""
    axis = grid.axes[a]
    low, high = axis.ends
    gaps = np.concatenate((axis.gaps[-1:], axis.gaps) if axis.periodic else ([low], axis.gaps, [high]))
    gaps = gaps.reshape((-1,) + (1,) * (grid.ndim - 1 - a))
    return np.divide(gaps, faces, out=np.where(gaps > 0, np.inf, np.zeros(faces.shape)), where=(faces > 0) & (gaps > 0))


def _at_unknowns(faces: Array, a: int) -> Array:
    """The mean of the two faces beside each unknown, or of the one that is open."""
    low, high = (faces[window(a, faces.ndim, part)] for part in (slice(None, -1), slice(1, None)))
    total = low + high
    return np.where((low > 0) & (high > 0), total / 2, np.where(total > 0, total, 1.0))


def _has_closed(faces: Array, grid: Grid, a: int) -> bool:
    """Whether a face between neighbours, or one to a value that a side holds, is closed."""
    axis = grid.axes[a]
    first, last = (int(not axis.periodic and side.of_u == 0) for side in axis.sides)
    return bool((faces[window(a, grid.ndim, slice(first, axis.n + 1 - last))] == 0).any()) and axis.n > 0


def _shares_of_box(wall: Wall, flux: Array, grid: Grid) -> Array:
    """The coefficient of u beside each face in the operator of the box, which has no walls."""
    index = list(np.unravel_index(wall.cells, grid.shape))
    width = grid.axes[wall.axis].width[index[wall.axis]]
    index[wall.axis] = index[wall.axis] + wall.side
    return (flux[index[wall.axis]] if flux.ndim == 1 else flux[tuple(index)]) / like(width, flux)


def _weights(wall: Wall, share: Array, terms: Terms, domain: Domain, grid: Grid) -> Array:
    index = np.unravel_index(wall.cells, grid.shape)
    width = grid.axes[wall.axis].width[index[wall.axis]]
    if wall.areas is not None:
        return wall.areas / (grid.volumes()[index] * np.asarray(domain.fraction)[index])
    if wall.kind == "neumann":
        return 1 / width
    if wall.theta is None or terms.resistances:
        return share if wall.theta is None else share / wall.theta
    a: Any = terms.diffusion[wall.axis]
    a = a if isinstance(a, float) else a[index]  # that beyond the wall may be of another kind
    return a / like(wall.theta * wall.way(grid) * width, a)


def with_wall_weights(terms: Terms, domain: Domain, grid: Grid) -> tuple[Terms, Any]:
    """Terms whose walls have the weights of their diffusion, tensors too, and what these add to the box's diagonal.

    All walls hold values, and the diffusion is that of the unknowns.
    """
    assert terms.domain is not None
    fluxes = [grid_fluxes(grid, terms, a) for a in range(grid.ndim)]
    shares = [_shares_of_box(wall, fluxes[wall.axis], grid) for wall in domain.walls]
    weights = tuple(_weights(*each, terms, domain, grid) for each in zip(domain.walls, shares, strict=True))
    held: Any = zeros((grid.size,), fluxes[0])
    for wall, weight, share in zip(domain.walls, weights, shares, strict=True):
        held[like(wall.cells, held)] += weight - share
    return replace(terms, domain=replace(terms.domain, weights=weights)), held.reshape(grid.shape)


def _held(domain: Domain, weights: Sequence[Array], shares: Sequence[Array], closed: bool, grid: Grid) -> Array | float:
    """The coefficient of u that Dirichlet walls add to the box, whose faces around the domain are open or `closed`."""
    held = np.zeros(grid.size)
    for wall, weight, share in zip(domain.walls, weights, shares, strict=True):
        if wall.kind == "dirichlet":
            held[wall.cells] += weight if closed and not wall.before_side else weight - share
    return held.reshape(grid.shape) if held.any() or closed else 0.0


def _open_ends(domain: Domain, grid: Grid) -> dict[tuple[int, int], Array]:
    """The open shares of the sides of the box, {(axis, side): array}, 0 where a wall lies before them."""
    keys = [(a, side) for a, axis in enumerate(grid.axes) for side in (0, 1) if not axis.periodic]
    if domain.open is not None:
        return {(a, side): np.take(domain.open[a], -side, a) for a, side in keys}
    ends = {}
    for wall in domain.walls:
        if wall.before_side:
            ends[wall.axis, wall.side] = share = np.ones(grid.shape[: wall.axis] + grid.shape[wall.axis + 1 :])
            index = np.unravel_index(wall.cells, grid.shape)
            share[index[: wall.axis] + index[wall.axis + 1 :]] = 0.0
    return ends


def _closed(resistance: Array, domain: Domain, grid: Grid, a: int) -> Array:
    """The resistances of the open share of each face, with all faces around points outside closed.

    At the sides of the box they are those of an open area; see `DomainTerms.ends`.
    """
    result = resistance.copy()
    if domain.open is not None:
        share = domain.open[a].copy()
        if not grid.axes[a].periodic:
            for part in (slice(0, 1), slice(-1, None)):
                share[window(a, grid.ndim, part)] = 1.0
        np.divide(result, share, out=result, where=share > 0)
        result[(share == 0) & (result > 0)] = np.inf
    for part in (slice(None, -1), slice(1, None)):
        result[window(a, grid.ndim, part)][~domain.inside] = np.inf
    if grid.axes[a].periodic:
        first, last = (window(a, grid.ndim, part) for part in (slice(0, 1), slice(-1, None)))
        result[first] = result[last] = np.maximum(result[first], result[last])
    return result


def _typical(resistance: Array, is_open: Array, grid: Grid, a: int) -> float:
    """The geometric mean of a over the faces that are open, from the resistances of whole ones."""
    part = window(a, grid.ndim, slice(1, None if grid.axes[a].periodic else -1))
    inner, is_open = resistance[part], is_open[part]
    gaps = grid.axes[a].gaps.reshape((-1,) + (1,) * (grid.ndim - 1 - a))
    if not is_open.any():
        return 1.0
    return float(np.exp(np.mean(np.log(np.broadcast_to(gaps, inner.shape)[is_open] / inner[is_open]))))
