"""A cold flat is heated for a day: the heat equation by implicit Euler with growing time steps.

python examples/heat.py [--n 80] [--hours 24] [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

import pde

ROOM = (6.0, 4.0)  # metres
AIR, BRICK, GLASS = 1.5, 0.005, 0.1  # conductivity over heat capacity, m^2/h; that of air is the one of a draught
SURFACE = 5.0  # heat transfer from the facade to the air outside, m/h
START = 10.0  # degrees Celsius
FIRST_STEP, LAST_STEP = 1 / 60, 1 / 4  # hours
SHOWN = (2.0, 6.0, 14.0)  # hours of the pictures


def conductivity(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The facade on the left has a window; a wall with an open door parts two rooms."""
    window, door = abs(y - 2.6) < 0.7, y < 0.9
    wall = np.where(abs(x - 3.5) < 0.1, np.where(door, AIR, BRICK), AIR)
    return np.where(x < 0.3, np.where(window, GLASS, BRICK), wall)


def radiator(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Heating under the window, in kelvin per hour."""
    return np.where((abs(x - 0.5) < 0.1) & (abs(y - 2.6) < 0.7), 60.0, 0.0)


def outside(t: float) -> float:
    """Degrees Celsius at hour t of the day; coldest at five in the morning."""
    return 2.0 - 6.0 * float(np.cos(2 * np.pi * (t - 5) / 24))


def run(n: int = 80, output: str | Path = "out", hours: float = 24.0) -> dict[str, float]:
    """The whole example on 3n/2 x n cells; returns the last means of both rooms and the error of the heat balance."""
    problem = pde.Poisson(
        (3 * n // 2, n),
        ROOM,
        boundary=[(("robin", SURFACE), "neumann"), "neumann"],
        centering="cell",
        coefficient=conductivity,
    )
    x, y = problem.points()
    source, W = radiator(x, y), problem.control_volumes()
    living, sleeping = (x > 0.3) & (x < 3.4), x > 3.6
    u, t, dt, steps = np.full(problem.shape, START), 0.0, FIRST_STEP, 0
    mg = pde.Multigrid(problem).update(reaction=1 / dt)
    print(mg, end="\n\n")
    history: list[tuple[float, ...]] = []
    pictures: dict[float, np.ndarray] = {}
    worst, cycles = 0.0, 0
    with tqdm(total=hours, bar_format="{desc} |{bar}| {n:.1f} of {total:.0f} h [{elapsed}{postfix}]") as bar:
        while t < hours - 1e-9:
            if steps % 8 == 0 and steps and dt < LAST_STEP:
                dt = min(2 * dt, LAST_STEP)
                mg.update(reaction=1 / dt)  # the same grids for the next, longer steps
            t, steps = t + dt, steps + 1
            g = {(0, 0): SURFACE * outside(t)}
            solution = mg.solve(u / dt + source, g, u0=u, rtol=1e-10, accel="cg", strict=True)
            cycles += solution.cycles
            facade = problem.embed(solution.u, g)[0, 1:-1]
            lost = SURFACE * np.sum(facade - outside(t)) * ROOM[1] / n
            stored = np.sum(W * (solution.u - u)) / dt
            worst = max(worst, abs(stored + lost - np.sum(W * source)) / abs(lost))
            u = solution.u
            history.append((t, outside(t), float(u[living].mean()), float(u[sleeping].mean())))
            for hour in SHOWN:
                if hour <= t and hour not in pictures:
                    pictures[hour] = u
            bar.update(min(dt, hours - bar.n))
            bar.set_postfix_str(f" step {steps}, {dt * 60:.0f} min, {solution.cycles} iterations", refresh=False)
    path = _draw(history, pictures, Path(output) / "heat.png")
    found = {"living room": history[-1][2], "sleeping room": history[-1][3], "error of the balance": worst}
    print(f"{steps} steps, {cycles / steps:.1f} iterations each; what is heated, stored and lost fits to {worst:.0e}")
    print(f"after {t:.0f} h: {found['living room']:.1f} and {found['sleeping room']:.1f} degrees; picture in {path}")
    return found


def _draw(history: list[tuple[float, ...]], pictures: dict[float, np.ndarray], path: Path) -> Path:
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    if pictures:
        inside = [u[u.shape[0] // 12 :] for u in pictures.values()]  # colours for the rooms, not for the facade
        low, high = (f([f(u) for u in inside]) for f in (np.min, np.max))
        panels = np.atleast_1d(above.subplots(1, len(pictures)))
        for (hour, u), axes in zip(pictures.items(), panels, strict=True):
            image = axes.imshow(
                u.T, origin="lower", extent=(0, ROOM[0], 0, ROOM[1]), vmin=low, vmax=high, cmap="inferno"
            )
            axes.contour(
                u.T,
                levels=np.arange(np.floor(low), high, 1),
                colors="w",
                linewidths=0.4,
                extent=(0, ROOM[0], 0, ROOM[1]),
            )
            axes.set(title=f"after {hour:g} h", xlabel="m", ylabel="m")
        above.colorbar(image, ax=panels, label="°C", extend="min")
    axes = below.subplots()
    t, *curves = np.array(history).T
    for curve, label, style in zip(
        curves, ("outside", "living room", "sleeping room"), ("k--", "C3", "C0"), strict=True
    ):
        axes.plot(t, curve, style, label=label)
    axes.set(xlabel="hours", ylabel="mean temperature, °C")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=80, help="cells across the flat, 3n/2 along it (default 80)")
    parser.add_argument("--hours", type=float, default=24.0, help="how long (default 24)")
    parser.add_argument("--output", default="out", help="folder for the picture (default out)")
    arguments = parser.parse_args()
    run(arguments.n, arguments.output, arguments.hours)
