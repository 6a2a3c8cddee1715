"""The handwritten digits that ship with scikit-learn: 1797 images of 8 x 8 pixels."""

from __future__ import annotations

import torch

from nets.data.dataset import Dataset, statistics


def digits(seed: int = 0, test_fraction: float = 0.2) -> Dataset:
    """A stratified split by `seed`; images (N, 1, 8, 8), floats from 0 to 16.

    Raises:
        ImportError: where scikit-learn is missing.
        ValueError: where test_fraction is not strictly between 0 and 1.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must lie strictly between 0 and 1; got {test_fraction}")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer from 0 to 2^32 - 1, as it splits the data; got {seed!r}")
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError("data 'digits' comes with scikit-learn: pip install scikit-learn") from error
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images, labels, test_size=test_fraction, stratify=labels, random_state=seed)
    train, test = (torch.as_tensor(p, dtype=torch.float32).reshape(-1, 1, 8, 8) for p in parts[:2])
    labels, test_labels = map(torch.as_tensor, parts[2:])
    names = tuple(map(str, range(10)))
    return Dataset("digits", train, labels, test, test_labels, names, *statistics(train), split=seed)
