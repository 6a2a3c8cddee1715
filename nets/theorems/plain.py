"""Theorem 8.3, corrected: a plain convolutional network is an MgNet with a fixed xi."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

import mgcore
from nets.data_level import DataLevel, Map
from nets.operators import CONVOLUTION, chain
from nets.theorems.deviation import largest


def fixed_xi(chi: nn.Module) -> tuple[nn.Module, nn.Module]:
    """xi and eta of Theorem 8.3 for a stride-1 convolution chi: c -> c, with 2 c channels between them.

    eta = [id; -id](chi - id) and xi = -[id, -id]. (8.16) and (8.19) need opposite signs on the two halves, since
    s(x) - s(-x) = x for ReLU; the sum, which (8.17) prints, is |x|.
    """
    if not isinstance(chi, tuple(CONVOLUTION.values())):
        raise ValueError(f"chi must be a convolution; got {chi}")
    K: Any = chi
    if K.in_channels != K.out_channels or K.groups != 1:
        raise ValueError(f"chi must keep the channels, in one group; got {chi}")
    if any(2 * p + 1 != n or s != 1 for n, p, s in zip(K.kernel_size, K.padding, K.stride, strict=True)):
        raise ValueError(f"chi must have odd kernels, stride 1 and padding that keeps the size; got {chi}")
    weight, bias, c, dims = K.weight, K.bias, K.in_channels, K.weight.ndim - 2
    centre = [n // 2 for n in K.kernel_size]
    less = weight.detach().clone()
    less[(torch.arange(c), torch.arange(c), *centre)] -= 1  # chi - id
    make: Any = CONVOLUTION[dims]
    eta = make(c, 2 * c, K.kernel_size, padding=K.padding, bias=bias is not None).to(weight)
    eta.weight.data = torch.cat((less, -less))
    if bias is not None:
        eta.bias.data = torch.cat((bias.detach(), -bias.detach()))
    xi = make(2 * c, c, 1, bias=False).to(weight)
    xi.weight.data = torch.cat((-torch.eye(c), torch.eye(c)), 1).to(weight).reshape(c, 2 * c, *(1,) * dims)
    return xi, eta


def plain_levels(stages: Sequence[Sequence[nn.Module]], pools: Sequence[Map], *, first: str) -> list[DataLevel]:
    """A plain CNN: per grid the convolutions chi of `stages`, f <- chi s(f) (8.8) or f <- s(chi f) (8.10), s ReLU.

    Args:
        pools: maps between the grids, one fewer than stages.
        first: "activation" for (8.8), "convolution" for (8.10).
    """
    return _plain(stages, pools, first, lambda chi: chi)


def mgnet_levels(stages: Sequence[Sequence[nn.Module]], pools: Sequence[Map], *, first: str) -> list[DataLevel]:
    """The same network as `plain_levels` as (8.9) or (8.11), with the fixed xi of Theorem 8.3, corrected."""

    def in_two(chi: nn.Module) -> Map:
        xi, eta = fixed_xi(chi)
        return lambda f: f - xi(torch.relu(eta(f)))

    return _plain(stages, pools, first, in_two)


def theorem_8_3(stages: Sequence[Sequence[nn.Module]], pools: Sequence[Map], first: str, f: Tensor) -> float:
    """Theorem 8.3 for a given plain network: largest deviation on any grid from its form with a fixed xi."""
    plain, mgnet = plain_levels(stages, pools, first=first), mgnet_levels(stages, pools, first=first)
    return largest([v.u for v in mgcore.descend(plain, f)], [v.u for v in mgcore.descend(mgnet, f)])


def _plain(stages: Any, pools: Sequence[Map], first: str, form: Callable[[nn.Module], Map]) -> list[DataLevel]:
    if first not in ("activation", "convolution"):
        raise ValueError(f'first must be "activation" or "convolution"; got {first!r}')
    if len(pools) != len(stages) - 1:
        raise ValueError(f"pools must hold {len(stages) - 1} maps, one between each two stages; got {len(pools)}")

    def step(chi: nn.Module) -> Map:
        return chain(torch.relu, form(chi)) if first == "activation" else chain(form(chi), torch.relu)

    return [DataLevel([step(chi) for chi in stage], pool) for stage, pool in zip(stages, [*pools, None], strict=True)]
