"""Compiled levels of a nonlinear hierarchy; the plain ones specify them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pde.backends.numba.nonlinear.kernels import across_rows, along_rows
from pde.backends.numba.nonlinear.operator import CompiledOperator
from pde.levels.axis_maps import AlongAxes, Gather
from pde.levels.hierarchy import Hierarchy
from pde.levels.transfers import BilinearTransfer
from pde.problem.grid import Array

SMALLEST = 1 << 9
"""Unknowns of a level from which on a call of compiled code is cheaper than NumPy."""


@dataclass(frozen=True, eq=False)
class CompiledGather(Gather):
    """A map along one axis by compiled loops, with the indices and weights of its summands, (summands, new values)."""

    indices: Array
    weights: Array

    @classmethod
    def of(cls, plain: Gather, dtype: np.dtype) -> CompiledGather:
        parts = [(_numbers(i), np.ravel(w)) for i, w in plain.parts]
        weights = np.stack([np.broadcast_to(w, len(i)) for i, w in parts])
        return cls(plain.parts, plain.axis, np.stack([i for i, _ in parts]), weights.astype(dtype))

    def __call__(self, u: Array) -> Array:
        axis, count = u.ndim + self.axis, self.indices.shape[1]
        before, behind = u.shape[:axis], u.shape[axis + 1 :]
        new, old = (
            np.empty((*before, count, *behind), self.weights.dtype),
            np.require(u, self.weights.dtype, ["C", "W"]),
        )
        if behind:
            inner = int(np.prod(behind))
            across_rows(
                new.reshape(-1, count, inner), old.reshape(-1, u.shape[axis], inner), self.indices, self.weights
            )
        else:
            along_rows(new.reshape(-1, count), old.reshape(-1, u.shape[axis]), self.indices, self.weights)
        return new


def _numbers(indices: Any) -> Array:
    if isinstance(indices, slice):
        return np.arange(indices.start, indices.stop, indices.step)
    return np.asarray(indices, dtype=np.int64)


def compiled(hierarchy: Hierarchy, smallest: int | None = None) -> Hierarchy:
    """The hierarchy with compiled sweeps, operators and transfers on levels of `smallest` unknowns at least."""
    levels = list(hierarchy.levels)
    interpolations = list(hierarchy.interpolations)
    dtype = hierarchy.choices.dtype
    for number, level in enumerate(levels[:-1]):
        A = level.A
        if A.grid.size < (smallest or SMALLEST):
            break
        if A.laws.coefficient is None and A.laws.gradient is None:
            A = CompiledOperator(A)
        P: Any = level.P
        transfer = _transfer(P, dtype)
        levels[number] = replace(
            level,
            A=A,
            B=[replace(B, A=A) for B in level.B],
            B_post=[replace(B, A=A) for B in level.B_post],
            R=transfer.adjoint(),
            P=transfer,
            info=replace(level.info, operator=A, to_coarse=transfer),
        )
        each = interpolations[number]
        axes = {a: CompiledGather.of(gather, dtype) for a, gather in each._axes.items()}
        interpolations[number] = each.changed(_axes=axes, restrict_data=_map(each.restrict_data, dtype))
    return replace(hierarchy, levels=levels, interpolations=interpolations)


def _transfer(transfer: BilinearTransfer, dtype: np.dtype) -> BilinearTransfer:
    return transfer.changed(prolong=_map(transfer.prolong, dtype), restrict=_map(transfer.restrict, dtype))


def _map(along: Any, dtype: np.dtype) -> AlongAxes:
    return AlongAxes(tuple(CompiledGather.of(step, dtype) for step in along.steps))
