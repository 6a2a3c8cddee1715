"""The problem: -div(a grad u) + c u = f on a box, with its grid and its discrete operator."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.common.arguments import choose, count, described, evaluate, finite, nearest, number, real_array
from pde.common.arrays import contiguous, is_tensor, namespace, numpy_dtype
from pde.common.keywords import suggesting
from pde.problem.boundary import BoundaryData, embed, read_sides
from pde.problem.coefficients import Terms
from pde.problem.grid import Array, Axis, Grid, Side
from pde.problem.inner_product import Volumes
from pde.problem.operators import StencilOperator

LARGEST = sys.maxsize // 16  # unknowns whose numbers can be addressed

BOUNDARIES = ("dirichlet", "neumann", "periodic")

UNSEEN = 64 * float(np.finfo(float).eps)
"""Reactions and Robin sides that are this weak beside the diagonal of A are lost in the rounding of A u."""


class Poisson:
    """-div(a grad u) + c u = f on a box in 1, 2 or 3 dimensions, by finite volumes of second order.

    Args:
        shape: the number of unknowns per axis, each at least 1.
        extent: length of the box, one number or one per axis.
        boundary: "dirichlet" (u = g), "neumann" (a du/dn = g), "periodic" or ("robin", beta) (a du/dn + beta u = g,
            beta >= 0), with the outward normal; one of these for all sides, or one entry per axis, an entry being one
            of these or a (low, high) pair.
        centering: "vertex": Dirichlet unknowns are interior points, Neumann and Robin sides include their end point;
            the spacing is L / (n + 1), L / n or L / (n - 1) with two, one or no Dirichlet ends, L / n on a periodic
            axis. "cell": the unknowns are the centres of n cells of size L / n.
        coefficient: a > 0, a number, an array of `shape`, or a callable of the coordinates; or a tuple or list of
            these, one per axis, for a diagonal tensor; None is 1. Between two points a is the harmonic mean, exact
            for the flux through a jump midway between them; elsewhere a jump costs an order of accuracy.
        reaction: c >= 0, a number, an array of `shape`, or a callable of the coordinates.
        coordinates: for stretched axes one entry per axis, None or the increasing coordinates of its nodes: with both
            end points ("vertex"), or the n + 1 edges of its cells ("cell"). They replace `extent`.

    With no Dirichlet or Robin side and c = 0 the problem is singular: u is determined up to a constant, and f has to
    fit; see `Multigrid.solve`. It is taken as singular too where c and beta are there, but so small that rounding hides
    them: the mean of c, with beta / L of the sides, is at most 64 eps (1.4e-14) of the diagonal of A, 2 a / h^2
    summed over the axes.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """

    @suggesting
    def __init__(
        self,
        shape: int | Sequence[int],
        extent: float | Sequence[float] = 1.0,
        boundary: Any = "dirichlet",
        centering: str = "vertex",
        coefficient: Any = None,
        reaction: Any = 0.0,
        coordinates: Sequence[Any] | None = None,
    ) -> None:
        self.shape = _read_shape(shape)
        ndim = len(self.shape)
        self.centering = choose("centering", centering, ("vertex", "cell"))
        self.boundary = read_boundary(boundary, ndim)
        lengths = _read_extent(extent, ndim)
        axes = [
            Axis.uniform(n, L, sides, centering == "cell")
            for n, L, sides in zip(self.shape, lengths, self.boundary, strict=True)
        ]
        for a, nodes in enumerate(_per_axis("coordinates", coordinates, ndim)):
            if nodes is not None:
                axes[a] = _stretched(f"coordinates[{a}]", nodes, axes[a])
        self.grid = Grid(tuple(axes))
        self.extent = tuple(axis.length for axis in axes)
        _check_range(self.grid, "extent" if coordinates is None else "coordinates")
        self.terms = Terms(self._read_diffusion(coefficient), self._read_reaction(reaction))
        self.check_fits(np.dtype(float))

    def with_terms(self, coefficient: Any = None, reaction: Any = None) -> Poisson:
        """The same grid and sides with another coefficient or reaction; None keeps the one there is."""
        other = copy.copy(self)
        other.__dict__.pop("_operator", None)
        other.terms = Terms(
            self.terms.diffusion if coefficient is None else self._read_diffusion(coefficient),
            self.terms.reaction if reaction is None else self._read_reaction(reaction),
        )
        other.check_fits(np.dtype(float))
        return other

    def check_fits(self, dtype: np.dtype) -> None:
        """Refuse coefficients of the discrete operator that keep no distance from the limits of `dtype`.

        Raises:
            ValueError: naming dtype, coefficient or reaction.
        """
        if not self.grid.fits(dtype):
            raise ValueError(f"dtype: 1/h^2 leaves the range of {dtype.name}, got extent {self.extent}")
        if not self.grid.fits(dtype, self.terms.diffusion):
            low, high = (float(f([f(a) for a in self.terms.diffusion])) for f in (np.min, np.max))
            raise ValueError(
                f"coefficient: a/h^2 leaves the range of {dtype.name}, got values from {low:.3g} to {high:.3g}"
            )
        if np.max(self.terms.reaction) > float(np.finfo(dtype).max) / 100:
            largest = float(np.max(self.terms.reaction))
            raise ValueError(f"reaction must fit into {dtype.name} with some room, got values up to {largest:.3g}")

    @property
    def singular(self) -> bool:
        """Whether u is determined up to a constant only, or by less than rounding leaves."""
        return self.hold <= UNSEEN

    @property
    def hold(self) -> float:
        """How firmly sides and reaction hold a constant: the mean of A 1 relative to the diagonal of A."""
        if self.has_dirichlet:
            return math.inf
        c, diagonal = self.terms.reaction, 2 * sum(self.grid.couplings(self.terms.typical))
        mean = c if isinstance(c, float) else float(Volumes(self.grid).mean(c))
        return (mean + sum(side.beta / axis.length for axis in self.grid.axes for side in axis.sides)) / diagonal

    def is_held(self, dtype: np.dtype) -> bool:
        """Whether A 1 can be told from zero in this dtype, so that cycles in it find the mean of u."""
        return self.hold > 4 * float(np.finfo(dtype).eps)

    @property
    def has_dirichlet(self) -> bool:
        """Whether u is given on some side."""
        return any(side.kind == "dirichlet" for pair in self.boundary for side in pair)

    def _read_diffusion(self, coefficient: Any) -> tuple[float | Array, ...]:
        ndim = self.ndim
        given = 1.0 if coefficient is None else coefficient
        if _is_full_tensor(given, ndim, self.shape):
            raise ValueError(
                "coefficient: full tensors are not supported; a diagonal one is a list of its entries, one per axis"
            )
        if isinstance(given, list | tuple):
            if len(given) != ndim:
                raise ValueError(f"coefficient must be one field or {ndim} of them, one per axis; got {len(given)}")
            return tuple(self._read_field(f"coefficient[{a}]", value, positive=True) for a, value in enumerate(given))
        return (self._read_field("coefficient", given, positive=True),) * ndim

    def _read_reaction(self, reaction: Any) -> float | Array:
        return self._read_field("reaction", reaction, positive=False)

    def _read_field(self, name: str, values: Any, positive: bool) -> float | Array:
        """A number, or an array of `shape`."""
        field = self._evaluate(name, values) if callable(values) else real_array(name, values)
        if field.ndim and field.shape != self.shape:
            raise ValueError(f"{name} must be a number or have the shape {self.shape}, got {field.shape}")
        field = finite(name, field, np.dtype(float))
        if np.min(field) < 0 or (positive and np.min(field) == 0):
            allowed = "positive" if positive else "zero or positive"
            raise ValueError(f"{name} must be {allowed}, got values down to {np.min(field)}")
        return field.copy() if field.ndim and np.ptp(field) > 0 else float(field.flat[0])

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        words = tuple(_words(pair) for pair in self.boundary)
        boundary = words[0] if len(set(words)) == 1 and isinstance(words[0], str) else words
        text = f"Poisson(shape={self.shape}, extent={self.extent}, boundary={boundary!r}"
        text += f", centering={self.centering!r}" if self.centering != "vertex" else ""
        if self.terms.varies:
            text += ", coefficient varies"
        elif set(self.terms.diffusion) != {1.0}:
            text += f", coefficient={self.terms.diffusion}"
        return text + (", with reaction)" if self.terms.has_reaction else ")")

    def points(self) -> tuple[Array, ...]:
        """The coordinates of the unknowns: one read-only array of `shape` per axis."""
        return self.grid.points()

    def apply(self, u: Any) -> Array:
        """A u, for zero boundary values, of u with shape (..., *shape)."""
        return self._operator(self.read("u", u))

    def matrix(self, symmetric: bool = False) -> sp.csr_matrix:
        """A on the flattened unknowns (C order); W A, W the control volumes, where `symmetric`.

        Each diagonal entry is the sum of those beside it, and of c and what sides add, as it is computed; W A is
        symmetric to the last bit.
        """
        return self._operator.symmetric_matrix() if symmetric else self._operator.matrix()

    def control_volumes(self) -> Array:
        """W: the volume that belongs to each unknown, an array of `shape`."""
        return self.grid.volumes()

    def embed(self, u: Any, g: BoundaryData = None) -> Array:
        """u with its boundary points, as `pde.problem.boundary.closed_points` places them; g as in `solve`."""
        values = self.read("u", u)
        batch = values.shape[: values.ndim - self.ndim]
        return embed(values, read_sides(g, self.grid, values.dtype, batch), self.grid, self.terms)

    def read(
        self,
        name: str,
        values: Any,
        dtype: np.dtype | str | None = None,
        tensors: bool = False,
        look: bool = True,
        constant: bool = False,
    ) -> Array:
        """`values` (array or callable of the coordinates) as a finite real array of shape (..., *shape).

        Args:
            tensors: whether a tensor may stay what it is.
            constant: whether one number may stand for all of them.
            look: whether to look for values that are not finite in an array that has the dtype already.

        Raises:
            TypeError, ValueError: naming the argument, what came and what is allowed.
        """
        if tensors and is_tensor(values):
            array = values
        else:
            array = self._evaluate(name, values) if callable(values) else real_array(name, values)
        if constant and array.ndim == 0:
            array = contiguous(namespace(array).broadcast_to(array, self.shape))
        if array.shape[array.ndim - self.ndim :] != self.shape or array.ndim < self.ndim:
            raise ValueError(
                f"{name} must have the problem's shape {self.shape}, after any leading batch axes; "
                f"got {tuple(array.shape)}"
            )
        if 0 in array.shape:
            raise ValueError(f"{name}: a batch axis has length 0: shape {tuple(array.shape)}")
        if dtype is None:
            given = numpy_dtype(array.dtype)
            dtype = np.promote_types(given, np.float32) if given.kind == "f" else np.dtype(float)
        return array if not look and array.dtype == dtype else finite(name, array, np.dtype(dtype))

    def _evaluate(self, name: str, function: Callable[..., Any]) -> Array:
        """The values of a callable at the unknowns; a constant may come as a scalar."""
        values = evaluate(name, function, self.points())
        try:
            return np.array(np.broadcast_to(values, self.shape))
        except ValueError:
            raise ValueError(
                f"{name}: the callable must return a scalar or an array of shape {self.shape}, got shape {values.shape}"
            ) from None

    @cached_property
    def _operator(self) -> StencilOperator:
        return StencilOperator(self.grid, np.dtype(float), self.terms)


def _read_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    given = tuple(shape) if np.iterable(shape) else (shape,)
    if len(given) not in (1, 2, 3):
        raise ValueError(f"shape must have 1, 2 or 3 entries, one per dimension; got {len(given)}: {described(shape)}")
    sizes = tuple(count(f"shape[{axis}]", n, least=1) for axis, n in enumerate(given))
    if math.prod(sizes) > LARGEST:
        raise ValueError(f"shape must have at most {LARGEST} unknowns, whose numbers can be addressed; got {sizes}")
    return sizes


def _is_full_tensor(coefficient: Any, ndim: int, shape: tuple[int, ...]) -> bool:
    """Whether this is a matrix, of numbers or fields, where one field or one per axis is meant."""
    if ndim == 1:
        return False
    if isinstance(coefficient, list | tuple):
        return all(isinstance(row, list | tuple) and len(row) == ndim for row in coefficient)
    given = tuple(np.shape(coefficient)) if hasattr(coefficient, "shape") else ()
    return given != shape and given in ((ndim, ndim), (ndim, ndim, *shape), (*shape, ndim, ndim))


def _read_extent(extent: float | Sequence[float], ndim: int) -> tuple[float, ...]:
    given = np.atleast_1d(real_array("extent", extent)).astype(float)
    if given.ndim != 1 or len(given) not in (1, ndim):
        raise ValueError(f"extent must be one length or {ndim}, one per axis; got {described(extent)}")
    if not (np.isfinite(given).all() and (given > 0).all()):
        raise ValueError(f"extent must be positive and finite, got {described(extent)}")
    return tuple(float(L) for L in (np.repeat(given, ndim) if len(given) == 1 else given))


def _check_range(grid: Grid, name: str) -> None:
    smallest = math.prod(float(axis.width.min()) for axis in grid.axes)
    largest = math.prod(float(axis.width.sum()) for axis in grid.axes)
    if not grid.fits(np.dtype(float)) or not 1e-300 < smallest <= largest < 1e300:
        lengths, steps = ([float(f(axis.spacing)) for axis in grid.axes] for f in (np.sum, np.min))
        raise ValueError(
            f"{name}: control volumes or 1/h^2 leave the range of float64 for {grid.shape}, "
            f"got lengths {lengths} with steps down to {steps}"
        )


def read_boundary(boundary: Any, ndim: int) -> tuple[tuple[Side, Side], ...]:
    """The (low, high) sides of every axis from what the user gives; see `Poisson`."""
    if _is_word(boundary):
        entries: tuple[Any, ...] = (boundary,) * ndim
    elif isinstance(boundary, list | tuple):
        entries = tuple(boundary)
    else:
        raise _boundary_error(boundary)
    if len(entries) != ndim:
        raise ValueError(
            f"boundary must be one word or {ndim} entries, one per axis; got {len(entries)}: {described(boundary)}"
        )
    sides = []
    for a, entry in enumerate(entries):
        pair = (entry, entry) if _is_word(entry) else entry
        if not isinstance(pair, list | tuple):
            raise _boundary_error(pair)
        if len(pair) != 2:
            raise ValueError(f"boundary[{a}] must be one word or a (low, high) pair; got {described(entry)}")
        low, high = (_read_side(word) for word in pair)
        if (low.kind == "periodic") != (high.kind == "periodic"):
            raise ValueError(f"boundary[{a}] must be periodic on both sides or on none; got {described(entry)}")
        sides.append((low, high))
    return tuple(sides)


def _is_word(word: Any) -> bool:
    robin = isinstance(word, list | tuple) and len(word) == 2 and isinstance(word[0], str) and word[0] == "robin"
    return isinstance(word, str) or (robin and not isinstance(word[1], str))


def _read_side(word: Any) -> Side:
    if isinstance(word, str) and word in BOUNDARIES:
        return Side(word)
    if _is_word(word) and not isinstance(word, str):
        beta = number("boundary: beta of 'robin'", word[1], least=0)
        if math.isfinite(beta):
            return Side("robin", beta)
    raise _boundary_error(word)


def _boundary_error(came: Any) -> ValueError:
    allowed = f"{', '.join(map(repr, BOUNDARIES))} or ('robin', beta)"
    return ValueError(f"boundary must be {allowed}; got {described(came)}{nearest(came, BOUNDARIES)}")


def _words(pair: tuple[Side, Side]) -> Any:
    low, high = (("robin", side.beta) if side.kind == "robin" else side.kind for side in pair)
    return low if low == high else (low, high)


def _per_axis(name: str, values: Any, ndim: int) -> list[Any]:
    if values is None:
        return [None] * ndim
    several = isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.ndim > 0)
    if not several or len(values) != ndim:
        came = f"{len(values)} entries" if several else described(values)
        raise ValueError(f"{name} must hold {ndim} entries, one per axis; got {came}")
    return list(values)


def _stretched(name: str, nodes: Any, uniform: Axis) -> Axis:
    """An axis with these nodes in the place of equally spaced ones."""
    given = finite(name, real_array(name, nodes), np.dtype(float))
    if given.shape != uniform.nodes.shape:
        raise ValueError(
            f"{name} must hold {len(uniform.nodes)} nodes for {uniform.n} unknowns, got shape {given.shape}"
        )
    if not (np.diff(given) > 0).all():
        raise ValueError(f"{name} must increase, got steps down to {np.diff(given).min()}")
    return Axis(given.copy(), uniform.sides, uniform.cell)
