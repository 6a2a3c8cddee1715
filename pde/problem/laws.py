"""Nonlinear terms given as functions or formulas of u and the coordinates: read, evaluated, differentiated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from pde.common.arguments import described, real_array
from pde.problem.formulas import Formula
from pde.problem.grid import Array
from pde.problem.tensor_functions import OnTensors

SAMPLES = (0.5, 1.1)
"""Values of u at which a law is tried before any solve: powers, roots and logarithms are defined there."""

STEPS = (float(np.finfo(float).eps) ** 0.5, 1e-3)
"""Steps of differences that a derivative is held to, relative to 1 + |u|: the first is for steep laws, the second for
those that compute in float32. A derivative is wrong if both say so."""

NAMES = ("x", "y", "z")
"""The coordinates in formulas."""

PARTS = "u comes with leading axes, and on parts of the grid and on coarse grids"


@dataclass(frozen=True, eq=False)
class Law:
    """A function of u and the coordinates, with its derivative with respect to u.

    Args:
        name: of the argument, for errors.
        function: (u, *coordinates) -> values, for arrays of any shape.
        derivative: the same for d/du; None takes differences, or that of the function where it has a `with_slope`, as a
            `Formula` has.
        of: the name of u in errors.
    """

    name: str
    function: Callable[..., Any]
    derivative: Callable[..., Any] | None = None
    of: str = "u"

    def __call__(self, u: Array, points: Sequence[Array]) -> Array:
        """The values, of the shape and dtype of u."""
        return _values(self.name, self.function, u, points)

    @property
    def is_exact(self) -> bool:
        """Whether the derivative is no difference."""
        return self.derivative is not None or hasattr(self.function, "with_slope")

    def with_slope(self, u: Array, points: Sequence[Array]) -> tuple[Array, Array]:
        """The values and the derivatives."""
        if self.derivative is None and self.is_exact:
            return _both(self.name, self.function, u, points)
        values = self(u, points)
        if self.derivative is self.function:  # as of exp
            return values, values
        if self.derivative is not None:
            return values, _values("derivative", self.derivative, u, points)
        return values, self._difference(u, values, points)

    def __repr__(self) -> str:
        if isinstance(self.function, Formula):
            return f"{self.name}={self.function!r}"
        how = "given" if self.derivative else "by autograd" if self.is_exact else "by differences"
        return f"{self.name}({self.of}, x) with its derivative {how}"

    def _difference(self, u: Array, values: Array, points: Sequence[Array], step: float | None = None) -> Array:
        share = np.finfo(u.dtype).eps ** 0.5 if step is None else step
        shifted = u + u.dtype.type(share) * (1 + abs(u))
        slope: Array = (self(shifted, points) - values) / (shifted - u)
        return slope

    def check_signature(self, points: Sequence[Array]) -> None:
        """Refuse what takes other arguments.

        Raises:
            TypeError: naming the function.
        """
        for name, function in ((self.name, self.function), ("derivative", self.derivative)):
            if function is not None:
                _check_signature(name, function, 1 + len(points), self.of)

    def check(self, points: Sequence[Array]) -> None:
        """Try the law, on the grid and on every second point of it.

        Raises:
            TypeError, ValueError: it is no function of these arguments, returns other shapes or no real numbers, or
                has another derivative than the one given.
        """
        self.check_signature(points)
        part = [x[(slice(None, None, 2),) * x.ndim] for x in points]
        u = _samples(points)
        with np.errstate(all="ignore"):
            self.with_slope(_samples(part), part)
            values, slope = self.with_slope(u, points)
            if not self.is_exact or (self.derivative is None and isinstance(self.function, Formula)):
                return
            found = [self._difference(u, values, points, step) for step in STEPS]
            rounding = 8 * STEPS[0] * abs(values)
            errors = [(abs(slope - each), np.maximum(abs(slope), abs(each))) for each in found]
            wrong = np.all([error > 0.1 * largest + rounding for error, largest in errors], axis=0).all(axis=0)
        if wrong.any():  # at every sample: there may be a kink at one
            at = (0, *np.argwhere(wrong)[0])
            raise ValueError(
                f"derivative must be that of {self.name} with respect to {self.of}; at {self.of} = {u[at]:g} it is "
                f"{slope[at]:.3g}, and differences give {found[0][at]:.3g}"
            )


def read_law(name: str, given: Any, derivative: Any, points: Sequence[Array], of: str = "u") -> Law | None:
    """The law that a function or formula stands for, tried; None for None.

    Without `derivative` that of a formula is made from it, and that of a function that takes tensors by autograd, where
    torch is loaded; others have differences.

    Raises:
        TypeError, ValueError: as `Law.check`.
        ExpressionError: a formula cannot be read.
    """
    if given is None:
        return None
    names = ("u" if of == "u" else "s", *NAMES[: len(points)])
    function = Formula(given, names, name) if isinstance(given, str) else given
    derivative = Formula(derivative, names, "derivative") if isinstance(derivative, str) else derivative
    law = Law(name, function, derivative, of)
    if derivative is None and not isinstance(function, Formula):
        law.check_signature(points)
        on_tensors = OnTensors.of(function, _samples(points), points)
        with suppress(ValueError):  # autograd does not see what a function computes otherwise
            if on_tensors is not None:
                by_autograd = Law(name, on_tensors, None, of)
                by_autograd.check(points)
                return by_autograd
        if isinstance(function, OnTensors):
            law = Law(name, function.__call__, None, of)
    law.check(points)
    return law


def _samples(points: Sequence[Array]) -> Array:
    """u at every point, of shape (len(SAMPLES), *shape)."""
    column = np.reshape(SAMPLES, (-1,) + (1,) * len(points))
    return np.broadcast_to(column, (len(SAMPLES), *np.shape(points[0]))).copy()


def _check_signature(name: str, function: Any, arguments: int, of: str) -> None:
    if not callable(function):
        raise TypeError(f"{name} must be a function of {of} and the coordinates; got {described(function)}")
    wanted = f"{name}: the callable must take {arguments} arguments, {of} and the coordinates; got {function!r}"
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
    return _shaped(name, _called(name, function, u, points), u)


def _both(name: str, function: Any, u: Array, points: Sequence[Array]) -> tuple[Array, Array]:
    """The same with the derivatives."""
    values, slopes = _called(name, function.with_slope, u, points)
    return _shaped(name, values, u), _shaped(name, slopes, u)


def _called(name: str, function: Callable[..., Any], u: Array, points: Sequence[Array]) -> Any:
    shown = u.view()
    shown.flags.writeable = False
    with np.errstate(all="ignore"):  # what is not finite is a reason why a solve ends
        try:
            return function(shown, *points)
        except (TypeError, ValueError, IndexError, RuntimeError) as error:  # torch's are the last
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{name}: the callable fails for u of shape {u.shape}: {error}. {PARTS}") from error


def _shaped(name: str, result: Any, u: Array) -> Array:
    """Return what a function has made of u, in the shape and dtype of u."""
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
