"""V-MgNet (Algorithm 4): MgNet and the way back up, for a prediction at every pixel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

import mgcore
from mgcore import Delegate, Moves
from nets.models.iterations import create_iteration, uses
from nets.models.mgnet import MgNet, Scale, extractors
from nets.models.norms import biased_convolution, normalisation
from nets.models.operators import lists, prolongation, prolonged
from nets.models.registry import register
from nets.naming.mgnet_config import MgNetConfig


@register("V-MgNet")
class VMgNet(MgNet):
    """The V-cycle of a configuration: stem, down as `MgNet`, up with corrections and post-smoothing, head per pixel.

    Besides the modules of `MgNet`: `P[l]` from grid l + 1 to l, a transposed convolution without batch norm or
    activation (6.15), and the post-smoothers B' with their own batch norms and weights, `B_post[l][i]`,
    `norm_f_post[l][i]`, `norm_u_post[l][i]`, `iteration_post[l]`, in nu_post[l] sweeps (6.16). The coarsest grid has
    none of them; A is that of the way down. Any image size will do: P gives the finer grid's. Where the transfers are
    fixed P is the transpose of R.

    Only the change of a coarse grid comes back up, so that with linear A Pi has no effect on u^1 (Theorem 6.1): "Pi_0"
    saves its parameters.

    >>> model = create_model("V-MgNet[1,1]-[8]-B^l")
    >>> type(model).__name__, len(model.levels)
    ('VMgNet', 2)
    """

    dense = True

    def __init__(self, config: MgNetConfig) -> None:
        super().__init__(config)
        nu, c_u, c_f, dims = config.nu_post, config.channels_u, config.channels_f, config.dims
        count = [sum(map(len, uses(config.iteration, nu_l))) for nu_l in nu]
        norm, conv = partial(normalisation, config), partial(biased_convolution, config)
        self.P = nn.ModuleList(prolongation(config.transfers, dims, c_u[l + 1], c_u[l]) for l in range(len(nu)))
        self.B_post = lists([extractors(config, n) for n in count], lambda l: conv(c_f[l], c_u[l]))
        self.norm_f_post = lists(count, lambda l: norm(c_f[l]))
        self.norm_u_post = lists(count, lambda l: norm(c_u[l]))
        if config.extractor == "scaled":
            self.alpha_post = lists(count, lambda l: Scale())
        self.iteration_post = nn.ModuleList(create_iteration(config.iteration, nu_l) for nu_l in nu)

    def forward_features(self, x: Tensor) -> Tensor:
        """u^1 at the end of the V-cycle, of shape (N, c_u of grid 1, n, ...).

        Raises:
            TypeError, ValueError: before any convolution, where x does not fit the network.
        """
        return self.forward_levels(x)[0]

    def forward_levels(self, x: Tensor) -> list[Tensor]:
        """u^l where the V-cycle leaves each grid for the last time, finest first; `visits` has the way down.

        Raises:
            TypeError, ValueError: before any convolution, where x does not fit the network.
        """
        levels, f = self._start(x)
        return features_of_cycle(levels, f, self._first_guess(f))

    def _iterates(self, l: int) -> int:
        """The corrected iterate and the iterates of the way up count too, but the last."""
        return super()._iterates(l) + (0 if l + 1 == len(self.config.nu) else self.config.nu_post[l])

    def _level(self, l: int) -> dict[str, Any]:
        level = super()._level(l)
        if l + 1 == len(self.config.nu):
            return level
        iteration = self.iteration_post[l]
        alpha = self.alpha_post[l] if self.config.extractor == "scaled" else None
        norms = self.norm_f_post[l], self.norm_u_post[l]
        return {
            **level,
            "P": lambda e, like: prolonged(self.P[l], e, like.shape[2:], self.config.padding),
            "B_post": self._sweeps(l, iteration, self.config.nu_post[l], self.B_post[l], *norms, alpha),  # B' (6.16)
            "iterate_post": iteration.iterate(),  # type: ignore[operator]
        }


def features_of_cycle(levels: Sequence[Moves[Any]], f: Tensor, u: Tensor | None = None) -> list[Tensor]:
    """Make a V-cycle; u^l where it leaves each grid for the last time, finest first."""
    features: dict[int, Tensor] = {}
    watched = [Watched(level, partial(features.__setitem__, l)) for l, level in enumerate(levels)]
    mgcore.v_cycle(watched, f, u)
    return [features[l] for l in range(len(levels))]


@dataclass(frozen=True)
class Watched(Delegate):
    """Shows `keep` the feature after each of its own sweeps, the last time where its visit ends."""

    keep: Callable[[Any], None]

    def smooth(self, state: Any) -> Any:
        state = super().smooth(state)
        self.keep(self.feature(state))
        return state

    def correct(self, state: Any, coarse: Moves[Any], before: Any, after: Any, *, post: bool = True) -> Any:
        state = super().correct(state, coarse, before, after, post=post)
        self.keep(self.feature(state))
        return state
