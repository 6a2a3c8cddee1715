"""Right-hand sides in batches: any leading axes become one axis of members, and come back in the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mgcore import Progress, Solution
from pde.common.arrays import copied, is_tensor, namespace, zeros
from pde.problem.grid import Array, Sides


def select(v: Array, members: Any) -> Array:
    """A copy of one member or of some, that keeps nothing else in memory; a view where there is but one."""
    one = isinstance(members, int)
    if len(v) == 1:
        return v[0] if one else v
    return copied(v[members]) if one else v[members]


def stack(members: Sequence[Array | None], like: Array, own: Array | None) -> Array:
    """A batch of these members, None being zero, that shares no memory with `own`, an array of the user's."""
    arrays = [zeros(like.shape[1:], like) if u is None else u for u in members]
    if len(arrays) == 1 and (own is None or not _share_memory(arrays[0], own)):
        return arrays[0][None]
    return namespace(like).stack(arrays)


def _share_memory(v: Array, w: Array) -> bool:
    if is_tensor(v):
        return v.untyped_storage().data_ptr() == w.untyped_storage().data_ptr()  # type: ignore[attr-defined]
    return np.shares_memory(v, w)


def one_batch_axis(sides: Sides, ndim: int) -> Sides:
    """Boundary data with one axis for the members where they differ between them, and none where they do not."""
    return {key: v if v.ndim < ndim else v.reshape(-1, *v.shape[v.ndim - ndim + 1 :]) for key, v in sides.items()}


def select_sides(sides: Sides, members: Array, ndim: int) -> Sides:
    """The boundary data of these members, of data from `one_batch_axis`."""
    return {key: v if v.ndim < ndim else v[members] for key, v in sides.items()}


def with_shape(callback: Callable[[Progress], Any] | None, shape: tuple[int, ...]) -> Callable[[Progress], Any] | None:
    """A callback that is shown u in this shape."""
    return None if callback is None else lambda progress: callback(replace(progress, u=progress.u.reshape(shape)))


def delivered(solution: Solution, u: Array, ndim: int) -> Solution:
    """The solution of a batch with u in its final place and shape; without batch axes, that of the only member."""
    batch = u.shape[: u.ndim - ndim]
    if not batch:
        return solution.members[0].changed(u=u)
    places = zip(np.ndindex(*batch), solution.members, strict=True)
    return solution.changed(u=u, members=tuple(member.changed(u=u[index]) for index, member in places))
