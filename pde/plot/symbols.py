"""What a cycle leaves of each Fourier mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pde.grid import Array
from pde.plot.style import save, style

LOW = "modes that the coarse grid has"


def symbol(
    theta: Sequence[Array], size: Array, path: str | Path, title: str = "", halved: Sequence[bool] | None = None
) -> Path:
    """Draw the share of each Fourier mode that a cycle leaves, from `pde.fourier.Analysis.error_symbol`.

    A curve in 1-D, an image in 2-D, in 3-D the three planes in which one frequency is zero.

    Args:
        halved: whether the next coarser grid halves each axis, `pde.fourier.Analysis.halved`; None: all. The modes
            that it has, below pi / 2 along these axes, are framed.
    """
    ends = [np.pi / 2 if halves else np.pi for halves in halved or [True] * size.ndim]
    names = [f"θ{digit}" for digit in "₁₂₃"]
    if size.ndim == 1:
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(theta[0], size)
        axes.axvspan(-ends[0], ends[0], color="k", alpha=0.07, label=LOW)
        axes.legend()
        style(axes, names[0], "what is left of the mode", title)
        return save(figure, path)
    planes = [(0, 1)] if size.ndim == 2 else [(1, 2), (0, 2), (0, 1)]
    figure = Figure(figsize=(5.2 * len(planes) + 0.8, 4.8), layout="constrained")
    for (a, b), axes in zip(planes, np.ravel(figure.subplots(1, len(planes))), strict=True):
        middle = tuple(slice(None) if c in (a, b) else len(theta[c]) // 2 for c in range(size.ndim))
        image = axes.pcolormesh(
            theta[a], theta[b], size[middle].T, shading="nearest", vmin=0, vmax=size.max(), rasterized=True
        )
        x, y = ends[a] * np.array([-1, 1, 1, -1, -1]), ends[b] * np.array([-1, -1, 1, 1, -1])
        axes.plot(x, y, "w--", lw=1.5, clip_on=False, label=LOW)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize="small", facecolor="0.4", labelcolor="w")
        axes.set(xlim=(-np.pi, np.pi), ylim=(-np.pi, np.pi))
        style(axes, names[a], names[b])
        axes.grid(False)
        axes.set_aspect("equal")
    figure.colorbar(image, ax=axes, shrink=0.9, label="what is left of the mode")
    figure.suptitle(title)
    return save(figure, path)
