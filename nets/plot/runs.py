"""Many runs in one picture: learning curves, accuracies or errors against parameters and against time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan, nan
from os import PathLike
from typing import TYPE_CHECKING

from nets.plot.style import GREY, SERIES, figure, lines, percent_wrong, save
from nets.runs.records import Group, Record
from nets.training.objective import FIGURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LETTERS = 48
"""A longer label ends in dots."""


def learning_curves(groups: Sequence[Group], path: str | PathLike[str]) -> None:
    """Held-out error over the epochs: a curve per group, the mean of its runs, in a band from best to worst.

    It is that on the validation part, or of runs without one that on the test set, a dot where that is looked at once.
    Of regressions it is their relative error, of others the percentage that is wrong.

    A run that did not finish is a thin line of its own with a cross where it ended.

    Raises:
        ValueError: where no run has a history with a held-out figure.
    """
    shown = [group for group in groups if any(map(_errors, group.records))]
    if not shown:
        raise ValueError("runs: none has a history with a held-out figure")
    picture, parts = _per_data_set(shown)
    for axes, name, part in parts:
        for group, colour in zip(part, _colours(len(part)), strict=True):
            _curves(axes, group, colour)
        if FIGURES[part[0].first.figure].percent:
            percent_wrong(axes)
            unit = " in %"
        else:
            axes.set_yscale("log")
            unit = ", relative to the targets"
        lines(axes)
        axes.locator_params(axis="x", integer=True)
        axes.set(xlabel="epoch", title=f"{name}: held-out error{unit}")
        _legend(axes, crosses=any(group.others for group in part))
    save(picture, path)


def _curves(axes: Axes, group: Group, colour: str) -> None:
    """The mean of the finished runs over the epochs that all of them have, and every other run."""
    curves = [curve for record in group.finished if (curve := _errors(record))]
    if curves:
        epochs = sorted(set.intersection(*map(set, curves)))
        columns = [[curve[epoch] for curve in curves] for epoch in epochs]
        marker = "o" if len(epochs) == 1 else "none"
        means = [sum(c) / len(c) for c in columns]
        axes.plot(epochs, means, color=colour, lw=2, marker=marker, label=_label(group))
        axes.fill_between(epochs, [min(c) for c in columns], [max(c) for c in columns], color=colour, alpha=0.2, lw=0)
    for curve in filter(None, map(_errors, group.others)):
        epochs = sorted(curve)
        axes.plot(epochs, [curve[e] for e in epochs], color=colour, lw=0.9, ls="--")
        axes.plot(epochs[-1], curve[epochs[-1]], color=colour, marker="x", ms=7, mew=2)


def accuracy_parameters(groups: Sequence[Group], path: str | PathLike[str]) -> None:
    """Mean accuracy, or error of regressions, with its standard deviation against the number of parameters.

    Rings are what the papers print.

    Raises:
        ValueError: where no finished run says how many parameters it has.
    """
    _against(groups, path, lambda group: float(group.first.parameters or nan), "parameters", rings=True)


def accuracy_time(groups: Sequence[Group], path: str | PathLike[str]) -> None:
    """Mean accuracy, or error of regressions, with its deviation against the seconds from first to last evaluation.

    Raises:
        ValueError: where no finished run says how long it took.
    """
    _against(groups, path, lambda group: group.seconds, "seconds from the first batch to the last evaluation")


def _against(
    groups: Sequence[Group],
    path: str | PathLike[str],
    measure: Callable[[Group], float],
    what: str,
    rings: bool = False,
) -> None:
    shown = [group for group in groups if group.n and not isnan(measure(group))]
    if not shown:
        raise ValueError(f"runs: no finished run has {what}")
    picture, parts = _per_data_set(shown)
    for axes, name, part in parts:
        for group, colour in zip(part, _colours(len(part)), strict=True):
            x, spread = measure(group), 0.0 if isnan(group.deviation) else group.deviation
            axes.errorbar(x, group.mean, spread, color=colour, fmt="o", ms=6, capsize=3, lw=1.5, label=_label(group))
            for value in {entry.accuracy for entry in group.published} if rings else ():
                axes.plot(x, value, color=colour, marker="o", ms=9, mfc="none", mew=1.5)
        _logarithmic(axes, [measure(group) for group in part])
        lines(axes)
        shown_as = FIGURES[part[0].first.figure]
        axes.set(title=f"{name}: {shown_as.words}{' in %' if shown_as.percent else ''}", xlabel=what)
        _legend(axes, rings=rings and any(group.published for group in part))
    save(picture, path)


def _per_data_set(groups: Sequence[Group]) -> tuple[Figure, list[tuple[Axes, str, list[Group]]]]:
    """Axes one below the other, with the data set and its groups: the figures of two sets have nothing in common."""
    together: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        together.setdefault((group.first.data, group.first.figure), []).append(group)
    picture = figure(9.0, 0.6 + 3.8 * len(together))
    cells = picture.subplots(len(together), squeeze=False).flat
    return picture, [(axes, key[0], part) for axes, (key, part) in zip(cells, together.items(), strict=True)]


def _logarithmic(axes: Axes, values: Sequence[float]) -> None:
    """Make the x axis logarithmic, wider than the values, with plain numbers 1, 2 and 5 of every decade."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axes.set_xscale("log")
    axes.set_xlim(min(values) / 2, max(values) * 2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}" if min(values) >= 2 else "{x:g}"))


def _errors(record: Record) -> dict[int, float]:
    """The leading figure by epoch, in percent wrong or as it is, on the validation part or else the test part."""
    percent = FIGURES[record.figure].percent
    for part in ("validation", "test"):
        found = {int(row["epoch"]): row.get(f"{part}_{record.figure}") for row in record.history if "epoch" in row}
        known = {epoch: float(v) for epoch, v in found.items() if v is not None and not isnan(float(v))}
        if known:
            return {epoch: 100 * (1 - value) if percent else value for epoch, value in known.items()}
    return {}


def _label(group: Group) -> str:
    text = f"{group.first.network}, {group.first.recipe}"
    return (text if len(text) <= LETTERS else text[: LETTERS - 1] + "…") + (f", n = {group.n}" if group.n else "")


def _colours(count: int) -> list[str]:
    return [SERIES[i % len(SERIES)] for i in range(count)]


def _legend(axes: Axes, *, crosses: bool = False, rings: bool = False) -> None:
    if crosses:
        axes.plot([], [], color=GREY, marker="x", ms=7, mew=2, ls="--", lw=0.9, label="did not finish")
    if rings:
        axes.plot([], [], color=GREY, marker="o", ms=9, mfc="none", mew=1.5, ls="", label="published")
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))
