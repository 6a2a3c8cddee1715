"""Draw the share of each Fourier mode that a cycle leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pde.plot.style import figure, save, style
from pde.problem.grid import Array

LOW = "low frequencies, which the coarser grid has"


def symbol(
    theta: Sequence[Array], size: Array, path: str | Path, title: str = "", halved: Sequence[bool] | None = None
) -> Path:
    """Draw the share of each Fourier mode that a cycle leaves, the low modes framed.

    A curve in 1-D, an image in 2-D, in 3-D the three planes in which one frequency is zero.

    Args:
        halved: per axis, whether the next coarser grid halves it: along another one every frequency is low. None: all.
    """
    low = [np.pi / 2 if halve else 0.99 * np.pi for halve in (halved or [True] * size.ndim)]
    names = [f"θ{digit}" for digit in "₁₂₃"]
    if size.ndim == 1:
        picture, axes = figure(7, 4.2)
        axes.plot(theta[0], size)
        axes.axvspan(-low[0], low[0], color="k", alpha=0.07, label=LOW)
        style(axes, names[0], "share of the mode that is left", title)
        axes.legend(loc="upper right", fontsize=8)
        return save(picture, path)
    planes = [(0, 1)] if size.ndim == 2 else [(1, 2), (0, 2), (0, 1)]
    picture = Figure(figsize=(5.2 * len(planes) + 0.8, 4.8), layout="constrained")
    for (a, b), axes in zip(planes, np.ravel(picture.subplots(1, len(planes))), strict=True):
        middle = tuple(slice(None) if c in (a, b) else len(theta[c]) // 2 for c in range(size.ndim))
        image = axes.pcolormesh(
            theta[a], theta[b], size[middle].T, shading="nearest", vmin=0, vmax=size.max(), rasterized=True
        )
        corners = [-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]
        frame = [low[axis] * np.array(signs) for axis, signs in zip((a, b), corners, strict=True)]
        axes.plot(*frame, "w--", lw=1.5, label=LOW)
        style(axes, names[a], names[b])
        axes.grid(False)
        axes.set_aspect("equal")
    picture.colorbar(image, ax=axes, shrink=0.9, label="share of the mode that is left")
    picture.suptitle(title)
    picture.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", fontsize=8, facecolor="0.4", labelcolor="w"
    )
    return save(picture, path)
