"""Curved domains of the tests: level sets, and a solution with its right-hand side and gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pde.problem.grid import Axis, Grid, Side

U = {
    1: lambda x: np.exp(x),
    2: lambda x, y: np.exp(x) * np.cos(2 * y),
    3: lambda x, y, z: np.exp(x) * np.cos(2 * y) * np.sin(z + 0.3),
}
F = {1: lambda *x: -U[1](*x), 2: lambda *x: 3 * U[2](*x), 3: lambda *x: 4 * U[3](*x)}
"""-Laplace of U."""


def gradient(x: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Of U."""
    if len(x) == 2:
        return [U[2](*x), -2 * np.exp(x[0]) * np.sin(2 * x[1])]
    tilted = np.exp(x[0]) * np.cos(2 * x[1]) * np.cos(x[2] + 0.3)
    return [U[3](*x), -2 * np.exp(x[0]) * np.sin(2 * x[1]) * np.sin(x[2] + 0.3), tilted]


def normal_flux(phi: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The normal derivative of U at the wall, by differences of phi for the normal."""

    def flux(*x: np.ndarray) -> np.ndarray:
        wall = np.array(x)
        steps = 1e-6 * np.eye(len(wall))[:, :, None]
        normal = np.array([phi(*(wall + step)) - phi(*(wall - step)) for step in steps])
        return (gradient(wall) * normal).sum(0) / np.linalg.norm(normal, axis=0)

    return flux


def ball(*x: np.ndarray) -> np.ndarray:
    return np.sqrt(sum((a - c) ** 2 for a, c in zip(x, (0.51, 0.48, 0.5), strict=False))) - 0.37


def star(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(x - 0.5, y - 0.5) - 0.3 - 0.1 * np.sin(5 * np.arctan2(y - 0.5, x - 0.5))


def uniform(n: int, ndim: int, cell: bool, kind: str = "dirichlet") -> Grid:
    return Grid((Axis.uniform(n, 1.0, (Side(kind),) * 2, cell),) * ndim)


def waves(seed: int, ndim: int, shift: float = 0.0) -> Callable[..., np.ndarray]:
    """A random smooth level set: a sum of plane waves."""
    rng = np.random.default_rng(seed)
    return _sum_of_waves(rng.uniform(-6, 6, (5, ndim)), rng.uniform(0, 2 * np.pi, 5), shift)


def periodic_waves(seed: int, ndim: int) -> Callable[..., np.ndarray]:
    """The same with the period 1 along each axis."""
    rng = np.random.default_rng(seed)
    return _sum_of_waves(2 * np.pi * rng.integers(-1, 2, (5, ndim)), rng.uniform(0, 2 * np.pi, 5), -0.5)


def _sum_of_waves(k: np.ndarray, phase: np.ndarray, shift: float) -> Callable[..., np.ndarray]:
    def phi(*x: np.ndarray) -> np.ndarray:
        return shift + sum(np.sin(sum(map(np.multiply, row, x)) + p) for row, p in zip(k, phase, strict=True))

    return phi


def fitted_order(sizes: Sequence[float], errors: Sequence[float]) -> float:
    """The order of errors on grids with these numbers of intervals, by least squares."""
    return -float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])
