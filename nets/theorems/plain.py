"""Theorem 8.3, corrected, for a given network: every plain convolutional network is an MgNet with a fixed xi, and back.

With s(x) - s(-x) = x (ReLU, and GELU, SiLU and Hardswish as well), eta = [id; -id](chi - id) and xi = -[id, -id],

    f - xi s(eta f) = f + s((chi - id) f) - s(-(chi - id) f) = chi f.

The printed proof has equal signs in both halves of xi, (8.16), (8.19), since it takes s(x) + s(-x) for x, (8.17);
that sum is |x|.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import mgcore
from nets.models.base import Network
from nets.models.data_level import DataLevel, Map
from nets.models.operators import ADAPTIVE_POOL
from nets.models.plain import PlainNet
from nets.theorems.comparison import check_network, largest
from nets.theorems.plain_parts import (
    ACTIVATIONS,
    CONVOLUTIONS,
    Channels,
    Same,
    Subsample,
    ToPixel,
    convolution_from,
    parts,
)


def fixed_xi(chi: nn.Module) -> tuple[nn.Module, nn.Module]:
    """xi and eta of Theorem 8.3 for a stride-1 convolution chi: c -> c, with 2 c channels between them."""
    K: Any = chi
    if not isinstance(chi, CONVOLUTIONS):
        raise ValueError(f"chi must be a convolution; got {chi}")
    if K.in_channels != K.out_channels or K.groups != 1:
        raise ValueError(f"chi must keep the channels, in one group; got {chi}")
    axes = zip(K.kernel_size, K.padding, K.stride, K.dilation, strict=True)
    if any(2 * p != d * (n - 1) or s != 1 for n, p, s, d in axes):
        raise ValueError(f"chi must have odd kernels, stride 1 and padding that keeps the size; got {chi}")
    less, bias, c = K.weight.detach() - identity(K.weight), K.bias, K.in_channels
    eta = convolution_from(torch.cat((less, -less)), None if bias is None else torch.cat((bias, -bias)), **_options(K))
    xi = convolution_from(minus_difference(c).reshape(c, 2 * c, *(1,) * (less.ndim - 2)).to(less))
    return xi.requires_grad_(False), eta


def identity(weight: Tensor) -> Tensor:
    """The weights (c, c, n, ...) of the identity as a convolution with kernels of this size."""
    c: Any = torch.arange(len(weight))
    id_ = torch.zeros_like(weight)
    id_[(c, c, *(n // 2 for n in weight.shape[2:]))] = 1
    return id_


def minus_difference(c: int) -> Tensor:
    """xi = -[id, -id]: 2 c -> c, as a matrix."""
    id_ = torch.eye(c)
    return torch.cat((-id_, id_), 1)


def _options(K: Any) -> dict[str, Any]:
    return {"padding": K.padding, "dilation": K.dilation, "padding_mode": K.padding_mode}


class FixedXiMgNet(nn.Module):
    """A plain network in the form (8.9) or (8.11): on grid l f <- s(f) - xi^l s(eta^{l,i} s(f)), or s outside.

    `xi[l]` is given a priori and not trained; `eta[l][i]` holds the weights of chi^{l,i}. `pools[l]` leads to grid l:
    the fixed maps of the network (poolings, subsampling, crops), and zero channels up to the widest chi of the grid.
    The last of `pools` makes the output. `levels` are the `mgcore` levels, in data space.

    Args:
        s: the activation.
        grids: per grid the chi that keep size and channels, each with whether s stands before and after it.
        pools: fixed maps to the first grid, between two grids, and to the output.
        in_channels: of images x.
        flat: whether the output has no spatial axes.
    """

    def __init__(
        self, s: nn.Module, grids: list[list[Any]], pools: list[nn.Sequential], *, in_channels: int, flat: bool
    ) -> None:
        super().__init__()
        pairs: Any = [[fixed_xi(chi) for chi, _, _ in steps] for steps in grids]
        self.dims: int = pairs[0][0][0].weight.ndim - 2
        self.s, self.in_channels, self.flat = s, in_channels, flat
        self.xi: Any = nn.ModuleList(steps[0][0] for steps in pairs)
        self.eta: Any = nn.ModuleList(nn.ModuleList(eta for _, eta in steps) for steps in pairs)
        self.activated = [[(before, after) for _, before, after in steps] for steps in grids]
        self.pools = nn.ModuleList(pools)

    @property
    def levels(self) -> list[DataLevel]:
        """The grids, finest first."""
        J = len(self.xi)
        return [
            DataLevel([self._step(l, i) for i in range(len(self.eta[l]))], self.pools[l + 1] if l + 1 < J else None)
            for l in range(J)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """The outputs of the plain network for images x of shape (N, in_channels, n, ...)."""
        if x.ndim != self.dims + 2 or x.shape[1] != self.in_channels:
            shape = f"(N, {self.in_channels}, {', '.join('nmk'[: self.dims])})"
            raise ValueError(f"x must have shape {shape}; got {tuple(x.shape)}")
        f = self.pools[-1](mgcore.descend(self.levels, self.pools[0](x))[-1].u)
        return f.flatten(1) if self.flat else f

    def _step(self, l: int, i: int) -> Map:
        xi, eta, s, (before, after) = self.xi[l], self.eta[l][i], self.s, self.activated[l][i]

        def step(f: Tensor) -> Tensor:
            f = s(f) if before else f
            f = f - xi(s(eta(f)))  # (8.9), (8.11)
            return s(f) if after else f

        return step


def as_mgnet(cnn: nn.Sequential | PlainNet) -> FixedXiMgNet:
    """A given plain network (7.1) as an MgNet with fixed xi: equal outputs, to rounding.

    LeNet-5, AlexNet and VGG of this package, or any nesting of `nn.Sequential` of convolutions of any kind, one
    activation (ReLU, GELU, SiLU, Hardswish) anywhere, poolings, Flatten and Linear layers behind it (the grid of one
    pixel), dropout and batch norm in evaluation mode. Batch norm is folded into the convolution before it; in training
    mode it has no such form, since its statistics are no linear map of f.

    Raises:
        TypeError, ValueError: naming the module that a plain network does not have.
    """
    sequence = parts(as_sequential(cnn) if isinstance(cnn, Network) else cnn)
    grids, pools = _split(sequence)
    width = [max(max(chi.in_channels, chi.out_channels) for chi, _, _ in steps) for steps in grids]
    ends = [steps[-1][0].out_channels for steps in grids]
    fixed = []
    for l, pool in enumerate(pools):
        before = [Channels(ends[l - 1])] if l > 0 else []
        after = [Channels(width[l])] if l < len(width) else []
        fixed.append(nn.Sequential(*before, *pool, *after))
    wide = [[(_widen(chi, c), *active) for chi, *active in steps] for steps, c in zip(grids, width, strict=True)]
    flat = any(isinstance(part, ToPixel) for part in sequence)
    return FixedXiMgNet(_activation(sequence), wide, fixed, in_channels=grids[0][0][0].in_channels, flat=flat)


def as_sequential(model: PlainNet) -> nn.Sequential:
    """The layers of LeNet-5, AlexNet or VGG one after the other, sharing its modules."""
    check_network(model, PlainNet, "Theorem 8.3")
    net: Any = model
    layers: list[nn.Module] = [net.stem]
    for l, (convolutions, norms) in enumerate(zip(net.chi, net.norm, strict=True)):
        layers += [net.s[0]] if l == 0 else []
        for chi, norm in zip(convolutions, norms, strict=True):
            layers += [chi, norm, net.s[l]]
        layers.append(net.R[l])
    layers += [ADAPTIVE_POOL[net.config.dims](net.config.plan.pixels), nn.Flatten()]
    for linear in net.hidden:
        layers += [linear, net.s[-1]]
    return nn.Sequential(*layers, net.head)


def as_plain_cnn(model: FixedXiMgNet) -> nn.Sequential:
    """The plain network (7.1) that an MgNet with fixed xi is: chi = id + the first half of eta.

    Raises:
        ValueError: where xi is not -[id, -id] or the halves of eta are not opposite: then f - xi s(eta f) is no
            convolution of f.
    """
    if not isinstance(model, FixedXiMgNet):
        raise TypeError(f"model must be a FixedXiMgNet, as as_mgnet makes it; got {type(model).__name__}")
    layers: list[nn.Module] = [model.pools[0]]
    for l, steps in enumerate(model.eta):
        xi = model.xi[l].weight.flatten(1)
        if not torch.equal(xi, minus_difference(len(xi)).to(xi)):
            raise ValueError(f"model: xi[{l}] must be -[id, -id]")
        for i, (eta, (before, after)) in enumerate(zip(steps, model.activated[l], strict=True)):
            chi = _chi(eta, f"eta[{l}][{i}]")
            layers += [*([model.s] if before else []), chi, *([model.s] if after else [])]
        layers.append(model.pools[l + 1])
    return nn.Sequential(*layers, *([nn.Flatten()] if model.flat else []))


def theorem_8_3(cnn: nn.Sequential | PlainNet, x: Tensor) -> float:
    """Theorem 8.3 for a given plain network: compare its outputs with its MgNet, and with the way back."""
    mgnet, y = as_mgnet(cnn), cnn(x.clone())  # its first layer may work in place
    return largest([y, y], [mgnet(x), as_plain_cnn(mgnet)(x)])


def _split(sequence: list[Any]) -> tuple[list[list[Any]], list[list[nn.Module]]]:
    """Per grid the steps (chi, s before, s after), and the fixed maps around the grids, one list more."""
    grids: list[list[Any]] = []
    pools: list[list[nn.Module]] = [[]]
    # (8.8) where an activation comes first, else (8.10)
    active = isinstance(next(part for part in sequence if isinstance(part, (Same, *ACTIVATIONS))), ACTIVATIONS)
    before, channels = False, None
    for part, after in zip(sequence, [*sequence[1:], None], strict=True):
        if isinstance(part, Same):
            if channels not in (None, part.chi.in_channels):
                raise ValueError(f"cnn: a convolution or Linear has {channels} channels before it; got {part.chi}")
            channels = part.chi.out_channels
            pools[-1] += part.zeros
            if pools[-1] or not grids:
                grids.append([])
                pools.append([])
            grids[-1].append((part.chi, before, False))
            pools[-1] += part.subsample
            before = False
        elif isinstance(part, ACTIVATIONS) and active and isinstance(after, Same):
            before = True  # zeros may come between: s(0) = 0
        elif isinstance(part, ACTIVATIONS) and not active and _may_follow(grids, pools):
            chi, before_, _ = grids[-1][-1]
            grids[-1][-1] = (chi, before_, True)
        else:
            channels = None if isinstance(part, ToPixel) else channels
            pools[-1].append(part)
    return grids, pools


def _may_follow(grids: list[list[Any]], pools: list[list[nn.Module]]) -> bool:
    """Tell whether an activation belongs to the last chi: s and subsampling commute."""
    return bool(grids) and not grids[-1][-1][2] and all(isinstance(pool, Subsample) for pool in pools[-1])


def _activation(sequence: list[Any]) -> nn.Module:
    found = [part for part in sequence if isinstance(part, ACTIVATIONS)]
    kinds = sorted({repr(part).replace("inplace=True", "") for part in found})
    if len(kinds) > 1:
        raise ValueError(f"cnn must have one activation everywhere; got {', '.join(kinds)}")
    s: nn.Module = copy.deepcopy(found[0]) if found else nn.ReLU()
    s.inplace = False  # type: ignore[assignment]
    return s


def _widen(chi: Any, c: int) -> nn.Module:
    """Append zero channels to chi: c -> c."""
    sides = (0, 0) * (chi.weight.ndim - 2)
    weight = functional.pad(chi.weight, (*sides, 0, c - chi.in_channels, 0, c - chi.out_channels))
    bias = None if chi.bias is None else functional.pad(chi.bias, (0, c - chi.out_channels))
    return convolution_from(weight, bias, **_options(chi))


def _chi(eta: Any, name: str) -> nn.Module:
    """chi = id + the first half of eta."""
    c = eta.in_channels
    for part in (eta.weight, eta.bias):
        if part is not None and not torch.equal(part[:c], -part[c:]):
            raise ValueError(f"model: the halves of {name} must be opposite; else f - xi s(eta f) is no convolution")
    weight, bias = eta.weight.detach()[:c], None if eta.bias is None else eta.bias[:c]
    return convolution_from(identity(weight) + weight, bias, **_options(eta))
