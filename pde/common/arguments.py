"""Read arrays and options that the user gives: each error names the argument, what came and what is allowed."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from mgcore.common.arguments import integer
from mgcore.common.arguments import number as number
from mgcore.common.arguments import shown as described
from mgcore.common.arguments import suggestion as nearest
from pde.common.arrays import Array, cast, is_complex, is_tensor, namespace, numpy_dtype


def count(name: str, value: Any, least: int) -> int:
    """`value` as an integer of at least `least`, in the range of indices."""
    if integer(name, value, least) > sys.maxsize:
        raise ValueError(f"{name} must be at most {sys.maxsize}, got {described(value)}")
    return int(value)


def real_array(name: str, values: Any, imaginary: bool = False) -> Array:
    """`values` as an array of real numbers, or of complex ones where they may be `imaginary`."""
    if is_tensor(values):
        raise TypeError(f"{name} must be a number or a NumPy array here, got a torch tensor; see {name}.numpy()")
    if np.ma.is_masked(values):
        raise ValueError(
            f"{name} has masked entries: give values there too, see numpy.ma.filled, and `domain` of pde.Poisson where "
            "masked points are no unknowns"
        )
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must be an array of real numbers, got {type(values).__name__}: {error}") from error
    if array.dtype.kind not in ("biufc" if imaginary else "biuf"):
        raise TypeError(f"{name} must hold {'' if imaginary else 'real '}numbers, got dtype {array.dtype}")
    return array


def evaluate(name: str, function: Callable[..., Any], points: Sequence[Array], imaginary: bool = False) -> Array:
    """The values of a callable of the coordinates, one argument per axis."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none
        signature = None
    if signature is not None:
        try:
            signature.bind(*points)
        except TypeError as error:
            wanted = f"{len(points)} arguments, the coordinates"
            raise TypeError(f"{name}: the callable must take {wanted}; got {function!r}: {error}") from None
    return real_array(name, function(*points), imaginary)


def finite(name: str, array: Array, dtype: np.dtype) -> Array:
    """`array` in `dtype`, of complex numbers where it has them; refused where a value is not finite, or was not."""
    xp = namespace(array)
    dtype = np.result_type(dtype, np.complex64) if is_complex(array) else dtype
    if not _has_finite_sum(array) and (wrong := ~xp.isfinite(array)).any():
        first = tuple(xp.argwhere(wrong)[0].tolist())
        raise ValueError(f"{name} must be finite, got {wrong.sum()} NaN or infinite values, the first at index {first}")
    if numpy_dtype(array.dtype) == dtype:
        return array
    with np.errstate(over="ignore", under="ignore"):
        result: Array = cast(array, dtype)
    if result is not array and not xp.isfinite(result).all():
        raise ValueError(f"{name} must fit into {dtype.name}, got values of size {float(xp.max(xp.abs(array))):.1e}")
    return result


def _has_finite_sum(array: Array) -> bool:
    """Whether the sum of the values is finite: then all of them are, in one pass."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return bool(namespace(array).isfinite(array.sum()))


def choose(name: str, value: Any, allowed: Any, auto: str | None = None) -> Any:
    """`value`, one of `allowed`; where `auto` is given "auto" stands for it."""
    if type(value) is str and value != "auto" and value in allowed:
        return value
    choices = (*(("auto",) if auto else ()), *allowed)
    if not isinstance(value, str) or value not in choices:
        allowed = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {allowed}; got {described(value)}{nearest(value, choices)}")
    return auto if value == "auto" else value


def read_nu(nu: Any, others: str = "") -> tuple[int, int]:
    """Sweeps before and after the correction, not both zero; `others` begins the list of what is allowed."""
    values = tuple(nu) if np.iterable(nu) else (nu,)
    if len(values) != 2 or not all(_is_count(n) for n in values) or sum(values) == 0:
        raise ValueError(f"nu must be {others}two numbers of sweeps (pre, post), not both zero; got {described(nu)}")
    return int(values[0]), int(values[1])


def read_omega(omega: float | None) -> float | None:
    """A relaxation parameter in (0, 2), or None."""
    if omega is None:
        return None
    if not 0 < number("omega", omega) < 2:
        raise ValueError(f"omega must lie in (0, 2), outside of which relaxation diverges; got {omega!r}")
    return float(omega)


def read_precision(dtype: Any, default: str) -> tuple[np.dtype, bool]:
    """The dtype of data and residuals by name or as a type, and whether cycles are in float32 ("mixed")."""
    name = dtype
    if dtype is not None and not (isinstance(dtype, str) and dtype in ("auto", "mixed")):
        with suppress(TypeError, ValueError):
            name = numpy_dtype(dtype).name
    if isinstance(name, str) and name == "auto":
        name = default
    chosen = choose("dtype", name, ("mixed", "float64", "float32"), auto="auto")
    return np.dtype("float64" if chosen == "mixed" else chosen), chosen == "mixed"


def _is_count(n: Any) -> bool:
    return isinstance(n, int | np.integer) and not isinstance(n, bool) and 0 <= int(n) <= sys.maxsize
