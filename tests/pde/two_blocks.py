"""A backend that keeps every vector as two blocks with halos, as two ranks would: no solver may notice.

The blocks are halves along axis 0. Operators, sweeps and transfers of the cycles compute in each block alone, and know
no more of the other one than the layer that `exchange` has brought; inner products are sums of both. Direct solutions,
the interpolation of full multigrid and boundary data go by way of the whole array.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from pde.backends.base import Backend
from pde.levels.interpolation_1d import linear_matrix, restriction_matrix
from pde.levels.smoothers import Jacobi, RedBlack
from pde.levels.transfers import BilinearTransfer
from pde.problem.operators import StencilOperator


class Blocks:
    """Two arrays (members, 1 + rows + 1, ...), the first and last row of each a halo; `periodic` as axis 0 is."""

    def __init__(self, parts, periodic):
        self.parts, self.periodic = tuple(parts), periodic
        self.ndim, self.dtype = self.parts[0].ndim, self.parts[0].dtype

    @classmethod
    def split(cls, x, rows, periodic):
        parts = [np.zeros((len(x), n + 2, *x.shape[2:]), x.dtype) for n in (rows, x.shape[1] - rows)]
        parts[0][:, 1:-1], parts[1][:, 1:-1] = x[:, :rows], x[:, rows:]
        return cls(parts, periodic)

    @property
    def inner(self):
        return [part[:, 1:-1] for part in self.parts]

    def joined(self):
        return np.concatenate(self.inner, axis=1)

    def exchange(self):
        """Bring the rows beside each block to its halos; beyond the ends there is nothing, which must not matter."""
        low, high = (part.copy() for part in self.parts)
        low[:, -1], high[:, 0] = high[:, 1], low[:, -2]
        low[:, 0], high[:, -1] = (high[:, -2], low[:, 1]) if self.periodic else (np.nan, np.nan)
        return low, high

    def with_inner(self, inner):
        parts = [np.pad(x, [(0, 0), (1, 1), *((0, 0),) * (x.ndim - 2)]) for x in inner]
        return Blocks(parts, self.periodic)

    def _each(self, other, function):
        others = other.parts if isinstance(other, Blocks) else (other, other)
        with np.errstate(divide="ignore", invalid="ignore"):  # in halos
            return Blocks(map(function, self.parts, others), self.periodic)

    def __add__(self, other):
        return self._each(other, lambda a, b: a + b)

    def __sub__(self, other):
        return self._each(other, lambda a, b: a - b)

    def __mul__(self, other):
        return self._each(other, lambda a, b: a * b)

    def __truediv__(self, other):
        if not isinstance(other, Blocks):
            return NotImplemented  # numbers times vectors are all that the seam asks for
        return self._each(other, lambda a, b: a / b)

    def __rtruediv__(self, other):
        return self._each(other, lambda a, b: b / a)

    def __getitem__(self, members):
        return Blocks((part[members] for part in self.parts), self.periodic)

    __rmul__ = __mul__
    __array_ufunc__ = None  # a NumPy number times blocks is ours


class BlockOperator:
    """A `StencilOperator` by its coefficients in each block; those of neighbours beyond the sides are left out."""

    def __init__(self, A, rows, dtype):
        self.grid, self.terms, self.plain = A.grid, A.terms, A
        periodic = A.grid.axes[0].periodic
        own = np.array(np.broadcast_to(A.reaction, A.grid.shape), dtype)
        self._own = self._split(A.add_ends(np.ones_like(own), own), rows)
        self._around = []
        for a, axis in enumerate(A.grid.axes):
            pair = [np.array(np.broadcast_to(c, A.grid.shape), dtype) for c in (A.lower[a], A.upper[a])]
            for values, end in zip(pair, (0, -1), strict=True):
                if not axis.periodic:
                    values[(slice(None),) * a + (end,)] = 0
            self._around.append([self._split(values, rows) for values in pair])
        self.diagonal = Blocks.split(np.array(np.broadcast_to(A.diagonal, A.grid.shape), dtype)[None], rows, periodic)
        self._colours = []
        for blocks in A.colours:
            mask = np.zeros(A.grid.shape, bool)
            for block in blocks:
                mask[block] = True
            self._colours.append(self._split(mask, rows))

    @staticmethod
    def _split(x, rows):
        return x[:rows], x[rows:]

    def __call__(self, u):
        padded, inner = u.exchange(), u.inner
        result = []
        for k in (0, 1):
            total = self._own[k] * inner[k]
            for a in range(self.grid.ndim):
                for c, there in zip(self._around[a], self._beside(padded[k], a), strict=True):
                    total = total + np.where(c[k] == 0, 0, c[k] * (inner[k] - there))
            result.append(total)
        return u.with_inner(result)

    def coloured_sweep(self, r, omega, reverse=False):
        d = r.with_inner([np.zeros_like(x) for x in r.inner])
        for colour in reversed(self._colours) if reverse else self._colours:
            padded, new = d.exchange(), []
            for k in (0, 1):
                total = r.inner[k]
                for a in range(self.grid.ndim):
                    for c, there in zip(self._around[a], self._beside(padded[k], a), strict=True):
                        total = total + np.where(c[k] == 0, 0, c[k] * there)
                new.append(np.where(colour[k], omega / self.diagonal.inner[k] * total, d.inner[k]))
            d = d.with_inner(new)
        return d

    def _beside(self, padded, a):
        """The values before and after each point of a block along an axis."""
        inner = padded[:, 1:-1]
        if a == 0:
            return padded[:, :-2], padded[:, 2:]
        return np.roll(inner, 1, a + 1), np.roll(inner, -1, a + 1)


class BlockTransfer:
    """Matrices along the axes, that of axis 0 in parts: a block's rows, and the columns in it and in its halos.

    Raises:
        ValueError: a row needs more than one layer of the other block.
    """

    def __init__(self, matrices, rows, columns, periodic):
        self._first, *self._others = matrices
        self._rows, self._columns, self._periodic, self._parts = rows, columns, periodic, None
        if self._first is not None:
            self._parts = [self._part(k) for k in (0, 1)]

    def _part(self, k):
        M, n = self._first, self._first.shape[1]
        own = range(0, self._columns) if k == 0 else range(self._columns, n)
        before, after = own[0] - 1, own[-1] + 1
        visible = [before % n if self._periodic else before, *own, after % n if self._periodic else after]
        part = M[: self._rows] if k == 0 else M[self._rows :]
        padded = np.concatenate([part, np.zeros((len(part), 1))], axis=1)  # number n and -1: beyond the ends
        seen = padded[:, [c if 0 <= c < n else n for c in visible]]
        if np.count_nonzero(seen) != np.count_nonzero(part):
            raise ValueError("one layer of halo is too little")
        return seen

    def __call__(self, u, like=None):
        padded, result = u.exchange(), []
        for k, x in enumerate(padded):
            if self._parts is None:
                x = x[:, 1:-1]
            else:
                x = np.moveaxis(np.tensordot(self._parts[k], np.nan_to_num(x), (1, 1)), 0, 1)
            for a, M in enumerate(self._others, start=2):
                if M is not None:
                    x = np.moveaxis(np.tensordot(M, x, (1, a)), 0, a)
            result.append(np.ascontiguousarray(x, u.dtype))
        return u.with_inner(result)


class Whole:
    """A map of arrays between the vectors of two grids, by way of whole arrays."""

    def __init__(self, function, rows):
        self.function, self._rows = function, rows

    def __call__(self, u, *others):
        return Blocks.split(self.function(u.joined(), *others), self._rows, u.periodic)


class Interpolation(Whole):
    """Of full multigrid, with its restriction of data."""

    def __init__(self, cubic, rows, below):
        super().__init__(cubic, rows)
        self.fine, self.which = cubic.fine, cubic.which
        self.restrict_data = Whole(cubic.restrict_data, below)


class TwoBlocks(Backend):
    def __init__(self, hierarchy, dtype, device, rows):
        super().__init__(hierarchy, dtype, device, "two blocks")
        self.rows = rows

    def vector(self, x, *, level=0):
        return Blocks.split(x, self.rows[level], self._grid(level).axes[0].periodic)

    def array(self, v, *, level=0):
        return v.joined()

    def dot(self, v, w, *, level=0):
        W = self._grid(level).volumes()
        parts = zip(np.split(W, [self.rows[level]]), (v * w).inner, strict=True)
        total = sum(np.sum(weights * x, axis=tuple(range(1, x.ndim))) for weights, x in parts)
        return (total / W.sum()).reshape((-1,) + (1,) * (v.ndim - 1)).astype(v.dtype)

    def norms(self, v, *, level=0):
        largest = np.max([np.abs(x).reshape(len(x), -1).max(1) for x in v.inner], axis=0).astype(float)
        unit = np.where((largest > 0) & np.isfinite(largest), largest, 1).reshape((-1,) + (1,) * (v.ndim - 1))
        scaled = v * (1 / unit).astype(v.dtype)
        return (unit * np.sqrt(self.dot(scaled, scaled, level=level))).ravel().astype(float)

    def project(self, v, *, level=0, out=None):
        if not self.hierarchy.choices.singular:
            return v
        one = v.with_inner([np.ones_like(x) for x in v.inner])
        return v - one * self.dot(one, v, level=level)

    def fold(self, f, sides, *, level=0):
        return self.vector(super().fold(self.array(f), sides, level=level), level=level)

    def _grid(self, level):
        return self.hierarchy.levels[level].info.grid


def make(hierarchy, options):
    """The backend, or the reason why there is none; for `pde.backends.choice.MAKERS`."""
    infos = [level.info for level in hierarchy.levels]
    for level in hierarchy.levels[:-1]:
        stencils = isinstance(level.A, StencilOperator) and isinstance(level.P, BilinearTransfer)
        if not stencils or not all(isinstance(B, Jacobi | RedBlack) for B in (*level.B, *level.B_post)):
            return "blocks are for stencils"
    rows = rows_of_low_blocks([info.grid.shape[0] for info in infos])
    if rows is None:
        return "axis 0 is too short for two blocks"
    try:
        levels = [block_level(hierarchy, l, rows, options.dtype) for l in range(len(infos))]
    except ValueError as error:
        return str(error)
    cubic = [Interpolation(each, *rows[l : l + 2]) for l, each in enumerate(hierarchy.interpolations)]
    return TwoBlocks(replace(hierarchy, levels=levels, interpolations=cubic), options.dtype, options.device, rows)


def rows_of_low_blocks(sizes):
    """Half of each grid, so that the coarse rows of a block come from its own fine ones; None: a block is empty."""
    times = sum(b < a for a, b in pairwise(sizes))
    rows = [round(sizes[0] / 2 ** (times + 1)) * 2**times]
    for a, b in pairwise(sizes):
        rows.append(rows[-1] // 2 if b < a else rows[-1])
    return rows if all(0 < k < n for k, n in zip(rows, sizes, strict=True)) else None


def block_level(hierarchy, l, rows, dtype):
    level = hierarchy.levels[l]
    periodic = level.info.grid.axes[0].periodic
    if level.R is None:
        A = BlockOperator(level.A, rows[l], dtype) if isinstance(level.A, StencilOperator) else Whole(level.A, rows[l])
        return replace(level, A=A, B=[Whole(B, rows[l]) for B in level.B])
    A, P = BlockOperator(level.A, rows[l], dtype), level.P
    axes = [
        (fine, coarse, P.diffusion[a : a + 1]) if halved else None
        for a, (fine, coarse, halved) in enumerate(zip(P.fine.axes, P.coarse.axes, P.which, strict=True))
    ]
    prolong, restrict = (
        [None if each is None else dense(make, *each) for each in axes] for make in (linear_matrix, restriction_matrix)
    )
    return replace(
        level,
        A=A,
        B=[replace(B, A=A) for B in level.B],
        B_post=[replace(B, A=A) for B in level.B_post],
        P=BlockTransfer(prolong, rows[l], rows[l + 1], periodic),
        R=BlockTransfer(restrict, rows[l + 1], rows[l], periodic),
    )


def dense(make, fine, coarse, diffusion):
    return make(fine, coarse, *diffusion).toarray()
