"""Levels of mgcore from stencils: the operator of the finest grid, and the smoothers and transfers of each level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from mgcore import Level
from pde.learning.stencils import adjoint, apply, centre, galerkin, matrix, prolong, restrict

LARGEST_DENSE = 2048
"""Unknowns at most that are solved by a dense inverse."""


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
    for twice the spacing. All axes are halved together while they have three points or more.

    Args:
        coarsest: unknowns that end it, solved directly.

    Raises:
        ValueError: an axis of a grid that is to be halved has an even number of points; so many are left where an axis
            is too short that a dense inverse is too large; a P does not keep constants.
    """
    made, now = list[Level](), tuple(shape)
    for part in parts:
        check_constants(part.P)
    while torch.Size(now).numel() > coarsest and min(now) >= 3:
        if any(n % 2 == 0 for n in now):
            raise ValueError(
                f"shape: axes are halved until {coarsest} unknowns are left, and need an odd number of points each "
                f"time, such as 2^k - 1; got {tuple(shape)}, which leads to {now}"
            )
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
        A = wider(A) if rediscretised else galerkin(A, part.P, part.R)
        now = tuple(n // 2 for n in now)
    if torch.Size(now).numel() > LARGEST_DENSE:
        raise ValueError(
            f"shape: halved until an axis is shorter than 3, {tuple(shape)} leaves {now}, more than {LARGEST_DENSE} "
            "unknowns, which are solved directly; see to_multigrid"
        )
    return [*made, Level(A=partial(apply, A), B=[_direct(A, now)], info=A)]


def wider(A: Tensor) -> Tensor:
    """The stencil of the same equation for twice the spacing: second derivatives are A without its sum."""
    unit = torch.zeros_like(A)
    unit[(A.shape[0] // 2,) * A.ndim] = 1.0
    return A / 4 + 0.75 * A.sum() * unit


@torch.no_grad()
def check_constants(P: Tensor) -> None:
    """Refuse a prolongation that does not take 1 to 1 away from the sides.

    Raises:
        ValueError: it does not, or is not finite.
    """
    inside = prolong(P, P.new_ones((3,) * P.ndim))[(slice(2, 5),) * P.ndim]
    wrong = float((inside - 1).abs().max())
    if not wrong <= 100 * torch.finfo(P.dtype).eps * max(1.0, float(P.abs().max())):
        raise ValueError(f"P must keep constants: the values that it makes of 1 differ from 1 by {wrong:.1e}")


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
