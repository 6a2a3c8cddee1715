"""A Poisson problem on many machines: each rank holds some planes of the grid, and all of them write one file.

mpiexec -n 4 python examples/many_machines.py [--n 63] [--output u.npy]

It runs without mpiexec too, on one process. It needs mpi4py: pip install 'mgnet-multigrid[mpi]'
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from mpi4py import MPI

import pde


def exact(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The solution."""
    return np.sin(np.pi * x) * np.sin(2 * np.pi * y) * np.sin(np.pi * z)


def source(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """f = -div grad u. Each rank calls it with the coordinates of its planes."""
    return 6 * np.pi**2 * exact(x, y, z)


def run(n: int = 63, output: str | Path = "u.npy") -> dict[str, float]:
    """Solve on n^3 unknowns, print once, write u; returns the largest error, the same on all ranks."""
    comm = MPI.COMM_WORLD
    problem = pde.Poisson((n, n, n))
    mg = pde.Multigrid(problem, comm=comm)
    solution = mg.solve(source)
    planes, *_ = mg.owned  # u has these planes of axis 0, and all rows and columns
    points = np.arange(1, n + 1) / (n + 1)
    x, y, z = np.meshgrid(points[planes], points, points, indexing="ij", sparse=True)
    error = abs(solution.u - exact(x, y, z)).max()
    error = comm.allreduce(error, MPI.MAX)
    write(Path(output), solution.u, problem.shape, planes.start, comm)
    if comm.rank == 0:
        print(f"{comm.size} ranks: {solution.message}, error {error:.2e}; u is in {output}")
    return {"error": error, "cycles": solution.cycles}


def write(path: Path, block: np.ndarray, shape: tuple[int, ...], first: int, comm: MPI.Comm) -> None:
    """Write planes first, first + 1, ... of an array of this shape; no rank ever holds the whole array."""
    header = 0
    if comm.rank == 0:
        with path.open("wb") as stream:
            kind = np.lib.format.dtype_to_descr(block.dtype)
            np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
            header = stream.tell()
    header = comm.bcast(header)
    file = MPI.File.Open(comm, str(path), MPI.MODE_WRONLY)
    file.Write_at_all(header + first * block[0].nbytes, np.ascontiguousarray(block))
    file.Close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=63, help="unknowns along each axis (%(default)s)")
    parser.add_argument("--output", default="u.npy", help="a .npy file (%(default)s)")
    arguments = parser.parse_args()
    run(arguments.n, arguments.output)
