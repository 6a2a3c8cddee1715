"""Cycles for many members at once on a small grid, beside the backend that runs them for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgcore import Iteration
from pde.backends.data import LARGE, SMALL, Data, Norms, Options, Vector
from pde.backends.full_multigrid import is_homogeneous
from pde.backends.numba import stamps
from pde.backends.numba.background import MEANWHILE, begin, waiting
from pde.backends.numba.variants import Variant, batch_variant_of
from pde.common.progress import CompileBar
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array

FEWEST = 4
"""Members from which on they are solved side by side: fewer leave most lanes of a vector unused."""

SMALLEST_BATCH = 1 << 15
"""Unknowns of all members from which on "auto" takes the kernels."""


def make_batches(hierarchy: Hierarchy, options: Options) -> Batches | None:
    """The kernels for batches on these levels, if there are any."""
    if options.device.on_tensors or options.kernels not in ("auto", "numba"):
        return None
    variant = batch_variant_of(hierarchy, options.dtype)
    return None if variant is None else Batches(hierarchy, options, variant)


class Batches:
    """Cycles for many members at once.

    Args:
        variant: of the kernels.
    """

    def __init__(self, hierarchy: Hierarchy, options: Options, variant: Variant) -> None:
        self.hierarchy, self._options, self.variant = hierarchy, options, variant
        self._runner: Any = None

    def on(self, hierarchy: Hierarchy) -> Batches:
        """The same on another hierarchy with the same grids."""
        return Batches(hierarchy, self._options, self.variant)

    def take(self, members: int, level: int = 0) -> bool:
        """Whether so many members are solved side by side; where kernels are missing, begin to compile them."""
        if members < FEWEST or level == len(self.hierarchy.levels) - 1:
            return False
        if self._options.kernels == "auto":
            size = members * self.hierarchy.levels[level].info.grid.size
            if self._runner is None and (size < SMALLEST_BATCH or self._waiting(size)):
                return False
        self.prepare()
        return True

    def prepare(self, progress: bool = False) -> None:
        """Load the kernels or compile them."""
        if self._runner is not None:
            return
        from pde.backends.numba.batch.runner import Runner

        runner = Runner(self.hierarchy, np.dtype(self.variant.dtype), self._options.cores)
        with CompileBar(progress, self.variant) as bar:
            files = runner.prepare(bar)
        if files and not stamps.is_compiled(self.variant):
            stamps.write(self.variant, files=files)
        self._runner = runner

    def _waiting(self, size: int) -> str | None:
        """Why a batch of so many unknowns runs on NumPy; None: it runs on kernels."""
        chosen = self._options.chosen
        if self.variant not in chosen or chosen[self.variant] == MEANWHILE:  # they may have been compiled since
            chosen[self.variant] = waiting(self.variant, size) or _missing()
        if chosen[self.variant] == MEANWHILE and (failed := begin(self.variant)):
            chosen[self.variant] = failed
        return chosen[self.variant]

    def start(self, backend: Any, kind: str, data: Data, u: Array | None, out: Array | None) -> Iteration:
        """As `Backend.start`."""
        from pde.backends.numba.batch.iteration import CyclesOfBatch

        return CyclesOfBatch(backend, kind, data, u, out)

    def cycle(
        self, kind: str, data: Data, u: Vector = None, *, out: Vector = None, measure: str | None = None, level: int = 0
    ) -> tuple[Vector, Norms]:
        """As `Backend.cycle`; "fmg" is one pass of full multigrid for data that are homogeneous."""
        f = np.ascontiguousarray(data.rhs)
        out = out if out is not None and out.flags.c_contiguous else np.empty_like(f)
        given = np.array([[0.0], [1.0], [0.0], [1.0]]).repeat(len(f), axis=1)
        guess = None if u is None else np.ascontiguousarray(u)
        norm = {None: 0, "residual": 1, "iterate": 2}[measure]
        fitting = kind == "fmg"  # a single cycle keeps the mean that it finds, as for one member
        norms = self._runner.run(kind, f, guess, out, np.arange(len(f)), given, 1, norm, level, fitting)[0][:, 0]
        good = measure is not None and bool(np.all((norms > SMALL) & (norms < LARGE)))
        return out, norms.tolist() if good else None

    def solve(self, kind: str, f: Array, u: Array | None, out: Array, members: Array, left: Array) -> Any:
        """Cycles of some rows of f, as `Runner.run`; `left`: (members, 4), the work left as in `mgcore.Remaining`."""
        most = int(min(MOST, left[:, 3].max()))
        return self._runner.run(kind, f, u, out, members, left.T, most)

    def takes_homogeneous(self, data: Data) -> bool:
        """Whether full multigrid needs no boundary data."""
        return not any(np.any(g) for g in data.sides.values()) and (
            self.hierarchy.choices.singular or is_homogeneous(data, self.hierarchy)
        )

    def held(self) -> Sequence[Any]:
        return [self._runner]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_runner": None}


MOST = 16
"""Cycles in one call."""


def _missing() -> str | None:
    try:
        from pde.backends.numba.kernels import cannot_compile
    except ImportError as error:
        return f"Numba cannot be imported: {error}"
    return cannot_compile() or None
