"""Grid copies per solve and unknowns per second of the compiled kernels, beside the fastest solvers there are.

python benchmarks/poisson_speed.py [--quick] [--output FOLDER]

-Laplace u = f on the unit square and cube with zero Dirichlet data; u is a product of x(1-x)e^x, (1+y) sin 2 pi y,
z(1-z)e^-z. Each round times every method once; the tables have medians of the rounds. All are warm, and must come below
the discretisation error of the grid, or the benchmark stops. Intel MKL (pip install mkl), PyAMG (pip install pyamg) and
PETSc with hypre (apt-get install python3-petsc4py mpi-default-bin) are optional.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import report
from peers.algebraic import RugeStueben
from peers.fourier import Fourier
from peers.mkl import MKL

import pde

SIZES = [(255,) * 2, (511,) * 2, (1023,) * 2, (2047,) * 2, (4095,) * 2, (8191,) * 2, (63,) * 3, (127,) * 3, (255,) * 3]
QUICK = [(255,) * 2, (511,) * 2, (63,) * 3]
ALGEBRAIC = [(1023,) * 2, (63,) * 3]
"""Grids on which PyAMG and PETSc run too: each takes the most part of a minute there."""
SMALL = [(31,) * 2, (63,) * 2, (127,) * 2, (255,) * 2, (15,) * 3]
"""Grids on which a solve takes less than a millisecond or two: what is around the cycles counts."""
THREADS = 2
REST = 0.3
"""Seconds after a peer: OpenMP's threads stay busy for 0.2 s after their work, and would slow the next method down."""
FACTORS = [
    (lambda x: x * (1 - x) * np.exp(x), lambda x: -(x * x + 3 * x) * np.exp(x)),
    (
        lambda y: (1 + y) * np.sin(2 * np.pi * y),
        lambda y: 4 * np.pi * np.cos(2 * np.pi * y) - 4 * np.pi**2 * (1 + y) * np.sin(2 * np.pi * y),
    ),
    (lambda z: z * (1 - z) * np.exp(-z), lambda z: -(z * z - 5 * z + 4) * np.exp(-z)),
]
"""Each factor of u with its second derivative."""
VARIABLE, LARGEST_VARIABLE = "FMG, variable a", 1 << 24
PASS, SOLVE, MIXED = "full multigrid", "solve to 1e-9", "solve to 1e-9, mixed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small grids")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder (default: benchmarks/results)")
    options = parser.parse_args()
    records = []
    for shape in QUICK if options.quick else SIZES:
        print(report.grid(shape), flush=True)
        records.append(measure(shape))
    algebraic = [row for shape in ([QUICK[0]] if options.quick else ALGEBRAIC) for row in against_algebraic(shape)]
    small = [against_fourier(shape) for shape in SMALL]
    parts = [text(records), cycles_text(records), paths_text(255 if options.quick else 1023)]
    body = "\n\n".join([*parts, others_text(algebraic, small)])
    report.write("poisson_speed", "Compiled kernels beside other solvers", body, options.output)
    draw(records, options.output / "poisson_speed.png")


def measure(shape: tuple[int, ...]) -> dict[str, Any]:
    """Medians of interleaved rounds: {method: seconds}, with what was reached."""
    problem = pde.Poisson(shape)
    f, exact = data(problem)
    mg = pde.Multigrid(problem, threads=THREADS)
    mixed = pde.Multigrid(problem, threads=THREADS, dtype="mixed")
    out, other = np.empty_like(f), f.copy()
    solutions: dict[str, Any] = {}

    def solve(name: str, solver: pde.Multigrid) -> None:
        solutions[name] = solver.solve(f, rtol=1e-9, out=other)

    jobs: dict[str, Callable[[], Any]] = {
        "copy": lambda: np.copyto(other, f),
        PASS: lambda: mg.full_multigrid(f, out=out),
        SOLVE: lambda: solve(SOLVE, mg),
        MIXED: lambda: solve(MIXED, mixed),
    }
    for nu in dict.fromkeys([(1, 1), mg.nu]):
        jobs |= cycle_jobs(pde.Multigrid(problem, threads=THREADS, nu=nu), f, out)
    if f.size <= LARGEST_VARIABLE:
        smooth = pde.Multigrid(pde.Poisson(shape, coefficient=coefficient), threads=THREADS)
        jobs[VARIABLE] = lambda: smooth.full_multigrid(f, out=out)
    peers = [peer for kind in (Fourier, MKL) if (peer := available(kind, shape)) is not None]
    for job in jobs.values():
        job()
    for peer in peers:
        peer.load(f)
        peer.solve()
    discrete = peers[0].u.copy()
    discretisation = float(np.max(np.abs(discrete - exact)))
    errors = {peer.name: float(np.max(np.abs(peer.u - discrete))) for peer in peers[1:]}
    errors[PASS] = float(np.max(np.abs(mg.full_multigrid(f) - discrete)))
    del discrete, exact
    for name, error in errors.items():
        if error > discretisation:
            raise SystemExit(f"{shape}: {name} leaves {error:.2e}, the discretisation {discretisation:.2e}")
    times: dict[str, list[float]] = {name: [] for name in (*jobs, *(peer.name for peer in peers))}
    for _ in range(max(5, min(30, int(2e8 / f.size)))):
        for name, job in jobs.items():
            awaken()
            times[name].append(seconds(job))
        for peer in peers:
            peer.load(f)
            awaken()
            times[peer.name].append(seconds(peer.solve))
            time.sleep(REST)
    return {
        "shape": shape,
        "seconds": {name: statistics.median(each) for name, each in times.items()},
        "ratio": errors[PASS] / discretisation,
        "cycles": ", ".join(told(solutions[name]) for name in (SOLVE, MIXED)),
    }


def told(solution: pde.Solution) -> str:
    return f"{solution.cycles}" + ("" if solution.converged else f" ({solution.reason})")


FEW, MORE = 2, 6
"""V-cycles of two solves, the difference of which is that of the cycles, with the norms of their residuals."""


def cycle_jobs(mg: pde.Multigrid, f: np.ndarray, out: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Two solves of FEW and MORE V-cycles."""

    def run(cycles: int) -> Callable[[], Any]:
        return lambda: mg.solve(f, cycle="V", rtol=1e-300, max_cycles=cycles, out=out)

    return {f"V{mg.nu} {cycles}".replace(" ", ""): run(cycles) for cycles in (FEW, MORE)}


def bytes_of_a_cycle(dimension: int) -> float:
    """Per unknown: two passes over each grid, each of which reads u and f and the lines of a new u, writes that, and
    writes or reads the coarse grid's numbers."""
    share = 2.0**-dimension
    return 2 * (32 + 8 * share) / (1 - share)


def cycles_text(records: list[dict[str, Any]]) -> str:
    """V-cycles against the time that their bytes take at the bandwidth of the copy."""
    rows = []
    for record in records:
        size, times, dimension = int(np.prod(record["shape"])), record["seconds"], len(record["shape"])
        names = [name.removesuffix(str(FEW)) for name in times if name.startswith("V(") and name.endswith(f"){FEW}")]
        least = bytes_of_a_cycle(dimension) / 16 * times["copy"]
        for name in names:
            seconds = (times[f"{name}{MORE}"] - times[f"{name}{FEW}"]) / (MORE - FEW)
            each = f"{1e9 * seconds / size:.2f}", f"{1e9 * least / size:.2f}", f"{seconds / least:.2f}"
            rows.append([report.grid(record["shape"]), name, *each])
    columns = ["grid", "cycle", "ns per unknown", "ns that its bytes take", "ratio"]
    return "V-cycles, with the norms of their residuals:\n\n" + report.table(columns, rows)


def paths_text(n: int) -> str:
    """What a cycle costs where a problem is not the plain one: the whole solve over its cycles, in medians."""
    rng = np.random.default_rng(2)
    plain, f = pde.Poisson((n, n)), rng.standard_normal((n, n))
    sides: Any = {(axis, side): rng.standard_normal(n) for axis in (0, 1) for side in (0, 1)}
    kinds: dict[str, tuple[pde.Poisson, dict[str, Any]]] = {
        "zero Dirichlet data": (plain, {}),
        "periodic": (pde.Poisson((n + 1, n + 1), boundary="periodic"), {}),
        "Neumann on all sides": (pde.Poisson((n, n), boundary="neumann"), {}),
        "data g on all sides": (plain, {"g": sides}),
        "conjugate gradients": (plain, {"accel": "cg"}),
        "smooth variable a": (pde.Poisson((n, n), coefficient=coefficient), {}),
    }
    jobs = {name: path_job(problem, f, options) for name, (problem, options) in kinds.items()}
    times: dict[str, list[float]] = {name: [] for name in jobs}
    cycles: dict[str, int] = {}
    for round in range(11):  # the first of them to warm up
        for name, job in jobs.items():
            awaken()
            taken = seconds(lambda job=job, name=name: cycles.update({name: job().cycles}))
            times[name] += [taken] if round else []
    each = {name: statistics.median(times[name]) / cycles[name] for name in jobs}
    first = next(iter(each.values()))
    rows = [
        [name, f"{cycles[name]}", f"{1e3 * cycles[name] * t:.1f}", f"{1e3 * t:.2f}", f"{t / first:.2f}"]
        for name, t in each.items()
    ]
    columns = ["problem", "cycles", "solve to 1e-9, ms", "per cycle, ms", "ratio"]
    return f"Paths, {n}x{n} (periodic {n + 1}x{n + 1}), white noise:\n\n" + report.table(columns, rows)


def path_job(problem: pde.Poisson, f: np.ndarray, options: dict[str, Any]) -> Callable[[], pde.Solution]:
    mg = pde.Multigrid(problem, threads=THREADS)
    f = np.resize(f, problem.shape)
    if problem.singular:
        W = problem.control_volumes()
        f = f - np.sum(W * f) / np.sum(W)
    out = np.empty_like(f)
    return lambda: mg.solve(f, rtol=1e-9, out=out, **options)


def against_fourier(shape: tuple[int, ...], rounds: int = 500) -> list[str]:
    """A row: a solve to 1e-8 on a small grid beside the sine transforms of one thread, the medians of the rounds."""
    problem = pde.Poisson(shape)
    f, _ = data(problem)
    mg, peer, out = pde.Multigrid(problem, kernels="numba", threads=1), Fourier(shape, 1), np.empty_like(f)
    times: list[list[float]] = [[], []]
    for _ in range(rounds + 1):  # the first of them to warm up
        peer.load(f)
        times[0].append(seconds(lambda: mg.solve(f, rtol=1e-8, out=out)))
        times[1].append(seconds(peer.solve))
    difference = float(np.max(np.abs(out - peer.u)) / np.max(np.abs(peer.u)))
    if difference > 1e-6:
        raise SystemExit(f"{shape}: a solve to 1e-8 and sine transforms differ by {difference:.1e}")
    ours, theirs = (1e3 * statistics.median(each[1:]) for each in times)
    cycles = mg.solve(f, rtol=1e-8).cycles
    return [
        report.grid(shape),
        f"{cycles}",
        f"{ours:.3f}",
        f"{theirs:.3f}",
        f"{ours / theirs:.1f}",
        f"{difference:.0e}",
    ]


def available(kind: Any, shape: tuple[int, ...]) -> Any:
    try:
        return kind(shape, THREADS)
    except ImportError as error:
        print(f"{kind.name} is left out: {error}")
        return None


def awaken() -> None:
    """Keep every core busy for a moment: one that has slept takes milliseconds to come back on a virtual machine."""

    def work() -> None:
        numbers, end = np.ones(1 << 14), time.perf_counter() + 4e-3
        while time.perf_counter() < end:
            np.negative(numbers, out=numbers)

    others = [Thread(target=work) for _ in range(THREADS - 1)]
    for other in others:
        other.start()
    work()
    for other in others:
        other.join()


def seconds(job: Callable[[], Any]) -> float:
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def against_algebraic(shape: tuple[int, ...]) -> list[list[str]]:
    """Rows: set-up and solve to 1e-8 of solvers that take a matrix, beside ours."""
    problem = pde.Poisson(shape)
    f, _ = data(problem)
    mg = pde.Multigrid(problem, threads=THREADS)
    mg.solve(f)
    ours = statistics.median(seconds(lambda: mg.solve(f, rtol=1e-8)) for _ in range(5))
    both = statistics.median(
        seconds(lambda: pde.Multigrid(problem, threads=THREADS).solve(f, rtol=1e-8)) for _ in range(5)
    )
    rows: list[tuple[str, float, float, str]] = [
        ("this package", both - ours, ours, f"{mg.solve(f, rtol=1e-8).cycles} cycles")
    ]
    try:
        peer = RugeStueben(problem.matrix(), 1e-8)
        peer.load(f)
        rows.append((peer.name, peer.setup, seconds(peer.solve), ""))
    except ImportError as error:
        print(f"PyAMG is left out: {error}")
    rows += petsc(shape)
    return [
        [report.grid(shape), name, f"{setup:.2f}", f"{solve:.3f}", f"{solve / ours:.1f}", note]
        for name, setup, solve, note in rows
    ]


def petsc(shape: tuple[int, ...]) -> list[tuple[str, float, float, str]]:
    """PETSc and hypre in processes of their own, one per thread of ours."""
    if shutil.which("mpiexec") is None:
        print("PETSc is left out: there is no mpiexec")
        return []
    script = Path(__file__).parent / "peers" / "petsc.py"
    command = ["mpiexec", "--allow-run-as-root", "-n", str(THREADS), "/usr/bin/python3", str(script), *map(str, shape)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = []
    for record in map(json.loads, filter(lambda line: line.startswith("{"), run.stdout.splitlines())):
        if "error" in record:
            print(f"{record['name']} is left out: {record['error']}")
        else:
            note = f"{record['iterations']} iterations, residual {record['residual']:.0e}"
            rows.append((record["name"], record["setup"], record["seconds"], note))
    if not rows:
        print(f"PETSc is left out: {(run.stderr or run.stdout).strip().splitlines()[-1:]}")
    return rows


def coefficient(*axes: np.ndarray) -> np.ndarray:
    """Smooth, from 1 to 3."""
    return 2 + np.prod([np.sin(2 * np.pi * x) for x in axes], axis=0)


def data(problem: pde.Poisson) -> tuple[np.ndarray, np.ndarray]:
    """f and the exact solution at the unknowns."""
    axes = [axis.points for axis in problem.grid.axes]
    factors = [(g(x), second(x)) for (g, second), x in zip(FACTORS, axes, strict=False)]
    exact, f = np.ones(()), np.zeros(problem.shape)
    for g, _ in factors:
        exact = np.multiply.outer(exact, g)
    for a in range(len(factors)):
        term = np.ones(())
        for b, (g, second) in enumerate(factors):
            term = np.multiply.outer(term, second if a == b else g)
        f -= term
    return f, exact


def text(records: list[dict[str, Any]]) -> str:
    methods = [name for name in records[0]["seconds"] if name != "copy" and not name.startswith("V(")]

    def cell(record: dict[str, Any], name: str, value: Callable[[float], float]) -> str:
        return f"{value(record['seconds'][name]):.1f}" if name in record["seconds"] else ""

    header = ["grid", "copy, GB/s", "error / discretisation error", "cycles to 1e-9, mixed", *methods]
    pairs = [(ours, theirs) for theirs in (Fourier.name, MKL.name) for ours in (PASS, SOLVE, MIXED)]
    copies, speeds, ratios = [], [], []
    for record in records:
        size, times = int(np.prod(record["shape"])), record["seconds"]
        start = [report.grid(record["shape"]), f"{16 * size / times['copy'] / 1e9:.1f}"]
        start += [f"{record['ratio']:.2f}", record["cycles"]]
        copies.append([*start, *(cell(record, name, lambda t, copy=times["copy"]: t / copy) for name in methods)])
        speeds.append([start[0], *(cell(record, name, lambda t, size=size: size / t / 1e6) for name in methods)])
        ratios.append([start[0], *(f"{times[b] / times[a]:.2f}" if b in times else "" for a, b in pairs)])
    parts = [
        "In grid copies:",
        report.table(header, copies),
        "In million unknowns per second:",
        report.table(["grid", *methods], speeds),
        "Times as fast as another method:",
        report.table(["grid", *(f"{ours}, x {theirs}" for ours, theirs in pairs)], ratios),
    ]
    return "\n\n".join(parts)


def others_text(algebraic: list[list[str]], small: list[list[str]]) -> str:
    parts = []
    if algebraic:
        columns = ["grid", "solver", "set-up, s", "solve to 1e-8, s", "times ours", ""]
        parts += ["Solvers for any matrix:", report.table(columns, algebraic)]
    columns = ["grid", "cycles", "solve to 1e-8, ms", f"{Fourier.name}, ms", "ratio", "largest difference in u"]
    parts += ['Small grids, kernels="numba", one thread:', report.table(columns, small)]
    return "\n\n".join([*parts, "![time against unknowns](poisson_speed.png)", NOTES])


def draw(records: list[dict[str, Any]], path: Path) -> None:
    """Time against unknowns, with what the memory's bandwidth allows."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True)
    for ndim, axes in zip((2, 3), panels, strict=True):
        some = [record for record in records if len(record["shape"]) == ndim]
        sizes = [int(np.prod(record["shape"])) for record in some]
        for name in (n for n in (some[0]["seconds"] if some else ()) if not n.startswith("V(")):
            values = [record["seconds"].get(name, np.nan) for record in some]
            if name == "copy":
                axes.loglog(sizes, values, "k:", label="copy of a grid")
                limit = [FEWEST_COPIES * value for value in values]
                axes.loglog(sizes, limit, "k--", label=f"limit: {FEWEST_COPIES} copies")
            else:
                axes.loglog(sizes, values, "o-", label=name, markersize=4)
        axes.set(title=f"{ndim}-D", xlabel="unknowns")
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("seconds")
    panels[1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    figure.tight_layout()
    figure.savefig(path, dpi=150)


FEWEST_COPIES = 6
"""Copies that full multigrid needs at least: passes down and up with f and u on every grid, f restricted again."""

NOTES = f"""\
{THREADS} threads, or processes, all cores awake. A copy reads and writes each number once (16 bytes per unknown).
Variable a: 2 + sin 2 pi x sin 2 pi y (sin 2 pi z). scipy.fft: dstn, type 1, in place, with precomputed eigenvalues.
Intel MKL: its Poisson solver on its own padded array, with f scaled and packed beforehand. Set-up of this package: what
a new solver with its first solve takes longer than a later solve, with kernels compiled before; of the others: the
hierarchy from a matrix. PETSc, hypre: Debian's. V-cycles: the difference of solves with {FEW} and {MORE}
of them, whose bytes are {bytes_of_a_cycle(2):.0f} and {bytes_of_a_cycle(3):.0f} per unknown in two and three
dimensions. Paths: the whole solve over its cycles."""


if __name__ == "__main__":
    main()
