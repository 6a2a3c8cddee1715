"""Classical cycles, tuned by one search: smoother, sweeps, cycle, corners of P, omega, with and without CG."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import product
from math import inf, log10
from statistics import median
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse.linalg import cg

import pde
from benchmarks.learned.families import CYCLES, FACTOR_SEED, RTOL, SIZES, TUNING, noise, problem
from benchmarks.learned.operations import cycle_operations, work_of
from benchmarks.learned.transfers import free_omega, name_of, standard_coarsening
from benchmarks.runner import Clock, Result

SWEEPS = ((1, 1), (2, 1), (2, 2))
TAUS = (0.0, -0.25, -0.5, -0.75, -1.0)
"""Corners of P. Positive ones are mirror images for Poisson, and favour the weak diagonal of both tensors."""

BOUNDS = {"sor": (0.8, 1.8), "zebra": (0.8, 1.8), "jacobi": (0.4, 1.2), "chebyshev": (0.4, 1.2)}
"""omega of each smoother; the first two are tuned in full, the others beside them with bilinear P alone."""

SCAN, LINE, SEARCH_CYCLES = 7, 7, 20
"""Evaluations of a scan of omega and of the line search after it; cycles of each."""

MOST = 100
"""Cycles or iterations of a solve at most."""


@dataclass(frozen=True)
class Candidate:
    """A cycle without its omega; `tau` as in `CornerTransfer`, `accel` "cg" or None."""

    smoother: str
    nu: tuple[int, int]
    cycle: str = "V"
    tau: float = 0.0
    coarse: str = "galerkin"
    accel: str | None = None
    coarsening: str = "standard"

    def solver(self, family: str, n: int, omega: float) -> pde.Multigrid:
        """The solver in NumPy, with levels down to a handful of unknowns."""
        options = {"smoother": self.smoother, "nu": self.nu, "coarse": self.coarse, "transfer": name_of(self.tau)}
        with ExitStack() as stack:
            if self.coarsening == "standard":
                stack.enter_context(standard_coarsening())
            mg = pde.Multigrid(problem(family, n), omega=omega, levels=64, kernels="numpy", threads=1, **options)
            if self.accel:
                stack.enter_context(free_omega())
                made = mg.backend.symmetric()
                mg.backend.symmetric = lambda: made  # type: ignore[method-assign]
        return mg

    def operations(self, mg: pde.Multigrid) -> float:
        """Operations per unknown of a cycle, or of an iteration of conjugate gradients."""
        return operations(work_of(mg, bool(self.accel)), self.cycle, self.accel)


def operations(work: list[Any], cycle: str, accel: str | None) -> float:
    """Conjugate gradients add A p (2 z), two inner products, a norm and three updates (12 n) to a cycle from zero."""
    more = 2 * work[0].nonzeros / work[0].n + 12 if accel else 0.0
    return cycle_operations(work, cycle, from_zero=bool(accel)) + more


def rate(mg: Any, candidate: Candidate, n: int) -> tuple[float, int]:
    """Residual reduction per iteration of a solve to `RTOL`, and the iterations."""
    options = {"cycle": candidate.cycle, "accel": candidate.accel or "none"}
    solution = mg.solve(noise(n), u0=0.0, rtol=RTOL, max_cycles=MOST, **options)
    norms = solution.residual_norms
    if not solution.converged:
        return inf, solution.cycles
    return float((norms[-1] / norms[0]) ** (1 / solution.cycles)), solution.cycles


def objective(family: str, candidate: Candidate, omega: float) -> float:
    """The number that the search makes small: the measured factor, or the reduction per iteration of CG."""
    mg = candidate.solver(family, TUNING, omega)
    if candidate.accel:
        return rate(mg, candidate, TUNING)[0]
    factor = mg.measure_factor(candidate.cycle, SEARCH_CYCLES, FACTOR_SEED)
    return factor if np.isfinite(factor) else inf


def line_search(function: Callable[[float], float], bounds: tuple[float, float]) -> tuple[float, float]:
    """(omega, value) of the best of `SCAN` equidistant omegas and of `LINE` more around it."""
    tried: dict[float, float] = {}

    def noted(omega: float) -> float:
        tried[float(omega)] = value = min(function(float(omega)), 1e6)
        return value

    grid = np.linspace(*bounds, SCAN)
    best = int(np.argmin([noted(omega) for omega in grid]))
    around = grid[max(best - 1, 0)], grid[min(best + 1, SCAN - 1)]
    minimize_scalar(noted, bounds=around, method="bounded", options={"maxiter": LINE, "xatol": 1e-3})
    return min(tried.items(), key=lambda pair: pair[1])


def candidates(family: str, smoother: str, tried: list[Result]) -> Iterator[Candidate]:
    """The cycles that are tuned; `tried` has those before, whose best tau for a V-cycle the W-cycle takes."""
    taus = TAUS if smoother in ("sor", "zebra") else (0.0,)
    for nu in SWEEPS:
        yield from (Candidate(smoother, nu, tau=tau) for tau in taus)
        best = min(tried[-len(taus) :], key=lambda row: row["value"])
        yield Candidate(smoother, nu, "W", best["tau"])
        if nu[0] == nu[1]:
            yield from (Candidate(smoother, nu, tau=tau, accel="cg") for tau in taus)
    other = {"coarse": "rediscretised"} if family == "Poisson" else {"coarsening": "own"}
    if family != "45 deg, 0.01":  # there the solver by itself halves both axes, too
        yield from (Candidate(smoother, nu, cycle, **other) for nu, cycle in product(SWEEPS, "VW"))
        yield from (Candidate(smoother, nu, accel="cg", **other) for nu in SWEEPS if nu[0] == nu[1])


def tune(family: str, smoother: str, clock: Clock) -> Result:
    """Tune all candidates, and measure on all sizes the most efficient one, the best V(1,1) and the best with CG.

    A third of the CPU seconds is kept for the measurements.
    """
    tried: list[Result] = []
    complete = True
    for candidate in candidates(family, smoother, tried):
        if clock.left < clock.limit / 3:
            complete = False
            break
        omega, value = line_search(lambda w, c=candidate: objective(family, c, w), BOUNDS[smoother])
        count = candidate.operations(candidate.solver(family, TUNING, omega))
        tried.append({**asdict(candidate), "omega": omega, "value": value, "operations": count})
    searched = clock.used
    measured = [measure(family, row, clock) for row in chosen(tried)]
    about = {"search_seconds": round(searched, 1), "complete": complete}
    return {"kind": "classical", "family": family, **about, "tried": tried, "measured": measured}


def efficiency(value: float, count: float) -> float:
    """-log10 of a factor per thousand operations."""
    return -1000 * log10(value) / count if 0 < value < 1 else 0.0


def chosen(tried: list[Result]) -> list[Result]:
    """The most efficient cycle, the V(1,1)-cycle with the smallest factor, and the most efficient one with CG."""
    plain, krylov = ([row for row in tried if bool(row["accel"]) == accel] for accel in (False, True))
    first = [row for row in plain if (row["nu"], row["cycle"]) == ((1, 1), "V")]
    best = {"most efficient": max(plain, key=_efficiency, default=None)}
    best["best V(1,1)"] = min(first, key=lambda row: row["value"], default=None)
    best["with CG"] = max(krylov, key=_efficiency, default=None)
    return [{"role": role, **row} for role, row in best.items() if row is not None]


def _efficiency(row: Result) -> float:
    return efficiency(row["value"], row["operations"])


def measure(family: str, row: Result, clock: Clock, sizes: tuple[int, ...] = SIZES) -> Result:
    """Factors, iterations and seconds of a tuned candidate beside the Fourier prediction, on sizes that time allows."""
    row = dict(row)
    candidate = Candidate(**{name: row.pop(name) for name in Candidate.__dataclass_fields__})
    on_sizes: dict[str, Result] = {}
    for n in sizes:
        began = clock.used
        mg = candidate.solver(family, n, row["omega"])
        on_sizes[str(n)] = measured_on(mg, candidate, n)
        if n == min(255, sizes[-1]):
            row |= {"predicted": prediction(mg, candidate), "operations": candidate.operations(mg)}
        if 5 * (clock.used - began) > clock.left:
            break
    if candidate.accel:
        row["scipy_iterations"] = scipy_iterations(candidate, family, row["omega"])
    return {**asdict(candidate), **row, "sizes": on_sizes}


def measured_on(mg: Any, candidate: Candidate, n: int) -> Result:
    """The factor of cycles (of the residual, per iteration, with CG), iterations to `RTOL`, seconds of a cycle."""
    reduction, iterations = rate(mg, candidate, n)
    factor = reduction if candidate.accel else mg.measure_factor(candidate.cycle, CYCLES, FACTOR_SEED)
    return {"factor": factor, "iterations": iterations, "seconds": seconds_of(mg, candidate, n)}


def seconds_of(mg: Any, candidate: Candidate, n: int, rounds: int = 3) -> float:
    """CPU seconds of a cycle, or of the preconditioner, in NumPy: the median."""
    f = noise(n)
    if candidate.accel:
        apply, flat = mg.as_preconditioner(candidate.cycle), f.ravel()
        return median(_timed(lambda: apply @ flat) for _ in range(rounds))
    return median(_timed(lambda: mg.cycle(f, f, candidate.cycle)) for _ in range(rounds))


def _timed(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def prediction(mg: Any, candidate: Candidate) -> float:
    """The factor on an infinite grid; with CG the bound by the condition number."""
    if not candidate.accel:
        return mg.predict(candidate.cycle)
    with free_omega():
        return mg.predict(candidate.cycle, accel="cg")


def scipy_iterations(candidate: Candidate, family: str, omega: float) -> int:
    """Iterations of SciPy's cg to `RTOL` at the tuning size, with the cycle as its preconditioner."""
    mg, steps = candidate.solver(family, TUNING, omega), [0]
    W = mg.problem.control_volumes()

    def count(_: Any) -> None:
        steps[0] += 1

    rhs = (W * noise(TUNING)).ravel()
    M = mg.as_preconditioner(candidate.cycle)
    cg(mg.problem.matrix(symmetric=True), rhs, rtol=RTOL, maxiter=MOST, M=M, callback=count)
    return steps[0]
