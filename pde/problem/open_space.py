"""Open sides: the values on the sides of a box in free space, by James' method on the unbounded lattice.

u of the box with zero boundary values, continued by zero, solves the equation on the unbounded lattice but for charges on
the sides. Their potential there is the boundary data that turns the box into a part of free space. Green's function of
the lattice is the integral over t of a product over the axes, exp(-2 s) I_n(2 s) with s = a t / h^2. The trapezoidal
rule in log t makes it a sum of products, so that the potential of one side at another is a few products of matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import fft, irfft, irfftn, next_fast_len, rfft, rfftn
from scipy.special import ive, k0

from pde.common.arrays import as_numpy, namespace
from pde.problem.boundary import fold
from pde.problem.coefficients import Terms, side_weights
from pde.problem.grid import ENDS, Array, Axis, Grid, Sides, is_constant, trailing, window
from pde.problem.operators import StencilOperator

STEP, CUT = 0.4, 1e-10
"""Step in log t, and how far t goes beyond the times of diffusion over a step and over the box.

The rule has an error of exp(-pi^2 / STEP), 2e-11; cutting off its ends costs CUT.
"""

LATE = 1e8
"""Times s from which on the heat kernel of the lattice is a Gaussian to 1 / 16 s; Bessel functions overflow there."""

NEARBY = 1e-4
"""The share of the largest |f| that may lie beside an open side: a Gaussian charge never ends."""


def check_open(grid: Grid, terms: Terms) -> None:
    """Refuse what Green's function of the lattice does not know.

    Raises:
        ValueError: naming the argument of `pde.Poisson`.
    """
    if grid.ndim == 1:
        raise ValueError("boundary: 'open' needs 2 or 3 dimensions, got shape " + str(grid.shape))
    for name, values in (("coefficient", terms.diffusion), ("reaction", (terms.reaction,))):
        if not all(isinstance(value, float) for value in values):
            raise ValueError(f"{name} must be constant where boundary is 'open'; got one that varies")
    if not all(is_constant(axis.spacing) for axis in grid.axes):
        raise ValueError("coordinates must have equal steps along each axis where boundary is 'open'")


def check_nearby(f: Array, grid: Grid, allowed: float | None) -> None:
    """Refuse a right-hand side (..., *shape) that is not small beside the sides.

    Raises:
        ValueError: it exceeds `allowed` (None: `NEARBY`) times the largest |f| there; names the place.
    """
    xp, allowed = namespace(f), NEARBY if allowed is None else allowed
    if not math.isfinite(allowed):
        return
    inner = tuple(range(-grid.ndim, 0))
    largest = as_numpy(xp.amax(abs(f), axis=inner, keepdims=True))
    for a in range(grid.ndim):
        for side, part in enumerate(ENDS):
            beside = abs(as_numpy(f[window(a, grid.ndim, part)]))
            if (wrong := beside > allowed * largest).any():
                index = np.unravel_index(int(np.argmax(beside * wrong)), beside.shape)
                raise ValueError(
                    f"f must vanish beside open sides; beside side ({a}, {side}) it is {beside[index]:.3g}, where the "
                    f"largest |f| is {largest.max():.3g}: enlarge the box, set f to 0 there, or let "
                    f"incompatible={allowed:.1e} be larger"
                )


def implied_sides(u: Array, A: StencilOperator) -> Sides:
    """The values on open sides that u (..., *shape) belongs to: the equations beside them hold with f = 0.

    Beside an edge of the box one equation is left for the values on two sides: they are those of a straight line
    through two unknowns, but for the same error.
    """
    grid, ndim, guess = A.grid, A.grid.ndim, {}
    for a, axis in enumerate(grid.axes):
        for side, distance in enumerate(axis.ends):
            near, next_one = (u[trailing(_layer(a, ndim, i, side))] for i in (0, min(1, axis.n - 1)))
            guess[a, side] = near + distance / float(axis.width[0]) * (near - next_one)
    ones = {key: namespace(u).ones_like(v) for key, v in guess.items()}
    weight = fold(namespace(u).zeros_like(u), ones, grid, A.terms)
    lacking = A(u) - fold(namespace(u).zeros_like(u), guess, grid, A.terms)
    beside = {(a, side): trailing(_layer(a, ndim, 0, side)) for a, side in guess}
    return {key: v + lacking[beside[key]] / weight[beside[key]] for key, v in guess.items()}


def _layer(a: int, ndim: int, i: int, side: int) -> list[Any]:
    """Index of the layer of unknowns number i from a side."""
    return [(-1 - i if side else i) if b == a else slice(None) for b in range(ndim)]


@dataclass(frozen=True)
class Factors:
    """One axis of the terms of Green's function, one row per term.

    Args:
        along: between unknowns, as a Fourier transform (terms, length) that turns convolutions into products.
        beside: from a side to each unknown, (terms, n), counted from that side.
        same, across: from a side to itself and to the opposite one, (terms, 1).
    """

    along: Array
    beside: Array
    same: Array
    across: Array

    @classmethod
    def of(cls, axis: Axis, s: Array) -> Factors:
        """At the times s = a t / h^2; a side between two cells is the mean of both."""
        n, kernel = axis.n, _heat_kernel(s, axis.n + 2)
        length = next_fast_len(2 * n - 1, real=True)
        ring = np.zeros((len(s), length))
        ring[:, :n] = kernel[:, :n]
        ring[:, length - n + 1 :] = kernel[:, n - 1 : 0 : -1]
        along = fft(ring).real
        if not axis.cell:
            return cls(along, kernel[:, 1 : n + 1], kernel[:, :1], kernel[:, n + 1 :])
        half = (kernel[:, :-1] + kernel[:, 1:]) / 2
        return cls(along, half[:, :n], half[:, :1], (half[:, n - 1 : n] + half[:, n:]) / 2)

    @property
    def length(self) -> int:
        return self.along.shape[1]

    @property
    def half(self) -> Array:
        """`along` as a real transform has it."""
        return self.along[:, : self.length // 2 + 1]


class FarField:
    """Maps u (members, *shape) of the box with zero boundary values to the values in free space on every side.

    In two dimensions and without reaction u ~ -(Q / 2 pi a) ln r far away, for a charge Q, the integral of f, and r in
    the unit of the coordinates (a the geometric mean over the axes). Else u vanishes at infinity.
    """

    def __init__(self, grid: Grid, terms: Terms) -> None:
        self.grid, diffusion = grid, [float(np.max(a)) for a in terms.diffusion]
        c, steps = float(np.max(terms.reaction)), [float(axis.width[0]) for axis in grid.axes]
        rates = [a / h**2 for a, h in zip(diffusion, steps, strict=True)]
        longest = max(axis.length**2 / a for axis, a in zip(grid.axes, diffusion, strict=True))
        t = np.exp(np.arange(math.log(CUT / (2 * sum(rates) + c)), math.log(longest / CUT), STEP))
        self._weights = STEP * t * np.exp(-c * t)
        self._factors = [Factors.of(axis, rate * t) for axis, rate in zip(grid.axes, rates, strict=True)]
        self._factors += [Factors(*(np.ones((len(t), 1)),) * 4)] * (3 - grid.ndim)  # a plane is one layer of space
        self._constant = math.prod(steps) * _rest(t, self._weights, diffusion, c, grid.axes[0].length)
        self._charge = [float(np.max(side_weights(grid, terms, a, 0))) for a in range(grid.ndim)]

    def __call__(self, u: Array) -> Sides:
        ndim, solid = self.grid.ndim, u.reshape(len(u), *(*self.grid.shape, 1)[:3])
        keys = [(a, side) for a in range(ndim) for side in (0, 1)]
        beside = {(a, side): as_numpy(solid[(slice(None),) * (a + 1) + (-side,)]).astype(float) for a, side in keys}
        charges = {(a, side): self._charge[a] * values for (a, side), values in beside.items()}
        total: Any = sum(q.sum(axis=(1, 2), keepdims=True) for q in charges.values())
        sides = {}
        for a, side in keys:
            v = self._constant * total + self._parallel(a, side, charges)
            for other in range(ndim):
                if other != a:
                    v += self._perpendicular(other, a, side, charges)
            if self.grid.axes[a].cell:
                v += beside[a, side] / 2  # u of the box continued by zero, in the middle
            sides[a, side] = v.reshape(len(v), *(n for b, n in enumerate(self.grid.shape) if b != a))
        return sides

    def _parallel(self, a: int, side: int, charges: Sides) -> Array:
        """The potential at a side of the charges there and on the opposite side."""
        first, second = (self._factors[b] for b in range(3) if b != a)
        sizes, v = (first.length, second.length), 0.0
        for factor, q in (self._factors[a].same, charges[a, side]), (self._factors[a].across, charges[a, 1 - side]):
            green = (self._weights[:, None] * factor * first.along).T @ second.half
            v = v + green * rfftn(q, sizes, axes=(1, 2))
        return irfftn(v, sizes, axes=(1, 2))[:, : q.shape[1], : q.shape[2]]

    def _perpendicular(self, a: int, b: int, side: int, charges: Sides) -> Array:
        """The potential at a side of axis b of the charges on both sides of axis a."""
        third = self._factors[c := 3 - a - b]
        toward = self._factors[b].beside[:, :: -1 if side else 1]
        v: Any = 0.0
        for source in (0, 1):
            q = charges[a, source] if b < c else charges[a, source].swapaxes(1, 2)
            terms = toward @ rfft(q, third.length) * (self._weights[:, None] * third.half)
            v = v + self._factors[a].beside[:, :: -1 if source else 1].T @ terms
        v = irfft(v, third.length)[..., : q.shape[2]]
        return v if a < c else v.swapaxes(1, 2)


def _heat_kernel(s: Array, n: int) -> Array:
    """exp(-2 s) I_k(2 s) for k < n, (len(s), n): what diffusion on a line has made of a unit at 0 after a time s."""
    k, s = np.arange(n), s[:, None]
    late = np.exp(-(k**2) / (4 * s)) / np.sqrt(4 * np.pi * s)
    return np.where(s < LATE, ive(k, 2 * np.minimum(s, LATE)), late)


def _rest(t: Array, weights: Array, diffusion: Sequence[float], c: float, r: float) -> float:
    """Green's function of the plane or of space at the distance r, less its sum over the times t.

    The same is missing from the sum at every distance on the grid: it belongs to times that are longer still.
    """
    d, a = len(diffusion), math.prod(diffusion) ** (1 / len(diffusion))
    k = math.sqrt(c / a)
    if d == 3:
        exact = math.exp(-k * r) / (4 * math.pi * r)
    else:
        exact = (float(k0(k * r)) if c else -math.log(r)) / (2 * math.pi)
    return exact / a - float(weights @ (np.exp(-(r**2) / (4 * a * t)) / (4 * math.pi * a * t) ** (d / 2)))
