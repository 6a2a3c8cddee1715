"""How long a first call takes: on a machine without compiled kernels, on one that has them, and what compiling costs.

python benchmarks/first_call.py [--runs 5]
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import report

ROOT = Path(__file__).parent.parent
SNIPPET = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)[0]
CUBE = """import numpy as np, pde
mg = pde.Multigrid(pde.Poisson((96, 96, 96)), dtype="float32")
print(mg.solve(lambda x, y, z: np.exp(x * y * z), rtol=1e-4).message)"""
SHELL = ["-m", "pde", "solve", "--shape", "255", "255", "--f", "exp(x*y)"]
CALLS = (  # what is run, its arguments, and the seconds that it may take at most without and with compiled kernels
    ("README's first snippet, 1023²", ["-c", SNIPPET], 1.5, 1.6),
    ("`python -m pde solve --shape 255 255`", SHELL, 1.5, 1.6),
    ("96³ in float32", ["-c", CUBE], 3.0, 1.6),
)
NEEDED = ["--dtypes", "float64", "--coefficients", "constant"]
PATIENCE = 600
"""Seconds that a child process may take to compile."""


def call(words: list[str], folder: str) -> tuple[float, float]:
    """Wall seconds of a new process whose kernels are kept in a folder, and its longest silence."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": folder, "PDE_COMPILE": "background", "PYTHONUNBUFFERED": "1"}
    times = [time.perf_counter()]
    process = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    times.extend(time.perf_counter() for _ in process.stdout)
    if process.wait() != 0:
        raise RuntimeError(f"{words} failed")
    times.append(time.perf_counter())
    return times[-1] - times[0], max(b - a for a, b in pairwise(times))


def until_compiled(folder: str) -> float:
    """Seconds until the child process has left its stamp."""
    began = time.perf_counter()
    while not list(Path(folder).glob("pde-*.json")):
        if time.perf_counter() - began > PATIENCE:
            raise RuntimeError("the child process has not compiled the kernels")
        time.sleep(0.2)
    return time.perf_counter() - began


def cold_and_warm(words: list[str], runs: int) -> list[float]:
    """Medians: seconds and longest silence without kernels, until they are compiled, seconds and silence with them."""
    rows = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            cold = call(words, folder)
            ready = until_compiled(folder)
            call(words, folder)  # the files are in memory
            rows.append((*cold, cold[0] + ready, *call(words, folder)))
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def compiling(ndim: int) -> float:
    """CPU seconds of a process that compiles what a solve in float64 needs, imports included."""
    before = os.times()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-m", "pde", "compile", "--dims", str(ndim), *NEEDED]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="medians of so many runs (%(default)s)")
    runs = parser.parse_args().runs
    rows = []
    for name, words, cold, warm in CALLS:
        found = cold_and_warm(words, runs)
        rows.append([name, *(f"{value:.2f}" for value in found), f"{cold}, {warm}"])
        print(*rows[-1], flush=True)
    header = ["seconds of", "cold", "silent", "until compiled", "warm", "silent", "at most: cold, warm"]
    body = report.table(header, rows)
    body += (
        "\n\nCold: no compiled kernels on the machine; the solve runs on NumPy while a child process compiles at low\n"
    )
    body += "priority, on the other core if there is one. Silent: the longest time without a line of output.\n"
    body += "Warm: kernels from Numba's cache. Each is a new process, imports included.\n\n"
    costs = [[f"{ndim}-D", f"{statistics.median(compiling(ndim) for _ in range(runs)):.1f}"] for ndim in (2, 3)]
    body += report.table(["compiling all that a solve needs, float64, constant coefficients", "CPU seconds"], costs)
    body += f"\n\nMedians of {runs}. At most 15 CPU seconds in two dimensions, imports included."
    report.write("first_call", "The first call", body)


if __name__ == "__main__":
    main()
