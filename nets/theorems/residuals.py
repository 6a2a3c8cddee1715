"""MgNet and its residuals f - A u: Theorem 8.1 for every iteration, (3.22), (3.24)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

import mgcore
from mgcore import Level, Visit
from nets.models.data_level import DataLevel, HistoryLevel, Map
from nets.models.iterations import Chebyshev, MultiStep
from nets.models.mgnet import MgNet
from nets.models.resnet import ResNet
from nets.naming.resnet_config import ResNetConfig
from nets.theorems.comparison import check_network, features_apart, finest_data, largest, with_weights

History = tuple[Tensor, ...]


def residual_levels(model: MgNet) -> list[DataLevel]:
    """The Mg-iResNet whose data are an MgNet's residuals f - A u (Theorem 8.1): r <- r - A B r, and R between grids.

    It shares the modules of the network, whose iteration must be the single step.
    """
    check_network(model, MgNet, "Theorem 8.1", linear=True, iteration="single")
    levels = with_form(model, "feature").levels
    return [DataLevel([_minus(level.A, B_i) for B_i in level.B], level.R) for level in levels]


def theorem_8_1(model: MgNet, x: Tensor) -> float:
    """Theorem 8.1: the residual of an MgNet is an Mg-iResNet; each use of a batch norm is one on both sides."""
    return _dual(model, x, residual_levels(model))


def theorem_4_1(model: MgNet, x: Tensor) -> float:
    """Theorem 4.1 of N23: where A is invertible the residuals give the features back, u = A^{-1} (f - r).

    The r belong to the Mg-iResNet of Theorem 8.1, so that (4.5) implies (4.4); the text says (4.3), without s.
    Rounding is multiplied by the condition of A.

    Raises:
        ValueError: where A is no square matrix; without an inverse A u, not u, is what the residuals know.
    """
    check_network(model, MgNet, "Theorem 4.1", linear=True, iteration="single")
    if model.config.channels_u != model.config.channels_f:
        raise ValueError(f"model: A needs as many channels of u as of f; got {model.config}")
    feature = with_form(model, "feature")
    u, recovered = [], []
    data = mgcore.descend(residual_levels(model), finest_data(model, x))
    for level, visit, r in zip(feature.levels, feature.visits(x), data, strict=True):
        u.append(visit.u)
        recovered.append(_solve(level.A, visit.f - r.u))
    return largest(recovered, u)


def residual_form(model: MgNet, x: Tensor) -> float:
    """Feature form against residual form of the same MgNet, for every iteration: u and f on every grid.

    In residual form f is r + A u, so that f and A u are measured together: f may be zero where A u is not.
    """
    check_network(model, MgNet, "the residual form", linear=True)
    feature, residual = with_form(model, "feature"), with_form(model, "residual")
    a, b = feature.visits(x), residual.visits(x)
    data = [[*(v.f for v in visits), *_images(feature.levels, visits)] for visits in (a, b)]
    return max(features_apart(a, b), largest(*data))


def multi_step_is_dense(model: MgNet, x: Tensor) -> float:
    """(3.22): r^i = sum_j theta_j^i r^j with theta_j^i = alpha_j^i (id - A B_j^i), DenseNet (7.10) without activation.

    Where s is the identity and there is no batch norm, theta is linear; the identity holds for any B. Where A is 1 x 1
    besides, theta is one convolution, and the network a `nets.models.densenet.DenseNet`.
    """
    check_network(model, MgNet, "(3.22)", linear=True)
    if not model.config.iteration.startswith("multi-step"):
        raise ValueError(f'model: (3.22) needs the iteration "multi-step"; got {model.config}')
    levels = with_form(model, "feature").levels
    rows = [part.weights() if isinstance(part, MultiStep) else [(1,)] for part in model.iteration]

    def step(level: Level, row: Any, B: Any) -> Callable[[History], Tensor]:
        B = [B] if callable(B) else B
        thetas = [_minus(level.A, B_j) for B_j in B]
        return lambda history: torch.stack(
            [a * theta(r) for a, theta, r in zip(row, thetas, history, strict=True)]
        ).sum(0)

    return _dual(
        model,
        x,
        [
            HistoryLevel([step(level, row, B) for row, B in zip(alpha, level.B, strict=False)], _of_last(level.R))
            for level, alpha in zip(levels, rows, strict=True)
        ],
    )


def lm_resnet(model: MgNet, l: int) -> ResNet:
    """The LM-ResNet of one grid that is the residual of a Chebyshev-semi MgNet on grid l (from 0), (3.24).

    It has k^i = 1 - omega^i and A^i = -omega^i A, and shares the other modules of the network.
    """
    check_network(model, MgNet, "(3.24)", linear=True)
    if l not in range(len(model.config.nu)):
        raise ValueError(f"l must be a grid, 0 ... {len(model.config.nu) - 1}; got {l!r}")
    nu, c, part = model.config.nu[l], model.config.channels_f[l], model.iteration[l]
    omega = part.weights() if isinstance(part, Chebyshev) else (1,)
    config = ResNetConfig(
        (nu,), (c,), "LM-ResNet", batch_norm=False, dims=model.config.dims, padding=model.config.padding
    )
    net: Any = model
    other: Any = ResNet(config).to(next(model.parameters()))
    other.s[0] = model.s[l]
    for i, w in enumerate(omega):
        A, B = copy.deepcopy(net.A[l]), net.B[l][i if model.config.extractor == "variable" else 0]
        A.weight.data *= -float(w)
        other.A[0][i] = A
        other.B[0][i] = nn.Sequential(B, net.alpha[l][i]) if model.config.extractor == "scaled" else B
        other.norm_1[0][i], other.norm_2[0][i] = net.norm_f[l][i], net.norm_u[l][i]
        if i > 0:
            other.k[0][i - 1].data.fill_(1 - float(w))
    result: ResNet = other
    return result


def chebyshev_is_lm_resnet(model: MgNet, x: Tensor) -> float:
    """(3.24) with its missing omega: r^i = omega (r^{i-1} - A B r^{i-1}) + (1 - omega) r^{i-2}.

    On every grid it is the `lm_resnet`. Between grids it is R r, as for every MgNet; a ResNet has its pooling block.
    """
    check_network(model, MgNet, "(3.24)", linear=True)
    if not model.config.iteration.startswith("chebyshev"):
        raise ValueError(f'model: (3.24) needs the iteration "chebyshev"; got {model.config}')
    levels: list[DataLevel] = []
    for l, level in enumerate(with_form(model, "feature").levels):
        steps = lm_resnet(model, l).levels[0].steps if model.config.nu[l] > 0 else []
        levels.append(HistoryLevel(steps, _of_last(level.R), keep=2))
    return _dual(model, x, levels)


def gdfi_is_mgnet(model: MgNet, x: Tensor) -> float:
    """GDFI with A: K and B: sigma.K.sigma, batch norm inside sigma or none, is the MgNet of the same modules (N23 4.3).

    That MgNet has B^{l,i}, Pi_1, and no activation on R and Pi.
    """
    check_network(model, MgNet, "GDFI as MgNet", linear=True, family="GDFI", A="K", B="sigma.K.sigma")
    c = model.config
    other = with_weights(MgNet(replace(c, family="MgNet")), model, model.state_dict())
    a, b = model.visits(x), other.visits(x)
    return max(features_apart(a, b), largest([v.f for v in a], [v.f for v in b]))


def with_form(model: MgNet, form: str) -> MgNet:
    """The same network, sharing all modules, in "feature" or "residual" form."""
    check_network(model, MgNet, "a form")
    other = copy.copy(model)
    other.config = replace(model.config, form=form)
    return other


def residuals(levels: Sequence[Level], visits: Sequence[Visit]) -> list[Tensor]:
    """f - A u on every grid."""
    return [v.f if v.u is None else v.f - level.A(v.u) for level, v in zip(levels, visits, strict=True)]


def _dual(model: MgNet, x: Tensor, levels: Sequence[DataLevel]) -> float:
    """Compare the residuals f - A u of an MgNet with the data of these levels."""
    feature = with_form(model, "feature")
    return largest(
        residuals(feature.levels, feature.visits(x)),
        [visit.u for visit in mgcore.descend(levels, finest_data(model, x))],
    )


def _images(levels: Sequence[Level], visits: Sequence[Visit]) -> list[Tensor | None]:
    """A u on every grid."""
    return [None if visit.u is None else level.A(visit.u) for level, visit in zip(levels, visits, strict=True)]


def _solve(A: Map, f: Tensor) -> Tensor:
    """u with A u = f, by the matrix of A on one image."""
    n = f[0].numel()
    matrix = A(torch.eye(n).to(f).reshape(n, *f.shape[1:])).reshape(n, n).T
    return torch.linalg.solve(matrix, f.reshape(len(f), n).T).T.reshape(f.shape)


def _of_last(R: Map | None) -> Callable[[History], Tensor] | None:
    """R of the last residual of a history."""
    return None if R is None else lambda history: R(history[-1])


def _minus(A: Map, B: Map) -> Map:
    return lambda r: r - A(B(r))  # (8.1)
