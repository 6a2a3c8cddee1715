"""Coefficients that jump: blocks and random media."""

from __future__ import annotations

import numpy as np


def blocks(shape: tuple[int, ...], size: int, jump: float = 1e6) -> np.ndarray:
    """A checkerboard of blocks."""
    index = np.meshgrid(*(np.arange(n) // size for n in shape), indexing="ij")
    return np.where(sum(index) % 2 == 0, jump, 1.0)


def binary(shape: tuple[int, ...], length: float, seed: int, jump: float = 1e6) -> np.ndarray:
    """One or `jump`, by the sign of a Gaussian random field with this correlation length in points."""
    noise = np.fft.fftn(np.random.default_rng(seed).standard_normal(shape))
    k = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
    smooth = np.fft.ifftn(noise * np.exp(-0.5 * (np.pi * length) ** 2 * sum(f**2 for f in k))).real
    return np.where(smooth > 0, jump, 1.0)
