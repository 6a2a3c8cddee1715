"""Right-hand sides, boundary data and first guesses of users, read to the device of a backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mgcore import Progress
from pde.backends.base import Backend
from pde.backends.data import Data
from pde.backends.device import Device, host, protected
from pde.common.arguments import count, described, finite, number
from pde.common.arrays import cast, copied, is_complex, is_tensor, joined_parts, namespace, two_parts
from pde.problem.boundary import BoundaryData
from pde.problem.compatibility import incompatible_share
from pde.problem.grid import Array, Sides
from pde.problem.mehrstellen import at_ends
from pde.problem.open_space import check_nearby
from pde.problem.poisson import Poisson
from pde.solver.batch import axes_of, one_batch_axis
from pde.solver.output import check_out, deliver, work_space

QUIET: Any = dict.fromkeys(("over", "under", "invalid", "divide"), "ignore")
"""Infinite values are a reason why a solve ends, not a warning on the way there."""


@dataclass(frozen=True)
class Inputs:
    """The data of one call.

    Args:
        f: nodal values (..., *shape), not yet known to be finite.
        sides: boundary data in float64, with one batch axis where they differ between members.
        u0: the first guess, of the shape of f; None is zero.
        out: the user's memory for the result.
        as_tensor: whether the user wants a tensor.
        is_complex: whether f, sides and u0 are real and imaginary parts, the first batch axis, of what the user gave.
    """

    reader: Reader
    f: Array
    sides: Sides
    u0: Array | None
    out: Any
    as_tensor: bool
    is_complex: bool = False

    @property
    def members(self) -> Array:
        """f with one batch axis."""
        return self.f.reshape(-1, *self.reader.problem.shape)

    @property
    def guess(self) -> Array | None:
        """u0 with one batch axis."""
        return None if self.u0 is None else self.u0.reshape(-1, *self.reader.problem.shape)

    @property
    def work_space(self) -> Array | None:
        """`out` with one batch axis, where cycles may work in it."""
        if self.is_complex:
            return None
        space = work_space(self.out, self.f, self.u0)
        return None if space is None else space.reshape(-1, *self.reader.problem.shape)

    def nodal_data(self, backend: Backend) -> Data:
        """f and the boundary data in the dtype of the backend."""
        sides = {key: cast(values, backend.dtype) for key, values in self.sides.items()}
        return Data(backend.vector(self.members), sides=sides)

    def protected(self) -> Inputs:
        """The same with an f of its own, for calls to functions of the user."""
        return replace(self, f=copied(self.f))

    def showing(self, callback: Callable[[Progress], Any] | None) -> Callable[[Progress], Any] | None:
        """A callback that is shown u as the user wants it, and cannot change that of the solve."""
        if callback is None:
            return None
        given, half = self._as_given, len(self.members) // 2

        def shown(progress: Progress) -> Any:
            parts = progress.residuals
            residuals = tuple(map(max, parts[:half], parts[half:])) if self.is_complex else parts
            return callback(replace(progress, u=protected(given(progress.u)), residuals=residuals))

        return shown

    def check_finite(self) -> None:
        finite("f", self.f, self.reader.dtype)

    def incompatible_share(self, backend: Backend, allowed: float | None) -> np.ndarray | None:
        """The share of f that is removed of each member, where the problem is singular.

        Raises:
            ValueError: f does not fit a singular problem, or does not vanish near open sides.
        """
        problem = self.reader.problem
        if problem.open:
            self.check_finite()
            check_nearby(self.members, problem.grid, allowed)
        if not problem.singular:
            return None
        volumes = problem.components or backend.hierarchy.volumes[0]
        f, sides, means = self.members, self.sides, None
        with np.errstate(**QUIET):
            if problem.components is not None:
                f, sides = host(f), host(sides)
            elif problem.terms.domain is None and problem.terms.tensor is None and problem.order == 2:
                means = backend.moments(f)[:2]
            if means is None or not np.isfinite(means[1]).all():
                self.check_finite()
            return incompatible_share(f, sides, problem.grid, problem.terms, volumes, allowed, means)

    def with_far_field(self, u: Array) -> Inputs:
        """The same with the boundary data of open sides, from u of the box with boundary values 0."""
        sides = self.reader.problem.far_field(u)
        return replace(self, sides={key: self.reader.device.convert(g, np.dtype(float)) for key, g in sides.items()})

    def deliver(self, u: Array) -> Array:
        """The result, members (members, *shape), in the shape and kind of f, and in `out`."""
        return deliver(self._as_given(u), self.out)

    def _as_given(self, u: Array) -> Array:
        u = u.reshape(self.f.shape)
        return self.reader.device.give(joined_parts(u) if self.is_complex else u, self.as_tensor)


@dataclass(frozen=True)
class Reader:
    """Reads arguments of a solver; `dtype` is that of data and residuals."""

    problem: Poisson
    device: Device
    dtype: np.dtype

    def inputs(self, f: Any, g: BoundaryData = None, u0: Any = None, out: Any = None) -> Inputs:
        """The arguments of `Multigrid.solve`.

        Raises:
            TypeError, ValueError: naming the argument, what came and what is allowed.
        """
        as_tensor, f = is_tensor(f), self._right_hand_side(f, check=False)
        sides = self._sides(g, tuple(f.shape[: f.ndim - self.problem.ndim]))
        u0 = self._guess("u0", u0, f)
        imaginary = is_complex(f) or any(map(is_complex, sides.values())) or (u0 is not None and is_complex(u0))
        dtype = np.result_type(self.dtype, np.complex64) if imaginary else self.dtype
        check_out(self.device, out, f.shape, dtype, as_tensor)
        return self._inputs(f, sides, u0, out, as_tensor, imaginary)

    def right_hand_side(self, f: Any, u: Any = None) -> Inputs:
        """The arguments of `Multigrid.cycle`, which are to be finite."""
        as_tensor, f = is_tensor(f), self._right_hand_side(f)
        u = self._guess("u", u, f)
        return self._inputs(f, {}, u, None, as_tensor, is_complex(f) or (u is not None and is_complex(u)))

    def _inputs(self, f: Array, sides: Sides, u0: Any, out: Any, as_tensor: bool, imaginary: bool) -> Inputs:
        """The inputs, in two parts where some of them are `imaginary`."""
        ndim = self.problem.ndim
        if imaginary:
            batch, xp = tuple(f.shape[: f.ndim - ndim]), namespace(f)
            sides = {
                key: two_parts(xp.broadcast_to(g, batch + tuple(g.shape[g.ndim - axes_of(key, ndim) :])))
                for key, g in sides.items()
            }
            f, u0 = two_parts(f), None if u0 is None else two_parts(u0)
        sides = one_batch_axis(sides, ndim) if sides else sides
        return Inputs(self, f, sides, u0, out, as_tensor, imaginary)

    def _right_hand_side(self, f: Any, check: bool = True) -> Array:
        """Nodal values, or where the order is 4 their means."""
        values = f if not check and self.is_read(f) else self._nodal("f", f, check=check, constant=True)
        return values if self.problem.order == 2 else self.problem.right_hand_side(values, self._ends(f))

    def is_read(self, values: Any) -> bool:
        """Whether reading these values changes nothing: an array of the problem's shape, of a batch too."""
        if type(values) is not np.ndarray or values.dtype != self.dtype or self.device.on_tensors:
            return False
        shape = self.problem.shape
        return values.shape[-len(shape) :] == shape and values.size > 0 and self.problem.domain is None

    def _guess(self, name: str, u: Any, f: Array) -> Array | None:
        """A first guess of the shape of f."""
        if u is None:
            return None
        alike = name == "u0" and not (callable(u) or isinstance(u, list | tuple)) and np.ndim(u) == 0
        u = self._nodal(name, u, constant=alike)
        if alike:
            u = copied(namespace(u).broadcast_to(u, tuple(f.shape)))
        if u.shape != f.shape:
            raise ValueError(f"{name} must have the shape of f, {tuple(f.shape)}; got {tuple(u.shape)}")
        return u

    def _nodal(self, name: str, values: Any, check: bool = True, constant: bool = False) -> Array:
        values = self.device.read(name, values, imaginary=True)
        options = {"check": check, "constant": constant}
        values = self.problem.read(name, values, self.dtype, tensors=True, imaginary=True, **options)
        return self.device.convert(values, self.dtype)

    def _ends(self, f: Any) -> Sides:
        """The values of a callable f on the sides, which right-hand sides of order 4 take."""
        if not callable(f):
            return {}
        return {key: self.device.convert(v, self.dtype) for key, v in at_ends(f, self.problem.grid).items()}

    def _sides(self, g: BoundaryData, batch: tuple[int, ...]) -> Sides:
        double = np.dtype(float)
        if self.problem.open and g is not None:
            raise ValueError(f"g must be None with open sides: their values follow from f; got {described(g)}")
        if g is None:
            return {}
        sides = self.problem.read_sides(host(self.device.read("g", g, True)), double, batch)
        for key, values in sides.items():
            finite(f"g[{key}]", values, self.dtype)
        return {key: self.device.convert(v, double) for key, v in sides.items()}


def read_limits(rtol: Any, atol: Any, max_cycles: Any, callback: Any) -> dict[str, Any]:
    limits = {
        "rtol": number("rtol", rtol, least=0),
        "atol": number("atol", atol, least=0),
        "max_cycles": count("max_cycles", max_cycles, least=0),
    }
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {described(callback)}")
    return limits


def read_share(incompatible: float | None) -> float | None:
    return None if incompatible is None else number("incompatible", incompatible, least=0)
