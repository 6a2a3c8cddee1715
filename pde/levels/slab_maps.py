"""Maps along axes, of fields that are divided among ranks: planes come from the ranks that have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.levels.axis_maps import AlongAxes, Gather
from pde.problem.grid import Axis, Grid
from pde.problem.slab_field import SlabField


def applied(maps: Any, values: Any, grid: Grid) -> Any:
    """`maps` of an array, or of a `SlabField`, to a coarser grid; the values of each plane have the same bits."""
    if not isinstance(values, SlabField):
        return maps(values)
    for step in maps.steps if isinstance(maps, AlongAxes) else [maps]:
        values = _across(step, values, grid.axes[0]) if step.axis == -values.ndim else values.map(step)
    return values


def _across(step: Gather, field: SlabField, fine: Axis) -> SlabField:
    """A map across planes, of which each rank makes those that begin in its own."""
    n, coarse = field.shape[0], fine.coarsen()
    m = coarse.n + (n - fine.n)  # there is one face more than planes, or as many
    rows = [np.arange(i.start, i.stop, i.step) if isinstance(i, slice) else i for i, _ in step.parts]
    rows = [i[:m] for i in rows]
    if fine.periodic:  # planes that are near, before the first or behind the last
        rows = [i + n * np.round((np.arange(m) * n / m - i) / n).astype(int) for i in rows]
    cuts = np.searchsorted(np.maximum.accumulate(rows[0]), field.cuts)
    cuts[0], cuts[-1] = 0, m
    own = slice(*cuts[field.ranks.rank : field.ranks.rank + 2])
    rows, some = [i[own] for i in rows], own.start < own.stop
    low, high = (min(i.min() for i in rows), max(i.max() for i in rows) + 1) if some else (0, 0)
    weights = [w if isinstance(w, float) else w[own] for _, w in step.parts]
    local = Gather([(i - low, w) for i, w in zip(rows, weights, strict=True)], step.axis)
    return SlabField(field.ranks, cuts, local(field.window(low, high)))
