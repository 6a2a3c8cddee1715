"""The discrete nonlinear operator A(u) = -div(a grad u) + c(u, x), matrix-free, with its pointwise Newton sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from pde.common.arrays import Frozen, cast
from pde.problem.coefficients import Terms
from pde.problem.couplings import couplings, face_points, held
from pde.problem.face_gradients import FaceGradients, shifted
from pde.problem.grid import ENDS, Array, Grid, Sides, trailing, window
from pde.problem.laws import Law
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
    of Dirichlet sides.

    Attributes:
        box: -div(a grad) with zero boundary values where a is a number, and with a = 1 where it depends on u.
        colours: blocks of unknowns that do not couple.
    """

    def __init__(self, grid: Grid, dtype: np.dtype, terms: Terms, laws: Laws, values: Sides | None = None) -> None:
        self.grid, self.dtype, self.terms, self.laws = grid, dtype, terms, laws
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
        self._values: Sides = values or {}

    @property
    def volumes(self) -> Array:
        """W: the control volume of each unknown."""
        return self.grid.volumes()

    def with_values(self, sides: Sides) -> NonlinearOperator:
        """The same for the Dirichlet data among these."""
        kinds = {(a, s): side.kind for a, axis in enumerate(self.grid.axes) for s, side in enumerate(axis.sides)}
        return self.changed(_values={key: cast(g, self.dtype) for key, g in sides.items() if kinds[key] == "dirichlet"})

    def of_member(self, k: int) -> NonlinearOperator:
        """The same for one member of a batch, where values on sides differ between them."""
        return self.changed(_values={key: g if g.ndim < self.grid.ndim else g[k] for key, g in self._values.items()})

    def __call__(self, u: Array) -> Array:
        """A(u) for u of shape (..., *grid.shape)."""
        return self._elliptic(self._padded(u), self._whole, slopes=False)[0] + self._reaction(u)

    def slope(self, u: Array) -> Array:
        """The derivative of A(u) at each unknown with respect to that unknown, a(u) being frozen."""
        d = self._elliptic(self._padded(u), self._whole)[1]
        if self.laws.reaction is not None:
            d = d + self.laws.reaction.with_slope(u, self._points)[1]
        return np.broadcast_to(d, u.shape)

    def check_coefficient(self, u: Array) -> None:
        """Refuse a u for which a(u, x) is not positive.

        Raises:
            ValueError: naming the coefficient, its least value and the range of u.
        """
        law, a = self.laws.coefficient or self.laws.gradient, self.coefficient(u)
        if law is not None and a is not None and (least := np.min(a)) <= 0:
            raise ValueError(
                f"{law.name} must be positive for every u that a solve meets, from u0 on; got values down to "
                f"{least:.3g} for u between {np.min(u):.3g} and {np.max(u):.3g}"
            )

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

    def jacobian(self, u: Array) -> sp.csc_matrix:
        """The derivative of A at one u, (*grid.shape), as a sparse matrix on flattened unknowns.

        By differences for all unknowns at once where a depends on u, so that the grid is to be small.
        """
        n, law = self.grid.size, self.laws.reaction
        rest = sp.diags(np.zeros(n) if law is None else law.with_slope(u, self._points)[1].ravel().astype(float))
        if self.laws.coefficient is None and self.laws.gradient is None:
            return sp.csc_matrix(self._matrix + rest)
        shifted = u + self._step(u) * np.eye(n, dtype=self.dtype).reshape(n, *self.grid.shape)
        rows, base = (self._elliptic(self._padded(v), self._whole, slopes=False)[0] for v in (shifted, u))
        steps = (shifted - u).reshape(n, n).diagonal().reshape(n, 1)
        return sp.csc_matrix(((rows - base).reshape(n, n) / steps).T.astype(float) + rest)

    def _step(self, u: Array) -> np.floating[Any]:
        """The step of differences: relative to what u varies by where a depends on the gradient alone."""
        size = 1 + np.max(abs(u))
        if self.laws.gradient is not None:
            size = np.ptp(self._padded(u)) or np.max(abs(u)) or self.dtype.type(SMALLEST)
        step: np.floating[Any] = self.dtype.type(np.finfo(self.dtype).eps ** 0.5) * size
        return step

    @cached_property
    def _matrix(self) -> sp.csr_matrix:
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
            for offset, k in zip((-1, 1), self._couplings[a], strict=True):
                there = padded[_shifted(block, a, offset)]
                coupling: Any = k if isinstance(k, float) else k[block[a]].reshape((-1,) + (1,) * (ndim - 1 - a))
                step, slope = u - there, coupling
                points = [x[block] for x in self._faces[a][offset > 0]]
                if (law := self.laws.coefficient) is not None:
                    slope = coupling = coupling * law((u + there) / 2, points)
                elif (law := self.laws.gradient) is not None:
                    squares, rise = self._gradients.across(padded, block, a, offset, step)
                    value = law(squares, points)
                    if slopes:
                        slope = coupling * _newton_slope(law, squares, rise, value, points)
                    coupling = coupling * value
                step *= coupling
                total += step
                diagonal, frozen = diagonal + slope, frozen + coupling
        if self._held is not None:
            total += self._held[block] * u
            diagonal, frozen = diagonal + self._held[block], frozen + self._held[block]
        return total, diagonal, frozen

    def _padded(self, u: Array) -> Array:
        """u with its neighbours beyond the sides."""
        ndim = self.grid.ndim
        padded = np.zeros(u.shape[:-ndim] + tuple(n + 2 for n in u.shape[-ndim:]), self.dtype)
        inner = [slice(1, -1)] * ndim
        padded[trailing(inner)] = u
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


SMALLEST = 1e-20
"""The size of u that is zero everywhere."""

SLOWING = 8.0
"""How fast over-relaxation falls with the share of the reaction in the diagonal."""

MORE = 0.55
"""How fast it rises where a falls with the gradient: -div(a grad) is anisotropic there, along an axis that turns.

The minimal surface of height 1 then takes 0.18 per V(1,1) instead of 0.52, and -div(a grad u) + u^3, where gradients
are half as large, 0.08 instead of 0.15."""


LEAST_SHARE = 0.05
"""The derivative of a flux counts in a step of Newton's method at one point from this share of a on: where a falls fast
with the gradient there is hardly any."""


def _newton_slope(law: Law, squares: Array, rise: Array, a: Array, points: Sequence[Array]) -> Array:
    """a + 2 a'(s) rise, the derivative of the flux through a face over its coupling; differences suit any size of s."""
    share = squares.dtype.type(np.finfo(squares.dtype).eps ** 0.5)
    relative = np.divide(rise, squares, out=np.zeros_like(rise), where=squares > 0)
    slope: Array = a + (law(squares * (1 + share), points) - a) * (relative * (2 / share))
    return np.maximum(slope, LEAST_SHARE * a)


def _shifted(block: Block, axis: int, offset: int) -> Any:
    return shifted(block, [offset if a == axis else 0 for a in range(len(block))])
