"""Symmetric 3^d-point stencils and their symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import convolve

from mgcore import stencils
from pde.problem.grid import Array

Which = tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Stencil:
    """A symmetric 3^d-point stencil as its entries beside the centre and the sum of all.

    Kept apart, the sum makes the symbol exact at low frequencies, and zero at theta = 0 where it has to be.

    Args:
        kernel: (3, ..., 3); the centre is not read.
        total: the sum of all entries, the reaction c.
    """

    kernel: Array
    total: float

    @classmethod
    def diffusion(cls, couplings: Sequence[float] | Array, reaction: float = 0.0) -> Stencil:
        """-div(a grad) + c from the couplings a / h^2 of each axis."""
        ndim = len(couplings)
        kernel = np.zeros((3,) * ndim)
        for a, k in enumerate(couplings):
            for end in (0, 2):
                kernel[tuple(end if b == a else 1 for b in range(ndim))] = -k
        return cls(kernel, reaction)

    @property
    def centre(self) -> float:
        return self.total - float(sum(k for _, k in _beside(self.kernel)))

    def symbol(self, theta: Sequence[Array]) -> Array:
        """sum_k K_k cos(k theta), written as total - sum_k K_k 2 sin^2(k theta / 2)."""
        result = np.full(np.broadcast_shapes(*(t.shape for t in theta)), self.total)
        for offset, k in _beside(self.kernel):
            phase = sum(o * t for o, t in zip(offset, theta, strict=True) if o)
            result -= 2 * k * np.sin(phase / 2) ** 2
        return result

    def within(self, axes: Sequence[int]) -> Stencil:
        """The entries that do not lead along `axes`: A within the lines or planes across them."""
        kernel, total = self.kernel.copy(), self.total
        for offset, k in _beside(self.kernel):
            if any(offset[a] for a in axes):
                kernel[tuple(o + 1 for o in offset)] = 0
                total -= k
        return Stencil(kernel, total)

    def lower(self, theta: Sequence[Array]) -> Array:
        """The symbol of L, the entries of the points that come before in C order: sum_k K_k exp(i k theta)."""
        result = np.zeros(np.broadcast_shapes(*(t.shape for t in theta)), dtype=complex)
        for offset, k in _beside(self.kernel):
            if next(o for o in offset if o) < 0:
                result += k * np.exp(1j * sum(o * t for o, t in zip(offset, theta, strict=True)))
        return result

    def galerkin(self, transfer: Array, which: Which) -> Stencil:
        """The stencil of R A P (5.11), R the scaled adjoint of P; both leave constants alone, so the sum stays."""
        kernel = self.kernel.copy()
        kernel[(1,) * kernel.ndim] = self.centre
        wide = convolve(convolve(transfer, kernel, method="direct"), transfer, method="direct")  # offsets -3 ... 3
        kept = tuple(slice(1, 6, 2) if halve else slice(2, 5) for halve in which)
        return Stencil(wide[kept] / 2 ** sum(which), self.total)


def _beside(kernel: Array) -> list[tuple[tuple[int, ...], float]]:
    """(offset, entry) of the entries beside the centre that are not zero."""
    offsets = (tuple(i - 1 for i in index) for index in np.ndindex(*kernel.shape))
    return [(o, float(kernel[tuple(i + 1 for i in o)])) for o in offsets if any(o) and kernel[tuple(i + 1 for i in o)]]


def bilinear(which: Which) -> Array:
    """P as a stencil (4.13): linear interpolation along each coarsened axis."""
    result = np.ones(())
    for halve in which:
        result = np.multiply.outer(result, np.array([0.5, 1.0, 0.5] if halve else [0.0, 1.0, 0.0]))
    return result


LINEAR = np.array(stencils.LINEAR)
"""P as a stencil for linear interpolation on triangles (4.14)."""
