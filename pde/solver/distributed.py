"""A solver on the ranks of a communicator: data of one block, read, reduced and checked by all ranks together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from pde.backends.mpi.block import OnSlabs
from pde.backends.mpi.operator import SlabOperator, sum_of
from pde.common.ranks import Ranks, read_ranks
from pde.levels.hierarchy import Choices
from pde.problem.fields import read_values
from pde.problem.grid import Array, Sides
from pde.problem.lifting import Products
from pde.problem.poisson import Poisson
from pde.solver.inputs import Inputs, Reader
from pde.solver.reduced import Reduced, Reduction


class Local:
    """A problem as one rank sees it: f and u have the shape of its block; sides are whole."""

    def __init__(self, problem: Poisson, backend: OnSlabs) -> None:
        self._problem, self._grid = problem, backend.block
        self.shape: tuple[int, ...] = backend.block.shape

    def __getattr__(self, name: str) -> Any:
        return getattr(self._problem, name)

    def read(self, name: str, values: Any, dtype: Any = None, **options: Any) -> Array:
        given, whole = tuple(np.shape(values)) if not callable(values) else (), self._problem.shape
        if len(given) >= len(whole) and given[len(given) - len(whole) :] != self.shape:
            raise ValueError(
                f"{name} must have the shape of this rank's block, {self.shape} of {whole}, after any leading batch "
                f"axes; got {given}"
            )
        return read_values(name, values, self._grid, dtype, **options)


class BlockReader(Reader):
    """Reads arguments of a solver on one rank; an error of one is an error of all."""

    def __init__(self, problem: Any, backend: OnSlabs) -> None:
        super().__init__(problem, backend.device, backend.dtype)
        object.__setattr__(self, "ranks", backend.ranks)

    ranks: Ranks

    def inputs(self, f: Any, g: Any = None, u0: Any = None, out: Any = None) -> Inputs:
        with self.ranks.together():
            return super().inputs(f, g, u0, out)

    def right_hand_side(self, f: Any, u: Any = None) -> Inputs:
        with self.ranks.together():
            return super().right_hand_side(f, u)

    def _inputs(self, *arguments: Any) -> Inputs:
        return BlockInputs(**vars(super()._inputs(*arguments)))


class BlockInputs(Inputs):
    """The data of one call on one rank."""

    reader: BlockReader

    def check_finite(self) -> None:
        with self.reader.ranks.together():
            super().check_finite()


class SlabReduction(Reduction):
    """`Reduction` for the planes of one rank and whole boundary data."""

    _backend: OnSlabs

    def __call__(self, f: Array, sides: Sides, u0: Array | None = None) -> Reduced:
        return replace(super().__call__(f, sides, u0), largest=self._backend.largest)

    def _folded(self, f: Array, g: Sides) -> Array:
        return self._backend.fold(f, g)

    def _fold_into(self, f: Array, g: Sides) -> Array:
        return self._backend.fold_into(f, g, self.exact.terms)

    def _sum(self, products: Products) -> Array:
        return sum_of(products, self._backend.begin, self._backend.end)

    def _unlifted(self, w: Array, sides: Sides) -> Array:
        A, ndim, lacking = self._operator, self.grid.ndim, Sides()
        members = w.reshape(-1, *w.shape[w.ndim - ndim :])
        for a, axis in enumerate(self.grid.axes):
            for side, end in enumerate(axis.sides):
                if not axis.periodic and (end.of_u or (a, side) in sides):
                    beside = self._layer(members, a, side)
                    beside = beside.reshape(*w.shape[: w.ndim - ndim], *beside.shape[1:])
                    lacking[a, side] = sides.get((a, side), 0.0) - self.terms.of_u(self.grid, a, side) * beside
        return self._backend.fold_into(-A.without_ends(w), lacking, self.terms)

    @cached_property
    def _operator(self) -> SlabOperator:
        """A in float64 on the planes of this rank."""
        return SlabOperator(self.exact, self._backend.ranks, self._backend.begin, self._backend.end)

    def _layer(self, f: Array, a: int, side: int) -> Array:
        ranks = self._backend.ranks
        if a == 0:
            return ranks.of(0 if side == 0 else ranks.size - 1, super()._layer(f, a, side))
        return np.moveaxis(ranks.joined(np.moveaxis(super()._layer(f, a, side), -self.grid.ndim + 1, 0)), 0, 1)

    def _is_rounding(self, left: Array, w: Array) -> Any:
        backend = self._backend
        members = (-1, *backend.block.shape)
        size = backend.norms((left / self._operator.diagonal).reshape(members))
        return size <= 8 * np.finfo(float).eps * backend.largest(w.reshape(members))


def only_here(problem: Any, refused: Mapping[str, Any]) -> None:
    """Refuse problems that are not divided among ranks.

    Args:
        refused: other arguments of a solver that must be left out, by name.

    Raises:
        ValueError, TypeError: naming what came.
    """
    if type(problem) is not Poisson:
        raise TypeError(f"comm: a problem in blocks must be a pde.Poisson; got {type(problem).__name__}")
    terms = problem.terms
    for name, given in (
        ("domain", problem.domain is not None or terms.domain is not None),
        ("a full tensor as coefficient", terms.tensor is not None),
        ("boundary='open'", problem.open),
        ("order=4", problem.order != 2),
        (f"a grid without planes, of shape {problem.shape},", problem.ndim == 1),
        *refused.items(),
    ):
        if given:
            raise ValueError(f"comm: {name} is not for problems that are divided among ranks; solve it on one")


def check_choices(choices: Choices) -> None:
    """Refuse levels that are not divided among ranks, before they are made.

    Raises:
        ValueError: naming the choice.
    """
    reason = ""
    if choices.coarse != "rediscretised":
        reason = f"levels with coarse='galerkin' are not divided among ranks (smoother={choices.smoother!r}, "
        reason += f"transfer={choices.transfer!r}); coefficients that jump and strong negative reactions take them"
    elif choices.transfer != "bilinear":
        reason = f"transfer={choices.transfer!r} is not for levels that are divided among ranks; it is 'bilinear' there"
    elif choices.smoother not in ("sor", "red-black"):
        reason = f"smoother={choices.smoother!r} is not for levels that are divided among ranks; 'sor' and 'red-black' "
        reason += "are"
    if reason:
        raise ValueError(f"comm: {reason}")


def same_ranks(problem: Any, comm: Any) -> Ranks:
    """The ranks of a problem, or of the argument `comm`.

    Raises:
        ValueError: they are not the same.
    """
    own = getattr(problem, "ranks", None)
    ranks: Any = own if comm is None else read_ranks(comm)
    if own is not None and (ranks.rank, ranks.size) != (own.rank, own.size):
        raise ValueError(
            f"comm must be that of the problem, in which this is rank {own.rank} of {own.size}; it is rank "
            f"{ranks.rank} of {ranks.size} in the other"
        )
    found: Ranks = ranks
    return found
