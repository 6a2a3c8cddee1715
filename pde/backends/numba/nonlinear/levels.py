"""Compiled levels of a nonlinear hierarchy; the plain ones specify them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pde.backends.numba.nonlinear.kernels import across_rows, along_rows
from pde.backends.numba.nonlinear.operator import CompiledOperator
from pde.levels.axis_maps import AlongAxes, Gather
from pde.levels.hierarchy import Hierarchy
from pde.levels.transfers import BilinearTransfer
from pde.problem.grid import Array

SMALLEST = 1 << 12
"""Unknowns of a level from which on a call of compiled code is cheaper than NumPy."""


class CompiledGather(Gather):
    """A map along one axis by compiled loops."""

    def __init__(self, plain: Gather, dtype: np.dtype) -> None:
        super().__init__(plain.parts, plain.axis)
        lines = [(_numbers(i), np.ravel(w)) for i, w in plain.parts]
        count = max(len(i) for i, _ in lines)
        vars(self)["_indices"] = np.stack([i for i, _ in lines])
        vars(self)["_weights"] = np.stack([np.broadcast_to(w, count) for _, w in lines]).astype(dtype)

    def __call__(self, u: Array) -> Array:
        indices, weights = vars(self)["_indices"], vars(self)["_weights"]
        axis = u.ndim + self.axis
        new = np.empty((*u.shape[:axis], indices.shape[1], *u.shape[axis + 1 :]), u.dtype)
        old = np.ascontiguousarray(u)
        if self.axis == -1:
            along_rows(new.reshape(-1, new.shape[-1]), old.reshape(-1, old.shape[-1]), indices, weights)
        else:
            inner = int(np.prod(u.shape[axis + 1 :]))
            across_rows(*(x.reshape(-1, x.shape[axis], inner) for x in (new, old)), indices, weights)
        return new


def _numbers(indices: Any) -> Array:
    if isinstance(indices, slice):
        return np.arange(indices.start, indices.stop, indices.step)
    return np.asarray(indices, dtype=np.int64)


def compiled(hierarchy: Hierarchy) -> Hierarchy:
    """The hierarchy with compiled sweeps, operators and transfers on its large levels."""
    levels = list(hierarchy.levels)
    interpolations = list(hierarchy.interpolations)
    dtype = hierarchy.choices.dtype
    for number, level in enumerate(levels[:-1]):
        A = level.A
        if A.grid.size < SMALLEST or A.grid.ndim == 1:
            break
        if A.laws.coefficient is None and A.laws.gradient is None:
            A = CompiledOperator(A)
        transfer = _transfer(level.P, dtype)
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
        axes = {a: CompiledGather(gather, dtype) for a, gather in each._axes.items()}
        interpolations[number] = each.changed(_axes=axes, restrict_data=_map(each.restrict_data, dtype))
    return replace(hierarchy, levels=levels, interpolations=interpolations)


def _transfer(transfer: BilinearTransfer, dtype: np.dtype) -> BilinearTransfer:
    return transfer.changed(prolong=_map(transfer.prolong, dtype), restrict=_map(transfer.restrict, dtype))


def _map(along: Any, dtype: np.dtype) -> AlongAxes:
    return AlongAxes(tuple(CompiledGather(step, dtype) for step in along.steps))
