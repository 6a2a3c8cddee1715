"""Right-hand sides in batches: any leading axes become one axis of members, and come back in the result."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from mgcore import Solution
from mgcore.solution import summary
from pde.problem.grid import Array, Sides
from pde.solver.output import same_numbers


def axes_of(key: Any, ndim: int) -> int:
    """The number of axes of a member's boundary data: of a side, or of the list of all faces of the walls."""
    return 1 if key == "walls" else ndim - 1


def one_batch_axis(sides: Sides, ndim: int) -> Sides:
    """Boundary data with one axis for the members where they differ between them, and none where they do not."""
    axes = {key: axes_of(key, ndim) for key in sides}
    return {
        key: v if v.ndim <= axes[key] else v.reshape(-1, *v.shape[v.ndim - axes[key] :]) for key, v in sides.items()
    }


def with_removed(solution: Solution, removed: np.ndarray) -> Solution:
    """The solution of a batch that tells the share of f that was removed of each member."""
    shares = zip(solution.members, removed.ravel().tolist(), strict=True)
    members = tuple(member.changed(removed=share) for member, share in shares)
    return solution.changed(removed=float(np.max(removed)), members=members)


def with_complex_members(solution: Solution) -> Solution:
    """The solution of a batch whose first half holds the real parts of its members, its second the imaginary parts."""
    half = len(solution.members) // 2
    pairs = zip(solution.members[:half], solution.members[half:], strict=True)
    return solution.changed(members=tuple(_both(*pair) for pair in pairs))


def _both(real: Solution, imaginary: Solution) -> Solution:
    """One solution of its two parts: the worse of each of their numbers."""
    removed = None if real.removed is None or imaginary.removed is None else max(real.removed, imaginary.removed)
    both = summary(None, (real, imaginary), max(real.seconds, imaginary.seconds))
    return both.changed(members=(), removed=removed)


class SolutionOfBatch(Solution):
    """The solution of a batch all of whose members have converged; it makes their own when they are asked for."""

    _norms: np.ndarray
    _counts: np.ndarray
    _tolerances: np.ndarray
    _units: dict[int, float]
    _ndim: int

    @cached_property
    def members(self) -> tuple[Solution, ...]:
        each = self.u.reshape(-1, *self.u.shape[self.u.ndim - self._ndim :])
        rows = zip(each, self._norms.tolist(), self._counts.tolist(), self._tolerances.tolist(), strict=True)
        one, told = Solution(None, True, "converged", (), 0, self.seconds, 0.0), self._units
        return tuple(
            [
                one.changed(u=u, residual_norms=(1.0, *norms[:n]), cycles=n, tolerance=tolerance, work_units=told[n])
                for u, norms, n, tolerance in rows
            ]
        )


def solution_of_batch(
    u: Array,
    norms: np.ndarray,
    counts: np.ndarray,
    tolerances: np.ndarray,
    seconds: float,
    units: dict[int, float],
    ndim: int,
) -> Solution:
    """The solution of members that have converged.

    Args:
        u: with any batch axes in front.
        norms: relative residuals after each cycle, (members, cycles); `counts` is how many of them each member has.
        units: work units by the number of cycles.
    """
    cycles = int(counts.max())
    norms = norms[:, :cycles]
    last = norms[np.arange(len(norms)), counts - 1]
    largest = np.where(np.arange(cycles) < counts[:, None], norms, last[:, None]).max(axis=0)
    mean = sum([units[n] for n in counts.tolist()]) / len(counts)
    whole = Solution(u, True, "converged", (1.0, *largest.tolist()), cycles, seconds, float(tolerances.max()))
    made = object.__new__(SolutionOfBatch)
    values = {name: value for name, value in vars(whole).items() if name != "members"}
    own = {"_norms": norms, "_counts": counts, "_tolerances": tolerances, "_units": units, "_ndim": ndim}
    vars(made).update(values, work_units=mean, **own)
    return made


def delivered(solution: Solution, u: Array, ndim: int) -> Solution:
    """The solution of a batch with u in its final memory and shape; without batch axes, that of the only member."""
    batch = u.shape[: u.ndim - ndim]
    if not batch:
        return solution.members[0].changed(u=u)
    if len(batch) == 1 and same_numbers(u, solution.u):  # members show parts of it already
        return solution.changed(u=u)
    each = u if len(batch) == 1 else [u[index] for index in np.ndindex(*batch)]
    members = zip(each, solution.members, strict=True)
    return solution.changed(u=u, members=tuple([member.changed(u=own) for own, member in members]))
