"""Where the time of full multigrid and of a cycle goes: bytes moved per unknown in each pass over the finest grid,
against the bandwidth of a copy.

python benchmarks/kernel_profile.py [--quick] [--dtype float32] [--threads 2] [--output FOLDER]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import report

import pde
from pde.backends.numba.buffers import OUT, F, U
from pde.backends.numba.fused_sweep import ITERATE, NOTHING, RESIDUAL
from pde.backends.numba.recording import RecordedLevel, RecordedSolution
from pde.backends.numba.states import Interpolated, Rows, State

SIZES = [(4095,) * 2, (1023,) * 2, (255,) * 3, (63,) * 3]
QUICK = [(255,) * 2, (31,) * 3]
ROUNDS = 15
NUS = [(1, 1), (2, 1)]
"""Their difference is what a sweep costs within a pass."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small grids")
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64", help="(default: float64)")
    parser.add_argument("--threads", type=int, default=2, help="(default: 2)")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder (default: benchmarks/results)")
    options = parser.parse_args()
    parts = []
    for shape in QUICK if options.quick else SIZES:
        for nu in NUS:
            parts += [f"{report.grid(shape)}, nu={nu}:", profile(shape, nu, options.dtype, options.threads)]
    body = "\n\n".join([*parts, NOTES.format(threads=options.threads, dtype=options.dtype)])
    report.write("kernel_profile", "Passes over the finest grid", body, options.output)


def profile(shape: tuple[int, ...], nu: tuple[int, int], dtype: str, threads: int) -> str:
    """A table with one row per pass."""
    rng = np.random.default_rng(1)
    mg = pde.Multigrid(pde.Poisson(shape), nu=nu, kernels="numba", threads=threads, dtype=dtype)
    f, out = rng.standard_normal(shape).astype(dtype), np.zeros(shape, dtype)
    mg.full_multigrid(f, out=out)
    executor = mg.backend.kernels.executor
    data, given, result = Rows(F, False), Rows(U, False), Rows(OUT, False)
    number = f.itemsize
    below = number / 2 ** len(shape)  # bytes of a number on the coarse grid, per number of the fine one

    def run(moves: Callable[[RecordedLevel, Rows, Rows], Any]) -> Callable[[], Any]:
        """Record a move of the finest level, which is given u and f of the next one."""
        recorder = executor.recorder()
        fine = RecordedLevel(recorder, 0, executor.sweeping, recorder.rows("u", 0))
        moves(fine, recorder.rows("u", 1), recorder.rows("f", 1))
        plan = executor.plan_of(recorder)
        return lambda: executor.run(plan, f, out, out)

    def restrict_rhs(fine: RecordedLevel, u: Rows, f: Rows) -> None:
        fine.restrict_data(data, RecordedSolution(fine.recorder, 1))

    def down(start: Callable[[Rows], Any]) -> Callable[[], Any]:
        return run(lambda fine, u, f: fine.run(fine.smooth(fine.start(data, start(u))), fine.u, f))

    def up(norm: int) -> Callable[[], Any]:
        sweeps = executor.sweeping.nu_post
        return run(lambda fine, u, f: fine.run(State(data, fine.u, u, sweeps=sweeps), result, norm=norm))

    passes: dict[str, tuple[float, Callable[[], Any]]] = {
        "copy of a grid": (2 * number, lambda: np.copyto(out, f)),
        "data to the coarse grid": (
            number + below,
            run(restrict_rhs),
        ),
        "cubic start, sweeps, residual restricted": (2 * number + 2 * below, down(Interpolated)),
        "zero start, sweeps, residual restricted": (2 * number + below, down(lambda u: None)),
        "sweeps of u, residual restricted": (3 * number + below, down(lambda u: given)),
        "correction, sweeps": (3 * number + below, up(NOTHING)),
        "correction, sweeps, norm of u": (3 * number + below, up(ITERATE)),
        "correction, sweeps, norm of the residual": (3 * number + below, up(RESIDUAL)),
        "full multigrid, all of it": (0, lambda: mg.full_multigrid(f, out=out)),
    }
    for _, job in passes.values():
        job()
    times: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(ROUNDS):
        for name, (_, job) in passes.items():
            began = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(each) for name, each in times.items()}
    copy = medians["copy of a grid"]
    rows = []
    for name, (count, _) in passes.items():
        seconds = medians[name]
        speed = f"{count * f.size / seconds / 1e9:.1f}" if count else ""
        rows.append(
            [name, f"{count:.0f}" if count else "", f"{seconds * 1e9 / f.size:.2f}", f"{seconds / copy:.1f}", speed]
        )
    return report.table(["pass", "bytes per unknown", "ns per unknown", "copies", "GB/s"], rows)


NOTES = f"""\
{{dtype}}, {{threads}} threads, medians of {ROUNDS} interleaved rounds. Bytes: each array that a pass reads or writes,
once, not the reading of lines that are only written. Full multigrid is the data, a cubic start and a correction with
the norm of u on the finest grid, the same on the coarser ones, which are visited more than once, and what is done
outside of the passes."""


if __name__ == "__main__":
    main()
