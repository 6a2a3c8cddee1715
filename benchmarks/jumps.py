"""Conjugate gradients on coefficients that jump by a million: iterations to 1e-8 of the true residual.

python benchmarks/jumps.py [--quick] [--kinds NAME ...] [--output FOLDER]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import report
from scipy.ndimage import gaussian_filter

import pde

JUMP, RTOL, BOUND, LIMIT = 1e6, 1e-8, 18, 100
SEEDS = (3, 4, 5)
SHAPES = {False: ((511, 511), (63, 63, 63)), True: ((127, 127), (31, 31, 31))}
SIDES = tuple(product(("vertex", "cell"), ("dirichlet", "neumann", "periodic")))

Shape = tuple[int, ...]
Field = Callable[[Shape, np.random.Generator], np.ndarray]


def blocks(shape: Shape, rng: np.random.Generator, size: int, layers: bool = False) -> np.ndarray:
    """A checkerboard of blocks of `size` unknowns, or layers of that thickness across the first axis."""
    index = np.meshgrid(*(np.arange(n) // size for n in shape), indexing="ij")
    return np.where((index[0] if layers else sum(index)) % 2 == 0, JUMP, 1.0)


def inclusions(shape: Shape, rng: np.random.Generator, inside: float = JUMP) -> np.ndarray:
    """Twelve balls of radius 1/20 to 1/8 of the box, anywhere; `inside` over what is around them is the jump."""
    x = np.meshgrid(*((np.arange(n) + 0.5) / n for n in shape), indexing="ij")
    within = np.zeros(shape, dtype=bool)
    for _ in range(12):
        centre, radius = rng.random(len(shape)), rng.uniform(0.05, 0.125)
        within |= sum((x_a - c) ** 2 for x_a, c in zip(x, centre, strict=True)) < radius**2
    return np.where(within, inside, 1.0)


def gaussian(shape: Shape, rng: np.random.Generator, length: float) -> np.ndarray:
    """A periodic Gaussian random field whose covariance exp(-(r / length)^2) has fallen to 1/e at `length` cells."""
    noise = rng.standard_normal(shape)
    return gaussian_filter(noise, length / 2, mode="wrap") if length else noise


def lognormal(shape: Shape, rng: np.random.Generator, length: float) -> np.ndarray:
    """exp of a Gaussian field, stretched so that the largest value is a million times the smallest."""
    field = gaussian(shape, rng, length)
    return JUMP ** ((field - field.min()) / np.ptp(field))


def binary(shape: Shape, rng: np.random.Generator, length: float) -> np.ndarray:
    """A million where a Gaussian field is positive, 1 elsewhere."""
    return np.where(gaussian(shape, rng, length) > 0, JUMP, 1.0)


def fields(dimension: int) -> dict[str, Field]:
    """The coefficients by name. On vertex-centred Dirichlet grids 2^k - 1 the aligned blocks end at coarse points."""
    aligned, misaligned = (32, 13) if dimension == 2 else (8, 7)
    return {
        "inclusions, conducting": inclusions,
        "inclusions, insulating": partial(inclusions, inside=1 / JUMP),
        f"layers of {aligned}": partial(blocks, size=aligned, layers=True),
        f"layers of {misaligned}": partial(blocks, size=misaligned, layers=True),
        f"checkerboard of {aligned}": partial(blocks, size=aligned),
        f"checkerboard of {misaligned}": partial(blocks, size=misaligned),
        **{
            f"{name}, correlation length {length}": partial(kind, length=length)
            for name, kind in (("lognormal", lognormal), ("binary", binary))
            for length in (8, 32 if dimension == 2 else 16)
        },
        "lognormal per cell": partial(lognormal, length=0),
        "binary per cell": partial(binary, length=0),
    }


def right_hand_sides(problem: pde.Poisson) -> tuple[np.ndarray, np.ndarray]:
    """A rough one and a smooth one, of zero mean where the problem asks for it."""
    smooth = np.prod([np.exp(x) * np.sin(3 * x + a) for a, x in enumerate(problem.points())], axis=0)
    W, rough = problem.control_volumes(), np.random.default_rng(0).standard_normal(problem.shape)
    if problem.singular:
        rough, smooth = (f - np.sum(W * f) / W.sum() for f in (rough, smooth))
    return rough, smooth


class Run(NamedTuple):
    """How a solve ended, after how many iterations and at which residual."""

    cycles: int
    reason: str
    residual: float


def solve(shape: Shape, centering: str, boundary: str, field: Field, seed: int) -> tuple[Run, Run]:
    """A run for the rough right-hand side and one for the smooth."""
    coefficient = field(shape, np.random.default_rng(seed))
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=coefficient)
    mg = pde.Multigrid(problem)
    solutions = [mg.solve(f, accel="cg", rtol=RTOL, max_cycles=LIMIT) for f in right_hand_sides(problem)]
    rough, smooth = (Run(s.cycles, s.reason, s.residual_norms[-1]) for s in solutions)
    return rough, smooth


def cell(runs: Sequence[Run]) -> str:
    """The most iterations; where runs ended otherwise than converged, also why, and the largest residual."""
    failed = [run for run in runs if run.reason != "converged"]
    text = str(max(run.cycles for run in runs))
    if not failed:
        return text
    reasons = ", ".join(sorted({run.reason for run in failed}))
    return f"{text} ({reasons} at {max(run.residual for run in failed):.0e})"


def main(quick: bool, kinds: Sequence[str], folder: Path) -> None:
    body = ""
    sides = [f"{centering}, {boundary}" for centering, boundary in SIDES]
    header = ["coefficient", "seeds", *sides, "all: smooth f", f"at most {BOUND}"]
    for shape in SHAPES[quick]:
        rows: list[list[str]] = []
        part = ""
        for name, field in fields(len(shape)).items():
            if kinds and not any(kind in name for kind in kinds):
                continue
            seeds = SEEDS[:1] if name.startswith(("layers", "checkerboard")) or quick else SEEDS
            runs = [[solve(shape, *side, field, seed) for seed in seeds] for side in SIDES]
            rough = [[pair[0] for pair in pairs] for pairs in runs]
            smooth = [pair[1] for pairs in runs for pair in pairs]
            reached = all(r.cycles <= BOUND and r.reason == "converged" for results in rough for r in results)
            judged = "not bounded" if name.endswith("per cell") else "yes" if reached else "**no**"
            rows.append([name, str(len(seeds)), *map(cell, rough), cell(smooth), judged])
            print(" | ".join(rows[-1]), flush=True)
            part = f"## {' x '.join(map(str, shape))}\n\n{report.table(header, rows)}\n\n"
            write(body + part, folder)
        body += part
    write(body, folder, show=True)


def write(body: str, folder: Path, show: bool = False) -> None:
    notes = f"""\
Iterations of conjugate gradients with the default cycle (`accel="cg"`) until the true residual is {RTOL:g} of f, the
most over the seeds; in brackets the other reasons why solves ended, with the largest residual. f is white noise, in the
last column but one smooth: u is large there, and rounding it to 16 digits alone, multiplied by up to 10^6/h^2, may keep
the residual above {RTOL:g}: "rounding". Blocks are aligned with the coarse grids on vertex-centred Dirichlet grids.
"""
    report.write("jumps", "Coefficients that jump by a million", body + notes, folder, show)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="127x127 and 31x31x31, one seed; written to out/")
    parser.add_argument("--kinds", nargs="*", default=(), help="only coefficients whose name has one of these words")
    parser.add_argument("--output", type=Path, help="folder for the table (default benchmarks/results; --quick: out)")
    given = parser.parse_args()
    main(given.quick, given.kinds, given.output or (Path("out") if given.quick else report.RESULTS))
