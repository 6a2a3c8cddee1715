"""python -m pde under mpiexec: all ranks solve one problem together, and rank 0 alone speaks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from mgcore.common.command_line import ERRORS
from pde.common.ranks import read_ranks

SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
NUMBERS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "PMIX_RANK")
"""Environment variables of launchers: of MPICH and Intel's, of Open MPI, of MVAPICH, of Slurm."""

ALONE = (
    *("plot", "plot_history", "plot_smoothing", "verbose", "domain", "walls", "lower", "upper"),
    "gradient_coefficient",
)
"""Options of a problem that is not divided."""


def is_silent() -> bool:
    """Whether a launcher has started this process as another rank than the first."""
    return any(os.environ.get(name, "0") != "0" for name in NUMBERS)


@contextmanager
def silence(silent: bool) -> Iterator[None]:
    """Print nothing where `silent`."""
    if not silent:
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def run_together(command: Callable[[Any], int], mpi: bool | None) -> int:
    """Run a command with the communicator of all ranks, or with None where this is the only process.

    An error of one rank is an error of all, which one of them tells; all have the same exit code.

    Args:
        mpi: whether to ask MPI how many ranks there are; None is where a launcher's environment variables say so.
    """
    try:
        comm = _world(mpi)
    except ImportError:
        if is_silent():
            return 2
        raise
    if comm is None:
        return command(None)
    ranks = read_ranks(comm)
    try:
        with ranks.together(communicates=True), silence(ranks.rank > 0):
            return command(comm)
    except (*ERRORS, MemoryError) as error:
        if getattr(error, "told_elsewhere", False):
            return 2
        raise


def _world(mpi: bool | None) -> Any:
    started = any(os.environ.get(name, "1") != "1" for name in SIZES) or "PMIX_RANK" in os.environ
    if not (started if mpi is None else mpi):
        return None
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(
            f"mpiexec has started many processes, which need mpi4py to solve one problem together ({error}); "
            "pip install 'mgnet-multigrid[mpi]', or give --no-mpi for each to solve it by itself"
        ) from error
    return MPI.COMM_WORLD if MPI.COMM_WORLD.Get_size() > 1 else None


def check_divided(given: Mapping[str, Any]) -> None:
    """Refuse options of a problem that is not divided among ranks.

    Raises:
        ValueError: naming the option.
    """
    for name in ALONE:
        if given.get(name) not in (None, False):
            raise ValueError(f"--{name.replace('_', '-')} is not for a problem that mpiexec divides; run it without")
    if str(given.get("output", "")).lower().endswith(".npz"):
        raise ValueError(
            f"--output: many ranks write one array; give a name that ends with .npy, not {given['output']}"
        )
