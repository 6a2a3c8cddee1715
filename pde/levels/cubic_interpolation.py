"""What full multigrid takes between a grid and its coarsening: first guesses, data and boundary data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pde.common.arrays import expand, like, namespace, numpy_dtype, zeros
from pde.levels.interpolation_1d import Gather, cubic, data_matrix, linear, linear_along_side, linear_matrix, parts_of
from pde.problem.grid import Array, Axis, Grid, Sides, window


class CubicInterpolation:
    """Interpolation for full multigrid: cubic along each coarsened axis, through the boundary values of its ends."""

    def __init__(self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, rediscretised: bool = True) -> None:
        """`rediscretised` as in `one_axis.cubic`."""
        self.fine, self.which = fine, which
        self.restrict_data = DataRestriction(fine, which, dtype)
        self._axes: dict[int, Gather] = {}
        for a, axis in enumerate(fine.axes):
            if which[a]:
                self._axes[a] = Gather(parts_of(axis, dtype, cubic, axis.coarsen(), rediscretised), a, fine.ndim)

    def __call__(self, u: Array, sides: Sides) -> Array:
        """From the coarse unknowns u to the fine ones; `sides` are the boundary data of the fine grid."""
        waiting = list(self._axes)
        for a, interpolate in self._axes.items():
            waiting.remove(a)
            u = interpolate(self._with_ends(u, a, sides, waiting))
        return u

    def _with_ends(self, u: Array, a: int, sides: Sides, waiting: Sequence[int]) -> Array:
        """u with the values at the Dirichlet ends of axis a; the axes in `waiting` are still coarse."""
        ndim, parts = self.fine.ndim, [u]
        for side in (0, 1):
            if self.fine.axes[a].sides[side].kind != "dirichlet":
                continue
            values = sides.get((a, side))
            if values is None:
                end = namespace(u).zeros_like(u[window(a, ndim, slice(0, 1))])
            else:
                end = expand(coarsen_side(values, self.fine, a, waiting), a - ndim)
                end = namespace(u).broadcast_to(end, u[window(a, ndim, slice(0, 1))].shape)
            parts.insert(0 if side == 0 else len(parts), end)
        return namespace(u).concatenate(parts, axis=a - ndim)


class BoundaryTerm:
    """E g: what boundary data add to linear interpolation, P u + E g, in the points beside the ends of coarsened axes.

    Galerkin right-hand sides need it: u is P u_c + E g with the g of the coarse grid, so that R A (P u_c + E g) = R f.
    """

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, diffusion: Sequence[tuple[float, float]]
    ) -> None:
        """`diffusion` is a of the two sides per axis, as in `BilinearTransfer`."""
        self.fine, self._shape = fine, fine.coarsen(which).shape
        self._axes: dict[int, tuple[Gather, Array]] = {}
        for a, axis in enumerate(fine.axes):
            if which[a]:
                _, Q = linear(axis, axis.coarsen(), diffusion[a])
                P = parts_of(axis, dtype, linear_matrix, axis.coarsen(), diffusion[a])
                self._axes[a] = Gather(P, a, fine.ndim), Q.astype(dtype)
        self._along = {
            (across, a): Gather(
                parts_of(axis, dtype, linear_along_side, axis.coarsen()), a - (a > across), fine.ndim - 1
            )
            for across in self._axes
            for a, axis in enumerate(fine.axes)
            if which[a] and a != across
        }

    def __call__(self, f: Array, sides: Sides) -> Array:
        """E g of f's batch axes, for the boundary data `sides` of the fine grid."""
        ndim = self.fine.ndim
        done: list[int] = []
        e = zeros(f.shape[: f.ndim - ndim] + self._shape, like=f)
        for a, (prolong, Q) in self._axes.items():
            e = prolong(e)
            for side in (0, 1):
                if (a, side) in sides:
                    values = expand(self._linear(sides[a, side], a, done), a - ndim)
                    e += values * Q[:, side].reshape((-1,) + (1,) * (ndim - 1 - a))
            done.append(a)
        return e

    def _linear(self, values: Array, across: int, axes: Sequence[int]) -> Array:
        """The data of a side on the coarse grid, interpolated linearly along these axes."""
        values = coarsen_side(values, self.fine, across, list(self._axes))
        for a in axes:
            if a != across:
                values = self._along[across, a](values)
        return values

    def between(self, sides: Sides) -> Sides:
        """The Dirichlet data less what linear interpolation along their side makes of those of the coarse grid.

        P u_c + E g knows the sides no better than that.
        """
        return {
            (across, side): values - self._linear(values, across, list(self._axes))
            for (across, side), values in sides.items()
            if across in self._axes and self.fine.axes[across].sides[side].kind == "dirichlet"
        }


class DataRestriction:
    """The data f of full multigrid on the coarse grid, to second order without a term in h^2 Laplace f.

    R, the adjoint of linear interpolation, has one; in 3-D it outweighs the discretisation error. Cells take means, and
    nodes take R f less what R has smoothed. The sum of f over the control volumes stays, so that an f that is not
    smooth, a point source say, is not lost as by injection.
    """

    def __init__(self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype) -> None:
        self._steps = []
        for a, axis in enumerate(fine.axes):
            if which[a]:
                self._steps.append(Gather(parts_of(axis, dtype, data_matrix), a, fine.ndim))

    def __call__(self, f: Array) -> Array:
        for step in self._steps:
            f = step(f)
        return f


def coarsen_sides(sides: Sides, fine: Grid, which: tuple[bool, ...]) -> Sides:
    """The boundary data of the coarse grid: those of the fine grid at the points that stay, or the means of cells."""
    halved = [a for a, halve in enumerate(which) if halve]
    return {(a, side): coarsen_side(values, fine, a, halved) for (a, side), values in sides.items()}


def coarsen_side(values: Array, fine: Grid, across: int, halved: Sequence[int]) -> Array:
    """Data of a side across one axis, taken to the coarse points of the axes in `halved`."""
    others = [a for a in range(fine.ndim) if a != across]
    for position, a in enumerate(others):
        if a in halved:
            parts = parts_of(fine.axes[a], numpy_dtype(values.dtype), Axis.injection)
            gather = Gather(parts, position, len(others))
            values = like(gather, values)(values)
    return values
