"""MgNet: trained convolutions in the loop of `mgcore` (Algorithm 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import mgcore
from mgcore import Level
from nets.models.base import Network
from nets.models.iterations import MultiStep, create_iteration, uses
from nets.models.norms import biased_convolution, has_bias, normalisation
from nets.models.operators import (
    chain,
    convolution,
    feature_map,
    is_linear,
    lists,
    memory_format,
    restriction,
)
from nets.models.registry import register
from nets.naming.grammar import NONLINEAR
from nets.naming.mgnet_config import MgNetConfig

Map = Callable[[Tensor], Tensor]


@register("MgNet", "GDFI")
class MgNet(Network):
    """The network of a configuration: stem, descent over the grids, head.

    Every convolution lives once and every norm once per use, in lists by grid (finest first) and use of B (one
    per sweep, in a multi-step iteration one per sweep and predecessor): `A[l]`, `B[l][i]`, `norm_f[l][i]`,
    `norm_u[l][i]`, and by transition `R[l]`, `Pi[l]`, `norm_R[l]`, `norm_Pi[l]`. `s[l]` is the activation and
    `iteration[l]` the weights of the iteration. A's norms, where it has some, are `norm_A_u[l][i]` and
    `norm_A_f[l][i]` for A u^{l,i}: iterates differ in mean and size, which no one pair of statistics describes.
    `levels` reads them anew every time, so that a replaced module takes part in the next forward pass.

    >>> model = create_model("MgNet[2,2]-[16]-B^l")
    >>> type(model).__name__, len(model.levels)
    ('MgNet', 2)
    """

    config: MgNetConfig

    def __init__(self, config: MgNetConfig) -> None:
        c_out = config.channels_u[0 if self.dense else -1]
        super().__init__(config, config.channels_f[0], c_out, stem_norm=True)
        nu, c_u, c_f, dims = config.nu, config.channels_u, config.channels_f, config.dims
        grids, transitions = range(len(nu)), range(len(nu) - 1)
        count = [sum(map(len, uses(config.iteration, nu_l))) for nu_l in nu]
        norm, conv = partial(normalisation, config), partial(biased_convolution, config)

        self.iteration = nn.ModuleList(create_iteration(config.iteration, nu_l) for nu_l in nu)
        before, after = _norms(config.A, config.norm)
        self.A = nn.ModuleList(_data_map(config, c_u[l], c_f[l]) for l in grids)
        self._A_has_norms = config.batch_norm and (before or after)
        iterates = [self._iterates(l) if self._A_has_norms else 0 for l in grids]
        self.norm_A_u = lists(iterates, lambda l: norm(c_u[l], before))
        self.norm_A_f = lists(iterates, lambda l: norm(c_f[l], after))
        before, after = _norms(config.B, config.norm)
        self.B = lists([extractors(config, n) for n in count], lambda l: conv(c_f[l], c_u[l], normed=after))
        self.norm_f = lists(count, lambda l: norm(c_f[l], before))
        self.norm_u = lists(count, lambda l: norm(c_u[l], after))
        if config.extractor == "scaled":
            self.alpha = lists(count, lambda l: Scale())
        transfer: dict[str, Any] = {"padding": config.padding, "bias": has_bias(config)}
        self.R = nn.ModuleList(restriction(config.transfers, dims, c_f[l], c_f[l + 1], **transfer) for l in transitions)
        self.norm_R = nn.ModuleList(norm(c_f[l + 1]) for l in transitions)
        if config.pi != "0":
            self.Pi = nn.ModuleList(
                feature_map(config.pi, config.transfers, dims, c_u[l], c_u[l + 1], **transfer) for l in transitions
            )
            self.norm_Pi = nn.ModuleList(norm(c_u[l + 1], config.pi in ("1", "2")) for l in transitions)
        self.head = self.new_head(config.num_classes)

    @property
    def levels(self) -> list[Any]:
        """The grids as `mgcore` levels, finest first; in residual form `ResidualLevel`s.

        Raises:
            ValueError: in residual form where a replaced A is not known to be linear, for instance has a bias.
        """
        levels = [Level(**self._level(l)) for l in range(len(self.config.nu))]
        return mgcore.residual_form(levels) if self.config.form == "residual" else levels

    def _level(self, l: int) -> dict[str, Any]:
        """The arguments of `Level` on a grid."""
        last, iteration = l + 1 == len(self.config.nu), self.iteration[l]
        linear = self.config.A == "K" and is_linear(self.A[l]) and not self._A_has_norms
        alpha = self.alpha[l] if self.config.extractor == "scaled" else None
        return {
            "A": [self._data_map(l, i) for i in range(self._iterates(l))] if self._A_has_norms else self._data_map(l),
            "B": self._sweeps(l, iteration, self.config.nu[l], self.B[l], self.norm_f[l], self.norm_u[l], alpha),
            "R": None if last else self._transfer(self.R[l], self.norm_R[l], l),
            "Pi": None if last or self.config.pi == "0" else self._transfer(self.Pi[l], self.norm_Pi[l], l),
            "iterate": iteration.iterate(),  # type: ignore[operator]
            "linear": linear,
            "zero": None if linear else (lambda f: _zero(f, self.config.channels_u[l])),
        }

    def _iterates(self, l: int) -> int:
        """Count the iterates u^{l,0}, u^{l,1}, ... of which a forward pass in feature form needs A u."""
        nu = self.config.nu[l]
        return max(nu, 1) if l + 1 == len(self.config.nu) else nu + 1

    def _data_map(self, l: int, i: int | None = None) -> Map:
        """A: u^{l,i} -> f (6.1), a convolution, one of GDFI's schemes, or the nonlinear xi . sigma . eta."""
        K, s = self.A[l], self.s[l]
        norm_u, norm_f = (nn.Identity(), nn.Identity()) if i is None else (self.norm_A_u[l][i], self.norm_A_f[l][i])
        if self.config.A == NONLINEAR:
            return chain(K.eta, norm_f, s, K.xi)  # type: ignore[arg-type]
        return _scheme(self.config.A, norm_u, s, (K, norm_f))

    def _sweeps(self, l: int, iteration: nn.Module, nu: int, B: Any, norm_f: Any, norm_u: Any, alpha: Any) -> list[Any]:
        """Extractors r -> s(BN(B * s(BN(r)))), (6.4), per sweep: one, or in a multi-step iteration one per predecessor.

        Each use has its own batch norms, also where B is shared.
        """

        def extractor(k: int) -> Map:
            kernel = B[k] if self.config.extractor == "variable" else B[0]
            scale = () if alpha is None else (alpha[k],)
            return _scheme(self.config.B, norm_f[k], self.s[l], (kernel, *scale, norm_u[k]))

        steps = [[extractor(k) for k in step] for step in uses(self.config.iteration, nu)]
        return steps if isinstance(iteration, MultiStep) else [step[0] for step in steps]

    def _transfer(self, K: nn.Module, norm: nn.Module, l: int) -> Map:
        """s(BN(K *_2 .)) from grid l to l + 1, (6.5), (6.6); A u^0 is added to R's result after it."""
        return chain(K, norm, self.s[l + 1]) if self.config.transfer_activation else chain(K, norm)

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


def extractors(config: MgNetConfig, count: int) -> int:
    """Count the convolutions B of a grid with so many uses of B."""
    return count if config.extractor == "variable" else min(count, 1)


def _data_map(config: MgNetConfig, c_u: int, c_f: int) -> nn.Module:
    """The convolution of A, or the two of xi . sigma . eta with c_f channels between them.

    A bias is in an activation alone: one added to A would be gone from f - A u on all grids but the finest, where
    f = R(f - A u) + A u^0, and be one of f there.
    """
    inner, outer = partial(biased_convolution, config), partial(convolution, config.dims, padding=config.padding)
    if config.A == NONLINEAR:
        return nn.ModuleDict({"eta": inner(c_u, c_f), "xi": outer(c_f, c_f)})
    return (inner if config.A.startswith("sigma") else outer)(c_u, c_f)


def _norms(scheme: str, norm: str) -> tuple[bool, bool]:
    """Tell whether batch norm precedes the convolution of a scheme, and whether it follows."""
    before = norm == "inside" and scheme.endswith("K.sigma")
    return before, norm == "after" or scheme.startswith("sigma") or scheme == NONLINEAR


def _scheme(scheme: str, before: Map, s: Map, K: Sequence[Map]) -> Map:
    """K, K . sigma, sigma . K or sigma . K . sigma, where K is a sequence of maps, its batch norm among them."""
    first = (before, s) if scheme.endswith("K.sigma") else ()
    last = (s,) if scheme.startswith("sigma") else ()
    return chain(*first, *K, *last)


def _zero(f: Tensor, channels: int) -> Tensor:
    """u = 0 on the grid of f, in its memory format."""
    shape, keep = (f.shape[0], channels, *f.shape[2:]), memory_format(f)
    return torch.empty(shape, dtype=f.dtype, device=f.device, memory_format=keep).zero_()
