"""The backend of compiled kernels, which are imported where a solver takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from mgcore import Event, Iteration, Remaining
from pde.backends.base import Backend, Moments
from pde.backends.data import LARGE, SMALL, Data, Norms, Options, Vector
from pde.backends.iterations import Cycling
from pde.backends.numba import stamps
from pde.backends.numba.background import MEANWHILE, begin, waiting
from pde.backends.numba.batch.backend import make_batches
from pde.backends.numba.variants import EVERY, Variant, variant_of
from pde.common.progress import CompileBar
from pde.levels.hierarchy import Hierarchy, Makers
from pde.problem.grid import Array, Grid
from pde.problem.lifting import Products

SMALLEST = 1 << 15
"""Unknowns from which on "auto" takes the kernels: their first use in a process costs about a second."""

LARGE_NONLINEAR = 1 << 18
"""Unknowns from which on "auto" takes those of nonlinear levels, which compile in some seconds at their first use."""

LARGE_VECTOR = 1 << 15
"""Unknowns from which on sums of one vector are worth a call of the kernels."""

SUMS = 3
"""Sums of a vector: those of `Moments`."""


def make(hierarchy: Hierarchy, options: Options) -> Backend | str:
    """The backend for these levels, or the reason why there is none.

    Raises:
        ImportError: kernels="numba" and Numba is not there.
    """
    made = _make(hierarchy, options)
    if not isinstance(made, str):
        made.batches = make_batches(hierarchy, options)
    return made


def _make(hierarchy: Hierarchy, options: Options) -> Backend | str:
    automatic = options.kernels == "auto"
    size = options.size or hierarchy.levels[0].info.grid.size
    if automatic and size < SMALLEST:
        return f"fewer than {SMALLEST:,} unknowns"
    variant = variant_of(hierarchy.levels, options.dtype)
    if isinstance(variant, str):
        return variant
    if automatic and hierarchy.levels[0].info.grid.ndim == 1:
        return "in one dimension their tables take longer than many solves"
    if automatic and variant not in options.chosen:
        options.chosen[variant] = waiting(variant, size)
    reason = options.chosen.get(variant) if automatic else None
    if reason == MEANWHILE:
        return Meanwhile(hierarchy, options, variant)
    if reason := reason or missing(automatic):
        return reason
    if variant.coefficients == "galerkin":
        from pde.backends.numba.multicolour.backend import Multicolour

        return Multicolour(hierarchy, options, variant)
    return Numba(hierarchy, options, variant)


def makers(grid: Grid, options: Options) -> Makers | None:
    """Makers of transfers and products by kernels, where they are compiled already."""
    variant = Variant(grid.ndim, options.dtype.name, "galerkin")
    small = options.kernels == "auto" and grid.size < SMALLEST
    if small or variant not in EVERY or not stamps.is_compiled(variant) or missing(automatic=True):
        return None
    from pde.backends.numba.multicolour.makers import make_black_box, make_product

    threads = options.cores
    return Makers(partial(make_product, threads), partial(make_black_box, threads))


def missing(automatic: bool) -> str:
    """Why Numba cannot be used here; nothing where it can.

    Raises:
        ImportError: it is not installed, and the choice is not automatic.
    """
    try:
        from pde.backends.numba.kernels import cannot_compile
    except ImportError as error:
        if not automatic:
            raise
        return f"Numba cannot be imported: {error}"
    return cannot_compile()


class Meanwhile(Backend):
    """The plain backend while the kernels are compiled in the background, which its first use starts."""

    def __init__(self, hierarchy: Hierarchy, options: Options, variant: Variant) -> None:
        super().__init__(hierarchy, options.dtype, options.device, MEANWHILE)
        self._variant, self._chosen = variant, options.chosen

    def prepare(self, progress: bool = False) -> None:
        if self.why == MEANWHILE and (failed := begin(self._variant)):
            self.why = self._chosen[self._variant] = failed


class Numba(Backend):
    """Cycles on compiled kernels; see `pde.backends.numba`.

    Args:
        variant: of the kernels.
    """

    runs_in = "Numba"

    def __init__(self, hierarchy: Hierarchy, options: Options, variant: Variant) -> None:
        super().__init__(hierarchy, options.dtype, options.device)
        self.variant, self._options = variant, options
        self._kernels: Any = None
        self._symmetric: Numba | None = None
        self._prepared = False

    @property
    def kernels(self) -> Any:
        """The `Kernels`, made when they are first needed."""
        if self._kernels is None:
            from pde.backends.numba.kernels import Kernels

            levels, singular = self.hierarchy.levels, self.hierarchy.choices.singular
            self._kernels = Kernels(levels, self.variant, self._options.cores, singular, self.hierarchy.start)
        return self._kernels

    def describe(self) -> str:
        threads = self._options.cores
        return f"compiled kernels, {threads} thread{'s' * (threads > 1)}"

    def held(self) -> Sequence[Any]:
        return [self.kernels, *super().held(), *(() if self._symmetric is None else self._symmetric.held())]

    def prepare(self, progress: bool = False) -> None:
        if self._prepared:
            return
        with CompileBar(progress, self.variant) as bar:
            files = self.kernels.prepare(bar)
        if files and not stamps.is_compiled(self.variant):
            stamps.write(self.variant, files=files)
        self._prepared = True  # not where it was interrupted

    def cycle(
        self, kind: str, data: Data, u: Vector = None, *, level: int = 0, out: Vector = None, **_: Any
    ) -> tuple[Vector, Norms]:
        if level == len(self.hierarchy.levels) - 1 or (self.batches and self.batches.take(len(data.rhs), level)):
            return super().cycle(kind, data, u, level=level, out=out, measure="residual")
        f = np.ascontiguousarray(data.rhs)
        out = space(f, out)
        guesses = [None] * len(f) if u is None else np.ascontiguousarray(u)
        norms = [self.kernels.cycle(kind, *each, level) for each in zip(f, guesses, out, strict=True)]
        return out, exact(norms, f)

    def full_multigrid(self, data: Data, *, out: Vector = None, measure: str | None = None) -> tuple[Vector, Norms]:
        if self.batches and self.batches.take(len(data.rhs)):
            return super().full_multigrid(data, out=out, measure=measure)
        f = self.complete(data)
        out = space(f, out)
        sides = self.kernels.side_data(np.ascontiguousarray(data.nodal), data.sides)
        norms = [self.kernels.full_multigrid(g, v, measure, side) for g, v, side in zip(f, out, sides, strict=True)]
        return out, exact(norms, f)

    def complete(self, data: Data) -> Array:
        """The right-hand side with boundary data, of zero mean where the problem is singular."""
        if data.f is not None or data.sizes is not None:  # it is already
            return np.ascontiguousarray(data.rhs)
        return np.ascontiguousarray(self.project(self.fold(data.rhs, data.sides)))

    def project(self, v: Vector, *, level: int = 0, out: Vector = None) -> Vector:
        if level > 0 or not self.hierarchy.choices.singular:
            return super().project(v, level=level)
        return self._centre(v, space(v, out))[0]

    def without_mean(self, v: Array, out: Array | None = None) -> Array:
        return self.project(v, out=out)

    def sizes(self, v: Array) -> np.ndarray:
        return self.norms(v)

    def moments(self, v: Array) -> Moments:
        if v[0].size < LARGE_VECTOR:
            return super().moments(v)
        found = np.array([self.kernels.moments(each) for each in np.ascontiguousarray(v)]).reshape(-1, SUMS)
        return Moments(found[:, 0], found[:, 1], self._rms(found[:, 2], v))

    def centred(self, v: Array) -> tuple[Array, np.ndarray, np.ndarray]:
        if v[0].size < LARGE_VECTOR:
            return super().centred(v)
        return self._centred(v)

    def _centred(self, v: Array) -> tuple[Array, np.ndarray, np.ndarray]:
        out, (before, after) = self._centre(v, np.empty(v.shape, v.dtype))
        largest = np.sqrt(after[:, 2]) * float(np.finfo(self.dtype).eps)
        if not np.all(abs(after[:, 0]) <= largest):  # the rounding of a large mean
            out, (_, after) = self._centre(out, out)
        return out, self._rms(before[:, 2], v), self._rms(after[:, 2], out)

    def norms(self, v: Vector, *, level: int = 0) -> np.ndarray:
        if level > 0 or v.shape[0] == 0 or v[0].size < LARGE_VECTOR:
            return super().norms(v, level=level)
        return self.moments(v).rms

    def add_products(self, v: Array, products: Products, out: Array | None = None) -> Array:
        if v[0].size < LARGE_VECTOR or v.dtype != float or self.dtype != float:
            return super().add_products(v, products, out)
        v, out = np.ascontiguousarray(v), space(v, out)
        for k in range(len(v)):
            self.kernels.add_products(v[k], products.packed(k), out[k])
        return out

    def _centre(self, v: Array, out: Array) -> tuple[Array, np.ndarray]:
        """v less its mean in `out`, with the moments of both, (2, members, 3)."""
        v = np.ascontiguousarray(v)
        moments = [self.kernels.centre(*each) for each in zip(v, out, strict=True)]
        return out, np.array(moments).reshape(-1, 2, SUMS).swapaxes(0, 1)

    def largest(self, v: Array) -> np.ndarray:
        """The largest absolute value of each member."""
        return np.max(np.abs(v.reshape(len(v), -1)), axis=1, initial=0.0).astype(float)

    def _rms(self, squares: np.ndarray, v: Array) -> np.ndarray:
        """The root mean squares of members, by the means of their squares, scaled where these are not exact."""
        rms = np.sqrt(squares)
        for k in np.flatnonzero(~((rms > SMALL) & (rms < LARGE))):
            rms[k] = size = float(self.largest(v[k : k + 1])[0])
            if size > 0 and np.isfinite(size):
                unit = 2.0 ** np.floor(np.log2(size))
                rms[k] = unit * np.sqrt(self.kernels.moments(np.ascontiguousarray(v[k] / unit))[2])
        return rms

    def measures(self, data: Data) -> bool:
        return True

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Iteration:
        if self.batches and self.batches.take(len(data.rhs)):
            return super().start(kind, accel, data, u, out)
        if accel is not None:
            from pde.backends.numba.krylov import FusedConjugateGradients

            return FusedConjugateGradients(self, kind, data, u, out)
        if self.kernels.fits_one_call:
            return CyclesInOneCall(self, kind, data, u, out)
        return super().start(kind, accel, data, u, out)

    @property
    def has_one_call(self) -> bool:  # type: ignore[override]
        return bool(self.kernels.fits_one_call)

    def solve_at_once(self, kind: str, f: Array, out: Array, left: Remaining) -> list[float]:
        """Make cycles of one contiguous f from zero to `out`; return the norms as `mgcore.Iteration.advance` does."""
        norms: list[float] = self.kernels.solve(kind, f, None, out, left)
        return norms

    def symmetric(self) -> Backend:
        if self._symmetric is None:
            self._symmetric = Numba(self.hierarchy.symmetric(), self._options, self.variant)
            self._symmetric.batches = self.batches and self.batches.on(self._symmetric.hierarchy)
        return self._symmetric

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        return Backend(self.hierarchy, self.dtype, self.device).traced(report)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_kernels": None, "_symmetric": None, "_prepared": False}


class CyclesInOneCall(Cycling):
    """All cycles of a small grid in one call of the kernels, where norms have squares like other numbers."""

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        nested = self._u is None and self._kind == "fmg"
        if not all(SMALL < member.scale < LARGE for member in left):
            return super().advance(left)
        kind = self._kind if nested or self._kind != "fmg" else "V"
        f = np.ascontiguousarray(self._data.rhs)
        out = space(f, self._u if self._owned else self._take_out())
        sides: list[tuple[Any, ...]] = [()] * len(f)
        if nested and self._data.sides:
            sides = [
                (each,)
                for each in self._backend.kernels.side_data(np.ascontiguousarray(self._data.nodal), self._data.sides)
            ]
        guesses = [None] * len(f) if self._u is None else np.ascontiguousarray(self._u)
        solve, norms = self._backend.kernels.solve, []
        for *each, side in zip(f, guesses, out, left, sides, strict=True):  # in this frame
            norms += [solve(kind, *each, *side)]
        self._u, self._owned = out, True
        return norms


def space(f: Array, out: Array | None) -> Array:
    """`out` where kernels can write to it, or new memory."""
    return out if out is not None and out.flags.c_contiguous else np.empty_like(f)


def exact(norms: list[float], f: Array) -> Norms:
    """The norms, None where one has no exact square; zero has, unless f is as small."""
    wrong = [i for i, norm in enumerate(norms) if not SMALL < norm < LARGE]
    if not wrong:
        return norms
    return norms if all(norms[i] == 0 and np.max(np.abs(f[i])) > SMALL for i in wrong) else None
