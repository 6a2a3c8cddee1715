"""The walls of a domain in a nonlinear operator: values held outside, open faces, fluxes through insulated walls."""

from __future__ import annotations

import numpy as np

from pde.problem.coefficients import DomainTerms
from pde.problem.grid import Array
from pde.problem.wall_data import each_wall


def held_outside(data: Array | None, domain: DomainTerms | None, dtype: np.dtype) -> Array | None:
    """The values that points outside hold for the data of walls, (..., faces); None where there are none."""
    if domain is None or data is None:
        return None
    flat = np.zeros((*data.shape[:-1], domain.inside.size), dtype)
    for wall, _, g in each_wall(data, domain):
        flat[..., wall.beyond] = g
    return flat.reshape(*data.shape[:-1], *domain.inside.shape)


def open_faces(domain: DomainTerms, dtype: np.dtype) -> dict[tuple[int, int], Array]:
    """By axis and offset: 0 at the insulated faces above or below each point, 1 at others, where there are some."""
    result: dict[tuple[int, int], Array] = {}
    for wall in domain.walls:
        if wall.kind == "neumann":
            faces = result.setdefault((wall.axis, 2 * wall.side - 1), np.ones(domain.inside.shape, dtype))
            faces.reshape(-1)[wall.cells] = 0
    return result


def with_wall_fluxes(f: Array, data: Array, domain: DomainTerms) -> Array:
    """f (..., *shape) with the data of insulated walls among those of all, (..., faces)."""
    flat = f.reshape(*f.shape[: f.ndim - domain.inside.ndim], -1).copy()
    for wall, weight, g in each_wall(data, domain):
        if wall.kind == "neumann":
            flat[..., wall.cells] += (weight * g).astype(f.dtype)
    return flat.reshape(f.shape)
