"""Weights of classes in the loss: balanced, or given."""

from __future__ import annotations

from collections.abc import Mapping, Set
from math import isfinite
from typing import Any

from nets.data import Data, DenseDataset
from nets.data.sampling import class_counts, refuse_absent

NONE, BALANCED = "none", "balanced"
Weights = str | tuple[float, ...]


def checked_weights(value: Any) -> Weights:
    """Settle "none", "balanced", or numbers, one per class; as text, "1,2,0.5", too.

    Raises:
        TypeError, ValueError: naming the argument.
    """
    if isinstance(value, str) and value in (NONE, BALANCED):
        return str(value)
    values: Any = value.tolist() if hasattr(value, "tolist") else value
    need = f"class_weights must be {NONE!r}, {BALANCED!r}, or finite numbers >= 0, one per class and not all 0"
    if isinstance(value, Mapping | Set):  # which have no order of classes
        values = None
    try:
        numbers = tuple(map(float, values.split(",") if isinstance(values, str) else values))
    except (TypeError, ValueError, OverflowError):
        numbers = ()
    if not numbers or not all(isfinite(number) and number >= 0 for number in numbers) or not any(numbers):
        raise (ValueError if isinstance(values, str | tuple | list) else TypeError)(f"{need}; got {value!r}")
    return numbers


def class_weights(data: Data, weights: Weights) -> tuple[float, ...] | None:
    """The weights of the classes of `data`, None where all are 1.

    Balanced are N / (K n_c), of K classes and N training images of which n_c are of class c, or so many points; of
    several labels per image the weight of a 1 is (N - n_c) / n_c, so that ones and zeros count alike.

    Raises:
        ValueError: where they do not fit the classes, or a class has no training image to be balanced by.
    """
    if weights == NONE:
        return None
    if isinstance(data, DenseDataset) and data.is_regression:
        raise ValueError(f"class_weights must be {NONE!r}: the targets of data {data.name!r} are floats; got {weights}")
    classes = data.outputs
    if isinstance(weights, tuple):
        if len(weights) != classes:
            raise ValueError(
                f"class_weights must be {classes} numbers, one per class of data {data.name!r}; got {len(weights)}"
            )
        return weights
    counts = refuse_absent(data, "class_weights", class_counts(data))
    found = (len(data.train_labels) - counts) / counts if data.is_multilabel else counts.sum() / (classes * counts)
    values: list[float] = found.tolist()
    return tuple(values)
