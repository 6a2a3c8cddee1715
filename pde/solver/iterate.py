"""Cycles to a tolerance for a batch of right-hand sides, in the inner product of control volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import mgcore
from mgcore import Progress, Solution
from mgcore.solve import Remaining
from pde.backends.base import Cycles, How, Levels, MixedCycles
from pde.backends.full_multigrid import NestedIteration
from pde.backends.krylov import ConjugateGradients
from pde.backends.numba.fast import Measured
from pde.common.arrays import copied
from pde.levels.hierarchy import symmetric
from pde.problem.compatibility import incompatible_share
from pde.problem.grid import Array, Sides
from pde.problem.inner_product import Volumes
from pde.problem.poisson import Poisson
from pde.solver.batch import select, select_sides, stack
from pde.solver.reduced import Reduced, Reduction, Sizes
from pde.solver.trace import Trace


@dataclass(frozen=True)
class BatchSolver:
    """Solves for f where the cycles run, until the true residual is small enough; see `pde.Multigrid.solve`.

    Args:
        problem: what is solved.
        nested: the pass of full multigrid.
        cycles: the cycles after it.
        volumes: of the finest grid.
        reduction: makes of f, g and u0 what the cycles take.
        dtype: of data and residuals.
    """

    problem: Poisson
    nested: NestedIteration
    cycles: Cycles | MixedCycles
    volumes: Volumes
    reduction: Reduction
    dtype: np.dtype

    def __call__(
        self,
        f: Array,
        sides: Sides,
        u0: Array | None,
        cycle: str,
        accel: str | None,
        removed: Sizes | None,
        trace: Trace,
        room: Array | None,
        **options: Any,
    ) -> Solution:
        """`pde.Multigrid.solve` for f of shape (members, *shape) that has been read; u too has this shape.

        Args:
            removed: of each member, from `incompatible_share`.
            room: an array in which the iterates of kernels may be.
            options: those of `mgcore.solve_batch`.
        """
        A, volumes, mean_free = self.nested.hierarchy.levels[0].A, self.volumes, self.reduction.mean_free
        reduced = self.reduction(f, sides, u0)
        data, guess, unit, active = reduced.data, reduced.guess, reduced.unit, np.arange(len(f))
        levels: Levels = self.cycles.levels if accel is None else symmetric(list(self.cycles.levels))
        levels = trace.watch(levels, reduced.sizes if unit is None else reduced.sizes / unit)
        kind, accelerate = "V" if cycle == "fmg" else cycle, None
        fused, measured = not trace.watches and self.cycles.ready(symmetric=accel is not None), Measured()
        if accel is not None:
            accelerate = ConjugateGradients(A, partial(self.symmetric_cycle, cycle, levels, fused), volumes, mean_free)

        fast = self.cycles.fast if isinstance(self.cycles, Cycles) and fused else None

        def whole() -> Array | None:
            return None if room is None or len(active) < len(f) else room.reshape(f.shape)

        def one_cycle(data: Array, u: Array | None) -> Array:
            norms = None
            if accelerate is not None:
                u = accelerate(data, u)
            elif u is None and cycle == "fmg":
                some = select(reduced.f, active), select_sides(reduced.sides, active, self.problem.ndim)
                u, norms = self.nested(levels, *some, fused, whole())
            else:
                in_place = u is not u0 and options["callback"] is None
                u, norms = self.cycles(kind, levels, data, u, How(fused, in_place=in_place))
            return measured.keep(mean_free(u), norms)

        def several(data: Array, u: Array | None, members: list[Remaining]) -> tuple[Array, list[list[float]]] | None:
            nested = u is None and cycle == "fmg"
            if unit is not None:
                members = [m._replace(scale=m.scale / k) for m, k in zip(members, unit[active], strict=True)]
            if fast is None or (nested and not self.nested.is_plain(reduced.sides)) or not fast.at_hand(members):
                return None
            out = u if u is not None and u is not u0 else whole()
            return fast.solve(cycle if nested else kind, data, u, out, members)

        def residuals(data: Array, u: Array | None) -> np.ndarray:
            """The norms of the residuals of u; infinite where u is."""
            norms = np.asarray(measured.residual(u) or volumes.rms(data if u is None else data - A(u)))
            if unit is None:
                return norms
            norms = norms * unit[active]
            return norms if u is None else np.where(reduced.overflows(u, active), np.inf, norms)

        def keep(members: list[int]) -> None:
            nonlocal active
            active = active[members]
            if accelerate is not None:
                accelerate.keep(members)

        if options["callback"] is not None:
            options["callback"] = showing(options["callback"], reduced, mean_free)
        solution = mgcore.solve_batch(
            one_cycle,
            residuals,
            np.ndarray.tolist,
            data,
            guess,
            select=select,
            stack=partial(stack, like=f, own=u0),
            keep=keep,
            several=None if fast is None or accel is not None or self.nested.singular else several,
            rounding=lambda u: self._rounding(u, reduced.sizes[active], 1.0 if unit is None else unit[active]).tolist(),
            scales=reduced.sizes.tolist(),
            doubt=not self.nested.singular and not self.problem.is_held(self.dtype),
            **options,
        )
        u = reduced.restored(solution.u)
        solution = solution.changed(u=u if reduced.w is None else mean_free(u))
        if removed is None:
            return solution
        shares = zip(solution.members, removed.ravel().tolist(), strict=True)
        members = (replace(m, removed=share) for m, share in shares)
        return replace(solution, removed=float(np.max(removed)), members=tuple(members))

    def symmetric_cycle(self, cycle: str, levels: Levels, fused: bool, r: Array) -> Array:
        return self.reduction.mean_free(self.cycles(cycle, levels, r, None, How(fused, symmetric=True))[0])

    def incompatible_share(self, f: Array, sides: Sides, allowed: float | None) -> Sizes | None:
        """As `pde.problem.compatibility.incompatible_share` where the problem is singular, else None."""
        if not self.nested.singular:
            return None
        return incompatible_share(f, sides, self.problem.grid, self.problem.terms, self.volumes, allowed)

    def _rounding(self, u: Array, sizes: Sizes, unit: Any) -> Sizes:
        """The residual that rounding leaves of each member: eps (2 ||D u|| + ||f||), where `sizes` are the ||f||.

        D is the diagonal of A. Where a jumps that is far less than with ||A||, which is the largest a everywhere.
        """
        A: Any = self.nested.hierarchy.levels[0].A
        return np.asarray(np.finfo(self.dtype).eps * (2 * unit * self.volumes.rms(A.diagonal * u) + sizes))


def showing(
    callback: Callable[[Progress], Any], reduced: Reduced, mean_free: Callable[[Array], Array]
) -> Callable[[Progress], Any]:
    """A callback that is shown u itself, as the solution would be."""
    if reduced.w is None and reduced.unit is None:
        return callback
    return lambda progress: callback(replace(progress, u=mean_free(reduced.restored(copied(progress.u)))))
