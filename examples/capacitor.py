"""A plate capacitor with a slab of water between its plates: -div(eps grad u) = 0 around plates at +1 and -1 volt.

The plates are left out of the domain and hold their voltages; the box around them is grounded. The charge on a plate is
the sum of A u over its points, and half of charge times voltage is the energy. Two capacitors with a known energy check
it: infinite plates with a slab, where it is exact, and a cable, whose walls are a level set, of second order.

    python examples/capacitor.py [--n 256] [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import pde

BOX = (3.0, 2.0)
GAP, LENGTH, THICK = 0.5, 1.5, 0.08  # of the plates
WATER = 80.0  # its permittivity, that of air being 1
WIRE, SHIELD = 0.11, 0.41  # radii of the cable


def energy(box: pde.Poisson, u: np.ndarray, *plates: tuple[np.ndarray, float]) -> float:
    """Half of charge times voltage, summed over the plates, each given as its points and its voltage.

    Without charge A u is zero, and a sum over points is the flux out of them: any points around a plate will do.
    """
    charges = box.control_volumes() * box.apply(u)
    return 0.5 * sum(voltage * float(charges[points].sum()) for points, voltage in plates)


def solve_capacitor(n: int) -> tuple[pde.Poisson, np.ndarray, np.ndarray, float]:
    """(the problem on spacings 2/n, its permittivity, u with the plates, the energy)."""
    shape = 3 * n // 2 - 1, n - 1
    x, y = (z - length / 2 for z, length in zip(pde.Poisson(shape, BOX).points(), BOX, strict=True))
    plates = (abs(x) <= LENGTH / 2) & (abs(abs(y) - (GAP + THICK) / 2) <= THICK / 2)
    permittivity = np.where((abs(y) < 0.19) & (abs(x - 0.55) < 0.55), WATER, 1.0)
    problem = pde.Poisson(shape, BOX, coefficient=permittivity, domain=~plates)
    mg = pde.Multigrid(problem)
    print(mg, end="\n\n")
    solution = mg.solve(0.0, {"walls": np.sign(y)}, strict=True)
    print(solution.message)
    u = np.where(plates, np.sign(y), solution.u)
    sides = ((plates & (y * volt > 0), volt) for volt in (1.0, -1.0))
    return problem, permittivity, u, energy(pde.Poisson(shape, BOX, coefficient=permittivity), u, *sides)


def infinite_plates(n: int, sides: str) -> float:
    """The relative error of the energy between plates at y = 1/4 and 3/4, which go on or end at insulated sides."""
    box: dict[str, Any] = {"shape": (8, n), "boundary": [sides, "neumann"]}
    y, h = pde.Poisson(**box).points()[1], 1 / (n - 1)
    water, gap, volts = abs(y - 0.5) < 0.15, abs(y - 0.5) < 0.25 - h / 2, np.sign(y - 0.5)
    box["coefficient"] = np.where(water, WATER, 1.0)
    u = pde.solve_poisson(0.0, **box, domain=gap, g={"walls": volts}, rtol=1e-13).u
    plates = ((~gap & (volts == volt), volt) for volt in (1.0, -1.0))
    thickness = np.count_nonzero(water[0]) * h  # each face is midway between two points
    exact = 0.5 * 2**2 / (0.5 - thickness + thickness / WATER)
    return energy(pde.Poisson(**box), np.where(gap, u, volts), *plates) / exact - 1


def cable(n: int) -> float:
    """The relative error of the energy of a cable, per length, on n x n points: the wire has one volt."""
    box = pde.Poisson((n, n))
    x, y = (z - 0.5 for z in box.points())
    r = np.hypot(x, y)
    problem = pde.Poisson((n, n), domain=np.maximum(WIRE - r, r - SHIELD))  # negative between wire and shield
    u = pde.Multigrid(problem).solve(0.0, {"walls": 1.0 * (r < (WIRE + SHIELD) / 2)}, rtol=1e-12).u
    square = np.maximum(abs(x), abs(y)) < 0.2  # around the wire, inside the shield
    exact = 0.5 * 2 * np.pi / np.log(SHIELD / WIRE)
    return energy(box, u, (square, 1.0)) / exact - 1


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
