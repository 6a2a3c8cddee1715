"""Heads in an aquifer with wells, a river and a sheet pile: -div(T grad h) = recharge - pumping, and its water balance.

The aquifer is closed at its sides. The river is left out of the domain and holds its stage; faces of cells with
transmissivity zero are the sheet pile, which protects the river from what leaks out of a pond.

    python examples/groundwater.py [--n 120] [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

import pde

AQUIFER = (2000.0, 1200.0)  # metres
RECHARGE = 0.3 / 365  # metres of rain a day that reach the water table
WELLS = ((480.0, 840.0, -900.0), (720.0, 330.0, -600.0), (1500.0, 650.0, 350.0))  # x, y, cubic metres a day; the pond
PILE = (1250.0, 350.0, 950.0)  # its x, and where it begins and ends


def transmissivity(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Square metres a day: gravel along an old bed of the river, sand around it."""
    return 60 + 900 * np.exp(-(((y - 500 - 250 * np.sin(x / 350)) / 120) ** 2))


def river(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where the river flows, 40 metres wide."""
    return abs(x - 1000 - 120 * np.sin(y / 250)) < 20


def stage(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The height of its water, which falls by a metre on the way."""
    return 10 - y / 1200


def at_faces(T: np.ndarray, axis: int) -> np.ndarray:
    """Harmonic means between neighbours, with the cells' own values at both ends."""
    first, last = T.take([0], axis), T.take([-1], axis)
    low, high = np.concatenate((first, T), axis), np.concatenate((T, last), axis)
    return 2 * low * high / (low + high)


def aquifer(n: int) -> tuple[pde.Poisson, np.ndarray]:
    """The problem on 5n/3 x n cells, and f: recharge and wells, in metres a day."""
    size = (5 * n // 3, n), AQUIFER, "neumann", "cell"
    x, y = pde.Poisson(*size).points()
    faces = [at_faces(transmissivity(x, y), axis) for axis in (0, 1)]
    dx, dy = (length / cells for length, cells in zip(AQUIFER, x.shape, strict=True))
    pile, start, end = PILE
    faces[0][round(pile / dx), round(start / dy) : round(end / dy)] = 0
    f = np.full(x.shape, RECHARGE)
    for x0, y0, rate in WELLS:
        f[int(x0 / dx), int(y0 / dy)] += rate / (dx * dy)
    return pde.Poisson(*size, domain=~river(x, y), face_coefficients=faces), f


def run(n: int = 120, output: str | Path = "out") -> dict[str, float]:
    """The whole example; returns the terms of the water balance, in cubic metres a day, and its error."""
    problem, f = aquifer(n)
    mg, g = pde.Multigrid(problem), {"walls": stage}
    print(mg, end="\n\n")
    solution = mg.solve(f, g, rtol=1e-10, strict=True)
    print(solution.message)
    found = {
        "recharge": RECHARGE * float(problem.control_volumes().sum()),
        "wells": sum(rate for _, _, rate in WELLS),
        "river": -float(pde.flux(problem, solution.u, "walls", g)),
    }
    error = abs(sum(found.values())) / found["recharge"]
    for name, flow in found.items():
        print(f"{name:10s} {flow:+9.1f} cubic metres a day")
    path = draw(problem, solution.u, Path(output) / "groundwater.png")
    print(f"the sum is {error:.1e} of the recharge; picture in {path}")
    return found | {"error": error}


def draw(problem: pde.Poisson, u: np.ndarray, path: Path) -> Path:
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    axes = figure.subplots()
    x, y = problem.points()
    wet = np.ma.masked_where(~problem.domain.inside, u)
    colours = colormaps["YlGnBu"].with_extremes(bad="C0")
    image = axes.pcolormesh(x, y, wet, shading="nearest", cmap=colours, rasterized=True)
    axes.contour(x, y, wet, levels=np.arange(-10, 30, 0.5), colors="k", linewidths=0.6)
    pile, start, end = PILE
    axes.plot([pile, pile], [start, end], "C3", linewidth=3)
    for x0, y0, rate in WELLS:
        axes.plot(x0, y0, "wo" if rate < 0 else "ws", markeredgecolor="k")
    axes.set(
        title="heads every half metre; wells (round), pond (square), river, sheet pile (red)",
        xlabel="m",
        ylabel="m",
        aspect=1,
    )
    figure.colorbar(image, ax=axes, label="m")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=120, help="cells across the aquifer, 5n/3 along it (default 120)")
    parser.add_argument("--output", default="out", help="folder for the picture (default out)")
    arguments = parser.parse_args()
    run(arguments.n, arguments.output)
