"""The problem: -div(a grad u) + c u = f on a box, with its grid and its discrete operator."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.common.arguments import choose
from pde.common.keywords import suggesting
from pde.problem.boundary import BoundaryData, embed, read_sides
from pde.problem.boundary_conditions import boundary_words, read_boundary
from pde.problem.box import read_grid, read_shape
from pde.problem.coefficients import Terms
from pde.problem.fields import read_diffusion, read_reaction, read_values
from pde.problem.grid import Array, Sides
from pde.problem.inner_product import Volumes
from pde.problem.mehrstellen import Mehrstellen, read_order
from pde.problem.operators import StencilOperator

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
        order: 2, or 4 for constant a and c on vertex-centred axes with equal spacing between Dirichlet or periodic
            sides: A then has 3, 9 or 19 points, and A u = M f with M f = f + sum_i h_i^2/12 d^2 f/dx_i^2 in second
            differences, which solvers make of f. On Dirichlet sides it takes a callable f at their points, and of
            an array the extrapolation through five points; f and u are to be smooth for the error to be of order 4.

    With no Dirichlet or Robin side and c = 0 the problem is singular: u is determined up to a constant, and f has to
    fit; see `Multigrid.solve`. It is taken as singular too where c and beta are there, but so small that rounding hides
    them: the mean of c, with beta / L of the sides, is at most 64 eps (1.4e-14) of the diagonal of A, 2 a / h^2
    summed over the axes.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> problem = Poisson(3, extent=4.0)
    >>> problem.points()[0].tolist()
    [1.0, 2.0, 3.0]
    >>> problem.apply([0.0, 1.0, 0.0]).tolist()
    [-1.0, 2.0, -1.0]
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
        order: int = 2,
    ) -> None:
        self.shape = read_shape(shape)
        self.centering = choose("centering", centering, ("vertex", "cell"))
        self.boundary = read_boundary(boundary, self.ndim)
        self.grid = read_grid(self.shape, extent, self.boundary, centering == "cell", coordinates)
        self.extent = tuple(axis.length for axis in self.grid.axes)
        self.terms = Terms(read_diffusion(coefficient, self.grid), read_reaction(reaction, self.grid))
        self.order = read_order(order, self.grid, self.terms)
        self.check_fits(np.dtype(float))

    def with_terms(self, coefficient: Any = None, reaction: Any = None) -> Poisson:
        """The same grid and sides with another coefficient or reaction; None keeps the present one."""
        other = copy.copy(self)
        other.__dict__.pop("_operator", None)
        other.terms = Terms(
            self.terms.diffusion if coefficient is None else read_diffusion(coefficient, self.grid),
            self.terms.reaction if reaction is None else read_reaction(reaction, self.grid),
        )
        read_order(other.order, other.grid, other.terms)
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
            raise ValueError(f"reaction must fit into {dtype.name} with a margin, got values up to {largest:.3g}")

    @property
    def singular(self) -> bool:
        """Whether u is determined up to a constant only, or by less than rounding leaves."""
        return self.hold <= UNSEEN

    @property
    def hold(self) -> float:
        """The mean of A 1 relative to the diagonal of A: the share by which sides and reaction determine a constant."""
        if self.has_dirichlet:
            return math.inf
        c, diagonal = self.terms.reaction, 2 * sum(self.grid.couplings(self.terms.typical))
        mean = c if isinstance(c, float) else float(Volumes(self.grid).mean(c))
        return (mean + sum(side.beta / axis.length for axis in self.grid.axes for side in axis.sides)) / diagonal

    def is_held(self, dtype: np.dtype) -> bool:
        """Whether A 1 differs from zero by more than rounding in this dtype, whose cycles then find the mean of u."""
        return self.hold > 4 * float(np.finfo(dtype).eps)

    @property
    def has_dirichlet(self) -> bool:
        """Whether u is given on some side."""
        return any(side.kind == "dirichlet" for pair in self.boundary for side in pair)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        text = f"Poisson(shape={self.shape}, extent={self.extent}, boundary={boundary_words(self.boundary)!r}"
        text += f", centering={self.centering!r}" if self.centering != "vertex" else ""
        if self.terms.varies:
            text += ", coefficient varies"
        elif set(self.terms.diffusion) != {1.0}:
            text += f", coefficient={self.terms.diffusion}"
        text += f", order={self.order}" if self.order != 2 else ""
        return text + (", with reaction)" if self.terms.has_reaction else ")")

    def points(self) -> tuple[Array, ...]:
        """The coordinates of the unknowns: one read-only array of `shape` per axis."""
        return self.grid.points()

    def apply(self, u: Any) -> Array:
        """A u, for zero boundary values, of u with shape (..., *shape)."""
        return self._operator(self.read("u", u))

    def right_hand_side(self, f: Array, ends: Sides) -> Array:
        """The f of A u = f: nodal f (..., *shape), or M f of them where the order is 4; `ends` are f on the sides."""
        return self._operator.right_hand_side(f, ends) if isinstance(self._operator, Mehrstellen) else f

    def matrix(self, symmetric: bool = False) -> sp.csr_matrix:
        """A on the flattened unknowns (C order); W A, W the control volumes, where `symmetric`.

        Each diagonal entry is the computed sum of its neighbours' entries, of c and of the part of the sides; W A is
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

    def read(self, name: str, values: Any, dtype: np.dtype | str | None = None, **options: bool) -> Array:
        """`values` (array or callable of the coordinates) as a finite real array; see `pde.problem.fields`."""
        return read_values(name, values, self.grid, dtype, **options)

    @cached_property
    def _operator(self) -> StencilOperator | Mehrstellen:
        make = Mehrstellen if self.order == 4 else StencilOperator
        return make(self.grid, np.dtype(float), self.terms)
