"""The cycles of a solver: on NumPy arrays, compiled kernels or tensors, in one precision or float32 inside float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgcore import CYCLES, Level
from mgcore.trace import TracedLevel
from pde.backends.device import Place
from pde.backends.numba.fast import Chosen, Fast, Norms
from pde.common.arrays import cast, like
from pde.levels.hierarchy import Hierarchy, level_to
from pde.problem.inner_product import Volumes

Levels = Sequence[Any]
"""Those of a solver from some level on, or others that make the same moves."""


@dataclass(frozen=True)
class How:
    """How a cycle is made.

    Args:
        fused: by the compiled kernels.
        symmetric: with adjoint post-smoothing, as for conjugate gradients.
        in_place: u may be overwritten.
    """

    fused: bool = False
    symmetric: bool = False
    in_place: bool = False


PLAIN = How()


@dataclass(frozen=True)
class Cycles:
    """One cycle on arrays or tensors, whichever the levels hold.

    Args:
        levels: those that the cycles run on, finest first.
        fast: their compiled kernels; None on tensors.
        compiled: runs them compiled or from CUDA graphs; see `pde.backends.torch.graphs.TensorCycles`.
    """

    levels: Sequence[Level]
    fast: Fast | None = None
    compiled: Any = None

    def ready(self, symmetric: bool = False) -> bool:
        """Whether compiled kernels run the cycle, or the one that conjugate gradients use; they are then compiled."""
        return self.fast is not None and self.fast.ready(symmetric)

    def prepare(self, progress: bool = False) -> None:
        """Have the kernels compiled, in this process or another; see `Fast.prepare`."""
        if self.fast is not None:
            self.fast.prepare(progress)

    def on_kernels(self) -> bool:
        """Whether compiled kernels run the cycles, or will when they are compiled."""
        return self.fast is not None and self.fast.usable()

    def held(self) -> list[Any]:
        """The compiled kernels' objects, whose arrays no level holds."""
        return [] if self.fast is None else self.fast.held()

    def describe(self) -> str:
        """What runs, and why."""
        if self.fast is not None:
            return self.fast.describe()
        return "torch operations" if self.compiled is None else self.compiled.describe()

    def __call__(self, kind: str, levels: Levels, f: Any, u: Any = None, how: How = PLAIN) -> tuple[Any, Norms]:
        """A cycle from u (None: zero) on `levels`, the coarsest of the solver's or others that make the same moves.

        Args:
            kind: one of `CYCLES`.
        """
        if how.fused and len(levels) > 1:
            assert self.fast is not None
            start = len(self.levels) - len(levels)
            return self.fast.cycle(kind, f, u, start=start, symmetric=how.symmetric, in_place=how.in_place)
        if self.compiled is not None and not isinstance(levels[0], TracedLevel):
            return self.compiled(kind, len(self.levels) - len(levels), f, u, how.symmetric), None
        return CYCLES[kind](levels, f, u), None


@dataclass(frozen=True)
class MixedCycles:
    """Cycles in float32 inside a residual in float64: u <- u + B(f - A u), where B is a cycle of `inner` from zero.

    The residual is scaled by a power of two on its way into float32, each member of a batch by its own, so that it
    loses no digits however small it has become.

    Args:
        operators: A of each level in float64, finest first.
        volumes: of each level.
        inner: the cycles in float32.
    """

    operators: Sequence[Callable[[Any], Any]]
    volumes: Sequence[Volumes]
    inner: Cycles

    @property
    def levels(self) -> Sequence[Level]:
        return self.inner.levels

    def ready(self, symmetric: bool = False) -> bool:
        return self.inner.ready(symmetric)

    def prepare(self, progress: bool = False) -> None:
        self.inner.prepare(progress)

    def on_kernels(self) -> bool:
        return self.inner.on_kernels()

    def held(self) -> list[Any]:
        return self.inner.held()

    def describe(self) -> str:
        return self.inner.describe()

    def __call__(self, kind: str, levels: Levels, f: Any, u: Any = None, how: How = PLAIN) -> tuple[Any, Norms]:
        """As `Cycles`; f and u in float64, the moves of `levels` in float32."""
        l = len(self.operators) - len(levels)
        r = f if u is None else f - self.operators[l](u)
        scale = 1.0 if isinstance(levels[0], TracedLevel) else self._scale(l, r)  # who watches sees r itself
        d, _ = self.inner(kind, levels, cast(r / scale, np.dtype("float32")), None, how)
        d = scale * cast(d, f.dtype)
        return d if u is None else u + d, None

    def _scale(self, l: int, r: Any) -> Any:
        """The power of two next to the size of each member, and 1 where that is 0 or not finite."""
        size = np.asarray(self.volumes[l].rms(r))
        size = np.where((size > 0) & np.isfinite(size), size, 1.0)
        scale = np.exp2(np.clip(np.round(np.log2(size)), -1000, 1000))
        return like(scale.reshape(scale.shape + (1,) * (r.ndim - scale.ndim)), r)


def run_on(
    place: Place,
    dtype: np.dtype,
    mixed: bool,
    kernels: str,
    threads: int | None,
    hierarchy: Hierarchy,
    chosen: Chosen,
) -> tuple[Cycles | MixedCycles, Hierarchy]:
    """The cycles of a solver, and its plain levels with what belongs to them where the cycles run.

    Args:
        dtype: of data and residuals; `mixed` says that cycles are in float32 nevertheless, where there is more than
            the direct solution of one level.
        kernels, threads: as in `pde.Multigrid`.
        hierarchy: NumPy's, in `dtype`.
        chosen: what the solver has chosen for earlier coefficients.
    """
    levels, here = hierarchy.levels, hierarchy.to(place.where, dtype) if place.on_tensors else hierarchy
    mixed = mixed and len(levels) > 1
    low = np.dtype("float32") if mixed else dtype
    inner = [level_to(level, place.where, low) for level in levels] if mixed else here.levels
    fast = None if place.on_tensors else Fast(kernels, low, threads, inner, chosen)
    cycles = Cycles(inner, fast, _compiled(kernels, inner))
    if not mixed:
        return cycles, here
    return MixedCycles([level.A for level in here.levels], here.volumes, cycles), here


def _compiled(kernels: str, levels: Sequence[Level]) -> Any:
    """What `kernels` asks for beyond torch operations, or None."""
    words = kernels.split()[1:]
    if not words:
        return None
    from pde.backends.torch.compile import compiled
    from pde.backends.torch.graphs import TensorCycles, cuda_graph

    return TensorCycles(levels, compiled if "compiled" in words else None, cuda_graph if "graph" in words else None)
