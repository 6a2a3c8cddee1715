"""A random error before and after smoothing, in space and by frequency, and what is left of it on every level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mgcore import Level
from pde.common.arguments import count
from pde.plot.frequencies import bands, spectrum
from pde.plot.style import save, style
from pde.problem.grid import Array, Axis
from pde.solver.multigrid import Multigrid

SAMPLES = 2**15
"""Values of random errors per level, from which the curves are means."""


def smoothing(mg: Multigrid, path: str | Path, sweeps: int = 1, seed: int = 20, title: str = "") -> Path:
    """A random error before and after smoothing: as a picture, by frequency, and what is left on every level.

    The smoothing is that of the level before its coarse-grid correction (after it, where there is none before),
    repeated `sweeps` times. The frequencies are those of the sine, cosine or Fourier transform that fits the ends of
    each axis; Robin ends count as Neumann ends, and stretched axes by the numbers of their unknowns.
    """
    sweeps, seed = count("sweeps", sweeps, least=1), count("seed", seed, least=0)
    shown = [number for number, level in enumerate(mg.levels) if level.R is not None]
    if not shown:
        raise ValueError("mg has one level, which is solved directly: there is no smoothing to show")
    figure = Figure(figsize=(13.2, 7.4), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 1, 1.25))
    before, after = smoothed(mg.levels[0], mg.dtype, sweeps, seed)
    axes = mg.problem.grid.axes
    for column, (draw, values) in enumerate(
        ((_errors, (before, after)), (_spectra, [spectrum(axes, e) for e in (before, after)]))
    ):
        panels = [figure.add_subplot(grid[row, column]) for row in (0, 1)]
        draw(figure, panels, axes, values, f"after {_sweeps(mg, sweeps)}")
    curves = figure.add_subplot(grid[:, 2])
    _levels(curves, mg, shown, sweeps, seed)
    figure.suptitle(title or f"{mg.levels[0].info.smoother} on {mg.problem!r}", fontsize=10)
    return save(figure, path)


def smoothed(level: Level, dtype: np.dtype, sweeps: int, seed: int, batch: tuple[int, ...] = ()) -> tuple[Array, Array]:
    """Random errors on a level, of variance 1, and what its smoothing leaves of them: S^sweeps e, since A u = 0."""
    before = np.random.default_rng(seed).standard_normal(batch + level.info.grid.shape).astype(dtype)
    if not level.B:
        level = replace(level, B=level.B_post, iterate=level.iterate_post)
    state = level.start(np.zeros_like(before), before)
    for _ in range(sweeps):
        state = level.smooth(state)
    assert state.u is not None
    return before, state.u


def _errors(figure: Figure, panels: Sequence[Any], axes: Sequence[Axis], values: Sequence[Array], after: str) -> None:
    """The error before and after; of three dimensions the central plane z = constant."""
    for panel, error, name in zip(panels, values, ("error before", f"error {after}"), strict=True):
        if error.ndim == 1:
            panel.plot(axes[0].points, error, lw=0.9)
            panel.set_ylim(*(1.05 * np.abs(values[0]).max() * np.array([-1, 1])))
            style(panel, "x", "error", name)
            continue
        plane = error[..., error.shape[2] // 2] if error.ndim == 3 else error
        bound = 3.0
        x, y = axes[0].points, axes[1].points
        image = panel.pcolormesh(
            x, y, plane.T, shading="nearest", cmap="RdBu_r", vmin=-bound, vmax=bound, rasterized=True
        )
        style(panel, "x", "y", name)
        panel.grid(False)
        figure.colorbar(image, ax=panel)


def _spectra(figure: Figure, panels: Sequence[Any], axes: Sequence[Axis], values: Any, after: str) -> None:
    """Amplitudes by frequency before and after; of three dimensions the root mean square over the third."""
    for panel, (thetas, size), name in zip(
        panels, values, ("by frequency, before", f"by frequency, {after}"), strict=True
    ):
        if size.ndim == 1:
            order = np.argsort(thetas[0])
            panel.semilogy(thetas[0][order] / np.pi, np.maximum(size[order], 1e-6), lw=0.9)
            panel.set_ylim(1e-3, 10)
            style(panel, "θ / π", "amplitude", name)
            continue
        plane = np.sqrt(np.mean(size**2, axis=2)) if size.ndim == 3 else size
        orders = [np.argsort(theta, kind="stable") for theta in thetas[:2]]
        x, y = (theta[order] / np.pi for theta, order in zip(thetas, orders, strict=False))
        image = panel.imshow(
            plane[np.ix_(*orders)].T,
            origin="lower",
            extent=(x[0], max(x[-1], x[0] + 0.1), y[0], max(y[-1], y[0] + 0.1)),
            vmin=0,
            vmax=2,
            cmap="magma",
            aspect="auto",
        )
        style(panel, "θ₁ / π", "θ₂ / π", name)
        panel.grid(False)
        figure.colorbar(image, ax=panel)


def _levels(panel: Any, mg: Multigrid, shown: Sequence[int], sweeps: int, seed: int) -> None:
    """What smoothing leaves on each level by wave number, the largest over the axes that the level halves."""
    for number in shown:
        level, below = mg.levels[number], mg.levels[number + 1].info.grid.shape
        grid = level.info.grid
        batch = (max(1, SAMPLES // grid.size),)
        (thetas, before), (_, after) = (spectrum(grid.axes, e) for e in smoothed(level, mg.dtype, sweeps, seed, batch))
        halved = [a for a, n in enumerate(grid.shape) if below[a] < n]
        waves = np.meshgrid(*(theta * len(theta) / np.pi for theta in thetas), indexing="ij", sparse=True)
        fastest = np.broadcast_to(
            np.max(np.stack(np.broadcast_arrays(*(waves[a] for a in halved))), axis=0), grid.shape
        )
        k, left = bands(np.broadcast_to(fastest, before.shape), before, after)
        panel.plot(k, left, marker=".", label=f"level {number + 1} ({'×'.join(map(str, grid.shape))})")
    panel.axhline(1.0, color="k", lw=0.8, ls=":")
    panel.set_xscale("log", base=2)
    panel.set_ylim(0, 2)
    style(panel, "half waves across the box", "what is left, root mean square", "left on every level, by frequency")
    panel.legend(frameon=False, fontsize=8)


def _sweeps(mg: Multigrid, sweeps: int) -> str:
    total = sweeps * (mg.nu[0] or mg.nu[1])
    return f"{total} sweep{'s' * (total > 1)}"
