"""The base of all networks: stem, descent over the levels, head."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

import mgcore
from mgcore import Visit
from nets.data import DenseTransform, Transform
from nets.models.activations import create_activations
from nets.models.input_checks import check_features, check_input
from nets.models.norms import biased_convolution, normalisation
from nets.models.operators import CONVOLUTION, max_pool
from nets.models.recompute import recomputed, recomputed_level
from nets.models.registry import Configured
from nets.models.state_dict_checks import check_state, describe


class FeatureInfo(NamedTuple):
    """Channels of a level's features, and how many pixels of the image one of its pixels stands for, per axis.

    >>> create_model("MgNet[1,1]-[16]-B^l").feature_info[1]
    FeatureInfo(level=2, channels=16, stride=2)
    """

    level: int
    channels: int
    stride: int


class FeatureInfos(list[FeatureInfo]):
    """The description of the features of every grid, finest first; `channels` and `reduction` are timm's names.

    >>> info = create_model("MgNet[1,1]-[16,24]-B^l").feature_info
    >>> info.channels(), info.reduction()
    ([16, 24], [1, 2])
    """

    def channels(self) -> list[int]:
        """Channels by grid."""
        return [info.channels for info in self]

    def reduction(self) -> list[int]:
        """Pixels of the image, per axis, that a pixel of each grid stands for."""
        return [info.stride for info in self]


class Network(Configured):
    """Stem, `mgcore.descend` over `levels`, global average pooling and a linear head.

    `s[l]` is the activation of grid l. `levels` is read anew every time, so that a replaced module takes part in the
    next forward pass.

    Args:
        config: what the network is, as plain values.
        c_in, c_out: channels of the data on the finest grid, None without a stem, and of the features of the head.
        stem_norm: whether the norm follows the convolution of a "default" stem.

    >>> import torch
    >>> model = create_model("MgNet[2,2]-[16]-B^l")
    >>> isinstance(model, Network), tuple(model.forward_features(torch.zeros(1, 3, 32, 32)).shape)
    (True, (1, 16, 16, 16))
    """

    activation_checkpointing = False
    dense: ClassVar[bool] = False
    """Whether it predicts at every point, (N, num_classes, n, ...) from (N, in_channels, n, ...)."""
    transform: Transform | DenseTransform | None = None
    """The preparation of its images; `nets.train` and `nets.load` set it."""
    origin: Mapping[str, Any] | None = None
    """The source of its weights, for the record of a run that starts from them; None where they are fresh."""

    def __init__(self, config: Any, c_in: int | None, c_out: int, *, stem_norm: bool) -> None:
        super().__init__()
        self.config, self.features = config, c_out
        self.register_state_dict_post_hook(describe)
        self.register_load_state_dict_post_hook(_loaded)  # also where the network is a part of another module
        dims = config.dims
        self.stem = nn.Identity() if c_in is None else _stem(config, c_in, stem_norm)
        self.pool: nn.Module = max_pool(dims, config.padding) if config.input == "imagenet" else nn.Identity()
        self.s = nn.ModuleList(create_activations(config.activation, len(config.nu)))

    @property
    def levels(self) -> list[Any]:
        """The grids as levels of `mgcore`, finest first."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, num_classes) of images x (N, in_channels, n, ...); where `dense`, (N, num_classes, n, ...)."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """The features of the coarsest grid, of shape (N, channels of grid J, n_J, ...).

        Raises:
            TypeError, ValueError: before any convolution, where x does not fit the network.
        """
        return self.forward_levels(x)[-1]

    def forward_levels(self, x: Tensor) -> list[Tensor]:
        """The features of every grid, finest first; `feature_info` has their channels and strides.

        Raises:
            TypeError, ValueError: before any convolution, where x does not fit the network.
        """
        features: list[Any] = [visit.u for visit in self.visits(x)]
        return features

    @property
    def feature_info(self) -> FeatureInfos:
        """Describe `forward_levels`: entry l belongs to level l + 1, of n / stride pixels, rounded up."""
        finest = 4 if self.config.input == "imagenet" else 1
        fields = ("channels_u", "channels_out", "channels")
        channels = next(getattr(self.config, field) for field in fields if hasattr(self.config, field))
        return FeatureInfos(FeatureInfo(l + 1, c, finest * 2**l) for l, c in enumerate(channels))

    @property
    def num_features(self) -> int:
        """Channels of `forward_features`, as in timm."""
        return self.feature_info[0 if self.dense else -1].channels

    @property
    def num_classes(self) -> int:
        """Outputs of the head, 0 where there is none."""
        return int(self.config.num_classes)

    def get_classifier(self) -> nn.Module:
        """The last layer, from features to scores, as in timm; the identity where there are no classes."""
        return self.head

    def forward_intermediates(
        self, x: Tensor, indices: int | Sequence[int] | None = None, *, intermediates_only: bool = False
    ) -> Any:
        """`forward_features` and the features of grids, as in timm, by one descent.

        Args:
            indices: grids, from 0, the finest, or from -1, the coarsest; an integer n takes the last n, None all.
            intermediates_only: whether the list of features alone is returned.

        Raises:
            TypeError, ValueError: where x does not fit the network, or there is no such grid.

        >>> import torch
        >>> u, levels = create_model("MgNet[1,1]-[4]-B^l").forward_intermediates(torch.zeros(1, 3, 8, 8))
        >>> u is levels[-1], [tuple(level.shape) for level in levels]
        (True, [(1, 4, 8, 8), (1, 4, 4, 4)])
        """
        grids = len(self.feature_info)
        last = isinstance(indices, int) and not isinstance(indices, bool) and 1 <= indices <= grids
        wanted = range(grids)[-indices:] if last else range(grids) if indices is None else indices  # type: ignore[operator]
        if not isinstance(wanted, Sequence) or not all(type(l) is int and -grids <= l < grids for l in wanted):
            need = f"an integer from 1 to {grids}, or grids from {-grids} to {grids - 1}"
            raise ValueError(f"indices must be {need}; got {indices!r}")
        levels = self.forward_levels(x)
        chosen = [levels[l] for l in wanted]
        return chosen if intermediates_only else (levels[0 if self.dense else -1], chosen)

    def visits(self, x: Tensor) -> list[Visit]:
        """The descent for images x, grid by grid."""
        levels, f = self._start(x)
        return mgcore.descend(levels, f, self._first_guess(f))

    def _start(self, x: Tensor) -> tuple[list[Any], Tensor]:
        """The levels to run, and the data of the finest."""
        check_input(self, x)
        if self.activation_checkpointing:
            return [recomputed_level(level) for level in self.levels], recomputed(self._data, x)
        return self.levels, self._data(x)

    def _data(self, x: Tensor) -> Tensor:
        f = self.stem(x)
        return self.pool(self.s[0](f) if self.config.stem == "default" else f)

    def forward_head(self, u: Tensor, pre_logits: bool = False) -> Tensor:
        """Global average pooling of features (N, c, n, ...), unless `dense`, and the linear map to num_classes.

        With `pre_logits` what the linear map takes is returned, as in timm.
        """
        check_features(u, self.config.dims, self.features)
        pooled = u if self.dense else u.mean(dim=tuple(range(2, u.ndim)))
        return pooled if pre_logits else self.head(pooled)

    def set_activation_checkpointing(self, enable: bool = True) -> None:
        """Recompute the maps of a level in the backward pass instead of keeping their values, or stop doing so.

        Values, gradients and batch-norm statistics are the same to the bit; see `nets.models.recompute`. Compiled with
        backend="eager" a network cannot be trained so, see docs/networks.md.
        """
        if not isinstance(enable, bool):
            raise TypeError(f"activation_checkpointing: enable must be True or False; got {enable!r}")
        self.activation_checkpointing = enable

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """`set_activation_checkpointing` by timm's name."""
        self.set_activation_checkpointing(enable)

    def reset_classifier(self, num_classes: int) -> None:
        """A new head for this many classes; 0 leaves the pooled features (N, c of grid J).

        `transform`, which names the classes of the old head, becomes None.
        """
        self.config = replace(self.config, num_classes=num_classes)
        weight = next(self.parameters())
        self.head = self.new_head(num_classes).to(weight.device, weight.dtype)
        self.transform = None

    def new_head(self, num_classes: int) -> nn.Module:
        """The linear layer, for every pixel where `dense`, or the identity where there are no classes."""
        if num_classes == 0:
            return nn.Identity()
        if self.dense:
            return CONVOLUTION[self.config.dims](self.features, num_classes, 1)
        return nn.Linear(self.features, num_classes)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As in torch, but nothing is loaded where the state does not fit.

        The states of these networks say which network they are from. A plain dict of tensors does not: it fits where
        names and shapes do, also where that network has other activations or another scheme; and so does any state of
        a module that this network is a part of.

        Raises:
            RuntimeError: naming the first level and weight that differ, or else what the other network is.
        """
        check_state(self, state_dict, strict=strict)
        return super().load_state_dict(state_dict, strict, assign)

    def grid_sizes(self, size: Sequence[int]) -> list[tuple[int, ...]]:
        """Pixels per axis on every grid, finest first, for an image of this size."""
        finest = 4 if self.config.input == "imagenet" else 1
        return [tuple(-(-n // (finest * 2**l)) for n in size) for l in range(len(self.config.nu))]

    def padded(self, size: Sequence[int]) -> list[tuple[str, int, tuple[int, ...]]]:
        """For an image of this size: where convolutions pad, by how much, and the pixels per axis there.

        >>> create_model("MgNet[1,1]-[4]-B^l").padded((8, 6))
        [('the stem', 1, (8, 6)), ('grid 1 of 2', 1, (8, 6)), ('grid 2 of 2', 1, (4, 3))]
        """
        grids = self.grid_sizes(size)
        stem = ("the stem", 3 if self.config.input == "imagenet" else 1, tuple(size))
        return [
            *([] if isinstance(self.stem, nn.Identity) else [stem]),
            *((f"grid {l + 1} of {len(grids)}", 1, grid) for l, grid in enumerate(grids)),
        ]

    def _first_guess(self, f: Tensor) -> Tensor | None:
        return None


def _loaded(network: nn.Module, _: Any) -> None:
    network.origin = {"from": "a state_dict"}  # type: ignore[assignment]


def _stem(config: Any, c: int, norm: bool) -> nn.Module:
    if config.stem == "identity":
        return nn.Identity()
    size, stride = (7, 2) if config.input == "imagenet" else (3, 1)
    linear = config.stem == "linear"
    norm, normed = norm and not linear, config.reads_normed if linear else norm
    conv = biased_convolution(config, config.in_channels, c, normed=normed, stride=stride, size=size)
    return nn.Sequential(OrderedDict(conv=conv, norm=normalisation(config, c, norm)))
