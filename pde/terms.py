"""The coefficients of -div(a grad u) + c u on a grid, and the three numbers per axis and point that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pde.grid import Array, Axis


@dataclass(frozen=True, eq=False)
class Terms:
    """Coefficients: one diffusion a > 0 per axis, and a reaction c >= 0 (a number, or an array of the grid's shape)."""

    diffusion: tuple[float, ...]
    reaction: float | Array = 0.0

    @property
    def has_reaction(self) -> bool:
        return bool(np.any(np.asarray(self.reaction) != 0))


class AxisCoefficients(NamedTuple):
    """centre u_i - lower u_{i-1} - upper u_{i+1}, with what boundary data contribute: low g_low, high g_high.

    lower[0] and upper[-1] lead around a periodic axis; on others nothing reads them.
    """

    lower: Array
    centre: Array
    upper: Array
    low: float
    high: float


def axis_coefficients(axis: Axis, a: float = 1.0) -> AxisCoefficients:
    """-a d^2/dx^2 by finite volumes on one axis, with its ends."""
    w = axis.width
    if axis.periodic:
        gaps = axis.gaps
        upper, lower = a / (w * gaps), a / (w * np.roll(gaps, 1))
        if axis.n == 1:  # its own neighbour
            lower = upper = np.zeros(1)
        return AxisCoefficients(lower, lower + upper, upper, 0.0, 0.0)
    inner = a / axis.gaps
    (low, low_data), (high, high_data) = (_end(axis, side, a) for side in (0, 1))
    flux = np.concatenate(([low], inner, [high]))
    beside = np.concatenate((inner[:1], inner, inner[-1:])) if len(inner) else np.zeros(2)
    lower, upper = beside[:-1] / w, beside[1:] / w
    return AxisCoefficients(lower, (flux[:-1] + flux[1:]) / w, upper, low_data / float(w[0]), high_data / float(w[-1]))


def _end(axis: Axis, side: int, a: float) -> tuple[float, float]:
    """(k, m): the flux through an end is k u - m g, out of the outermost control volume."""
    kind, beta, d = axis.sides[side].kind, axis.sides[side].beta, axis.ends[side]
    if kind == "dirichlet":
        return a / d, a / d
    if kind == "neumann":
        return 0.0, 1.0
    share = 1 / (1 + beta * d / a)  # a (u_b - u) / d = g - beta u_b, solved for u_b
    return beta * share, share
