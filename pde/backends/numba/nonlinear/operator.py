"""A nonlinear operator whose linear part is compiled, around calls of the user's functions on a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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
        held = None if self._held is None else self._four(self._held)[0]
        self._compiled_couplings = Couplings(front, across, along, held)

    def __call__(self, u: Array) -> Array:
        u = np.ascontiguousarray(u)
        result, whole = np.empty_like(u), (slice(0, None, 1),) * self.grid.ndim
        k, ends = self._compiled_couplings, self._ends(u)
        for block, first, _ in self._parts(whole):
            here = u[trailing(block)]
            values = 0 * here if self.laws.reaction is None else self.laws.reaction(here, self._points_of(block))
            apply(self._four(result), self._four(u), self._four(values), first, k, ends)
        return result

    def sweep(self, u: Array, f: Array, omega: float | None = None, most: float = 1.0) -> Array:
        u, f = np.array(u, order="C"), np.ascontiguousarray(f)
        number = self.dtype.type
        rule = number(most if omega is None else omega), omega is None and most != 1, number(SLOWING), number(LEAST_SLOPE)
        whole, k, ends = (self._four(u), self._four(f)), self._compiled_couplings, self._ends(u)
        for part, first, step in self._in_turn():
            here = np.ascontiguousarray(u[trailing(part)])
            values = slopes = here
            if self.laws.reaction is not None:
                values, slopes = self.laws.reaction.with_slope(here, self._points_of(part))
            relax(*whole, self._four(values), self._four(slopes), first, step, k, ends, *rule)
        return u

    def _in_turn(self) -> Iterator[Any]:
        """The parts of all colours: those of a colour, as soon as the colour before has passed, unless axis 0 turns."""
        colours = [list(zip_longest(*map(self._parts, blocks))) for blocks in self.colours]
        lag = len(colours[0]) if self.grid.axes[0].periodic else 1
        for time in range(max(map(len, colours)) + lag * (len(colours) - 1)):
            for number, parts in enumerate(colours):
                if 0 <= time - lag * number < len(parts):
                    yield from filter(None, parts[time - lag * number])

    def _four(self, values: Array) -> Array:
        """As (members, planes, rows, n)."""
        shape = values.shape[-self.grid.ndim :]
        return np.ascontiguousarray(values).reshape(-1, *(1,) * (3 - len(shape)), *shape)

    def _points_of(self, block: Block) -> list[Array]:
        return [x[block] for x in self._points]

    def _parts(self, block: Block) -> Iterator[tuple[Block, tuple[int, ...], tuple[int, ...]]]:
        """Parts of a block along its first axis, each with the first index and the steps, of three axes."""
        counts = [len(range(*s.indices(n))) for s, n in zip(block, self.grid.shape, strict=True)]
        start, step = [s.start for s in block], [s.step or 1 for s in block]
        some = max(1, AT_ONCE // int(np.prod(self.grid.shape[1:])))
        for done in range(0, counts[0], some):
            first = start[0] + done * step[0]
            stop = min(start[0] + (min(done + some, counts[0]) - 1) * step[0] + 1, self.grid.shape[0])
            pad = (0,) * (3 - len(block))
            yield (slice(first, stop, step[0]), *block[1:]), (*pad, first, *start[1:]), (*pad, *step)

    def _ends(self, u: Array) -> Ends:
        """The neighbours beyond the ends of each axis; zero where there is no coupling."""
        ndim, members = self.grid.ndim, u.size // self.grid.size
        found: list[Any] = []
        for a, axis in enumerate(self.grid.axes):
            if axis.periodic:
                found.append(None)
                continue
            shape = tuple(n for b, n in enumerate(self.grid.shape) if b != a)
            pair = np.zeros((members, 2, *(1,) * (3 - ndim), *shape), self.dtype)
            for side in (0, 1):
                if (a, side) in self._values:
                    pair[:, side] = _of_members(self._values[a, side], pair[:, side], len(shape))
            found.append(pair)
        return Ends(*(None, *found)[-3:])


def _fast(law: Law | None) -> Law | None:
    """The law with a faster exp where it is a formula."""
    if law is None or not isinstance(law.function, Formula):
        return law
    return replace(law, function=law.function.using({np.exp: exp}))


def _of_members(values: Array, like: Array, ndim: int) -> Array:
    """Values of a side, with or without members, in the shape of `like`."""
    return np.broadcast_to(values.reshape(-1, *like.shape[1:]) if values.ndim >= ndim else values, like.shape)
