"""The values on the sides of a box in free space, by James' method on the unbounded lattice.

u of the box with boundary values 0, continued by 0, solves the equation on the unbounded lattice but for charges on the
sides (R. A. James, J. Comput. Phys. 25, 1977). Their potential there is the boundary data that free space has.
Green's function of the lattice is the integral over t of a product over the axes, exp(-2 s) I_n(2 s) with
s = a t / h^2. The trapezoidal rule in log t makes it a sum of products: the potential of one side at another is a few
products of matrices, and the values found are those of the lattice itself, with no error of quadrature in space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import fft, irfft, irfftn, next_fast_len, rfft, rfftn
from scipy.special import ive, k0

from pde.common.arrays import as_numpy
from pde.problem.coefficients import Terms, side_weights
from pde.problem.grid import Array, Axis, Grid, Sides

STEP, CUT = 0.4, 1e-10
"""Step in log t, and how far t goes beyond the times of diffusion over a step and over the box.

The rule has an error of exp(-pi^2 / STEP), 2e-11; cutting off its ends costs CUT.
"""

LATE = 1e8
"""Times s from which on the heat kernel of the lattice is a Gaussian to 1 / 16 s; Bessel functions overflow there."""


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
        parallel = {(a, side): v for a in range(ndim) for side, v in enumerate(self._parallel(a, charges))}
        sides = {}
        for a, side in keys:
            v = self._constant * total + parallel[a, side]
            for other in range(ndim):
                if other != a:
                    v += self._perpendicular(other, a, side, charges)
            if self.grid.axes[a].cell:
                v += beside[a, side] / 2  # u of the box continued by zero, in the middle
            sides[a, side] = v.reshape(len(v), *(n for b, n in enumerate(self.grid.shape) if b != a))
        return sides

    def _parallel(self, a: int, charges: Sides) -> list[Array]:
        """The potential at both sides of an axis of the charges on them."""
        own, (first, second) = self._factors[a], (self._factors[b] for b in range(3) if b != a)
        sizes, (rows, columns) = (first.length, second.length), charges[a, 0].shape[1:]
        same, across = ((self._weights[:, None] * f * first.along).T @ second.half for f in (own.same, own.across))
        low, high = (rfftn(charges[a, side], sizes, axes=(1, 2)) for side in (0, 1))
        both = same * low + across * high, across * low + same * high
        return [irfftn(v, sizes, axes=(1, 2))[:, :rows, :columns] for v in both]

    def _perpendicular(self, a: int, b: int, side: int, charges: Sides) -> Array:
        """The potential at a side of axis b of the charges on both sides of axis a."""
        third, beside = self._factors[c := 3 - a - b], self._factors[a].beside
        toward, scale = self._factors[b].beside[:, :: -1 if side else 1], self._weights[:, None] * third.half
        v: Any = 0.0
        for source in (0, 1):
            q = charges[a, source] if b < c else charges[a, source].swapaxes(1, 2)
            terms = scale * _multiply(toward, rfft(q, third.length))
            v = v + _multiply(beside[:, :: -1 if source else 1].T, terms)
        v = irfft(v, third.length)[..., : q.shape[2]]
        return v if a < c else v.swapaxes(1, 2)


def _multiply(matrix: Array, v: Array) -> Array:
    """A real matrix times complex ones (members, rows, columns), at half the cost of a complex product."""
    return (np.ascontiguousarray(matrix) @ np.ascontiguousarray(v).view(float)).view(complex)


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
