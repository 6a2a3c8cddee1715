"""Residuals per cycle, beside the predicted line, and errors against the number of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib.ticker import MaxNLocator

from mgcore import Solution
from pde.plot.style import figure, save, style
from pde.solver.multigrid import Multigrid


def convergence(
    histories: Mapping[str, Sequence[float]],
    path: str | Path,
    title: str = "",
    predicted: Mapping[str, float] | None = None,
) -> Path:
    """Draw relative residuals per cycle on a logarithmic axis; the legend has the mean factor after the first cycle.

    `predicted` has the predicted factor of some of the histories: a dashed line of that slope from the residual after
    the first cycle.
    """
    picture, axes = figure(7, 4.6)
    for (label, norms), marker in zip(histories.items(), "osD^vP*X" * 8, strict=False):
        positive = [r for r in norms if 0 < r < np.inf]
        (line,) = axes.semilogy(range(len(positive)), positive, marker=marker, ms=5, label=label + _measured(positive))
        if predicted and label in predicted and len(positive) > 2:
            values = positive[1] * predicted[label] ** np.arange(len(positive) - 1.0)
            words = f"{label}, predicted: {predicted[label]:.3f} per cycle"
            axes.semilogy(range(1, len(positive)), values, "--", color=line.get_color(), lw=1.2, alpha=0.8, label=words)
    style(axes, "cycle", "‖f − A u‖ / ‖f‖", "\n".join(wrap(title, 72)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return save(picture, path)


def history(
    mg: Multigrid, solution: Solution, path: str | Path, cycle: str = "fmg", accel: str | None = None, title: str = ""
) -> Path:
    """Draw the residuals of a solve, beside the line of `mg.predict` where Fourier analysis gives one.

    Args:
        cycle, accel: as they were given to `mg.solve`.
    """
    accel = mg.acceleration(accel, cycle)
    label = {"fmg": "full multigrid, then V-cycles"}.get(cycle, f"{cycle}-cycles")
    if accel is not None:
        label = f"conjugate gradients, {'V' if cycle == 'fmg' else cycle}-cycles"
    factor = predicted_factor(mg, cycle, accel)
    predicted = {} if factor is None else {label: factor}
    return convergence({label: solution.residual_norms}, path, title or repr(mg.problem), predicted)


def predicted_factor(mg: Multigrid, cycle: str = "fmg", accel: str | None = None) -> float | None:
    """The predicted factor of the cycles of a solve; None where Fourier analysis has none."""
    try:
        return mg.predict("V" if cycle == "fmg" else cycle, accel=accel)
    except (TypeError, ValueError):  # of a nonlinear problem
        return None


def order(sizes: Sequence[int], errors: Mapping[str, Sequence[float]], path: str | Path, title: str = "") -> Path:
    """Draw maximum errors against the number of points per axis, with a line of slope -2."""
    picture, axes = figure(7, 4.6)
    n = np.asarray(sizes, dtype=float)
    for (label, values), marker in zip(errors.items(), "osD^", strict=False):
        axes.loglog(n, values, marker=marker, ms=5, label=label)
    first = float(next(iter(errors.values()))[0])
    axes.loglog(n, first * (n[0] / n) ** 2, "k--", lw=1, label="order 2")
    axes.set_xticks(n, [str(s) for s in sizes])
    axes.minorticks_off()
    style(axes, "unknowns per axis", "maximum error", title)
    axes.legend(frameon=False)
    return save(picture, path)


def _measured(norms: Sequence[float]) -> str:
    later = norms[1:]
    return f": {(later[-1] / later[0]) ** (1 / (len(later) - 1)):.3f} per cycle" if len(later) > 1 else ""
