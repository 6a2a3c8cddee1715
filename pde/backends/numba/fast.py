"""The way from a solver to the compiled kernels, which are imported where they are first used."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mgcore import Level
from mgcore.solve import Remaining
from pde.backends.numba import stamps
from pde.backends.numba.background import MEANWHILE, begin, waiting
from pde.backends.numba.variants import Variant, variant_of
from pde.common.progress import CompileBar
from pde.levels.hierarchy import symmetric as symmetric_levels
from pde.problem.grid import Array

SMALLEST = 1 << 15
"""Unknowns from which on "auto" takes the kernels: their first use in a process costs about a second."""

SMALL, LARGE = 1e-100, 1e100
"""Norms whose squares are in the range of numbers, those of residuals far below them too."""


Chosen = dict[Variant, str | None]
"""For each variant of the kernels that a solver has needed, why it runs on NumPy (None: it does not)."""

Norms = list[float] | None
"""Norms of residuals, one per member of a batch, where kernels have measured them."""


@dataclass
class Fast:
    """Cycles on compiled kernels, for batches (members, *shape); see `pde.backends.numba`.

    Args:
        kernels: "auto", "numba" or "numpy".
        threads: None is the number of cores that this process may use.
        chosen: what the solver has chosen before; a new choice is added.

    Raises:
        ValueError: kernels="numba" and the problem is not one for them. ImportError: or Numba is not there.
    """

    kernels: str
    dtype: np.dtype
    threads: int | None
    levels: Sequence[Level]
    chosen: Chosen = field(default_factory=dict)
    _made: dict[bool, Any] = field(default_factory=dict)
    _prepared: bool = False

    def __post_init__(self) -> None:
        self._variant, self._reason = self._choose()
        if self.kernels == "numba" and isinstance(reason := self._make(False), str):
            raise ValueError(f'kernels="numba": {reason}')

    def usable(self, symmetric: bool = False) -> bool:
        """Whether kernels run the cycle, or the one that conjugate gradients use; they may be not compiled yet."""
        return not isinstance(self._make(symmetric), str)

    def ready(self, symmetric: bool = False) -> bool:
        """As `usable`, and they are compiled."""
        self.prepare()
        return self.usable(symmetric)

    def prepare(self, progress: bool = False) -> None:
        """Have the kernels compiled: here, or in the background where the cycles run on NumPy meanwhile.

        Args:
            progress: show a bar where stderr is no terminal too.
        """
        if self._prepared or self._variant is None:
            return
        if self._reason == MEANWHILE:
            if failed := begin(self._variant):
                self._reason = self.chosen[self._variant] = failed
        elif self.usable():
            with CompileBar(progress, self._variant) as bar:
                files = self._make(False).prepare(bar)
            if files and not stamps.is_compiled(self._variant):
                stamps.write(self._variant, files=files)
            self._prepared = True  # not where it was interrupted

    def cycle(
        self,
        cycle: str,
        f: Array,
        u: Array | None = None,
        start: int = 0,
        symmetric: bool = False,
        in_place: bool = False,
    ) -> tuple[Array, Norms]:
        """A cycle for arrays (..., *shape), beginning on level `start`; the norms of f - A u, one per member.

        The norms are None where squares have left the range of numbers.
        """
        run = self._make(symmetric).cycle
        out = u if in_place and u is not None and u.flags.c_contiguous else np.empty_like(f, order="C")
        members = _triples(f, u, out, self.levels[start].info.grid.shape)
        return out, _exact([run(cycle, *each, start) for each in members], f)

    def full_multigrid(self, f: Array, out: Array | None = None, of_u: bool = False) -> tuple[Array, Norms]:
        """One pass of full multigrid for zero boundary data, to `out` if given; returns what `cycle` does, with the
        norms of u itself where `of_u`, which are cheaper."""
        from pde.backends.numba.fused_sweep import ITERATE, RESIDUAL

        run, shape = self._make(False).full_multigrid, self.levels[0].info.grid.shape
        out, norm = np.empty_like(f, order="C") if out is None else out, ITERATE if of_u else RESIDUAL
        measured = [run(*pair, norm) for pair in zip(_members(f, shape), _members(out, shape), strict=True)]
        return out, _exact(measured, f)

    def at_hand(self, members: Sequence[Remaining]) -> bool:
        """Whether there is `solve` for them: the grid is small, and squares are numbers like others."""
        return bool(self._make(False).at_hand and all(SMALL < member.scale < LARGE for member in members))

    def solve(
        self, kind: str, f: Array, u: Array | None, out: Array | None, members: Sequence[Remaining]
    ) -> tuple[Array, list[list[float]]]:
        """Cycles of a kind ("fmg": full multigrid for zero boundary data, then V-cycles) as `mgcore.solve_batch` wants
        them, to `out` where it is contiguous."""
        run, f = self._make(False).solve, np.ascontiguousarray(f)
        out = out if out is not None and out.flags.c_contiguous else np.empty_like(f, order="C")
        guesses = [None] * len(f) if u is None else np.ascontiguousarray(u)
        return out, [run(kind, *each) for each in zip(f, guesses, out, members, strict=True)]

    def held(self) -> list[Any]:
        """What has been made so far: levels with the room that their passes work in."""
        return [made for made in self._made.values() if not isinstance(made, str)]

    def describe(self) -> str:
        """What runs, and why."""
        made = self._make(False)
        if isinstance(made, str):
            return f"no compiled kernels: {self._reason or made}"
        return f"compiled kernels, {self._cores()} thread{'s' * (self._cores() > 1)}"

    def _make(self, symmetric: bool) -> Any:
        if symmetric not in self._made:
            self._made[symmetric] = self._fuse(symmetric)
        return self._made[symmetric]

    def _choose(self) -> tuple[Variant | None, str | None]:
        """The variant of the kernels, if there is one, and the reason why they do not run the cycles, if there is."""
        size = self.levels[0].info.grid.size
        if self.kernels == "numpy":
            return None, 'kernels="numpy"'
        if self.kernels == "auto" and size < SMALLEST:
            return None, f"fewer than {SMALLEST:,} unknowns"
        variant = variant_of(self.levels, self.dtype)
        if isinstance(variant, str):
            return None, variant
        if variant not in self.chosen:
            self.chosen[variant] = waiting(variant, size) if self.kernels == "auto" else None
        return variant, self.chosen[variant]

    def _fuse(self, symmetric: bool) -> Any:
        if self._reason is not None:
            return self._reason
        try:
            from pde.backends.numba.solver import fuse
        except ImportError as error:
            if self.kernels == "numba":
                raise
            return f"Numba cannot be imported: {error}"
        levels = symmetric_levels(list(self.levels)) if symmetric else self.levels
        return fuse(levels, self.dtype, self._cores())

    def _cores(self) -> int:
        if self.threads is not None:
            return self.threads
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_made": {}, "_prepared": False}


class Measured:
    """The norms of the residual of the last iterate, where a kernel has measured them on its way."""

    def __init__(self) -> None:
        self._u: Array | None = None
        self._norms: Norms = None

    def keep(self, u: Array, norms: Norms) -> Array:
        self._u, self._norms = u, norms
        return u

    def residual(self, u: Array | None) -> Norms:
        """The norms for this very u, None where they are not known."""
        return self._norms if u is not None and u is self._u else None


def _exact(norms: list[float], f: Array) -> Norms:
    """The norms, None where one has no exact square; zero has, unless f is as small."""
    wrong = [i for i, norm in enumerate(norms) if not SMALL < norm < LARGE]
    if not wrong:
        return norms
    f = f.reshape(len(norms), -1)
    return norms if all(norms[i] == 0 and np.max(np.abs(f[i])) > SMALL for i in wrong) else None


def _triples(f: Array, u: Array | None, out: Array, shape: tuple[int, ...]) -> Any:
    return zip(_members(f, shape), _members(u, shape, f.size // math.prod(shape)), _members(out, shape), strict=True)


def _members(v: Array | None, shape: tuple[int, ...], count: int = 0) -> Any:
    """The members of a batch, as contiguous arrays."""
    return [None] * count if v is None else np.ascontiguousarray(v).reshape(-1, *shape)
