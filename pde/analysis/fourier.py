"""Local Fourier analysis: how fast a `Multigrid` converges, predicted on an infinite grid before any run.

The cycles of `mgcore` and the smoothers of `pde` run here on symbols in the place of operators
(`pde.analysis.symbols`): the prediction is the solver's own loop, applied to Fourier modes. On an infinite grid a cycle
over k grids couples only the harmonics of a base frequency, 2^(d(k-1)) of them where all axes are halved; the
asymptotic factor is the largest spectral radius of these blocks over the base frequencies.

Sources: Trottenberg, Oosterlee and Schueller, "Multigrid", chapter 4 and section 4.5; Wienands and Joppich,
"Practical Fourier Analysis for Multigrid Methods", chapters 5 and 6 (k-grid analysis).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np

from mgcore import CYCLES, Level
from pde.analysis.symbols import (
    LINEAR,
    Stencil,
    SymbolOperator,
    SymbolSweep,
    SymbolTransfer,
    Which,
    bilinear,
    harmonics,
)
from pde.common.arguments import count, number
from pde.levels.hierarchy import Hierarchy, sweep_of
from pde.levels.hierarchy import symmetric as symmetric_levels
from pde.levels.line_smoothers import Alternating, Lexicographic, Zebra
from pde.levels.smoothers import Jacobi, RedBlack, iteration
from pde.levels.transfers import BilinearTransfer, LinearTransfer
from pde.problem.grid import Array, Grid, is_constant
from pde.problem.operators import MatrixOperator

MOST_GRIDS, MOST_HARMONICS = 8, 4096
"""A prediction takes as many grids as stay within both: 8, 7 and 5 in one, two and three dimensions where all axes are
halved. With more, the factor of the V-cycle changes by a few percent at most."""

POINTS = {1: 1024, 2: 128, 3: 64}
"""Frequencies per axis of the finest grid, base frequencies and their harmonics together."""

MOST_VALUES = 3e7
"""Size of a vector (harmonics times base frequencies) above which an analysis is refused."""

DENSE, KRYLOV = 64, 24
"""Blocks up to this size are made and their eigenvalues computed; of larger ones, in a Krylov space of this size."""


class Best(NamedTuple):
    """The relaxation parameter with the smallest predicted factor, and that factor."""

    omega: float
    factor: float


@dataclass(frozen=True)
class Step:
    """What the analysis takes from one level of the solver: its sweeps, and which axes the next grid halves."""

    level: Level
    which: Which
    galerkin: bool


class HasHierarchy(Protocol):
    """A solver, as far as the analysis knows it."""

    @property
    def hierarchy(self) -> Hierarchy: ...


class Analysis:
    """Local Fourier analysis of a `Multigrid` solver: its finest grid and its levels, continued without boundaries.

    Args:
        mg: the solver, or its hierarchy: vertex-centred with equal spacing along each axis and constant coefficients.
            Axes with one unknown are left out.
        coarsen: axes that every coarsening halves; None takes those that the solver's own levels halve.
        symmetric: the cycle that conjugate gradients use, its post-smoothing adjoint to its pre-smoothing.

    Raises:
        TypeError, ValueError: naming what Fourier modes do not diagonalise in blocks.
    """

    def __init__(
        self, mg: HasHierarchy | Hierarchy, coarsen: Sequence[int] | None = None, symmetric: bool = False
    ) -> None:
        hierarchy = getattr(mg, "hierarchy", mg)
        if not isinstance(hierarchy, Hierarchy):
            raise TypeError(f"mg must be a pde.Multigrid or its hierarchy, got {type(mg).__name__}")
        levels, finest = hierarchy.levels, hierarchy.levels[0].info
        grid, terms = finest.grid, finest.operator.terms
        self._axes = tuple(a for a, n in enumerate(grid.shape) if n > 1)
        _check_grid(grid, self._axes)
        self._diffusion = [_constant(f"coefficient of axis {a}", terms.diffusion[a]) for a in self._axes]
        self._spacing = [float(grid.axes[a].spacing[0]) for a in self._axes]
        self._reaction = _constant("reaction", terms.reaction)
        self._origin = tuple(grid.axes[a].first for a in self._axes)
        self._kernel, self._smoother, self._grid = _kernel_of(hierarchy), hierarchy.choices.smoother, grid
        self._symmetric = symmetric
        self._steps = [self._step(level, coarse) for level, coarse in pairwise(levels) if self._is_whole(level)]
        self.limit = 1 + len(self._steps)
        if coarsen is not None and self._steps:
            which = _read_coarsen(coarsen, self._axes)
            self._steps = [replace(self._steps[min(l, self.limit - 2)], which=which) for l in range(20)]
            self.limit = 20

    @property
    def ndim(self) -> int:
        """The number of axes that the analysis has: those with more than one unknown."""
        return len(self._axes)

    def _is_whole(self, level: Level) -> bool:
        """Whether the level still has all axes: where one has shrunk to a point, the solver halves weaker ones."""
        return all(level.info.grid.shape[a] > 1 for a in self._axes)

    def _step(self, level: Level, coarse: Level) -> Step:
        shapes = zip(level.info.grid.shape, coarse.info.grid.shape, strict=True)
        halved = [below < n for n, below in shapes]
        return Step(level, tuple(halved[a] for a in self._axes), isinstance(coarse.info.operator, MatrixOperator))

    def grids(self, grids: int | None = None, harmonics: int = MOST_HARMONICS) -> int:
        """The number of grids of a prediction; None takes as many as there are levels and as `harmonics` lets."""
        if grids is None:
            allowed = range(2, min(MOST_GRIDS, self.limit) + 1)
            return max((k for k in allowed if prod(self._counts(k)[0]) <= harmonics), default=min(2, self.limit))
        if count("grids", grids, least=1) > self.limit:
            raise ValueError(f"grids must be at most {self.limit}, the levels that have all axes; got {grids}")
        return int(grids)

    def _counts(self, grids: int) -> list[tuple[int, ...]]:
        """The harmonics per axis on each grid; on the last but one there are two, which colours mix."""
        steps = self._steps[: grids - 1]
        counts = [tuple(1 if halve else 2 for halve in steps[-1].which)]
        for step in reversed(steps):
            counts.insert(0, tuple(h * (1 + halve) for h, halve in zip(counts[0], step.which, strict=True)))
        return counts

    def factor(
        self,
        cycle: str = "V",
        grids: int | None = None,
        frequencies: int | Sequence[int] | None = None,
        omega: float | None = None,
    ) -> float:
        """The asymptotic error reduction per cycle: the largest spectral radius over the base frequencies.

        Args:
            cycle: "V", "W", "F" or "backslash".
            grids: grids that the cycle visits, the coarsest solved exactly; 2 gives the classical two-grid factor.
                None takes 8, 7 or 5 in one, two or three dimensions, more where not all axes are halved at once, or
                the levels that the solver has.
            frequencies: base frequencies, one number or one per axis: those of a periodic grid with so many points on
                the coarsest grid (twice as many along an axis that is not halved last); None takes enough.
            omega: a relaxation parameter in the place of the solver's.
        """
        return _radius(self._eigenvalues(cycle, grids, frequencies, omega))

    def conjugate_gradients_factor(
        self, cycle: str = "V", grids: int | None = None, frequencies: int | Sequence[int] | None = None
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
        self,
        cycle: str,
        grids: int | None = None,
        frequencies: int | Sequence[int] | None = None,
        omega: float | None = None,
    ) -> Array:
        """Those of a cycle on the error; of large blocks the outer ones."""
        run, grids = _read_cycle(cycle), self.grids(grids)
        return np.zeros(1) if grids == 1 else _eigenvalues(run, *self._levels(grids, frequencies, omega))

    def two_grid_factor(self, frequencies: int | Sequence[int] | None = None, omega: float | None = None) -> float:
        """The classical two-grid factor, the next coarser grid being solved exactly."""
        return self.factor("V", min(2, self.limit), frequencies, omega)

    def smoothing_factor(
        self, sweeps: int = 1, frequencies: int | Sequence[int] | None = None, omega: float | None = None
    ) -> float:
        """The reduction per sweep of what the coarse grid cannot represent (low frequencies are removed).

        The largest spectral radius of Q S^sweeps, to the power 1 / sweeps: Q drops the frequencies that are below
        pi / 2 along every axis that is halved.
        """
        sweeps = count("sweeps", sweeps, least=1)
        if not self._steps:
            return 0.0
        levels, counts, size = self._levels(2, frequencies, omega)
        smooth, low = [self._smoother_alone(levels[0], sweeps)], np.ones((*counts, size), dtype=bool)
        phi = self._base_frequencies(self._numbers(counts, frequencies), whole=False)
        for a, halve in enumerate(self._steps[0].which):
            if halve:  # theta is phi / 2 or phi / 2 + pi, whichever of them lies in [-pi / 2, pi / 2]
                first = np.arange(2).reshape((2,) + (1,) * (self.ndim - a)) == 0
                low &= first == (phi[a] <= np.pi * (1 + 1e-12))
        keep = 1.0 - low
        left = _eigenvalues(lambda levels, f, u: keep * CYCLES["V"](levels, f, u), smooth, counts, size)
        return _radius(left) ** (1 / sweeps)

    def _smoother_alone(self, level: Level, sweeps: int) -> Level:
        iterate = iteration(self._smoother, self._grid, sweeps)
        return replace(level, B=[sweep_of(level)] * sweeps, B_post=(), iterate=iterate)

    def best_omega(
        self,
        cycle: str = "V",
        grids: int | None = None,
        frequencies: int | Sequence[int] | None = None,
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
    def halved(self) -> tuple[bool, ...]:
        """Whether the coarser grid of the analysis halves each axis."""
        return tuple(self._steps[0].which)

    def error_symbol(
        self, cycle: str | None = "V", grids: int | None = None, frequencies: int | Sequence[int] | None = None
    ) -> tuple[list[Array], Array]:
        """What a cycle leaves of each Fourier mode: the size of M exp(i theta x / h), all its harmonics together.

        Args:
            cycle: as in `factor`; None is one sweep of the smoother without coarse grids.
            grids: None takes as many as keep to 64 harmonics, 4 or 3 in two or three dimensions.

        Returns:
            (theta, size): per axis the increasing frequencies in [-pi, pi), and an array with an axis for each.
        """
        run, grids = _read_cycle("V" if cycle is None else cycle), self.grids(grids, harmonics=64)
        if grids == 1:
            raise ValueError("error_symbol needs a solver with at least two levels, got one that is solved directly")
        if cycle is None:
            grids = 2
        levels, counts, size = self._levels(grids, frequencies, whole=True)
        if cycle is None:
            levels = [self._smoother_alone(levels[0], 1)]
        columns = _columns(run, levels, counts, size)
        sizes = np.stack([np.sqrt(np.sum(abs(column) ** 2, axis=tuple(range(len(counts))))) for column in columns])
        return _in_order(sizes, counts, self._numbers(counts, frequencies))

    def _levels(
        self, grids: int, frequencies: int | Sequence[int] | None, omega: float | None = None, whole: bool = False
    ) -> tuple[list[Level], tuple[int, ...], int]:
        """The levels of the solver with symbols for operators, the harmonics per axis, and the base frequencies."""
        steps, counts = self._steps[: grids - 1], self._counts(grids)
        numbers = self._numbers(counts[0], frequencies)
        if prod(counts[0]) * prod(numbers) > MOST_VALUES:
            raise ValueError(f"grids, frequencies: {prod(counts[0])} harmonics of {numbers} frequencies are too many")
        phi = self._base_frequencies(numbers, whole)
        stencil, halvings = self._stencil([0] * self.ndim), np.zeros(self.ndim, dtype=int)
        levels: list[Level] = []
        for l, step in enumerate(steps):
            theta, kernel = harmonics(phi, counts[l]), bilinear(step.which) if self._kernel is None else self._kernel
            A = SymbolOperator(stencil, theta, self._origin, l > 0 and steps[l - 1].galerkin)
            levels.append(self._with_symbols(step.level, A, SymbolTransfer(kernel, theta, step.which), omega))
            halvings += step.which
            stencil = stencil.galerkin(kernel, step.which) if step.galerkin else self._stencil(halvings)
        A = SymbolOperator(stencil, harmonics(phi, counts[-1]), self._origin)
        levels.append(Level(A, [A.inverse]))
        return symmetric_levels(levels) if self._symmetric else levels, counts[0], len(phi[0])

    def _with_symbols(self, level: Level, A: SymbolOperator, transfer: SymbolTransfer, omega: float | None) -> Level:
        """The same level, sweep by sweep, with symbols in the place of its operators."""
        pre, post = ([self._sweep(B, A, omega) for B in sweeps] for sweeps in (level.B, level.B_post))
        return replace(level, A=A, B=pre, R=transfer.restrict, P=transfer.prolong, B_post=post, info=A)

    def _sweep(self, B: Any, A: SymbolOperator, omega: float | None) -> Callable[[Array], Array]:
        """One sweep of the solver on symbols, with its own omega or another."""
        if isinstance(B, Alternating):
            return Alternating(A, tuple(self._sweep(each, A, omega) for each in B.sweeps))
        if not isinstance(B, Jacobi | RedBlack | Zebra | Lexicographic):
            raise ValueError(f"smoother: Fourier analysis does not know {B!r}")
        omega = B.omega if omega is None else omega
        if isinstance(B, Jacobi | RedBlack):
            return replace(B, A=A, omega=omega)
        if isinstance(B, Lexicographic):
            return SymbolSweep(A.lexicographic_sweep, omega, B.reverse)
        axes = tuple(self._axes.index(a) for a in B.axes if a in self._axes)
        return SymbolSweep(partial(A.block_sweep, axes), omega, B.reverse)

    def _numbers(self, counts: tuple[int, ...], frequencies: int | Sequence[int] | None) -> tuple[int, ...]:
        """Base frequencies per axis."""
        if frequencies is None:
            return tuple(max(4, POINTS[self.ndim] // h) for h in counts)
        given = tuple(frequencies) if isinstance(frequencies, Sequence) else (frequencies,) * self.ndim
        if len(given) != self.ndim:
            raise ValueError(f"frequencies must be one number or {self.ndim}, one per axis; got {frequencies!r}")
        return tuple(count("frequencies", n, least=1) for n in given)

    def _stencil(self, halvings: Sequence[int] | Array) -> Stencil:
        spacing = [h * 2.0**k for h, k in zip(self._spacing, halvings, strict=True)]
        return Stencil.diffusion([a / h**2 for a, h in zip(self._diffusion, spacing, strict=True)], self._reaction)

    def _base_frequencies(self, numbers: Sequence[int], whole: bool) -> list[Array]:
        """2 pi j / n per axis, flattened; of frequencies that a reflection of the grid joins only one, unless `whole`.

        Reflections of one axis leave all alone but linear transfers and lexicographic sweeps; x -> -x leaves those too.
        """
        in_each_axis = self._kernel is None and self._smoother != "gauss-seidel"
        axes = []
        for a, n in enumerate(numbers):
            all_of_them = whole or (a > 0 and not in_each_axis)
            axes.append(2 * np.pi * np.arange(n if all_of_them else n // 2 + 1) / n)
        return [p.ravel() for p in np.meshgrid(*axes, indexing="ij")]


def _check_grid(grid: Grid, axes: Sequence[int]) -> None:
    for a in axes:
        if grid.axes[a].cell:
            raise ValueError("centering: Fourier analysis is for vertex-centred grids in this version, got 'cell'")
        if not is_constant(grid.axes[a].spacing):
            raise ValueError(f"coordinates[{a}]: Fourier analysis needs equal spacing along each axis")


def _constant(name: str, values: Any) -> float:
    if np.ptp(values) > 0:
        raise ValueError(f"{name} must be constant for Fourier analysis: where it varies, all modes are coupled")
    return float(np.ravel(values)[0])


def _kernel_of(hierarchy: Hierarchy) -> Array | None:
    """The stencil of P where it is the same on every level; None for bilinear transfers, which may semicoarsen."""
    transfers = {type(level.info.to_coarse) for level in hierarchy.levels[:-1]}
    if transfers <= {BilinearTransfer}:
        return None
    if transfers == {LinearTransfer}:
        return LINEAR
    given = hierarchy.choices.transfer
    raise ValueError(f"transfer must be 'bilinear' or 'linear' for Fourier analysis, got {given!r}")


def _read_coarsen(coarsen: Sequence[int], axes: Sequence[int]) -> Which:
    given = tuple(coarsen) if np.iterable(coarsen) else (coarsen,)
    if not given or not set(given) <= set(axes):
        raise ValueError(f"coarsen must hold some of the axes {tuple(axes)}, got {coarsen!r}")
    return tuple(a in given for a in axes)


def _read_cycle(cycle: str) -> Callable[..., Any]:
    if not isinstance(cycle, str) or cycle not in CYCLES:
        raise ValueError(f"cycle must be one of {', '.join(map(repr, CYCLES))}; got {cycle!r}")
    return CYCLES[cycle]


def _apply(run: Callable[..., Any], levels: Sequence[Level], e: Array) -> Array:
    """One cycle on the error e: f = 0. The constant of a singular problem, which no cycle changes, is taken out."""
    alive = levels[0].info.alive
    return alive * run(levels, np.zeros_like(e), alive * e)


def _columns(run: Callable[..., Any], levels: Sequence[Level], counts: tuple[int, ...], size: int) -> list[Array]:
    """M applied to each harmonic: one array (*counts, size) for each."""
    columns = []
    for index in np.ndindex(*counts):
        e = np.zeros((*counts, size))
        e[index] = 1
        columns.append(_apply(run, levels, e))
    return columns


def _eigenvalues(run: Callable[..., Any], levels: Sequence[Level], counts: tuple[int, ...], size: int) -> Array:
    """The eigenvalues (frequencies, ...) of the blocks that `run` makes of the harmonics; of large ones, the outer."""
    if prod(counts) <= DENSE:
        columns = np.stack(_columns(run, levels, counts, size)).reshape(prod(counts), -1, size)
        blocks = columns.T.swapaxes(1, 2)
    else:
        blocks = _hessenberg(partial(_apply, run, levels), (*counts, size), KRYLOV)
    with np.errstate(all="ignore"):
        return np.linalg.eigvals(blocks)


def _radius(eigenvalues: Array) -> float:
    return float(np.abs(eigenvalues).max())


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
    """v with columns of length one, or zero where nothing but rounding is left."""
    length = np.linalg.norm(v, axis=0)
    return v / np.where(length > 1e-14, length, np.inf)


def _in_order(values: Array, counts: tuple[int, ...], numbers: tuple[int, ...]) -> tuple[list[Array], Array]:
    """Values (harmonics, frequencies) as an array over increasing theta in [-pi, pi) per axis."""
    ndim = len(counts)
    mixed = values.reshape(counts + numbers)
    sizes = [h * n for h, n in zip(counts, numbers, strict=True)]
    spread = mixed.transpose([k for a in range(ndim) for k in (a, ndim + a)]).reshape(sizes)  # theta = (phi + 2 pi q)/h
    theta = [2 * np.pi * np.arange(-(m // 2), m - m // 2) / m for m in sizes]
    return theta, np.fft.fftshift(spread)
