"""The problem: -Laplace u = f on a box, with its grid and its discrete operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.arguments import count, finite, real_array
from pde.boundary import BoundaryData, embed, read_sides
from pde.grid import Array, Axis, Grid
from pde.operators import StencilOperator

BOUNDARIES = ("dirichlet",)


class Poisson:
    """-Laplace u = f on a box in 1, 2 or 3 dimensions with Dirichlet data, by second-order differences.

    Args:
        shape: the number of unknowns per axis, each at least 1: the interior points. The spacing is L / (n + 1).
        extent: length of the box, one number or one per axis.
        boundary: "dirichlet" on every side (one word, or one per axis, or (low, high) pairs).
        centering: "vertex".
        coefficient: None or 1: the Laplacian.
        reaction: 0.
        coordinates: None: equal spacing.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        extent: float | Sequence[float] = 1.0,
        boundary: Any = "dirichlet",
        centering: str = "vertex",
        coefficient: float | None = None,
        reaction: float = 0.0,
        coordinates: None = None,
    ) -> None:
        self.shape = _read_shape(shape)
        self.extent = _read_extent(extent, len(self.shape))
        _check_boundary(boundary, len(self.shape))
        for name, value, allowed in (
            ("centering", centering, ("vertex",)),
            ("coefficient", coefficient, (None, 1)),
            ("reaction", reaction, (0,)),
            ("coordinates", coordinates, (None,)),
        ):
            if not any(value is a or (np.isscalar(value) and value == a) for a in allowed):
                raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))} in this version, got {value!r}")
        self.grid = Grid(tuple(Axis.uniform(n, L) for n, L in zip(self.shape, self.extent, strict=True)))
        _check_range(self.grid, extent)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"Poisson(shape={self.shape}, extent={self.extent}, boundary='dirichlet')"

    def points(self) -> tuple[Array, ...]:
        """The coordinates of the unknowns: one read-only array of `shape` per axis."""
        return self.grid.points()

    def apply(self, u: Any) -> Array:
        """A u, for zero boundary values, of u with shape (..., *shape)."""
        return self._operator(self.read("u", u))

    def matrix(self, symmetric: bool = False) -> sp.csr_matrix:
        """A on the flattened unknowns (C order); W A, W the control volumes, where `symmetric`."""
        A = self._operator.matrix()
        return sp.csr_matrix(sp.diags(self.control_volumes().ravel()) @ A) if symmetric else A

    def control_volumes(self) -> Array:
        """W: the volume that belongs to each unknown, an array of `shape`."""
        volume = np.ones(())
        for axis in self.grid.axes:
            volume = np.multiply.outer(volume, axis.width)
        return volume

    def embed(self, u: Any, g: BoundaryData = None) -> Array:
        """u with its boundary points, shape (..., n + 2 per axis); g as in `Multigrid.solve`, zero if None."""
        values = self.read("u", u)
        batch = values.shape[: values.ndim - self.ndim]
        return embed(values, read_sides(g, self.grid, values.dtype, batch), self.grid)

    def read(self, name: str, values: Any, dtype: np.dtype | str | None = None) -> Array:
        """`values` (array or callable of the coordinates) as a finite real array of shape (..., *shape).

        Raises:
            TypeError, ValueError: naming the argument, what came and what is allowed.
        """
        array = self._evaluate(name, values) if callable(values) else real_array(name, values)
        if array.shape[array.ndim - self.ndim :] != self.shape or array.ndim < self.ndim:
            raise ValueError(
                f"{name} must have the problem's shape {self.shape}, after any leading batch axes; got {array.shape}"
            )
        if array.size == 0:
            raise ValueError(f"{name}: a batch axis has length 0: shape {array.shape}")
        kind = np.promote_types(array.dtype, np.float32) if array.dtype.kind == "f" else np.dtype(float)
        return finite(name, array, kind if dtype is None else np.dtype(dtype))

    def _evaluate(self, name: str, function: Callable[..., Any]) -> Array:
        """The values of a callable at the unknowns; a constant may come as a scalar."""
        values = real_array(name, function(*self.points()))
        try:
            return np.array(np.broadcast_to(values, self.shape))
        except ValueError:
            raise ValueError(
                f"{name}: the callable must return a scalar or an array of shape {self.shape}, got shape {values.shape}"
            ) from None

    @cached_property
    def _operator(self) -> StencilOperator:
        return StencilOperator(self.grid, np.dtype(float))


def _read_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    given = tuple(shape) if np.iterable(shape) else (shape,)
    if len(given) not in (1, 2, 3):
        raise ValueError(f"shape must have 1, 2 or 3 entries, one per dimension; got {len(given)}: {given}")
    return tuple(count(f"shape[{axis}]", n, least=1) for axis, n in enumerate(given))


def _read_extent(extent: float | Sequence[float], ndim: int) -> tuple[float, ...]:
    given = np.atleast_1d(real_array("extent", extent)).astype(float)
    if given.ndim != 1 or len(given) not in (1, ndim):
        raise ValueError(f"extent must be one length or {ndim}, one per axis; got {extent!r}")
    if not (np.isfinite(given).all() and (given > 0).all()):
        raise ValueError(f"extent must be positive and finite, got {extent!r}")
    return tuple(float(L) for L in (np.repeat(given, ndim) if len(given) == 1 else given))


def _check_range(grid: Grid, extent: Any) -> None:
    smallest = math.prod(float(axis.width.min()) for axis in grid.axes)
    largest = math.prod(float(axis.width.sum()) for axis in grid.axes)
    if not grid.fits(np.dtype(float)) or not 1e-300 < smallest <= largest < 1e300:
        raise ValueError(
            f"extent: control volumes or 1/h^2 leave the range of float64 for {grid.shape}, got {extent!r}"
        )


def _check_boundary(boundary: Any, ndim: int) -> None:
    entries = tuple(boundary) if isinstance(boundary, list | tuple) else (boundary,) * ndim
    if len(entries) != ndim:
        raise ValueError(f"boundary must be one word or {ndim} entries, one per axis; got {len(entries)}")
    for entry in entries:
        pair = tuple(entry) if isinstance(entry, list | tuple) else (entry, entry)
        if len(pair) != 2:
            raise ValueError(f"boundary: an entry is one word or a (low, high) pair; got {entry!r}")
        for kind in pair:
            if not isinstance(kind, str) or kind not in BOUNDARIES:
                raise ValueError(f"boundary must be {' or '.join(map(repr, BOUNDARIES))} in this version, got {kind!r}")
