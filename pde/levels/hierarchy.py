"""The levels of a multigrid method for `Poisson`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from mgcore import Level
from pde.common.arrays import convert
from pde.levels.black_box import OperatorTransfer, through_points
from pde.levels.coarse_coefficients import coarse_terms
from pde.levels.components import ComponentSolver, as_rows, component_level, component_volumes
from pde.levels.cubic_interpolation import BoundaryTerm, CubicInterpolation
from pde.levels.direct import DirectStart, direct_solver, is_separable, multiplications
from pde.levels.fourth_order import compact_levels
from pde.levels.galerkin import nearest
from pde.levels.graph_operator import GraphOperator
from pde.levels.interpolation_1d import feels_diffusion
from pde.levels.smoothers import axis_of, iteration, make_smoother, without_over_relaxation
from pde.levels.transfers import TRANSFERS, BilinearTransfer, LinearTransfer, MatrixTransfer
from pde.levels.truncated import TruncatedTransfer, product, scaling
from pde.problem.coefficients import STEEP, Terms
from pde.problem.compact import CompactOperator
from pde.problem.components import Components
from pde.problem.finest import finest_operator
from pde.problem.grid import Array, Grid
from pde.problem.inner_product import Volumes, row_scale
from pde.problem.masked import regular_matrix
from pde.problem.operators import Operator, StencilOperator
from pde.problem.slab_stencil import SlabStencil, stencil_operator

Transfer = BilinearTransfer | LinearTransfer | MatrixTransfer | OperatorTransfer | TruncatedTransfer


class Makers(NamedTuple):
    """Functions that make the costly parts of a hierarchy; others with the same results may replace them.

    Attributes:
        product: (A, transfer, dtype, terms): R A P of truncated transfers.
        black_box: (A, which, dtype): an `OperatorTransfer` and the coefficients of R A P; None takes sparse matrices.
    """

    product: Callable[..., CompactOperator] = product
    black_box: Callable[..., tuple[OperatorTransfer, Array] | None] = lambda A, which, dtype: None


MAKERS = Makers()

COARSEST_SIZE = 8
"""Unknowns of the coarsest grid at most where a is smooth; it is solved directly."""

CHEAP = 1 << 19
"""Multiplications at most for a separable grid to be the coarsest: solving it costs less than a cycle from there.

It has up to 50 unknowns along each of two axes, or 17 along each of three.
"""

CHEAP_SOLVE, CHEAP_START = 1 << 23, 1 << 20
"""Multiplications at most for full multigrid to be a direct solution on a separable grid, and to begin with one.

The grid has up to 128 unknowns along each of two axes, or 34 along each of three, where matrix products take less time
than cycles to a tolerance; and up to 64, or 20, where they take less than nested iteration from a coarser grid.
"""

COARSEST_SIZE_MASKED = 256
"""Unknowns of the coarsest grid at most in a domain, if no number of levels is asked for: its factors are small."""

COARSEST_SIZE_COMPONENTS, COARSEST_SHARE_COMPONENTS = 5000, 50
"""The same where faces are closed, and the share of the finest grid's unknowns, in two dimensions.

Each further level of a labyrinth costs some iterations of conjugate gradients, and factors of a plane graph little; up
to an eighth of `LARGEST_DIRECT`, or of what tensors allow.
"""

COARSEST_SIZE_COMPONENTS_3D = 1000
"""The same in three dimensions, where factors fill in."""

COARSEST_SIZE_STEEP = 5000
"""Unknowns of the coarsest grid at most where a would be too steep for a coarser one."""

COARSEST_SIZE_ROUGH = 5000
"""The same where a jumps and a number of levels is asked for: coarser grids miss whole inclusions and layers."""

CHEAP_ROUGH, CHEAP_LINES = 10_000, 32_000
"""The same where no number of levels is asked for: with point smoothers, and with lines or planes.

Factors of 10,000 unknowns cost as much as levels. Across jumps on stretched axes, or of a tensor whose strong axis
changes, no coarse grid knows which unknowns are tied together; factors take at most a second there.
"""

COARSEST_SHARE_ROUGH, LARGEST_DIRECT = 60, 100_000
"""In two dimensions the share of the finest grid's unknowns, up to a limit: three coarsenings see inclusions eight
points wide."""


@dataclass(frozen=True)
class LevelInfo:
    """Description of a level, as `print(mg)` shows it."""

    grid: Grid
    operator: Operator
    kind: str
    smoother: str
    to_coarse: Transfer | None


@dataclass(frozen=True)
class Choices:
    """The options that make levels; see `Multigrid`."""

    smoother: str
    omega: float | None
    nu: tuple[int, int]
    coarse: str
    transfer: str
    dtype: np.dtype
    singular: bool
    largest_direct: int = LARGEST_DIRECT
    order: int = 2
    automatic: bool = False
    """Whether all options were left to the solver: then full multigrid may begin with a direct solution."""


@dataclass(frozen=True)
class Hierarchy:
    """Levels, finest first, with the interpolations of full multigrid and the inner products.

    Args:
        levels: the moves of each grid.
        interpolations: of full multigrid, one per pair of levels.
        boundary_terms: the share of boundary data in Galerkin right-hand sides, one per pair of levels; empty where the
            operators are rediscretised, and with closed faces, where data are folded on the finest level.
        volumes: the inner product of each level.
        choices: the options that made the levels.
        compact: where the order is 4, the levels on which cycles of full multigrid begin; levels[0] is the first.
        made: transfers by the arguments that they were made from, for `build_hierarchy` to reuse.
        start: where full multigrid begins; None: on the coarsest level.
    """

    levels: list[Level]
    interpolations: list[CubicInterpolation]
    boundary_terms: list[BoundaryTerm]
    volumes: list[Volumes]
    choices: Choices
    compact: list[Level] = field(default_factory=list)
    made: dict[Any, Any] = field(default_factory=dict, repr=False)
    start: DirectStart | None = None

    def to(self, device: Any, dtype: Any) -> Hierarchy:
        """The same on tensors of a device in `dtype`, or on arrays where `device` is None."""
        names = ("interpolations", "boundary_terms", "volumes")
        moved = {name: convert(getattr(self, name), device, dtype) for name in names}
        levels, compact = ([level_to(l, device, dtype) for l in each] for each in (self.levels, self.compact))
        start = None if self.start is None else self.start.to(device, dtype)
        return replace(self, levels=levels, compact=compact, start=start, **moved)

    def symmetric(self) -> Hierarchy:
        """The same with post-smoothing adjoint to pre-smoothing: V- and W-cycles are self-adjoint."""
        return replace(self, levels=symmetric(self.levels), compact=symmetric(self.compact))

    def below(self) -> Hierarchy:
        """The same without the finest level, of second order; the coarsest stays."""
        first = min(1, len(self.levels) - 1)
        parts = {name: getattr(self, name)[first:] for name in ("levels", "interpolations", "volumes")}
        return replace(self, **parts, compact=[], start=None)


def level_to(level: Level, device: Any, dtype: Any) -> Level:
    """The level on tensors of a device in `dtype`, or on arrays where `device` is None; `info` stays as it is."""
    A, P = level.A.to(device, dtype), level.P
    if P is None:
        return replace(level, A=A, B=[B.to(device, dtype) for B in level.B])
    P = P.to(device, dtype)  # type: ignore[attr-defined]
    B, B_post = ([B.to(device, dtype, A) for B in sweeps] for sweeps in (level.B, level.B_post))
    return replace(level, A=A, B=B, R=P.adjoint(), P=P, B_post=B_post)


def symmetric(levels: Sequence[Level]) -> list[Level]:
    """The same levels with post-smoothing adjoint to pre-smoothing, which makes V- and W-cycles self-adjoint."""
    return [level if level.R is None else _symmetric(level) for level in levels]


def _symmetric(level: Level) -> Level:
    B = without_over_relaxation(sweep_of(level))
    sweeps = max(len(level.B), len(level.B_post))
    return replace(level, B=[B] * sweeps, B_post=[B.adjoint()] * sweeps)


def sweep_of(level: Level) -> Any:
    """The sweep B that a level smooths with, before or after its correction."""
    return [*level.B, *level.B_post][0]


@dataclass(frozen=True)
class Reuse:
    """Make transfers, or take those that the hierarchy `before` has made from the same arguments.

    Grids are equal whose axes are the same objects.
    """

    before: dict[Any, Any]
    made: dict[Any, Any]

    def __call__(self, make: Callable[..., Any], *arguments: Any) -> Any:
        key = (make, *arguments)
        if key not in self.made:
            self.made[key] = self.before[key] if key in self.before else make(*arguments)
        return self.made[key]


def build_hierarchy(
    grid: Grid,
    terms: Terms,
    choices: Choices,
    limit: int | None,
    before: Hierarchy | None = None,
    makers: Makers = MAKERS,
) -> Hierarchy:
    """At most `limit` levels; None takes as many as are cheaper than a direct solution, and two at least.

    Args:
        before: a hierarchy for other coefficients, whose transfers are reused where they are the same.
        makers: of transfers and products.
    """
    A: Operator = finest_operator(grid, choices.dtype, terms)
    result = Hierarchy([], [], [], [], choices)
    reuse = Reuse({} if before is None else before.made, result.made)
    smallest = _coarsest_size(grid, choices, limit)
    while True:
        volumes = _volumes(A, choices)
        result.volumes.append(volumes if result.levels else volumes.with_rows(row_scale(A)))
        which = _axes_to_coarsen(A.grid, A.terms, choices.smoother)
        last = A.grid.size <= smallest or not any(which) or len(result.levels) + 1 == limit
        last = last or (limit is None and len(result.levels) > 0 and _is_cheap(A))
        last = last or (choices.singular and _is_one_line(A.grid, choices.smoother))
        coarser = None if last else _coarsened(A, which, volumes, choices, reuse, makers)
        if coarser is None:
            result.levels.append(_coarsest_level(A, volumes, choices.singular))
            return of_fourth_order(result) if choices.order == 4 else replace(result, start=_direct_start(result))
        transfer, coarse = coarser
        which = transfer.which if isinstance(transfer, TruncatedTransfer) else which
        result.levels.append(_level(A, transfer, choices))
        if not isinstance(coarse, GraphOperator):
            _interpolate(result, A, transfer, which, reuse)
        A = coarse


def with_finest(before: Hierarchy, terms: Terms) -> Hierarchy | None:
    """The truncated levels of `before` below a finest one with other terms: they are a preconditioner, not R A P.

    None where they are no truncated ones.
    """
    first, choices = before.levels[0].info, before.choices
    if not isinstance(first.to_coarse, TruncatedTransfer):
        return None
    A: Any = finest_operator(first.grid, choices.dtype, terms)
    transfer = TruncatedTransfer(first.grid, first.to_coarse.which, choices.dtype, scaling(A), A.volumes)
    volumes = _volumes(A, choices).with_rows(row_scale(A))
    levels = [_level(A, transfer, choices), *before.levels[1:]]
    return replace(before, levels=levels, volumes=[volumes, *before.volumes[1:]])


def of_fourth_order(hierarchy: Hierarchy) -> Hierarchy:
    """The same with the compact operator on the finest level; alone, it is solved directly."""
    levels, choices = hierarchy.levels, hierarchy.choices
    compact = compact_levels(levels, choices)
    if len(levels) == 1:
        info = compact[0].info
        direct = [direct_solver(compact[0].A, choices.singular)]
        compact = [replace(compact[0], B=direct, info=replace(info, smoother="direct"))]
    return replace(hierarchy, levels=[compact[0], *levels[1:]], compact=compact)


def _volumes(A: Operator, choices: Choices) -> Volumes:
    if choices.transfer == "components":
        return component_volumes(A)
    return Volumes(A.grid if isinstance(A, StencilOperator) else A.volumes)


def _interpolate(result: Hierarchy, A: Operator, transfer: Transfer, which: tuple[bool, ...], reuse: Reuse) -> None:
    """Append what full multigrid needs between a level and the next coarser one."""
    choices = result.choices
    fine = transfer.fine if isinstance(transfer, BilinearTransfer) else through_points(A.grid, which)
    rediscretised = choices.coarse == "rediscretised"
    result.interpolations.append(reuse(CubicInterpolation, fine, which, choices.dtype, rediscretised, choices.order))
    if not rediscretised:
        result.boundary_terms.append(_boundary_term(A.terms, fine, which, choices.dtype, reuse))


def _coarsened(
    A: Operator, which: tuple[bool, ...], volumes: Volumes, choices: Choices, reuse: Reuse, makers: Makers
) -> tuple[Transfer, Operator] | None:
    """The transfer and the next coarser operator; None where the coefficient would be too steep there."""
    if isinstance(volumes, Components):
        return component_level(A, volumes, choices.dtype)
    rediscretised = choices.coarse == "rediscretised"
    if choices.transfer == "truncated" or (choices.transfer == "bilinear" and not rediscretised and _by_points(A)):
        return _truncated(A, which, choices, makers)
    made = makers.black_box(A, which, choices.dtype) if choices.transfer == "operator" else None
    matrix = None if rediscretised or made else regular_matrix(A)
    transfer = made[0] if made else _transfer(A, matrix, which, choices, reuse)
    terms = coarse_terms(A.terms, A.grid, which, transfer, rediscretised)
    if _is_too_steep(A.grid, terms, transfer.coarse):
        return None
    if made:
        return transfer, CompactOperator(transfer.coarse, made[1], terms, made[0].volumes)
    if matrix is None:
        return transfer, stencil_operator(transfer.coarse, choices.dtype, terms)
    W = transfer.volumes if isinstance(transfer, OperatorTransfer) else transfer.coarse.volumes()
    RAP = nearest(transfer.restriction() @ (matrix @ transfer.matrix()), transfer.coarse, W)  # (5.11)
    coarse = CompactOperator.from_matrix(transfer.coarse, RAP.astype(choices.dtype, copy=False), terms, W)
    return transfer, coarse


def _is_too_steep(grid: Grid, terms: Terms, coarse: Grid) -> bool:
    """Whether the coefficient jumps on the coarse grid, and the fine one is small enough to be the coarsest."""
    return grid.size <= COARSEST_SIZE_STEEP and terms.largest_ratio(coarse) > STEEP


def _by_points(A: Operator) -> bool:
    """Whether products are made on coefficients, by bilinear interpolation through every second unknown.

    Between the centres of cells others would not be compact; a full tensor, and a reaction that may make A indefinite,
    have no other cycles on compiled kernels.
    """
    special = A.terms.tensor is not None or A.terms.least_reaction < 0
    masked = isinstance(A, CompactOperator) and A.inside is not None
    return special or masked or any(axis.cell for axis in A.grid.axes)


def _truncated(
    A: Any, which: tuple[bool, ...], choices: Choices, makers: Makers
) -> tuple[TruncatedTransfer, CompactOperator] | None:
    """None too where no unknown is a coarse point, even along one axis alone: then none of them couple."""
    rows, numbers = scaling(A), range(A.grid.ndim)
    alone = [tuple(a == b for b in numbers) for a in numbers if A.grid.axes[a].can_coarsen]
    every = (TruncatedTransfer(A.grid, some, choices.dtype, rows, A.volumes) for some in (which, *alone))
    transfer = next((transfer for transfer in every if transfer.inside.any()), None)
    if transfer is None:
        return None
    terms = coarse_terms(A.terms, A.grid, transfer.which, transfer, between=False)
    if _is_too_steep(A.grid, terms, transfer.coarse):
        return None
    return transfer, makers.product(A, transfer, choices.dtype, terms)


def _transfer(
    A: Operator, matrix: sp.csr_matrix | None, which: tuple[bool, ...], choices: Choices, reuse: Reuse
) -> Transfer:
    if choices.transfer == "operator":
        return OperatorTransfer(A, which, choices.dtype, matrix)
    sides = tuple(
        A.terms.at_sides(a) if halve and feels_diffusion(axis.coarsen()) else (1.0, 1.0)
        for a, (axis, halve) in enumerate(zip(A.grid.axes, which, strict=True))
    )
    return reuse(TRANSFERS[choices.transfer], A.grid, which, choices.dtype, sides)


def _boundary_term(terms: Terms, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, reuse: Reuse) -> BoundaryTerm:
    axes = enumerate(fine.axes)
    sides = tuple(terms.at_sides(a) if axis.coarsen().cell else (1.0, 1.0) for a, axis in axes)
    return reuse(BoundaryTerm, fine, which, dtype, sides)


def _axes_to_coarsen(grid: Grid, terms: Terms, smoother: str) -> tuple[bool, ...]:
    """For planes the axis across them, along which alone they do not solve."""
    across = axis_of(smoother, grid)
    if smoother.startswith("planes"):
        return tuple(a == across and axis.can_coarsen for a, axis in enumerate(grid.axes))
    return grid.axes_to_coarsen(terms.typical)


def _coarsest_size(grid: Grid, choices: Choices, limit: int | None) -> int:
    """Unknowns that are left to the direct solver; where the coefficient jumps fewer in three dimensions (fill-in)."""
    if choices.transfer == "truncated" and not limit:
        return COARSEST_SIZE_MASKED
    plane = sum(n > 1 for n in grid.shape) < 3
    if choices.transfer == "components" and not limit:
        share = max(COARSEST_SIZE_COMPONENTS, grid.size // COARSEST_SHARE_COMPONENTS)
        return min(share, choices.largest_direct // 8) if plane else COARSEST_SIZE_COMPONENTS_3D
    if choices.transfer != "operator":
        return COARSEST_SIZE
    lines = choices.smoother.startswith(("zebra", "planes"))
    least = COARSEST_SIZE_ROUGH if limit else CHEAP_LINES if lines else CHEAP_ROUGH
    return min(max(least, grid.size // COARSEST_SHARE_ROUGH if plane else 0), choices.largest_direct)


def _is_cheap(A: Operator) -> bool:
    """Whether a direct solution of A u = f costs next to nothing."""
    return is_separable(A) and 2 * A.grid.size * sum(A.grid.shape) <= CHEAP


def _direct_start(hierarchy: Hierarchy) -> DirectStart | None:
    """The finest level whose direct solution is cheap, if cycles make others coarser."""
    choices = hierarchy.choices
    if not choices.automatic or choices.coarse != "rediscretised":
        return None
    for number, level in enumerate(hierarchy.levels[:-1]):
        A = level.info.operator
        limit = CHEAP_START if number else CHEAP_SOLVE
        if isinstance(A, StencilOperator) and is_separable(A) and multiplications(A.grid) <= limit:
            return DirectStart(number, A, choices.singular)
    return None


def _is_one_line(grid: Grid, smoother: str) -> bool:
    """Whether a line of the smoother holds every unknown, so that its matrix is singular where A is."""
    lines = range(grid.ndim) if smoother == "zebra" else [axis_of(smoother, grid)]
    return smoother.startswith("zebra") and any(grid.shape[a] == grid.size for a in lines if a is not None)


def _coarsest_level(A: Operator, volumes: Volumes, singular: bool) -> Level:
    A = A.whole() if isinstance(A, SlabStencil) else A
    B = ComponentSolver(A, volumes) if isinstance(volumes, Components) else direct_solver(A, singular)
    return Level(A, [B], info=LevelInfo(A.grid, A, _kind(A), "direct", None))


def _level(A: Operator, transfer: Transfer, choices: Choices) -> Level:
    rows = choices.transfer == "components" and isinstance(A, StencilOperator)
    runs = as_rows(A, choices.dtype) if rows else A  # type: ignore[arg-type]
    B = make_smoother(choices.smoother, runs, choices.omega, choices.nu)
    omega = f" omega={B.omega:.3g}" if hasattr(B, "omega") else ""
    pre, post = choices.nu
    return Level(
        runs,
        [B] * pre,
        R=transfer.adjoint(),
        P=transfer,
        B_post=[B] * post,
        iterate=iteration(choices.smoother, A.grid, pre),
        iterate_post=iteration(choices.smoother, A.grid, post),
        info=LevelInfo(A.grid, A, _kind(A), f"{choices.smoother}{omega} ({pre},{post})", transfer),
    )


def _kind(A: Operator) -> str:
    return "Galerkin" if isinstance(A, CompactOperator | GraphOperator) else "stencil"
