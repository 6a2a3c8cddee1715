"""Random numbers as functions of (seed, epoch, index), not of a stream.

So a run that is resumed at an epoch makes the choices of the run that was not interrupted, and an image is
augmented in the same way in whichever batch it comes.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor


def generator(seed: int, *parts: int | str) -> torch.Generator:
    """A generator that depends on these values and on nothing else."""
    return torch.Generator().manual_seed(_number(seed, *parts))


def _number(*parts: int | str) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "big")


def order(seed: int, epoch: int, count: int) -> Tensor:
    """The order in which an epoch visits the images: a permutation (count,)."""
    return torch.randperm(count, generator=generator(seed, epoch, "order"))


def table(seed: int, epoch: int, count: int, columns: int) -> Tensor:
    """Numbers (count, columns), uniform in [-1, 1); row i belongs to image i."""
    return 2 * torch.rand(count, columns, generator=generator(seed, epoch, "augmentation")) - 1


def beta(seed: int, epoch: int, count: int, alpha: float, purpose: str) -> Tensor:
    """Numbers (count,) in [0, 1] of the distribution Beta(alpha, alpha), in float64; number i belongs to image i."""
    return torch.from_numpy(np.random.default_rng(_number(seed, epoch, purpose)).beta(alpha, alpha, count))
