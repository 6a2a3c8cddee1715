"""One full multigrid pass against the discretisation error, and the observed order, in 2 and 3 dimensions.

python benchmarks/discretisation_error.py
"""

from __future__ import annotations

from math import log, pi

import numpy as np
import report

import pde
from pde.levels.defaults import SWEEPS

SIZES = {
    2: (31, 32, 47, 53, 63, 64, 100, 127, 128, 199, 255, 256, 511, 1023),
    3: (31, 32, 41, 48, 63, 64, 95, 100, 127),
}

# factors of the exact solution, zero at 0 and 1, each with its second derivative
FACTORS = (
    (lambda t: t * (1 - t) * np.exp(t), lambda t: -(3 * t + t**2) * np.exp(t)),
    (
        lambda t: (1 + t) * np.sin(2 * pi * t),
        lambda t: 4 * pi * np.cos(2 * pi * t) - 4 * pi**2 * (1 + t) * np.sin(2 * pi * t),
    ),
    (lambda t: t * (1 - t) * np.exp(-t), lambda t: (-(t**2) + 5 * t - 4) * np.exp(-t)),
)


def exact(*x: np.ndarray) -> np.ndarray:
    return np.prod([factor(t) for (factor, _), t in zip(FACTORS, x, strict=False)], axis=0)


def right_hand_side(*x: np.ndarray) -> np.ndarray:
    total = np.zeros_like(x[0])
    for a in range(len(x)):
        parts = [FACTORS[b][1 if a == b else 0](t) for b, t in enumerate(x)]
        total = total - np.prod(parts, axis=0)
    return total


def main() -> None:
    body = ""
    for dimension, sizes in SIZES.items():
        rows, previous = [], None
        nu = SWEEPS.get(dimension, (1, 1))  # given, so that small grids make cycles too
        for n in sizes:
            problem = pde.Poisson((n,) * dimension)
            mg, f = pde.Multigrid(problem, nu=nu), problem.read("f", right_hand_side)
            u = mg.solve(f, rtol=1e-11).u
            discretisation = float(abs(u - exact(*problem.points())).max())
            algebraic = float(abs(mg.full_multigrid(f) - u).max())
            order = log(previous[1] / discretisation) / log((n + 1) / (previous[0] + 1)) if previous else None
            # between sizes that nearly agree, the order is a difference of rounding of the sampled maximum
            shown = f"{order:.3f}" if order is not None and n > 1.4 * previous[0] else ""
            if previous is None or n > 1.4 * previous[0]:
                previous = (n, discretisation)
            rows.append([f"{n}^{dimension}", f"{discretisation:.3e}", shown, f"{algebraic:.3e}"])
            rows[-1].append(f"{algebraic / discretisation:.3f}")
            print(*rows[-1], flush=True)
        header = ["unknowns", "discretisation error", "order", "algebraic error after one pass", "ratio"]
        body += f"## {dimension} dimensions\n\n{report.table(header, rows)}\n\n"
    body += (
        "Maximum norms. The exact solution is a product of x(1-x)exp(x), (1+y)sin(2 pi y) and z(1-z)exp(-z); the pass\n"
    )
    body += "makes one V-cycle per level, over-relaxed red-black, with cubic interpolation between the levels.\n"
    body += "The order is taken between sizes that differ by a factor of 1.4 at least.\n"
    report.write("discretisation_error", "Full multigrid reaches the discretisation error", body)


if __name__ == "__main__":
    main()
