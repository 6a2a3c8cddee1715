"""The kernels of a solver's levels, for one right-hand side at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from mgcore import Level, Remaining
from pde.backends.numba.boundary_terms import NO_SIDES, BoundaryTerms, SideData
from pde.backends.numba.executor import Executor
from pde.backends.numba.fused_sweep import INNER, ITERATE, NOTHING, RESIDUAL
from pde.backends.numba.jit import reported
from pde.backends.numba.krylov import Plans, plans_of
from pde.backends.numba.level_data import Tables
from pde.backends.numba.means import SUMS
from pde.backends.numba.states import Packed, Sweeping
from pde.backends.numba.thread_pool import Turns
from pde.backends.numba.variants import Variant
from pde.levels.direct import DirectStart
from pde.levels.hierarchy import sweep_of
from pde.problem.grid import Array, Sides

LARGEST_CALL = 1 << 21
"""Unknowns at most for all cycles in one call."""

MOST = 16
"""Cycles in one call, during which Python sees no signal."""

NORMS = {None: RESIDUAL, "residual": RESIDUAL, "iterate": ITERATE, "inner": INNER, "nothing": NOTHING}


class Kernels:
    """Compiled cycles on the levels of a `Variant`.

    The executor owns the arrays that it works in: two cycles at once wait for each other.
    """

    def __init__(
        self,
        levels: Sequence[Level],
        variant: Variant,
        threads: int,
        singular: bool = False,
        start: DirectStart | None = None,
    ) -> None:
        self.executor = Executor(levels, _packed(levels, variant), _sweeping(levels[0]), threads, singular, start)
        self._levels = levels
        self._boundary_terms: BoundaryTerms | None = None
        self._volumes = [float(np.prod([axis.width.sum() for axis in level.info.grid.axes])) for level in levels]
        self.fits_one_call = levels[0].info.grid.size <= LARGEST_CALL and self.executor.is_one_call
        """Whether there is `solve`: the grid is small, and no sparse factors are needed between two passes."""
        self.volume = self._volumes[0]
        self.spare: dict[tuple[int, ...], list[Array]] = {}
        """Memory for conjugate gradients, by shape; two solves at once take it by single operations."""
        self._krylov: dict[str, Plans] = {}
        self._lock = Turns()

    def prepare(self, report: Callable[[int], Any]) -> list[str]:
        """As `Executor.prepare`; `report` is told how many functions have been compiled, from 0 on if there is one."""
        with self._lock, reported(report):
            return self.executor.prepare()

    def cycle(
        self, kind: str, f: Array, u: Array | None, out: Array, level: int = 0, measure: str | None = None
    ) -> float:
        """Make a cycle that begins on a level, from u (None: zero) to `out`, which may be u.

        Returns:
            The root mean square of f - A u over the box; of u for measure="iterate"; the sum of W f u for "inner";
            0 for "nothing", which is the fastest.
        """
        with self._lock:
            plan = self.executor.plan(kind, level, NORMS[measure])
            total = self.executor.run(plan, f, u, out)
            return total if measure == "inner" else self._rms(total, level)

    def full_multigrid(self, f: Array, out: Array, measure: str | None = None, sides: SideData = NO_SIDES) -> float:
        """Make one pass of full multigrid; return what `cycle` does, or that of u.

        Args:
            f: with boundary data folded into it, and of zero mean where the problem is singular.
            sides: the boundary data.
        """
        with self._lock:
            plan = self.executor.plan("nested", 0, NORMS[measure])
            return self._rms(self.executor.run(plan, f, None, out, sides), 0)

    def side_data(self, nodal: Array, sides: Sides) -> list[SideData]:
        """Return the boundary data of each member, whose nodal values are (members, *shape)."""
        if not sides:
            return [NO_SIDES] * len(nodal)
        if self._boundary_terms is None:
            self._boundary_terms = BoundaryTerms(self._levels)
        terms = self._boundary_terms(sides, self.executor.dtype)
        return list(map(SideData, nodal, np.broadcast_to(terms, (len(nodal), terms.shape[1]))))

    def moments(self, v: Array) -> Array:
        """Return the means of v, |v| and v^2, in the inner product of control volumes."""
        with self._lock:
            return self._moments("sums", v, v)[0]

    def centre(self, v: Array, out: Array) -> tuple[Array, Array]:
        """Leave v less its mean in `out`, which may be v; return the `moments` of v and of `out`."""
        with self._lock:
            before, after = self._moments("centre", v, out)
        return before, after

    def add_products(self, v: Array, products: Array, out: Array) -> None:
        """Leave v and a sum of products, packed as `means.add_products` reads it, in `out`, which may be v."""
        with self._lock:
            self.executor.run(self.executor.vector_plan("products"), v, None, out, SideData(None, products))

    def _moments(self, kind: str, v: Array, out: Array) -> Array:
        """Run a plan that sums planes; return the moments of v, and of `out` where it has them."""
        plan = self.executor.vector_plan(kind)
        self.executor.run(plan, v, None, out)
        planes = self.executor.buffer(plan, "sums0").view(float).reshape(2, -1, SUMS)
        return planes.sum(axis=1) / self._volumes[0]

    def krylov(self, kind: str) -> Plans:
        """Return the plans of conjugate gradients around cycles of a kind."""
        with self._lock:
            if kind not in self._krylov:
                self._krylov[kind] = plans_of(self.executor, kind)
            return self._krylov[kind]

    def run_on(self, *arguments: Any) -> int:
        """As `Executor.run_on`."""
        with self._lock:
            return self.executor.run_on(*arguments)

    def solve(
        self, kind: str, f: Array, u: Array | None, out: Array, left: Remaining, sides: SideData = NO_SIDES
    ) -> list[float]:
        """Make cycles from u to `out` in one call, until the residual is small enough or does not halve.

        Args:
            kind: of the cycles, or "fmg": full multigrid, then V-cycles.
            f, sides: as in `full_multigrid`.

        Returns:
            The relative norm after each cycle.
        """
        norms = np.empty(min(left.cycles, MOST) + 1)
        norms[0] = left.last
        scale = np.array((self._volumes[0], left.scale))
        with self._lock:
            count = self.executor.solve(kind, f, u, out, norms, scale, left.tolerance, sides)
        return norms[1 : count + 1].tolist()

    def _rms(self, total: float, level: int) -> float:
        return float(np.sqrt(total / self._volumes[level]))


def cannot_compile() -> str:
    """The reason why Numba compiles nothing, "" where it does."""
    return "NUMBA_DISABLE_JIT keeps Numba from compiling" if numba.config.DISABLE_JIT else ""  # type: ignore[attr-defined]


def _packed(levels: Sequence[Level], variant: Variant) -> Packed:
    varying = variant.coefficients == "varying"
    tables = Tables(np.dtype(variant.dtype), varying)
    for level in levels[:-1]:
        info = level.info
        tables.add(info.grid, info.operator.terms, sweep_of(level).omega, info.to_coarse)
    return Packed(*tables.pack(), None if variant.ndim == 2 else True, True if varying else None, tables.faces)


def _sweeping(level: Level) -> Sweeping:
    def reverse(B: Sequence[Any]) -> bool:
        return bool(B and B[0].reverse)

    return Sweeping(len(level.B), len(level.B_post), reverse(level.B), reverse(level.B_post))
