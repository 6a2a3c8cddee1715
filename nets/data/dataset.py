"""A classified set of images, split into a part for training and a part held out."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nets.data.given import as_tensor, kind_of
from nets.data.images import ImageFiles

Images = Tensor | ImageFiles
LABELS = ("train_labels", "test_labels")


class SourceFile(NamedTuple):
    """A file that a data set was read from: its part, its number of images, and whether its checksum is right.

    That is None where no checksum has been published.
    """

    name: str
    part: str
    images: int
    bytes: int
    md5: str
    as_published: bool | None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Raw images (N, channels, n, ...), as they were read or still in their files, and labels (N,), integers from 0.

    Images are tensors or arrays of uint8 or floats. Floats are kept as float32, labels of any integer type, or bool,
    as int64.

    Labels (N, classes) of zeros and ones, of any type, are several labels per image, and are kept as bool.

    Args:
        mean, std: per channel, of pixels in [0, 1] where they are uint8, and of the values themselves where they are
            floats; without them 0 and 1.
        split: the seed of the split, where the set is split by a seed.
        source: the files that were read.
        excluded: images of them that were left out: their indices in the parts "train" and "test" as they were read.
        skipped: image files that were left out since they cannot be read, each with its reason.
    """

    name: str
    train_images: Images
    train_labels: Tensor
    test_images: Images
    test_labels: Tensor
    class_names: tuple[str, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    split: int = 0
    source: tuple[SourceFile, ...] = ()
    excluded: Mapping[str, Sequence[int]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a string; got {self.name!r}")
        object.__setattr__(self, "class_names", checked_names(self.class_names))
        for part in ("train", "test"):
            for name, settle in ((f"{part}_images", raw_values), (f"{part}_labels", labels_of)):
                object.__setattr__(self, name, settle(name, getattr(self, name)))
            _check_part(part, getattr(self, f"{part}_images"), getattr(self, f"{part}_labels"), len(self.class_names))
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            shapes = tuple(self.train_images.shape[1:]), tuple(self.test_images.shape[1:])
            raise ValueError(f"test_images must have the shape of train_images, {shapes[0]}; got {shapes[1]}")
        if self.train_images.dtype != self.test_images.dtype:
            types = self.train_images.dtype, self.test_images.dtype
            raise ValueError(f"test_images must be {types[0]}, as train_images; got {types[1]}")
        warn_of_axes("train_images", tuple(self.train_images.shape))
        if self.train_labels.ndim != self.test_labels.ndim:
            shapes = tuple(self.train_labels.shape), tuple(self.test_labels.shape)
            raise ValueError(f"test_labels must have as many axes as train_labels, {shapes[0]}; got {shapes[1]}")
        for name, default in (("mean", 0.0), ("std", 1.0)):
            values = channel_numbers(name, getattr(self, name), (default,) * self.in_channels)
            object.__setattr__(self, name, values)
        if min(self.std) <= 0:
            raise ValueError(f"std must hold numbers > 0; got {self.std}")
        if self.is_multilabel and bool((self.train_labels.sum(1) == 1).all()):
            warnings.warn(
                "train_labels have a single 1 in every row and are taken as several labels per image; where they are "
                "classes, give labels.argmax(1)",
                stacklevel=4,
            )

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.train_images.shape[1:]))
        counts = f"{len(self.train_labels):,} images for training, {len(self.test_labels):,} for testing"
        classes = f"{len(self.class_names)} {'labels' if self.is_multilabel else 'classes'}"
        return f"Dataset({self.name!r}, {counts}, {shape} {self.train_images.dtype}, {classes})"

    @property
    def in_channels(self) -> int:
        return self.train_images.shape[1]

    @property
    def is_multilabel(self) -> bool:
        """Whether an image has any number of labels, instead of one."""
        return self.train_labels.ndim == 2

    @property
    def outputs(self) -> int:
        """Scores that a network gives for an image: one per class."""
        return len(self.class_names)

    @property
    def white(self) -> float:
        """The value of a white pixel before normalisation.

        It is 1 for bytes, which are divided by 255, and for floats the largest value of the training images.
        """
        images = self.train_images
        return images.max().item() if isinstance(images, Tensor) and images.is_floating_point() else 1.0

    def normalise(self, raw: Any) -> Tensor:
        """Normalise raw images (N, channels, ...): (raw - mean) / std, with raw / 255 for raw where uint8.

        They are a tensor or an array; images in files are read here.

        Raises:
            TypeError: where they are no images.
            ValueError: where the images have other channels, or are neither uint8 nor floats.
        """
        return normalised(raw, self.mean, self.std, f"data {self.name!r}")

    def without(self, train: Iterable[int] = (), test: Iterable[int] = ()) -> Dataset:
        """The same set without the images of these indices in its parts; mean and std stay.

        Raises:
            ValueError: where there is no image of that index.
        """
        kept = kept_parts(self, ("images", "labels"), train, test)
        return replace(self, **kept) if kept else self

    def checksums(self) -> dict[str, int]:
        """CRC-32 of the images, of their names where they are in files, and of the labels of both parts.

        Two splits of one set are different data.
        """
        return {name: checksum(getattr(self, name)) for name in ("train_images", "test_images", *LABELS)}


def kept_parts(
    data: Any, columns: tuple[str, str], train: Iterable[int] = (), test: Iterable[int] = ()
) -> dict[str, Any]:
    """The columns of both parts without these indices, by the name of the field; parts that keep all are left out."""
    kept: dict[str, Any] = {}
    for part, indices in (("train", train), ("test", test)):
        values, answers = (getattr(data, f"{part}_{column}") for column in columns)
        keep = torch.ones(len(answers), dtype=torch.bool)
        for index in indices:
            if not 0 <= index < len(answers):
                raise ValueError(f"{part} must hold indices from 0 to {len(answers) - 1}; got {index}")
            keep[index] = False
        if not keep.all():
            kept |= {f"{part}_{columns[0]}": values[keep], f"{part}_{columns[1]}": answers[keep]}
    return kept


def normalised(raw: Any, mean: tuple[float, ...], std: tuple[float, ...], of: str) -> Tensor:
    """Normalise raw images or fields (N, channels, ...) as `Dataset.normalise` says; `of` names the data in errors."""
    if isinstance(raw, ImageFiles):
        raw = raw.read_all(progress=False)
    raw = as_tensor(raw)
    if not isinstance(raw, Tensor):
        raise TypeError(f"raw must be a torch.Tensor or an array of numbers; got {type(raw).__name__}")
    if raw.ndim < 2 or raw.shape[1] != len(mean):
        raise ValueError(f"raw must hold images (N, {len(mean)}, ...), as {of}; got {tuple(raw.shape)}")
    if not _is_raw(raw):
        raise ValueError(f"raw must be uint8 or floats; got {raw.dtype}")
    kind, white = (torch.float32, 255) if raw.dtype == torch.uint8 else (raw.dtype, 1)
    means, deviations = (column(values, white, raw.ndim, kind, raw.device) for values in (mean, std))
    return raw.sub(means).div_(deviations)


def checksum(images: Images) -> int:
    return zlib.crc32(images.cpu().contiguous().numpy().data) if isinstance(images, Tensor) else images.checksum()


def statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation per channel of images (N, channels, n, ...), of pixels in [0, 1] where they are uint8."""
    pairs = [_mean_and_deviation(images[:, channel]) for channel in range(images.shape[1])]
    means, deviations = zip(*pairs, strict=True)
    return means, tuple(d if d > 0 else 1.0 for d in deviations)  # a constant channel becomes 0


def _mean_and_deviation(values: Tensor) -> tuple[float, float]:
    if values.dtype != torch.uint8:
        array = values.double().numpy()  # sums of torch depend on the number of threads
        return float(array.mean()), float(array.std())
    share = torch.bincount(values.flatten(), minlength=256).double() / values.numel()
    levels = torch.arange(256, dtype=torch.float64) / 255
    mean = (share * levels).sum()
    return mean.item(), (share * (levels - mean) ** 2).sum().sqrt().item()


@lru_cache
def column(values: tuple[float, ...], white: int, ndim: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The values, of which 1 is white, along the channel axis; kept, as copying them to a GPU would wait for it."""
    with torch.inference_mode(False):  # what is kept must serve in training too
        return torch.tensor([white * v for v in values], dtype=dtype, device=device).reshape(-1, *(1,) * (ndim - 2))


def channel_numbers(name: str, values: Any, default: tuple[float, ...]) -> tuple[float, ...]:
    """The numbers of a tuple, list, array or tensor, as many as the default has; the default where it is empty."""
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, tuple | list) or not all(isinstance(value, Real) for value in values):
        raise TypeError(f"{name} must be a tuple of numbers, one per channel; got {values!r}")
    values = tuple(map(float, values)) or default
    if len(values) != len(default) or not all(map(isfinite, values)):
        raise ValueError(f"{name} must hold {len(default)} finite numbers, one per channel; got {values}")
    return values


def checked_names(names: Any) -> tuple[str, ...]:
    found = tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else None
    if found is None or not all(isinstance(name, str) for name in found):
        raise TypeError(f"class_names must be strings, one per class, such as ('cat', 'dog'); got {names!r}")
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise ValueError(f"class_names must differ; got {twice!r} more than once")
    return found


def _is_raw(images: Images) -> bool:
    return images.dtype == torch.uint8 or images.is_floating_point()


def raw_values(name: str, images: Any) -> Images:
    """Images in files, bytes, or float32."""
    images = as_tensor(images)
    if not isinstance(images, Tensor | ImageFiles):
        raise TypeError(f"{name} must be a torch.Tensor or an array of numbers; got {kind_of(images)}")
    if not _is_raw(images) or images.ndim < 3 or len(images) == 0:
        raise ValueError(
            f"{name} must be uint8 or floats of shape (N, channels, n, ...) with N >= 1; "
            f"got {images.dtype} of shape {tuple(images.shape)}"
        )
    return images.detach().float() if isinstance(images, Tensor) and images.is_floating_point() else images


def whole_numbers(name: str, labels: Any) -> Tensor:
    """Labels (N,) as int64.

    Raises:
        TypeError, ValueError: naming the argument, where they are no integers.
    """
    labels = as_tensor(labels)
    if not isinstance(labels, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor or an array of integers; got {kind_of(labels)}")
    if labels.is_floating_point() or labels.is_complex() or labels.ndim != 1:
        raise ValueError(
            f"{name} must be integer labels (N,) from 0; got {labels.dtype} of shape {tuple(labels.shape)}"
        )
    return labels.long()


def labels_of(name: str, labels: Any) -> Tensor:
    """Labels (N,) as int64, or zeros and ones (N, classes) as bool.

    Raises:
        TypeError, ValueError: naming the argument.
    """
    labels = as_tensor(labels)
    if not isinstance(labels, Tensor) or labels.ndim != 2:
        return whole_numbers(name, labels)
    if not bool(((labels == 0) | (labels == 1)).all()):
        wrong = labels[(labels != 0) & (labels != 1)][0].item()
        raise ValueError(f"{name} (N, classes) must be 0 or 1, several labels per image; got {wrong}")
    return labels.bool()


def warn_of_axes(name: str, shape: tuple[int, ...]) -> None:
    """Mention images whose channels seem to be the last axis, as in most arrays, or missing."""
    _, channels, *sides = shape
    last = len(sides) == 2 and sides[1] in (1, 3, 4) and channels > sides[1]
    if last or (sides == [channels] and channels > 1):
        move = "images.transpose(0, 3, 1, 2)" if last else "images[:, None]"
        warnings.warn(
            f"{name} of shape {('N', *shape[1:])} are taken as {channels} channels of "
            f"{' x '.join(map(str, sides))} points: the channels are the axis behind N; where they are not, {move}",
            stacklevel=4,
        )


def check_finite(name: str, values: Any, one: str) -> None:
    """Refuse NaN and infinity, naming the argument and the first image or sample that has them."""
    if isinstance(values, Tensor) and values.is_floating_point() and not values.isfinite().all():
        finite = values.isfinite().flatten(1).all(1)
        wrong = int((~finite).nonzero()[0])
        raise ValueError(f"{name} must be finite; {one} {wrong} is not, and {int((~finite).sum())} in all")


def _check_part(part: str, images: Images, labels: Tensor, classes: int) -> None:
    check_finite(f"{part}_images", images, "image")
    if len(labels) != len(images):
        raise ValueError(f"{part}_labels must be {len(images)} integers, one per image; got {len(labels)}")
    if labels.ndim == 2:
        if labels.shape[1] != classes:
            need = f"{part}_labels (N, classes) must have {classes} columns, one per class name"
            raise ValueError(f"{need}; got {labels.shape[1]}")
        return
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ValueError(
            f"{part}_labels must lie in 0 ... {classes - 1}, one per class name; "
            f"got {int(labels.min())} ... {int(labels.max())}"
        )
