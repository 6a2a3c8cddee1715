"""The convergence factor of cycles, measured."""

from __future__ import annotations

import numpy as np

from pde.backends.base import Backend
from pde.backends.data import Data


def measured_factor(backend: Backend, cycle: str, cycles: int, seed: int) -> float:
    """The asymptotic error reduction per cycle: power iteration on A u = 0 from random values."""
    start = backend.noise(seed)
    zero = np.zeros(start.shape, backend.dtype)
    inside = backend.hierarchy.levels[0].info.operator.terms.inside
    start = start if inside is None else inside * start
    data, u = Data(_vector(backend, zero)), _vector(backend, start.astype(backend.dtype))
    factors: list[float] = []
    for _ in range(cycles):
        u = backend.project(backend.cycle(cycle, data, u)[0])
        factors.append(float(backend.norms(u)[0]))
        if factors[-1] == 0:  # a direct solver
            return 0.0
        u = u * (1 / factors[-1])
    return float(np.exp(np.mean(np.log(factors[-max(1, cycles // 3) :]))))


def _vector(backend: Backend, x: np.ndarray) -> object:
    return backend.vector(backend.device.convert(x, backend.dtype))
