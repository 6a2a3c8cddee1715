"""Darcy flow through two-phase media: fields, solutions by `pde.Multigrid`, and files that `nets.train` reads.

-div(a grad u) = 1 on the unit square, u = 0 on its boundary; a is 12 where a Gaussian random field is positive and 3
elsewhere. The field has the covariance (-Laplace + 9)^-2 with Neumann sides and no mean: a series of cosines whose
random numbers are drawn once per sample, so that grids of any size sample one and the same field. Values are those at
the centres of cells: phases belong to cells, and grids of 2^k of them halve to the last.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

import pde

MODES, TAU, PHASES = 64, 3.0, (3.0, 12.0)
"""Cosines per axis, the square root of 9, the values of a."""

PARTS = {"train": 1000, "validation": 100, "test": 200}
"""Fields of each part; no field is in two of them."""

SEED, RTOL = 2026, 1e-8


def field(part: str, index: int, n: int) -> np.ndarray:
    """The Gaussian random field of a sample at the centres of n x n cells."""
    rng = np.random.default_rng((SEED, list(PARTS).index(part), index))
    k = np.arange(MODES)
    deviation = 1 / (np.pi**2 * (k[:, None] ** 2 + k**2) + TAU**2)
    deviation[0, 0] = 0.0
    x = (np.arange(n) + 0.5) / n
    basis = np.where(k == 0, 1.0, np.sqrt(2.0)) * np.cos(np.pi * np.outer(x, k))
    values: np.ndarray = basis @ (deviation * rng.standard_normal((MODES, MODES))) @ basis.T
    return values


def solve(a: np.ndarray) -> np.ndarray:
    """u at the centres of the cells.

    Raises:
        ArithmeticError: the true residual is above `RTOL`.
    """
    problem = pde.Poisson(a.shape, centering="cell", coefficient=a)
    solution = pde.Multigrid(problem, threads=1).solve(1.0, rtol=RTOL, accel="auto")
    if not solution.converged:
        raise ArithmeticError(f"Darcy: {solution.message}")
    return solution.u


def samples(part: str, n: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(a, u) of a part, (samples, 1, n, n) in float32, and the CPU seconds of a solution, set-up included."""
    a = np.stack([np.where(field(part, i, n) > 0, *PHASES[::-1]) for i in range(PARTS[part])])
    solve(a[0])  # compiled kernels are loaded
    began = time.process_time()
    u = np.stack([solve(each) for each in a])
    seconds = (time.process_time() - began) / len(a)
    return a[:, None].astype(np.float32), u[:, None].astype(np.float32), seconds


def save(path: Path, n: int, test: str = "test") -> float:
    """Write a file for `nets.train` with the training part and another one; returns the seconds per solution."""
    inputs, targets, seconds = samples("train", n)
    others = samples(test, n)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, train_inputs=inputs, train_targets=targets, test_inputs=others[0], test_targets=others[1])
    return seconds
