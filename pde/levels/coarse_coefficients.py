"""Coefficients of a coarse grid from the coefficients of the fine one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pde.levels.axis_maps import gather
from pde.levels.black_box import OperatorTransfer
from pde.levels.interpolation_1d import as_weights, restriction_matrix
from pde.levels.slab_maps import applied
from pde.levels.transfers import BilinearTransfer, MatrixTransfer
from pde.levels.truncated import TruncatedTransfer
from pde.problem.coefficients import Terms
from pde.problem.grid import Array, Axis, Grid
from pde.problem.slab_field import SlabField

F8 = np.dtype(float)


def coarse_terms(
    terms: Terms,
    grid: Grid,
    which: tuple[bool, ...],
    transfer: BilinearTransfer | MatrixTransfer | TruncatedTransfer,
    between: bool,
) -> Terms:
    """The coefficients at the coarse points, or their means over merged cells.

    The reaction at the points is a weighted mean, so that the coarse one has the same integral.

    Args:
        between: keep the diffusion between the coarse points too, as `Terms.resistances`.
    """

    def inject(values: float | Array) -> float | Array:
        if isinstance(values, float):
            return values
        if isinstance(transfer, OperatorTransfer | TruncatedTransfer):
            return values[np.ix_(*transfer.kept)]
        return at_coarse_points(values, grid, which)

    c = terms.reaction
    if isinstance(transfer, TruncatedTransfer):
        return Terms(tuple(map(inject, terms.diffusion)), inject(c))
    resistances: tuple[Array | None, ...] = ()
    weighted = isinstance(transfer, OperatorTransfer) or not any(axis.cell for axis in grid.axes)
    reaction = applied(transfer.restrict, c, grid) if weighted and not isinstance(c, float) else inject(c)
    if between and terms.varies:
        resistances = tuple(
            None
            if isinstance(a, float)
            else _coarse_resistances(terms.resistances_along(grid, axis), grid, which, axis)
            for axis, a in enumerate(terms.diffusion)
        )
    kept = transfer.kept if isinstance(transfer, OperatorTransfer) else None
    betas = {key: _coarse_beta(beta, grid, which, key[0], kept) for key, beta in terms.betas.items()}
    once = {id(a): inject(a) for a in terms.diffusion}
    diffusion = tuple(once[id(a)] for a in terms.diffusion)
    made = replace(terms, diffusion=diffusion, reaction=reaction, resistances=resistances, betas=betas)
    return replace(made, domain=None, tensor=None)


def at_coarse_points(values: float | Array, grid: Grid, which: tuple[bool, ...]) -> float | Array:
    """Values at the coarse points, or their means over merged cells."""
    if not isinstance(values, float):
        for a, halve in enumerate(which):
            if halve:
                values = applied(gather(grid.axes[a], a, grid.ndim, F8, Axis.injection), values, grid)
    return values


def _coarse_beta(beta: Array, grid: Grid, which: tuple[bool, ...], across: int, kept: list[Array] | None) -> Array:
    """Beta of a side across an axis: means around the coarse points, or its values at the points `kept`."""
    others = [a for a in range(grid.ndim) if a != across]
    if kept is not None:
        return beta[np.ix_(*(kept[a] for a in others))]
    for position, a in enumerate(others):
        if which[a]:
            beta = gather(grid.axes[a], position, len(others), F8, _mean)(beta)
    return beta


def _coarse_resistances(fine: Any, grid: Grid, which: tuple[bool, ...], axis: int) -> Any:
    """Resistances in series along the axis; those side by side across it add up as conductances, in their mean.

    Values at coarse points alone miss the coefficient between them: V(1,1) on a smooth one that varies by ten then took
    up to 0.36 per cycle instead of 0.17.
    """
    if which[axis]:
        fine = applied(gather(grid.axes[axis], axis, grid.ndim, F8, _series), fine, grid)
    conductance = _inverse(fine)
    for a, across in enumerate(grid.axes):
        if which[a] and a != axis:
            conductance = applied(gather(across, a, grid.ndim, F8, _mean), conductance, grid)
    return _inverse(conductance)


def _inverse(values: Any) -> Any:
    """1 / values, and 0 for 0: an end that is an unknown has no distance to it."""
    if isinstance(values, SlabField):
        return values.map(_inverse)
    return np.divide(1.0, values, out=np.zeros_like(values), where=values != 0)


def _series(fine: Axis) -> tuple[Array, Array]:
    """(indices, weights), (k, coarse n + 1): the share of every fine interval that lies in each coarse one."""
    coarse = fine.coarsen()
    if fine.periodic:
        p = np.concatenate((fine.points, fine.points + fine.length, fine.points[:1] + 2 * fine.length))
        q = np.append(coarse.points, coarse.points[0] + fine.length)
    else:
        p, q = (np.concatenate((axis.nodes[:1], axis.points, axis.nodes[-1:])) for axis in (fine, coarse))
    first = np.minimum(np.searchsorted(p, q[:-1], side="right") - 1, len(p) - 2)
    last = np.maximum(np.searchsorted(p, q[1:], side="left") - 1, first)
    indices = first + np.arange(int((last - first).max()) + 1)[:, None]
    inside = np.minimum(indices, len(p) - 2)
    overlap = np.minimum(p[inside + 1], q[1:]) - np.maximum(p[inside], q[:-1])
    length = p[inside + 1] - p[inside]
    weights = np.where(indices <= last, overlap / np.where(length > 0, length, 1.0), 0.0)
    weights[abs(weights) < 1e-12] = 0.0  # points that differ by rounding
    if not fine.periodic:
        return inside, weights
    around = inside % fine.n + 1
    return np.column_stack((around[:, -1:], around)), np.column_stack((weights[:, -1:], weights))


def _mean(fine: Axis) -> tuple[Array, Array]:
    """(indices, weights) of the mean over merged cells, or of full weighting at points."""
    coarse = fine.coarsen()
    if coarse.cell:
        return fine.injection()
    indices, weights = as_weights(restriction_matrix(fine, coarse))
    return indices, weights / weights.sum(axis=0)
