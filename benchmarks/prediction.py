"""Factors predicted by local Fourier analysis beside measured ones, on periodic grids.

python benchmarks/prediction.py
"""

from __future__ import annotations

import report

import pde
from pde.fourier import Analysis
from pde.smoothers import SMOOTHERS

BOXES = {
    "256": ((256,), 1.0),
    "256^2": ((256, 256), 1.0),
    "256^2, box 1:10": ((256, 256), (1.0, 10.0)),
    "256^2, box 1:1000": ((256, 256), (1.0, 1000.0)),
    "64^3": ((64, 64, 64), 1.0),
    "64^3, box 1:1:8": ((64, 64, 64), (1.0, 1.0, 8.0)),
    "64^3, box 1:8:8": ((64, 64, 64), (1.0, 8.0, 8.0)),
}
CYCLES = 40  # of power iteration; the factor is the mean over the last third


def rows(name: str) -> list[list[str]]:
    shape, extent = BOXES[name]
    problem = pde.Poisson(shape, extent, "periodic")
    result = []
    lines = [f"zebra {axis}" for axis in range(len(shape))]
    for smoother in (s for s in SMOOTHERS if s in lines or not s.startswith("zebra ")):
        mg, two = (pde.Multigrid(problem, smoother=smoother, levels=levels) for levels in (None, 2))
        analysis = Analysis(mg)
        pairs = [(two.predict(), two.measure_factor(cycles=CYCLES))]
        pairs += [(mg.predict(cycle), mg.measure_factor(cycle, CYCLES)) for cycle in "VW"]
        cells = [f"{predicted:.4f} / {measured:.4f}" for predicted, measured in pairs]
        result.append([name, smoother, f"{analysis.smoothing_factor():.3f}", *cells, str(analysis.grids())])
        print(*result[-1], flush=True)
    return result


def best() -> list[list[str]]:
    result = []
    for dims, n in ((2, 256), (3, 64)):
        problem = pde.Poisson((n,) * dims, boundary="periodic")
        for nu in ((1, 1), (2, 1), (2, 2)):
            omega, factor = Analysis(pde.Multigrid(problem, nu=nu)).best_omega()
            measured = pde.Multigrid(problem, nu=nu, omega=omega).measure_factor(cycles=CYCLES)
            result.append([f"{n}^{dims}", f"V{nu}", f"{omega:.3f}", f"{factor:.4f} / {measured:.4f}"])
            print(*result[-1], flush=True)
    return result


def main() -> None:
    header = ["unknowns", "smoother", "smoothing factor", "two grids (1,1)", "V(1,1)", "W(1,1)", "grids predicted"]
    body = report.table(header, [row for name in BOXES for row in rows(name)])
    body += (
        "\n\nEach cell is predicted / measured. Periodic sides, rediscretised coarse operators, bilinear transfers, "
    )
    body += "the solver's own omega.\n\n## Best relaxation of red-black SOR\n\n"
    body += report.table(["unknowns", "cycle", "best omega", "V-cycle"], best())
    report.write("prediction", "Predicted and measured convergence", body)


if __name__ == "__main__":
    main()
