"""The hierarchy as a table: what `print(mg)` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgcore import Level
from pde.common.memory import Counter, readable
from pde.levels.direct import DirectSolver, SeparableSolver
from pde.levels.graph_operator import GraphOperator
from pde.levels.smoothers import Jacobi, RedBlack
from pde.problem.grid import Axis, Grid, is_constant

TITLES = ("level", "shape", "unknowns", "spacing", "aspect", "halves", "operator", "runs in", "smoother", "memory")
LEFT = ("shape", "spacing", "halves", "operator", "runs in", "smoother")


def table(
    levels: Sequence[Level], extras: Sequence[Any] = (), runs_in: str | None = None, kernels: Sequence[Any] = ()
) -> str:
    """The levels as a table, with complexities and the bytes that are held.

    Grid complexity is the sum of unknowns over those of the finest level, operator complexity the same for the
    nonzeros of the operators. A level's memory is that of the arrays that no finer level holds; factorisations count
    12 bytes per nonzero.

    Args:
        extras: what is held beside each level, such as the interpolation of full multigrid.
        runs_in: the library whose loops do the work; None says it level by level.
        kernels: the objects of compiled kernels. They hold u and f of their levels from the first cycle on.
    """
    counter = Counter()
    held = [counter.add(level, *extras[l : l + 1]) for l, level in enumerate(levels)]
    space = counter.add(*kernels)
    rows = [TITLES, *(_row(levels, l, held[l], runs_in) for l in range(len(levels)))]
    widths = [max(len(row[c]) for row in rows) for c in range(len(TITLES))]
    lines = ["  ".join(_pad(*cell) for cell in zip(TITLES, row, widths, strict=True)).rstrip() for row in rows]
    infos = [level.info for level in levels]
    grid = sum(info.grid.size for info in infos) / infos[0].grid.size
    operator = sum(info.operator.nonzeros for info in infos) / infos[0].operator.nonzeros
    total = sum(held) + space
    ends = f"grid complexity {grid:.2f}, operator complexity {operator:.2f}, memory {readable(total)} "
    ends += f"({total / infos[0].grid.size:.3g} bytes per unknown"
    return "\n".join([*lines, ends + (f", work space of the kernels {readable(space)})" if kernels else ")")])


def _row(levels: Sequence[Level], l: int, held: int, runs_in: str | None) -> tuple[str, ...]:
    info = levels[l].info
    below = levels[l + 1].info.grid.shape if l + 1 < len(levels) else info.grid.shape
    numbered = isinstance(info.operator, GraphOperator)  # which have no axes
    halves = [name for name, n, m in zip("xyz", info.grid.shape, below, strict=False) if m < n and not numbered]
    spacing = "" if numbered else " ".join(dict.fromkeys(map(_spacing, info.grid.axes)))
    return (
        str(l + 1),
        "x".join(map(str, info.grid.shape)),
        f"{info.grid.size:,}",
        spacing,
        "" if numbered else f"{_aspect(info.grid):.3g}",
        " ".join(halves),
        info.kind,
        runs_in or _runs_in(levels[l]),
        info.smoother,
        readable(held),
    )


def _pad(title: str, cell: str, width: int) -> str:
    return cell.ljust(width) if title in LEFT else cell.rjust(width)


def _spacing(axis: Axis) -> str:
    """The spacing of an axis; of a stretched one from the smallest to the largest, a left-over last interval apart."""
    h = axis.spacing[:-1] if len(axis.spacing) > 1 else axis.spacing
    return f"{h[0]:.3g}" if is_constant(h) else f"{h.min():.3g}..{h.max():.3g}"


def _aspect(grid: Grid) -> float:
    """The largest ratio of two typical spacings, of axes with more than one unknown."""
    h = [float(np.median(axis.spacing)) for axis in grid.axes if axis.n > 1]
    return max(h) / min(h) if h else 1.0


def _runs_in(level: Level) -> str:
    """The library whose loops do the work on a level."""
    smoothers = [*level.B, *level.B_post]
    if any(isinstance(B, SeparableSolver) for B in smoothers):
        return "NumPy"
    if any(isinstance(B, DirectSolver) for B in smoothers):
        return "SuperLU"
    return "NumPy" if all(isinstance(B, Jacobi | RedBlack) for B in smoothers) else "NumPy, SuperLU"
