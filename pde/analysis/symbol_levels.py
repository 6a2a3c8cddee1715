"""The levels of a hierarchy on infinite grids, with symbols for operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from mgcore import Level
from pde.analysis.blocks import Blocks
from pde.analysis.stencils import Stencil, Which, bilinear
from pde.analysis.symbols import SymbolOperator, SymbolSweep, SymbolTransfer, harmonics
from pde.common.arguments import count
from pde.levels.hierarchy import Hierarchy, sweep_of, symmetric
from pde.levels.line_smoothers import Alternating, Lexicographic, Zebra
from pde.levels.smoothers import Jacobi, RedBlack, iteration
from pde.levels.transfers import BilinearTransfer
from pde.levels.truncated import TruncatedTransfer
from pde.problem.coefficients import Terms
from pde.problem.compact import CompactOperator
from pde.problem.grid import Array, Axis, Grid, is_constant
from pde.problem.mehrstellen import Mehrstellen
from pde.problem.tensor import FullTensor
from pde.problem.tensor_operator import TensorOperator

POINTS = {1: 1024, 2: 128, 3: 64}
"""Frequencies per axis of the finest grid, base frequencies and their harmonics together."""

MOST_VALUES = 3e7
"""Size of a vector (harmonics times base frequencies) above which an analysis is refused."""

MOST_STEPS = 20
"""Coarsenings where the analysis chooses the axes to coarsen: infinite grids have no coarsest one."""

Frequencies = int | Sequence[int] | None
"""Base frequencies: one number or one per axis; None takes enough."""


@dataclass(frozen=True)
class Step:
    """One level of the hierarchy and its coarsening: which axes it halves, and whether the coarse A is R A P."""

    level: Level
    which: Which
    galerkin: bool


class SymbolLevels:
    """Make levels of symbols from a hierarchy on vertex-centred axes with equal spacing and constant coefficients.

    Args:
        coarsen: axes that every coarsening halves; None takes those that the hierarchy halves.
        symmetric: post-smoothing adjoint to pre-smoothing.

    Attributes:
        axes: those with more than one unknown.
        limit: grids at most.

    Raises:
        ValueError: naming the argument of the solver whose modes do not decouple.
    """

    def __init__(self, hierarchy: Hierarchy, coarsen: Sequence[int] | None, symmetric: bool) -> None:
        finest = hierarchy.levels[0].info
        grid, terms = finest.grid, finest.operator.terms
        self.axes = tuple(a for a, n in enumerate(grid.shape) if n > 1)
        _check_grid(grid, self.axes)
        diffusion = [_constant(f"coefficient of axis {a}", terms.diffusion[a]) for a in self.axes]
        spacing = [float(grid.axes[a].spacing[0]) for a in self.axes]
        self._couplings = np.array([a / h**2 for a, h in zip(diffusion, spacing, strict=True)])
        self._reaction = _constant("reaction", terms.reaction)
        if self._reaction < 0:
            raise ValueError(
                f"reaction must not be negative for Fourier analysis, got {self._reaction:.3g}: that leaves out "
                "the sides, without which A is not positive definite; see measure_factor"
            )
        self._origin = tuple(grid.axes[a].first for a in self.axes)
        self._kernel, self._smoother, self._grid = _kernel_of(hierarchy), hierarchy.choices.smoother, grid
        self._tensor = None if terms.tensor is None else self._of_tensor(terms.tensor)
        self._symmetric, self._compact = symmetric, isinstance(finest.operator, Mehrstellen | TensorOperator)
        self.steps = [self._step(*pair) for pair in pairwise(hierarchy.levels) if self._has_all_axes(pair[0])]
        self.limit = 1 + len(self.steps)
        if coarsen is not None and self.steps:
            which = _read_coarsen(coarsen, self.axes)
            self.steps = [replace(self.steps[min(l, self.limit - 2)], which=which) for l in range(MOST_STEPS)]
            self.limit = MOST_STEPS

    def _has_all_axes(self, level: Level) -> bool:
        """Whether no axis has shrunk to a point: beyond, the hierarchy halves axes that are coupled more weakly."""
        return all(level.info.grid.shape[a] > 1 for a in self.axes)

    def _step(self, level: Level, coarse: Level) -> Step:
        fine, below = level.info.grid.shape, coarse.info.grid.shape
        which = tuple(below[a] < fine[a] for a in self.axes)
        return Step(level, which, isinstance(coarse.info.operator, CompactOperator))

    def harmonics(self, grids: int) -> list[tuple[int, ...]]:
        """The harmonics per axis on each grid; on the last but one there are two, which colours mix."""
        steps = self.steps[: grids - 1]
        counts = [tuple(1 if halve else 2 for halve in steps[-1].which)]
        for step in reversed(steps):
            counts.insert(0, tuple(h * (1 + halve) for h, halve in zip(counts[0], step.which, strict=True)))
        return counts

    def blocks(
        self, run: Callable[..., Any], grids: int, frequencies: Frequencies, omega: float | None, whole: bool = False
    ) -> Blocks:
        """A cycle over this number of grids; omega None is the solver's own."""
        steps, counts = self.steps[: grids - 1], self.harmonics(grids)
        numbers = self.numbers(counts[0], frequencies)
        if prod(counts[0]) * prod(numbers) > MOST_VALUES:
            raise ValueError(f"grids, frequencies: {prod(counts[0])} harmonics of {numbers} frequencies are too many")
        phi = self.base_frequencies(numbers, whole)
        couplings, stencil = self._couplings, self._finest()
        levels: list[Level] = []
        for l, step in enumerate(steps):
            theta, kernel = harmonics(phi, counts[l]), bilinear(step.which) if self._kernel is None else self._kernel
            A = SymbolOperator(stencil, theta, self._origin, steps[l - 1].galerkin if l > 0 else self._compact)
            levels.append(self._with_symbols(step.level, A, SymbolTransfer(kernel, theta, step.which), omega))
            couplings = couplings / np.where(step.which, 4, 1)  # a / h^2
            rediscretised = Stencil.diffusion(couplings, self._reaction)
            stencil = stencil.galerkin(kernel, step.which) if step.galerkin else rediscretised
        A = SymbolOperator(stencil, harmonics(phi, counts[-1]), self._origin)
        levels.append(Level(A, [A.inverse]))
        return Blocks(run, symmetric(levels) if self._symmetric else levels, counts[0], len(phi[0]))

    def _finest(self) -> Stencil:
        if not self._compact:
            return Stencil.diffusion(self._couplings, self._reaction)
        ndim, couplings = len(self.axes), tuple(self._couplings.tolist())
        units = Grid(tuple(Axis.uniform(3, 4.0) for _ in self.axes))
        if self._tensor is None:
            kernel = Mehrstellen(units, np.dtype(float), Terms(couplings)).coefficients
        else:
            terms = Terms(couplings, tensor=FullTensor(units, self._tensor))
            kernel = TensorOperator(units, np.dtype(float), terms).coefficients.reshape(3**ndim, -1)[:, 3**ndim // 2]
        return Stencil(kernel.reshape((3,) * ndim), self._reaction)

    def _of_tensor(self, tensor: FullTensor) -> dict[tuple[int, int], float | Array]:
        """The entries a_ij / (h_i h_j) of a constant tensor along the axes with more than one unknown."""
        number = {a: n for n, a in enumerate(self.axes)}
        h = [float(axis.spacing[0]) for axis in tensor.grid.axes]
        return {
            (number[i], number[j]): _constant(f"coefficient[{i}][{j}]", entry) / (h[i] * h[j])
            for (i, j), entry in tensor.entries.items()
            if i in number and j in number
        }

    def smoother_alone(self, level: Level, sweeps: int) -> Level:
        """The level with sweeps before the correction only."""
        iterate = iteration(self._smoother, self._grid, sweeps)
        return replace(level, B=[sweep_of(level)] * sweeps, B_post=(), iterate=iterate)

    def _with_symbols(self, level: Level, A: SymbolOperator, transfer: SymbolTransfer, omega: float | None) -> Level:
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
        axes = tuple(self.axes.index(a) for a in B.axes if a in self.axes)
        return SymbolSweep(partial(A.block_sweep, axes), omega, B.reverse)

    def numbers(self, counts: tuple[int, ...], frequencies: Frequencies) -> tuple[int, ...]:
        """Base frequencies per axis."""
        ndim = len(self.axes)
        if frequencies is None:
            return tuple(max(4, POINTS[ndim] // h) for h in counts)
        given = tuple(frequencies) if isinstance(frequencies, Sequence) else (frequencies,) * ndim
        if len(given) != ndim:
            raise ValueError(f"frequencies must be one number or {ndim}, one per axis; got {frequencies!r}")
        return tuple(count("frequencies", n, least=1) for n in given)

    def base_frequencies(self, numbers: Sequence[int], whole: bool) -> list[Array]:
        """2 pi j / n per axis, flattened; of frequencies that a reflection of the grid joins only one, unless `whole`.

        Full tensors, linear transfers and lexicographic sweeps keep the reflection x -> -x alone, all others that of
        each axis.
        """
        in_each_axis = self._kernel is None and self._tensor is None and self._smoother != "gauss-seidel"
        counts = [n if whole or (a > 0 and not in_each_axis) else n // 2 + 1 for a, n in enumerate(numbers)]
        axes = [2 * np.pi * np.arange(k) / n for k, n in zip(counts, numbers, strict=True)]
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
    transfers = [level.P for level in hierarchy.levels[:-1]]
    if all(isinstance(P, BilinearTransfer) or (isinstance(P, TruncatedTransfer) and P.inside.all()) for P in transfers):
        return None
    kernels = {getattr(P, "kernel", None) for P in transfers}
    if len(kernels) == 1 and None not in kernels:
        return np.array(*kernels)
    given = hierarchy.choices.transfer
    raise ValueError(f"transfer must be 'bilinear' or 'linear' for Fourier analysis, got {given!r}")


def _read_coarsen(coarsen: Sequence[int], axes: Sequence[int]) -> Which:
    given = tuple(coarsen) if np.iterable(coarsen) else (coarsen,)
    if not given or not set(given) <= set(axes):
        raise ValueError(f"coarsen must hold some of the axes {tuple(axes)}, got {coarsen!r}")
    return tuple(a in given for a in axes)
