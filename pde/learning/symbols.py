"""Local Fourier analysis of cycles of stencils on tensors, differentiable in every stencil: losses without a grid.

As in `pde.analysis`, mgcore's own cycle runs on levels of symbols. A vector is a tensor (..., h, ..., h, F): for F base
frequencies phi the coefficients of the harmonics theta = (phi + 2 pi q) / h, q = 0, ..., h - 1, of every axis.
Source: Trottenberg, Oosterlee and Schueller, "Multigrid", chapter 4; Wienands and Joppich, "Practical Fourier Analysis
for Multigrid Methods", chapter 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import product
from math import pi

import torch
from torch import Tensor

from mgcore import CYCLES, Level
from pde.common.arguments import choose, count
from pde.learning.levels import LevelParts, wider
from pde.learning.stencils import centre, galerkin

LARGEST = 2**25
"""Entries of all blocks at most: 512 MiB."""


def cycle_factor(
    A: Tensor,
    parts: Sequence[LevelParts],
    *,
    grids: int = 3,
    cycle: str = "V",
    frequencies: int = 16,
    power: int | None = None,
    rediscretised: bool = False,
) -> Tensor:
    """The error reduction per cycle on infinite grids, a tensor without axes.

    Args:
        A: stencil of the finest grid; parts: as in `make_levels`.
        grids: that the cycle visits, the coarsest one solved exactly; 2 is the two-grid factor.
        frequencies: base frequencies of each axis, those of a periodic coarsest grid with this number of points.
        power: None, the largest spectral radius of the blocks M of the base frequencies: the asymptotic factor, whose
            derivative jumps where another eigenvalue becomes the largest. k, for training: (mean |M^k|^2)^(1 / 2k),
            the reduction of white noise by each of k cycles, smooth, and tending to the radius (Gelfand).
        rediscretised: the same equation for twice the spacing instead of R A P on coarse grids.

    For many problems at once see `torch.func.vmap`. The constant is left out: without reaction no cycle changes it.

    >>> A = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=torch.float64)
    >>> P = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=torch.float64) / 4
    >>> jacobi = torch.full((1, 1, 1), 0.8, dtype=torch.float64)
    >>> round(cycle_factor(A, [LevelParts(jacobi, jacobi, P, P / 4)], grids=2).item(), 3)
    0.36
    """
    M = blocks(A, parts, grids, cycle, frequencies, rediscretised)
    if power is None:
        return torch.linalg.eigvals(M).abs().amax()
    k = count("power", power, least=1)
    size = torch.linalg.matrix_power(M, k).abs().square().sum(-1).mean()
    return size ** (1 / (2 * k))


def affordable_grids(ndim: int, levels: int) -> int:
    """Grids of a prediction for this number of levels that keep to 64 harmonics: 4 at most, 3 in three dimensions."""
    return min(levels, 4, 1 + 6 // ndim)


def blocks(
    A: Tensor,
    parts: Sequence[LevelParts],
    grids: int = 3,
    cycle: str = "V",
    frequencies: int = 16,
    rediscretised: bool = False,
) -> Tensor:
    """M of each base frequency, (F, n, n) for n harmonics: a cycle takes the error e to M e."""
    step, alive = _error_step(A, parts, grids, cycle, frequencies, rediscretised)
    n, F = alive[..., 0].numel(), alive.shape[-1]
    if n * n * F > LARGEST:
        raise ValueError(f"grids, frequencies: {n} harmonics of each of {F} frequencies are too many for blocks")
    e = torch.eye(n, dtype=A.dtype, device=A.device).reshape(n, *alive.shape[:-1], 1) * alive
    return step(e).reshape(n, n, F).permute(2, 1, 0)


def noise_factor(
    A: Tensor,
    parts: Sequence[LevelParts],
    noise: Tensor,
    *,
    cycle: str = "V",
    frequencies: int = 4,
    cycles: int = 8,
    before: int = 2,
    rediscretised: bool = False,
) -> Tensor:
    """The reduction of random vectors per cycle: what `cycle_factor` with a power takes of all modes, for many grids.

    Args:
        noise, frequencies: see `white_noise`.
        cycles, before: the reduction is that of `cycles` cycles after `before`, in which no gradient is taken: those
            modes that fall at once say nothing of the factor.
        A, parts, cycle, rediscretised: as in `cycle_factor`.
    """
    grids = noise.shape[-2].bit_length()
    step, alive = _error_step(A, parts, grids, cycle, frequencies, rediscretised)
    if noise.shape[1:] != alive.shape:
        raise ValueError(f"noise must be (vectors, {str(tuple(alive.shape))[1:]}; got {tuple(noise.shape)}")
    e = alive * noise
    with torch.no_grad():
        for _ in range(before):
            e = step(e)
    start = e.abs().square().sum()
    for _ in range(count("cycles", cycles, least=1)):
        e = step(e)
    return (e.abs().square().sum() / start) ** (1 / (2 * cycles))


def white_noise(
    ndim: int, grids: int, frequencies: int = 4, vectors: int = 1, generator: torch.Generator | None = None
) -> Tensor:
    """Normal random numbers for each mode, (vectors, h, ..., h, F)."""
    shape = _phases((2 ** (grids - 1),) * ndim, frequencies, 1)[1].shape
    return torch.randn(vectors, *shape, dtype=torch.float64, generator=generator)


def _error_step(
    A: Tensor, parts: Sequence[LevelParts], grids: int, cycle: str, frequencies: int, rediscretised: bool
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """A cycle's e -> M e, and 1 for every mode but the constant."""
    run = CYCLES[choose("cycle", cycle, CYCLES)]
    levels = symbol_levels(A, parts, grids, frequencies, rediscretised)
    alive = _phases((2 ** (grids - 1),) * A.ndim, frequencies, 1)[1].to(A)

    def step(e: Tensor) -> Tensor:
        made: Tensor = alive * run(levels, torch.zeros_like(e), e)
        return made

    return step, alive


def symbol_levels(
    A: Tensor, parts: Sequence[LevelParts], grids: int, frequencies: int, rediscretised: bool = False
) -> list[Level]:
    """Levels as `make_levels` makes them, with symbols for operators; the last one is solved exactly."""
    count("grids", grids, least=1), count("frequencies", frequencies, least=1)
    made = list[Level]()
    for l in range(grids - 1):
        part, h = parts[min(l, len(parts) - 1)], (2 ** (grids - 1 - l),) * A.ndim
        before, after = ([_times(symbol(K / centre(A), h, frequencies)) for K in sweeps] for sweeps in part[:2])
        R, P = symbol(part.R, h, frequencies), symbol(part.P, h, frequencies).conj() / 2**A.ndim
        operator = _times(symbol(A, h, frequencies))
        made.append(Level(operator, before, R=_restriction(R), P=_prolongation(P), B_post=after, info=A))
        A = wider(A) if rediscretised else galerkin(A, part.P, part.R)
    h = (1,) * A.ndim
    S, alive = symbol(A, h, frequencies), _phases(h, frequencies, 1)[1].to(A.device)
    return [*made, Level(_times(S), [_times(torch.where(alive, 1 / torch.where(alive, S, 1), 0))], info=A)]


def smoothing_factor(A: Tensor, sweeps: Tensor, frequencies: int = 32) -> Tensor:
    """The reduction per sweep of the modes that the coarse grid lacks, those with some |theta| >= pi / 2.

    Not enough to train by: at 45 degrees and 0.01 two 3 x 3 kernels bring it to 0.06, and the V-cycle stays at 0.6,
    which the coarse correction limits.

    Args:
        A: stencil.
        sweeps: smoothers (number, k, ..., k), as in `LevelParts`; one cycle makes those before and after.
        frequencies: modes of each axis are twice as many.
    """
    h = (2,) * A.ndim
    left = torch.ones((), dtype=A.dtype, device=A.device)
    for K in sweeps:
        left = left * (1 - symbol(K / centre(A), h, frequencies) * symbol(A, h, frequencies))
    return (left.abs() * _high(A.ndim, frequencies).to(A)).amax() ** (1 / len(sweeps))


def symbol(K: Tensor, harmonics: tuple[int, ...], frequencies: int) -> Tensor:
    """sum_p K_p exp(i p theta), (*harmonics, F)."""
    waves = _phases(harmonics, frequencies, K.shape[-1])[0].to(K.device, K.dtype.to_complex())
    return torch.tensordot(K.flatten().to(waves.dtype), waves, 1)


@lru_cache(maxsize=64)
def _phases(harmonics: tuple[int, ...], frequencies: int, k: int) -> tuple[Tensor, Tensor]:
    """exp(i p theta) for the offsets p of a k^ndim stencil, (k^ndim, *harmonics, F), and where theta is not zero."""
    with torch.inference_mode(False):  # they are kept, and gradients need them
        theta, reach = torch.stack(_theta(harmonics, frequencies)), range(-(k // 2), k // 2 + 1)
        offsets = torch.tensor(list(product(reach, repeat=len(harmonics))), dtype=torch.float64)
        return torch.exp(1j * torch.tensordot(offsets, theta, 1)), theta.any(0)


def _theta(harmonics: tuple[int, ...], frequencies: int) -> list[Tensor]:
    """theta of each axis, (*harmonics, F). Of phi and -phi, which real stencils treat alike, one is enough."""
    ndim = len(harmonics)
    numbers = [frequencies // 2 + 1, *[frequencies] * (ndim - 1)]
    axes = [2 * pi * torch.arange(n, dtype=torch.float64) / frequencies for n in numbers]
    phi = [p.flatten() for p in torch.meshgrid(axes, indexing="ij")]
    q = torch.meshgrid([torch.arange(h, dtype=torch.float64) for h in harmonics], indexing="ij")
    return [(p + 2 * pi * n[..., None]) / h for p, n, h in zip(phi, q, harmonics, strict=True)]


@lru_cache(maxsize=8)
def _high(ndim: int, frequencies: int) -> Tensor:
    """Where the coarse grid lacks a mode, (2, ..., 2, F)."""
    theta = torch.stack(_theta((2,) * ndim, frequencies))
    return torch.minimum(theta, 2 * pi - theta).amax(0) >= pi / 2 * (1 - 1e-12)


def _times(S: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda u: S * u


def _restriction(R: Tensor) -> Callable[[Tensor], Tensor]:
    """Harmonics that the coarse grid cannot tell apart are added."""
    split, aliases = _split(R)

    def restrict(r: Tensor) -> Tensor:
        v = R * r
        return v.reshape(v.shape[: v.ndim - R.ndim] + split).sum(aliases)

    return restrict


def _prolongation(P: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Each coarse mode becomes all its harmonics."""
    split, aliases = _split(P)

    def prolong(e: Tensor, like: Tensor) -> Tensor:
        for axis in reversed(aliases):
            e = e.unsqueeze(axis)
        batch = e.shape[: e.ndim - len(split)]
        return P * e.expand(batch + split).reshape(batch + P.shape)

    return prolong


def _split(S: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape in which every axis of harmonics (h,) is (2, h / 2), and the axes of length 2, from the end."""
    pairs = [(2, h // 2) for h in S.shape[:-1]]
    return (*(n for pair in pairs for n in pair), S.shape[-1]), tuple(range(-1 - 2 * len(pairs), -1, 2))
