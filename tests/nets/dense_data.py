"""Small pairs (input, target) on grids: smooth waves, their noisy copies, and where they are positive."""

import numpy as np
import torch

from nets.data import DenseDataset

NAME = "V-MgNet[1,1]-[8]-B^l"


def waves(count, dims=2, n=16, seed=0):
    """Smooth fields (count, 1, n, ...) of mean square 1, and the same with noise of deviation 1."""
    generator = torch.Generator().manual_seed(seed)
    axes = torch.meshgrid(*[torch.linspace(0, 1, n)] * dims, indexing="ij")
    numbers = torch.rand(count, dims + 1, generator=generator)
    phase = sum(2 * torch.pi * (1 + numbers[:, i].reshape(-1, *(1,) * dims)) * x for i, x in enumerate(axes))
    clean = (2**0.5 * torch.sin(phase + 2 * torch.pi * numbers[:, -1].reshape(-1, *(1,) * dims)))[:, None]
    return clean, clean + torch.randn(clean.shape, generator=generator)


def denoising(count=60, dims=2, n=16, **settings):
    """Clean from noisy, in units far from 1: 5 + 3 times the waves."""
    clean, noisy = (5 + 3 * part for part in waves(count, dims, n))
    k = count // 4
    return DenseDataset("waves", noisy[k:], clean[k:], noisy[:k], clean[:k], **settings)


def segmentation(count=60, dims=2, n=16, **settings):
    """Where the clean wave is positive, from the noisy one."""
    clean, noisy = waves(count, dims, n)
    mask, k = (clean[:, 0] > 0).long(), count // 4
    return DenseDataset("signs", noisy[k:], mask[k:], noisy[:k], mask[:k], **{"class_names": ("-", "+"), **settings})


def save(path, data, **more):
    """Write a data set as a file of NumPy."""
    names = ("train_inputs", "train_targets", "test_inputs", "test_targets")
    np.savez(path, **{name: getattr(data, name).numpy() for name in names}, **more)
    return path
