"""What a cycle leaves of each Fourier mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pde.grid import Array
from pde.plot.style import save, style


def symbol(theta: Sequence[Array], size: Array, path: str | Path, title: str = "") -> Path:
    """What a cycle leaves of each Fourier mode, from `pde.fourier.Analysis.error_symbol`; the low ones are framed.

    A curve in 1-D, an image in 2-D, in 3-D the three planes in which one frequency is zero.
    """
    names = [f"θ{digit}" for digit in "₁₂₃"]
    if size.ndim == 1:
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(theta[0], size)
        axes.axvspan(-np.pi / 2, np.pi / 2, color="k", alpha=0.07)
        style(axes, names[0], "what is left of the mode", title)
        return save(figure, path)
    planes = [(0, 1)] if size.ndim == 2 else [(1, 2), (0, 2), (0, 1)]
    figure = Figure(figsize=(5.2 * len(planes) + 0.8, 4.8), layout="constrained")
    for (a, b), axes in zip(planes, np.ravel(figure.subplots(1, len(planes))), strict=True):
        middle = tuple(slice(None) if c in (a, b) else len(theta[c]) // 2 for c in range(size.ndim))
        image = axes.pcolormesh(
            theta[a], theta[b], size[middle].T, shading="nearest", vmin=0, vmax=size.max(), rasterized=True
        )
        axes.plot(*(np.pi / 2 * np.array(s) for s in ([-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1])), "w--", lw=1)
        style(axes, names[a], names[b])
        axes.grid(False)
        axes.set_aspect("equal")
    figure.colorbar(image, ax=axes, shrink=0.9, label="what is left of the mode")
    figure.suptitle(title)
    return save(figure, path)
