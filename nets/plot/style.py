"""Figures, axes and colours of the pictures of this package.

Figures are made directly, without pyplot: no window, no global state.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE, GREY = "#1f5a93", "#c8641b", "#3a7d44", "#7a4f9a", "#606060"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, "#a03c4c", "#3f8f9c", "#8a6d1f", "#606060", "#222222", "#9a9a9a")
"""Colours of curves, in this order."""
PERCENT = (0, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
"""Ticks of a logarithmic axis of percent."""


def figure(width: float, height: float) -> Figure:
    """An empty figure of this many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def lines(axes: Axes) -> None:
    """Axes of curves: no frame, pale horizontal lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e4e4", lw=0.8)
    axes.set_axisbelow(True)


def percent_wrong(axes: Axes) -> None:
    """Make the y axis of errors in percent logarithmic down to 0, from tick to tick around the curves."""
    low, high = axes.dataLim.intervaly
    axes.set_yscale("symlog", linthresh=0.2, linscale=0.3)
    axes.set_yticks(PERCENT, minor=False)
    axes.set_yticks([], minor=True)
    axes.yaxis.set_major_formatter("{x:g}")
    bottom = max(tick for tick in PERCENT[:-1] if tick <= low)
    axes.set_ylim(bottom, min(tick for tick in PERCENT if tick >= high and tick > bottom))


def check_format(argument: str, name: str) -> None:
    """Refuse a format, such as "png", that matplotlib does not write."""
    known = figure(1, 1).canvas.get_supported_filetypes()
    if name.lower() not in known:
        raise ValueError(f"{argument} must be one of {', '.join(known)}; got {name!r}")


def save(picture: Figure, path: str | PathLike[str]) -> None:
    """Write it with titles and labels of one size, into a file of any format that matplotlib writes."""
    for axes in picture.axes:
        axes.xaxis.label.set_fontsize(12)
        axes.yaxis.label.set_fontsize(12)
        axes.title.set_fontsize(13)
    picture.savefig(path)


def photograph(axes: Axes, image: Tensor) -> None:
    """One image (channels, height, width), its values spread over the greys, black the largest, or of 3 the colours.

    Neither 1 nor 3 channels: their mean. Of a volume (channels, depth, height, width) the middle layer, and a signal
    (channels, n) as curves.
    """
    image = image.float()
    if image.ndim == 2:
        axes.plot(image.T.numpy(), lw=1)
        return
    image = image if image.ndim == 3 else image[:, image.shape[1] // 2]
    image = image if len(image) in (1, 3) else image.mean(0, keepdim=True)
    low, high = image.min(), image.max()
    scaled = ((image - low) / (high - low).clamp(min=1e-12)).permute(1, 2, 0).numpy()
    if scaled.shape[2] == 1:
        axes.imshow(scaled[..., 0], cmap="gray_r")
    else:
        axes.imshow(scaled)
