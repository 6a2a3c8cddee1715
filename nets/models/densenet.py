"""DenseNet (7.5) in the loop of `mgcore`: every step reads all that came before it on its grid."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nets.models.base import Network
from nets.models.data_level import HistoryLevel
from nets.models.norms import biased_convolution, normalisation
from nets.models.operators import chain
from nets.models.registry import register
from nets.naming.densenet_config import DenseNetConfig

History = tuple[Tensor, ...]


@register("DenseNet")
class DenseNet(Network):
    """f^i = s(sum_{j<i} theta_j^i * f^j) on a grid (7.10), f^{l+1,0} = R[f^0, ..., f^nu] between grids (7.5).

    `theta[l][i]` is one 3 x 3 convolution of the concatenated f^0, ..., f^i: the sum, written once. `R[l]`, 3 x 3 with
    stride 2 as in MgNet, reads them all. Batch norm follows each convolution: `norm[l][i]`, `norm_R[l]`. The head pools
    the last f^nu alone, as (7.5) does. With equal widths and without s this is the residual of a multi-step MgNet
    (3.22).

    The DenseNets of the literature have more than (7.5): a 1 x 1 convolution to 4 k channels before each theta, batch
    norm and s before the convolutions, 1 x 1 convolutions that halve the channels and average pooling between grids,
    and a head that pools all of [f^0, ..., f^nu]. They are not built.

    >>> model = create_model("DenseNet[2,2]-[(16,12)]")
    >>> type(model).__name__, len(model.levels)
    ('DenseNet', 2)
    """

    config: DenseNetConfig

    def __init__(self, config: DenseNetConfig) -> None:
        super().__init__(config, config.channels[0], config.channels_out[-1], stem_norm=True)
        nu, c, k = config.nu, config.channels, config.growth_by_step
        grids, transitions = range(len(nu)), range(len(nu) - 1)
        norm, conv = partial(normalisation, config), partial(biased_convolution, config)

        self.theta = nn.ModuleList(
            nn.ModuleList(conv(c[l] + sum(k[l][:i]), k[l][i]) for i in range(nu[l])) for l in grids
        )
        self.norm = nn.ModuleList(nn.ModuleList(norm(k_i) for k_i in k[l]) for l in grids)
        self.R = nn.ModuleList(conv(c[l] + sum(k[l]), c[l + 1], stride=2) for l in transitions)
        self.norm_R = nn.ModuleList(norm(c[l + 1]) for l in transitions)
        self.head = self.new_head(config.num_classes)

    @property
    def levels(self) -> list[HistoryLevel]:
        """The grids as levels whose state is the history f^0, ..., f^i, finest first."""
        pools = [_concatenated(norm, R) for R, norm in zip(self.R, self.norm_R, strict=True)]
        grids: Any = zip(self.s, self.norm, self.theta, [*pools, None], strict=True)
        return [
            HistoryLevel([_concatenated(s, *maps) for maps in zip(norms, thetas, strict=True)], pool)  # (7.10)
            for s, norms, thetas, pool in grids
        ]


def _concatenated(*maps: Any) -> Callable[[History], Tensor]:
    """The maps, the last one first, of all iterates of a history, channels behind channels."""
    apply = chain(*reversed(maps))
    return lambda history: apply(torch.cat(history, dim=1))
