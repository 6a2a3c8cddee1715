"""From raw inputs to what a network takes, and from what it gives to the units of the targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from nets.data.dataset import checked_names, normalised
from nets.data.dense import DenseDataset, in_units
from nets.data.transform import check_transform


@dataclass(frozen=True)
class DenseTransform:
    """How a network with a prediction at every point was trained to see its data; `nets.load` and `nets.train` set it.

    Args:
        data: the name of the data set.
        shape: (channels, n, ...) of an input; a network takes other n too.
        mean, std: per channel of the inputs.
        class_names: of a segmentation, in the order of the network's outputs; none for a regression.
        target_mean, target_std: per channel of the targets of a regression.

    >>> import torch
    >>> x = torch.arange(8.0).reshape(2, 1, 4)
    >>> transform = nets.data.DenseTransform.of(nets.data.DenseDataset("double", x, 2 * x, x, 2 * x))
    >>> found = transform.predictions(transform.normalise(x))  # standardised, x and 2 x are the same
    >>> bool((found - 2 * x).abs().max() < 1e-5)
    True
    """

    data: str
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...] = ()
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()
    white = 1.0
    """As of `Transform`: pixels of bytes are in [0, 1], and floats as they are."""

    def __post_init__(self) -> None:
        check_transform(self)

    @classmethod
    def of(cls, data: DenseDataset) -> DenseTransform:
        """Make the transform of a data set."""
        shape = tuple(data.train_inputs.shape[1:])
        targets = (data.target_mean, data.target_std)
        return cls(data.name, shape, data.mean, data.std, data.class_names, *targets)

    @classmethod
    def described(cls, description: Mapping[str, Any]) -> DenseTransform:
        """Make it from the description of a data set in a checkpoint (`nets.runs.provenance.describe`)."""
        shape, mean, std, *targets = (
            tuple(description[name]) for name in ("shape", "mean", "std", "target_mean", "target_std")
        )
        return cls(description["name"], shape, mean, std, checked_names(description["classes"]), *targets)

    @property
    def is_regression(self) -> bool:
        return not self.class_names

    def normalise(self, raw: Any) -> Tensor:
        """Normalise raw inputs (N, channels, n, ...), floats or uint8, as the network takes them."""
        return normalised(raw, self.mean, self.std, f"the data {self.data!r} of the network")

    def predictions(self, scores: Tensor) -> Tensor:
        """Values (N, d, n, ...) in the units of the targets, or the classes (N, n, ...) with the highest scores."""
        return in_units(scores, self.target_mean, self.target_std) if self.is_regression else scores.argmax(1)

    def check(self, data: DenseDataset) -> None:
        """Check that a data set has the channels and classes of the network.

        Raises:
            ValueError: where its inputs or targets have other ones.
        """
        if data.class_names != self.class_names:
            ours, theirs = (
                ", ".join(part.class_names[:10]) if part.class_names else "floats, for a regression"
                for part in (self, data)
            )
            raise ValueError(f"data {data.name!r} must have the targets of {self.data!r}: {ours}; got {theirs}")
        sizes = (("inputs", self.mean, data.mean), ("targets", self.target_mean, data.target_mean))
        for which, own, other in sizes:
            if len(own) != len(other):
                need = f"data {data.name!r} must have {len(own)} channels of {which}, as {self.data!r}"
                raise ValueError(f"{need}; got {len(other)}")
