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

    def _difference(self, u: Array, values: Array, points: Sequence[Array]) -> Array:
        shifted = u + u.dtype.type(np.finfo(u.dtype).eps ** 0.5) * (1 + abs(u))
        slope: Array = (self(shifted, points) - values) / (shifted - u)
        return slope

    def check(self, points: Sequence[Array]) -> None:
        """Try the law.

        Raises:
            TypeError, ValueError: it is no function of these arguments, returns other shapes or no real numbers, or
                has another derivative than the one given.
        """
        for name, function in ((self.name, self.function), ("derivative", self.derivative)):
            if function is not None:
                _check_signature(name, function, 1 + len(points))
        shape = (len(SAMPLES), *np.shape(points[0]))
        u = np.broadcast_to(np.reshape(SAMPLES, (-1,) + (1,) * len(points)), shape).copy()
        with np.errstate(all="ignore"):
            values, slope = self.with_slope(u, points)
            found = self._difference(u, values, points)
            largest = np.maximum(abs(slope), abs(found))
            wrong = abs(slope - found) > 0.1 * largest + 1e-4 * np.nanmax(abs(values), initial=1e-300)
        if np.mean(wrong) > 0.5:
            at = tuple(np.argwhere(wrong)[0])
            raise ValueError(
                f"derivative must be that of {self.name} with respect to u; at u = {u[at]:g} it is {slope[at]:.3g}, "
                f"and differences give {found[at]:.3g}"
            )


def _check_signature(name: str, function: Any, arguments: int) -> None:
    if not callable(function):
        raise TypeError(f"{name} must be a function of u and the coordinates; got {described(function)}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none
        return
    try:
        signature.bind(*range(arguments))
    except TypeError as error:
        wanted = f"{arguments} arguments, u and the coordinates"
        raise TypeError(f"{name}: the callable must take {wanted}; got {function!r}: {error}") from None


def _values(name: str, function: Callable[..., Any], u: Array, points: Sequence[Array]) -> Array:
    """The values of a function of u, which it cannot write to, and the coordinates, which broadcast against u."""
    shown = u.view()
    shown.flags.writeable = False
    with np.errstate(all="ignore"):  # what is not finite is a reason why a solve ends
        result = function(shown, *points)
    if type(result) is np.ndarray and result.shape == u.shape and result.dtype == u.dtype:
        return result
    array = real_array(name, result)
    try:
        return np.broadcast_to(array, u.shape).astype(u.dtype, copy=False)
    except ValueError:
        raise ValueError(
            f"{name}: the callable must return a number or an array of the shape of u, {u.shape}; got {array.shape}. "
            "u comes with leading axes, and on parts of the grid and on coarse grids"
        ) from None
