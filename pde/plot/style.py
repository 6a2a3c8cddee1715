"""The style and the file of every picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

DPI = 150


def figure(width: float, height: float) -> tuple[Figure, Any]:
    """A figure with one plot, sizes in inches."""
    result = Figure(figsize=(width, height), layout="constrained")
    return result, result.add_subplot()


def style(axes: Any, x: str, y: str, title: str = "") -> None:
    """Name the axes of a plot; no frame above and to the right."""
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def save(picture: Figure, path: str | Path) -> Path:
    """Write a picture; its folder is made."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(target, dpi=DPI)
    return target
