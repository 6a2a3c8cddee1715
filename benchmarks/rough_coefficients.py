"""Random problems with rough coefficients: which converge by automatic settings, and which with conjugate gradients.

python benchmarks/rough_coefficients.py [--problems 400] [--seed 0] [--first 0] [--kinds WORD ...]
                                       [--levels N] [--before LOG] [--output FOLDER]

Problem k of a seed is the same in every run of the same kinds: --seed 3 --first 17 --problems 1 solves one of them
again. What a commit has solved is kept in out/, so that a run that was ended goes on from there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import report
from rough_problems import KINDS, LARGEST_JUMP, NOISE, SIZES, make

import pde

RTOL, CYCLES, ITERATIONS = 1e-8, 50, 25
ONE, SEVERAL = "factorised at once", "several levels"
TRAITS = ("2-D", "3-D", "vertex", "cell", "periodic", "unequal extents", "stretched", "tensor", "reaction", "singular")

Run = dict[str, Any]
"""A problem that has been solved: number, kind, traits, text, and per method [cycles, reason, residual]."""


def solve(seed: int, number: int, kinds: Sequence[str], levels: int | None) -> Run:
    made = make(seed, number, kinds)
    mg = pde.Multigrid(made.problem, levels=levels)
    traits = (*made.traits, SEVERAL if len(mg.levels) > 1 else ONE)
    run: Run = {"number": number, "kind": made.kind, "traits": traits, "text": repr(made.problem)}
    for name, accel, most in (("cycles", None, CYCLES), ("cg", "cg", 2 * ITERATIONS)):
        solution = mg.solve(made.f, rtol=RTOL, max_cycles=most, accel=accel)
        run[name] = [solution.cycles, solution.reason, solution.residual_norms[-1]]
    return run


def reached(run: Run, method: str) -> bool:
    """Whether a solve has ended where it should or where float64 does, conjugate gradients within `ITERATIONS`."""
    cycles, reason, _ = run[method]
    return reason in ("converged", "rounding") and (method == "cycles" or cycles <= ITERATIONS)


def row(name: str, runs: Sequence[Run]) -> list[str]:
    cells = [name, str(len(runs))]
    for method in ("cycles", "cg"):
        good = [run[method][0] for run in runs if reached(run, method)]
        failed, rounded = len(runs) - len(good), sum(run[method][1] == "rounding" for run in runs)
        cells += [str(count) if count else "none" for count in (failed, rounded)]
        cells += [f"{median(good):g}", str(max(good))] if good else ["-", "-"]
    return cells


def tables(runs: Sequence[Run]) -> str:
    """By kind and by trait."""
    counts = ("by rounding", "median", "most")
    header = ["", "problems", "cycles: not converged", *counts, f"cg: not within {ITERATIONS}", *counts]
    others = [run for run in runs if run["kind"] != NOISE]
    kinds = [(kind, [run for run in runs if run["kind"] == kind]) for kind in KINDS]
    traits = [(trait, [run for run in others if trait in run["traits"]]) for trait in (*TRAITS, ONE, SEVERAL)]
    parts = []
    for title, chosen in (("coefficient", kinds), (f"all but {NOISE}", [("all", others), *traits])):
        rows = [row(name, some) for name, some in chosen if some]
        parts.append(report.table([title, *header[1:]], rows))
    return "\n\n".join(parts)


def failures(runs: Sequence[Run]) -> str:
    failed = [run for run in runs if not (reached(run, "cycles") and reached(run, "cg"))]
    lines = [
        f"- {run['number']}, {run['kind']}: {told(run)}; {', '.join(run['traits'])}; {run['text']}" for run in failed
    ]
    return "\n\n".join(("Not reached:", "\n".join(lines))) if lines else "All have reached it."


def told(run: Run) -> str:
    """How both solves ended."""
    return ", ".join("{} {} {} at {:.0e}".format(method, *run[method]) for method in ("cycles", "cg"))


def read(log: Path) -> dict[int, Run]:
    return {run["number"]: run for run in map(json.loads, log.read_text().splitlines())}


def main(
    seed: int,
    numbers: Sequence[int],
    kinds: Sequence[str],
    levels: int | None,
    before: Path | None,
    folder: Path,
    log: Path,
) -> None:
    earlier = None if before is None else read(before)
    log.parent.mkdir(parents=True, exist_ok=True)
    done = read(log) if log.exists() else {}
    for number in numbers:
        if number not in done:
            done[number] = solve(seed, number, kinds, levels)
            with log.open("a") as lines:
                lines.write(json.dumps(done[number]) + "\n")
            print(f"{number}: {done[number]['kind']}, {told(done[number])}", flush=True)
    notes = f"""\
{len(numbers)} problems of seed {seed}, made by `benchmarks/rough_problems.py`: {sizes()}, all kinds of sides, both
centrings, a from 1 to up to 10^{LARGEST_JUMP:g} or down to 10^-{LARGEST_JUMP:g}, f white noise. "Cycles" are the
automatic settings of `pde.solve_poisson`, {CYCLES} cycles at most to a true residual of {RTOL:g}; "cg" the same with
`accel="cg"`. "By rounding" ended where float64 does: u is so large there, in an inclusion that is almost insulated say,
that rounding it leaves more of the residual; these count as converged. White noise, where every unknown has an a of its
own, leaves nothing for a coarse grid to see; it is listed but not counted.

{coarsest(levels)}
"""
    runs = [done[n] for n in numbers]
    parts = [notes.strip(), tables(runs), failures(runs)]
    if before is not None and earlier is not None:
        parts += [f"## Before: {before.stem}", tables([earlier[n] for n in numbers])]
    report.write("rough_coefficients", "Rough coefficients", "\n\n".join(parts), folder)


def coarsest(levels: int | None) -> str:
    """Where coarsening has ended."""
    if levels is None:
        return f'"{ONE.capitalize()}": the finest grid is the coarsest as well, by the automatic settings.'
    return f"Solved with `levels={levels}`: coarsening goes on to 5000 unknowns, further than by itself."


def sizes() -> str:
    return " and ".join(f"{low}^{d} to {high}^{d}" for d, (low, high) in SIZES.items())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=400, help="how many (default 400)")
    parser.add_argument("--seed", type=int, default=0, help="of the generator (default 0)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first problem (default 0)")
    parser.add_argument("--kinds", nargs="*", default=(), help="only coefficients whose name has one of these words")
    parser.add_argument("--levels", type=int, help="as in pde.Multigrid: 9 coarsens as far as it goes")
    parser.add_argument("--before", type=Path, help="the log of another commit, out/*.jsonl: its tables are added")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder for the tables")
    given = parser.parse_args()
    numbers = range(given.first, given.first + given.problems)
    words = "-".join(map(str, (report.commit(), given.seed, given.levels, *given.kinds))).replace(" ", "_")
    log = Path("out") / f"rough_coefficients-{words}.jsonl"
    main(given.seed, numbers, given.kinds, given.levels, given.before, given.output, log)
