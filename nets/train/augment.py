"""Augmentation of a batch by small shifts, rotations and changes of size."""

from __future__ import annotations

from math import radians

import torch
from torch import Tensor
from torch.nn import functional

from nets.train.recipe import Recipe

COLUMNS = 4
"""Random numbers per image: two for the shift, one for the rotation, one for the size."""


def augment(images: Tensor, numbers: Tensor, recipe: Recipe) -> Tensor:
    """Images (N, c, height, width) moved by bilinear interpolation; `numbers` (N, COLUMNS) lie in [-1, 1).

    What comes into view takes the value of the nearest pixel of the image.
    """
    if not (recipe.shift or recipe.rotation or recipe.scaling):
        return images
    height, width = images.shape[2:]
    angle, size = radians(recipe.rotation) * numbers[:, 2], 1 + recipe.scaling * numbers[:, 3]
    c, s = torch.cos(angle) * size, torch.sin(angle) * size
    # affine_grid measures from the centre in half extents; a pixel is 2 / extent
    dx, dy = numbers[:, 0] * recipe.shift * 2 / width, numbers[:, 1] * recipe.shift * 2 / height
    rows = torch.stack((c, -s * height / width, dx, s * width / height, c, dy), dim=1)
    grid = functional.affine_grid(rows.reshape(-1, 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
