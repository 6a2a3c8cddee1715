"""A plate capacitor with a slab of water between its plates: -div(eps grad u) = 0 around plates at +1 and -1 volt.

The plates are left out of the domain and hold their voltages; the box around them is grounded. Two capacitors with a
known energy check it: infinite plates with a slab, where it is exact to rounding, and a cable, whose walls are a level
set, where it is of second order.

    python examples/capacitor.py [--n 256] [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import pde

BOX = (3.0, 2.0)
GAP, LENGTH, THICK = 0.5, 1.5, 0.08  # of the plates
WATER = 80.0  # its permittivity, that of air being 1
WIRE, SHIELD = 0.11, 0.41  # radii of the cable


def solve_capacitor(n: int) -> tuple[pde.Poisson, np.ndarray, np.ndarray, float]:
    """(the problem on spacings 2/n, its permittivity, u with the plates, the energy)."""
    shape = 3 * n // 2 - 1, n - 1
    x, y = (z - length / 2 for z, length in zip(pde.Poisson(shape, BOX).points(), BOX, strict=True))
    plates = (abs(x) <= LENGTH / 2) & (abs(abs(y) - (GAP + THICK) / 2) <= THICK / 2)
    permittivity = np.where((abs(y) < 0.19) & (abs(x - 0.55) < 0.55), WATER, 1.0)
    problem, g = pde.Poisson(shape, BOX, coefficient=permittivity, domain=~plates), {"walls": np.sign(y)}
    mg = pde.Multigrid(problem)
    print(mg, end="\n\n")
    solution = mg.solve(0.0, g, strict=True)
    charges = (-pde.flux(problem, solution.u, plates & (y * volt > 0), g) for volt in (1, -1))
    print(solution.message, "charges {:+.3f} and {:+.3f}".format(*charges), sep="\n")
    return problem, permittivity, np.where(plates, np.sign(y), solution.u), pde.energy(problem, solution.u, 0.0, g)


def infinite_plates(n: int, sides: str) -> float:
    """The relative error of the energy between plates at y = 1/4 and 3/4, which go on or end at insulated sides."""
    y = pde.Poisson((8, n), boundary=[sides, "neumann"]).points()[1]
    h, water, gap = 1 / (n - 1), abs(y - 0.5) < 0.15, abs(y - 0.5) < 0.25 - 1e-9
    problem = pde.Poisson((8, n), boundary=[sides, "neumann"], coefficient=np.where(water, WATER, 1.0), domain=gap)
    g = {"walls": np.sign(y - 0.5)}
    found = pde.energy(problem, pde.Multigrid(problem).solve(0.0, g, rtol=1e-13).u, 0.0, g)
    thickness = np.count_nonzero(water[0]) * h  # each face is midway between two points
    return found / (0.5 * 2**2 / (0.5 - thickness + thickness / WATER)) - 1


def cable(n: int) -> float:
    """The relative error of the energy of a cable, per length, on n x n points: the wire has one volt."""
    r = np.hypot(*(z - 0.5 for z in pde.Poisson((n, n)).points()))
    problem = pde.Poisson((n, n), domain=np.maximum(WIRE - r, r - SHIELD))  # negative between wire and shield
    g = {"walls": 1.0 * (r < (WIRE + SHIELD) / 2)}
    found = pde.energy(problem, pde.Multigrid(problem).solve(0.0, g, rtol=1e-12).u, 0.0, g)
    return found / (0.5 * 2 * np.pi / np.log(SHIELD / WIRE)) - 1


def run(n: int = 256, output: str | Path = "out") -> dict[str, float]:
    """The whole example; returns the energies' errors and the order of the cable's."""
    problem, permittivity, u, found = solve_capacitor(n)
    print(f"energy {found:.3f}; with infinite plates and without water {0.5 * 2**2 * LENGTH / GAP:.3f}")
    print(f"picture in {draw(problem, permittivity, u, Path(output) / 'capacitor.png')}")
    plates = {sides: infinite_plates(65, sides) for sides in ("periodic", "neumann")}
    print("infinite plates, error of the energy:", ", ".join(f"{e:.1e} ({sides} sides)" for sides, e in plates.items()))
    sizes = np.array([31, 63, 127, 255])
    errors = np.abs([cable(size) for size in sizes])
    order = -np.polyfit(np.log(sizes + 1), np.log(errors), 1)[0]
    print(f"cable on {sizes} points: {', '.join(f'{e:.1e}' for e in errors)}, order {order:.2f}")
    return {"energy": found, **plates, "cable": float(errors[-1]), "order": float(order)}


def draw(problem: pde.Poisson, permittivity: np.ndarray, u: np.ndarray, path: Path) -> Path:
    """Draw the potential, the lines of the field, the plates and the slab."""
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    axes = figure.subplots()
    x, y = problem.points()
    image = axes.contourf(x, y, u, levels=np.linspace(-1, 1, 41), cmap="RdBu_r")
    field = [-np.where(problem.domain.inside, e, np.nan).T for e in np.gradient(u, x[:, 0], y[0])]
    axes.streamplot(x[:, 0], y[0], *field, color="0.25", linewidth=0.7, density=1.4, arrowsize=0.8)
    axes.contourf(x, y, problem.domain.inside, levels=[-0.5, 0.5], colors="k")
    axes.contour(x, y, permittivity, levels=[2.0], colors="C2", linewidths=2)
    axes.set(
        title="potential and field lines around plates (black) and water (green)", xlabel="x", ylabel="y", aspect=1
    )
    figure.colorbar(image, ax=axes, label="V", shrink=0.8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=256, help="spacings across the box, 3n/2 along it (default 256)")
    parser.add_argument("--output", default="out", help="folder for the picture (default out)")
    arguments = parser.parse_args()
    run(arguments.n, arguments.output)
