"""Multigrid in networks: Theorem 6.1 and the V-cycle, Lemma 4.1, and (5.7), on torch convolutions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

import mgcore
from mgcore import Level, checks, stencils
from nets.models.mgnet import MgNet
from nets.models.operators import TRANSPOSED, restriction, restriction_kernel
from nets.models.vmgnet import VMgNet
from nets.theorems.comparison import check_network, finest_data, largest
from nets.theorems.residuals import with_form


def norm(v: Tensor) -> float:
    """Euclidean norm."""
    return float(v.detach().norm())


def theorem_6_1(model: MgNet, x: Tensor) -> float:
    """Theorem 6.1, (6.10): the MgNet of a network, with its Pi, is MG0, its descent with Pi = 0, for linear A."""
    check_network(model, MgNet, "Theorem 6.1", linear=True)
    return checks.theorem_6_1(with_form(model, "feature").levels, finest_data(model, x), norm)


def theorem_6_1_v(model: MgNet, x: Tensor) -> float:
    """Theorem 6.1 on the way up: u^1 of a V-MgNet (Algorithm 4) is that of the V-cycle with Pi = 0, for linear A."""
    check_network(model, VMgNet, "Theorem 6.1 on the way up", linear=True)
    return checks.theorem_6_1_v(with_form(model, "feature").levels, finest_data(model, x), norm)


def lemma_4_1(transfers: str, r: Tensor, e: Tensor) -> float:
    """Lemma 4.1: the fixed restriction K_R *_2 is the transpose of prolongation, (R r, e) = (r, P e).

    Args:
        transfers: "bilinear" (4.13) or "linear" (4.14).
        r, e: (N, 1, n, ...) on the fine grid, (N, 1, ceil(n / 2), ...) on the coarse one.
    """
    if transfers not in ("bilinear", "linear"):
        raise ValueError(f"transfers must be 'bilinear' or 'linear'; got {transfers!r}")
    for name, v in (("r", r), ("e", e)):
        if not isinstance(v, Tensor) or v.ndim not in (3, 4, 5) or v.shape[1] != 1:
            raise ValueError(f"{name} must be a tensor of shape (N, 1, n, ...); got {getattr(v, 'shape', v)!r}")
    dims = r.ndim - 2
    R = restriction(transfers, dims, 1, 1).to(r)
    P: Any = TRANSPOSED[dims](1, 1, 3, stride=2, padding=1, bias=False).to(r)
    P.weight.data = restriction_kernel(transfers, dims)[None, None].to(r)

    def dot(v: Tensor, w: Tensor) -> float:
        return float((v * w).detach().sum())

    return checks.adjoint_defect(R, lambda e: P(e, output_size=r.shape[2:]), r, e, dot, dot)


def two_jacobi_steps(omega: float, f: Tensor, u: Tensor) -> float:
    """(5.7)-(5.10): two damped Jacobi steps for K_A are one step with the kernel K_S1, from u; f, u: (N, 1, n, m)."""

    def conv(kernel: stencils.Kernel) -> Any:
        weight = torch.tensor(kernel, dtype=f.dtype, device=f.device)[None, None]
        return lambda v: functional.conv2d(v, weight, padding=1)

    A, S_0, S_1 = conv(stencils.POISSON), conv(stencils.jacobi(omega)), conv(stencils.two_step_jacobi(omega))
    twice, once = (mgcore.descend([Level(A, B)], f, u)[0].u for B in ([S_0, S_0], [S_1]))
    return largest([twice], [once])
