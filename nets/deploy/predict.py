"""Prediction by a trained network: the classes of image files, or values or classes at every point of inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from nets.common.checks import check_integer, suggesting
from nets.data import DenseTransform, Transform
from nets.data.decode import ImageFileError
from nets.data.given import as_tensor
from nets.data.tree import images_in
from nets.models.base import Network
from nets.models.input_checks import check_class_names
from nets.models.modes import evaluating
from nets.training.dense_evaluation import predict_dense

BATCH = 64
Array = np.ndarray[Any, np.dtype[Any]]
Paths = str | PathLike[str] | Iterable[str | PathLike[str]]


@dataclass(frozen=True)
class Prediction:
    """The classes of one image file with the highest probabilities, best first; or why it could not be read.

    Attributes:
        path: the file.
        classes: (class name, probability in [0, 1]), best first; where images have several labels each has its own.
        changes: what was done to the image, in words.
        error: why the file could not be read; "" where it could.

    >>> from pathlib import Path
    >>> Prediction(Path("a.png"), (("cat", 0.9), ("dog", 0.1))).classes[0]
    ('cat', 0.9)
    """

    path: Path
    classes: tuple[tuple[str, float], ...] = ()
    changes: tuple[str, ...] = ()
    error: str = ""


@overload
def predict(model: Network, paths: Tensor, *, top: int = 5, invert: bool = False) -> Tensor: ...
@overload
def predict(model: Network, paths: Array, *, top: int = 5, invert: bool = False) -> Array: ...
@overload
def predict(model: Network, paths: Paths, *, top: int = 5, invert: bool = False) -> Iterator[Prediction]: ...
@suggesting
def predict(
    model: Network, paths: Paths | Tensor | Array, *, top: int = 5, invert: bool = False
) -> Iterator[Prediction] | Tensor | Array:
    """Classify image files, in order; a file that cannot be read gets an error, and the others go on.

    A folder stands for the image files in it and in its folders, by their endings.

    A network that predicts at every point, such as V-MgNet, takes inputs (N, c, n, ...) as its data set has them, on
    any grid, and returns values (N, d, n, ...) in the units of the targets, or classes (N, n, ...): a tensor on the
    CPU for a tensor, an array for an array.

    Args:
        model: a network that `nets.load` has read, which has its `transform`.
        paths: one path, or a list of paths; or the inputs.
        top: how many classes of an image; at most all of them.
        invert: black for white.

    Raises:
        TypeError, ValueError: naming the argument, or a folder without an image file, before any work.

    >>> model = create_model("MgNet[1]-[4]-B^l", num_classes=2, in_channels=1)
    >>> model.transform = Transform("pets", (1, 8, 8), (0.5,), (0.5,), ("cat", "dog"))
    >>> [prediction.error != "" for prediction in predict(model, "missing.png")]
    [True]
    """
    check_integer("top", top, 1)
    if not isinstance(model, Network):
        raise TypeError(f"model must be a nets.Network; got {type(model).__name__}")
    if isinstance(model.transform, DenseTransform):
        return _at_points(model, model.transform, paths, invert)
    if model.transform is None:
        raise ValueError("model must know how images are prepared: read it with nets.load, or set model.transform")
    files = [Path(f) for path in _paths(paths) for f in (images_in(path) if path.is_dir() else [path])]
    parts = (files[start : start + BATCH] for start in range(0, len(files), BATCH))
    return (prediction for part in parts for prediction in _batch(model, part, top, invert))


def _at_points(model: Network, transform: DenseTransform, inputs: Any, invert: bool) -> Tensor | Array:
    if invert:
        raise ValueError("invert must be False for a network that predicts at every point; got True")
    values = as_tensor(inputs)
    if not isinstance(values, Tensor):
        need = f"inputs (N, {len(transform.mean)}, n, ...), a torch.Tensor or an array"
        raise TypeError(f"paths must be {need}, as the network predicts at every point; got {type(inputs).__name__}")
    if len(values) == 0:
        raise ValueError(f"paths must hold an input or more; got shape {tuple(values.shape)}")
    found = predict_dense(model, transform, values, BATCH)
    return found if isinstance(inputs, Tensor) else found.numpy()


def _paths(given: Any) -> list[Path]:
    """Make a list of one path or of many: a name is not the letters in it."""
    many = isinstance(given, Iterable) and not isinstance(given, str | PathLike)
    paths = list(given) if many else [given]
    for path in paths:
        if not isinstance(path, str | PathLike):
            need = "the path of an image file or of a folder, or a list of them"
            raise TypeError(f"paths must be {need}; got {type(path).__name__}")
    return [Path(path) for path in paths]


def _batch(model: Network, paths: list[Path], top: int, invert: bool) -> list[Prediction]:
    transform = model.transform
    assert isinstance(transform, Transform)
    read: dict[int, Prediction] = {}
    pixels: list[Tensor] = []
    good: list[int] = []
    for i, path in enumerate(paths):
        try:
            picture = transform.read(path, invert=invert)
        except ImageFileError as error:
            read[i] = Prediction(path, error=str(error))
        else:
            read[i] = Prediction(path, changes=picture.changes)
            pixels.append(picture.pixels)
            good.append(i)
    if pixels:
        found = probabilities(model, torch.stack(pixels))
        check_class_names(transform, found.shape[1])
        chances, classes = found.topk(min(top, len(transform.class_names)), dim=1)
        for i, row, best in zip(good, chances.tolist(), classes.tolist(), strict=True):
            named = tuple((transform.class_names[k], chance) for k, chance in zip(best, row, strict=True))
            read[i] = Prediction(read[i].path, named, read[i].changes)
    return [read[i] for i in range(len(paths))]


def probabilities(model: Network, pixels: Tensor) -> Tensor:
    """Softmax (N, classes), or sigmoid where images have several labels, of images (N, channels, ...) in [0, 1]."""
    transform, weight = model.transform, next(model.parameters())
    assert transform is not None
    with evaluating(model), torch.inference_mode():
        scores: Tensor = model(transform.normalise(pixels.to(weight.device, weight.dtype)))
        scores = scores.float()
        several = isinstance(transform, Transform) and transform.multilabel
        return (scores.sigmoid() if several else scores.softmax(1)).cpu()
