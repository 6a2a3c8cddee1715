"""Twelve kinds of Poisson problems: predicted and measured convergence, beside PyAMG on the same matrices.

pip install 'mgnet-multigrid[bench]'
python benchmarks/poisson_kinds.py [--quick] [--kinds WORD ...] [--repeats 3] [--memory 12] [--minutes 10]
                                  [--output FOLDER]
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyamg
import report
from jumps import inclusions
from scipy.sparse.linalg import LinearOperator

import pde

RTOL, LIMIT = 1e-8, 100
PYAMG: dict[str, Callable[..., Any]] = {
    "Ruge-Stüben": pyamg.ruge_stuben_solver,
    "smoothed aggregation": pyamg.smoothed_aggregation_solver,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "Ruge-Stüben": {"coarse_solver": "pinv"},
    "smoothed aggregation": {"coarse_solver": "pinv", "strength": ("symmetric", {"theta": 0.08})},
}
SIZES = {False: {2: 1023, 3: 127}, True: {2: 127, 3: 31}}
GIB = 2**30
PATIENCE = 60.0  # seconds; a method that has taken longer is not repeated


@dataclass(frozen=True)
class Kind:
    """A problem and how it is solved here."""

    boundary: str
    coefficient: str = "constant"
    dimension: int = 2
    extent: tuple[float, ...] = (1.0,)

    @property
    def name(self) -> str:
        stretched = ", box 1:100" if len(self.extent) > 1 else ""
        return f"{self.dimension}-D {self.boundary}, {self.coefficient}{stretched}"

    @property
    def accel(self) -> str | None:
        return "cg" if self.coefficient == "jump" else None

    @property
    def cycle(self) -> str:
        return "V" if self.coefficient == "jump" else "fmg"

    def problem(self, n: int) -> pde.Poisson:
        shape = (n,) * self.dimension
        a: Any = {"constant": None, "smooth": smooth, "jump": inclusions(shape, np.random.default_rng(3))}
        extent = self.extent if len(self.extent) > 1 else 1.0
        return pde.Poisson(shape, extent, self.boundary, coefficient=a[self.coefficient])


def smooth(*x: np.ndarray) -> np.ndarray:
    """A periodic coefficient between exp(-2) and exp(2)."""
    return np.exp(2 * np.prod([np.sin(2 * np.pi * (x_a + 0.1)) for x_a in x], axis=0))


BOUNDARIES, COEFFICIENTS = ("dirichlet", "neumann", "periodic"), ("constant", "smooth", "jump")
KINDS = (
    *(Kind(boundary, coefficient) for boundary in BOUNDARIES for coefficient in COEFFICIENTS),
    Kind("dirichlet", extent=(1.0, 100.0)),
    Kind("dirichlet", dimension=3),
    Kind("neumann", "jump", dimension=3),
)


class System:
    """A problem with the symmetric matrix K = W A and a right-hand side b = W f that fits it."""

    def __init__(self, problem: pde.Poisson) -> None:
        self.problem, self.K, self.W = problem, problem.matrix(symmetric=True), problem.control_volumes()
        self.f = np.random.default_rng(1).standard_normal(problem.shape)
        if problem.singular:
            self.f -= np.sum(self.W * self.f) / self.W.sum()
        self.b = (self.W * self.f).ravel()

    def residual(self, u: np.ndarray) -> float:
        """||f - A u|| / ||f|| in the norm of control volumes, by the same matrix for every method."""
        W = self.W.ravel()
        r = (self.b - self.K @ u.ravel()) / W
        return float(np.sqrt(np.sum(W * r**2) / np.sum(W * self.f.ravel() ** 2)))


class Run(NamedTuple):
    """One set-up and one solve: seconds of both, iterations, the true relative residual, and what went wrong."""

    set_up: float
    seconds: float
    cycles: int
    residual: float
    trouble: str = ""

    @property
    def converged(self) -> bool:
        return self.residual <= RTOL


class Ours:
    """`pde.Multigrid` as it comes; conjugate gradients where the coefficient jumps."""

    name = "pde"

    def __init__(self, kind: Kind, system: System) -> None:
        self._kind, self._system, self.unknowns = kind, system, system.problem.shape[0]
        self.solution: Any = None
        self.mg: Any = None

    def __call__(self) -> Run:
        options = {"cycle": self._kind.cycle, "accel": self._kind.accel, "rtol": RTOL, "max_cycles": LIMIT}
        self.mg, set_up = timed(lambda: pde.Multigrid(self._system.problem))
        s, seconds = timed(lambda: self.mg.solve(self._system.f, **options))
        self.solution = s
        return Run(set_up, seconds, s.cycles, self._system.residual(s.u), "" if s.converged else s.reason)


class Enough(Exception):  # noqa: N818
    """Raised by a callback to stop a solver."""


class Algebraic:
    """One of PyAMG's solvers with its conjugate gradients, for as many iterations as the true residual needs."""

    def __init__(self, name: str, system: System) -> None:
        self.name, self._system = name, system
        self._iterations = 0

    def __call__(self) -> Run:
        system = self._system
        ml, set_up = timed(lambda: PYAMG[self.name](system.K, **OPTIONS[self.name]))
        M = self._preconditioner(ml)
        self._iterations = self._iterations or self._count(M)
        (u, info), seconds = timed(lambda: self._cg(M, self._iterations))
        return Run(set_up, seconds, self._iterations, system.residual(u), "indefinite" if info < 0 else "")

    def _preconditioner(self, ml: Any) -> LinearOperator:
        """The cycle; where the problem is singular, between projections to zero mean, as `pde` has them too."""
        M = ml.aspreconditioner()
        if not self._system.problem.singular:
            return M
        return LinearOperator(M.shape, matvec=lambda r: without_mean(M @ without_mean(r)), dtype=float)

    def _cg(self, M: LinearOperator, iterations: int, callback: Any = None) -> tuple[np.ndarray, int]:
        """Run `ml.solve(b, accel="cg")` without its own test of the residual."""
        with warnings.catch_warnings(record=True):  # the outcome is judged by the residual
            return pyamg.krylov.cg(self._system.K, self._system.b, tol=0.0, maxiter=iterations, M=M, callback=callback)

    def _count(self, M: LinearOperator) -> int:
        """The iterations until the true residual is at the tolerance; not timed."""
        count = 0

        def look(u: np.ndarray) -> None:
            nonlocal count
            count += 1
            if self._system.residual(u) <= RTOL:
                raise Enough

        with suppress(Enough):
            self._cg(M, LIMIT, look)
        return max(count, 1)


def without_mean(v: np.ndarray) -> np.ndarray:
    return v - v.mean()


T = TypeVar("T")


def timed(function: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = function()
    return result, time.perf_counter() - began


def methods(kind: Kind, n: int) -> tuple[System, Ours, list[Ours | Algebraic]]:
    system = System(kind.problem(n))
    own = Ours(kind, system)
    return system, own, [own, *(Algebraic(name, system) for name in PYAMG)]


class Needs(NamedTuple):
    """The memory in GiB and the seconds of one run that a method should take."""

    memory: float
    seconds: float

    def beyond(self, limits: Needs) -> str:
        """Name the resource of which it needs too much, if any."""
        if self.memory > limits.memory:
            return f"needs {self.memory:.2g} GiB"
        return f"needs {self.seconds / 60:.0f} min" if self.seconds > limits.seconds else ""


def needs(kind: Kind, n: int) -> dict[str, Needs]:
    """Estimate what each method needs with n unknowns per axis: in proportion to unknowns, from a quarter per axis."""
    result, small = {}, min(n, max(n // 4, 31))
    share = (n / small) ** kind.dimension
    for method in methods(kind, small)[2]:
        run = method()  # of PyAMG it knows its iterations from now on
        tracemalloc.start()
        method()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        result[method.name] = Needs(peak * share / GIB, (run.set_up + run.seconds) * share)
    return result


def measure(kind: Kind, n: int, repeats: int, limits: Needs) -> tuple[list[str], list[str]]:
    """The row of `pde`, and the row of all three beside each other."""
    beyond = {name: need.beyond(limits) for name, need in needs(kind, n).items()}
    _, own, everyone = methods(kind, n)
    runs: dict[str, list[Run]] = {method.name: [] for method in everyone if not beyond[method.name]}
    for _ in range(repeats):  # interleaved, so that a slower minute of the machine is everyone's
        for method in everyone:
            done = runs.get(method.name)
            spent = sum(run.set_up + run.seconds for run in done or ())
            if done is not None and spent < PATIENCE and all(run.converged for run in done):
                done.append(method())
                last = done[-1]
                print(f"  {method.name}: {last.set_up:.2f} s, {last.cycles}, {last.seconds:.2f} s", flush=True)
    cells = [cell for method in everyone for cell in outcome(runs.get(method.name), beyond[method.name])]
    return own_row(kind, own, runs.get(own.name)), [kind.name, *cells]


def outcome(runs: list[Run] | None, beyond: str) -> list[str]:
    """Set-up seconds, iterations, seconds of the solve; or why there are none."""
    if runs is None:
        return [beyond, "not run", "–"]
    set_up, last = f"{median(run.set_up for run in runs):.2f}", runs[-1]
    if not last.converged:
        trouble = f"{last.trouble} " if last.trouble else ""
        return [set_up, f"**{last.cycles}, {trouble}at {last.residual:.0e}**", "–"]
    return [set_up, str(last.cycles), f"{median(run.seconds for run in runs):.2f}"]


def own_row(kind: Kind, own: Ours, runs: list[Run] | None) -> list[str]:
    shape = f"{own.unknowns}^{kind.dimension}"
    if runs is None:
        return [kind.name, shape, *["–"] * 6]
    try:
        predicted = f"{own.mg.predict():.3f}"
    except ValueError:  # Fourier modes do not decouple
        predicted = "–"
    solution = own.solution
    return [
        kind.name,
        shape,
        f"fmg, then V{own.mg.nu}" if kind.cycle == "fmg" else f"V{own.mg.nu} + cg",
        f"{solution.cycles}{'' if runs[-1].converged else f' ({solution.reason})'}",
        predicted,
        f"{own.mg.measure_factor(cycles=15):.3f}",
        f"{solution.factor:.3f}",
        f"{solution.work_units:.0f}",
    ]


def main(quick: bool, kinds: Sequence[str], repeats: int, limits: Needs, folder: Path) -> None:
    rows: list[tuple[list[str], list[str]]] = []
    for number, kind in enumerate(KINDS, start=1):
        if kinds and not any(word in kind.name for word in kinds):
            continue
        print(f"{number}/{len(KINDS)} {kind.name}", flush=True)
        rows.append(measure(kind, SIZES[quick][kind.dimension], repeats, limits))
        print(" | ".join([*rows[-1][0], *rows[-1][1][1:]]), flush=True)
        write(rows, repeats, folder, show=False)
    write(rows, repeats, folder, show=True)


def write(rows: Sequence[tuple[list[str], list[str]]], repeats: int, folder: Path, show: bool) -> None:
    first, second = zip(*rows, strict=True)
    header = [
        "problem",
        "unknowns",
        "cycle",
        "cycles",
        "predicted factor",
        "measured factor",
        "per cycle",
        "work units",
    ]
    body = f"## Cycles to {RTOL:g}\n\n{report.table(header, first)}\n\n"
    parts = [f"{name}: {what}" for name in ("pde", *PYAMG) for what in ("set-up s", "cycles", "solve s")]
    body += f"## Beside PyAMG with conjugate gradients\n\n{report.table(['problem', *parts], second)}\n\n"
    report.write(
        "poisson_kinds", "Twelve kinds of Poisson problems", body + NOTES.format(repeats=repeats), folder, show
    )


NOTES = f"""\
f is white noise, of zero mean where the problem is singular. The smooth coefficient lies between exp(-2) and exp(2);
the one that jumps is a million in twelve balls and 1 around them. "Predicted" is local Fourier analysis, "measured"
power iteration, both of the plain V-cycle with its own nu; "per cycle" is the mean reduction in this solve. A work unit
is one evaluation of the finest residual.

All methods have the same symmetric matrix W A, start from zero and end when ||f - A u|| <= {RTOL:g} ||f|| in the norm
of control volumes, evaluated by one function; bold where {LIMIT} iterations did not do. PyAMG's iterations are counted
in a run that is not timed, and the timed one makes as many without looking at the true residual; `pde` evaluates it
after each cycle, in its time. Seconds are medians of up to {{repeats}}, the methods in turn; making the matrix does
not count. PyAMG runs with its defaults, but for what helps it: coarse_solver="pinv" and, on singular
problems, projections to zero mean around its cycle (without them it stopped early, as indefinite, on periodic boxes);
smoothed aggregation with strength of connection 0.08 in the place of 0, which failed on jumps and on the 1:100 box.
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="127^2 and 31^3; written to out/")
    parser.add_argument("--kinds", nargs="*", default=(), help="only problems whose name has one of these words")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each method (default 3)")
    parser.add_argument("--memory", type=float, default=12.0, help="GiB above which a method is not run (default 12)")
    parser.add_argument("--minutes", type=float, default=10.0, help="of a run above which it is not made (default 10)")
    parser.add_argument("--output", type=Path, help="folder for the table (default benchmarks/results; --quick: out)")
    given = parser.parse_args()
    folder = given.output or (Path("out") if given.quick else report.RESULTS)
    main(given.quick, given.kinds, given.repeats, Needs(given.memory, 60 * given.minutes), folder)
