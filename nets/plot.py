"""Pictures: a network as a cycle over its levels, learning curve, confusion matrix, misclassified images.

Figures are made directly, without pyplot: no window, no global state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING

from torch import Tensor

from nets.drawing import cycle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_matrix", "cycle", "learning_curve", "misclassified"]

BLUE, ORANGE, GREY = "#1f5a93", "#d9741a", "#606060"


def learning_curve(history: Sequence[Mapping[str, float]], path: str | PathLike[str]) -> None:
    """Error in percent, training (augmented) and held out, and loss, over the epochs of `history`."""
    figure = _figure(9.0, 3.8)
    errors, losses = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    for key, label, colour in (("accuracy", "training, augmented", GREY), ("test_accuracy", "held out", BLUE)):
        errors.plot(epochs, [100 * (1 - row[key]) for row in history], color=colour, label=label, lw=2, clip_on=False)
    last = 100 * (1 - history[-1]["test_accuracy"])
    errors.annotate(f"{last:.2f} %", (epochs[-1], last), (6, 6), textcoords="offset points", color=BLUE, va="center")
    errors.set_yscale("symlog", linthresh=0.2, linscale=0.3)  # logarithmic, but 0 has its place
    errors.set_yticks([0, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100], minor=False)
    errors.set_yticks([], minor=True)
    errors.yaxis.set_major_formatter("{x:g}")
    errors.set(ylim=(0, 100), xlabel="epoch", title="error in %")
    errors.legend(frameon=False)
    losses.plot(epochs, [row["loss"] for row in history], color=GREY, lw=2)
    losses.set(xlabel="epoch", title="training loss")
    for axes in (errors, losses):
        _plain(axes)
    _save(figure, path)


def confusion_matrix(matrix: Tensor, names: Sequence[str], path: str | PathLike[str]) -> None:
    """Counts (classes, classes), rows the truth; the colour shows the mistakes, the diagonal is left pale."""
    classes = len(names)
    if tuple(matrix.shape) != (classes, classes):
        raise ValueError(f"matrix must have shape ({classes}, {classes}), as names; got {tuple(matrix.shape)}")
    figure = _figure(1.0 + 0.48 * classes, 1.3 + 0.48 * classes)
    axes = figure.subplots()
    mistakes = matrix.clone().float()
    mistakes.fill_diagonal_(0)
    axes.imshow(mistakes.numpy(), cmap="Oranges", vmin=0, vmax=max(3.0, 1.3 * float(mistakes.max())))
    for i, row in enumerate(matrix.tolist()):
        for j, count in enumerate(row):
            if count:
                axes.text(j, i, str(count), ha="center", va="center", color=GREY if i == j else "black", fontsize=11)
    axes.set_xticks(range(classes), names)
    axes.set_yticks(range(classes), names)
    axes.tick_params(length=0)
    total, wrong = int(matrix.sum()), int(mistakes.sum())
    right = 100 * (1 - wrong / max(total, 1))
    axes.set(xlabel="predicted", ylabel="truth", title=f"{right:.2f} % right, {wrong} of {total} wrong")
    for spine in axes.spines.values():
        spine.set_visible(False)
    _save(figure, path)


def misclassified(
    images: Tensor,
    truth: Tensor,
    predicted: Tensor,
    path: str | PathLike[str],
    names: Sequence[str] | None = None,
    limit: int = 12,
) -> None:
    """The first `limit` images (N, 1 or 3, height, width) that were taken for another class, with both classes."""
    wrong = (truth != predicted).nonzero().flatten().tolist()
    shown = wrong[:limit]
    columns = min(max(len(shown), 1), 6)
    rows = -(-max(len(shown), 1) // columns)
    figure = _figure(max(1.5 * columns, 4.5), 1.75 * rows + 0.5)
    figure.suptitle(f"{len(wrong)} of {len(truth)} misclassified" + (f", {limit} shown" if len(wrong) > limit else ""))
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, index in zip(figure.axes, shown, strict=False):
        _image(axes, images[index])
        a, b = int(truth[index]), int(predicted[index])
        axes.set_title(f"{names[a]} as {names[b]}" if names else f"{a} as {b}", fontsize=12)
    _save(figure, path)


def _image(axes: Axes, image: Tensor) -> None:
    image = image.float()
    low, high = image.min(), image.max()
    picture = ((image - low) / (high - low).clamp(min=1e-12)).permute(1, 2, 0).numpy()
    if picture.shape[2] == 1:
        axes.imshow(picture[..., 0], cmap="gray_r")
    else:
        axes.imshow(picture)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e4e4", lw=0.8)
    axes.set_axisbelow(True)
    axes.locator_params(axis="x", integer=True)


def _save(figure: Figure, path: str | PathLike[str]) -> None:
    for axes in figure.axes:
        axes.xaxis.label.set_fontsize(12)
        axes.yaxis.label.set_fontsize(12)
        axes.title.set_fontsize(13)
    figure.savefig(path)
