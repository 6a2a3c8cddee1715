"""MgNet: trained convolutions in the loop of `mgcore` (Algorithm 3)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

import mgcore
from mgcore import Level, Visit
from nets.activations import create_activation
from nets.config import MgNetConfig
from nets.inputs import check_input
from nets.operators import MAX_POOL, convolution, feature_map, is_linear, normalisation, restriction

Map = Callable[[Tensor], Tensor]


class MgNet(nn.Module):
    """The network of a configuration: stem, descent over the grids, head.

    Every convolution lives once and every batch norm once per use, in lists by grid (finest first) and sweep:
    `A[l]`, `B[l][i]`, `norm_f[l][i]`, `norm_u[l][i]`, and by transition `R[l]`, `Pi[l]`, `norm_R[l]`, `norm_Pi[l]`.
    `levels` reads them anew every time, so that a replaced module takes part in the next forward pass.
    """

    def __init__(self, config: MgNetConfig) -> None:
        super().__init__()
        self.config = config
        nu, c_u, c_f, dims = config.nu, config.channels_u, config.channels_f, config.dims
        grids, transitions = range(len(nu)), range(len(nu) - 1)

        def norm(channels: int) -> nn.Module:
            return normalisation(dims, channels, enabled=config.batch_norm)

        self.stem = _stem(config)
        self.pool: nn.Module = MAX_POOL[dims](3, stride=2, padding=1) if config.input == "imagenet" else nn.Identity()
        self.s = nn.ModuleList(create_activation(config.activation) for _ in grids)
        self.A = nn.ModuleList(convolution(dims, c_u[l], c_f[l]) for l in grids)
        self.B = _lists([_extractors(config, nu_l) for nu_l in nu], lambda l: convolution(dims, c_f[l], c_u[l]))
        self.norm_f = _lists(nu, lambda l: norm(c_f[l]))
        self.norm_u = _lists(nu, lambda l: norm(c_u[l]))
        if config.extractor == "scaled":
            self.alpha = _lists(nu, lambda l: Scale())
        self.R = nn.ModuleList(restriction(config.transfers, dims, c_f[l], c_f[l + 1]) for l in transitions)
        self.norm_R = nn.ModuleList(norm(c_f[l + 1]) for l in transitions)
        if config.pi != "0":
            self.Pi = nn.ModuleList(
                feature_map(config.pi, config.transfers, dims, c_u[l], c_u[l + 1]) for l in transitions
            )
            self.norm_Pi = nn.ModuleList(norm(c_u[l + 1]) for l in transitions)
        self.head = _head(c_u[-1], config.num_classes)

    @property
    def levels(self) -> list[Any]:
        """The grids as `mgcore` levels, finest first; in residual form `ResidualLevel`s.

        Raises:
            ValueError: in residual form where a replaced A is not known to be linear, for instance has a bias.
        """
        levels = [self._level(l) for l in range(len(self.config.nu))]
        return mgcore.residual_form(levels) if self.config.form == "residual" else levels

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, num_classes) of images x (N, in_channels, n, ...)."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """u^J, of shape (N, c_u of grid J, n_J, ...).

        Raises:
            TypeError, ValueError: before any convolution, where x does not fit the network.
        """
        u: Any = self.visits(x)[-1].u
        return u

    def visits(self, x: Tensor) -> list[Visit]:
        """The descent for images x: u^{l,0}, u^l and f^l of every grid."""
        check_input(self, x)
        f = self.pool(self.s[0](self.stem(x)))
        return mgcore.descend(self.levels, f, self._first_guess(f))

    def forward_head(self, u: Tensor) -> Tensor:
        """Global average pooling of u^J (N, c, n, ...), then the linear layer: (N, num_classes)."""
        return self.head(u.mean(dim=tuple(range(2, u.ndim))))

    def reset_classifier(self, num_classes: int) -> None:
        """A new head for this many classes; 0 leaves the pooled features (N, c_u of grid J)."""
        self.config = replace(self.config, num_classes=num_classes)
        weight = next(self.parameters())
        self.head = _head(self.config.channels_u[-1], num_classes).to(weight.device, weight.dtype)

    def _level(self, l: int) -> Level:
        last, linear = l + 1 == len(self.config.nu), is_linear(self.A[l])
        return Level(
            A=self.A[l],
            B=[self._extractor(l, i) for i in range(self.config.nu[l])],
            R=None if last else self._transfer(self.R[l], self.norm_R[l], l),
            Pi=None if last or self.config.pi == "0" else self._transfer(self.Pi[l], self.norm_Pi[l], l),
            linear=linear,
            zero=None if linear else (lambda f: _zero(f, self.config.channels_u[l])),
        )

    def _extractor(self, l: int, i: int) -> Map:
        """r -> s(BN(B * s(BN(r)))), (6.4); each sweep has its own batch norms, also where B is shared."""
        s, B = self.s[l], self.B[l][i if self.config.extractor == "variable" else 0]
        scale = (self.alpha[l][i],) if self.config.extractor == "scaled" else ()
        return _chain(self.norm_f[l][i], s, B, *scale, self.norm_u[l][i], s)

    def _transfer(self, K: nn.Module, norm: nn.Module, l: int) -> Map:
        """s(BN(K *_2 .)) from grid l to l + 1, (6.5), (6.6); A u^0 is added to R's result after it."""
        return _chain(K, norm, self.s[l + 1]) if self.config.transfer_activation else _chain(K, norm)

    def _first_guess(self, f: Tensor) -> Tensor | None:
        """u^{1,0} = 0: None, to which A is not applied, or in feature form the zero of Algorithm 3, to which it is."""
        return None if self.config.form == "residual" else _zero(f, self.config.channels_u[0])


class Scale(nn.Module):
    """x -> alpha x with one trained scalar, the alpha_i of B^{l,i} = alpha_i B^l."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x


def _stem(config: MgNetConfig) -> nn.Sequential:
    size, stride = (7, 2) if config.input == "imagenet" else (3, 1)
    c = config.channels_f[0]
    conv = convolution(config.dims, config.in_channels, c, stride=stride, size=size)
    norm = normalisation(config.dims, c, enabled=config.batch_norm)
    return nn.Sequential(OrderedDict(conv=conv, norm=norm))


def _head(channels: int, num_classes: int) -> nn.Module:
    return nn.Linear(channels, num_classes) if num_classes > 0 else nn.Identity()


def _extractors(config: MgNetConfig, nu: int) -> int:
    """How many convolutions B a grid of nu sweeps has."""
    return nu if config.extractor == "variable" else min(nu, 1)


def _lists(counts: Sequence[int], make: Callable[[int], nn.Module]) -> Any:
    """Per grid l a list of counts[l] modules make(l): a ModuleList, which type checkers will not index twice."""
    return nn.ModuleList(nn.ModuleList(make(l) for _ in range(count)) for l, count in enumerate(counts))


def _chain(*maps: Map) -> Map:
    def apply(x: Tensor) -> Tensor:
        for map_ in maps:
            x = map_(x)
        return x

    return apply


def _zero(f: Tensor, channels: int) -> Tensor:
    return f.new_zeros((f.shape[0], channels, *f.shape[2:]))
