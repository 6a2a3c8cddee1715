"""The solver on many ranks: counts beside a formula, memory, speed on this machine, and a model up to 10^5 ranks.

.venv-mpi/bin/python benchmarks/scaling.py [--small] [--latency 1.5] [--bandwidth 12] [--output FOLDER]

It starts mpiexec itself, with more ranks than processors. Counts and memory do not mind; speed is measured with as many
threads as two ranks have.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import report
import scaling_model as model

HERE = Path(__file__).parent
COUNTED = ([2, 3, 4, 6, 8], (1023, 1023)), ([2, 4, 8], (127, 127, 127))
MEMORY = ([1, 2, 4], (255, 511, 511))
SPEED = ((4095, 4095), (255, 255, 255))
SMALL = {"counted": (([2, 3], (255, 255)),), "memory": ([1, 2], (63, 127, 127)), "speed": ((255, 255),)}
ROUNDS = 3
MANY_RANKS = {"MPIR_CVAR_CH4_PROGRESS_THROTTLE": "true"}
"""Of MPICH: ranks that wait leave the processor to the others."""


def on_ranks(ranks: int, job: str, *numbers: int) -> Any:
    """The result of a job of `scaling_rank.py` under mpiexec."""
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        raise SystemExit("there is no mpiexec: pip install 'mgnet-multigrid[mpi]'")
    environment = {**os.environ, **(MANY_RANKS if job != "speed" else {}), "PYTHONPATH": str(HERE.parent)}
    words = [mpiexec, "-n", str(ranks), sys.executable, str(HERE / "scaling_rank.py"), job, *map(str, numbers)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def counts(cases: Any) -> str:
    """Messages and bytes of one rank, counted and by the formula."""
    rows = []
    for sizes, shape in cases:
        for ranks in sizes:
            for each in on_ranks(ranks, "counts", *shape):
                counted = [f"{each['counted'][k]:,}" for k in range(4)]
                rows.append([report.grid(shape), ranks, each["what"], *counted, "yes" if each["alike"] else "NO"])
                print(*rows[-1], flush=True)
    header = ["grid", "ranks", "pass", "messages", "bytes", "gathers", "bytes given", "all ranks as the formula"]
    return report.table(header, rows)


def memory(sizes: list[int], shape: tuple[int, ...]) -> str:
    """Growth of the peak of memory by a solve."""
    unknowns, rows = 1, []
    for n in shape:
        unknowns *= n
    for ranks in sizes:
        grown = on_ranks(ranks, "memory", *shape)
        rows.append([ranks, f"{grown / 2**20:.0f}", f"{grown / (8 * unknowns / ranks):.1f}"])
        print(*rows[-1], flush=True)
    return report.table(["ranks", f"MiB of one rank, {report.grid(shape)}", "times its share of u"], rows)


def speed(shapes: Any, rounds: int) -> tuple[str, float]:
    """Two ranks of one thread beside one of two, in turns; and nanoseconds per unknown of a cycle on one thread."""
    rows, work = [], 0.0
    for shape in shapes:
        found: dict[tuple[int, int], list[dict[str, float]]] = {(1, 2): [], (2, 1): [], (1, 1): []}
        for _ in range(rounds):
            for (ranks, threads), results in found.items():
                results.append(on_ranks(ranks, "speed", threads, *shape))
        for what in ("cycle", "solve"):
            one, two, single = (statistics.median(each[what] for each in results) for results in found.values())
            rows.append([report.grid(shape), what, f"{1e3 * one:.1f}", f"{1e3 * two:.1f}", f"{one / two:.2f}"])
            work = max(work, single / found[1, 1][0]["unknowns"]) if what == "cycle" else work
            print(*rows[-1], flush=True)
    header = ["grid", "", "one rank, two threads, ms", "two ranks of one thread, ms", "speed, times"]
    return report.table(header, rows), work


def costs(machine: model.Machine) -> str:
    """A V-cycle in milliseconds, by its parts."""
    rows = []
    for shape, sizes in (((65536, 65536), (64, 1024, 16384)), ((2048, 2048, 2048), (64, 512, 32768))):
        for ranks in sizes:
            for name, split in model.splits(ranks, len(shape)).items():
                least = model.slab_counts.LEAST if name == "slabs" else model.LEAST_BOX
                if any(n < least * q for n, q in zip(shape, split, strict=True)):
                    continue
                one = model.slabs(shape, ranks, machine) if name == "slabs" else model.boxes(shape, split, machine)
                parts = (one.work, one.halos, one.steps, one.messages, one.gathers, one.whole, one.total)
                kind = name.removesuffix(", 2-D")
                rows.append([report.grid(shape), ranks, kind, *(f"{1e3 * each:.2f}" for each in parts)])
    return report.table(
        ["grid", "ranks", "in", "own work", "halos", "steps", "messages", "gathers", "whole levels", "all, ms"], rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="small grids, to see that it runs")
    parser.add_argument("--latency", type=float, default=1.5, help="microseconds of a message (%(default)s)")
    parser.add_argument("--bandwidth", type=float, default=12.0, help="GB/s of a rank's network (%(default)s)")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder of scaling.md and scaling.png")
    options = parser.parse_args()
    counted, memorable, fast = (SMALL["counted"], SMALL["memory"], SMALL["speed"]) if options.small else (
        COUNTED, MEMORY, SPEED)  # fmt: skip
    parts = [
        "Counts of the rank that sends most, V(1,1) from a guess u, and one pass of full multigrid:",
        counts(counted),
        "Memory that a solve adds to the peak of the rank that takes most:",
        memory(*memorable),
    ]
    lines, work = speed(fast, 1 if options.small else ROUNDS)
    machine = model.Machine(work, on_ranks(1, "step"), 1e-6 * options.latency, 1e9 * options.bandwidth)
    parts += [f"Speed on this machine, medians of {ROUNDS} runs in turns, right-hand side white noise:", lines]
    parts += [
        f"The model: {1e9 * work:.1f} ns per unknown of a V-cycle and {1e6 * machine.step:.0f} microseconds per leg, "
        f"measured here on one thread; {options.latency} microseconds and {options.bandwidth} GB/s assumed. Slabs are "
        "counted as the program does; pencils and blocks are not built. Milliseconds of a V-cycle:",
        costs(machine),
        "![unknowns per second against ranks](scaling.png)",
    ]
    options.output.mkdir(parents=True, exist_ok=True)
    model.draw(options.output / "scaling.png", machine)
    report.write("scaling", "Many ranks", "\n\n".join(parts), options.output)


if __name__ == "__main__":
    main()
