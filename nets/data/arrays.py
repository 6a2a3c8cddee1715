"""Arrays of one's own as a data set: (x, y), split by a seed, or with a test part."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nets.common import randomness
from nets.common.checks import check_integer
from nets.data.dataset import Dataset, check_finite, checked_names, labels_of, raw_values, statistics
from nets.data.dense import Data, DenseDataset, checked_targets
from nets.data.given import as_tensor

TEST_FRACTION = 0.2
"""The share of every class that is held out where there is no test part."""


def from_arrays(
    x: Any,
    y: Any,
    x_test: Any = None,
    y_test: Any = None,
    class_names: Any = None,
    name: str = "arrays",
    seed: int = 0,
) -> Data:
    """Make a data set of tensors or NumPy arrays; without a test part a fifth of every class is held out, by the seed.

    Mean and deviation are measured on the training part.

    Args:
        x: images (N, channels, n, ...), uint8 or floats, as they are: `train` and `evaluate` normalise them.
        y: classes (N,), integers from 0, or several labels per image, zeros and ones (N, classes), which are split all
            together. With the grid of x it is a target at every point, and the result a `DenseDataset`: floats
            (N, d, n, ...) are values, integers (N, n, ...) classes.
        x_test, y_test: the test part; None splits x and y.
        class_names: None takes "0", "1", ... up to the highest class, each of which must occur.
        name: of the data set.
        seed: of the split.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> import numpy as np
    >>> x, y = np.random.default_rng(0).random((40, 1, 8, 8)), np.arange(40) % 2
    >>> nets.data.from_arrays(x, y, class_names=("cat", "dog"))
    Dataset('arrays', 32 images for training, 8 for testing, 1 x 8 x 8 torch.float32, 2 classes)
    """
    check_integer("seed", seed, 0)
    if (x_test is None) != (y_test is None):
        raise ValueError(f"x_test and y_test go together; got no {'x' if x_test is None else 'y'}_test")
    images, targets, dense = _checked("x", x, y)
    given = x_test is not None
    others, other_targets, others_dense = _checked("x_test", x_test, y_test) if given else (images, targets, dense)
    if others_dense != dense or other_targets.ndim != targets.ndim:
        raise ValueError(f"y_test must be of the shape of y, {_shape(targets)}; got {_shape(other_targets)}")
    names = () if class_names is None else checked_names(class_names)
    if not (names or dense):
        names = _counted(targets, other_targets)
    if not given:
        train, test = split_indices(targets, seed)
        images, targets, others, other_targets = images[train], targets[train], images[test], targets[test]
    split = 0 if given else seed
    if dense:
        return DenseDataset(name, images, targets, others, other_targets, names, split=split)
    return Dataset(name, images, targets, others, other_targets, names, *statistics(images), split=split)


def split_indices(labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Indices of a training part and of a held-out fifth of every class, or of all where `labels` are no classes (N,).

    Raises:
        ValueError: where a class has one member.
    """
    strata = labels if labels.ndim == 1 else labels.new_zeros(len(labels), dtype=torch.long)
    held_out = torch.zeros(len(strata), dtype=torch.bool)
    for label in strata.unique().tolist():
        members = (strata == label).nonzero().flatten()
        if len(members) < 2:
            of = f"; class {label} has one" if labels.ndim == 1 else ""
            raise ValueError(f"y must have two entries or more, of each class, to be split{of}: give x_test and y_test")
        order = torch.randperm(len(members), generator=randomness.generator(seed, "split", label))
        held_out[members[order[: held_out_count(len(members), TEST_FRACTION)]]] = True
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()


def held_out_count(count: int, fraction: float) -> int:
    """How many of a class are held out: this fraction, at least one and not all."""
    return min(max(round(fraction * count), 1), count - 1)


def _checked(name: str, x: Any, y: Any) -> tuple[Tensor, Tensor, bool]:
    """Images and targets of a part, and whether there is a target at every point."""
    of_targets = name.replace("x", "y")
    images, answers = raw_values(name, x), as_tensor(y)
    if not isinstance(images, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor or an array of numbers; got {type(x).__name__}")
    check_finite(name, images, "image")
    grid = tuple(images.shape[2:])
    dense = isinstance(answers, Tensor) and answers.ndim > 1 and (answers.ndim > 2 or tuple(answers.shape[1:]) == grid)
    targets = checked_targets(of_targets, y, images) if dense else labels_of(of_targets, y)
    if len(targets) != len(images):
        raise ValueError(f"{of_targets} must be {len(images)}, one per image of {name}; got {len(targets)}")
    return images, targets, dense


def _counted(labels: Tensor, others: Tensor) -> tuple[str, ...]:
    """Names of classes by their numbers, which run from 0 without a gap where an image has one label."""
    if labels.ndim == 2:
        return tuple(map(str, range(labels.shape[1])))
    found = torch.cat([labels, others]).unique()
    if int(found[0]) != 0 or int(found[-1]) != len(found) - 1:
        raise ValueError(
            f"y must hold every class from 0 to the highest; got {found.tolist()[:10]}: number them anew, or give "
            "class_names, one for each number from 0"
        )
    return tuple(map(str, range(len(found))))


def _shape(values: Tensor) -> tuple[Any, ...]:
    return ("N", *values.shape[1:])
