"""The reductions: what the papers claim to be the same, computed both ways, with the largest deviation found.

Every line runs the functions of `mgcore` that the solver and the networks use, in float64.

    python examples/reductions.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls
from torch import nn

import mgcore
import nets
import pde
from mgcore import Level, checks, stencils
from nets import theorems
from pde.paper.convolution import correlate, correlate_2, restriction_matrix, spread_2
from pde.paper.elements import ELEMENTS, INTERPOLATIONS, feature_map, stiffness
from pde.paper.section5 import RESTRICTIONS, section5_levels

Kernel = stencils.Kernel


def norm(v: Any) -> float:
    """Euclidean norm of a NumPy array or a torch tensor."""
    return float((v * v).sum()) ** 0.5


def dot(v: Any, w: Any) -> float:
    return float((v * w).sum())


def random_pi(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A random linear map between grids of 2^k - 1 points: a random 3 x 3 kernel with stride 2."""
    kernel = tuple(map(tuple, rng.standard_normal((3, 3))))
    return lambda u: np.ascontiguousarray(correlate(kernel, u)[..., 1::2, 1::2])


def poisson_levels(n: int, nu: int, rng: np.random.Generator) -> list[Level]:
    """The solver's own levels for n x n points, each with a random Pi."""
    mg = pde.Multigrid(pde.Poisson((n, n)), nu=(nu, nu), levels=64)
    return [replace(level, Pi=random_pi(rng)) for level in mg.levels[:-1]] + mg.levels[-1:]


def network(name: str, seed: int, **settings: Any) -> nets.MgNet:
    """A float64 MgNet in evaluation mode with random weights; batch norms have random statistics."""
    model: nets.MgNet = theorems.random_network(name, seed, **settings)
    return model


def linear_network(levels: int, nu: int, channels: tuple[int, int], seed: int) -> nets.MgNet:
    """An MgNet of random linear convolutions: no activation, no batch norm; weights scaled so that nothing grows."""
    name = f"MgNet{[nu] * levels}-[{channels}]-B^{{l,i}}".replace(" ", "")
    model = network(name, seed, activation="identity", batch_norm=False, in_channels=channels[1], form="feature")
    model.stem = nn.Identity()
    for parameter in model.parameters():
        parameter.data *= 0.3
    return model


def hold(module: Any, kernel: Kernel) -> None:
    """Give a convolution of one channel these weights."""
    module.weight.data[...] = torch.tensor(kernel, dtype=torch.float64)


def scale(kernel: Kernel, factor: float) -> Kernel:
    return tuple(tuple(factor * k for k in row) for row in kernel)


def poisson_network(
    A: list[Kernel],
    B: list[Kernel],
    nu: int,
    R: Kernel,
    *,
    padding: int,
    mode: str = "zeros",
    form: str = "residual",
    pi: str = "0",
    family: str = "MgNet",
    activation: str = "identity",
) -> nets.MgNet:
    """An MgNet whose convolutions hold these kernels, one per grid; without batch norm, stem, activation of Pi and R.

    `padding` is that of R and Pi, by `mode` (3.9).
    """
    name = f"{family}{[nu] * len(A)}-[1]-B^l-Pi_{pi}".replace(" ", "")
    settings = {"form": form, "padding": mode, "transfers": "bilinear" if family == "V-MgNet" else "trained"}
    settings |= {"activation": activation, "transfer_activation": False}
    model = network(name, 0, batch_norm=False, in_channels=1, **settings)
    model.stem = nn.Identity()
    for l, (K_A, K_B) in enumerate(zip(A, B, strict=True)):
        hold(model.A[l], K_A)
        hold(model.B[l][0], K_B)
    for l in range(len(A) - 1):
        hold(model.R[l], R)
        if family == "V-MgNet":
            hold(model.B_post[l][0], B[l])
        if padding == 0:
            for module in (model.R[l], *([] if pi == "0" else [model.Pi[l]])):
                module.padding = (0, 0)
    return model


def compare_descents(plain: list[Any], model: nets.MgNet, f: np.ndarray) -> float:
    """Largest deviation, over the grids, between a descent of the solver and the network's on the same f, by (6.10)."""
    worst = 0.0
    with torch.no_grad():
        visits = model.visits(torch.from_numpy(f)[None, None])
        for l, (mine, net) in enumerate(zip(plain, visits, strict=False)):
            u0 = None if net.u0 is None else net.u0
            expected_f = mine.f if u0 is None else mine.f + model.A[l](u0)[0, 0].numpy()
            u = net.u if u0 is None else net.u - u0
            worst = max(worst, checks.deviation(norm, u[0, 0].numpy(), mine.u))
            worst = max(worst, checks.deviation(norm, net.f[0, 0].numpy(), expected_f))
    return worst


def interior_points(k: int, nu: int, transfer: str, omega: float, pi: str, seed: int) -> float:
    """Across: (2^k - 1)^2 interior points, where the R A P kernels of every level are convolutions."""
    n = 2**k - 1
    f = np.random.default_rng(seed).standard_normal((n, n))
    problem = pde.Poisson((n, n))
    mg = pde.Multigrid(problem, smoother="jacobi", omega=omega, nu=(nu, 0), coarse="galerkin", transfer=transfer)
    plain = mgcore.mg0(mg.levels, f)[:-1]  # the last level has a direct solver instead of a smoother
    R = scale(stencils.LINEAR if transfer == "linear" else stencils.BILINEAR, 1 / 4)
    A = [scale(stencils.POISSON, float((n + 1) ** 2))]
    while len(A) < len(plain):
        A.append(scale(stencils.galerkin(A[-1], scale(R, 4)), 1 / 4))
    B = [stencils.jacobi(omega, K[1][1]) for K in A]
    return compare_descents(plain, poisson_network(A, B, nu, R, padding=0, pi=pi), f)


def box_levels(
    boundary: str, k: int, nu: tuple[int, int], coarse: str, transfer: str
) -> tuple[list[Level], list[Kernel]]:
    """The solver's levels, all but the coarsest, which has a direct solver, and a kernel for each.

    The box has (2^k + 1)^2 points with Neumann sides, or 2^k x 2^k periodic ones: distances are 2^-k.
    """
    problem = pde.Poisson((2**k + (boundary == "neumann"),) * 2, boundary=boundary)
    mg = pde.Multigrid(problem, smoother="jacobi", omega=0.8, nu=nu, coarse=coarse, transfer=transfer, levels=64)
    A = [scale(stencils.POISSON, 4.0**k)]
    while len(A) < len(mg.levels) - 1:
        A.append(scale(stencils.galerkin(A[-1], RESTRICTIONS[transfer]) if coarse == "galerkin" else A[-1], 1 / 4))
    return mg.levels[:-1], A


def box_points(
    seed: int,
    boundary: str,
    mode: str,
    pi: str = "0",
    coarse: str = "rediscretised",
    transfer: str = "bilinear",
    k: int = 5,
) -> float:
    """Across: points with Neumann sides, or periodic ones, all rows, and a network padded by `mode` (3.9)."""
    nu = 1 + seed % 3
    levels, A = box_levels(boundary, k, (nu, 0), coarse, transfer)
    f = np.random.default_rng(seed).standard_normal((2**k + (boundary == "neumann"),) * 2)
    B, R = [stencils.jacobi(0.8, K[1][1]) for K in A], scale(RESTRICTIONS[transfer], 1 / 4)
    return compare_descents(mgcore.mg0(levels, f), poisson_network(A, B, nu, R, padding=1, mode=mode, pi=pi), f)


def box_v_cycle(seed: int, boundary: str, mode: str, k: int = 5) -> float:
    """Across: the V-cycle on the same points and a V-MgNet, whose P interpolates with this padding."""
    nu = 1 + seed % 3
    levels, A = box_levels(boundary, k, (nu, nu), "rediscretised", "bilinear")
    f = np.random.default_rng(seed).standard_normal((2**k + (boundary == "neumann"),) * 2)
    B, R = [stencils.jacobi(0.8, K[1][1]) for K in A], scale(stencils.BILINEAR, 1 / 4)
    model = poisson_network(A, B, nu, R, padding=1, mode=mode, family="V-MgNet")
    with torch.no_grad():
        u = model.forward_features(torch.from_numpy(f)[None, None])[0, 0].numpy()
    return checks.deviation(norm, u, mgcore.v_cycle(levels, f))


def all_points(k: int, nu: int, transfer: str, smoother: str, pi: str, seed: int) -> float:
    """Across: (2^k + 1)^2 points, the same zero-padded kernel per level on both sides."""
    f = np.random.default_rng(seed).standard_normal((2**k + 1, 2**k + 1))
    levels = section5_levels(k, transfer=transfer, smoother=smoother, nu=(nu, 0), coarse="kernel")
    A = [level.info["kernel"] for level in levels]
    B = [stencils.jacobi(0.8, K[1][1]) if smoother == "S0" else stencils.two_step_jacobi(0.8, K) for K in A]
    R = stencils.LINEAR if transfer == "linear" else stencils.BILINEAR
    return compare_descents(mgcore.mg0(levels, f), poisson_network(A, B, nu, R, padding=1, pi=pi), f)


def theorem_6_1_numpy(seed: int) -> float:
    rng = np.random.default_rng(seed)
    f = rng.standard_normal((31, 31))
    return checks.theorem_6_1(poisson_levels(31, 1 + seed % 3, rng), f, norm)


def theorem_6_1_torch(seed: int) -> float:
    model = linear_network(3, 1 + seed % 3, (4, 3), seed)
    with torch.no_grad():
        return theorems.theorem_6_1(model, torch.randn(2, 3, 12, 12, dtype=torch.float64))


def v_cycle_numpy(seed: int) -> float:
    rng = np.random.default_rng(seed)
    f = rng.standard_normal((31, 31))
    return checks.theorem_6_1_v(poisson_levels(31, 1 + seed % 3, rng), f, norm)


def v_cycle_torch(seed: int) -> float:
    model = network("V-MgNet[2,1,2]-[(4,3)]-B^{l,i}", seed, activation="identity", batch_norm=False)
    with torch.no_grad():
        return theorems.theorem_6_1_v(model, torch.randn(2, 3, 13, 12, dtype=torch.float64))


def lemma_4_1(transfer: str, seed: int) -> float:
    rng = np.random.default_rng(seed)
    K = stencils.LINEAR if transfer == "linear" else stencils.BILINEAR
    r, e = rng.standard_normal((33, 17)), rng.standard_normal((17, 9))
    return checks.adjoint_defect(partial(correlate_2, K), lambda e: spread_2(K, e, (33, 17)), r, e, dot, dot)


def lemma_4_1_torch(transfer: str, seed: int) -> float:
    torch.manual_seed(seed)
    return theorems.lemma_4_1(transfer, torch.randn(1, 1, 33, 17).double(), torch.randn(1, 1, 17, 9).double())


def theorem_6_1_by_name(seed: int) -> float:
    """Theorem 6.1 with every Pi of (4.17), on section 5's levels and on the solver's."""
    f = np.random.default_rng(seed).standard_normal((33, 33))
    transfer, boundary = ("linear", "bilinear")[seed % 2], ("zeros", "neumann")[seed // 2 % 2]
    worst = 0.0
    for name in INTERPOLATIONS:
        worst = max(
            worst, checks.theorem_6_1(section5_levels(5, transfer=transfer, boundary=boundary, Pi=name), f, norm)
        )
        levels = pde.Multigrid(pde.Poisson((31, 31)), levels=64).levels
        by_name = [
            replace(level, Pi=feature_map(name, (n, n), transfer, "dirichlet"))
            for level, n in zip(levels[:-1], (31, 15, 7, 3), strict=True)
        ]
        worst = max(worst, checks.theorem_6_1([*by_name, levels[-1]], f[1:-1, 1:-1], norm))
    return worst


def projection(name: str, seed: int) -> float:
    """(4.17): Pi P e = e for random coarse e, with Neumann and with Dirichlet sides, and both kinds of elements."""
    e, worst = np.random.default_rng(seed).standard_normal((17, 17)), 0.0
    for transfer, K in RESTRICTIONS.items():
        P = spread_2(K, e, (33, 33))
        worst = max(worst, checks.deviation(norm, feature_map(name, P.shape, transfer)(P), e))
        held = spread_2(K, np.pad(e[1:-1, 1:-1], 1), (33, 33))[1:-1, 1:-1]
        worst = max(
            worst, checks.deviation(norm, feature_map(name, held.shape, transfer, "dirichlet")(held), e[1:-1, 1:-1])
        )
    return worst


def neumann_elements(transfer: str, seed: int) -> float:
    """(5.1): R F R^T of the stiffness matrix is that of the coarser grid, and both are zero on constants."""
    k = 2 + seed % 4
    (F, d), (coarse, _) = (stiffness((2**j + 1,) * 2, transfer) for j in (k, k - 1))
    R = restriction_matrix(ELEMENTS[transfer].K_R, (2**k + 1,) * 2)
    level = section5_levels(k, transfer=transfer, boundary="neumann")[0]
    return float(abs(R @ F @ R.T - coarse).max()) / d + float(abs(level.A(np.ones(level.info["shape"]))).max())


def forms_numpy(seed: int) -> float:
    rng = np.random.default_rng(seed)
    f = rng.standard_normal((31, 31))
    return checks.theorem_8_1(poisson_levels(31, 2, rng), f, norm)


def forms_network(seed: int) -> float:
    """The logits of an MgNet with ReLU and batch norm in both forms."""
    model = network("MgNet[2,2,2]-[(8,6),(8,8),(12,8)]-B^{l,i}", seed)
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        residual = model(x)
        model.config = replace(model.config, form="feature")
        return checks.deviation(norm, residual, model(x))


def two_jacobi_steps(seed: int) -> float:
    rng = np.random.default_rng(seed)
    omega, f, u = rng.uniform(0.1, 1.9), rng.standard_normal((17, 9)), rng.standard_normal((17, 9))
    A, S = partial(correlate, stencils.POISSON), partial(correlate, stencils.jacobi(omega))
    twice, once = (Level(A, [S, S]), Level(A, [partial(correlate, stencils.two_step_jacobi(omega))]))
    return checks.deviation(norm, mgcore.mg0([twice], f)[0].u, mgcore.descend([once], f)[0].u) + checks.deviation(
        norm, mgcore.descend([twice], f, u)[0].u, mgcore.descend([once], f, u)[0].u
    )


def jacobi_levels(problem: Any, nu: int, omega: float, sweep: Callable[..., Any], levels: int = 3) -> list[Level]:
    """pde's rediscretised levels with nu sweeps (u, f) -> u on each, made by sweep(A, omega / diagonal)."""
    found = pde.Multigrid(problem, levels=levels, **(PLAIN if isinstance(problem, pde.Poisson) else {})).levels
    weights = [omega / (4 * (level.info.grid.shape[0] + 1) ** 2) for level in found]
    sweeps = [sweep(level.A, weight) for level, weight in zip(found, weights, strict=True)]
    return [replace(l, B=[s] * nu, iterate=mgcore.relaxation) for l, s in zip(found, sweeps, strict=True)]


PLAIN: dict[str, Any] = {"smoother": "jacobi", "coarse": "rediscretised", "kernels": "numpy"}


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


LINEAR = ("galerkin", "linear")
REDUCTIONS: tuple[tuple[str, str, Callable[[int], float]], ...] = (
    ("Theorem 6.1, (6.10): MgNet is MG0 for any Π", "Poisson stencils, NumPy", theorem_6_1_numpy),
    ("", "random convolutions, torch", theorem_6_1_torch),
    ("", "Π nodal, Scott-Zhang, L² (4.17), NumPy", theorem_6_1_by_name),
    ("V-MgNet (Algorithm 4) is the V-cycle for any Π", "Poisson stencils, NumPy", v_cycle_numpy),
    ("", "random convolutions, torch", v_cycle_torch),
    ("Lemma 4.1: restriction is prolongation transposed", "bilinear (4.13), NumPy", partial(lemma_4_1, "bilinear")),
    ("", "linear (4.14), NumPy", partial(lemma_4_1, "linear")),
    ("", "bilinear, torch strided convolution", partial(lemma_4_1_torch, "bilinear")),
    ("Theorem 8.1: feature form is residual form", "Poisson stencils, NumPy", forms_numpy),
    ("", "MgNet with ReLU and batch norm, torch", forms_network),
    ("(5.7): two Jacobi steps are one kernel", "zero padding, NumPy", two_jacobi_steps),
    (
        "A nets.MgNet with Poisson kernels is pde's multigrid",
        "31² interior points, Π = 0",
        lambda seed: interior_points(5, 1 + seed % 3, ("linear", "bilinear")[seed % 2], 0.8, "0", seed),
    ),
    ("", "31² interior points, random Π", lambda s: interior_points(5, 1 + s % 3, "bilinear", 0.8, "1", s)),
    ("", "33² points, zero padding, Π = 0", lambda s: all_points(5, 1 + s % 3, "linear", ("S0", "S1")[s % 2], "0", s)),
    ("", "33² points, zero padding, random Π", lambda s: all_points(5, 1 + s % 3, "bilinear", "S0", "1", s)),
    ("", "33² Neumann points, reflected, Π = 0", lambda s: box_points(s, "neumann", "reflect")),
    ("", "33² Neumann points, reflected, random Π", lambda s: box_points(s, "neumann", "reflect", "1", "galerkin")),
    ("", "33² Neumann points, V-cycle", lambda s: box_v_cycle(s, "neumann", "reflect")),
    ("", "32² periodic points, circular, Π = 0", lambda s: box_points(s, "periodic", "circular")),
    ("", "32² periodic points, (4.14), random Π", lambda s: box_points(s, "periodic", "circular", "1", *LINEAR)),
    ("", "32² periodic points, V-cycle", lambda s: box_v_cycle(s, "periodic", "circular")),
    ("(4.17): Π P = id", "nodal values, NumPy", partial(projection, "nodal")),
    ("", "Scott-Zhang, NumPy", partial(projection, "scott-zhang")),
    ("", "L² projection, NumPy", partial(projection, "l2")),
    ("(5.1): R F R^T is the coarse F, F 1 = 0", "triangles (4.14), NumPy", partial(neumann_elements, "linear")),
    ("", "squares (4.13), NumPy", partial(neumann_elements, "bilinear")),
    ("(1.4) of 2023, u + σBσ(f − Au): projected Jacobi", "31² points, 40 iterates from 0", constrained_is_projected),
    ("", "its limit: pde with lower=0", partial(constrained_limit, positive=False)),
    ("", "f ≥ 0: its limit is A⁻¹f", partial(constrained_limit, positive=True)),
    ("A nets.MgNet with ReLU is pde's projected Jacobi", "31² points, every iterate, Π = 0", constrained_network),
    (
        "A nets.MgNet with nonlinear A is pde's FAS",
        "31² points, −Δu + 500 u₊",
        partial(full_approximation_network, 500.0),
    ),
)

DIFFERENT: tuple[tuple[str, Callable[[int], float]], ...] = (
    ("33² Neumann points, network padded by zeros", lambda s: box_points(s, "neumann", "zeros")),
    ("32² periodic points, network padded by zeros", lambda s: box_points(s, "periodic", "zeros")),
    ("33² Neumann points, reflected, (4.14)", lambda s: box_points(s, "neumann", "reflect", "0", *LINEAR)),
    ("(1.4) of 2023, non-negative least squares", least_squares_gap),
    ("(6.10) on grid 2, FAS of −Δu + 500 u₊", partial(shifted_grids, 2)),
    ("(6.10) on grid 3, FAS of −Δu + 500 u₊", partial(shifted_grids, 3)),
)
"""Not the same. (4.14), the kernel of R, is no mirror image of itself, as a reflection needs. From the second sweep on
grid 2 on (6.10) of Theorem 6.1 needs A(u^0 + e) - A(u^0) = A(e)."""


def run(seeds: int = 8) -> dict[str, float]:
    """Print the table; returns the largest deviation of every line over so many random cases, at least 1."""
    if seeds < 1:
        raise ValueError(f"seeds must be an integer >= 1; got {seeds}")
    found: dict[str, float] = {}
    print(f"{'what is the same':<54}{'with':<40}largest deviation")
    title = ""
    for claim, case, deviation in REDUCTIONS:
        title = claim or title
        found[f"{title}: {case}"] = worst = max(deviation(seed) for seed in range(seeds))
        print(f"{claim:<54}{case:<40}{worst:.1e}")
    print("\nFor contrast, not the same: smallest and largest deviation")
    for case, deviation in DIFFERENT:
        values = [deviation(seed) for seed in range(seeds)]
        print(f"{'':<54}{case:<46}{min(values):.2f} to {max(values):.2f}")
    print(f"Relative to the size of what is compared, over {seeds} random cases each; float64 rounds at 1.1e-16.")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8, help="random cases per line (default 8)")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error(f"--seeds must be an integer >= 1; got {options.seeds}")
    run(options.seeds)
