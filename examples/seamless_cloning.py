"""Poisson image editing: grow the dahlia of one sample photograph in the garden of the other.

In a rectangle of the garden, each colour channel solves -Laplace u = -div v with u given on the rectangle's edge; v is
the gradient of the flower where there is a flower, and of the garden elsewhere. (Perez, Gangnet, Blake 2003.)

    python examples/seamless_cloning.py [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave

import pde

CONTRAST = 0.65
FLOWERS = (  # (shrink by, rows and columns of the flower's photograph after shrinking, corner in the garden)
    (2, slice(35, 186), slice(75, 230), (272, 395)),
    (3, slice(22, 124), slice(48, 154), (322, 20)),
    (4, slice(18, 92), slice(38, 114), (240, 563)),
)


def photographs() -> tuple[np.ndarray, np.ndarray]:
    """(garden, flower): scikit-learn's two sample photographs as floats (427, 640, 3) in [0, 255]."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg").astype(float), load_sample_image("flower.jpg").astype(float)


def shrink(image: np.ndarray, k: int) -> np.ndarray:
    """Means over k x k pixels."""
    h, w = (size // k for size in image.shape[:2])
    return image[: h * k, : w * k].reshape(h, k, w, k, 3).mean(axis=(1, 3))


def clone(garden: np.ndarray, flower: np.ndarray, corner: tuple[int, int]) -> tuple[np.ndarray, pde.Solution]:
    """The garden (H, W, 3) with the flower (h, w, 3) grown in at `corner`; the three channels are solved as a batch."""
    (h, w), (top, left) = flower.shape[:2], corner
    target = garden[top : top + h, left : left + w].transpose(2, 0, 1)
    source = CONTRAST * flower.transpose(2, 0, 1)
    is_flower = flower[:, :, 0] > 60  # the background of the photograph is blue-green
    div = np.zeros((3, h - 2, w - 2))
    for axis in (0, 1):
        low, high = (np.take(is_flower, range(s, is_flower.shape[axis] - 1 + s), axis=axis) for s in (0, 1))
        v = np.where(low | high, np.diff(source, axis=axis + 1), np.diff(target, axis=axis + 1))
        inner = [slice(None), slice(1, -1), slice(1, -1)]
        inner[axis + 1] = slice(None)
        div += np.diff(v, axis=axis + 1)[tuple(inner)]
    edge = {(0, 0): target[:, 0, 1:-1], (0, 1): target[:, -1, 1:-1], (1, 0): target[:, 1:-1, 0]}
    edge[1, 1] = target[:, 1:-1, -1]
    problem = pde.Poisson((h - 2, w - 2), extent=(h - 1, w - 1))  # spacing: one pixel
    solution = pde.Multigrid(problem).solve(-div, edge, strict=True)
    result = garden.copy()
    result[top + 1 : top + h - 1, left + 1 : left + w - 1] = solution.u.transpose(1, 2, 0)
    return result, solution


def run(output: str | Path = "out") -> np.ndarray:
    """Clone three flowers; writes composite.png and composite_before_after.png, returns the composite."""
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    garden, flower = photographs()
    pasted, composite = garden.copy(), garden
    for k, rows, columns, corner in FLOWERS:
        piece = shrink(flower, k)[rows, columns]
        h, w = piece.shape[:2]
        pasted[corner[0] : corner[0] + h, corner[1] : corner[1] + w] = piece
        composite, solution = clone(composite, piece, corner)
        print(f"3 channels of {h - 2} x {w - 2}: {solution.message} ({1e3 * solution.seconds:.0f} ms)")
    composite = np.clip(composite, 0, 255)
    imsave(output / "composite.png", composite.astype(np.uint8))
    figure = Figure(figsize=(13, 4.7), layout="constrained")
    for axes, image, title in zip(figure.subplots(1, 2), (pasted, composite), ("pasted", "cloned"), strict=True):
        axes.imshow(image.astype(np.uint8))
        axes.set_title(title)
        axes.set_axis_off()
    figure.savefig(output / "composite_before_after.png", dpi=150)
    return composite


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="out", help="folder for the pictures (default out)")
    run(parser.parse_args().output)
