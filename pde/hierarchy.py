"""The levels of a multigrid method for `Poisson`, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from mgcore import Level
from pde.direct import DirectSolver
from pde.grid import Array, Grid
from pde.operators import MatrixOperator, Operator, StencilOperator
from pde.smoothers import make_smoother
from pde.terms import Terms
from pde.transfer import TRANSFERS, CubicInterpolation, Gather, Transfer

COARSEST_SIZE = 8
"""Coarsening goes on while more unknowns than this are left; the last level is solved directly."""


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


def build_levels(
    grid: Grid, terms: Terms, choices: Choices, limit: int
) -> tuple[list[Level], list[CubicInterpolation]]:
    """At most `limit` levels, finest first, and the interpolations of full multigrid between them."""
    A: Operator = StencilOperator(grid, choices.dtype, terms)
    levels: list[Level] = []
    interpolations: list[CubicInterpolation] = []
    while True:
        which = A.grid.axes_to_coarsen(terms.diffusion)
        last = A.grid.size <= COARSEST_SIZE or not any(which) or len(levels) + 1 == limit
        transfer: Transfer | None = None if last else TRANSFERS[choices.transfer](A.grid, which, choices.dtype)
        levels.append(_level(A, transfer, choices))
        if transfer is None:
            return levels, interpolations
        interpolations.append(CubicInterpolation(A.grid, which, choices.dtype))
        terms = replace(terms, reaction=_inject(terms.reaction, A.grid, which))
        A = _coarse_operator(A, transfer, terms, choices)


def _coarse_operator(A: Operator, transfer: Transfer, terms: Terms, choices: Choices) -> Operator:
    if choices.coarse == "rediscretised":
        return StencilOperator(transfer.coarse, choices.dtype, terms)
    P = transfer.matrix()
    R = sp.diags(1 / transfer.coarse.volumes().ravel()) @ P.T @ sp.diags(A.grid.volumes().ravel())
    return MatrixOperator(transfer.coarse, (R @ A.matrix() @ P).astype(choices.dtype), terms)  # (5.11)


def _level(A: Operator, transfer: Transfer | None, choices: Choices) -> Level:
    kind = "Galerkin" if isinstance(A, MatrixOperator) else "stencil"
    if transfer is None:
        return Level(A, [DirectSolver(A, choices.singular)], info=LevelInfo(A.grid, A, kind, "direct", None))
    B = make_smoother(choices.smoother, A, choices.omega)
    (pre, post), name = choices.nu, f"{choices.smoother} omega={B.args[1]:.3g}"  # type: ignore[attr-defined]
    return Level(
        A,
        [B] * pre,
        R=transfer.restrict,
        P=transfer.prolong,
        B_post=[B] * post,
        info=LevelInfo(A.grid, A, kind, f"{name} ({pre},{post})", transfer),
    )


def _inject(values: float | Array, grid: Grid, which: tuple[bool, ...]) -> float | Array:
    """A coefficient at the coarse points, or its means over merged cells."""
    if np.ndim(values) == 0:
        return values
    for a, halve in enumerate(which):
        if halve:
            values = Gather(*grid.axes[a].injection(), a, grid.ndim, np.dtype(float))(np.asarray(values))
    return values


def table(levels: list[Level]) -> str:
    """The levels as a table, with grid and operator complexity."""
    infos: list[LevelInfo] = [level.info for level in levels]
    rows = [("level", "shape", "unknowns", "operator", "smoother")]
    for number, info in enumerate(infos, start=1):
        shape = "x".join(map(str, info.grid.shape))
        rows.append((str(number), shape, f"{info.grid.size:,}", info.kind, info.smoother))
    widths = [max(len(row[c]) for row in rows) for c in range(5)]
    lines = ("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
    grid_complexity = sum(info.grid.size for info in infos) / infos[0].grid.size
    operator_complexity = sum(info.operator.nonzeros for info in infos) / infos[0].operator.nonzeros
    return "\n".join(lines) + f"\ngrid complexity {grid_complexity:.2f}, operator complexity {operator_complexity:.2f}"
