"""Which image each draw of an epoch takes, where the classes are to come equally often."""

from __future__ import annotations

import torch
from torch import Tensor

from nets.common import randomness
from nets.data.dense import Data, DenseDataset

SAMPLINGS = UNIFORM, BALANCED = "uniform", "balanced"


def class_counts(data: Data) -> Tensor:
    """How many training images, or points, are of each class (classes,), in float64."""
    labels = data.train_labels
    if data.is_multilabel:
        return labels.double().sum(0)
    return torch.bincount(labels.flatten(), minlength=data.outputs).double()


def refuse_absent(data: Data, argument: str, counts: Tensor) -> Tensor:
    """The counts, none of which is 0.

    Raises:
        ValueError: naming the argument and the classes without a training image.
    """
    absent = [data.class_names[k] for k in (counts == 0).nonzero().flatten().tolist()]
    if absent:
        more = ", ..." if len(absent) > 5 else ""
        need = f"{argument} must not be {BALANCED!r} where a class has nothing to learn from"
        raise ValueError(f"{need}; training data {data.name!r} have no {', '.join(map(repr, absent[:5]))}{more}")
    return counts


def check_sampling(data: Data, sampling: str) -> None:
    """Raises ValueError where the images of `data` cannot be drawn in this way."""
    if sampling == UNIFORM:
        return
    if isinstance(data, DenseDataset) or data.is_multilabel:
        kind = "a target at every point" if isinstance(data, DenseDataset) else "several labels per image"
        raise ValueError(f"sampling must be {UNIFORM!r}: data {data.name!r} has {kind}; got {sampling!r}")
    refuse_absent(data, "sampling", class_counts(data))


def balanced_draws(labels: Tensor, classes: int, seed: int, epoch: int) -> Tensor:
    """The images (N,) of the N draws of an epoch, those of class 0 first: every class N / classes times, or once more.

    An image comes again only after all others of its class; the classes of the rest are drawn anew in every epoch.
    """
    generator = randomness.generator(seed, epoch, "sampling")
    each, rest = divmod(len(labels), classes)
    wanted = torch.full((classes,), each)
    wanted[torch.randperm(classes, generator=generator)[:rest]] += 1
    members = labels.argsort(stable=True).split(torch.bincount(labels, minlength=classes).tolist())
    found = []
    for images, count in zip(members, wanted.tolist(), strict=True):
        rounds, more = divmod(count, len(images))
        found += [images] * rounds + [images[torch.randperm(len(images), generator=generator)[:more]]]
    return torch.cat(found)
