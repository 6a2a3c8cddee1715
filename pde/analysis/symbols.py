"""Symbols of stencils, transfers and coloured sweeps on Fourier modes, used like `pde.problem.operators`.

On an infinite grid with equal spacing the modes exp(i theta x / h) are eigenfunctions of a stencil. Coarsening and
coloured relaxation mix a mode only with its harmonics, those theta that differ by multiples of pi. A vector here is
an array (..., h_1, ..., h_d, F): for F base frequencies phi the coefficients of h_1 ... h_d harmonics,

    theta_a = (phi_a + 2 pi q_a) / h_a,    q_a = 0, ..., h_a - 1.

Halving axis a joins q and q + h_a / 2; a shift by h_a / 2 is multiplication by (-1)^index. All stencils and transfers
are symmetric under x -> -x, so their symbols are real; those of sweeps through the points in order are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from pde.analysis.stencils import Stencil, Which
from pde.problem.grid import Array


def harmonics(phi: Sequence[Array], counts: Sequence[int]) -> list[Array]:
    """theta per axis, for broadcasting to (*counts, F)."""
    ndim = len(counts)
    result = []
    for a, (base, h) in enumerate(zip(phi, counts, strict=True)):
        q = np.arange(h).reshape((h,) + (1,) * (ndim - a))
        result.append((base + 2 * np.pi * q) / h)
    return result


Colour = list[tuple[tuple[int, ...], int]]
"""The conditions that make a colour: the parity of the index sum over some axes."""


class SymbolOperator:
    """The symbol of A with the relaxations of `StencilOperator`, or of `CompactOperator` where `multicolour`.

    Args:
        origin: per axis 0 or 1, the index parity of the points that the coarse grid keeps. Red is an even index sum.
    """

    def __init__(
        self, stencil: Stencil, theta: Sequence[Array], origin: Sequence[int], multicolour: bool = False
    ) -> None:
        self.stencil, self.theta, self._origin, self._multicolour = stencil, theta, origin, multicolour
        self.symbol = stencil.symbol(theta)
        self.diagonal = stencil.centre
        self._colours = self._colours_of(range(len(theta)))

    def _colours_of(self, axes: Sequence[int]) -> list[Colour]:
        """The colours of points, lines or planes that have an index along each of these axes."""
        if self._multicolour:
            parities = product(*((self._origin[a], 1 - self._origin[a]) for a in axes))
            return [[((a,), p) for a, p in zip(axes, row, strict=True)] for row in parities]
        first = sum(self._origin[a] for a in axes) % 2
        return [[(tuple(axes), first)], [(tuple(axes), 1 - first)]]

    def __call__(self, u: Array) -> Array:
        return self.symbol * u

    def inverse(self, r: Array) -> Array:
        """A^-1 r; the constant, where A is zero, is left out."""
        return _reciprocal(self.symbol) * r

    @property
    def alive(self) -> Array:
        """Where A is not zero: everywhere but at the constant of a singular problem."""
        return self.symbol != 0

    def coloured_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array:
        """One sweep with relaxation omega on A d = r from d = 0: each colour corrects the residual on its points."""
        return self._sweep(r, omega / self.diagonal, self._colours, reverse)

    def lexicographic_sweep(self, r: Array, omega: float, reverse: bool = False) -> Array:
        """(D / omega - L)^-1 r of the infinite grid; in reverse the conjugate of L."""
        lower = self.stencil.lower(self.theta)
        return r / (self.diagonal / omega + (lower.conj() if reverse else lower))

    def block_sweep(self, axes: Sequence[int], r: Array, omega: float, reverse: bool = False) -> Array:
        """The same with the lines or planes along `axes` solved for exactly."""
        others = [a for a in range(len(self.theta)) if a not in axes]
        blocks = self.stencil.within(others).symbol(self.theta)
        return self._sweep(r, omega * _reciprocal(blocks), self._colours_of(others), reverse)

    def _sweep(self, r: Array, inverse: Array | float, colours: Sequence[Colour], reverse: bool) -> Array:
        """Colour after colour d <- d + inverse (r - A d) on its points; `inverse` does not lead out of a colour."""
        d = np.zeros_like(r)
        for number, colour in enumerate(reversed(colours) if reverse else colours):
            part = r if number == 0 else r - self.symbol * d
            for axes, parity in colour:
                part = (part + (1 - 2 * parity) * alternate(part, axes, len(self.theta))) / 2
            d += inverse * part
        return d


@dataclass(frozen=True, eq=False)
class SymbolSweep:
    """A sweep of lines, planes or points in order on symbols: `sweep` is a method of `SymbolOperator`."""

    sweep: Callable[[Array, float, bool], Array]
    omega: float
    reverse: bool = False

    def __call__(self, r: Array) -> Array:
        return self.sweep(r, self.omega, self.reverse)

    def adjoint(self) -> SymbolSweep:
        return replace(self, reverse=not self.reverse)


def _reciprocal(symbol: Array) -> Array:
    """1 / symbol, and 0 where it is 0."""
    return np.divide(1.0, symbol, out=np.zeros_like(symbol), where=symbol != 0)


def alternate(v: Array, axes: Sequence[int], ndim: int) -> Array:
    """v times (-1) to the power of the sum of the positions along some of the ndim axes: theta becomes theta + pi."""
    positions = [a - ndim - 1 for a in axes]
    return np.roll(v, [v.shape[a] // 2 for a in positions], positions)


class SymbolTransfer:
    """R and P between harmonics: both multiply by the symbol of the stencil of P over 2^(coarsened axes)."""

    def __init__(self, kernel: Array, theta: Sequence[Array], which: Which) -> None:
        scale = 2.0 ** sum(which)
        self.symbol = Stencil(kernel / scale, float(kernel.sum()) / scale).symbol(theta)
        self._fine = self.symbol.shape
        pairs = [(2, h // 2) if halve else (1, h) for h, halve in zip(self._fine, which, strict=False)]
        self._split = (*(n for pair in pairs for n in pair), self._fine[-1])
        self._aliases = tuple(range(-1 - 2 * len(which), -1, 2))

    def restrict(self, r: Array) -> Array:
        """R r: the sum over the harmonics that the coarse grid cannot tell apart."""
        v = self.symbol * r
        return v.reshape(v.shape[: v.ndim - len(self._fine)] + self._split).sum(axis=self._aliases)

    def prolong(self, e: Array, like: Array | None = None) -> Array:
        """P e: each coarse mode becomes all its harmonics."""
        batch = e.shape[: e.ndim - len(self._fine)]
        wide = np.broadcast_to(np.expand_dims(e, self._aliases), batch + self._split)
        return self.symbol * wide.reshape(batch + self._fine)
