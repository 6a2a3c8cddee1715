"""The table of learned cycles beside tuned classical ones, from the results of the queue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks import report
from benchmarks.learned.classical import LINE, MOST, SCAN, efficiency
from benchmarks.learned.families import FAMILIES, SIZES, TUNING
from benchmarks.learned.trained import STEPS, TRAINING
from benchmarks.runner import Result

HEADER = [
    "cycle",
    "omega",
    *(f"{n}²" for n in SIZES),
    "Fourier",
    "operations per unknown",
    "digits per 1000 operations, 63² / last size",
    "ms per cycle, last size",
    f"iterations to 1e-6, 63² / 255² / {SIZES[-1]}²",
    "tuning, CPU s",
]


def body(results: dict[str, Result], missing: dict[str, str]) -> str:
    """All families, then what has not been measured."""
    rows = {family: list(_rows(results, family)) for family in FAMILIES}
    parts = [f"## {family}\n\n{report.table(HEADER, some)}" for family, some in rows.items() if some]
    return "\n\n".join([NOTES.strip(), *parts, *not_measured(missing)])


def not_measured(missing: dict[str, str]) -> list[str]:
    """A section that lists experiments without a result and the reasons."""
    lines = "\n".join(f"- {name}: {why}" for name, why in missing.items())
    return [f"## Not measured\n\n{lines}"] if missing else []


def _rows(results: dict[str, Result], family: str) -> Iterator[list[str]]:
    for result in results.values():
        if result.get("family") == family:
            seconds = result.get("search_seconds", result.get("fit_seconds"))
            yield from (_row(row, seconds) for row in result.get("measured", ()))


def _row(row: Result, seconds: float) -> list[str]:
    sizes = row["sizes"]
    last = sizes[list(sizes)[-1]]
    ends = (efficiency(sizes[n]["factor"] or 1.0, row["operations"]) for n in (next(iter(sizes)), list(sizes)[-1]))
    return [
        described(row),
        f"{row['omega']:.2f}" if row.get("omega") is not None else "",
        *(_factor(sizes.get(str(n))) for n in SIZES),
        f"{row['predicted']:.3f}" if row.get("predicted") is not None else "",
        f"{row['operations']:.0f}",
        " / ".join(f"{value:.2f}" for value in ends),
        f"{1e3 * last['seconds']:.1f}",
        " / ".join(_iterations(sizes.get(str(n))) for n in (63, 255, SIZES[-1])),
        f"{seconds:.0f}",
    ]


def _factor(size: Result | None) -> str:
    return "" if size is None else "refused" if size["factor"] is None else f"{size['factor']:.3f}"


def _iterations(size: Result | None) -> str:
    if size is None or size["iterations"] is None:
        return "-"
    return f"> {MOST}" if size["iterations"] >= MOST else str(size["iterations"])


def described(row: Result) -> str:
    """A cycle in words."""
    words = [f"{row['role']}: ", row["smoother"], f" {row['cycle']}({_comma(row['nu'])})"]
    words += [f", tau {row['tau']:g}"] * bool(row.get("tau")) + [", rediscretised"] * (row["coarse"] != "galerkin")
    words += [", semicoarsening"] * (row.get("coarsening") == "own") + [", CG"] * bool(row["accel"])
    return "".join(words)


def _comma(nu: Sequence[int]) -> str:
    return ",".join(map(str, nu))


NOTES = f"""\
-div(a grad u) = f on the unit square, u = 0 on its boundary, n x n unknowns; a = 1, or a constant full tensor with
diffusion 1 along an angle and less across it. Factors are those of 10 cycles after 20 of power iteration; with CG the
mean residual reduction of an iteration until 1e-6.

- Classical cycles are tuned on {TUNING}² unknowns: omega by a scan of {SCAN} values and a line search of {LINE} more,
  the same for every choice of sweeps (1,1), (2,1), (2,2), V or W, corners of P (tau, see
  `benchmarks/learned/transfers.py`), coarse operators and, with CG, symmetric post-smoothing. For each smoother the
  table has the choice with the most digits per operation, the best V(1,1), and the most efficient one with CG. "sor"
  has four colours where A has nine points. Coarse operators are R A P unless said otherwise, P is bilinear without tau.
- Learned cycles are trained on {", ".join(f"{n}²" for n in TRAINING)} unknowns, {STEPS} steps of Adam.
- "Fourier" is `mg.predict` on infinite grids, with CG its bound by the condition number; three grids of learned cycles,
  up to eight of classical ones.
- Operations are counted by `benchmarks/learned/operations.py`, with CG per iteration.
- Times are CPU seconds of one thread, all in NumPy (`kernels="numpy"`); compiled kernels would favour classical cycles.
- Iterations are for white noise f from zero; "> {MOST}" has not reached 1e-6.
"""
