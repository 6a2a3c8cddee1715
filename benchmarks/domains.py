"""Solves on domains and with coefficients that jump, set-up included, beside PyAMG; and cloning into an image.

python benchmarks/domains.py [--rows disc sphere jumps image] [--quick] [--repeats 5] [--output FOLDER]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import report
from jumps import inclusions
from peers.algebraic import RugeStueben
from scipy.ndimage import gaussian_filter

import pde

RTOL, GREY = 1e-8, 0.5
SIZES = {False: (1023, 127, (3000, 4000)), True: (255, 31, (300, 400))}


def ball(n: int, ndim: int) -> dict[str, Any]:
    x = np.meshgrid(*[np.linspace(-1, 1, n)] * ndim, indexing="ij", sparse=True)
    return {"shape": (n,) * ndim, "domain": sum(v * v for v in x) < 0.95}


def jumping(n: int) -> dict[str, Any]:
    """A million in twelve discs, 1 around them."""
    return {"shape": (n, n), "coefficient": inclusions((n, n), np.random.default_rng(3))}


def timed(job: Callable[[], Any]) -> tuple[float, Any]:
    began = perf_counter()
    made = job()
    return perf_counter() - began, made


def against(name: str, make: Callable[[], dict[str, Any]], repeats: int) -> list[str]:
    """A row: medians of set-up and solve to 1e-8 in the same norm, ours and PyAMG's in turn."""
    options = make()
    problem = pde.Poisson(**options)
    f = np.random.default_rng(0).standard_normal(problem.shape)
    inside = np.ones(problem.shape, dtype=bool) if problem.domain is None else problem.domain.inside
    A = problem.matrix(symmetric=True)
    W = problem.control_volumes()
    runs: list[tuple[float, ...]] = []
    for k in range(repeats + 1):
        setup, mg = timed(lambda: pde.Multigrid(pde.Poisson(**options)))
        solve, solution = timed(lambda mg=mg: mg.solve(f, rtol=RTOL))
        assert solution.converged, solution.reason
        if k > 0:  # the first one loads the kernels
            runs.append((setup, solve, *algebraic(A, (W * f)[inside])))
    ours, theirs = ([median(run[k] for run in runs) for k in both] for both in ((0, 1), (2, 3)))
    times = f"{sum(theirs) / sum(ours):.1f}" if np.isfinite(sum(theirs)) else "-"
    numbers = [f"{seconds:.3f}" for seconds in (*ours, sum(ours), *theirs, sum(theirs))]
    return [name, f"{inside.sum():,}", *numbers, times, str(solution.cycles)]


def algebraic(A: Any, f: np.ndarray) -> tuple[float, float]:
    try:
        peer = RugeStueben(A, RTOL)
    except ImportError as error:
        print(f"PyAMG is left out: {error}")
        return np.nan, np.nan
    peer.load(f)
    return peer.setup, timed(peer.solve)[0]


def image(shape: tuple[int, int], repeats: int) -> str:
    """Cloning: v = u - background has the Laplacian of source - background in the mask, and is 0 around it."""
    rng = np.random.default_rng(0)
    mask = gaussian_filter(rng.standard_normal(shape, np.float32), min(shape) / 40) > 0
    source, background = (
        np.stack([255 * _scaled(gaussian_filter(rng.random(shape, np.float32), s)) for s in (1, 3, 9)])
        for _ in range(2)
    )

    def right_hand_side() -> np.ndarray:
        d = np.pad(source - background, ((0, 0), (1, 1), (1, 1)))
        return 4 * d[:, 1:-1, 1:-1] - d[:, 2:, 1:-1] - d[:, :-2, 1:-1] - d[:, 1:-1, 2:] - d[:, 1:-1, :-2]

    def make() -> pde.Multigrid:
        problem = pde.Poisson(shape, extent=[float(n + 1) for n in shape], domain=mask)
        return pde.Multigrid(problem, dtype="float32")

    runs = []
    for _ in range(repeats + 1):
        data, f = timed(right_hand_side)
        setup, mg = timed(make)
        solve, solution = timed(lambda mg=mg, f=f: mg.solve(f, rtol=1e-3))
        runs.append((data, setup, solve))
    data, setup, solve = (median(run[k] for run in runs[1:]) for k in range(3))
    exact = pde.Multigrid(mg.problem).solve(f[0].astype(float), rtol=1e-9, accel="cg").u
    error = float(np.max(np.abs(solution.members[0].u - exact)))
    return (
        f"{shape[0] * shape[1] / 1e6:.3g} megapixels, three channels, {mask.mean():.0%} of them in the mask: data "
        f"{data:.2f} s, set-up {setup:.2f} s, solve {solve:.2f} s, {solution.cycles} iterations; largest error "
        f"{error:.2g} grey levels{'' if error <= GREY else ', more than half of one'}."
    )


def _scaled(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / np.ptp(values)


HEADER = (
    *("problem", "unknowns", "set-up, s", "solve, s", "both, s", "PyAMG set-up, s", "PyAMG solve, s"),
    *("PyAMG both, s", "times ours", "cycles"),
)


def main(rows: Sequence[str], quick: bool, repeats: int, folder: Path) -> None:
    plane, space, pixels = SIZES[quick]
    makers: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
        "disc": (f"disc in {plane}x{plane}", lambda: ball(plane, 2)),
        "sphere": (f"sphere in {space}x{space}x{space}", lambda: ball(space, 3)),
        "jumps": (f"a jumps by 1e6, {plane}x{plane}", lambda: jumping(plane)),
    }
    lines = [against(*makers[row], repeats) for row in rows if row in makers]
    parts = [report.table(HEADER, lines)] if lines else []
    parts += [image(pixels, repeats)] if "image" in rows else []
    parts.append(
        f"To ||r|| <= {RTOL:g} ||f||, f white noise; medians of {repeats}, both in turn. Set-up begins with arrays of "
        "the mask or the coefficient here, with the assembled matrix there. Here full multigrid and V-cycles; PyAMG is "
        "its Ruge-Stüben solver with its defaults, as preconditioner of its conjugate gradients, on the unknowns alone."
    )
    report.write("domains", "Domains", "\n\n".join(parts), folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=["disc", "sphere", "jumps", "image"], help="of these four")
    parser.add_argument("--quick", action="store_true", help="small grids")
    parser.add_argument("--repeats", type=int, default=5, help="runs that a median is of (default 5)")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder for the table")
    given = parser.parse_args()
    main(given.rows, given.quick, given.repeats, given.output)
