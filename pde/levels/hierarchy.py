"""The levels of a multigrid method for `Poisson`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from mgcore import Level
from pde.levels.black_box import OperatorTransfer, through_points
from pde.levels.coarse_coefficients import coarse_terms
from pde.levels.cubic_interpolation import BoundaryTerm, CubicInterpolation
from pde.levels.direct import direct_solver, is_separable
from pde.levels.interpolation_1d import feels_diffusion
from pde.levels.smoothers import axis_of, iteration, make_smoother, without_over_relaxation
from pde.levels.transfers import TRANSFERS, BilinearTransfer, LinearTransfer
from pde.problem.coefficients import STEEP, Terms
from pde.problem.grid import Grid
from pde.problem.inner_product import Volumes
from pde.problem.operators import MatrixOperator, Operator, StencilOperator

Transfer = BilinearTransfer | LinearTransfer | OperatorTransfer

COARSEST_SIZE = 8
"""Coarsening goes on while more unknowns than this are left; the last level is solved directly."""

CHEAP = 1 << 19
"""Multiplications at most for a separable grid to be the coarsest: its direct solution costs less than its cycle.

It has up to 50 unknowns along each of two axes, or 17 along each of three.
"""

COARSEST_SIZE_STEEP = 5000
"""The same where the coefficient would be too steep for a coarser grid."""

COARSEST_SIZE_ROUGH = 5000
"""The same at least where the coefficient jumps: coarser grids would lose sight of whole inclusions and layers."""

CHEAP_ROUGH, CHEAP_LINES = 10_000, 32_000
"""The same where no number of levels is asked for, and where lines or planes are relaxed besides.

Factors of 10,000 unknowns cost as much as levels. Across jumps on stretched axes, or of a tensor whose strong axis
turns, no coarse grid knows what strong couplings tie together; they take at most a second there.
"""

COARSEST_SHARE_ROUGH, LARGEST_DIRECT = 15, 100_000
"""In two dimensions it is one in so many unknowns, at most so many: two coarsenings see what is eight points wide."""


@dataclass(frozen=True)
class LevelInfo:
    """What `print(mg)` tells of a level."""

    grid: Grid
    operator: Operator
    kind: str
    smoother: str
    to_coarse: Transfer | None


@dataclass(frozen=True)
class Choices:
    """How levels are made; see `Multigrid`."""

    smoother: str
    omega: float | None
    nu: tuple[int, int]
    coarse: str
    transfer: str
    dtype: np.dtype
    singular: bool
    largest_direct: int = LARGEST_DIRECT


@dataclass(frozen=True)
class Hierarchy:
    """Levels, finest first, with what full multigrid and norms take besides.

    Args:
        levels: the moves of each grid.
        interpolations: of full multigrid, one per pair of levels.
        boundary_terms: what boundary data add to Galerkin right-hand sides, one per pair of levels; empty where the
            operators are rediscretised.
        volumes: one per level.
        choices: how the levels were made.
    """

    levels: list[Level]
    interpolations: Sequence[CubicInterpolation]
    boundary_terms: Sequence[BoundaryTerm]
    volumes: Sequence[Volumes]
    choices: Choices

    def to(self, device: Any, dtype: Any) -> Hierarchy:
        """The same on tensors of a device in `dtype`, or on arrays where `device` is None."""
        return Hierarchy(
            [level_to(level, device, dtype) for level in self.levels],
            [each.to(device, dtype) for each in self.interpolations],
            [each.to(device, dtype) for each in self.boundary_terms],
            [each.to(device, dtype) for each in self.volumes],
            self.choices,
        )

    def symmetric(self) -> Hierarchy:
        """The same with post-smoothing adjoint to pre-smoothing: V- and W-cycles are self-adjoint."""
        return replace(self, levels=symmetric(self.levels))


class Tables:
    """Transfers of one hierarchy by what they depend on, for the next one on the same grid to find them there."""

    def __init__(self, before: Tables | None = None) -> None:
        self._before = {} if before is None else before._made
        self._made: dict[Any, Any] = {}

    def find(self, make: Callable[..., Any], *arguments: Any) -> Any:
        """make(*arguments), or what it made for the hierarchy before; grids are equal whose axes are the same."""
        key = (make, *arguments)
        if key not in self._made:
            self._made[key] = self._before[key] if key in self._before else make(*arguments)
        return self._made[key]

    def close(self) -> None:
        """Let go of what only the hierarchy before has needed."""
        self._before = {}


def build_hierarchy(grid: Grid, terms: Terms, choices: Choices, limit: int | None, tables: Tables) -> Hierarchy:
    """The levels, with what belongs to them; see `_build_levels`."""
    levels, interpolations = _build_levels(grid, terms, choices, limit, tables)
    data = _boundary_terms(levels, interpolations, choices.dtype, tables) if choices.coarse == "galerkin" else []
    operators = [level.info.operator for level in levels]
    volumes = [Volumes(A.grid if isinstance(A, StencilOperator) else A.volumes) for A in operators]
    return Hierarchy(levels, interpolations, data, volumes, choices)


def _build_levels(
    grid: Grid, terms: Terms, choices: Choices, limit: int | None, tables: Tables
) -> tuple[list[Level], list[CubicInterpolation]]:
    """At most `limit` levels, finest first, and the interpolations of full multigrid between them.

    None: as many as are cheaper than a direct solution, and two at least.
    """
    A: Operator = StencilOperator(grid, choices.dtype, terms)
    levels: list[Level] = []
    interpolations: list[CubicInterpolation] = []
    smallest = _coarsest_size(grid, choices, limit)
    while True:
        which = _axes_to_coarsen(A.grid, terms, choices.smoother)
        last = A.grid.size <= smallest or not any(which) or len(levels) + 1 == limit
        last = last or (limit is None and len(levels) > 0 and _is_cheap(A))
        last = last or (choices.singular and _is_one_line(A.grid, choices.smoother))
        matrix = None if last or choices.coarse == "rediscretised" else A.matrix()
        transfer = None if last else _transfer(A, matrix, which, choices, tables)
        if transfer is not None:
            coarser = coarse_terms(terms, A.grid, which, transfer, choices.coarse == "rediscretised")
            if A.grid.size <= COARSEST_SIZE_STEEP and coarser.largest_ratio(transfer.coarse) > STEEP:
                transfer = None
        levels.append(_level(A, transfer, choices))
        if transfer is None:
            return levels, interpolations
        fine = through_points(A.grid, which) if choices.transfer == "operator" else A.grid
        interpolations.append(
            tables.find(CubicInterpolation, fine, which, choices.dtype, choices.coarse == "rediscretised")
        )
        terms = coarser
        A = _coarse_operator(A, matrix, transfer, terms, choices)


def _axes_to_coarsen(grid: Grid, terms: Terms, smoother: str) -> tuple[bool, ...]:
    """Of planes the axis across them, along which alone they do not solve."""
    across = axis_of(smoother, grid)
    if smoother.startswith("planes"):
        return tuple(a == across and axis.can_coarsen for a, axis in enumerate(grid.axes))
    return grid.axes_to_coarsen(terms.typical)


def _boundary_terms(
    levels: list[Level], interpolations: list[CubicInterpolation], dtype: np.dtype, tables: Tables
) -> list[BoundaryTerm]:
    """What boundary data add to Galerkin right-hand sides, between each pair of levels."""
    result: list[BoundaryTerm] = []
    for level, cubic in zip(levels, interpolations, strict=False):
        axes, terms = cubic.fine.axes, level.info.operator.terms
        sides = tuple(terms.at_sides(a) if axis.coarsen().cell else (1.0, 1.0) for a, axis in enumerate(axes))
        result.append(tables.find(BoundaryTerm, cubic.fine, cubic.which, dtype, sides))
    return result


def _coarsest_size(grid: Grid, choices: Choices, limit: int | None) -> int:
    """How many unknowns go to the direct solver where the coefficient jumps; factors fill up in three dimensions."""
    if choices.transfer != "operator":
        return COARSEST_SIZE
    plane = sum(n > 1 for n in grid.shape) < 3
    lines = choices.smoother.startswith(("zebra", "planes"))
    least = COARSEST_SIZE_ROUGH if limit else CHEAP_LINES if lines else CHEAP_ROUGH
    return min(max(least, grid.size // COARSEST_SHARE_ROUGH if plane else 0), choices.largest_direct)


def _is_cheap(A: Operator) -> bool:
    """Whether a direct solution of A u = f costs next to nothing."""
    return is_separable(A) and 2 * A.grid.size * sum(A.grid.shape) <= CHEAP


def _is_one_line(grid: Grid, smoother: str) -> bool:
    """Whether a line of the smoother holds every unknown, so that its matrix is singular where A is."""
    lines = range(grid.ndim) if smoother == "zebra" else [axis_of(smoother, grid)]
    return smoother.startswith("zebra") and any(grid.shape[a] == grid.size for a in lines if a is not None)


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


def _transfer(
    A: Operator, matrix: sp.csr_matrix | None, which: tuple[bool, ...], choices: Choices, tables: Tables
) -> Transfer:
    if choices.transfer == "operator":
        return OperatorTransfer(A, which, choices.dtype, matrix)
    sides = tuple(
        A.terms.at_sides(a) if halve and feels_diffusion(axis.coarsen()) else (1.0, 1.0)
        for a, (axis, halve) in enumerate(zip(A.grid.axes, which, strict=True))
    )
    return tables.find(TRANSFERS[choices.transfer], A.grid, which, choices.dtype, sides)


def _coarse_operator(
    A: Operator, matrix: sp.csr_matrix | None, transfer: Transfer, terms: Terms, choices: Choices
) -> Operator:
    """With the `matrix` of A it is R A P (5.11)."""
    if matrix is None:
        return StencilOperator(transfer.coarse, choices.dtype, terms)
    volumes = transfer.volumes if isinstance(transfer, OperatorTransfer) else transfer.coarse.volumes()
    product = transfer.restriction() @ (matrix @ transfer.matrix())
    return MatrixOperator(transfer.coarse, product.astype(choices.dtype, copy=False), terms, volumes)


def _level(A: Operator, transfer: Transfer | None, choices: Choices) -> Level:
    kind = "Galerkin" if isinstance(A, MatrixOperator) else "stencil"
    if transfer is None:
        return Level(A, [direct_solver(A, choices.singular)], info=LevelInfo(A.grid, A, kind, "direct", None))
    B = make_smoother(choices.smoother, A, choices.omega)
    omega = f" omega={B.omega:.3g}" if hasattr(B, "omega") else ""
    pre, post = choices.nu
    return Level(
        A,
        [B] * pre,
        R=transfer.adjoint(),
        P=transfer,
        B_post=[B] * post,
        iterate=iteration(choices.smoother, A.grid, pre),
        iterate_post=iteration(choices.smoother, A.grid, post),
        info=LevelInfo(A.grid, A, kind, f"{choices.smoother}{omega} ({pre},{post})", transfer),
    )
