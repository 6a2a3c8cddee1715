"""Constant stencils of one, two or three dimensions on tensors; values beyond the sides are zero.

A grid function has the shape (..., *shape), a stencil K (k,) * ndim with k odd: (K u)_i = sum_p K_p u_(i + p), (3.7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

CONVOLUTION: dict[int, Callable[..., Tensor]] = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSED: dict[int, Callable[..., Tensor]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


def apply(K: Tensor, u: Tensor) -> Tensor:
    """K u."""
    return _by(CONVOLUTION, K, u, padding=K.shape[0] // 2)


def restrict(K: Tensor, r: Tensor) -> Tensor:
    """K r at the points 2, 4, ... of every axis."""
    return _by(CONVOLUTION, K, r, stride=2)


def prolong(K: Tensor, e: Tensor) -> Tensor:
    """The adjoint of `restrict`: each coarse value spreads by K, from n to 2 n + 1 points along every axis."""
    return _by(TRANSPOSED, K, e, stride=2)


def adjoint(K: Tensor) -> Tensor:
    """The stencil of the adjoint of K: K turned about its middle."""
    return K.flip(tuple(range(K.ndim)))


def centre(K: Tensor) -> Tensor:
    """The number in the middle of K."""
    return K[(K.shape[0] // 2,) * K.ndim]


def galerkin(A: Tensor, P: Tensor, R: Tensor) -> Tensor:
    """The stencil of R A P (5.11), for 3^ndim stencils; it holds up to the sides where coarse points have two fine ones
    beside them along every axis.
    """
    ndim = A.ndim
    unit = A.new_zeros((5,) * ndim)
    unit[(2,) * ndim] = 1.0
    response = restrict(R, apply(A, prolong(P, unit)))
    return adjoint(response[(slice(1, 4),) * ndim])


def matrix(K: Tensor, shape: tuple[int, ...]) -> Tensor:
    """K as a dense matrix on the flattened points."""
    n = int(torch.Size(shape).numel())
    columns = torch.eye(n, dtype=K.dtype, device=K.device).reshape(n, *shape)
    return apply(K, columns).reshape(n, n).T


def _by(make: dict[int, Callable[..., Tensor]], K: Tensor, u: Tensor, **options: Any) -> Tensor:
    ndim = K.ndim
    made = make[ndim](u.reshape(-1, 1, *u.shape[u.ndim - ndim :]), K[None, None], **options)
    return made.reshape(*u.shape[: u.ndim - ndim], *made.shape[2:])
