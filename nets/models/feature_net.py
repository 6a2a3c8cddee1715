"""A network as the backbone of another one: the features of every grid, without a head."""

from __future__ import annotations

from torch import Tensor, nn

from nets.common.location import HEAD
from nets.models.base import FeatureInfos, Network


class FeatureNet(nn.Module):
    """The features of every grid, finest first, as timm's `features_only` gives them.

    The head of the network, and the layers before it that only the head uses, are taken off: every parameter that is
    left has a gradient.

    >>> import torch
    >>> backbone = create_model("MgNet[1,1]-[8,12]-B^l", features_only=True)
    >>> backbone.feature_info.channels(), [tuple(u.shape) for u in backbone(torch.zeros(1, 3, 8, 8))]
    ([8, 12], [(1, 8, 8, 8), (1, 12, 4, 4)])
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        for part in {*HEAD} & network._modules.keys():
            setattr(network, part, nn.Identity())

    def forward(self, x: Tensor) -> list[Tensor]:
        """The features of images x (N, in_channels, n, ...); `feature_info` has their channels and strides."""
        return self.network.forward_levels(x)

    @property
    def feature_info(self) -> FeatureInfos:
        """Describe the features, grid by grid."""
        return self.network.feature_info
