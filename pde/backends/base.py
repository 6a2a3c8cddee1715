"""The seam between solver and cycles: a solver holds one `Backend`, and drives the `Iteration` that it starts.

Two kinds of objects hold numbers. An *array* is NumPy's or torch's, whichever the device of the backend has; solvers
read, lift and scale data in arrays. A *vector* is what cycles compute with: the array itself, or whatever else a
backend keeps, such as blocks with halos. Vectors add, subtract, scale by numbers of `dot`, and v[[i, j]] selects
members. Both have one batch axis in front, (members, *shape), and every number of a batch is one per member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mgcore import Event, Iteration
from pde.backends.device import Device
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array, Sides

Vector = Any
"""An array, a tensor, or what a backend has in its place."""

Norms = Sequence[float] | None
"""Norms that a cycle has measured on its way, one per member; None where it has not."""


@dataclass(frozen=True)
class Data:
    """The right-hand side of A u = f with boundary data, arrays or vectors.

    Args:
        rhs: the right-hand side of u with zero boundary values.
        f: nodal values without the boundary data in `sides`; None: `rhs`, which has none.
        sides: boundary data of the finest grid as arrays, for full multigrid.
        sizes: what residuals are relative to; only `Backend.start` needs it.
    """

    rhs: Vector
    f: Vector = None
    sides: Sides = field(default_factory=dict)
    sizes: np.ndarray | None = None

    @property
    def nodal(self) -> Vector:
        return self.rhs if self.f is None else self.f

    def each(self, change: Callable[[Any], Any]) -> Data:
        """The data with change(v) in the place of vectors v."""
        return Data(change(self.rhs), None if self.f is None else change(self.f), self.sides, self.sizes)

    def select(self, members: Sequence[int], ndim: int) -> Data:
        """The data of these members; boundary data of fewer than ndim axes are common to all."""
        data = self.each(lambda v: v[members])
        sides = {key: g if g.ndim < ndim else g[members] for key, g in self.sides.items()}
        return Data(data.rhs, data.f, sides, None if self.sizes is None else self.sizes[members])


@dataclass(frozen=True)
class Options:
    """The wishes of a user that decide on a backend; see `pde.Multigrid`.

    Args:
        kernels: "auto", or a name in `pde.backends.choice.MAKERS`.
        device: where arrays are.
        dtype: of data and residuals.
        threads: for compiled kernels; None takes the cores of this process.
        chosen: why kernels of a kind do not run (None: they do), as it was chosen first; updates keep to it.
    """

    kernels: str = "auto"
    device: Device = field(default_factory=Device)
    dtype: np.dtype = field(default_factory=lambda: np.dtype(float))
    threads: int | None = None
    chosen: dict[Any, str | None] = field(default_factory=dict)


class Backend(Protocol):
    """Everything that runs cycles on one hierarchy. `level` counts from 0, the finest.

    Attributes:
        hierarchy: the levels, on the device and in the dtype of data and residuals.
        dtype: of data and residuals.
        device: where arrays are.
        precision: the dtypes of residuals and cycles, as text.
        runs_in: the library whose loops do the work; None where it differs from level to level.
    """

    hierarchy: Hierarchy
    dtype: np.dtype
    device: Device

    @property
    def precision(self) -> str: ...

    @property
    def runs_in(self) -> str | None: ...

    def describe(self) -> str:
        """What runs the cycles, and why."""

    def held(self) -> Sequence[Any]:
        """The objects with memory that no level holds."""

    def prepare(self, progress: bool = False) -> None:
        """Have compiled whatever the cycles need; `progress` shows a bar where stderr is no terminal too."""

    def vector(self, x: Array, *, level: int = 0) -> Vector:
        """The vector with the numbers of an array."""

    def array(self, v: Vector, *, level: int = 0) -> Array:
        """The array with the numbers of a vector."""

    def apply(self, u: Vector, *, level: int = 0) -> Vector:
        """A u in the precision of residuals."""

    def dot(self, v: Vector, w: Vector, *, level: int = 0) -> Any:
        """The inner product in which A is self-adjoint, shaped to multiply vectors."""

    def norms(self, v: Vector, *, level: int = 0) -> np.ndarray:
        """The root mean square over the box, whatever the size of the numbers."""

    def project(self, v: Vector, *, level: int = 0) -> Vector:
        """v of zero mean where the problem is singular, else v."""

    def rounding(self, u: Vector, sizes: np.ndarray) -> np.ndarray:
        """The norm of the residual that rounding u leaves, where `sizes` are the norms of f."""

    def fold(self, f: Vector, sides: Sides, *, level: int = 0) -> Vector:
        """f with boundary data of the level in it: the right-hand side for zero boundary values."""

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
        """One cycle for A u = rhs from u (None: zero).

        Args:
            kind: one of `pde.levels.cycles.CYCLES`.
            out: memory that the result may be written to; u is overwritten only where it is given here too.
            measure: the norms that the caller can use, of the "residual" or the "iterate", if they come for nothing.

        Returns:
            The iterate and its norms, None where they have not been measured.
        """

    def full_multigrid(self, data: Data, *, out: Vector = None, measure: str | None = None) -> tuple[Vector, Norms]:
        """One pass of nested iteration with a V-cycle on each level; arguments and result as of `cycle`."""

    def measures(self, data: Data) -> bool:
        """Whether `full_multigrid` measures norms of this, which tell of numbers that are not finite."""

    def start(
        self, kind: str, accel: str | None, data: Data, u: Array | None = None, out: Array | None = None
    ) -> Iteration:
        """A solve for data in arrays, whose iterates are arrays too.

        Args:
            kind: of the cycles, or "fmg": full multigrid where there is no u, then V-cycles.
            accel: None, or "cg" around symmetric cycles.
            u: the first guess, which is not written to; None is zero.
            out: memory that the iterate may end in; it overlaps no other argument.
        """

    def symmetric(self) -> Backend:
        """The same with post-smoothing adjoint to pre-smoothing, so that V- and W-cycles are self-adjoint."""

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        """The same, move by move, telling `report` of each with the norms of residuals."""
