"""Kernels that are not compiled yet: what a solver runs on meanwhile, and the child process that compiles them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pde.backends.numba import stamps
from pde.backends.numba.variants import Variant
from pde.common.progress import say

SETTING = "PDE_COMPILE"
MODES = ("background", "wait", "off")
"""Values of the environment variable: compile in a child process, at once in this one, or only when asked to."""

MEANWHILE = "NumPy while they are compiled in the background"

HOW = "python -m pde compile does it"
OFF = f"they are not compiled yet and {SETTING} is off; {HOW}"
NOT_HERE = f"they are not compiled yet, and {{}} does not start it; {HOW}"

LARGE = 15_000_000
"""Unknowns from which on a solve compiles first: NumPy would take as long as compiling, some ten seconds."""

RANKS = (
    "OMPI_COMM_WORLD_SIZE",
    "PMI_SIZE",
    "PMI_RANK",
    "PMIX_RANK",
    "MV2_COMM_WORLD_RANK",
    "PALS_RANKID",
    "MPI_LOCALNRANKS",
    "SLURM_PROCID",
)
"""Environment variables of a process that MPI has started."""

CHILD = """import json, sys
given = json.loads(sys.argv[1])
sys.path[:] = given["path"]
from pde.backends.numba.compilation import child
child(given)"""

_begun: dict[Variant, Any] = {}
_forked = False


class _Detached(subprocess.Popen):
    """A process that outlives this one, which does not wait for it."""

    def __del__(self, *_: Any) -> None:
        """Without the warning that it still runs."""


def waiting(variant: Variant, size: int) -> str | None:
    """Why a solver for so many unknowns runs on NumPy for now; None: kernels are there, or are compiled first.

    Raises:
        ValueError: the environment variable says something else than it may.
    """
    mode = os.environ.get(SETTING) or "background"
    if mode not in MODES:
        raise ValueError(f"the environment variable {SETTING} must be one of {', '.join(MODES)}; got {mode!r}")
    if mode == "wait" or stamps.is_compiled(variant):
        return None
    if stamps.spec_of("numba") is None:
        return "Numba is not installed"
    if mode == "off":
        return OFF
    if reason := stamps.failure(variant):
        return f"compiling them has failed ({reason}); {HOW} again"
    if size >= LARGE:
        return None
    if reason := no_child():
        return NOT_HERE.format(reason)
    if not stamps.can_be_kept():
        return "they are not compiled yet, and no folder that would keep them can be written to (see NUMBA_CACHE_DIR)"
    return MEANWHILE


def no_child() -> str | None:
    """The kind of this process if it must not start a child process; None: it may."""
    if "pytest" in sys.modules or "PYTEST_VERSION" in os.environ:
        return "pytest"
    if any(name in os.environ for name in RANKS):
        return "a rank of MPI"
    process = sys.modules.get("multiprocessing.process")
    if _forked or (process is not None and process.current_process().name != "MainProcess"):
        return "a worker process"
    if getattr(sys, "frozen", False) or not Path(sys.executable or "").name.lower().startswith("python"):
        return "a program with Python inside"
    return None


def begin(variant: Variant) -> str | None:
    """Start the child process that compiles, unless one does or this process has begun one; say so on stderr.

    A child that has ended is let go; called again and again, this leaves no zombie.

    Returns:
        The reason where there is none.
    """
    if os.environ.get(SETTING) == "off":
        return OFF
    if reason := no_child():  # a solver may have been made in another process
        return NOT_HERE.format(reason)
    for process in filter(None, _begun.values()):
        process.poll()
    if variant in _begun:
        return None
    _begun[variant] = None
    try:
        lock = stamps.lock(variant)
        if lock is None:
            return None
        lock.release()  # the child takes it, or ends where another was first
        _begun[variant] = _start(variant)
    except (OSError, RuntimeError) as error:  # limits; the end of this process
        return f"they are not compiled yet, and no child process can do it: {error}"
    say(
        f"compiling kernels in the background, once on this machine ({variant}); solves run on NumPy meanwhile "
        f"({SETTING}=off: never compile, {SETTING}=wait: compile first)"
    )
    return None


def _start(variant: Variant) -> Any:
    path = [os.path.abspath(each) for each in sys.path if isinstance(each, str)]
    given = {"variant": variant, "path": path}
    environment = {**os.environ, SETTING: "off"}
    if "NUMBA_CACHE_DIR" in environment:
        environment["NUMBA_CACHE_DIR"] = os.path.abspath(environment["NUMBA_CACHE_DIR"])
    quiet: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    if sys.platform != "win32":
        apart: dict[str, Any] = {"start_new_session": True, "cwd": "/"}
    else:
        flags = ("CREATE_NO_WINDOW", "CREATE_NEW_PROCESS_GROUP", "BELOW_NORMAL_PRIORITY_CLASS")
        apart = {"creationflags": sum(getattr(subprocess, name) for name in flags)}
    return _Detached([sys.executable, "-P", "-c", CHILD, json.dumps(given)], env=environment, **quiet, **apart)


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
