"""Floating-point operations of a cycle: one count for classical and for learned cycles.

Multiplications and additions count one each, divisions are multiplications by stored reciprocals, and a cycle starts
from a guess on the finest grid and from zero on coarser ones. With n unknowns and z nonzeros of A on a level:

    residual f - A u                                        2 z
    R r, P e                                                2 nnz(P) - n_coarse, and 2 nnz(P) with u + P e
    coarsest grid, a dense inverse                          2 n^2 - n
    points u_i <- (1 - w) u_i + w/a_ii (f_i - sum a_ij u_j) 2 z + n; from zero z, where half of the neighbours are zero
    Jacobi                                                  2 z + 2 n; from zero n; Chebyshev 2 n more for weights
    lines: a tridiagonal solve 5 n, the relaxation 3 n      2 (z - z within lines) + 8 n; from zero half of the first
    a learned kernel of k entries: u + S (f - A u)          2 z + 2 k n; from zero (2 k - 1) n

Entries beyond the boundary do not count for A and P; those of kernels do. No fusion of steps is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class LevelWork(NamedTuple):
    """Numbers that the operations of a level follow from.

    Args:
        shape: of the grid.
        nonzeros: of A.
        before, after: sweeps, each the name of a smoother of `pde` or the number of entries of a kernel.
        transfer: nonzeros of P from the next coarser grid; 0 on the coarsest.
    """

    shape: tuple[int, ...]
    nonzeros: int
    before: Sequence[str | int] = ()
    after: Sequence[str | int] = ()
    transfer: int = 0

    @property
    def n(self) -> int:
        return int(np.prod(self.shape))


VISITS = {"V": ("V",), "W": ("W", "W"), "F": ("F", "V"), "backslash": ("backslash",)}
"""The cycles on the next coarser grid, one after the other."""


def cycle_operations(levels: Sequence[LevelWork], cycle: str = "V", from_zero: bool = False) -> float:
    """Operations per unknown of the finest grid; `from_zero` as a preconditioner, which starts there."""
    return _visit(levels, cycle, from_zero) / levels[0].n


def _visit(levels: Sequence[LevelWork], cycle: str, zero: bool) -> int:
    level, *below = levels
    if not below:
        return 2 * level.n**2 - level.n + (0 if zero else 2 * level.nonzeros)
    total = 0
    for sweep in level.before:
        total += sweep_operations(level, sweep, zero)
        zero = False
    total += 0 if zero else 2 * level.nonzeros
    total += 2 * level.transfer - below[0].n
    for number, inner in enumerate(VISITS[cycle]):
        total += _visit(below, inner, number == 0)
    total += 2 * level.transfer
    return total + sum(sweep_operations(level, sweep, False) for sweep in level.after)


def sweep_operations(level: LevelWork, sweep: str | int, zero: bool) -> int:
    """Operations of one sweep, from a guess or from zero."""
    n, z = level.n, level.nonzeros
    if isinstance(sweep, int):
        return (2 * sweep - 1) * n if zero else 2 * z + 2 * sweep * n
    if sweep in ("jacobi", "chebyshev"):
        return (n if zero else 2 * z + 2 * n) + 2 * n * (sweep == "chebyshev")
    if sweep == "zebra":
        return _lines(level, 0, zero) + _lines(level, 1, False)
    if sweep.startswith("zebra "):
        return _lines(level, int(sweep[-1]), zero)
    if sweep in ("sor", "red-black"):
        return z if zero else 2 * z + n
    raise ValueError(f"sweep must be the number of entries of a kernel or a known smoother, got {sweep!r}")


def _lines(level: LevelWork, axis: int, zero: bool) -> int:
    n = level.n
    between = level.nonzeros - (3 * n - 2 * n // level.shape[axis])
    return (between if zero else 2 * between) + 8 * n


def work_of(mg: Any, symmetric: bool = False) -> list[LevelWork]:
    """The work of a `pde.Multigrid` on each level; `symmetric` as conjugate gradients use it."""
    before, after = (max(mg.nu),) * 2 if symmetric else mg.nu
    levels = []
    for level in mg.levels:
        A, P = level.info.operator, level.info.to_coarse
        sweeps = ((), ()) if P is None else ([mg.smoother] * before, [mg.smoother] * after)
        levels.append(LevelWork(A.grid.shape, A.matrix().nnz, *sweeps, 0 if P is None else P.matrix().nnz))
    return levels


def work_of_module(module: Any, shape: tuple[int, ...]) -> list[LevelWork]:
    """The work of a `TrainableMultigrid` on a grid of this shape."""
    parts, levels = module.parts(), []
    for number, level in enumerate(module.levels(shape)):
        part, below = parts[min(number, len(parts) - 1)], tuple(n // 2 for n in shape)
        counts = [np.prod([n - abs(o) for n, o in zip(shape, offset, strict=True)]) for offset in offsets(level.info)]
        sweeps = ([K[0].numel()] * len(K) if level.P else () for K in (part.before, part.after))
        transfer = len(offsets(part.P)) * int(np.prod(below)) if level.P else 0  # every fine point around is there
        levels.append(LevelWork(shape, int(sum(counts)), *sweeps, transfer))
        shape = below
    return levels


def offsets(K: Any) -> list[tuple[int, ...]]:
    """The offsets of the entries of a stencil that are not zero but for rounding."""
    values = K.detach().numpy()
    found = np.argwhere(abs(values) > 1e-12 * abs(values).max()) - values.shape[0] // 2
    return [tuple(map(int, offset)) for offset in found]
