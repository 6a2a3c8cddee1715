"""Poisson image editing: grow the dahlia of one sample photograph in the garden of the other.

Lassos are drawn around the flowers. Inside, each colour channel solves -Laplace u = -div v, outside u is the garden;
v is the gradient of the flower on its petals, and that of the garden around them. (Perez, Gangnet, Blake 2003.)

    python examples/seamless_cloning.py [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave
from scipy import ndimage

import pde

CONTRAST = 0.65
MARGIN = 6  # pixels between the petals and the lasso
FLOWERS = ((2, (273, 398)), (3, (322, 22)), (4, (237, 554)))  # (shrink by, upper left corner in the garden)


def photographs() -> tuple[np.ndarray, np.ndarray]:
    """(garden, flower): scikit-learn's two sample photographs as floats (427, 640, 3) in [0, 255]."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg").astype(float), load_sample_image("flower.jpg").astype(float)


def shrink(image: np.ndarray, k: int) -> np.ndarray:
    """Means over k x k pixels."""
    h, w = (size // k for size in image.shape[:2])
    return image[: h * k, : w * k].reshape(h, k, w, k, 3).mean(axis=(1, 3))


def cut_out(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The flower (h, w, 3), its petals and the inside of a lasso around them, both (h, w)."""
    reddish, _ = ndimage.label(image[:, :, 0] > 100)  # the background of the photograph is blue-green
    petals = ndimage.binary_fill_holes(reddish == np.bincount(reddish[reddish > 0]).argmax())
    lasso = ndimage.binary_dilation(petals, iterations=MARGIN)
    box = ndimage.find_objects(lasso.astype(int))[0]
    return image[box], petals[box], lasso[box]


def plant(garden: np.ndarray, flower: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The garden with flowers pasted into it, and where their petals and the insides of the lassos are."""
    pasted, petals, lassos = garden.copy(), *np.zeros((2, *garden.shape[:2]), dtype=bool)
    for k, (top, left) in FLOWERS:
        piece, its_petals, lasso = cut_out(shrink(flower, k))
        h, w = lasso.shape
        place = slice(top, top + h), slice(left, left + w)
        pasted[place][lasso] = piece[lasso]
        petals[place] |= its_petals
        lassos[place] |= lasso
    return pasted, petals, lassos


def clone(garden: np.ndarray, pasted: np.ndarray, petals: np.ndarray, lassos: np.ndarray) -> pde.Solution:
    """The colours u (3, H, W) of the garden with the petals grown in; the three channels are solved as a batch."""
    target, source = garden.transpose(2, 0, 1), CONTRAST * pasted.transpose(2, 0, 1)
    f = np.zeros(target.shape)
    for axis in (0, 1):
        low, high = (np.delete(petals, end, axis) for end in (-1, 0))
        v = np.where(low | high, np.diff(source, axis=axis + 1), np.diff(target, axis=axis + 1))
        f -= np.diff(v, axis=axis + 1, prepend=0, append=0)
    problem = pde.Poisson(lassos.shape, lassos.shape, "neumann", centering="cell", domain=lassos)  # cells are pixels
    return pde.Multigrid(problem).solve(f, g={"walls": target}, strict=True)


def run(output: str | Path = "out") -> np.ndarray:
    """Clone three flowers; writes composite.png and composite_before_after.png, returns the composite."""
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    garden, flower = photographs()
    pasted, petals, lassos = plant(garden, flower)
    solution = clone(garden, pasted, petals, lassos)
    print(f"3 channels of {lassos.sum()} pixels in three lassos: {solution.message} ({1e3 * solution.seconds:.0f} ms)")
    composite = np.where(lassos[:, :, None], np.clip(solution.u.transpose(1, 2, 0), 0, 255), garden)
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
