"""Truth, prediction and error of a few held-out samples."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from torch import Tensor

from nets.plot.results import shortened
from nets.plot.style import BLUE, GREY, ORANGE, figure, lines, save
from nets.training.dense_evaluation import DenseEvaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE = 2.6
"""Inches of a map."""
LONG = 4
"""A map with longer sides than this times its others has pixels that are no squares."""
CLASSES = 12
"""Of more classes the names are left out."""


def predictions(evaluation: DenseEvaluation, path: str | PathLike[str], limit: int = 4) -> None:
    """The first `limit` samples, a row each: maps of truth, prediction and error, of 1-D samples lines.

    Of several channels the first is drawn, of three dimensions the middle of the first axis.

    Raises:
        ValueError: where `limit` is less than 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be an integer >= 1; got {limit}")
    rows = min(limit, evaluation.count)
    truths, found = (_drawn(values, evaluation)[:rows] for values in (evaluation.targets, evaluation.predictions))
    flat = truths.ndim == 2
    picture = figure(9.0, 2.4 * rows + 0.4) if flat else figure(3 * SIDE + 1.6, (SIDE + 0.35) * rows)
    cells = picture.subplots(rows, 2 if flat else 3, squeeze=False)
    for number, (row, truth, prediction) in enumerate(zip(cells, truths, found, strict=True)):
        (_lines if flat else _maps)(row, truth, prediction, evaluation)
        row[-1].set_title(_words(evaluation, number))
    if part := _part(evaluation.targets, evaluation.is_regression):
        picture.suptitle(f"{part}; numbers are of whole samples", fontsize=10)
    save(picture, path)


def _part(targets: Tensor, regression: bool) -> str:
    """Say what is drawn of a sample: "channel 1 of 2, point 6 of 10 of the first axis"; "" for all of it."""
    channels, grid = (targets.shape[1], targets.shape[2:]) if regression else (1, targets.shape[1:])
    words = [f"channel 1 of {channels}"] if channels > 1 else []
    words += [f"point {grid[0] // 2 + 1} of {grid[0]} of the first axis"] if len(grid) == 3 else []
    return ", ".join(words)


def _drawn(values: Tensor, evaluation: DenseEvaluation) -> Tensor:
    """Lines (N, n) or maps (N, n, m)."""
    values = values[:, 0] if evaluation.is_regression else values
    return values[:, values.shape[1] // 2] if values.ndim == 4 else values


def _words(evaluation: DenseEvaluation, number: int) -> str:
    if evaluation.is_regression:
        return f"relative error {float(evaluation.errors[number]):.3g}"
    wrong = (evaluation.predictions[number] != evaluation.targets[number]).double().mean()
    return f"wrong {100 * float(wrong):.2f} %"


def _error(truth: Tensor, prediction: Tensor, evaluation: DenseEvaluation) -> Tensor:
    return prediction - truth if evaluation.is_regression else (prediction != truth).float()


def _lines(row: Any, truth: Tensor, prediction: Tensor, evaluation: DenseEvaluation) -> None:
    values, errors = row
    style = "default" if evaluation.is_regression else "steps-mid"
    for part, label, colour in ((truth, "truth", GREY), (prediction, "prediction", BLUE)):
        values.plot(part.numpy(), color=colour, label=label, lw=2 if colour == GREY else 1.2, drawstyle=style)
    values.legend(frameon=False, fontsize=9)
    if not evaluation.is_regression:
        errors.set_yticks((0, 1), ("right", "wrong"))
        names = _names(evaluation)
        values.set_yticks(range(len(names)), names, parse_math=False)
    errors.plot(_error(truth, prediction, evaluation).numpy(), color=ORANGE, lw=1.2, drawstyle=style)
    for axes in row:
        lines(axes)


def _maps(row: Any, truth: Tensor, prediction: Tensor, evaluation: DenseEvaluation) -> None:
    error = _error(truth, prediction, evaluation)
    if evaluation.is_regression:
        scale: dict[str, Any] = {"vmin": float(truth.min()), "vmax": float(truth.max())}
        largest = float(error.abs().max())
        other: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
    else:
        from matplotlib import colormaps

        count = len(evaluation.class_names)
        cmap = colormaps["viridis"].resampled(count)
        scale = {"cmap": cmap, "vmin": -0.5, "vmax": count - 0.5, "interpolation": "nearest"}
        other = {"cmap": "gray_r", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    for axes, part, title, how in (
        (row[0], truth, "truth", scale),
        (row[1], prediction, "prediction", scale),
        (row[2], error, "error", other),
    ):
        bar = _map(axes, part, how, bar=title == "prediction" or (title == "error" and evaluation.is_regression))
        axes.set_title(title)
        if bar is not None and not evaluation.is_regression:
            names = _names(evaluation)
            bar.set_ticks(range(len(names)), labels=names, parse_math=False)


def _names(evaluation: DenseEvaluation) -> list[str]:
    """Names of the classes as ticks, of many classes none."""
    names = evaluation.class_names
    return [shortened(name) for name in names] if len(names) <= CLASSES else []


def _map(axes: Axes, values: Tensor, how: dict[str, Any], bar: bool) -> Any:
    """Draw a map, and its colour bar, which it returns."""
    long = max(values.shape) > LONG * min(values.shape)
    image = axes.imshow(values.numpy(), aspect="auto" if long else "equal", **how)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes.figure.colorbar(image, ax=axes, shrink=0.85) if bar else None
