"""From an image file to what a trained network takes, as in training but without augmentation."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from nets.data.dataset import checked_names
from nets.data.decode import MODES, convert_image, fit_image, open_image

if TYPE_CHECKING:
    from nets.data.dataset import Dataset


def _letters(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _renumbered(labels: Tensor, numbers: list[int], classes: int) -> Tensor:
    """Labels by other numbers of their classes."""
    if labels.ndim == 1:
        return torch.tensor(numbers)[labels]
    found = labels.new_zeros(len(labels), classes)
    found[:, numbers] = labels
    return found


def check_transform(transform: Any) -> None:
    """Refuse a transform that no data set has, such as one from an edited file; it would give other scores silently.

    Raises:
        TypeError, ValueError: naming the field.
    """
    shape = transform.shape
    if len(shape) < 2 or not all(type(n) is int and n > 0 for n in shape):
        raise ValueError(f"shape must be (channels, n, ...), positive integers; got {shape!r}")
    for name in ("mean", "std"):
        values = getattr(transform, name)
        if not all(isinstance(v, float | int) and math.isfinite(v) and (name == "mean" or v > 0) for v in values):
            kind = "numbers" if name == "mean" else "positive numbers"
            raise ValueError(f"{name} must be {kind}, one per channel; got {values!r}")
        if len(values) != shape[0]:
            raise ValueError(f"{name} must have {shape[0]} values, one per channel; got {values!r}")
    checked_names(transform.class_names)


class Picture(NamedTuple):
    """An image (channels, height, width) with values in [0, 1], and in words what was done to the file's."""

    pixels: Tensor
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Transform:
    """How the images of a data set become what its network takes; `nets.train` and `nets.load` set it as `transform`.

    Args:
        data: the name of the data set.
        shape: (channels, height, width) of an image.
        mean, std: per channel, of pixels in which white is `white`.
        class_names: in the order of the network's outputs.
        resize: pixels of the shorter side before the middle is cut out; None is the least that fits `shape`.
        multilabel: whether an image has any number of labels, instead of one.

    >>> model = create_model("MgNet[1]-[4]-B^l", num_classes=2, in_channels=1)
    >>> model.transform = Transform("pets", (1, 8, 8), (0.5,), (0.5,), ("cat", "dog"))
    >>> model.transform.resize is None
    True
    """

    data: str
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    white: float = 1.0
    resize: int | None = None
    multilabel: bool = False

    def __post_init__(self) -> None:
        check_transform(self)
        if not (isinstance(self.white, float | int) and 0 < self.white < math.inf):
            raise ValueError(f"white must be a positive number; got {self.white!r}")

    @classmethod
    def of(cls, data: Dataset | Mapping[str, Any]) -> Transform:
        """Make the transform of a data set, or of its description in a checkpoint.

        >>> nets.Transform.of(nets.data.digits()).shape
        (1, 8, 8)
        """
        if not isinstance(data, Mapping):
            images = data.train_images
            resize, shape = None if isinstance(images, Tensor) else images.resize, tuple(images.shape[1:])
            kinds = data.class_names, data.white, resize, data.is_multilabel
            return cls(data.name, shape, data.mean, data.std, *kinds)
        return cls(
            data=data["name"],
            shape=tuple(data["shape"]),
            mean=tuple(data["mean"]),
            std=tuple(data["std"]),
            class_names=checked_names(data["classes"]),
            white=data["white"],
            resize=data.get("resize"),
            multilabel=data.get("multilabel", False),
        )

    def normalise(self, pixels: Tensor) -> Tensor:
        """Normalise images (N, channels, ...) with values in [0, 1], as the network takes them."""
        size = (-1, *(1,) * (pixels.ndim - 2))
        mean, std = (
            torch.tensor(v, dtype=pixels.dtype, device=pixels.device).reshape(size) for v in (self.mean, self.std)
        )
        return (self.white * pixels - mean) / std

    def apply_to(self, data: Dataset) -> Dataset:
        """A data set normalised as the training images were, with the classes of the network by name (`match`).

        Raises:
            ValueError: where its images have other channels, or a class is none of the network's.
        """
        if data.in_channels != self.shape[0]:
            raise ValueError(
                f"data {data.name!r} has {data.in_channels} channels, and the network was trained on {self.shape[0]}, "
                f"as {self.data!r} has"
            )
        if data.is_multilabel != self.multilabel:
            need = "several labels" if self.multilabel else "one class"
            raise ValueError(f"data {data.name!r} must have {need} per image, as {self.data!r}; it has not")
        scale = data.white / self.white
        data = self.match(data)
        return replace(data, mean=tuple(scale * m for m in self.mean), std=tuple(scale * s for s in self.std))

    def match(self, data: Dataset) -> Dataset:
        """Label a data set by the network's classes of the same names; some of them may be absent.

        "Cat" is "cat" where neither has both, and a letter with its accent is one or two code points.

        Raises:
            ValueError: naming a class that the network does not know.
        """
        if data.class_names == self.class_names:
            return data
        numbers = [self._number(name) for name in data.class_names]
        strange = [name for name, k in zip(data.class_names, numbers, strict=True) if numbers.count(k) > 1 or k < 0]
        if strange:
            raise ValueError(
                f"data {data.name!r} must hold classes of the network, each once; got "
                f"{', '.join(map(repr, strange[:5]))}, and {self.data!r} has "
                f"{', '.join(map(repr, self.class_names[:10]))}{', ...' if len(self.class_names) > 10 else ''}"
            )
        train, test = (
            _renumbered(part, numbers, len(self.class_names)) for part in (data.train_labels, data.test_labels)
        )
        return replace(data, class_names=self.class_names, train_labels=train, test_labels=test)

    def _number(self, name: str) -> int:
        """The number of the class of this name, -1 where there is none."""
        if name in self.class_names:
            return self.class_names.index(name)
        alike = [k for k, own in enumerate(self.class_names) if _letters(own) == _letters(name)]
        return alike[0] if len(alike) == 1 else -1

    def read(self, path: str | os.PathLike[str], *, invert: bool = False) -> Picture:
        """The image in a file, of the channels and the size that the network takes.

        Grey and colour are converted, what is transparent becomes white, a photograph is turned as its camera says.
        The shorter side is resized and the middle cut out.

        Args:
            invert: black for white, as for ink on paper where the network was trained on white digits.

        Raises:
            ImageFileError: naming the file, where it is missing, damaged or no image.
            ImportError: where Pillow is missing.
        """
        if len(self.shape) != 3 or self.shape[0] not in MODES:
            raise ValueError(
                f"transform: image files have 1 or 3 channels in two dimensions; {self.data!r} has {self.shape}"
            )
        image, changes = convert_image(open_image(Path(path)), MODES[self.shape[0]], Path(path))
        image, resized = fit_image(image, self.shape[1], self.shape[2], self.resize)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        pixels = pixels.reshape(image.height, image.width, self.shape[0]).permute(2, 0, 1).float() / 255
        changes += resized + (["inverted"] if invert else [])
        return Picture(1 - pixels if invert else pixels, tuple(changes))
