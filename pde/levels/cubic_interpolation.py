"""Maps of full multigrid between a grid and its coarsening: of first guesses, data f and boundary data g."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pde.common.arrays import Frozen, expand, is_tensor, namespace, numpy_dtype, zeros
from pde.levels.axis_maps import AlongAxes, Gather, along_axes, gather
from pde.levels.interpolation_1d import cubic, data_matrix, linear, linear_along_side, linear_matrix, quintic
from pde.problem.grid import Array, Axis, Grid, Sides, window


class CubicInterpolation(Frozen):
    """Interpolation for full multigrid: cubic along each coarsened axis, through the boundary values of its ends.

    Args:
        rediscretised: as in `interpolation_1d.cubic`.
        order: of the equations; where it is 4 the interpolation is quintic.
    """

    arrays = ("restrict_data", "_axes")

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, rediscretised: bool = True, order: int = 2
    ) -> None:
        self.fine, self.which = fine, which
        self.restrict_data = data_restriction(fine, which, dtype)
        make, further = (quintic, ()) if order == 4 else (cubic, (rediscretised,))
        self._axes = {
            a: gather(axis, a, fine.ndim, dtype, make, axis.coarsen(), *further)
            for a, axis in enumerate(fine.axes)
            if which[a]
        }

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


class BoundaryTerm(Frozen):
    """E g, the share of boundary data in linear interpolation P u + E g beside the ends of coarsened axes.

    Galerkin right-hand sides need it: u is P u_c + E g with the g of the coarse grid, so that R A (P u_c + E g) = R f.

    Args:
        diffusion: a of the two sides per axis, as in `BilinearTransfer`.
    """

    arrays = ("_axes", "_along")

    def __init__(
        self, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, diffusion: Sequence[tuple[float, float]]
    ) -> None:
        self.fine, self._coarse = fine, fine.coarsen(which)
        self._axes: dict[int, tuple[Gather, Array]] = {}
        self._along: dict[tuple[int, int], Gather] = {}
        halved, ndim = [a for a, halve in enumerate(which) if halve], fine.ndim
        for a in halved:
            axis, coarse = fine.axes[a], self._coarse.axes[a]
            Q = linear(axis, coarse, diffusion[a])[1].astype(dtype)
            self._axes[a] = gather(axis, a, ndim, dtype, linear_matrix, coarse, diffusion[a]), Q
            for across in halved:
                if across != a:
                    inside = a - (a > across)
                    self._along[across, a] = gather(axis, inside, ndim - 1, dtype, linear_along_side, coarse)

    def __call__(self, f: Array, sides: Sides) -> Array:
        """E g of f's batch axes, for the boundary data `sides` of the fine grid."""
        ndim = self.fine.ndim
        done: list[int] = []
        e = zeros(f.shape[: f.ndim - ndim] + self._coarse.shape, like=f)
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
        """The Dirichlet data less their linear interpolation along the side, which is all that P u_c + E g knows."""
        return {
            (across, side): values - self._linear(values, across, list(self._axes))
            for (across, side), values in sides.items()
            if across in self._axes and self.fine.axes[across].sides[side].kind == "dirichlet"
        }


def data_restriction(fine: Grid, which: tuple[bool, ...], dtype: np.dtype) -> AlongAxes:
    """The map of f to the coarse grid in full multigrid, to second order without a term in h^2 Laplace f.

    R, the adjoint of linear interpolation, has one; in 3-D it outweighs the discretisation error. Cells take means, and
    nodes take R f less what R has smoothed. The sum of f over the control volumes stays, so that an f that is not
    smooth, a point source say, is not lost as by injection.
    """
    return along_axes(fine, which, dtype, data_matrix)


def coarsen_sides(sides: Sides, fine: Grid, which: tuple[bool, ...]) -> Sides:
    """The boundary data of the coarse grid: the values at the points that stay, or the means of cells."""
    halved = [a for a, halve in enumerate(which) if halve]
    return {(a, side): coarsen_side(values, fine, a, halved) for (a, side), values in sides.items()}


def coarsen_side(values: Array, fine: Grid, across: int, halved: Sequence[int]) -> Array:
    """Data of a side across one axis, taken to the coarse points of the axes in `halved`."""
    others = [a for a in range(fine.ndim) if a != across]
    for position, a in enumerate(others):
        if a in halved:
            inject = gather(fine.axes[a], position, len(others), numpy_dtype(values.dtype), Axis.injection)
            values = (inject.to(values.device, values.dtype) if is_tensor(values) else inject)(values)
    return values
