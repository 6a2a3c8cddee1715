"""Local Fourier analysis: predict how fast a `Multigrid` converges, on an infinite grid and before any run.

The cycles of `mgcore` and the smoothers of `pde` run here on symbols for operators
(`pde.analysis.symbols`): the prediction is the solver's own loop, applied to Fourier modes. On an infinite grid a cycle
over k grids couples only the harmonics of a base frequency, 2^(d(k-1)) of them where all axes are halved; the
asymptotic factor is the largest spectral radius of these blocks over the base frequencies.

Sources: Trottenberg, Oosterlee and Schueller, "Multigrid", chapter 4 and section 4.5; Wienands and Joppich,
"Practical Fourier Analysis for Multigrid Methods", chapters 3 to 6 (5 and 6: k-grid analysis).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from mgcore import CYCLES
from pde.analysis.symbol_levels import Frequencies, SymbolLevels
from pde.common.arguments import count, number
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array

MOST_GRIDS, MOST_HARMONICS = 8, 4096
"""A prediction takes as many grids as stay within both: 8, 7 and 5 in one, two and three dimensions where all axes are
halved. With more, the factor of the V-cycle changes by a few percent at most."""


class Best(NamedTuple):
    """The relaxation parameter with the smallest predicted factor, and that factor."""

    omega: float
    factor: float


class Analysis:
    """Local Fourier analysis of a `Multigrid` solver: its finest grid and its levels, continued without boundaries.

    Args:
        mg: the solver, or its hierarchy: vertex-centred with equal spacing along each axis and constant coefficients.
            Axes with one unknown are left out.
        coarsen: axes that every coarsening halves; None takes those that the solver's own levels halve.
        symmetric: the cycle that conjugate gradients use, its post-smoothing adjoint to its pre-smoothing.

    Raises:
        TypeError, ValueError: naming the property for which Fourier modes are no blocks.

    >>> mg = pde.Multigrid(pde.Poisson((63, 63)), smoother="red-black", nu=(1, 1))
    >>> round(Analysis(mg).factor("V", grids=2), 3)  # Trottenberg, Oosterlee, Schueller: 0.074
    0.074
    """

    def __init__(self, mg: Any, coarsen: Sequence[int] | None = None, symmetric: bool = False) -> None:
        hierarchy = getattr(mg, "hierarchy", mg)
        if not isinstance(hierarchy, Hierarchy):
            raise TypeError(f"mg must be a pde.Multigrid or its hierarchy, got {type(mg).__name__}")
        self._levels, self._symmetric = SymbolLevels(hierarchy, coarsen, symmetric), symmetric
        self.limit = self._levels.limit

    def grids(self, grids: int | None = None, harmonics: int = MOST_HARMONICS) -> int:
        """The number of grids of a prediction; None takes as many as there are levels and as `harmonics` lets."""
        if grids is None:
            allowed = range(2, min(MOST_GRIDS, self.limit) + 1)
            sizes = {k: prod(self._levels.harmonics(k)[0]) for k in allowed}
            return max((k for k, size in sizes.items() if size <= harmonics), default=min(2, self.limit))
        if count("grids", grids, least=1) > self.limit:
            raise ValueError(f"grids must be at most {self.limit}, the levels that have all axes; got {grids}")
        return int(grids)

    def factor(
        self,
        cycle: str = "V",
        grids: int | None = None,
        frequencies: Frequencies = None,
        omega: float | None = None,
    ) -> float:
        """The asymptotic error reduction per cycle: the largest spectral radius over the base frequencies.

        Args:
            cycle: "V", "W", "F" or "backslash".
            grids: grids that the cycle visits, the coarsest solved exactly; 2 gives the classical two-grid factor.
                None takes 8, 7 or 5 in one, two or three dimensions, more where not all axes are halved at once, or
                the levels that the solver has.
            frequencies: base frequencies, one number or one per axis: the frequencies of a periodic grid with this
                number of points on the coarsest grid (twice as many along an axis that is not halved last); None
                takes enough.
            omega: a relaxation parameter other than the solver's.
        """
        return float(np.abs(self._eigenvalues(cycle, grids, frequencies, omega)).max())

    def conjugate_gradients_factor(
        self, cycle: str = "V", grids: int | None = None, frequencies: Frequencies = None
    ) -> float:
        """The error reduction per iteration of conjugate gradients with a symmetric cycle (`symmetric=True`), at worst.

        (sqrt(k) - 1) / (sqrt(k) + 1) with the condition number k of the preconditioned operator; the first iterations
        reduce the error more slowly, later ones often faster. Arguments as in `factor`.
        """
        if not self._symmetric:
            raise ValueError("symmetric must be True for conjugate gradients, which need a symmetric cycle; got False")
        left = 1 - self._eigenvalues(cycle, grids, frequencies).real
        if not left.min() > 0:  # not positive definite
            return float("inf")
        root = float(np.sqrt(max(left.max(), 1.0) / left.min()))
        return (root - 1) / (root + 1)

    def _eigenvalues(
        self, cycle: str, grids: int | None, frequencies: Frequencies, omega: float | None = None
    ) -> Array:
        run, grids = _read_cycle(cycle), self.grids(grids)
        return np.zeros(1) if grids == 1 else self._levels.blocks(run, grids, frequencies, omega).eigenvalues()

    def two_grid_factor(self, frequencies: Frequencies = None, omega: float | None = None) -> float:
        """The classical two-grid factor, the next coarser grid being solved exactly."""
        return self.factor("V", min(2, self.limit), frequencies, omega)

    def smoothing_factor(self, sweeps: int = 1, frequencies: Frequencies = None, omega: float | None = None) -> float:
        """The reduction per sweep of the frequencies that the coarse grid cannot represent.

        The largest spectral radius of Q S^sweeps, to the power 1 / sweeps: Q drops the frequencies that are below
        pi / 2 along every axis that is halved.
        """
        sweeps = count("sweeps", sweeps, least=1)
        if self.limit == 1:
            return 0.0
        blocks = self._levels.blocks(CYCLES["V"], 2, frequencies, omega)
        high = 1.0 - self._low(blocks.harmonics, frequencies)
        alone = [self._levels.smoother_alone(blocks.levels[0], sweeps)]
        left = replace(blocks, run=lambda levels, f, u: high * CYCLES["V"](levels, f, u), levels=alone)
        return left.radius() ** (1 / sweeps)

    def _low(self, harmonics: tuple[int, ...], frequencies: Frequencies) -> Array:
        """Where theta, phi / 2 or phi / 2 + pi, lies in [-pi / 2, pi / 2] along every axis that is halved."""
        phi = self._levels.base_frequencies(self._levels.numbers(harmonics, frequencies), whole=False)
        low = np.ones((*harmonics, len(phi[0])), dtype=bool)
        for a, halve in enumerate(self.halved):
            if halve:
                first = np.arange(2).reshape((2,) + (1,) * (len(phi) - a)) == 0
                low &= first == (phi[a] <= np.pi * (1 + 1e-12))
        return low

    def best_omega(
        self,
        cycle: str = "V",
        grids: int | None = None,
        frequencies: Frequencies = None,
        bounds: tuple[float, float] = (0.4, 1.8),
    ) -> Best:
        """The relaxation parameter within `bounds` with the smallest predicted factor: a scan, then a line search."""
        from scipy.optimize import minimize_scalar

        low, high = (number("bounds", bound) for bound in bounds)
        if not 0 < low < high < 2:
            raise ValueError(f"bounds must be 0 < low < high < 2, got {bounds!r}")

        def predicted(omega: float) -> float:
            return self.factor(cycle, grids, frequencies, float(omega))

        scan = np.linspace(low, high, 15)
        factors = [predicted(omega) for omega in scan]
        best = int(np.argmin(factors))
        around = (scan[max(best - 1, 0)], scan[min(best + 1, len(scan) - 1)])
        found = minimize_scalar(predicted, bounds=around, method="bounded", options={"xatol": 1e-3})
        if found.fun > factors[best]:
            return Best(float(scan[best]), factors[best])
        return Best(float(found.x), float(found.fun))

    @property
    def halved(self) -> Sequence[bool]:
        """Whether the coarser grid of the analysis halves each axis."""
        return self._levels.steps[0].which

    def error_symbol(
        self, cycle: str | None = "V", grids: int | None = None, frequencies: Frequencies = None
    ) -> tuple[list[Array], Array]:
        """The error that a cycle leaves of each Fourier mode: the size of M exp(i theta x / h), all harmonics together.

        Args:
            cycle: as in `factor`; None is one sweep of the smoother without coarse grids.
            grids: None takes as many as keep to 64 harmonics, 4 or 3 in two or three dimensions.

        Returns:
            (theta, size): per axis the increasing frequencies in [-pi, pi), and an array with an axis for each.
        """
        run, grids = _read_cycle("V" if cycle is None else cycle), self.grids(grids, harmonics=64)
        if grids == 1:
            raise ValueError("error_symbol needs a solver with at least two levels, got one that is solved directly")
        blocks = self._levels.blocks(run, 2 if cycle is None else grids, frequencies, None, whole=True)
        if cycle is None:
            blocks = replace(blocks, levels=[self._levels.smoother_alone(blocks.levels[0], 1)])
        ndim = len(blocks.harmonics)
        sizes = np.sqrt(np.sum(abs(blocks.columns()) ** 2, axis=tuple(range(1, 1 + ndim))))
        return _in_order(sizes, blocks.harmonics, self._levels.numbers(blocks.harmonics, frequencies))


def _read_cycle(cycle: str) -> Callable[..., Any]:
    if not isinstance(cycle, str) or cycle not in CYCLES:
        raise ValueError(f"cycle must be one of {', '.join(map(repr, CYCLES))}; got {cycle!r}")
    return CYCLES[cycle]


def _in_order(values: Array, counts: tuple[int, ...], numbers: tuple[int, ...]) -> tuple[list[Array], Array]:
    """Values (harmonics, frequencies) as an array over increasing theta in [-pi, pi) per axis."""
    ndim = len(counts)
    mixed = values.reshape(counts + numbers)
    sizes = [h * n for h, n in zip(counts, numbers, strict=True)]
    spread = mixed.transpose([k for a in range(ndim) for k in (a, ndim + a)]).reshape(sizes)  # theta = (phi + 2 pi q)/h
    theta = [2 * np.pi * np.arange(-(m // 2), m - m // 2) / m for m in sizes]
    return theta, np.fft.fftshift(spread)
