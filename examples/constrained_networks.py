"""The constrained model A u = f, u >= 0 of 2023 and A nonlinear, on `pde`'s levels and in networks.

`reductions.py` prints the deviations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls
from torch import nn

import mgcore
import pde
from mgcore import Level, checks, stencils

sys.path.insert(0, str(Path(__file__).parent))  # its neighbours, also for `import examples.constrained_networks`
from poisson_networks import network, norm, poisson_network, scale

PLAIN: dict[str, Any] = {"smoother": "jacobi", "coarse": "rediscretised", "kernels": "numpy"}


def jacobi_levels(problem: Any, nu: int, omega: float, sweep: Callable[..., Any], levels: int = 3) -> list[Level]:
    """pde's rediscretised levels with nu sweeps (u, f) -> u on each, made by sweep(A, omega / diagonal)."""
    found = pde.Multigrid(problem, levels=levels, **(PLAIN if isinstance(problem, pde.Poisson) else {})).levels
    weights = [omega / (4 * (level.info.grid.shape[0] + 1) ** 2) for level in found]
    sweeps = [sweep(level.A, weight) for level, weight in zip(found, weights, strict=True)]
    return [replace(l, B=[s] * nu, iterate=mgcore.relaxation) for l, s in zip(found, sweeps, strict=True)]


def projected(A: Any, weight: float) -> Any:
    """Projected Jacobi for the obstacle problem u >= 0, A u - f >= 0, (A u - f) u = 0."""
    return lambda u, f: np.maximum(weight * f if u is None else u + weight * (f - A(u)), 0)


def constrained(A: Any, weight: float) -> Any:
    """(1.4) of 2023: u <- u + sigma B sigma(f - A u)."""

    def sweep(u: Any, f: Any) -> Any:
        e = np.maximum(weight * np.maximum(f if u is None else f - A(u), 0), 0)
        return e if u is None else u + e

    return sweep


def iterates(sweep: Callable[..., Any], f: np.ndarray, count: int, omega: float = 0.8) -> list[np.ndarray]:
    """The iterates from u = 0 on one grid."""
    A = jacobi_levels(pde.Poisson(f.shape), 1, omega, sweep, levels=1)[0]
    found: list[Any] = [None]
    for _ in range(count):
        found.append(A.B[0](found[-1], f))
    return found[1:]


def constrained_is_projected(seed: int) -> float:
    """Once r_i > 0 it stays so, as r <- r - A B sigma(r) and A is an M-matrix: u grows, and the clip does nothing."""
    f = np.random.default_rng(seed).standard_normal((31, 31))
    pairs = zip(*(iterates(sweep, f, 40) for sweep in (constrained, projected)), strict=True)
    return max(checks.deviation(norm, *pair) for pair in pairs)


def constrained_limit(seed: int, positive: bool) -> float:
    """The limit of (1.4) and pde's obstacle solution; for f >= 0 its solution without obstacle."""
    f = np.random.default_rng(seed).standard_normal((7, 7))
    f, bound = (abs(f), {}) if positive else (f, {"lower": 0.0})
    solution = pde.Multigrid(pde.Poisson((7, 7)), levels=2).solve(f, rtol=1e-14, **bound)
    return checks.deviation(norm, iterates(constrained, f, 800, 1.0)[-1], solution.u)


def least_squares_gap(seed: int) -> float:
    """The least distance of that limit from non-negative least squares, min |A u - f| for u >= 0."""
    f = np.random.default_rng(seed).standard_normal((7, 7))
    u, _ = nnls(pde.Poisson((7, 7)).matrix().toarray(), f.ravel())
    return checks.deviation(norm, iterates(constrained, f, 800, 1.0)[-1].ravel(), u)


def constrained_network(seed: int) -> float:
    """Every iterate of every grid, of an MgNet with ReLU, K_A and Jacobi, and of pde's projected Jacobi with Pi = 0."""
    nu, omega, n = 2 + seed % 3, 0.8, 31
    f = np.random.default_rng(seed).standard_normal((n, n))
    levels = jacobi_levels(pde.Poisson((n, n)), nu, omega, projected)
    A = [scale(stencils.POISSON, float((level.info.grid.shape[0] + 1) ** 2)) for level in levels]
    B = [stencils.jacobi(omega, K[1][1]) for K in A]
    R = scale(stencils.BILINEAR, 1 / 4)
    model = poisson_network(A, B, nu, R, padding=0, form="feature", activation="relu")
    numbers = [(l, i) for l in range(len(levels)) for i in range(1, nu + 1)]
    return max(twins_apart([until(levels, *at), until(model.levels, *at)], f, channels=1) for at in numbers)


def until(levels: Sequence[Level], l: int, i: int) -> list[Level]:
    """The levels down to the l-th from 0, with i of its sweeps."""
    return [*levels[:l], replace(levels[l], B=levels[l].B[:i])]


def twins_apart(twins: Sequence[Sequence[Level]], f: np.ndarray, channels: int) -> float:
    """Largest deviation of u and f, on any grid, between levels of pde and those of a network with `channels` of f."""
    data = torch.zeros(1, channels, *f.shape, dtype=torch.float64)
    data[0, 0] = torch.from_numpy(f)
    with torch.no_grad():
        net = mgcore.descend(twins[1], data, torch.zeros(1, 1, *f.shape, dtype=torch.float64))
    worst = 0.0
    for mine, other in zip(mgcore.descend(twins[0], f), net, strict=True):
        worst = max(worst, checks.deviation(norm, mine.u, other.u[0, 0].numpy()))
        worst = max(worst, checks.deviation(norm, mine.f, other.f[0, 0].numpy()))
    return worst


def full_approximation_network(strength: float, seed: int) -> float:
    """MgNet with A(u) = -Laplace u + c max(u, 0), Pi = injection, and pde's full approximation scheme with (1.4).

    The data space has three channels: eta u = (K u, -K u, u), and xi adds relu(K u) - relu(-K u) + c relu(u).
    """
    nu, omega, n = 1 + seed % 3, 0.8, 31
    problem = pde.NonlinearPoisson((n, n), reaction=lambda u, x, y: strength * np.maximum(u, 0))
    levels = jacobi_levels(problem, nu, omega, constrained)
    name = f"MgNet{[nu] * 3}-[(1,3)]-B^l-Pi_1-A:xi.sigma.eta".replace(" ", "")
    model = network(name, 0, batch_norm=False, in_channels=1, form="feature", transfer_activation=False)
    centre = torch.zeros(3, 3, dtype=torch.float64)
    centre[1, 1] = 1
    for l, level in enumerate(levels):
        m = level.info.grid.shape[0]
        K = torch.tensor(scale(stencils.POISSON, float((m + 1) ** 2)), dtype=torch.float64)
        model.A[l].eta.weight.data = torch.stack([K, -K, centre])[:, None]
        model.A[l].xi.weight.data.zero_()
        model.A[l].xi.weight.data[0] = torch.stack([centre, -centre, strength * centre])
        model.B[l][0].weight.data.zero_()
        model.B[l][0].weight.data[0, 0] = omega / (4 * (m + 1) ** 2) * centre
    for l in range(2):
        model.R[l] = nn.Conv2d(3, 3, 3, stride=2, bias=False).double()
        model.R[l].weight.data.zero_()
        model.R[l].weight.data[0, 0] = torch.tensor(scale(stencils.BILINEAR, 1 / 4), dtype=torch.float64)
        model.Pi[l] = nn.Conv2d(1, 1, 3, stride=2, bias=False).double()
        model.Pi[l].weight.data[0, 0] = centre
    f = 10 * np.random.default_rng(seed).standard_normal((n, n))
    return twins_apart([levels, model.levels], f, channels=3)


def shifted_grids(grid: int, seed: int) -> float:
    """Theorem 6.1 for -Laplace u + 500 max(u, 0): u - u^0 of the full approximation scheme, and u with Pi = 0."""
    problem = pde.NonlinearPoisson((31, 31), reaction=lambda u, x, y: 500 * np.maximum(u, 0))
    levels = jacobi_levels(problem, 2, 0.8, lambda A, weight: lambda u, f: u + weight * (f - A(u)))
    f = 10 * np.random.default_rng(seed).standard_normal((31, 31))
    fas, plain = (mgcore.descend(each, f)[grid - 1] for each in (levels, [replace(l, Pi=None) for l in levels]))
    return checks.deviation(norm, fas.u - (0 if fas.u0 is None else fas.u0), plain.u)
