"""Maps of full multigrid between a grid and its coarsening: of first guesses, data f and boundary data g."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pde.common.arrays import Movable, expand, is_tensor, namespace, numpy_dtype, zeros
from pde.common.frozen import derive
from pde.levels.axis_maps import AlongAxes, Gather, gather
from pde.levels.interpolation_1d import cubic, data_matrix, linear, linear_along_side, linear_matrix
from pde.problem.grid import Array, Axis, Grid, Sides, window


@dataclass(frozen=True, eq=False)
class CubicInterpolation(Movable):
    """Interpolation for full multigrid: cubic along each coarsened axis, through the boundary values of its ends.

    Args:
        rediscretised: as in `interpolation_1d.cubic`.
    """

    fine: Grid
    which: tuple[bool, ...]
    dtype: np.dtype
    rediscretised: bool = True
    restrict_data: AlongAxes = field(init=False, repr=False)
    _axes: dict[int, Gather] = field(init=False, repr=False)
    arrays = ("restrict_data", "_axes")

    def __post_init__(self) -> None:
        ndim, axes = self.fine.ndim, self.fine.axes
        halved = {a: axes[a] for a in range(ndim) if self.which[a]}
        arguments = self.dtype, cubic
        along = {a: gather(x, a, ndim, *arguments, x.coarsen(), self.rediscretised) for a, x in halved.items()}
        derive(self, restrict_data=data_restriction(self.fine, self.which, self.dtype), _axes=along)

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


@dataclass(frozen=True, eq=False)
class BoundaryTerm(Movable):
    """E g, the share of boundary data in linear interpolation P u + E g beside the ends of coarsened axes.

    Galerkin right-hand sides need it: u is P u_c + E g with the g of the coarse grid, so that R A (P u_c + E g) = R f.

    Args:
        diffusion: a of the two sides per axis, as in `BilinearTransfer`.
    """

    fine: Grid
    which: tuple[bool, ...]
    dtype: np.dtype
    diffusion: Sequence[tuple[float, float]]
    _axes: dict[int, tuple[Gather, Array]] = field(init=False, repr=False)
    _along: dict[tuple[int, int], Gather] = field(init=False, repr=False)
    arrays = ("_axes", "_along")

    def __post_init__(self) -> None:
        dtype, ndim = self.dtype, self.fine.ndim
        axes, along = {}, {}
        for a, axis in enumerate(self.fine.axes):
            if not self.which[a]:
                continue
            coarse, diffusion = axis.coarsen(), self.diffusion[a]
            Q = linear(axis, coarse, diffusion)[1].astype(dtype)
            axes[a] = gather(axis, a, ndim, dtype, linear_matrix, coarse, diffusion), Q
            for across in range(ndim):
                if self.which[across] and across != a:
                    along[across, a] = gather(axis, a - (a > across), ndim - 1, dtype, linear_along_side, coarse)
        derive(self, _axes=axes, _along=along)

    def __call__(self, f: Array, sides: Sides) -> Array:
        """E g of f's batch axes, for the boundary data `sides` of the fine grid."""
        ndim = self.fine.ndim
        done: list[int] = []
        e = zeros(f.shape[: f.ndim - ndim] + self.fine.coarsen(self.which).shape, like=f)
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
    axes = [(a, axis) for a, axis in enumerate(fine.axes) if which[a]]
    return AlongAxes(tuple(gather(axis, a, fine.ndim, dtype, data_matrix) for a, axis in axes))


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
