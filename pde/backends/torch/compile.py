"""The moves of a level on tensors, compiled by torch.compile: each leg of a cycle becomes a few loops over the grid.

Every level is compiled by itself, not the cycle as a whole: full multigrid, W- and F-cycles visit the same levels
again and again, and so does a later solve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import RLock
from typing import Any, NamedTuple

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from mgcore import Level
from mgcore.delegate import Delegate
from mgcore.level import State
from mgcore.moves import Moves
from pde.levels.transfers import BilinearTransfer
from pde.problem.operators import StencilOperator

Tensor = torch.Tensor
Backend = str | Callable[..., Any]
"""As torch.compile takes it; "inductor" makes Triton for a GPU and C++ for a CPU."""

LOCK = RLock()
"""One thread at a time: while one makes a graph of operations, torch lets no other run compiled code."""


def compiled(level: Level, backend: Backend = "inductor") -> Moves[Any]:
    """A level that makes the same moves compiled, to rounding; the level itself where its operator is sparse.

    So is the coarsest one, which is solved by a matrix.
    """
    if level.R is None or not isinstance(level.A, StencilOperator):
        return level
    return CompiledLevel(level, backend)


class Smoothed(NamedTuple):
    """The state after smoothing; `restricted` is R (f - A u)."""

    u: Tensor | None
    f: Tensor
    restricted: Tensor


@dataclass(frozen=True)
class CompiledLevel(Delegate):
    """The moves of `level` in two legs: sweeps, residual and restriction; prolongation, correction and sweeps.

    A leg is compiled where it is first taken, once with a first guess and once without. u and f have one batch axis,
    (members, *shape). Transfers that are sparse matrices stay outside.

    Raises:
        RuntimeError: of the moves, where torch.compile fails.
    """

    level: Level
    backend: Backend = "inductor"
    _legs: dict[Any, Callable[..., Any]] = field(default_factory=dict, repr=False, compare=False)

    def smooth(self, state: State) -> Smoothed:
        u, r = self._run(_down, state.f, state.u)
        return Smoothed(u, state.f, r if self._stencils_alone else self.level.R(r))  # type: ignore[misc]

    def restrict(self, state: Smoothed, coarse: Moves[Any]) -> Any:
        return coarse.start_from_residual(state.restricted, None)

    def correct(self, state: Smoothed, coarse: Moves[Any], before: Any, after: Any, *, post: bool = True) -> State:
        e = coarse.change(before, after)
        if not self._stencils_alone:
            e = self.level.P(e, state.f)  # type: ignore[misc]
        return State(self._run(_up_with_sweeps if post else _up, state.f, state.u, e), state.f)

    def _run(self, leg: Callable[..., Any], *x: Tensor | None) -> Any:
        given = [v for v in x if v is not None]
        key = leg, tuple(v is None for v in x)
        with LOCK:
            if key in self._legs:
                return self._legs[key](*given)
            level = self.level if self._stencils_alone else replace(self.level, R=_same, P=_same)
            try:
                made = _compile(partial(leg, without_writes(level, given[0].device)), x, self.backend)
                result = made(*given)
            except Exception as error:
                raise RuntimeError(
                    "kernels: torch.compile fails here; 'torch' does without it. "
                    "torch.compile needs a C++ compiler for a CPU, and Triton for a GPU"
                ) from error
            self._legs[key] = made
            return result

    @property
    def _stencils_alone(self) -> bool:
        return isinstance(self.level.P, BilinearTransfer)


class Stencil:
    """`StencilOperator` without writing to parts of tensors, of which a compiler makes a pass over the whole grid each.

    Sweeps compute every colour everywhere and choose: twice the arithmetic, in loops that are compiled well.
    """

    def __init__(self, A: StencilOperator, device: torch.device) -> None:
        self.diagonal: Any = A.diagonal
        self._lower, self._upper = A.lower, A.upper
        self._periodic = [axis.periodic for axis in A.grid.axes]
        self._colours = [_indicator(blocks, A.grid.shape, device) for blocks in A.colours]

    def __call__(self, u: Tensor) -> Tensor:
        return self.diagonal * u - self._neighbours(u)

    def coloured_sweep(self, r: Tensor, omega: float, reverse: bool = False) -> Tensor:
        """As that of `StencilOperator`."""
        first, *others = reversed(self._colours) if reverse else self._colours
        weight = omega / self.diagonal
        d = torch.where(first, weight * r, 0.0)
        for colour in others:
            d = torch.where(colour, weight * (r + self._neighbours(d)), d)
        return d

    def _neighbours(self, u: Tensor) -> Tensor:
        """The sum over the neighbours of every point, each times its coefficient."""
        total: Any = 0.0
        ndim = len(self._periodic)
        for a, periodic in enumerate(self._periodic):
            axis, n = a - ndim, u.shape[a - ndim]
            if periodic:
                padded = torch.cat((u.narrow(axis, n - 1, 1), u, u.narrow(axis, 0, 1)), axis)
            else:
                padded = torch.nn.functional.pad(u, (0, 0) * (ndim - 1 - a) + (1, 1))
            total = total + self._lower[a] * padded.narrow(axis, 0, n) + self._upper[a] * padded.narrow(axis, 2, n)
        return total


def without_writes(level: Level, device: torch.device) -> Level:
    """The level with `Stencil` for its operator, in its smoothers too."""
    A = Stencil(level.A, device)

    B, B_post = ([replace(B, A=A) for B in sweeps] for sweeps in (level.B, level.B_post))
    return replace(level, A=A, B=B, B_post=B_post)


def _down(level: Level, f: Tensor, u: Tensor | None) -> tuple[Tensor | None, Tensor]:
    state = level.smooth(State(u, f))
    return state.u, level.restrict(state, level).f


def _up(level: Level, f: Tensor, u: Tensor | None, e: Tensor, post: bool = False) -> Any:
    return level.correct(State(u, f), level, State(None, f), State(e, f), post=post).u


def _up_with_sweeps(level: Level, f: Tensor, u: Tensor | None, e: Tensor) -> Any:
    return _up(level, f, u, e, post=True)


def _compile(run: Callable[..., Any], x: Sequence[Tensor | None], backend: Backend) -> Callable[..., Any]:
    """run(*x), compiled for any number of members; the result takes those of x that are not None.

    The graph of torch operations comes from running it once. torch.compile would find it itself, but counts all levels
    as one function that changes too often.
    """
    places = [i for i, v in enumerate(x) if v is not None]
    given = [v for v in x if v is not None]

    def of_given(*some: Tensor) -> Any:
        every: list[Tensor | None] = [None] * len(x)
        for i, v in zip(places, some, strict=True):
            every[i] = v
        return run(*every)

    graph = make_fx(of_given)(*given)
    for v in given:
        if len(v) > 1:
            torch._dynamo.maybe_mark_dynamic(v, 0)
    return torch.compile(graph, fullgraph=True, backend=backend)


def _indicator(blocks: Sequence[tuple[slice, ...]], shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Where the points of these blocks are."""
    result = torch.zeros(shape, dtype=torch.bool, device=device)
    for block in blocks:
        result[block] = True
    return result


def _same(x: Tensor, like: Tensor | None = None) -> Tensor:
    return x
