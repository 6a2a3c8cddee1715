"""Read fields on a grid: coefficient, reaction, and values at the unknowns."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.common.arguments import evaluate, finite, real_array
from pde.common.arrays import contiguous, is_complex, is_tensor, like, namespace, numpy_dtype
from pde.problem.block import Block
from pde.problem.grid import Array, Grid


def read_values(
    name: str,
    values: Any,
    grid: Grid,
    dtype: np.dtype | str | None = None,
    tensors: bool = False,
    check: bool = True,
    constant: bool = False,
    imaginary: bool = False,
    inside: Array | None = None,
) -> Array:
    """`values` (array or callable of the coordinates) as a finite array of shape (..., *grid.shape).

    Args:
        tensors: whether a tensor may stay one.
        check: whether to search an array that has the dtype already for values that are not finite.
        constant: whether one number may stand for all of them.
        imaginary: whether they may be complex; `dtype` is that of their parts then.
        inside: a domain, outside of which values are replaced by 0.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    array = values if tensors and is_tensor(values) else _array(name, values, grid, imaginary)
    if constant and array.ndim == 0:
        array = contiguous(namespace(array).broadcast_to(array, grid.shape))
    shape = tuple(array.shape)
    if array.ndim < grid.ndim or shape[array.ndim - grid.ndim :] != grid.shape:
        raise ValueError(
            f"{name} must have the problem's shape {grid.shape}, after any leading batch axes; got {shape}"
        )
    if 0 in shape:
        raise ValueError(f"{name}: a batch axis has length 0: shape {shape}")
    if inside is not None:
        array = namespace(array).where(like(inside, array), array, 0)
    if dtype is None:
        given = numpy_dtype(array.dtype)
        dtype = np.promote_types(given, np.float32) if given.kind in "fc" else np.dtype(float)
    return array if not check and array.dtype == dtype else finite(name, array, np.dtype(dtype))


def read_diffusion(coefficient: Any, grid: Grid, block: Block | None = None) -> tuple[float | Array, ...]:
    """The diffusion of each axis; the same array for all of them where one field was given."""
    given = 1.0 if coefficient is None else coefficient
    if not isinstance(given, list | tuple):
        return (read_field("coefficient", given, grid, True, block),) * grid.ndim
    if len(given) != grid.ndim:
        raise ValueError(f"coefficient must be one field or {grid.ndim} of them, one per axis; got {len(given)}")
    return tuple(read_field(f"coefficient[{a}]", value, grid, True, block) for a, value in enumerate(given))


def read_reaction(reaction: Any, grid: Grid, block: Block | None = None) -> float | Array:
    """The reaction: a number, or an array of the grid's shape; it may be negative."""
    return read_field("reaction", reaction, grid, False, block)


def read_field(name: str, values: Any, grid: Grid, positive: bool, block: Block | None = None) -> Any:
    """A number, or an array of the grid's shape; with a `block` that of each rank, and a `SlabField`."""
    if block is None:
        field = _finite_field(name, values, grid)
        least = float(np.min(field))
        found: Any = field.copy() if field.ndim and np.ptp(field) > 0 else float(field.flat[0])
    else:
        with block.ranks.together():
            field = _finite_field(name, values, block.grid)
        found = block.field(field)
        least = float(np.min(found))
    if positive and least <= 0:
        raise ValueError(f"{name} must be positive, got values down to {least}")
    return found


def _finite_field(name: str, values: Any, grid: Grid) -> Array:
    field = _array(name, values, grid, imaginary=True)
    if is_complex(field):
        raise TypeError(f"{name} must be real, so that A is self-adjoint; f and g may be complex. Got {field.dtype}")
    if field.ndim and field.shape != grid.shape:
        raise ValueError(f"{name} must be a number or have the shape {grid.shape}, got {field.shape}")
    return finite(name, field, np.dtype(float))


def _array(name: str, values: Any, grid: Grid, imaginary: bool = False) -> Array:
    """Numbers as they are given, or a callable's values at the unknowns; a constant may come as a scalar."""
    if not callable(values):
        return real_array(name, values, imaginary)
    array = evaluate(name, values, grid.points(), imaginary)
    try:
        return np.array(np.broadcast_to(array, grid.shape))
    except ValueError:
        raise ValueError(
            f"{name}: the callable must return a scalar or an array of shape {grid.shape}, got shape {array.shape}"
        ) from None


def is_full_tensor(coefficient: Any, grid: Grid) -> bool:
    """Whether this is a matrix, of numbers or fields, and not one field or one per axis."""
    if grid.ndim == 1:
        return False
    rows = (grid.ndim, grid.ndim)
    if isinstance(coefficient, list | tuple):
        return all(isinstance(row, list | tuple) and len(row) == grid.ndim for row in coefficient)
    given = tuple(np.shape(coefficient)) if hasattr(coefficient, "shape") else ()
    return given != grid.shape and given in (rows, rows + grid.shape, grid.shape + rows)
