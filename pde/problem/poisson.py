"""The problem: -div(a grad u) + c u = f on a box, with its grid and its discrete operator."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
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
from pde.problem.components import Components, closed_components
from pde.problem.domain import read_domain
from pde.problem.faces import read_faces, terms_on_faces
from pde.problem.fields import read_diffusion, read_reaction, read_values
from pde.problem.finest import Finest, finest_operator
from pde.problem.grid import Array, Sides
from pde.problem.inner_product import Volumes
from pde.problem.operators import StencilOperator, control_volumes
from pde.problem.wall_data import with_held_values

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
        domain: where unknowns are, a boolean array of `shape` or a callable of the coordinates that gives one; None is
            everywhere. Arrays f and u have the box's shape all the same: outside f is not read, and u is zero.
        walls: the domain's own boundary inside the box: "dirichlet", where the points outside hold values (those of
            `g["walls"]`), "neumann", insulated or with a flux, or a boolean array, True where a point holds a value.
        face_coefficients: a >= 0 on the faces, in the place of `coefficient`: for each axis an array with one entry
            more along it (the faces of cells; the middles between points, and the ends). Zero closes a face.
        coordinates: for stretched axes one entry per axis, None or the increasing coordinates of its nodes: with both
            end points ("vertex"), or the n + 1 edges of its cells ("cell"). They replace `extent`.

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
        domain: Any = None,
        walls: Any = "dirichlet",
        face_coefficients: Sequence[Any] | None = None,
    ) -> None:
        self.shape = read_shape(shape)
        self.centering = choose("centering", centering, ("vertex", "cell"))
        self.boundary = read_boundary(boundary, self.ndim)
        self.grid = read_grid(self.shape, extent, self.boundary, centering == "cell", coordinates)
        self.extent = tuple(axis.length for axis in self.grid.axes)
        self.domain = read_domain(domain, walls, self.grid)
        self._take(coefficient, face_coefficients, reaction)

    def with_terms(self, coefficient: Any = None, reaction: Any = None, face_coefficients: Any = None) -> Poisson:
        """The same grid, sides and domain with other coefficients; None keeps the present ones."""
        other = copy.copy(self)
        for name in ("_operator", "components"):
            other.__dict__.pop(name, None)
        other._take(coefficient, face_coefficients, reaction, before=self)
        return other

    def _take(self, coefficient: Any, faces: Any, reaction: Any, before: Poisson | None = None) -> None:
        """Read the coefficients, or take those of the problem before."""
        if faces is not None and coefficient is not None:
            raise ValueError("face_coefficients and coefficient are both given; give the one or the other")
        if before is None or coefficient is not None or faces is not None:
            self._diffusion = read_diffusion(coefficient, self.grid)
            self._faces = None if faces is None else read_faces(faces, self.grid)
        c = before.terms.reaction if before is not None and reaction is None else read_reaction(reaction, self.grid)
        self.terms: Terms = terms_on_faces(self._diffusion, c, self._faces, self.domain, self.grid)
        self.check_fits(np.dtype(float))

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
        """Whether u is determined up to a constant only, on some part of a domain, or by less than rounding leaves."""
        return self.hold <= UNSEEN if self.components is None else self.components.count > 0

    @cached_property
    def components(self) -> Components | None:
        """The parts of the domain on which u is determined up to a constant, where faces are closed; else None."""
        if not self.terms.closed:
            return None
        assert isinstance(A := self._operator, StencilOperator)
        return Components(closed_components(A, UNSEEN), self.control_volumes())

    @property
    def hold(self) -> float:
        """The mean of A 1 relative to the diagonal of A: the share by which sides and reaction determine a constant."""
        if self.has_dirichlet or self.terms.domain is not None:
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
        if self._faces is not None:
            text += ", coefficients of faces"
        elif self.terms.varies and not self.terms.closed:
            text += ", coefficient varies"
        elif set(self.terms.diffusion) != {1.0}:
            text += f", coefficient={self.terms.diffusion}"
        if self.domain is not None:
            text += f", domain of {np.count_nonzero(self.domain.inside)} unknowns"
        return text + (", with reaction)" if self.terms.has_reaction else ")")

    def points(self) -> tuple[Array, ...]:
        """The coordinates of the unknowns: one read-only array of `shape` per axis."""
        return self.grid.points()

    def apply(self, u: Any) -> Array:
        """A u, for zero boundary values, of u with shape (..., *shape)."""
        return self._operator(self.read("u", u))

    def matrix(self, symmetric: bool = False) -> sp.csr_matrix:
        """A on the flattened unknowns of the domain (C order); W A, W the control volumes, where `symmetric`.

        Each diagonal entry is the computed sum of its neighbours' entries, of c and of the part of the sides; W A is
        symmetric to the last bit.
        """
        matrix = self._operator.symmetric_matrix() if symmetric else self._operator.matrix()
        if self.domain is None:
            return matrix
        rows = np.flatnonzero(self.domain.inside)
        return matrix[rows][:, rows]

    def control_volumes(self) -> Array:
        """W: the volume that belongs to each unknown, an array of `shape`, zero outside the domain."""
        W = control_volumes(self.grid, self.terms)
        return W if self.domain is None else W * self.domain.inside

    def embed(self, u: Any, g: BoundaryData = None) -> Array:
        """u with its boundary points, as `pde.problem.boundary.closed_points` places them; g as in `solve`.

        Points outside the domain get the values that they hold, and 0 where they hold none.
        """
        values = self.read("u", u)
        sides = self.read_sides(g, values.dtype, values.shape[: values.ndim - self.ndim])
        held = g.get("walls") if isinstance(g, Mapping) else g
        return embed(with_held_values(values, held, self.grid, self.terms), sides, self.grid, self.terms)

    def read_sides(self, g: BoundaryData, dtype: np.dtype, batch: tuple[int, ...] = ()) -> Sides:
        """Boundary data as arrays; see `pde.problem.boundary.read_sides`."""
        return read_sides(g, self.grid, dtype, batch, self.terms.domain)

    def read(self, name: str, values: Any, dtype: np.dtype | str | None = None, **options: bool) -> Array:
        """`values` (array or callable of the coordinates) as a finite real array; see `pde.problem.fields`."""
        inside = None if self.domain is None else self.domain.inside
        return read_values(name, values, self.grid, dtype, inside=inside, **options)

    @cached_property
    def _operator(self) -> Finest:
        return finest_operator(self.grid, np.dtype(float), self.terms)
