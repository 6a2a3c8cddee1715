"""The problems, sizes and seeds of the comparison, fixed before anything is tuned or trained."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np

import pde

TUNING = 63
"""Unknowns per axis where classical cycles are tuned."""

SIZES = (63, 127, 255, 511, 1023)
"""Unknowns per axis where all are measured."""

FACTOR_SEED, SOLVE_SEED, CYCLES, RTOL = 20, 21, 30, 1e-6
"""Of power iteration and of the white noise f that is solved for to `RTOL`; cycles of a measured factor."""


def rotated(degrees: float, ratio: float) -> list[list[float]]:
    """Q diag(1, ratio) Q^T: diffusion 1 along a direction at this angle to axis 0, and `ratio` across it."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return [[c * c + ratio * s * s, (1 - ratio) * c * s], [(1 - ratio) * c * s, s * s + ratio * c * c]]


FAMILIES = {"Poisson": None, "30 deg, 0.1": rotated(30, 0.1), "45 deg, 0.01": rotated(45, 0.01)}
"""The coefficients by name: angle and ratio of a constant full tensor."""


def problem(family: str, n: int) -> pde.Poisson:
    """-div(a grad u) = f on the unit square, u = 0 on its boundary, n x n unknowns."""
    return pde.Poisson((n, n), coefficient=FAMILIES[family])


def noise(n: int) -> np.ndarray:
    """The right-hand side of solves, white noise."""
    return np.random.default_rng(SOLVE_SEED).standard_normal((n, n))
