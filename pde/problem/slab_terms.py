"""Coefficients whose fields are divided among ranks: the same choices and numbers as of whole arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from pde.common.ranks import Ranks
from pde.problem.coefficients import (
    TURNING,
    Terms,
    axis_first,
    grid_fluxes,
    grid_resistances,
    largest_jump,
    volume_shares,
)
from pde.problem.grid import Array, Grid
from pde.problem.slab import slab_of
from pde.problem.slab_field import SlabField


@dataclass(frozen=True, eq=False, repr=False)
class SlabTerms(Terms):
    """`Terms` with a `SlabField` in the place of each array but `betas`, which every rank holds whole.

    `resistances` across axis 0 have a plane for each face; around a periodic axis the first face is the last one too,
    and there is one plane for both. Methods and most properties are collective, as those of `SlabField`.
    """

    ranks: Ranks | None = None

    @property
    def has_reaction(self) -> bool:
        return bool(np.min(self.reaction) != 0 or np.max(self.reaction) != 0)

    @cached_property
    def typical(self) -> tuple[float, ...]:
        means = {id(a): float(np.exp(_logs(a).sum() / a.size)) for a in self._distributed()}
        return tuple(a if isinstance(a, float) else means[id(a)] for a in self.diffusion)

    def beside(self, axis: int, side: int) -> Any:
        a: Any = self.diffusion[axis]
        return a if isinstance(a, float) else a.layer(axis, side)

    def across_side(self, grid: Grid, axis: int, side: int) -> tuple[Array, Array | None, Any]:
        """The coefficients in the layer beside a side, which is whole on every rank."""
        resistance: Any = self.resistances[axis] if self.resistances else None
        a, betas = self.beside(axis, side), self.betas_of(axis)
        if isinstance(a, float) and resistance is None and betas is None:
            return axis_first(grid, Terms(self.diffusion), axis)
        shape = grid.shape[:axis] + grid.shape[axis + 1 :]
        a = np.broadcast_to(a, shape)[None]
        return a, None if resistance is None else resistance.layer(axis, side)[None], betas

    def mean_reaction(self, grid: Grid) -> float:
        c: Any = self.reaction
        if isinstance(c, float):
            return super().mean_reaction(grid)
        return c.map(lambda values: np.abs(values) * volume_shares(grid, slice(c.begin, c.end))).sum()

    def largest_ratio(self, grid: Grid) -> float:
        return float(np.exp(max((_largest_jump(_logs(a), grid) for a in self._distributed()), default=0.0)))

    def reaction_jumps(self, grid: Grid) -> bool:
        c: Any = self.reaction
        return not isinstance(c, float) and _largest_jump(c, grid) > max(-c.min(), c.max()) / 2

    def strong_axis_turns(self, grid: Grid) -> bool:
        axes = [a for a, n in enumerate(grid.shape) if n > 1]
        pairs = [(self.diffusion[a], self.diffusion[b]) for a, b in combinations(axes, 2)]
        return any(_spread(a, b) > np.log(TURNING) for a, b in pairs if a is not b)

    def part(self, grid: Grid, begin: int, end: int) -> tuple[Grid, Terms]:
        """The planes begin, ..., end - 1 of the grid, and their coefficients; counted on around a periodic axis.

        Each rank asks for its own planes, and may ask for none; see `Slab` on their ends.
        """
        here, across = slab_of(grid, begin, end), self.resistances[0] if self.resistances else None
        known: dict[int, Array] = {}

        def planes(field: Any) -> Any:
            if not isinstance(field, SlabField):
                return field
            if id(field) not in known:
                known[id(field)] = field.window(begin, end + (field is across and begin < end))
            return known[id(field)]

        betas = {}
        for (a, side), beta in self.betas.items():
            if a > 0:
                betas[a, side] = beta[here.axes[0].numbers]  # type: ignore[attr-defined]
            elif (begin == 0, end == grid.shape[0])[side]:
                betas[a, side] = beta
        diffusion: Any = [planes(a) for a in self.diffusion]
        if isinstance(diffusion[0], float) and self.betas_of(0) and not any(a == 0 for a, _ in betas):
            diffusion[0] = np.full(here.shape, diffusion[0])
        resistances = tuple(map(planes, self.resistances))
        return here, Terms(tuple(diffusion), planes(self.reaction), resistances, betas)

    def whole(self, grid: Grid) -> Terms:
        """The coefficients as arrays that every rank holds."""
        return self.part(grid, 0, grid.shape[0])[1]

    def faces(self, grid: Grid, begin: int, end: int) -> tuple[list[Array], Any]:
        """`grid_fluxes` of each axis on the planes begin, ..., end - 1, across axis 0 at all of their faces, and c."""
        low, high = within(grid, begin - 1, end + 1) if begin < end else (0, 0)
        here, terms = self.part(grid, low, high)
        found = []
        for a in range(grid.ndim):
            if varies_across(self, a):
                flux = grid_fluxes(here, terms, a) if begin < end else np.zeros((0, *_more(grid.shape, a)[1:]))
                found.append(flux[begin - low : end - low + (a == 0 and begin < end)])
            else:
                found.append(grid_fluxes(grid, Terms(self.diffusion), a))
        c: Any = terms.reaction
        return found, c if isinstance(c, float) else c[begin - low : end - low]

    def resistances_along(self, grid: Grid, axis: int) -> Any:
        """`grid_resistances` along an axis where a varies, as a `SlabField`."""
        known: Any = self.resistances[axis] if self.resistances else None
        a: Any = self.diffusion[axis]
        if known is not None:
            return known
        cuts = a.cuts.copy()
        cuts[-1] += axis == 0 and not grid.axes[0].periodic
        begin, end = map(int, cuts[a.ranks.rank : a.ranks.rank + 2])
        low, high = a.begin, a.end
        if axis == 0:
            low, high = within(grid, begin - 1, end) if begin < end else (0, 0)
        values = a.window(low, high) if axis == 0 else a.values
        if begin < end:
            found = grid_resistances(slab_of(grid, low, high), Terms((values,) * grid.ndim), axis)
            found = np.ascontiguousarray(found[begin - low : end - low])
        else:
            found = np.zeros((0, *_more(grid.shape, axis)[1:]))
        return SlabField(a.ranks, cuts, found)

    def _distributed(self) -> list[SlabField]:
        found: Any = self._fields()
        return found


def varies_across(terms: Terms, axis: int) -> bool:
    """Whether coefficients along an axis are fields: `axis_coefficients` has one number for each point."""
    known = terms.resistances[axis] if terms.resistances else None
    return not isinstance(terms.diffusion[axis], float) or known is not None or terms.betas_of(axis) is not None


def within(grid: Grid, begin: int, end: int) -> tuple[int, int]:
    """Planes that are there: around a periodic axis all are."""
    return (begin, end) if grid.axes[0].periodic else (max(begin, 0), min(end, grid.shape[0]))


def _more(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return tuple(n + (a == axis) for a, n in enumerate(shape))


def _logs(field: SlabField) -> SlabField:
    return field.map(np.log)


def _largest_jump(field: SlabField, grid: Grid) -> float:
    """The largest change between neighbours, of which one may be the first plane of another rank."""
    begin, end = field.begin, field.end
    low, high = within(grid, begin, end + 1) if begin < end else (0, 0)
    planes = field.window(low, high)
    own = largest_jump(planes, slab_of(grid, low, high)) if begin < end else 0.0
    return float(field.ranks.most(own))


def _spread(a: Any, b: Any) -> float:
    """The largest less the smallest value of log a - log b."""
    field = next((x for x in (a, b) if isinstance(x, SlabField)), None)
    if field is None:
        return 0.0
    logs = [np.log(x.values if isinstance(x, SlabField) else x) for x in (a, b)]
    low, high = field.map(lambda _: logs[0] - logs[1]).extremes
    return high - low
