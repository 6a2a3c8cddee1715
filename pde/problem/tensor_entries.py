"""Read a full tensor: symmetric, and positive definite at every point."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from pde.problem.block import Block
from pde.problem.fields import is_full_tensor, read_diffusion, read_field
from pde.problem.grid import Array, Grid
from pde.problem.tensor import FullTensor, is_definite


def read_coefficient(
    coefficient: Any, grid: Grid, block: Block | None = None
) -> tuple[tuple[float | Array, ...], FullTensor | None]:
    """The `coefficient` of `Poisson`: the diffusion of each axis, and a full tensor where it is one.

    Args:
        block: the planes of this rank, where fields are divided among ranks.

    Raises:
        TypeError, ValueError: naming the coefficient, what came and what is allowed.
    """
    if is_full_tensor(coefficient, grid if block is None else block.grid):
        if block is not None:
            raise ValueError("coefficient: a full tensor is not for fields that are divided among ranks by comm")
        return read_tensor(coefficient, grid)
    return read_diffusion(coefficient, grid, block), None


def read_tensor(coefficient: Any, grid: Grid) -> tuple[tuple[float | Array, ...], FullTensor | None]:
    """The diffusion of each axis, and the whole tensor where an entry beside its diagonal is not zero.

    Args:
        coefficient: rows of numbers, arrays and callables; or an array whose rows and columns come first or last.

    Raises:
        TypeError, ValueError: naming the entry, or the point where the tensor is not positive definite.
    """
    ndim, rows = grid.ndim, coefficient
    if tuple(getattr(rows, "shape", ())) == (*grid.shape, ndim, ndim):
        rows = np.moveaxis(np.asarray(rows), (-2, -1), (0, 1))
    pairs = list(product(range(ndim), repeat=2))
    every = {(i, j): read_field(f"coefficient[{i}][{j}]", rows[i][j], grid, positive=False) for i, j in pairs}
    for i, j in pairs:
        if np.any(every[i, j] != every[j, i]):
            differ = float(np.max(np.abs(np.subtract(every[i, j], every[j, i]))))
            raise ValueError(
                f"coefficient must be symmetric, got [{i}][{j}] and [{j}][{i}] that differ by up to {differ:.3g}"
            )
    entries = {(i, j): entry for (i, j), entry in every.items() if i == j or (i < j and np.any(entry))}
    if len(entries) == ndim:
        return read_diffusion([rows[i][i] for i in range(ndim)], grid), None
    _check_definite(every, grid)
    _check_grid(grid)
    return tuple(entries[i, i] for i in range(ndim)), FullTensor(grid, entries)


def _check_definite(every: dict[tuple[int, int], float | Array], grid: Grid) -> None:
    ndim, definite = grid.ndim, is_definite(every, grid.ndim)
    if np.all(definite):
        return
    index = np.unravel_index(int(np.argmin(np.broadcast_to(definite, grid.shape))), grid.shape)
    matrix = [[float(np.broadcast_to(every[i, j], grid.shape)[index]) for j in range(ndim)] for i in range(ndim)]
    where = tuple(map(int, index)), tuple(float(axis.points[i]) for axis, i in zip(grid.axes, index, strict=True))
    raise ValueError(
        f"coefficient must be positive definite at every point, got the eigenvalue {np.linalg.eigvalsh(matrix)[0]:.3g} "
        f"at index {where[0]}, the point {where[1]}"
    )


def _check_grid(grid: Grid) -> None:
    for a, axis in enumerate(grid.axes):
        free = [side.kind for side in axis.sides if side.kind in ("neumann", "robin")]
        if axis.cell and free:
            raise ValueError(
                f"coefficient: a full tensor on cells takes Dirichlet and periodic sides, got {free[0]!r} on axis {a}; "
                "use centering='vertex' with at least two unknowns between such sides"
            )
