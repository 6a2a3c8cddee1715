"""Mixed precision: float32 cycles of another backend inside a float64 residual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mgcore import Event
from pde.backends.base import Backend
from pde.backends.data import Data, Norms, Vector
from pde.common.arrays import cast, like
from pde.levels.hierarchy import Hierarchy


class Mixed(Backend):
    """Defect correction u <- u + B(f - A u), where B is a cycle of `inner` from zero.

    The residual is scaled by a power of two on its way into float32, each member of a batch by its own, so that it
    loses no digits however small it has become.

    Args:
        hierarchy: the levels in float64.
        inner: the backend in float32.
        scaled: False keeps residuals as they are, for a trace.
    """

    def __init__(self, hierarchy: Hierarchy, inner: Backend, scaled: bool = True) -> None:
        super().__init__(hierarchy, np.dtype(float), inner.device)
        self.inner, self.scaled, self.runs_in = inner, scaled, inner.runs_in

    @property
    def precision(self) -> str:
        return f"{self.inner.dtype.name} cycles in a {self.dtype.name} residual"

    def describe(self) -> str:
        return self.inner.describe()

    def held(self) -> Sequence[Any]:
        return self.inner.held()

    def prepare(self, progress: bool = False) -> None:
        self.inner.prepare(progress)

    def cycle(self, kind: str, data: Data, u: Vector = None, *, level: int = 0, **_: Any) -> tuple[Vector, Norms]:
        r = data.rhs if u is None else data.rhs - self.apply(u, level=level)
        scale = self._scale(r, level) if self.scaled else 1.0
        r = self.inner.vector(cast(r / scale, self.inner.dtype), level=level)
        d = self.inner.cycle(kind, Data(r), level=level)[0]
        d = scale * cast(self.inner.array(d, level=level), self.dtype)
        return d if u is None else u + d, None

    def symmetric(self) -> Backend:
        return Mixed(self.hierarchy, self.inner.symmetric(), self.scaled)

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        return Mixed(self.hierarchy, self.inner.traced(report), scaled=False)

    def _scale(self, r: Vector, level: int) -> Any:
        scale = scale_of(self.norms(r, level=level))
        return like(scale.reshape(scale.shape + (1,) * (r.ndim - scale.ndim)), r)


def scale_of(sizes: Any) -> np.ndarray:
    """The power of two next to each size, and 1 where that is 0 or not finite."""
    size = np.asarray(sizes, dtype=float)
    size = np.where((size > 0) & np.isfinite(size), size, 1.0)
    return np.exp2(np.clip(np.round(np.log2(size)), -1000, 1000))
