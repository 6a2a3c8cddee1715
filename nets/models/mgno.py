"""MgNO, a multigrid neural operator: layers v <- s(W v + K v), in which W is a linear V-cycle.

After He, Liu and Xu, "MgNO: Efficient parameterization of linear operators via multigrid", ICLR 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

import mgcore
from mgcore import Level, Moves
from nets.models.activations import create_activations
from nets.models.base import Network
from nets.models.input_checks import check_input
from nets.models.operators import CONVOLUTION, lists, prolongation, prolonged
from nets.models.recompute import recomputed
from nets.models.registry import register
from nets.models.vmgnet import features_of_cycle
from nets.naming.mgno_config import MgNOConfig


@register("MgNO")
class MgNO(Network):
    """The layers v <- s(W v + K v) of a configuration, v the image first, and one linear map for all pixels.

    `W[k]` is the linear V-cycle of a layer, `K[k]` its 1 x 1 convolution with bias; `s[0]` is the activation. The first
    layer leads from the channels of the image to those of grid 1; there is no stem. Any image size will do.

    >>> model = create_model("MgNO[1,1,2]-[8]", in_channels=1, num_classes=1)
    >>> import torch
    >>> tuple(model(torch.zeros(1, 1, 21, 16)).shape)
    (1, 1, 21, 16)
    """

    config: MgNOConfig
    dense = True

    def __init__(self, config: MgNOConfig) -> None:
        super().__init__(config, None, config.channels[0], stem_norm=False)
        self.s = nn.ModuleList(create_activations(config.activation, 1))
        c, make = config.channels, CONVOLUTION[config.dims]
        data = [(config.in_channels,) * len(c), *[c] * (config.layers - 1)]
        self.W = nn.ModuleList(LinearCycle(config, c_f) for c_f in data)
        self.K = nn.ModuleList(make(c_f[0], c[0], 1) for c_f in data)
        self.head = self.new_head(config.num_classes)

    @property
    def levels(self) -> list[Level]:
        """The grids of the last W as levels of `mgcore`, finest first; every `W[k]` has its own."""
        return self.W[-1].levels  # type: ignore[return-value]

    def forward_features(self, x: Tensor) -> Tensor:
        """v after the last layer, of shape (N, channels of grid 1, n, ...).

        Raises:
            TypeError, ValueError: before any convolution, where x does not fit the network.
        """
        check_input(self, x)
        return self._layers(x, len(self.W))

    def forward_levels(self, x: Tensor) -> list[Tensor]:
        """v after the last layer, and u of its W where the V-cycle leaves each coarser grid; `visits` has its way down.

        Raises:
            TypeError, ValueError: before any convolution, where x does not fit the network.
        """
        levels, v = self._start(x)
        u, *coarser = features_of_cycle(levels, v)
        return [self.s[0](u + self.K[-1](v)), *coarser]

    def _start(self, x: Tensor) -> tuple[list[Any], Tensor]:
        """The levels of the last W, and its data."""
        check_input(self, x)
        return self.levels, self._layers(x, len(self.W) - 1)

    def _layers(self, v: Tensor, count: int) -> Tensor:
        """v after the first layers."""
        for k in range(count):
            layer = partial(self._layer, k)
            v = recomputed(layer, v) if self.activation_checkpointing else layer(v)
        return v

    def _layer(self, k: int, v: Tensor) -> Tensor:
        s: Tensor = self.s[0](self.W[k](v) + self.K[k](v))
        return s


class LinearCycle(nn.Module):
    """W: f -> u, one V-cycle of `mgcore` from u = 0 with trained convolutions, without bias or activation.

    `A[l][i]`, `B[l][i]`, `B_post[l][i]` by grid and use; `R[l]`, `Pi[l]`, `P[l]` by transition. A grid has no A where
    nothing reads f - A u.

    Args:
        config: sweeps, channels of u, form.
        c_f: channels of f per grid.

    >>> import torch
    >>> W = create_model("MgNO[1,1]-[4]").W[1]
    >>> f = torch.randn(1, 4, 8, 8)
    >>> torch.allclose(W(2 * f), 2 * W(f), atol=1e-5)
    True
    """

    def __init__(self, config: MgNOConfig, c_f: Sequence[int]) -> None:
        super().__init__()
        self.form, self.padding = config.form, config.padding
        c_u, dims, transitions = config.channels, config.dims, range(len(config.nu) - 1)
        published = self.form == "published"
        make: Any = partial(CONVOLUTION[dims], kernel_size=3, padding=1, bias=False, padding_mode=config.padding)
        self.A = lists(_uses_of_A(config), lambda l: make(c_u[l], c_f[l]))
        self.B = lists(config.nu, lambda l: make(c_f[l], c_u[l]))
        self.B_post = lists(config.nu_post, lambda l: make(c_f[l], c_u[l]))
        self.R = nn.ModuleList(make(c_f[l], c_f[l + 1], stride=2) for l in transitions)
        self.Pi = nn.ModuleList(make(c_u[l], c_u[l + 1], stride=2) for l in transitions if published)
        up = partial(prolongation, "trained", dims, size=4 if published else 3)
        self.P = nn.ModuleList(up(c_u[l + 1], c_u[l]) for l in transitions)

    def forward(self, f: Tensor) -> Tensor:
        u: Any = mgcore.v_cycle(self.levels, f)
        return u

    @property
    def levels(self) -> list[Level]:
        """The grids, finest first."""
        coarsest = len(self.B) - 1
        levels = [{"A": self._A(l), "B": list(self.B[l])} for l in range(coarsest + 1)]
        for l in range(coarsest):
            P = partial(self._prolonged, l)
            levels[l] |= {"R": self.R[l], "P": P, "B_post": list(self.B_post[l])}
            if self.form == "published":
                levels[l]["Pi"] = self.Pi[l]
        return [(PublishedLevel if self.form == "published" else Level)(**level) for level in levels]

    def _A(self, l: int) -> Any:
        """A, or where each iterate has its own A those of u^{l,0}, u^{l,1}, ..., None for u = 0."""
        A = list(self.A[l])
        if self.form == "published":
            return [None] * (len(self.B[l]) - len(A)) + A
        return A[0] if A else None

    def _prolonged(self, l: int, e: Tensor, like: Tensor) -> Tensor:
        fine: Tensor = prolonged(self.P[l], e, like.shape[2:], self.padding)
        return fine


@dataclass(frozen=True)
class PublishedLevel(Level):
    """The published form: f, not its residual, goes down, and u, not its change, comes up; the other moves are shared.

    >>> level = PublishedLevel(A=[lambda u: u], B=[lambda r: r / 2], R=lambda f: f, Pi=lambda u: u, P=lambda u, like: u)
    >>> mgcore.v_cycle([level, level], 8.0)  # 4 on the finer grid, 4 + (8 - 4) / 2 on the coarser one
    10.0
    """

    def restrict(self, state: Any, coarse: Moves[Any]) -> Any:
        if self.R is None or self.Pi is None:
            raise ValueError("R and Pi: a level that is not the coarsest needs both; got None")
        return coarse.start(self.R(state.f), self.Pi(state.u))

    def change(self, before: Any, after: Any) -> Any:
        return after.u


def _uses_of_A(config: MgNOConfig) -> list[int]:
    """Count the convolutions A per grid: 0 where f - A u is not read, or u is zero wherever it is."""
    if config.form == "published":
        return [nu - (l == 0) for l, nu in enumerate(config.nu)]
    finer = [int(down + up > 0) for down, up in zip(config.nu, config.nu_post, strict=False)]
    return [*finer, int(config.nu[-1] > 1)]
