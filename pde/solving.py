"""Cycles to a tolerance for a batch of right-hand sides, in the inner product of control volumes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import mgcore
from mgcore import Solution
from mgcore.solve import Remaining
from pde.arrays import as_numpy
from pde.batch import select, select_sides, stack
from pde.boundary import fold
from pde.fast import Measured
from pde.grid import Array, Sides
from pde.hierarchy import symmetric
from pde.krylov import ConjugateGradients
from pde.nested import NestedIteration
from pde.norms import Volumes
from pde.poisson import Poisson
from pde.running import Cycles, How, Levels, MixedCycles
from pde.trace import Trace


@dataclass(frozen=True)
class BatchSolver:
    """Solves for f where the cycles run, until the true residual is small enough; see `pde.Multigrid.solve`.

    Args:
        problem: what is solved.
        nested: the pass of full multigrid.
        cycles: the cycles after it.
        volumes: of the finest grid.
        dtype: of data and residuals.
    """

    problem: Poisson
    nested: NestedIteration
    cycles: Cycles | MixedCycles
    volumes: Volumes
    dtype: np.dtype

    def __call__(
        self,
        f: Array,
        sides: Sides,
        u0: Array | None,
        cycle: str,
        accel: str | None,
        incompatible: float | None,
        trace: Trace,
        room: Array | None,
        **options: Any,
    ) -> Solution:
        """`pde.Multigrid.solve` for f of shape (members, *shape) that has been read; u too has this shape.

        Args:
            room: an array in which the iterates of kernels may be.
            options: those of `mgcore.solve_batch`.
        """
        A, volumes, mean_free = self.nested.hierarchy.levels[0].A, self.volumes, self.mean_free
        folded, removed = self.compatible(fold(f, sides, self.problem.grid, self.problem.terms), incompatible)
        scales, active = volumes.rms(folded), np.arange(len(f))
        levels: Levels = self.cycles.levels if accel is None else symmetric(list(self.cycles.levels))
        levels = trace.watch(levels, folded)
        kind, accelerate = "V" if cycle == "fmg" else cycle, None
        fused, measured = not trace.watches and self.cycles.ready(symmetric=accel is not None), Measured()
        if accel is not None:
            accelerate = ConjugateGradients(A, partial(self.symmetric_cycle, cycle, levels, fused), volumes, mean_free)

        fast = self.cycles.fast if isinstance(self.cycles, Cycles) and fused else None

        def whole() -> Array | None:
            return None if room is None or len(active) < len(f) else room.reshape(f.shape)

        def one_cycle(folded: Array, u: Array | None) -> Array:
            norms = None
            if accelerate is not None:
                u = accelerate(folded, u)
            elif u is None and cycle == "fmg":
                some = select(f, active), select_sides(sides, active, self.problem.ndim)
                u, norms = self.nested(levels, *some, fused, whole())
            else:
                in_place = u is not u0 and options["callback"] is None
                u, norms = self.cycles(kind, levels, folded, u, How(fused, in_place=in_place))
            return measured.keep(mean_free(u), norms)

        def several(folded: Array, u: Array | None, members: list[Remaining]) -> tuple[Array, list[list[float]]] | None:
            nested = u is None and cycle == "fmg"
            if fast is None or (nested and not self.nested.is_plain(sides)) or not fast.at_hand(members):
                return None
            out = u if u is not None and u is not u0 else whole()
            return fast.solve(cycle if nested else kind, folded, u, out, members)

        def keep(members: list[int]) -> None:
            nonlocal active
            active = active[members]
            if accelerate is not None:
                accelerate.keep(members)

        solution = mgcore.solve_batch(
            one_cycle,
            lambda f, u: measured.residual(u) or (f if u is None else f - A(u)),
            lambda r: r if isinstance(r, list) else (scales if r is folded else volumes.rms(r)).tolist(),
            folded,
            u0,
            select=select,
            stack=partial(stack, like=f, own=u0),
            keep=keep,
            several=None if fast is None or accel is not None or self.nested.singular else several,
            rounding=lambda u: self._rounding(scales[active], u).tolist(),
            **options,
        )
        if self.nested.singular and u0 is not None:  # a first guess that no cycle has changed
            solution.u[:] = mean_free(solution.u)
        if removed is None:
            return solution
        members = (replace(m, removed=float(share)) for m, share in zip(solution.members, removed, strict=True))
        return replace(solution, removed=float(np.max(removed)), members=tuple(members))

    def symmetric_cycle(self, cycle: str, levels: Levels, fused: bool, r: Array) -> Array:
        return self.mean_free(self.cycles(cycle, levels, r, None, How(fused, symmetric=True))[0])

    def mean_free(self, u: Array) -> Array:
        """u, of zero mean where the problem is singular."""
        return self.volumes.without_mean(u) if self.nested.singular else u

    def compatible(self, f: Array, allowed: float | None) -> tuple[Array, Array | None]:
        """f without its mean where the problem is singular, and the means that it had, relative to its norms.

        Raises:
            ValueError: f has more of a mean than `allowed`.
        """
        if not self.nested.singular:
            return f, None
        if allowed is None:
            h = max(float(axis.spacing.max() / axis.length) for axis in self.problem.grid.axes)
            allowed = max(1e-2, 10 * h**2)
        size = self.volumes.rms(f)
        share = abs(as_numpy(self.volumes.mean(f))) / np.where(size > 0, size, 1)
        if np.max(share) > allowed:
            raise ValueError(
                "f does not fit this singular problem (no Dirichlet or Robin side, no reaction): the mean of f, with g "
                f"folded in, must be zero; it is {np.max(share):.1e} of the norm, and incompatible={allowed:.1e} may "
                "be removed"
            )
        return self.volumes.without_mean(f), share

    def _rounding(self, scales: Array, u: Array) -> Array:
        """What rounding leaves of the residual of each member: eps (2 ||D u|| + ||f||); `scales` are the ||f||.

        D is the diagonal of A. Where a jumps that is far less than with ||A||, which is the largest a everywhere.
        """
        A: Any = self.nested.hierarchy.levels[0].A
        size = self.volumes.rms(A.diagonal * u)
        return np.asarray(np.finfo(self.dtype).eps * (2 * size + scales))
