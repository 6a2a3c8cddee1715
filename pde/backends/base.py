"""The interface between solver and cycles: a solver holds one `Backend`, and drives the `Iteration` that it starts.

Two kinds of objects hold numbers. An *array* is NumPy's or torch's, whichever the device of the backend has; solvers
read, lift and scale data in arrays. A *vector* is what cycles compute with: the array itself, or whatever else a
backend keeps, such as blocks with halos. Vectors add and subtract; numbers (floats, and those of `dot`) multiply them;
v[[i, j]] selects members. Both have one batch axis in front, (members, *shape), and every number of a batch is one per
member.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mgcore import CYCLES, Event, Iteration, Moves, traced
from pde.backends.data import Data, Norms, Vector
from pde.backends.device import Device
from pde.backends.iterations import Cycling, nested_iteration
from pde.backends.krylov import ConjugateGradients
from pde.common.arrays import as_numpy, cast
from pde.levels.hierarchy import Hierarchy
from pde.problem.grid import Array, Sides
from pde.problem.lifting import Products
from pde.problem.mehrstellen import fold_sides

HOST = Device()


class Moments(NamedTuple):
    """The means of v and |v|, and the root mean square of v, in the inner product of control volumes, per member."""

    mean: np.ndarray
    absolute: np.ndarray
    rms: np.ndarray


class Backend:
    """Runs cycles on one hierarchy; this class runs `mgcore`'s cycles on plain levels.

    Subclasses override the methods that they do in another way. `level` counts from 0, the finest.

    Args:
        hierarchy: the levels, on the device and in the dtype of data and residuals.
        dtype: of data and residuals.
        device: where arrays are.
        why: why no compiled kernels run the cycles.
    """

    runs_in: str | None = None
    """The library whose loops do the work; None where it differs from level to level."""

    has_one_call = False
    """Whether there is `solve_at_once`, as of `pde.backends.numba`: all cycles of a solve in a single call."""

    def __init__(self, hierarchy: Hierarchy, dtype: np.dtype, device: Device = HOST, why: str = "") -> None:
        self.hierarchy, self.dtype, self.device, self.why = hierarchy, dtype, device, why
        self.moves: Sequence[Moves[Any]] = hierarchy.levels
        self._told: tuple[Callable[[Event], Any], Callable[[int, Vector], float]] | None = None
        self.batches: Any = None
        """Kernels that run the cycles of many members at once, where there are any."""

    @property
    def precision(self) -> str:
        """The dtypes of residuals and cycles, as text."""
        return self.dtype.name

    def describe(self) -> str:
        """Tell what runs the cycles, and why."""
        return f"no compiled kernels: {self.why}"

    def held(self) -> Sequence[Any]:
        """The objects whose memory does not belong to a level."""
        return () if self.batches is None else self.batches.held()

    def prepare(self, progress: bool = False) -> None:
        """Compile what the cycles need; `progress` shows a bar even where stderr is not a terminal."""

    def vector(self, x: Array, *, level: int = 0) -> Vector:
        """The vector with the numbers of an array."""
        return x

    def array(self, v: Vector, *, level: int = 0) -> Array:
        """The array with the numbers of a vector."""
        return v

    def apply(self, u: Vector, *, level: int = 0) -> Vector:
        """A u in the precision of residuals."""
        return self.hierarchy.levels[level].A(u)

    def dot(self, v: Vector, w: Vector, *, level: int = 0) -> Any:
        """The inner product in which A is self-adjoint, shaped to multiply vectors."""
        product = self.hierarchy.volumes[level].mean(v * w)
        return cast(product.reshape(product.shape + (1,) * (v.ndim - product.ndim)), v.dtype)

    def norms(self, v: Vector, *, level: int = 0) -> np.ndarray:
        """The root mean square over the box, whatever the size of the numbers."""
        return self.hierarchy.volumes[level].rms(v)

    def project(self, v: Vector, *, level: int = 0, out: Vector = None) -> Vector:
        """v, of zero mean where the problem is singular; `out` is memory that it may be written to, and may be v."""
        return self.hierarchy.volumes[level].without_mean(v) if self.hierarchy.choices.singular else v

    def sizes(self, v: Array) -> np.ndarray:
        """The root mean squares of arrays of the finest level."""
        return self.hierarchy.volumes[0].rms(v)

    def moments(self, v: Array) -> Moments:
        """The moments of arrays of the finest level."""
        volumes = self.hierarchy.volumes[0]
        return Moments(as_numpy(volumes.mean(v)), as_numpy(volumes.mean(abs(v))), volumes.rms(v))

    def without_mean(self, v: Array, out: Array | None = None) -> Array:
        """v less its mean; `out` is memory that it may be written to, and may be v."""
        return self.hierarchy.volumes[0].without_mean(v)

    def centred(self, v: Array) -> tuple[Array, np.ndarray, np.ndarray]:
        """v less its mean, with the root mean squares of v and of that."""
        volumes = self.hierarchy.volumes[0]
        out = volumes.without_mean(volumes.without_mean(v))  # twice: once leaves the rounding of a large mean
        return out, volumes.rms(v), volumes.rms(out)

    def add_products(self, v: Array, products: Products, out: Array | None = None) -> Array:
        """v and a sum of products; `out` is memory that it may be written to, and may be v."""
        if out is not v:
            return cast(v + products.sum(), v.dtype)
        v += products.sum()
        return v

    def rounding(self, u: Vector, sizes: np.ndarray) -> np.ndarray:
        """The norm of the residual that rounding u leaves: eps (2 ||D u|| + ||f||), where `sizes` are the ||f||.

        D is the diagonal of A. Where a jumps that is far less than with ||A||, which is the largest a everywhere.
        """
        A: Any = self.hierarchy.levels[0].A
        return np.asarray(np.finfo(self.dtype).eps * (2 * self.norms(A.diagonal * u) + sizes))

    def fold(self, f: Vector, sides: Sides, *, level: int = 0) -> Vector:
        """The right-hand side for zero boundary values: f with boundary data of the level in it."""
        info = self.hierarchy.levels[level].info
        return fold_sides(f, sides, info.operator)

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
            kind: one of `mgcore.CYCLES`.
            out: memory that the result may be written to; u is overwritten only where it is given here too.
            measure: the norms that the caller can use, of the "residual" or the "iterate", if they cost nothing.

        Returns:
            The iterate and its norms, None where they have not been measured.
        """
        if self.batches is not None and self.batches.take(len(data.rhs), level):
            return self.batches.cycle(kind, data, u, out=out, measure=measure, level=level)
        return CYCLES[kind](self.moves[level:], data.rhs, u), None

    def full_multigrid(self, data: Data, *, out: Vector = None, measure: str | None = None) -> tuple[Vector, Norms]:
        """One pass of nested iteration; `out` and `measure` as in `cycle`."""
        if self.batches is not None and self.batches.take(len(data.rhs)) and self.batches.takes_homogeneous(data):
            return self.batches.cycle("fmg", data, out=out, measure=measure)
        return nested_iteration(self, data, out=out, measure=measure)

    def solve_directly(self, f: Vector) -> Vector:
        """The solution on the level where full multigrid begins; see `Hierarchy.start`."""
        start: Any = self.hierarchy.start
        u = self.vector(start.solver(self.array(f, level=start.level)), level=start.level)
        if self._told is not None:
            before, after = (self._told[1](start.level + 1, r) for r in (f, f - self.apply(u, level=start.level)))
            self._told[0](Event(start.level + 1, "solve", before, after))
        return u

    def noise(self, seed: int) -> np.ndarray:
        """One member of random numbers on the finest grid, by their place in it alone."""
        return np.random.default_rng(seed).standard_normal((1, *self.hierarchy.levels[0].info.grid.shape))

    def nested(self) -> Hierarchy:
        """The hierarchy with the transfers that `full_multigrid` makes."""
        return self.hierarchy

    def measures(self, data: Data) -> bool:
        """Whether `full_multigrid` measures norms for these data; they show numbers that are not finite."""
        return False

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
        if accel is None and self.batches is not None and self.batches.take(len(data.rhs)):
            started: Iteration = self.batches.start(self, kind, data, u, out)
            return started
        make = Cycling if accel is None else ConjugateGradients
        return make(self, kind, data, u, out)

    def with_finest(self, hierarchy: Hierarchy) -> Backend | None:
        """The backend of a hierarchy whose finest level alone is another; None where it is to be made anew."""
        return None

    def symmetric(self) -> Backend:
        """The same with post-smoothing adjoint to pre-smoothing, so that V- and W-cycles are self-adjoint.

        As it stands, every smoother has a method `adjoint`, and those that over-relax are `RedBlack`.
        """
        return self._on(self.hierarchy.symmetric())

    def traced(self, report: Callable[[Event], Any]) -> Backend:
        """The same, calling `report` after every move with the norms of residuals."""

        def norm(number: int, r: Vector) -> float:
            return float(np.max(self.norms(r, level=number - 1)))

        other = self._on(self.hierarchy, traced(self.hierarchy.levels, report, norm))
        other._told = report, norm
        return other

    def _on(self, hierarchy: Hierarchy, moves: Sequence[Moves[Any]] | None = None) -> Backend:
        """The same on another hierarchy, with cycles on `moves`."""
        other = copy.copy(self)
        other.hierarchy, other.moves = hierarchy, hierarchy.levels if moves is None else moves
        other.batches = None if moves is not None or self.batches is None else self.batches.on(hierarchy)
        return other
