"""Start programs under mpiexec, more ranks than processors where a test wants them, and end them after a time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LIMIT = 120.0
"""Seconds after which a program, or one test of `on ranks`, counts as one that hangs."""

MANY_RANKS = {
    **dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"),
    "MPIR_CVAR_CH4_PROGRESS_THROTTLE": "true",  # of MPICH: ranks that wait leave the processor to the others
    "PDE_COMPILE": "wait",
}
"""Environment of ranks that share a few processors."""


def command(ranks: int, *words: object) -> list[str]:
    """`mpiexec -n ranks python ...` of this environment."""
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    assert mpiexec, "there is no mpiexec: pip install mpich, or the MPI library of the system"
    return [mpiexec, "-n", str(ranks), sys.executable, *map(str, words)]


def mpiexec(
    ranks: int, *words: object, limit: float = LIMIT, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run `python *words` on so many ranks from the root of the repository; its exit code, stdout and stderr.

    Raises:
        AssertionError: it took longer than `limit` seconds; the message has its output.
    """
    around = {**os.environ, **MANY_RANKS, "PYTHONPATH": str(ROOT), **(env or {})}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(
            command(ranks, *words), cwd=cwd, env=around, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            start_new_session=True,
        )  # fmt: skip
        try:
            child.wait(limit)
        except subprocess.TimeoutExpired:
            end(child)
            raise AssertionError(f"no end after {limit:.0f} s\n{_text(out)}{_text(err)}") from None
        finally:
            end(child)
        return subprocess.CompletedProcess(child.args, child.returncode, _text(out), _text(err))


def end(child: subprocess.Popen[str]) -> None:
    """End a program of its own session, and all that it started."""
    if child.poll() is None:
        child.terminate()  # mpiexec ends its ranks
        with suppress(subprocess.TimeoutExpired):
            child.wait(5)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _text(file: object) -> str:
    file.seek(0)  # type: ignore[attr-defined]
    return str(file.read())  # type: ignore[attr-defined]
