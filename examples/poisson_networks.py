"""Networks that hold the kernels of Poisson's equation, and how far they are from `pde` on the same f.

`reductions.py` prints the deviations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

import mgcore
import nets
import pde
from mgcore import Level, checks, stencils
from nets import theorems
from pde.paper.section5 import RESTRICTIONS, section5_levels

Kernel = stencils.Kernel


def norm(v: Any) -> float:
    """Euclidean norm of a NumPy array or a torch tensor."""
    return float((v * v).sum()) ** 0.5


def network(name: str, seed: int, **settings: Any) -> nets.MgNet:
    """A float64 MgNet in evaluation mode with random weights; batch norms have random statistics."""
    model: nets.MgNet = theorems.random_network(name, seed, **settings)
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
