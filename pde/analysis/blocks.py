"""Error propagation of a cycle on the harmonics of each base frequency: blocks and their eigenvalues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mgcore import Level
from pde.problem.grid import Array

DENSE, KRYLOV = 64, 24
"""Size of the largest blocks that are computed as matrices, and of the Krylov space for larger ones."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """M, where a cycle takes the error e to M e.

    Args:
        run: the cycle, run(levels, f, u).
        levels: with symbols for operators.
        harmonics: of a base frequency, per axis.
        frequencies: the number of base frequencies.
    """

    run: Callable[..., Any]
    levels: Sequence[Level]
    harmonics: tuple[int, ...]
    frequencies: int

    def __call__(self, e: Array) -> Array:
        """M e, without the constant of a singular problem, which no cycle changes."""
        alive = self.levels[0].info.alive
        return alive * self.run(self.levels, np.zeros_like(e), alive * e)

    def columns(self) -> Array:
        """M applied to each harmonic, (prod(harmonics), *harmonics, frequencies)."""
        size = prod(self.harmonics)
        unit = np.zeros((size, size, self.frequencies))
        unit[range(size), range(size)] = 1
        return np.stack([self(e.reshape(*self.harmonics, self.frequencies)) for e in unit])

    def eigenvalues(self) -> Array:
        """The eigenvalues (frequencies, ...); of large blocks the outer ones."""
        size = prod(self.harmonics)
        if size <= DENSE:
            blocks = self.columns().reshape(size, size, self.frequencies).T.swapaxes(1, 2)
        else:
            blocks = _hessenberg(self, (*self.harmonics, self.frequencies), KRYLOV)
        with np.errstate(all="ignore"):
            return np.linalg.eigvals(blocks)

    def radius(self) -> float:
        """The largest spectral radius of the blocks."""
        return float(np.abs(self.eigenvalues()).max())


def _hessenberg(apply: Callable[[Array], Array], shape: tuple[int, ...], steps: int) -> Array:
    """Arnoldi's method for every frequency at once: (F, steps, steps), whose eigenvalues approach the largest ones."""
    size = shape[-1]
    v = apply(np.random.default_rng(0).standard_normal(shape)).reshape(-1, size)
    basis = [_normalised(v)]
    H = np.zeros((size, steps + 1, steps), dtype=v.dtype)
    for j in range(steps):
        v = apply(basis[j].reshape(shape)).reshape(-1, size)
        for _ in range(2):  # once more against rounding
            for i, w in enumerate(basis):
                overlap = np.sum(w.conj() * v, axis=0)
                H[:, i, j] += overlap
                v = v - overlap * w
        H[:, j + 1, j] = np.linalg.norm(v, axis=0)
        basis.append(_normalised(v))
    return H[:, :steps]


def _normalised(v: Array) -> Array:
    """Columns of length one, or zero where nothing but rounding is left."""
    length = np.linalg.norm(v, axis=0)
    return v / np.where(length > 1e-14, length, np.inf)
