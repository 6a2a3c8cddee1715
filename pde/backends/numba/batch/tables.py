"""The levels as kernels for groups of members read them: records of numbers, and the arrays that they point into.

A field of a group has LANES numbers per point, in natural order, with a halo of zeros around the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from mgcore import Level
from pde.backends.numba.level_data import Pieces
from pde.backends.numba.simd import LANES
from pde.backends.numba.stamps import digest
from pde.levels.direct import DirectStart, SeparableSolver
from pde.levels.hierarchy import sweep_of
from pde.levels.interpolation_1d import as_weights, cubic_matrix, data_matrix, linear_matrix, restriction_matrix
from pde.problem.grid import Array, Grid
from pde.problem.operators import StencilOperator

RESTRICT, PROLONG, DATA, CUBIC = range(4)
"""The maps between a level and the next coarser one: R and that of data to it, P and cubic interpolation from it."""


def record(dtype: np.dtype) -> np.dtype:
    """Return the type of the record of a level.

    Fields that begin with `at_` are offsets in `Tables.reals` or `integers`; u, f and r are those of the first point in
    the numbers of a work space; maps have three entries each, one per axis.
    """
    count = np.int64
    grid = [("n", count, 3), ("periodic", count, 3), ("stride", count, 2), ("u", count), ("f", count), ("r", count)]
    sweep = [("colours", count), ("at_spans", count), ("at_rows", count), ("keep", dtype)]
    mean = [("at_width", count, 3), ("volume", np.float64)]
    maps = [("most", count, 12), ("at_index", count, 12), ("at_weight", count, 12)]
    direct = [("separable", count), ("at_modes", count)]
    every: Any = [*grid, *sweep, *mean, *maps, *direct, (f"sources_{digest()}", np.int8)]
    return np.dtype(every, align=True)


class Tables:
    """Records of all levels, finest first.

    Attributes:
        arrays: (records, reals, integers).
        is_3d: None or True, as kernels take it.
        work_size: numbers of the work space of a group.
        row: offset of a row in it, and `modes` of two fields of the coarsest grid.
    """

    def __init__(
        self, levels: Sequence[Level], dtype: np.dtype, singular: bool, start: DirectStart | None = None
    ) -> None:
        self.dtype, self._singular = dtype, singular
        grids = [level.info.grid for level in levels]
        self.is_3d = True if grids[0].ndim == 3 else None
        self._reals, self._integers = Pieces(float), Pieces(np.int64)
        self._cells = 0
        records = np.zeros(len(levels), record(dtype))
        for here, level in zip(records, levels, strict=True):
            self._grid(here, level.info.grid)
            if level.P is not None:
                self._stencil(here, level)
                self._maps(here, level)
        self._direct(records[-1], levels[-1].info.operator, levels[-1].B[0])
        if start is not None:
            self._direct(records[start.level], start.A, start.solver)
        self.row = self._take(max(max(shape_of(grid)) for grid in grids))
        self.modes = self._take(2 * (grids[-1].size if start is None else start.A.grid.size))
        self.work_size = self._cells * LANES
        self.arrays = records, self._reals.joined().astype(dtype), self._integers.joined()

    def _take(self, points: int) -> int:
        """Take memory for so many points; return its offset."""
        offset = self._cells * LANES
        self._cells += points
        return offset

    def _grid(self, here: Any, grid: Grid) -> None:
        shape = shape_of(grid)
        around = (int(self.is_3d is not None), 1, 1)  # points of the halo on either side
        full = [n + 2 * h for n, h in zip(shape, around, strict=True)]
        here["n"] = shape
        here["stride"] = full[1] * full[2] * LANES, full[2] * LANES
        first = (around[0] * full[1] * full[2] + full[2] + 1) * LANES
        for name in ("u", "f", "r"):
            here[name] = self._take(int(np.prod(full))) + first
        here["volume"] = np.prod([axis.width.sum() for axis in grid.axes])
        for a, axis in enumerate(grid.axes, start=3 - grid.ndim):
            here["periodic"][a] = axis.periodic
            here["at_width"][a] = self._reals.add(axis.width)
        for a in range(3 - grid.ndim):
            here["at_width"][a] = self._reals.add(np.ones(1))

    def _stencil(self, here: Any, level: Level) -> None:
        """Store coefficients by rows, each different one once, and the points of each colour."""
        A, omega = level.info.operator, sweep_of(level).omega
        rows = _rows_of_coefficients(A, omega)
        unique, number = np.unique(rows, axis=0, return_inverse=True)
        at = self._reals.add(unique)
        here["at_rows"] = self._integers.add(at + number.ravel() * rows.shape[1])
        spans = _spans(A)
        here["colours"], here["at_spans"] = len(spans), self._integers.add(spans)
        here["keep"] = 1 - omega

    def _maps(self, here: Any, level: Level) -> None:
        transfer: Any = level.info.to_coarse
        fine, coarse = transfer.fine.axes, transfer.coarse.axes
        for a in range(3):
            number = a - 3 + len(fine)
            halved = number >= 0 and transfer.which[number]
            n = 1 if number < 0 else fine[number].n
            maps = [sp.identity(n, format="csr")] * 4
            if halved:
                pair, sides = (fine[number], coarse[number]), transfer.diffusion[number : number + 1]
                R, P = restriction_matrix(*pair, *sides), linear_matrix(*pair, *sides)
                maps = [R, P, data_matrix(fine[number]), cubic_matrix(*pair)]
            for which, matrix in zip((RESTRICT, PROLONG, DATA, CUBIC), maps, strict=True):
                indices, weights = as_weights(matrix)
                here["most"][3 * which + a] = len(indices)
                here["at_index"][3 * which + a] = self._integers.add(indices)
                here["at_weight"][3 * which + a] = self._reals.add(weights)

    def _direct(self, here: Any, A: StencilOperator, B: Any) -> None:
        """Store the matrices of a direct solution: to the eigenvectors of each axis, or of all of A, and back."""
        here["separable"] = isinstance(B, SeparableSolver)
        to, inverse, back = B.parts if here["separable"] else _modes(A, self._singular)
        one = [np.ones((1, 1))] * (3 - len(to) if here["separable"] else 0)
        matrices = [_transposed(M).ravel() for M in [*one, *to, *one, *back]]
        here["at_modes"] = self._reals.add(np.concatenate([*matrices, inverse.ravel()]))


def _modes(A: StencilOperator, singular: bool) -> tuple[list[Array], Array, list[Array]]:
    """As `SeparableSolver.parts`, for the eigenvectors of A itself."""
    root = np.sqrt(A.volumes.ravel() / A.volumes.max())
    symmetric = StencilOperator(A.grid, np.dtype(float), A.terms).symmetric_matrix().toarray() / A.volumes.max()
    values, vectors = np.linalg.eigh(symmetric / np.multiply.outer(root, root))
    over = 1 / np.where(np.arange(len(values)) < singular, np.inf, values)
    return [vectors.T * root], over, [vectors / root[:, None]]


def shape_of(grid: Grid) -> tuple[int, int, int]:
    """The shape in three numbers."""
    return (1, 1, 1, *grid.shape)[-3:]  # type: ignore[return-value]


def _rows_of_coefficients(A: StencilOperator, omega: float) -> Array:
    """Coefficients of the neighbours along each axis, last axis first, the diagonal and omega over it: (rows, ...)."""
    parts = [c[a] for a in reversed(range(A.grid.ndim)) for c in (A.lower, A.upper)]
    if A.grid.ndim == 1:
        parts += [0.0, 0.0]
    every = [np.broadcast_to(part, A.grid.shape) for part in (*parts, A.diagonal, omega / np.asarray(A.diagonal))]
    return np.stack(every, axis=-1).astype(float).reshape(-1, A.grid.shape[-1] * len(every))


def _spans(A: StencilOperator) -> Array:
    """The points of each colour in each row: (colours, rows, 2), the first and the end, every second one between."""
    shape = shape_of(A.grid)
    spans = np.zeros((len(A.colours), *shape[:2], 2), np.int64)
    for colour, blocks in enumerate(A.colours):
        for block in blocks:
            along = block[-1]
            rows: Any = (*(slice(None),) * (3 - len(block)), *block[:-1])
            spans[colour][rows] = along.start, along.stop or shape[2]
    return spans


def _transposed(matrix: Array) -> Array:
    """The transpose, with rows of whole LANES."""
    return np.pad(matrix.T, ((0, 0), (0, -len(matrix) % LANES)))
