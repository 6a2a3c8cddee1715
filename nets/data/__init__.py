"""Data sets: raw images, augmented and normalised batch by batch."""

from nets.data.augment import Augmentation
from nets.data.batches import Batches
from nets.data.dataset import Dataset, SourceFile
from nets.data.digits import digits

DATA = {"digits": digits}
"""Data sets by name: name -> function of the split's seed."""


def load(name: str, seed: int = 0) -> Dataset:
    """The data set of this name, split by `seed`.

    Raises:
        ValueError: for a name that is not in `DATA`.
    """
    if name not in DATA:
        raise ValueError(f"data must be one of {', '.join(map(repr, DATA))}; got {name!r}")
    return DATA[name](seed)


__all__ = ["DATA", "Augmentation", "Batches", "Dataset", "SourceFile", "digits", "load"]
