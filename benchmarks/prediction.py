"""Factors predicted by local Fourier analysis beside measured ones, on periodic grids.

python benchmarks/prediction.py [--quick] [--boxes WORD ...] [--output FOLDER]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import report

import pde
from pde.analysis.fourier import Analysis
from pde.levels.smoothers import SMOOTHERS

BOXES = {
    "1-D": (1.0,),
    "2-D": (1.0, 1.0),
    "2-D, box 1:10": (1.0, 10.0),
    "2-D, box 1:1000": (1.0, 1000.0),
    "3-D": (1.0, 1.0, 1.0),
    "3-D, box 1:1:8": (1.0, 1.0, 8.0),
    "3-D, box 1:8:8": (1.0, 8.0, 8.0),
}
SIZES = {False: (256, 128, 16), True: (64, 32, 8)}
CYCLES = 40  # of power iteration; the factor is the mean over the last third


def smoothers(dimension: int) -> list[str]:
    """The smoothers that differ: in one dimension lines, and in two planes, are another one's name."""
    suited = {"zebra": 2, "zebra 0": 2, "zebra 1": 2, "zebra 2": 3, "planes 0": 3, "planes 1": 3, "planes 2": 3}
    return [s for s in SMOOTHERS if dimension >= suited.get(s, 1)]


def rows(name: str, n: int) -> Iterator[list[str]]:
    extent = BOXES[name]
    problem = pde.Poisson((n,) * len(extent), extent, "periodic")
    for smoother in smoothers(len(extent)):
        mg, two = (pde.Multigrid(problem, smoother=smoother, nu=(1, 1), levels=levels) for levels in (64, 2))
        analysis = Analysis(mg)
        pairs = [(two.predict(), two.measure_factor(cycles=CYCLES))]
        pairs += [(mg.predict(cycle), mg.measure_factor(cycle, CYCLES)) for cycle in "VW"]
        cells = [f"{predicted:.4f} / {measured:.4f}" for predicted, measured in pairs]
        size = f"{n}^{len(extent)}"
        yield [name, size, smoother, f"{analysis.smoothing_factor():.3f}", *cells, str(analysis.grids())]


def best(dimension: int, n: int) -> Iterator[list[str]]:
    """The best omega of red-black SOR."""
    problem = pde.Poisson((n,) * dimension, boundary="periodic")
    for nu in ((1, 1), (2, 1), (2, 2)):
        omega, factor = Analysis(pde.Multigrid(problem, smoother="sor", nu=nu)).best_omega()
        measured = pde.Multigrid(problem, smoother="sor", nu=nu, omega=omega).measure_factor(cycles=CYCLES)
        yield [f"{n}^{dimension}", f"V{nu}", f"{omega:.3f}", f"{factor:.4f} / {measured:.4f}"]


def main(quick: bool, boxes: Sequence[str], folder: Path) -> None:
    chosen = [name for name in BOXES if not boxes or any(word in name for word in boxes)]
    factors: list[list[str]] = []
    for name in chosen:
        for row in rows(name, SIZES[quick][len(BOXES[name]) - 1]):
            factors.append(row)
            print(" | ".join(row), flush=True)
            write(factors, [], folder)
    omegas: list[list[str]] = []
    for dimension in sorted({len(BOXES[name]) for name in chosen} - {1}):
        for row in best(dimension, SIZES[quick][dimension - 1]):
            omegas.append(row)
            print(" | ".join(row), flush=True)
            write(factors, omegas, folder)
    write(factors, omegas, folder, show=True)


def write(factors: list[list[str]], omegas: list[list[str]], folder: Path, show: bool = False) -> None:
    header = [
        "box",
        "unknowns",
        "smoother",
        "smoothing factor",
        "two grids (1,1)",
        "V(1,1)",
        "W(1,1)",
        "grids predicted",
    ]
    body = f"{report.table(header, factors)}\n\n{NOTES}"
    if omegas:
        body += "\n## Best relaxation of red-black SOR\n\n"
        body += report.table(["unknowns", "cycle", "best omega", "V-cycle"], omegas)
    report.write("prediction", "Predicted and measured convergence", body, folder, show)


NOTES = """\
Each cell is predicted / measured error reduction per cycle. Periodic sides, rediscretised coarse operators, bilinear
transfers, the solver's own omega. A lexicographic sweep (gauss-seidel) has a beginning and an end, which the infinite
grid of the analysis has not; it measures less, the more so the shorter the axes of coarse grids.
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64, 32^2 and 8^3; written to out/")
    parser.add_argument("--boxes", nargs="*", default=(), help="only boxes whose name has one of these words")
    parser.add_argument("--output", type=Path, help="folder for the table (default benchmarks/results; --quick: out)")
    given = parser.parse_args()
    main(given.quick, given.boxes, given.output or (Path("out") if given.quick else report.RESULTS))
