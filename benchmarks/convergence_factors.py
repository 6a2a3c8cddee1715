"""Asymptotic error reduction per cycle, by power iteration, for sizes of every kind.

python benchmarks/convergence_factors.py
"""

from __future__ import annotations

import report

import pde

SIZES = {2: (63, 64, 97, 100, 127, 211, 255, 256, 500, 509, 511, 512, 1023), 3: (31, 32, 37, 48, 61, 63, 64, 97, 127)}
COLUMNS = (
    ("red-black", "V"),
    ("sor", "V"),
    ("jacobi", "V"),
    ("two-step jacobi", "V"),
    ("red-black", "W"),
    ("sor", "F"),
)
CYCLES = 24  # of power iteration; the factor is the mean over the last eight
TARGETS = {2: {"red-black": 0.13, "sor": 0.06, "jacobi": 0.38}, 3: {"red-black": 0.24, "sor": 0.10}}


def factors(dimension: int, n: int) -> list[float]:
    problem = pde.Poisson((n,) * dimension)
    return [
        pde.Multigrid(problem, smoother=s, nu=(1, 1), levels=64).measure_factor(cycle, CYCLES) for s, cycle in COLUMNS
    ]


def main() -> None:
    body = ""
    for dimension, sizes in SIZES.items():
        rows = []
        for n in sizes:
            rows.append([f"{n}^{dimension}", *factors(dimension, n)])
            print(*rows[-1], flush=True)
        worst = ["largest", *(max(row[c] for row in rows) for c in range(1, len(COLUMNS) + 1))]
        target = ["at most", *(TARGETS[dimension].get(s, "") if c == "V" else "" for s, c in COLUMNS)]
        cells = [[c if isinstance(c, str) else f"{c:.3f}" for c in row] for row in [*rows, worst, target]]
        header = ["unknowns", *(f"{cycle}(1,1) {smoother}" for smoother, cycle in COLUMNS)]
        body += f"## {dimension} dimensions\n\n{report.table(header, cells)}\n\n"
    body += (
        "Unit box, equal spacing, zero Dirichlet data, rediscretised coarse operators, bilinear transfers; omega is\n"
    )
    body += "1 for red-black, 1.15 (2-D) and 1.2 (3-D) for sor, 0.8 (2-D) and 6/7 (3-D) for Jacobi.\n"
    report.write("convergence_factors", "Error reduction per cycle", body)


if __name__ == "__main__":
    main()
