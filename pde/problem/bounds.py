"""Bounds of u: obstacles below and above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pde.common.arguments import evaluate, finite, real_array
from pde.problem.boundary import side_points
from pde.problem.grid import Array, Sides
from pde.problem.poisson import Poisson

NAMES = "lower", "upper"


@dataclass(frozen=True)
class Bounds:
    """lower <= u <= upper: arrays of the grid's shape, after any batch axes; infinite where there is no bound."""

    lower: Array
    upper: Array

    def clip(self, u: Array) -> Array:
        """The nearest values to u that keep the bounds."""
        result: Array = np.maximum(u, self.lower)
        return np.minimum(result, self.upper, out=result)

    def contact(self, u: Array) -> Array:
        """-1 where u is the lower bound, 1 where it is the upper one, else 0; -1 where these are equal. In int8."""
        low = u <= self.lower
        return (u >= self.upper).astype(np.int8) * ~low - low.astype(np.int8)

    def of_member(self, k: int, ndim: int) -> Bounds:
        """The bounds of one member of a batch."""
        return Bounds(*(b[k] if b.ndim > ndim else b for b in (self.lower, self.upper)))


def read_bounds(problem: Poisson, lower: Any, upper: Any, dtype: np.dtype, batch: tuple[int, ...]) -> Bounds:
    """The bounds of a problem, each a number, an array (..., *shape) or a callable of the coordinates; None is none.

    With batch axes in front where they differ between members, as one axis.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    bounds = Bounds(*(_read(name, b, problem, dtype, batch) for name, b in zip(NAMES, (lower, upper), strict=True)))
    low, high = np.broadcast_arrays(bounds.lower, bounds.upper)
    if np.any(low > high):
        crossed = np.argwhere(low > high)
        at = tuple(crossed[0].tolist())
        raise ValueError(
            f"lower must not be above upper; at index {at}, the first of {len(crossed)}, they are {low[at]:.6g} and "
            f"{high[at]:.6g}"
        )
    return bounds


def _read(name: str, given: Any, problem: Poisson, dtype: np.dtype, batch: tuple[int, ...]) -> Array:
    free, shape = -np.inf if name == "lower" else np.inf, problem.shape
    if given is None:
        return np.full(shape, free, dtype)
    values = evaluate(name, given, problem.points()) if callable(given) else real_array(name, given)
    if values.ndim == 0 or (callable(given) and values.shape != shape):
        try:
            values = np.broadcast_to(values, shape)
        except ValueError:
            raise ValueError(
                f"{name}: the callable must return an array of shape {shape}, got {values.shape}"
            ) from None
    if values.shape not in (shape, batch + shape):
        allowed = f"{shape} or {batch + shape}" if batch else f"{shape}"
        raise ValueError(f"{name} must be a number, a callable, or an array of shape {allowed}; got {values.shape}")
    if problem.domain is not None:
        values = np.where(problem.domain.inside, values, free)
    if np.any(wrong := np.isnan(values) | (values == -free)):
        at = tuple(np.argwhere(wrong)[0].tolist())
        raise ValueError(f"{name} must be a number or {free} (no bound) everywhere; got {values[at]} at index {at}")
    some = np.isfinite(values)
    if some.all():
        result = finite(name, values, dtype).astype(dtype)
    else:
        result = np.where(some, finite(name, np.where(some, values, 0.0), dtype), free).astype(dtype)
    return result.reshape(-1, *shape) if values.ndim > len(shape) else result


def check_sides(problem: Poisson, lower: Any, upper: Any, sides: Sides) -> None:
    """Refuse bounds that the boundary values of u do not keep: numbers and callables, as arrays have no values there.

    Raises:
        ValueError: naming the bound, the side and the place.
    """
    for a, axis in enumerate(problem.grid.axes):
        for side in (0, 1):
            if axis.periodic or axis.sides[side].kind != "dirichlet":
                continue
            points = side_points(problem.grid, a, side)
            g = sides.get((a, side), np.zeros(np.shape(points[0])))
            for name, bound, sign in zip(NAMES, (lower, upper), (1, -1), strict=True):
                if bound is None or not (callable(bound) or np.ndim(bound) == 0):
                    continue
                values = np.asarray(evaluate(name, bound, points) if callable(bound) else bound, float)
                slack = 64 * np.finfo(float).eps * np.maximum(abs(g), np.where(np.isfinite(values), abs(values), 0))
                wrong = np.argwhere(sign * (values - g) > slack)
                if len(wrong):
                    at = tuple(wrong[0].tolist())
                    place = ", ".join(f"{np.broadcast_to(x, g.shape)[at]:.6g}" for x in points)
                    raise ValueError(
                        f"{name}: obstacles against boundary values: side {(a, side)} holds u = {g[at]:.6g} at "
                        f"({place}), where {name} is {np.broadcast_to(values, g.shape)[at]:.6g}"
                    )
