"""The reductions: what the papers claim to be the same, computed both ways, with the largest deviation found.

Every line runs the functions of `mgcore` that the solver and the networks use, in float64.

    python examples/reductions.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import mgcore
import nets
import pde
from mgcore import Level, checks, stencils
from nets import theorems
from pde.paper.convolution import correlate, correlate_2, restriction_matrix, spread_2
from pde.paper.elements import ELEMENTS, INTERPOLATIONS, feature_map, stiffness
from pde.paper.section5 import RESTRICTIONS, section5_levels

sys.path.insert(0, str(Path(__file__).parent))  # its neighbours, also for `import examples.reductions`
from constrained_networks import (
    constrained_is_projected,
    constrained_limit,
    constrained_network,
    full_approximation_network,
    least_squares_gap,
    shifted_grids,
)
from poisson_networks import all_points, box_points, box_v_cycle, interior_points, network, norm


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


def linear_network(levels: int, nu: int, channels: tuple[int, int], seed: int) -> nets.MgNet:
    """An MgNet of random linear convolutions: no activation, no batch norm; weights scaled so that nothing grows."""
    name = f"MgNet{[nu] * levels}-[{channels}]-B^{{l,i}}".replace(" ", "")
    model = network(name, seed, activation="identity", batch_norm=False, in_channels=channels[1], form="feature")
    model.stem = nn.Identity()
    for parameter in model.parameters():
        parameter.data *= 0.3
    return model


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
