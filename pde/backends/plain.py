"""The plain backend: `mgcore`'s cycles on the levels as they are. Its methods are the defaults of the others."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mgcore import CYCLES, Event, Iteration, Moves, traced
from pde.backends.base import Backend, Data, Norms, Vector
from pde.backends.device import Device
from pde.backends.iterations import Cycling, nested_iteration
from pde.backends.krylov import ConjugateGradients
from pde.common.arrays import cast
from pde.levels.hierarchy import Hierarchy
from pde.problem.boundary import fold
from pde.problem.grid import Array, Sides

HOST = Device()


class Plain(Backend):
    """Cycles on arrays or tensors; see `Backend`.

    Args:
        why: the reason for no compiled kernels.
    """

    def __init__(self, hierarchy: Hierarchy, dtype: np.dtype, device: Device = HOST, why: str = "") -> None:
        self.hierarchy, self.dtype, self.device, self.why = hierarchy, dtype, device, why
        self.moves: Sequence[Moves[Any]] = hierarchy.levels

    @property
    def precision(self) -> str:
        return self.dtype.name

    @property
    def runs_in(self) -> str | None:
        return None

    def describe(self) -> str:
        return f"no compiled kernels: {self.why}"

    def held(self) -> Sequence[Any]:
        return ()

    def prepare(self, progress: bool = False) -> None:
        """Nothing is compiled."""

    def vector(self, x: Array, *, level: int = 0) -> Vector:
        return x

    def array(self, v: Vector, *, level: int = 0) -> Array:
        return v

    def apply(self, u: Vector, *, level: int = 0) -> Vector:
        return self.hierarchy.levels[level].A(u)

    def dot(self, v: Vector, w: Vector, *, level: int = 0) -> Any:
        product = self.hierarchy.volumes[level].mean(v * w)
        return cast(product.reshape(product.shape + (1,) * (v.ndim - product.ndim)), v.dtype)

    def norms(self, v: Vector, *, level: int = 0) -> np.ndarray:
        return self.hierarchy.volumes[level].rms(v)

    def project(self, v: Vector, *, level: int = 0) -> Vector:
        return self.hierarchy.volumes[level].without_mean(v) if self.hierarchy.choices.singular else v

    def rounding(self, u: Vector, sizes: np.ndarray) -> np.ndarray:
        """eps (2 ||D u|| + ||f||), D the diagonal of A: where a jumps far less than with ||A||, its largest entry."""
        A: Any = self.hierarchy.levels[0].A
        return np.asarray(np.finfo(self.dtype).eps * (2 * self.norms(A.diagonal * u) + sizes))

    def fold(self, f: Vector, sides: Sides, *, level: int = 0) -> Vector:
        """f with the boundary data of the level in it."""
        info = self.hierarchy.levels[level].info
        return fold(f, sides, info.grid, info.operator.terms)

    def cycle(
        self,
        kind: str,
        data: Data,
        u: Vector = None,
        *,
        level: int = 0,
        out: Vector = None,
        measure: str | None = None,
    ) -> tuple[Vector, Norms]:
        return CYCLES[kind](self.moves[level:], data.rhs, u), None

    full_multigrid = nested_iteration

    def measures(self, data: Data) -> bool:
        return False

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Iteration:
        make = Cycling if accel is None else ConjugateGradients
        return make(self, kind, data, u, out)

    def symmetric(self) -> Backend:
        return self._on(self.hierarchy.symmetric())

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        def norm(number: int, r: Vector) -> float:
            return float(np.max(self.norms(r, level=number - 1)))

        return self._on(self.hierarchy, traced(self.hierarchy.levels, report, norm))

    def _on(self, hierarchy: Hierarchy, moves: Sequence[Moves[Any]] | None = None) -> Backend:
        """The same on another hierarchy, with cycles on `moves`."""
        other = copy.copy(self)
        other.hierarchy, other.moves = hierarchy, hierarchy.levels if moves is None else moves
        return other
