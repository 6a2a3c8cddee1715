"""Levels of mgcore from stencils: the operator of the finest grid, and the smoothers and transfers of each level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from mgcore import Level
from pde.learning.stencils import adjoint, apply, centre, galerkin, matrix, prolong, restrict


class LevelParts(NamedTuple):
    """The trained stencils of one level.

    Attributes:
        before, after: smoothers (sweeps, k, ..., k), in this order: u <- u + K (f - A u) / a, a the centre of A.
        P: prolongation, 3^ndim: the share of a coarse value in the fine points around it.
        R: restriction, 3^ndim.
    """

    before: Tensor
    after: Tensor
    P: Tensor
    R: Tensor


def make_levels(
    A: Tensor, parts: Sequence[LevelParts], shape: Sequence[int], coarsest: int = 8, rediscretised: bool = False
) -> list[Level]:
    """Levels for the stencil A on a grid of this shape, the finest first.

    A level below those of `parts` has the last of them. Coarse operators are R A P (5.11), made within the graph, or A
    for twice the spacing.

    Args:
        coarsest: unknowns of the coarsest grid at most; a longer grid whose axes cannot be halved is refused.

    Raises:
        ValueError: an axis of a grid that is to be halved has an even number of points.
    """
    made, now = list[Level](), tuple(shape)
    while torch.Size(now).numel() > coarsest:
        if any(n % 2 == 0 or n < 3 for n in now):
            raise ValueError(f"shape: every axis needs an odd number of points, such as 2^k - 1; got {tuple(shape)}")
        part = parts[min(len(made), len(parts) - 1)]
        scale = centre(A)
        made.append(
            Level(
                A=partial(apply, A),
                B=[smoother(K / scale) for K in part.before],
                R=partial(restrict, part.R),
                P=partial(_prolonged, part.P),
                B_post=[smoother(K / scale) for K in part.after],
                info=A,
            )
        )
        A = A / 4 if rediscretised else galerkin(A, part.P, part.R)
        now = tuple(n // 2 for n in now)
    return [*made, Level(A=partial(apply, A), B=[_direct(A, now)], info=A)]


def smoother(K: Tensor) -> Callable[[Tensor], Tensor]:
    """One sweep r -> K r."""
    return partial(apply, K)


def symmetric_parts(part: LevelParts) -> LevelParts:
    """The same smoothers after as before, adjoint and in the opposite order, and R = P^T / 2^ndim."""
    after = torch.stack([adjoint(K) for K in part.before.flip(0)])
    return part._replace(after=after, R=part.P / 2**part.P.ndim)


def _prolonged(P: Tensor, e: Tensor, like: Tensor) -> Tensor:
    return prolong(P, e)


def _direct(A: Tensor, shape: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    inverse = torch.linalg.inv(matrix(A, shape))
    ndim = len(shape)

    def solve(r: Tensor) -> Tensor:
        return (r.flatten(r.ndim - ndim) @ inverse.T).reshape(r.shape)

    return solve
