"""A nonlinear operator whose linear part is compiled, around calls of the user's functions on a few rows at a time."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np

from pde.backends.numba.nonlinear.exponential import exp
from pde.backends.numba.nonlinear.kernels import Couplings, Ends, apply, relax
from pde.problem.formulas import Formula
from pde.problem.grid import Array, trailing
from pde.problem.laws import Law
from pde.problem.nonlinear_operator import LEAST_SLOPE, SLOWING, NonlinearOperator
from pde.problem.operators import Block

AT_ONCE = 1 << 14
"""Values for which a function is called at once: what it makes of them stays in the cache."""


Part = tuple[Any, tuple[int, ...], tuple[int, ...], list[Array]]
"""The index of a part of a block, its first point and the steps, of three axes, and the coordinates."""


class CompiledOperator(NonlinearOperator):
    """The same as a plain operator with a reaction alone, in two or three dimensions."""

    def __init__(self, plain: NonlinearOperator) -> None:
        vars(self).update(vars(plain))
        vars(self)["laws"] = replace(plain.laws, reaction=_fast(plain.laws.reaction))
        lines = [
            np.stack([np.broadcast_to(np.asarray(k, self.dtype), axis.n) for k in pair])
            for axis, pair in zip(self.grid.axes, self._couplings, strict=True)
        ]
        front, across, along = (None, *lines)[-3:]
        held = np.zeros((0, *(1,) * 3), self.dtype) if self._held is None else self._four(self._held)
        self._compiled_couplings = Couplings(front, across, along, held)

    def __call__(self, u: Array) -> Array:
        u = np.ascontiguousarray(u, self.dtype)
        result, reaction, ends = np.empty_like(u), self.laws.reaction, self._ends(u)
        for block, first, _, points in self._rows:
            here = u[block]
            values = 0 * here if reaction is None else reaction(here, points)
            apply(self._four(result), self._four(u), self._four(values), first, self._compiled_couplings, ends)
        return result

    def sweep(
        self,
        u: Array,
        f: Array,
        omega: float | None = None,
        most: float = 1.0,
        bounds: tuple[Array, Array] | None = None,
    ) -> Array:
        if bounds is not None:  # compiled sweeps have none
            return super().sweep(u, f, omega, most, bounds)
        u, f = np.array(u, self.dtype, order="C"), np.asarray(f, self.dtype)
        reaction, adaptive = self.laws.reaction, omega is None and most != 1
        weight, *limits = (self.dtype.type(v) for v in (most if omega is None else omega, SLOWING, LEAST_SLOPE))
        whole, fixed = (
            (self._four(u), self._four(f)),
            (self._compiled_couplings, self._ends(u), weight, adaptive, *limits),
        )
        for block, first, step, points in self._in_turn:
            here = np.ascontiguousarray(u[block])
            values, slopes = (0 * here,) * 2 if reaction is None else reaction.with_slope(here, points)
            relax(*whole, self._four(values), self._four(slopes), first, step, *fixed)
        return u

    @cached_property
    def _rows(self) -> list[Part]:
        """All unknowns in parts."""
        return self._parts((slice(0, None, 1),) * self.grid.ndim)

    @cached_property
    def _in_turn(self) -> list[Part]:
        """The parts of all colours: those of a colour, as soon as the colour before has passed, unless axis 0 turns."""
        colours = [list(zip_longest(*map(self._parts, blocks))) for blocks in self.colours]
        lag = len(colours[0]) if self.grid.axes[0].periodic else 1
        found: list[Part] = []
        for time in range(max(map(len, colours)) + lag * (len(colours) - 1)):
            for number, parts in enumerate(colours):
                if 0 <= time - lag * number < len(parts):
                    found.extend(part for part in parts[time - lag * number] if part)
        return found

    def _four(self, values: Array) -> Array:
        """As (members, planes, rows, n), of the one kind that is compiled: contiguous, and not read-only."""
        shape = values.shape[-self.grid.ndim :]
        values = np.ascontiguousarray(values) if values.flags.writeable else values.copy(order="C")
        return values.reshape(-1, *(1,) * (3 - len(shape)), *shape)

    def _parts(self, block: Block) -> list[Part]:
        """Parts of a block along its first axis."""
        counts = [len(range(*s.indices(n))) for s, n in zip(block, self.grid.shape, strict=True)]
        start, step = tuple(s.start for s in block), tuple(s.step or 1 for s in block)
        some, found = max(1, AT_ONCE // int(np.prod(self.grid.shape[1:]))), []
        for done in range(0, counts[0], some):
            first = start[0] + done * step[0]
            stop = start[0] + (min(done + some, counts[0]) - 1) * step[0] + 1
            part, pad = (slice(first, stop, step[0]), *block[1:]), (0,) * (3 - len(block))
            points = [x[part] for x in self._points]
            found.append((trailing(part), (*pad, first, *start[1:]), (*pad, *step), points))
        return found

    def _ends(self, u: Array) -> Ends:
        """The neighbours beyond the ends of each axis; zero where there is no coupling."""
        ndim, members = self.grid.ndim, u.size // self.grid.size
        found: list[Any] = []
        for a in range(ndim):
            shape = tuple(n for b, n in enumerate(self.grid.shape) if b != a)
            pair = np.zeros((members, 2, *(1,) * (3 - ndim), *shape), self.dtype)
            for side in (0, 1):
                if (a, side) in self._values:
                    pair[:, side] = _of_members(self._values[a, side], pair[:, side], len(shape))
            found.append(pair)
        periodic = (False, *(axis.periodic for axis in self.grid.axes))[-3:]
        front, across, along = (None, *found)[-3:]
        return Ends(front, across, along, periodic)


def _fast(law: Law | None) -> Law | None:
    """The law with a faster exp where it is a formula."""
    if law is None or not isinstance(law.function, Formula):
        return law
    return replace(law, function=law.function.using({np.exp: exp}))


def _of_members(values: Array, like: Array, ndim: int) -> Array:
    """Values of a side, with or without members, in the shape of `like`."""
    return np.broadcast_to(values.reshape(-1, *like.shape[1:]) if values.ndim >= ndim else values, like.shape)
