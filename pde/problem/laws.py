"""Nonlinear terms given as functions of u and the coordinates: read, evaluated, differentiated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pde.common.arguments import described, real_array
from pde.problem.grid import Array

SAMPLES = (0.5, 1.1)
"""Values of u at which a law is tried before any solve: powers, roots and logarithms are defined there."""

STEPS = (float(np.finfo(float).eps) ** 0.5, 1e-3)
"""Steps of differences that a derivative is held to, relative to 1 + |u|: the first is for steep laws, the second for
those that compute in float32. A derivative is wrong if both say so."""

PARTS = "u comes with leading axes, and on parts of the grid and on coarse grids"


@dataclass(frozen=True, eq=False)
class Law:
    """A function of u and the coordinates, with its derivative with respect to u.

    Args:
        name: of the argument, for errors.
        function: (u, *coordinates) -> values, for arrays of any shape.
        derivative: the same for d/du; None takes differences.
    """

    name: str
    function: Callable[..., Any]
    derivative: Callable[..., Any] | None = None

    def __call__(self, u: Array, points: Sequence[Array]) -> Array:
        """The values, of the shape and dtype of u."""
        return _values(self.name, self.function, u, points)

    def with_slope(self, u: Array, points: Sequence[Array]) -> tuple[Array, Array]:
        """The values and the derivatives."""
        values = self(u, points)
        if self.derivative is not None:
            return values, _values("derivative", self.derivative, u, points)
        return values, self._difference(u, values, points)

    def _difference(self, u: Array, values: Array, points: Sequence[Array], step: float | None = None) -> Array:
        share = np.finfo(u.dtype).eps ** 0.5 if step is None else step
        shifted = u + u.dtype.type(share) * (1 + abs(u))
        slope: Array = (self(shifted, points) - values) / (shifted - u)
        return slope

    def check(self, points: Sequence[Array]) -> None:
        """Try the law, on the grid and on every second point of it.

        Raises:
            TypeError, ValueError: it is no function of these arguments, returns other shapes or no real numbers, or
                has another derivative than the one given.
        """
        for name, function in ((self.name, self.function), ("derivative", self.derivative)):
            if function is not None:
                _check_signature(name, function, 1 + len(points))
        part = [x[(slice(None, None, 2),) * x.ndim] for x in points]
        u = _samples(points)
        with np.errstate(all="ignore"):
            self.with_slope(_samples(part), part)
            values, slope = self.with_slope(u, points)
            if self.derivative is None:
                return
            found = [self._difference(u, values, points, step) for step in STEPS]
            rounding = 8 * STEPS[0] * abs(values)
            errors = [(abs(slope - each), np.maximum(abs(slope), abs(each))) for each in found]
            wrong = np.all([error > 0.1 * largest + rounding for error, largest in errors], axis=0).all(axis=0)
        if wrong.any():  # at every sample: there may be a kink at one
            at = (0, *np.argwhere(wrong)[0])
            raise ValueError(
                f"derivative must be that of {self.name} with respect to u; at u = {u[at]:g} it is {slope[at]:.3g}, "
                f"and differences give {found[0][at]:.3g}"
            )


def _samples(points: Sequence[Array]) -> Array:
    """u at every point, of shape (len(SAMPLES), *shape)."""
    column = np.reshape(SAMPLES, (-1,) + (1,) * len(points))
    return np.broadcast_to(column, (len(SAMPLES), *np.shape(points[0]))).copy()


def _check_signature(name: str, function: Any, arguments: int) -> None:
    if not callable(function):
        raise TypeError(f"{name} must be a function of u and the coordinates; got {described(function)}")
    wanted = f"{name}: the callable must take {arguments} arguments, u and the coordinates; got {function!r}"
    if isinstance(function, np.ufunc) and function.nin != arguments:  # another one would be its `out`
        raise TypeError(f"{wanted}, which takes {function.nin}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none
        return
    try:
        taken = signature.bind(*range(arguments)).arguments
    except TypeError as error:
        raise TypeError(f"{wanted}: {error}") from None
    for argument in taken:
        if signature.parameters[argument].default not in (inspect.Parameter.empty, None):
            raise TypeError(
                f"{wanted}: a coordinate would take the place of the default of {argument!r}; write *, "
                f"{argument}=... for an argument that is none"
            )


def _values(name: str, function: Callable[..., Any], u: Array, points: Sequence[Array]) -> Array:
    """The values of a function of u, which it cannot write to, and the coordinates, which broadcast against u."""
    shown = u.view()
    shown.flags.writeable = False
    with np.errstate(all="ignore"):  # what is not finite is a reason why a solve ends
        try:
            result = function(shown, *points)
        except (TypeError, ValueError, IndexError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{name}: the callable fails for u of shape {u.shape}: {error}. {PARTS}") from error
    if type(result) is np.ndarray and result.shape == u.shape and result.dtype == u.dtype:
        return result
    array = real_array(name, result)
    try:
        return np.broadcast_to(array, u.shape).astype(u.dtype, copy=False)
    except ValueError:
        raise ValueError(
            f"{name}: the callable must return a number or an array of the shape of u, {u.shape}; got {array.shape}. "
            f"{PARTS}"
        ) from None
