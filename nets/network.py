"""What every network of this package is: stem, descent over its levels, head."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

import mgcore
from mgcore import Visit
from nets.activations import create_activations
from nets.inputs import check_input
from nets.operators import MAX_POOL, convolution, normalisation


class Network(nn.Module):
    """Stem, `mgcore.descend` over `levels`, global average pooling and a linear head.

    `s[l]` is the activation of grid l. `levels` is read anew every time, so that a replaced module takes part in the
    next forward pass.

    Args:
        config: what the network is, as plain values.
        c_in, c_out: channels of the data on the finest grid, and of the features on the coarsest.
        stem_norm: whether batch norm follows the stem's convolution.
    """

    def __init__(self, config: Any, c_in: int, c_out: int, *, stem_norm: bool) -> None:
        super().__init__()
        self.config, self.features = config, c_out
        dims = config.dims
        self.stem = _stem(config, c_in, stem_norm)
        self.pool: nn.Module = MAX_POOL[dims](3, stride=2, padding=1) if config.input == "imagenet" else nn.Identity()
        self.s = nn.ModuleList(create_activations(config.activation, len(config.nu)))

    @property
    def levels(self) -> list[Any]:
        """The grids as levels of `mgcore`, finest first."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, num_classes) of images x (N, in_channels, n, ...)."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """The features of the coarsest grid, of shape (N, channels of grid J, n_J, ...).

        Raises:
            TypeError, ValueError: before any convolution, where x does not fit the network.
        """
        u: Any = self.visits(x)[-1].u
        return u

    def visits(self, x: Tensor) -> list[Visit]:
        """The descent for images x, grid by grid."""
        check_input(self, x)
        f = self.pool(self.s[0](self.stem(x)))
        return mgcore.descend(self.levels, f, self._first_guess(f))

    def forward_head(self, u: Tensor) -> Tensor:
        """Global average pooling of features (N, c, n, ...), then the linear layer: (N, num_classes)."""
        return self.head(u.mean(dim=tuple(range(2, u.ndim))))

    def reset_classifier(self, num_classes: int) -> None:
        """A new head for this many classes; 0 leaves the pooled features (N, c of grid J)."""
        self.config = replace(self.config, num_classes=num_classes)
        weight = next(self.parameters())
        self.head = self.new_head(num_classes).to(weight.device, weight.dtype)

    def new_head(self, num_classes: int) -> nn.Module:
        """The linear layer, or the identity where there are no classes."""
        return nn.Linear(self.features, num_classes) if num_classes > 0 else nn.Identity()

    def _first_guess(self, f: Tensor) -> Tensor | None:
        return None


def _stem(config: Any, c: int, norm: bool) -> nn.Sequential:
    size, stride = (7, 2) if config.input == "imagenet" else (3, 1)
    conv = convolution(config.dims, config.in_channels, c, stride=stride, size=size)
    return nn.Sequential(OrderedDict(conv=conv, norm=normalisation(config.dims, c, enabled=norm)))
