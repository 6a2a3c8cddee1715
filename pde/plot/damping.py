"""Draw a random error before and after smoothing, in space and by frequency, and its share left on every level."""

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
    """Draw a random error before and after smoothing, in space and by frequency, and its share left on every level.

    A level smooths as before its coarse-grid correction (as after it, where it does not before), `sweeps` times. See
    `pde.plot.frequencies.spectrum` for the frequencies.
    """
    sweeps, seed = count("sweeps", sweeps, least=1), count("seed", seed, least=0)
    shown = [number for number, level in enumerate(mg.levels) if level.R is not None]
    if not shown:
        raise ValueError("mg has one level, which is solved directly: there is no smoothing to show")
    figure = Figure(figsize=(13.2, 7.4), layout="constrained")
    panels = figure.subplot_mosaic("ABC;DEC", width_ratios=(1, 1, 1.25))
    panels["D"].sharey(panels["A"])
    total = sweeps * (mg.nu[0] or mg.nu[1])
    names = ("before", f"after {total} sweep{'s' * (total > 1)}")
    errors = smoothed(mg.levels[0], mg.dtype, sweeps, seed)
    for name, error, left, right in zip(names, errors, "AD", "BE", strict=True):
        _error(figure, panels[left], mg.problem.grid.axes, error, f"error {name}")
        _spectrum(figure, panels[right], mg.problem.grid.axes, error, f"by frequency, {name}")
    _levels(panels["C"], mg, shown, sweeps, seed)
    figure.suptitle(title or f"{mg.levels[0].info.smoother} on {mg.problem!r}", fontsize=10)
    return save(figure, path)


def smoothed(level: Level, dtype: np.dtype, sweeps: int, seed: int, batch: tuple[int, ...] = ()) -> tuple[Array, Array]:
    """Random errors e on a level, of variance 1, and S^sweeps e after its smoothing, where A u = 0."""
    before = np.random.default_rng(seed).standard_normal(batch + level.info.grid.shape).astype(dtype)
    if not level.B:
        level = replace(level, B=level.B_post, iterate=level.iterate_post)
    state = level.start(np.zeros_like(before), before)
    for _ in range(sweeps):
        state = level.smooth(state)
    assert state.u is not None
    return before, state.u


def _error(figure: Figure, panel: Any, axes: Sequence[Axis], error: Array, name: str) -> None:
    """Draw an error; of three dimensions the central plane z = constant."""
    if error.ndim == 1:
        panel.plot(axes[0].points, error, lw=0.9)
        return style(panel, "x", "error", name)
    plane = error[..., error.shape[2] // 2] if error.ndim == 3 else error
    colours = {"cmap": "RdBu_r", "vmin": -3, "vmax": 3}
    image = panel.pcolormesh(axes[0].points, axes[1].points, plane.T, shading="nearest", rasterized=True, **colours)
    _finish_plane(figure, panel, image, "x", "y", name)


def _spectrum(figure: Figure, panel: Any, axes: Sequence[Axis], error: Array, name: str) -> None:
    """Draw amplitudes by frequency; of three dimensions the root mean square over the third."""
    thetas, size = spectrum(axes, error)
    orders = [np.argsort(theta, kind="stable") for theta in thetas[:2]]
    x, *rest = (theta[order] / np.pi for theta, order in zip(thetas, orders, strict=False))
    if not rest:
        panel.semilogy(x, np.maximum(size[orders[0]], 1e-6), lw=0.9)
        panel.set_ylim(1e-3, 10)
        return style(panel, "θ / π", "amplitude", name)
    plane = np.sqrt(np.mean(size**2, axis=2)) if size.ndim == 3 else size
    extent = [bound for t in (x, *rest) for bound in (t[0], max(t[-1], t[0] + 0.1))]
    colours = {"cmap": "magma", "vmin": 0, "vmax": 2}
    image = panel.imshow(plane[np.ix_(*orders)].T, origin="lower", extent=extent, aspect="auto", **colours)
    _finish_plane(figure, panel, image, "θ₁ / π", "θ₂ / π", name)


def _finish_plane(figure: Figure, panel: Any, image: Any, x: str, y: str, name: str) -> None:
    style(panel, x, y, name)
    panel.grid(False)
    figure.colorbar(image, ax=panel)


def _levels(panel: Any, mg: Multigrid, shown: Sequence[int], sweeps: int, seed: int) -> None:
    """Draw the share left on each level by wave number, the largest over the axes that the level halves."""
    for number in shown:
        grid, below = mg.levels[number].info.grid, mg.levels[number + 1].info.grid.shape
        batch = (max(1, SAMPLES // grid.size),)
        errors = smoothed(mg.levels[number], mg.dtype, sweeps, seed, batch)
        (thetas, before), (_, after) = (spectrum(grid.axes, e) for e in errors)
        waves = np.meshgrid(*(theta * len(theta) / np.pi for theta in thetas), indexing="ij")
        fastest = np.max([waves[a] for a, n in enumerate(grid.shape) if below[a] < n], axis=0)
        k, left = bands(np.broadcast_to(fastest, before.shape), before, after)
        panel.plot(k, left, marker=".", label=f"level {number + 1} ({'×'.join(map(str, grid.shape))})")
    panel.axhline(1.0, color="k", lw=0.8, ls=":")
    panel.set_xscale("log", base=2)
    panel.set_ylim(0, 2)
    style(panel, "half waves across the box", "share left, root mean square", "left on every level, by frequency")
    panel.legend(frameon=False, fontsize=8)
