"""A classified set of images, split into a part for training and a part held out."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images (N, channels, n, ...) as normalised floats, labels (N,) as integers from 0.

    `mean` and `std` are those of the raw training images: raw = mean + std * image. `split` is the seed of the split.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    class_names: tuple[str, ...]
    mean: float = 0.0
    std: float = 1.0
    split: int = 0

    def __post_init__(self) -> None:
        _check_part("train", self.train_images, self.train_labels, len(self.class_names))
        _check_part("test", self.test_images, self.test_labels, len(self.class_names))
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            shapes = tuple(self.train_images.shape[1:]), tuple(self.test_images.shape[1:])
            raise ValueError(f"test_images must have the shape of train_images, {shapes[0]}; got {shapes[1]}")

    @property
    def in_channels(self) -> int:
        return self.train_images.shape[1]


def _check_part(part: str, images: Tensor, labels: Tensor, classes: int) -> None:
    for name, tensor in ((f"{part}_images", images), (f"{part}_labels", labels)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor; got {type(tensor).__name__}")
    if not images.is_floating_point() or images.ndim < 3 or len(images) == 0:
        raise ValueError(
            f"{part}_images must be floats of shape (N, channels, n, ...) with N >= 1; "
            f"got {images.dtype} of shape {tuple(images.shape)}"
        )
    finite = images.isfinite().flatten(1).all(1)
    if not finite.all():
        wrong = int((~finite).nonzero()[0])
        raise ValueError(f"{part}_images must be finite; image {wrong} is not, and {int((~finite).sum())} in all")
    if labels.is_floating_point() or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{part}_labels must be {len(images)} integers; got {labels.dtype} of shape {tuple(labels.shape)}"
        )
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ValueError(
            f"{part}_labels must lie in 0 ... {classes - 1}, one per class name; "
            f"got {int(labels.min())} ... {int(labels.max())}"
        )
