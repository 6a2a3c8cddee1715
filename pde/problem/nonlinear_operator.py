"""The discrete nonlinear operator A(u) = -div(a grad u) + c(u, x), matrix-free, with its pointwise Newton sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import Frozen, cast
from pde.problem.boundary import fold
from pde.problem.coefficients import DomainTerms, Terms
from pde.problem.couplings import couplings, face_points, held
from pde.problem.face_gradients import FaceGradients, shifted
from pde.problem.grid import ENDS, Array, Grid, Sides, trailing, window
from pde.problem.laws import Law
from pde.problem.nonlinear_walls import held_outside, open_faces, with_wall_fluxes
from pde.problem.operators import Block, StencilOperator, coloured_blocks

LEAST_SLOPE = -0.75
"""dc/du counts in a step of Newton's method at one point down to this share of the diagonal of -div(a grad)."""


@dataclass(frozen=True, eq=False)
class Laws:
    """The nonlinear terms of an equation; None where there is none.

    Args:
        coefficient: a(u, x).
        gradient: a(|grad u|^2, x).
        reaction: c(u, x).
    """

    coefficient: Law | None = None
    gradient: Law | None = None
    reaction: Law | None = None


class NonlinearOperator(Frozen):
    """A(u) on a tensor grid, for given values on Dirichlet sides; data of other sides belong to the right-hand side.

    The flux between two unknowns has a at the mean of both, halfway, or at the gradient there. `values` are the data
    of Dirichlet sides, and of "walls" of a `domain`: A(u) is 0 outside, where points hold these and u does not count.

    Attributes:
        box: -div(a grad) with zero boundary values where a is a number, and with a = 1 where it depends on u.
        colours: blocks of unknowns that do not couple.
    """

    def __init__(
        self, grid: Grid, dtype: np.dtype, terms: Terms, laws: Laws, domain: DomainTerms | None = None
    ) -> None:
        self.grid, self.dtype, self.terms, self.laws, self.domain = grid, dtype, terms, laws, domain
        self.inside = None if domain is None else domain.inside
        self.box = StencilOperator(grid, dtype, terms)
        self._gradients, colours = FaceGradients(grid, dtype), coloured_blocks(grid)
        diagonals = laws.gradient is not None  # neighbours on diagonals couple then: one colour for each block
        self.colours = [[block] for colour in colours for block in colour] if diagonals else colours
        self.nonzeros = 3**grid.ndim * grid.size if diagonals else self.box.nonzeros
        alike = StencilOperator(grid, dtype, Terms(terms.diffusion))  # betas of sides make no difference inside
        self._couplings = [couplings(alike, a, dtype) for a in range(grid.ndim)]
        self._held = held(self.box, dtype)
        self._points, self._faces = grid.points(), [face_points(grid, a) for a in range(grid.ndim)]
        self._whole: Block = (slice(0, None),) * grid.ndim
        self._values: Sides = {}
        self._beyond: Any = None  # the values outside a domain
        self._open = {} if domain is None else open_faces(domain, dtype)

    @property
    def volumes(self) -> Array:
        """W: the control volume of each unknown."""
        return self.grid.volumes()

    def with_values(self, sides: Sides) -> NonlinearOperator:
        """The same for the data among these of Dirichlet sides and walls."""
        held = {key: cast(g, self.dtype) for key, g in sides.items() if key != "walls" and not self._has_flux(*key)}
        return self.changed(_values=held, _beyond=held_outside(sides.get("walls"), self.domain, self.dtype))

    def of_member(self, k: int) -> NonlinearOperator:
        """The same for one member of a batch, where values on sides differ between them."""
        values = {key: g if g.ndim < self.grid.ndim else g[k] for key, g in self._values.items()}
        beyond = self._beyond if np.ndim(self._beyond) <= self.grid.ndim else self._beyond[k]
        return self.changed(_values=values, _beyond=beyond)

    def add_fluxes(self, f: Array, sides: Sides) -> Array:
        """f with the data among these of Neumann and Robin sides and of insulated walls."""
        fluxes = {key: g for key, g in sides.items() if key != "walls" and self._has_flux(*key)}
        f = fold(f, fluxes, self.grid, self.terms)
        return f if self.domain is None or "walls" not in sides else with_wall_fluxes(f, sides["walls"], self.domain)

    def _has_flux(self, a: int, side: int) -> bool:
        return self.grid.axes[a].sides[side].kind != "dirichlet"

    def _inside(self, u: Array) -> Array:
        """u, and 0 outside a domain."""
        return u if self.inside is None else np.where(self.inside, u, u.dtype.type(0))

    def __call__(self, u: Array) -> Array:
        """A(u) for u of shape (..., *grid.shape)."""
        return self._inside(self._elliptic(self._padded(u), self._whole, slopes=False)[0] + self._reaction(u))

    def slope(self, u: Array) -> Array:
        """The derivative of A(u) at each unknown with respect to that unknown, a(u) being frozen."""
        d = self._elliptic(self._padded(u), self._whole)[1]
        if self.laws.reaction is not None:
            d = d + self.laws.reaction.with_slope(u, self._points)[1]
        return np.broadcast_to(d, u.shape)

    def check_coefficient(self, u: Array) -> None:
        """Refuse a u for which a is not positive at an unknown or at a face.

        Raises:
            ValueError: naming the coefficient, its least value and the range of u.
        """
        law, a = self.laws.coefficient or self.laws.gradient, self.coefficient(u)
        if law is None or a is None:
            return
        found = [*self._at_faces(u), a] if self.inside is None else [a[..., self.inside]]
        if (least := min(np.min(v) for v in found)) <= 0:
            raise ValueError(
                f"{law.name} must be positive for every u that a solve meets, from u0 on; got values down to "
                f"{least:.3g} for u between {np.min(u):.3g} and {np.max(u):.3g}"
            )

    def _at_faces(self, u: Array) -> Iterator[Array]:
        """a at the faces above the unknowns, along each axis."""
        padded = self._padded(u)
        for a, (_, points) in enumerate(self._faces):
            there = padded[_shifted(self._whole, a, 1)]
            if (law := self.laws.coefficient) is not None:
                yield law((u + there) / 2, points)
            elif (law := self.laws.gradient) is not None:
                yield law(self._gradients.across(padded, self._whole, a, 1, u - there)[0], points)

    def is_elliptic(self, u: Array) -> bool:
        """Whether a is positive at all unknowns."""
        a = self.coefficient(u)
        return a is None or bool(np.all((a if self.inside is None else a[..., self.inside]) > 0))

    def coefficient(self, u: Array) -> Array | None:
        """a at the unknowns; None where it is a number."""
        if (law := self.laws.coefficient) is not None:
            return law(u, self._points)
        if (law := self.laws.gradient) is not None:
            return law(self._gradients.squares(self._padded(u), self._whole), self._points)
        return None

    def sweep(
        self,
        u: Array,
        f: Array,
        omega: float | None = None,
        most: float = 1.0,
        bounds: tuple[Array, Array] | None = None,
    ) -> Array:
        """Newton's method at one unknown after the other, a step each, colour by colour: a new u.

        Args:
            omega: of over-relaxation; None takes `most` where the reaction is weak beside -div(a grad), less where it
                is strong, and more where a falls with the gradient.
            bounds: (lower, upper) of u, which each step is cut off at.
        """
        padded = self._padded(u)
        inside = padded[trailing((slice(1, -1),) * self.grid.ndim)]
        for number, blocks in enumerate(self.colours):
            if number > 0:
                self._fill(padded)
            for block in blocks:
                at = trailing(block)
                here = inside[at]
                r, d, frozen = self._elliptic(padded, block)
                r = f[at] - r
                weight: Any = most if omega is None else omega
                if omega is None and self.laws.gradient is not None:
                    weight = most + MORE * np.maximum(1 - d / frozen, 0)
                if (law := self.laws.reaction) is not None:
                    c, slope = law.with_slope(here, [x[block] for x in self._points])
                    r -= c
                    if omega is None:
                        weight = 1 + (weight - 1) * np.maximum(1 - SLOWING * abs(slope) / d, 0)
                    d = d + np.maximum(slope, LEAST_SLOPE * d)
                r *= weight
                r /= d
                here += r
                if bounds is not None:
                    np.clip(here, bounds[0][at], bounds[1][at], out=here)
        return np.ascontiguousarray(inside)

    @cached_property
    def box_matrix(self) -> sp.csr_matrix:
        """The matrix of `box`."""
        return self.box.matrix().astype(float)

    def _reaction(self, u: Array) -> Array | float:
        return 0.0 if self.laws.reaction is None else self.laws.reaction(u, self._points)

    def _elliptic(self, padded: Array, block: Block, slopes: bool = True) -> tuple[Array, Any, Any]:
        """-div(a grad u) on a block, its derivative with respect to the same unknown, a(u) frozen, and the frozen one.

        Where `slopes` is False both are that of frozen a.
        """
        ndim = self.grid.ndim
        u = padded[_shifted(block, 0, 0)]
        total = np.zeros_like(u)
        diagonal: Any = 0.0
        frozen: Any = 0.0
        for a in range(ndim):
            for offset in (-1, 1):
                there = padded[_shifted(block, a, offset)]
                coupling: Any = self.coupling(a, offset, block)
                step, slope = u - there, coupling
                points = [x[block] for x in self._faces[a][offset > 0]]
                if (law := self.laws.coefficient) is not None:
                    slope = coupling = coupling * law((u + there) / 2, points)
                elif (law := self.laws.gradient) is not None:
                    squares, rise = self._gradients.across(padded, block, a, offset, step)
                    if slopes:
                        value, derivative = _with_slope(law, squares, rise, points)
                        slope = coupling * derivative
                    else:
                        value = law(squares, points)
                    coupling = coupling * value
                step *= coupling
                total += step
                diagonal, frozen = diagonal + slope, frozen + coupling
        if self._held is not None:
            total += self._held[block] * u
            diagonal, frozen = diagonal + self._held[block], frozen + self._held[block]
        return total, diagonal, frozen

    def coupling(self, a: int, offset: int, block: Block) -> Any:
        """The coefficient of u less its neighbour below (offset -1) or above (1) along an axis, on a block."""
        k, faces = self._couplings[a][offset > 0], self._open.get((a, offset))
        shaped: Any = k if isinstance(k, float) else k[block[a]].reshape((-1,) + (1,) * (self.grid.ndim - 1 - a))
        return shaped if faces is None else shaped * faces[block]

    def _padded(self, u: Array) -> Array:
        """u with its neighbours beyond the sides."""
        ndim = self.grid.ndim
        padded = np.zeros(u.shape[:-ndim] + tuple(n + 2 for n in u.shape[-ndim:]), self.dtype)
        inner = [slice(1, -1)] * ndim
        padded[trailing(inner)] = self._inside(u)
        if self._beyond is not None:
            assert self.inside is not None
            padded[trailing(inner)] += np.where(self.inside, self.dtype.type(0), self._beyond)
        for (a, side), g in self._values.items():
            halo = [ENDS[side] if b == a else part for b, part in enumerate(inner)]
            padded[trailing(halo)] = np.expand_dims(g, a - ndim)
        if self._values and self.laws.gradient is not None:
            self._gradients.fill_edges(padded)
        self._fill(padded)
        return padded

    def _fill(self, padded: Array) -> None:
        """Renew the neighbours around periodic axes, and beyond sides with fluxes, where a is evaluated."""
        ndim = self.grid.ndim
        for a, axis in enumerate(self.grid.axes):
            for side, end in enumerate(axis.sides):
                if axis.periodic:
                    source = (slice(-2, -1), slice(1, 2))[side]
                elif end.kind != "dirichlet" and self.laws.gradient is not None:
                    halo = [ENDS[side] if b == a else slice(None) for b in range(ndim)]
                    padded[trailing(halo)] = self._gradients.beyond(padded, halo, a, side)
                    continue
                elif end.kind != "dirichlet" and self.laws.coefficient is not None:
                    source = (slice(1, 2), slice(-2, -1))[side]
                else:
                    continue
                padded[window(a, ndim, ENDS[side])] = padded[window(a, ndim, source)]


SLOWING = 8.0
"""How fast over-relaxation falls with the share of the reaction in the diagonal."""

MORE = 0.55
"""How fast it rises where a falls with the gradient: -div(a grad) is anisotropic there, along an axis that turns.

The minimal surface of height 1 then takes 0.18 per V(1,1) instead of 0.52, and -div(a grad u) + u^3, where gradients
are half as large, 0.08 instead of 0.15."""


LEAST_SHARE = 0.05
"""The derivative of a flux counts in a step of Newton's method at one point from this share of a on: where a falls fast
with the gradient there is hardly any."""


def _with_slope(law: Law, squares: Array, rise: Array, points: Sequence[Array]) -> tuple[Array, Array]:
    """a and a + 2 a'(s) rise, the derivative of the flux through a face over its coupling."""
    if law.is_exact:
        a, slope = law.with_slope(squares, points)
        slope = a + 2 * slope * rise
    else:  # differences relative to s suit any size of it
        a, share = law(squares, points), squares.dtype.type(np.finfo(squares.dtype).eps ** 0.5)
        relative = np.divide(rise, squares, out=np.zeros_like(rise), where=squares > 0)
        slope = a + (law(squares * (1 + share), points) - a) * (relative * (2 / share))
    return a, np.maximum(slope, LEAST_SHARE * a)


def _shifted(block: Block, axis: int, offset: int) -> Any:
    return shifted(block, [offset if a == axis else 0 for a in range(len(block))])
