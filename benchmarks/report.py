"""Tables of measurements, with what another person needs to repeat them."""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
os.environ.setdefault("PDE_COMPILE", "wait")  # no measurement on NumPy while kernels are compiled


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def grid(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def write(name: str, title: str, body: str, folder: Path = RESULTS, show: bool = True) -> Path:
    """Write `body` to folder/`name`.md under the title, the machine and the command, and print it."""
    text = f"# {title}\n\n{circumstances()}\n\n{body.strip()}\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(text)
    if show:
        print(text)
    return path


def circumstances() -> str:
    """Date, hardware, versions, commit and command, as a Markdown list."""
    packages = ["numpy", "scipy", "torch", "numba", *(p for p in ("pyamg",) if p in sys.modules)]
    if importlib.util.find_spec("mpi4py"):  # an environment for MPI has no torch
        packages = ["numpy", "scipy", "numba", "mpi4py"]
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages)
    command = " ".join(["python", os.path.relpath(sys.argv[0]), *map(shlex.quote, sys.argv[1:])])
    return "\n".join(
        (
            f"- date: {datetime.date.today().isoformat()}",
            f"- hardware: {processor()}, {os.cpu_count()} cores, {_memory()}",
            f"- versions: Python {platform.python_version()}, {versions}",
            f"- commit: {commit()}",
            f"- command: `{command}`",
        )
    )


def processor() -> str:
    """The name of the processor."""
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal"):
            return f"{int(line.split()[1]) / 2**20:.0f} GiB"
    return "memory unknown"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def commit() -> str:
    """The commit that is checked out, and whether files have changed since."""
    if shutil.which("git") is None:
        return "unknown"
    run = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(["git", "status", "--porcelain", "*.py"], capture_output=True, text=True, check=False)
    return (run.stdout.strip() or "unknown") + (" with local changes" if changed.stdout.strip() else "")
