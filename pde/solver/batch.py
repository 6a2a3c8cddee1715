"""Right-hand sides in batches: any leading axes become one axis of members, and come back in the result."""

from __future__ import annotations

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
