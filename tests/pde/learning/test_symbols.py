"""Symbols of cycles on tensors: against `pde.analysis`, plane waves and finite differences."""

import math

import pytest
import torch

import pde
from pde.analysis.fourier import Analysis
from pde.learning.family import Family
from pde.learning.levels import LevelParts
from pde.learning.stencils import apply, prolong, restrict
from pde.learning.symbols import (
    blocks,
    cycle_factor,
    noise_factor,
    smoothing_factor,
    symbol,
    symbol_levels,
    white_noise,
)
from pde.learning.trainable import TrainableMultigrid

EPS = torch.finfo(torch.float64).eps
SHAPES = {1: (31,), 2: (31, 31), 3: (15, 15, 15)}


def random(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rotated(seed=0):
    """The stencil of a full tensor, and parts without any symmetry near Jacobi."""
    problem = pde.Poisson((7, 7), coefficient=[[1.0, 0.4], [0.4, 0.5]])
    A = torch.as_tensor(Family(problem).stencil((7, 7)))
    start = TrainableMultigrid(problem, levels=2).parts()
    return A, [LevelParts(*(T + 0.02 * random(*T.shape, seed=seed + i) for i, T in enumerate(p))) for p in start]


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(("cycle", "grids"), [("V", 2), ("V", 3), ("W", 3), ("F", 3), ("backslash", 3)])
def test_factor_is_that_of_the_analysis(ndim, cycle, grids):
    problem, n = pde.Poisson(SHAPES[ndim]), 4
    mg = pde.Multigrid(problem, smoother="jacobi", omega=0.7, nu=(2, 1), coarse="galerkin", transfer="bilinear")
    model = TrainableMultigrid(problem, kernel=1, sweeps=(2, 1))
    with torch.no_grad():
        model.before.mul_(0.7 / 0.8), model.after.mul_(0.7 / 0.8)
    A = torch.as_tensor(Family(problem).stencil(problem.shape))
    if ndim == 3:
        grids = 2  # blocks of 8
    found = cycle_factor(A, model.parts(), grids=grids, cycle=cycle, frequencies=n).item()
    assert abs(found - Analysis(mg).factor(cycle, grids=grids, frequencies=n)) < 1000 * EPS


def test_symbols_are_the_answer_to_plane_waves():
    K, n, F = random(3, 3), 6, 5
    phi = 2 * math.pi * torch.tensor([1, 2], dtype=torch.float64) / F  # number F + 2 of the base frequencies, q = 0
    x = torch.arange(-n, n + 1, dtype=torch.float64)
    fine = torch.exp(0.5j * (phi[0] * x[:, None] + phi[1] * x))
    S = symbol(K, (2, 2), F)[..., F + 2]
    values = complex_of(lambda u: apply(K, u), fine)
    assert abs(values[n, n] - S[0, 0]) < 100 * EPS
    values = complex_of(lambda u: restrict(K, u), fine[1:-1, 1:-1])  # the middle is a coarse point
    assert abs(values[n // 2 - 1, n // 2 - 1] - S[0, 0]) < 100 * EPS
    y = torch.arange(-2, 3, dtype=torch.float64)
    coarse = torch.exp(1j * (phi[0] * y[:, None] + phi[1] * y))
    spread = complex_of(lambda u: prolong(K, u), coarse)[2:-2, 2:-2]
    shares = S.conj() / 4
    for i, j in ((3, 3), (3, 4), (4, 3), (4, 4)):  # the middle is at 3
        signs = torch.tensor([[1, (-1) ** (j - 3)], [(-1) ** (i - 3), (-1) ** (i + j)]])
        wave = torch.exp(0.5j * (phi[0] * (i - 3) + phi[1] * (j - 3)))
        assert abs(spread[i, j] - wave * (signs * shares).sum()) < 100 * EPS


def complex_of(linear, u):
    return torch.complex(linear(u.real.contiguous()), linear(u.imag.contiguous()))


def test_coarse_operator_is_the_product_of_symbols():
    A, parts = rotated()
    fine, coarse, _ = symbol_levels(A, parts, 3, 6)
    e = random(2, 2, 24, seed=5)
    bound = 100 * EPS * A.abs().sum() * e.abs().max()
    assert torch.allclose(fine.R(fine.A(fine.P(e, e))), coarse.A(e), rtol=0, atol=bound)


def test_many_cycles_reduce_by_the_radius():
    A, parts = rotated()
    radius = cycle_factor(A, parts, frequencies=4)
    M = blocks(A, parts, frequencies=4)
    k, modes = 256, M[..., 0].numel()
    reduction = cycle_factor(A, parts, frequencies=4, power=k)
    assert radius <= reduction * modes ** (1 / (2 * k)) * (1 + k * EPS)  # of the sum, not the mean, of squares
    assert abs(reduction - radius) < radius * math.log(modes) / k
    assert cycle_factor(A, parts, frequencies=4, power=1) == M.abs().square().sum((1, 2)).mean().div(16).sqrt()


@pytest.mark.parametrize("before", [0, 2])
def test_noise_of_every_mode_is_reduced_as_the_blocks_say(before):
    A, parts = rotated()
    M, k = blocks(A, parts, frequencies=4), 3
    n, F = M.shape[-1], len(M)
    every = torch.eye(n, dtype=A.dtype).reshape(n, 4, 4, 1).expand(n, 4, 4, F)
    reduction = noise_factor(A, parts, every, cycles=k, before=before)
    powers = [torch.linalg.matrix_power(M, j).abs().square().sum() for j in (before, before + k)]
    start = n * F - 1 if before == 0 else powers[0]  # without the constant
    assert abs(reduction - (powers[1] / start) ** (1 / (2 * k))) < 1000 * EPS


def test_noise_is_normal_and_follows_its_seed():
    noise, again = (white_noise(2, 4, 6, vectors=3, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert noise.shape == (3, 8, 8, 24)
    assert torch.equal(noise, again)
    assert abs(noise.square().mean() - 1) < 5 * math.sqrt(2 / noise.numel())


def test_of_a_batch():
    A, parts = rotated()
    both = [LevelParts(*map(torch.stack, zip(*pair, strict=True))) for pair in zip(parts, rotated(9)[1], strict=True)]
    made = torch.func.vmap(lambda *p: cycle_factor(A, p, frequencies=4, power=4))(*both)
    alone = [cycle_factor(A, p, frequencies=4, power=4) for p in (parts, rotated(9)[1])]
    assert torch.allclose(made, torch.stack(alone), rtol=1000 * EPS)


@pytest.mark.parametrize("power", [None, 3])
def test_gradient(power):
    A, parts = rotated()
    given = [T.requires_grad_() for T in parts[0]]
    assert torch.autograd.gradcheck(
        lambda *p: cycle_factor(A, [LevelParts(*p)], frequencies=2, power=power), given, fast_mode=True
    )


def test_rediscretised_levels():
    A, parts = rotated()
    levels = symbol_levels(A, parts, 3, 4, rediscretised=True)
    assert torch.equal(levels[-1].info, A / 16)


def test_smoothing_factor_is_that_of_the_analysis():
    problem = pde.Poisson((31, 31))
    mg = pde.Multigrid(problem, smoother="jacobi", omega=0.7)
    A, K = torch.as_tensor(Family(problem).stencil((31, 31))), torch.full((2, 1, 1), 0.7, dtype=torch.float64)
    assert abs(smoothing_factor(A, K, 16).item() - Analysis(mg).smoothing_factor(2, 16)) < 100 * EPS


@pytest.mark.parametrize(
    ("given", "named"), [({"cycle": "X"}, "cycle"), ({"grids": 0}, "grids"), ({"frequencies": 0}, "frequencies")]
)
def test_bad_input(given, named):
    A, parts = rotated()
    with pytest.raises(ValueError, match=named):
        cycle_factor(A, parts, **given)
    with pytest.raises(ValueError, match="cycles"):
        noise_factor(A, parts, white_noise(2, 2), cycles=0)
    with pytest.raises(ValueError, match=r"noise must be \(vectors, 4, 4, 12\); got \(1, 4, 4, 24\)"):
        noise_factor(A, parts, white_noise(2, 3, 6))
    with pytest.raises(ValueError, match="power"):
        cycle_factor(A, parts, power=0)
