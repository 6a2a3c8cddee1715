"""How a run went: learning curve, confusion matrix, ROC curve, misclassified images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nets.plot.style import BLUE, GREEN, GREY, ORANGE, PURPLE, figure, lines, percent_wrong, photograph, save
from nets.training.calibration import expected_calibration_error
from nets.training.objective import FIGURES

if TYPE_CHECKING:
    from nets.data import Images

CELL, COLUMN, CHARACTER = 0.48, 1.5, 0.1
"""Inches of a cell of a confusion matrix, of an image and of a letter of 11 points."""
LONGEST = 24
"""Letters of a class name in a picture."""
PARTS = {"validation": (BLUE, ORANGE), "test": (GREEN, PURPLE)}
"""Colours of the leading figure of a part, and of others."""


def shortened(name: str) -> str:
    """A class name of at most `LONGEST` letters, its middle left out."""
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[: half - 1]}…{name[-half:]}"


def learning_curve(history: Sequence[Mapping[str, Any]], path: str | PathLike[str]) -> None:
    """Error, training (augmented), validation and test, and loss, over the epochs of `history`.

    The error is in percent of images or points, or relative to the targets of a regression.
    """
    picture = figure(9.0, 3.8)
    errors, losses = picture.subplots(1, 2)
    own = next(name for name in FIGURES if name in history[0])
    percent = FIGURES[own].percent
    curves = [(own, "training, augmented" if own == "accuracy" else "training", GREY)]
    for part, (colour, other) in PARTS.items():
        curves.append((f"{part}_{own}", part, colour))
        more = [name for name in FIGURES if name != own and f"{part}_{name}" in history[0]]
        less = "100 % - " if percent else ""
        curves += [(f"{part}_{name}", f"{part}, {less}{FIGURES[name].words}", other) for name in more]
    for key, label, colour in curves:
        at = {row["epoch"]: row[key] for row in history if row.get(key) is not None}  # not every epoch is evaluated
        if not at:
            continue
        error = [100 * (1 - value) if percent else value for value in at.values()]
        marker = "o" if len(at) == 1 else "none"
        errors.plot(list(at), error, color=colour, label=label, lw=2, marker=marker, clip_on=False)
        if label in PARTS:
            words, place = f"{error[-1]:.2f} %" if percent else f"{error[-1]:.3g}", (max(at), error[-1])
            errors.annotate(words, place, (6, 6), textcoords="offset points", color=colour, va="center")
    if percent:
        percent_wrong(errors)
    else:
        errors.set_yscale("log")
    errors.set(xlabel="epoch", title="error in %" if percent else "error, relative to the targets")
    errors.legend(frameon=False)
    losses.plot([row["epoch"] for row in history], [row["loss"] for row in history], color=GREY, lw=2)
    losses.set(xlabel="epoch", title="training loss")
    for axes in (errors, losses):
        lines(axes)
        axes.locator_params(axis="x", integer=True)
    save(picture, path)


def confusion_matrix(matrix: Tensor, names: Sequence[str], path: str | PathLike[str]) -> None:
    """Counts (classes, classes), rows the truth; the colour shows the mistakes, the diagonal is left pale."""
    classes = len(names)
    if tuple(matrix.shape) != (classes, classes):
        raise ValueError(f"matrix must have shape ({classes}, {classes}), as names; got {tuple(matrix.shape)}")
    margin = CHARACTER * min(LONGEST, max(map(len, names)))
    picture = figure(max(4.0, 1.0 + margin + CELL * classes), max(2.0, 1.3 + margin + CELL * classes))
    axes = picture.subplots()
    mistakes = matrix.clone().float()
    mistakes.fill_diagonal_(0)
    axes.imshow(mistakes.numpy(), cmap="Oranges", vmin=0, vmax=max(3.0, 1.3 * float(mistakes.max())))
    for i, row in enumerate(matrix.tolist()):
        for j, count in enumerate(row):
            if count:
                axes.text(j, i, str(count), ha="center", va="center", color=GREY if i == j else "black", fontsize=11)
    labels = [shortened(name) for name in names]
    longest = max(map(len, labels))
    axes.set_xticks(range(classes), labels, rotation=90 if CHARACTER * longest > 0.9 * CELL else 0, parse_math=False)
    axes.set_yticks(range(classes), labels, parse_math=False)
    axes.tick_params(length=0)
    total, wrong = int(matrix.sum()), int(mistakes.sum())
    right = 100 * (1 - wrong / max(total, 1))
    axes.set(xlabel="predicted", ylabel="truth")
    picture.suptitle(f"{right:.2f} % right, {wrong} of {total} wrong", fontsize=12)  # long labels leave axes narrow
    for spine in axes.spines.values():
        spine.set_visible(False)
    save(picture, path)


def calibration(bins: Tensor, path: str | PathLike[str]) -> None:
    """Accuracy over confidence, and how many images have it, of `Evaluation.reliability` (bins, 3)."""
    count = len(bins)
    if bins.shape != (count, 3):
        raise ValueError(f"bins must have shape (bins, 3), as Evaluation.reliability; got {tuple(bins.shape)}")
    share, confidence, accuracy = bins.double().unbind(1)
    ece = expected_calibration_error(bins.double())
    picture = figure(4.8, 5.2)
    above, below = picture.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    middles, width = [(k + 0.5) / count for k in range(count)], 0.9 / count
    above.bar(middles, accuracy.tolist(), width, color=BLUE)
    full = (share > 0).tolist()
    above.plot(confidence[full].tolist(), accuracy[full].tolist(), "o", color=ORANGE, label="mean of a bin")
    above.plot((0, 1), (0, 1), color=GREY, lw=2, label="calibrated")
    above.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), title=f"expected calibration error {100 * ece:.2f} %")
    above.legend(loc="upper left", framealpha=0.9, edgecolor="none")  # bars may lie behind it
    below.bar(middles, (100 * share).tolist(), width, color=GREY)
    below.set(xlabel="confidence", ylabel="% of images")
    for axes in (above, below):
        lines(axes)
    save(picture, path)


def roc(curve: Tensor, path: str | PathLike[str]) -> None:
    """The rate of true positives over that of false ones, of `Evaluation.roc` (n, 2)."""
    shape = tuple(getattr(curve, "shape", ()))
    if len(shape) != 2 or shape[1] != 2:
        need = "curve must have shape (n, 2), as Evaluation.roc of two classes"
        raise ValueError(f"{need}; got {shape or type(curve).__name__}")
    false, true = torch.as_tensor(curve).double().T
    picture = figure(4.8, 4.8)
    axes = picture.subplots()
    axes.plot(false.tolist(), true.tolist(), color=BLUE, lw=2, clip_on=False)
    axes.plot((0, 1), (0, 1), color=GREY, ls="--")
    area = 100 * float(torch.trapezoid(true, false))
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=f"area under the ROC curve {area:.2f} %")
    axes.set(xlabel="rate of false positives", ylabel="rate of true positives")
    lines(axes)
    save(picture, path)


def misclassified(
    images: Images,
    truth: Tensor,
    predicted: Tensor,
    path: str | PathLike[str],
    names: Sequence[str] | None = None,
    limit: int = 12,
) -> None:
    """The first `limit` images (N, channels, n, ...) that were taken for another class, with both classes."""
    wrong = (truth != predicted).nonzero().flatten().tolist()
    shown = wrong[:limit]
    columns = min(max(len(shown), 1), 6)
    rows = -(-max(len(shown), 1) // columns)
    picture = figure(max(COLUMN * columns, 4.5), 2.0 * rows + 0.5 if shown else 0.5)
    picture.suptitle(f"{len(wrong)} of {len(truth)} misclassified" + (f", {limit} shown" if len(wrong) > limit else ""))
    for axes in picture.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, index in zip(picture.axes, shown, strict=False):
        photograph(axes, images[index])
        a, b = (shortened(names[k]) if names else str(k) for k in (int(truth[index]), int(predicted[index])))
        size = min(11.0, 8 * COLUMN / (CHARACTER * max(len(a), len(b) + 3)))
        words = axes.text(0.5, 1.02, f"{a}\nas {b}", fontsize=size, ha="center", va="bottom", parse_math=False)
        words.set_transform(axes.transAxes)
    save(picture, path)
