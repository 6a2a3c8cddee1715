"""Pairs (input, target) on grids: regression where the targets are floats, segmentation where they are integers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from nets.common.checks import check_integer
from nets.data.dataset import (
    Dataset,
    SourceFile,
    channel_numbers,
    check_finite,
    checked_names,
    checksum,
    column,
    kept_parts,
    normalised,
    raw_values,
    statistics,
    warn_of_axes,
)
from nets.data.given import as_tensor, kind_of

PARTS = ("train", "test")


@dataclass(frozen=True, eq=False)
class DenseDataset:
    """Inputs (N, c, n, ...) and a target at each of their points, in 1, 2 or 3 dimensions; floats become float32.

    The targets decide what is learned. Floats (N, d, n, ...) are values: a regression, as from coefficients to
    solutions, or from noisy images to clean ones. Integers or bool (N, n, ...) are classes from 0: a segmentation.

    Args:
        train_inputs, test_inputs: tensors or arrays of floats or uint8.
        class_names: of a segmentation; without them "0", "1", ...
        num_classes: of a segmentation, 2 or more; None takes the number of names, or the largest class + 1, where
            half of the classes occur.
        mean, std: per channel of the inputs, of pixels in [0, 1] where they are uint8; without them those of the
            training inputs.
        target_mean, target_std: the same of float targets. A network is trained in these units, and its losses, errors
            and predictions are in those of the targets.
        split: the seed of the split, where the set is split by a seed.
        source: the files that were read.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> import torch
    >>> x = torch.rand(8, 1, 16)
    >>> nets.data.DenseDataset("double", x[2:], 2 * x[2:], x[:2], 2 * x[:2])
    DenseDataset('double', 6 samples for training, 2 for testing, 1 x 16 torch.float32 to 1 x 16)
    """

    name: str
    train_inputs: Tensor
    train_targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor
    class_names: tuple[str, ...] = ()
    num_classes: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()
    split: int = 0
    source: tuple[SourceFile, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a string; got {self.name!r}")
        for part in PARTS:
            inputs = self._set(f"{part}_inputs", raw_values(f"{part}_inputs", getattr(self, f"{part}_inputs")))
            if not isinstance(inputs, Tensor):
                raise TypeError(f"{part}_inputs must be a torch.Tensor or an array; got {type(inputs).__name__}")
            if inputs.ndim > 5:
                raise ValueError(f"{part}_inputs must have 1, 2 or 3 axes behind (N, c); got {tuple(inputs.shape)}")
            targets = checked_targets(f"{part}_targets", getattr(self, f"{part}_targets"), inputs)
            self._set(f"{part}_targets", targets)
            check_finite(f"{part}_inputs", inputs, "sample")
            check_finite(f"{part}_targets", targets, "sample")
        for column_name in ("inputs", "targets"):
            _check_alike(column_name, *(getattr(self, f"{part}_{column_name}") for part in PARTS))
        warn_of_axes("train_inputs", tuple(self.train_inputs.shape))
        self._set_classes()
        self._set_statistics("mean", "std", self.train_inputs)
        if self.is_regression:
            self._set_statistics("target_mean", "target_std", self.train_targets)
        elif len(self.target_mean) or len(self.target_std):
            raise ValueError("target_mean and target_std must be empty where the targets are classes")

    def _set(self, name: str, value: Any) -> Any:
        object.__setattr__(self, name, value)
        return value

    def _set_classes(self) -> None:
        names = self._set("class_names", checked_names(self.class_names))
        if self.is_regression:
            if names or self.num_classes is not None:
                given = "class_names" if names else "num_classes"
                raise ValueError(f"{given} goes with integer targets (N, n, ...); these are {self.train_targets.dtype}")
            return
        if self.num_classes is not None:
            check_integer("num_classes", self.num_classes, 2)
        highest = max(int(self.train_targets.max()), int(self.test_targets.max()))
        count = self.num_classes or len(names) or highest + 1
        if names and len(names) != count:
            raise ValueError(f"class_names must be {count}, as num_classes; got {len(names)}")
        for part in PARTS:
            low, high = (int(v) for v in getattr(self, f"{part}_targets").aminmax())
            if low < 0 or high >= count:
                raise ValueError(f"{part}_targets must lie in 0 ... {count - 1}; got {low} ... {high}")
        if not names and self.num_classes is None:
            self._check_classes(count)
        self._set("num_classes", count)
        self._set("class_names", names or tuple(map(str, range(count))))

    def _check_classes(self, count: int) -> None:
        """Refuse classes that the largest one seems not to count: of one alone, or most of which occur nowhere."""
        found = torch.cat([getattr(self, f"{part}_targets").unique() for part in PARTS]).unique().tolist()
        if count == 1:
            raise ValueError("num_classes must be given, 2 or more, where all targets are 0")
        if 2 * len(found) < count:
            some = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
            raise ValueError(
                f"train_targets and test_targets must be classes numbered from 0; got {some}, {len(found)} of {count}: "
                f"number them anew, points of no class too, or give num_classes={count}"
            )

    def _set_statistics(self, mean: str, std: str, values: Tensor) -> None:
        for name, measured in zip((mean, std), statistics(values), strict=True):
            self._set(name, channel_numbers(name, getattr(self, name), measured))
        if min(getattr(self, std)) <= 0:
            raise ValueError(f"{std} must hold numbers > 0; got {getattr(self, std)}")

    def __repr__(self) -> str:
        shape, target = (" x ".join(map(str, v.shape[1:])) for v in (self.train_inputs, self.train_targets))
        counts = f"{len(self.train_inputs):,} samples for training, {len(self.test_inputs):,} for testing"
        answer = target if self.is_regression else f"{self.num_classes} classes"
        return f"DenseDataset({self.name!r}, {counts}, {shape} {self.train_inputs.dtype} to {answer})"

    # under these names both kinds of data are read
    is_multilabel = False

    @property
    def train_images(self) -> Tensor:
        return self.train_inputs

    @property
    def train_labels(self) -> Tensor:
        return self.train_targets

    @property
    def test_images(self) -> Tensor:
        return self.test_inputs

    @property
    def test_labels(self) -> Tensor:
        return self.test_targets

    @property
    def excluded(self) -> Mapping[str, Sequence[int]]:
        return MappingProxyType({})

    @property
    def skipped(self) -> tuple[str, ...]:
        return ()

    @property
    def is_regression(self) -> bool:
        return self.train_targets.is_floating_point()

    @property
    def kind(self) -> str:
        return "regression" if self.is_regression else "segmentation"

    @property
    def in_channels(self) -> int:
        return self.train_inputs.shape[1]

    @property
    def outputs(self) -> int:
        """Values that a network gives at a point: one per channel of the targets, or per class."""
        return self.train_targets.shape[1] if self.is_regression else len(self.class_names)

    def normalise(self, raw: Any) -> Tensor:
        """Normalise raw inputs (N, c, n, ...): (raw - mean) / std, with raw / 255 for raw where uint8.

        Raises:
            TypeError, ValueError: where they are no such inputs.
        """
        return normalised(raw, self.mean, self.std, f"data {self.name!r}")

    def without(self, train: Iterable[int] = (), test: Iterable[int] = ()) -> DenseDataset:
        """The same set without the samples of these indices in its parts; mean and std stay.

        Raises:
            ValueError: where there is no sample of that index.
        """
        kept = kept_parts(self, ("inputs", "targets"), train, test)
        return replace(self, **kept) if kept else self

    def checksums(self) -> dict[str, int]:
        """CRC-32 of the inputs and targets of both parts."""
        names = [f"{part}_{column_name}" for part in PARTS for column_name in ("inputs", "targets")]
        return {name: checksum(getattr(self, name)) for name in names}


Data = Dataset | DenseDataset


def in_units(scores: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Predictions (N, d, n, ...) of standardised targets, in the units of the targets."""
    means, deviations = (column(values, 1, scores.ndim, scores.dtype, scores.device) for values in (mean, std))
    return scores * deviations + means


def target_tensor(name: str, values: Any) -> Tensor:
    """Targets as floats, or classes as int64.

    Raises:
        TypeError: naming the argument, where they are no real numbers.
    """
    values = as_tensor(values)
    if not isinstance(values, Tensor) or values.is_complex():
        raise TypeError(f"{name} must be a torch.Tensor or an array of real numbers; got {kind_of(values)}")
    return values.detach() if values.is_floating_point() else values.long()


def checked_targets(name: str, values: Any, inputs: Tensor) -> Tensor:
    """Targets on the grid of the inputs, one for each; floats as float32, classes as int64."""
    given, targets = as_tensor(values), target_tensor(name, values)
    targets = targets.float() if targets.is_floating_point() else targets
    grid, floats = tuple(inputs.shape[2:]), targets.is_floating_point()
    lead = tuple(targets.shape[:2] if floats else targets.shape[:1])
    if tuple(targets.shape) != lead + grid or 0 in targets.shape[1:]:
        points = ", ".join(map(str, grid))
        need = f"floats (N, d, {points}), values to predict, or integers (N, {points}), classes"
        hint = f"; {name}[:, None] has a channel axis" if floats and tuple(targets.shape[1:]) == grid else ""
        raise ValueError(f"{name} must be {need}; got {given.dtype} of shape {tuple(targets.shape)}{hint}")
    if len(targets) != len(inputs):
        raise ValueError(f"{name} must be {len(inputs)}, one per input; got {len(targets)}")
    return targets


def _check_alike(name: str, train: Tensor, test: Tensor) -> None:
    if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
        shapes = [f"{values.dtype} of shape {('N', *values.shape[1:])}" for values in (train, test)]
        raise ValueError(f"test_{name} must be {shapes[0]}, as train_{name}; got {shapes[1]}")


def zero_targets(targets: Tensor) -> list[int]:
    """Indices of targets that are zero everywhere: a relative error of them has no meaning."""
    found: list[int] = (targets.flatten(1) == 0).all(1).nonzero().flatten().tolist()
    return found
