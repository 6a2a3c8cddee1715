"""The problem: -div(a grad u) + c u = f on a box, with its grid and its discrete operator."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from pde.common.arguments import choose
from pde.common.keywords import suggesting
from pde.common.ranks import Ranks, read_ranks
from pde.problem.block import Block
from pde.problem.boundary import BoundaryData, embed, read_sides
from pde.problem.boundary_conditions import boundary_words, is_open, read_boundary
from pde.problem.box import read_grid, read_shape
from pde.problem.coefficients import Betas, Terms
from pde.problem.components import UNSEEN, Components, closed_components
from pde.problem.domain import read_domain
from pde.problem.faces import read_faces, terms_on_faces
from pde.problem.fields import read_reaction, read_values
from pde.problem.finest import Finest, finest_operator
from pde.problem.grid import Array, Grid, Sides
from pde.problem.mehrstellen import Mehrstellen, check_order
from pde.problem.open_space import check_open, implied_sides
from pde.problem.operators import StencilOperator, control_volumes
from pde.problem.robin import read_betas, with_sides
from pde.problem.slab_terms import SlabTerms
from pde.problem.tensor_entries import read_coefficient
from pde.problem.wall_data import with_held_values

if TYPE_CHECKING:
    from pde.problem.far_field import FarField


class Poisson:
    """-div(a grad u) + c u = f on a box, or a part of it, in 1, 2 or 3 dimensions, by finite volumes of second order.

    Args:
        shape: the number of unknowns per axis, each at least 1.
        extent: length of the box, one number or one per axis.
        boundary: "dirichlet" (u = g), "neumann" (a du/dn = g), "periodic" or ("robin", beta) (a du/dn + beta u = g,
            beta >= 0, a number, an array of the side's shape or a callable of all coordinates), with the outward
            normal; one of these for all sides, or one entry per axis, an entry being one of these or a (low, high)
            pair. Or "open": free space around the box in 2 or 3 dimensions, for constant a and c, equal steps along
            each axis, and f that vanishes near the sides. The unknowns are those of Dirichlet sides, and `apply` and
            `matrix` take boundary values 0. u vanishes at infinity; in two dimensions with c = 0 it is
            -(Q / 2 pi a) ln r there, where Q is the integral of f and r has the unit of `extent`.
        centering: "vertex": Dirichlet unknowns are interior points, Neumann and Robin sides include their end point;
            the spacing is L / (n + 1), L / n or L / (n - 1) with two, one or no Dirichlet ends, L / n on a periodic
            axis. "cell": the unknowns are the centres of n cells of size L / n.
        coefficient: a > 0, a number, an array of `shape`, or a callable of the coordinates; or a tuple or list of
            these, one per axis, for a diagonal tensor; None is 1. Between two points a is the harmonic mean, exact
            for the flux through a jump midway between them; elsewhere a jump costs an order of accuracy. Or a full
            tensor, symmetric and positive definite: [[a11, a12], [a12, a22]], in three dimensions 3 x 3, of numbers,
            arrays and callables, or one array whose rows and columns come first or last. Neumann and Robin sides give
            its conormal flux then, n . a grad u, and need centering "vertex".
        reaction: c, a number, an array of `shape`, or a callable of the coordinates. Where it is negative the problem
            is to stay positive definite; see `Multigrid.solve` on "indefinite".
        domain: where unknowns are, a boolean array of `shape` or a callable of the coordinates that gives one; None is
            everywhere. Arrays f and u have the box's shape all the same: outside f is not read, and u is zero. Floats
            are a level set, negative inside: a curved wall lies where it is zero, to second order, exactly for a
            callable and by linear interpolation for an array. Behind Dirichlet walls the unknowns are the points
            inside; at Neumann walls they are all control volumes with an open part, f and u being taken at their
            points even where these are outside.
        walls: the domain's own boundary inside the box: "dirichlet", where the points outside hold values (those of
            `g["walls"]`), "neumann", insulated or with a flux, or (not for a level set) a boolean array, or a callable
            of the coordinates that gives one, True where a point holds a value.
        face_coefficients: a >= 0 on the faces, in the place of `coefficient`: for each axis an array with one entry
            more along it (the faces of cells; the middles between points, and the ends). Zero closes a face, though
            not to data g of a Neumann side.
        coordinates: for stretched axes one entry per axis, None or the increasing coordinates of its nodes: with both
            end points ("vertex"), or the n + 1 edges of its cells ("cell"). They replace `extent`.
        comm: an mpi4py communicator, whose ranks divide the planes of axis 0 among them: rank r of p has the planes
            n r // p, ..., n (r + 1) // p - 1. Arrays `coefficient` and `reaction` are then those of this block, and
            callables get its coordinates; so does `points`. All ranks make the problem together.
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
        domain: Any = None,
        walls: Any = "dirichlet",
        face_coefficients: Sequence[Any] | None = None,
        order: int = 2,
        comm: Any = None,
    ) -> None:
        self.ranks = None if comm is None else read_ranks(comm)
        self.shape = read_shape(shape)
        self.centering = choose("centering", centering, ("vertex", "cell"))
        sides, given = read_boundary(boundary, self.ndim)
        grid = read_grid(self.shape, extent, sides, centering == "cell", coordinates)
        self.grid, betas = read_betas(given, grid)
        self.boundary = tuple(axis.sides for axis in self.grid.axes)
        self.extent = tuple(axis.length for axis in self.grid.axes)
        self.open, self.order = is_open(boundary), order
        if self.ranks is not None and (domain is not None or face_coefficients is not None):
            name = "domain" if domain is not None else "face_coefficients"
            raise ValueError(f"comm: {name} is not for problems that are divided among ranks; leave one of them out")
        self.domain = read_domain(domain, walls, self.grid)
        self._take(coefficient, face_coefficients, reaction, betas)

    def with_terms(
        self, coefficient: Any = None, reaction: Any = None, boundary: Any = None, face_coefficients: Any = None
    ) -> Poisson:
        """The same grid and domain with other coefficients or betas of its sides; None keeps the present ones."""
        other = copy.copy(self)
        for made in ("_operator", "block", "components", "far_field", "hold"):
            other.__dict__.pop(made, None)
        betas = self.terms.betas if boundary is None else other._take_sides(boundary)
        other._take(coefficient, face_coefficients, reaction, betas, before=self)
        return other

    def divided(self, ranks: Ranks) -> Poisson:
        """The same problem on a box, its fields divided among ranks."""
        if self.ranks is not None:
            return self
        other = copy.copy(self)
        for made in ("_operator", "block", "components", "far_field", "hold"):
            other.__dict__.pop(made, None)
        other.ranks, block = ranks, Block.of(self.grid, ranks)
        own, terms = slice(*block.cuts[ranks.rank : ranks.rank + 2]), self.terms
        fields = {id(a): a if isinstance(a, float) else block.field(a[own]) for a in (*terms.diffusion, terms.reaction)}
        diffusion: Any = tuple(fields[id(a)] for a in terms.diffusion)
        other._diffusion, c = diffusion, fields[id(terms.reaction)]
        if terms.varies or terms.betas or not isinstance(c, float):
            other.terms = SlabTerms(diffusion, c, betas=terms.betas, ranks=ranks)  # type: ignore[arg-type]
        return other

    def _take(self, coefficient: Any, faces: Any, reaction: Any, betas: Betas, before: Poisson | None = None) -> None:
        """Read the coefficients, or take those of the problem before."""
        if faces is not None and coefficient is not None:
            raise ValueError("face_coefficients and coefficient are both given; give the one or the other")
        if before is None or coefficient is not None or faces is not None:
            self._diffusion, self._tensor = read_coefficient(coefficient, self.grid, self.block)
            self._faces = None if faces is None else read_faces(faces, self.grid)
        c = before.terms.reaction if before and reaction is None else read_reaction(reaction, self.grid, self.block)
        box = Terms(self._diffusion, c, betas=betas, tensor=self._tensor)
        if self.ranks is not None and (box.varies or betas or not isinstance(c, float)):
            box = SlabTerms(self._diffusion, c, betas=betas, ranks=self.ranks)
        if box.tensor is not None and (self.domain is not None or self.open):
            raise ValueError("coefficient: a full tensor is for boxes with sides; got a domain or open sides beside it")
        self.terms: Terms = terms_on_faces(box, self._faces, self.domain, self.grid)
        self.check_fits(np.dtype(float))
        check_order(self.order, self.grid, self.terms, self.open)
        if self.open:
            check_open(self.grid, self.terms)

    def _take_sides(self, boundary: Any) -> Betas:
        """Replace the sides by others of the same kinds; return the betas that vary."""
        sides, given = read_boundary(boundary, self.ndim)
        words = ((sides, is_open(boundary)), (self.boundary, self.open))
        kinds, now = ("open" if free else [[s.kind for s in pair] for pair in pairs] for pairs, free in words)
        if kinds != now:
            raise ValueError(f"boundary must be of the same kinds as before, {now}, with other beta; got {kinds}")
        self.grid, betas = read_betas(given, with_sides(self.grid, sides))
        self.boundary = tuple(axis.sides for axis in self.grid.axes)
        return betas

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
        c = self.terms.reaction
        if (largest := max(-float(np.min(c)), float(np.max(c)))) > float(np.finfo(dtype).max) / 100:
            raise ValueError(f"reaction must fit into {dtype.name} with a margin, got values up to {largest:.3g}")

    @cached_property
    def block(self) -> Block | None:
        """The planes of this rank, where they are divided among the ranks of `comm`; else None."""
        return None if self.ranks is None else Block.of(self.grid, self.ranks)

    @property
    def _here(self) -> Grid:
        """The grid of the unknowns that this process has."""
        return self.grid if self.block is None else self.block.grid

    def _check_whole(self, name: str) -> None:
        """Refuse a method of whole grids where fields are divided among ranks."""
        if self.ranks is not None:
            raise ValueError(f"{name} is for a problem on one process; the grid of this one is divided among ranks")

    @property
    def singular(self) -> bool:
        """Whether u is determined up to a constant only, on some part of a domain, or by less than rounding leaves."""
        return self.hold <= UNSEEN if self.components is None else self.components.count > 0

    @cached_property
    def components(self) -> Components | None:
        """The parts of the domain on which u is determined up to a constant, where faces are closed; else None."""
        if not self.terms.closed:
            return None
        A = self._operator
        assert isinstance(A, StencilOperator)
        return Components(closed_components(A, UNSEEN), self.control_volumes())

    @cached_property
    def hold(self) -> float:
        """The mean of |A 1| relative to the diagonal of A: how strongly sides and reaction determine a constant."""
        if self.has_dirichlet or self.terms.domain is not None:
            return math.inf
        diagonal, mean = 2 * sum(self.grid.couplings(self.terms.typical)), self.terms.mean_reaction(self.grid)
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
        words = "open" if self.open else boundary_words(self.boundary)
        text = f"Poisson(shape={self.shape}, extent={self.extent}, boundary={words!r}"
        text += ", beta varies" if self.terms.betas else ""
        text += f", centering={self.centering!r}" if self.centering != "vertex" else ""
        if self._faces is not None:
            text += ", coefficients of faces"
        elif self.terms.tensor is not None:
            text += ", coefficient is a full tensor"
        elif self.terms.varies and not self.terms.closed:
            text += ", coefficient varies"
        elif set(self.terms.diffusion) != {1.0}:
            text += f", coefficient={self.terms.diffusion}"
        if self.domain is not None:
            text += f", domain of {np.count_nonzero(self.domain.inside)} unknowns"
        text += f", order={self.order}" if self.order != 2 else ""
        return text + (", with reaction)" if self.terms.has_reaction else ")")

    def points(self) -> tuple[Array, ...]:
        """The coordinates of the unknowns: one read-only array of `shape`, or of this rank's block, per axis."""
        return self._here.points()

    def apply(self, u: Any) -> Array:
        """A u, for zero boundary values, of u with shape (..., *shape)."""
        self._check_whole("apply")
        return self._operator(self.read("u", u, imaginary=True))

    def right_hand_side(self, f: Array, ends: Sides) -> Array:
        """The f of A u = f: nodal f (..., *shape), or M f of them where the order is 4; `ends` are f on the sides."""
        return self._operator.right_hand_side(f, ends) if isinstance(self._operator, Mehrstellen) else f

    def matrix(self, symmetric: bool = False) -> sp.csr_matrix:
        """A on the flattened unknowns of the domain (C order); W A, W the control volumes, where `symmetric`.

        Each diagonal entry is the computed sum of its neighbours' entries, of c and of the part of the sides; W A is
        symmetric to the last bit.
        """
        self._check_whole("matrix")
        matrix = self._operator.symmetric_matrix() if symmetric else self._operator.matrix()
        if self.domain is None:
            return matrix
        rows = np.flatnonzero(self.domain.inside)
        return matrix[rows][:, rows]

    def control_volumes(self) -> Array:
        """W: the volume that belongs to each unknown, an array of `shape`, zero outside the domain."""
        W = control_volumes(self._here, self.terms)
        return W if self.domain is None else W * self.domain.inside

    def embed(self, u: Any, g: BoundaryData = None) -> Array:
        """u with its boundary points, as `pde.problem.boundary.closed_points` places them; g as in `solve`.

        Points outside a domain get the values that they hold, and 0 where they hold none. On open sides u is what it
        would have to be for f = 0 beside them, as it is there.
        """
        self._check_whole("embed")
        values = self.read("u", u, imaginary=True)
        sides = self.sides(values, g)
        held = g.get("walls") if isinstance(g, Mapping) else g
        whole = with_held_values(values, held, self.grid, self.terms)
        return embed(whole.astype(np.result_type(whole, *sides.values())), sides, self.grid, self.terms)

    def sides(self, u: Array, g: BoundaryData) -> Sides:
        """The boundary data of u (..., *shape): g, or those of open sides, which follow from u."""
        if self.open and g is None:
            assert isinstance(self._operator, StencilOperator)
            return implied_sides(u, self._operator)
        return self.read_sides(g, u.real.dtype, u.shape[: u.ndim - self.ndim])

    def read_sides(self, g: BoundaryData, dtype: np.dtype, batch: tuple[int, ...] = ()) -> Sides:
        """Boundary data as arrays, complex ones too; see `pde.problem.boundary.read_sides`."""
        return read_sides(g, self.grid, dtype, batch, self.terms.domain, imaginary=True)

    def read(self, name: str, values: Any, dtype: np.dtype | str | None = None, **options: bool) -> Array:
        """`values` (array or callable of the coordinates) as a finite array; see `pde.problem.fields`."""
        inside = None if self.domain is None else self.domain.inside
        return read_values(name, values, self._here, dtype, inside=inside, **options)

    @cached_property
    def far_field(self) -> FarField:
        """The values on open sides, from u of the box with boundary values 0."""
        from pde.problem.far_field import FarField  # with SciPy's transforms, which take as long to import as pde

        return FarField(self.grid, self.terms)

    @cached_property
    def _operator(self) -> Finest:
        return finest_operator(self.grid, np.dtype(float), self.terms, self.order)
