"""PETSc and hypre on several processes, through Debian's petsc4py; prints one line of JSON per option.

mpiexec -n 2 /usr/bin/python3 benchmarks/peers/petsc.py 1023 1023 --rtol 1e-8

The grid has its boundary points too, with rows of the identity: PETSc's own coarsening halves 2^k + 1 points.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import sys
import time
from typing import Any

OPTIONS = {
    "PETSc CG + multigrid, SOR": {
        "pc_type": "mg",
        "pc_mg_galerkin": "pmat",
        "mg_levels_ksp_type": "richardson",
        "mg_levels_ksp_max_it": 1,
        "mg_levels_pc_type": "sor",
    },
    "PETSc CG + multigrid, Chebyshev": {
        "pc_type": "mg",
        "pc_mg_galerkin": "pmat",
        "mg_levels_ksp_type": "chebyshev",
        "mg_levels_ksp_max_it": 2,
        "mg_levels_pc_type": "jacobi",
    },
    "hypre CG + PFMG": {
        "pc_type": "pfmg",
        "pc_pfmg_rap_type": "non-Galerkin",
        "pc_pfmg_relax_type": "symmetric-red/black-Gauss-Seidel",
        "pc_pfmg_skip_relax": 1,
    },
    "hypre CG + BoomerAMG": {"pc_type": "hypre", "pc_hypre_type": "boomeramg", "pc_hypre_boomeramg_agg_nl": 1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", type=int, nargs="+", help="unknowns per axis, 2^k - 1")
    parser.add_argument("--rtol", type=float, default=1e-8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    PETSc = load()
    for name, settings in OPTIONS.items():
        try:
            record = run(PETSc, settings, tuple(options.shape), options.rtol, options.rounds)
        except PETSc.Error as error:
            record = {"error": str(error).splitlines()[-1]}
        if PETSc.COMM_WORLD.rank == 0:
            print(json.dumps({"name": name, **record}), flush=True)


def load() -> Any:
    found = sorted(glob.glob("/usr/lib/petscdir/petsc*/*-real"))
    if not found:
        sys.exit("no PETSc with petsc4py: apt-get install python3-petsc4py mpi-default-bin")
    os.environ["PETSC_DIR"] = found[-1]
    sys.path.insert(0, found[-1] + "/lib/python3/dist-packages")
    import petsc4py

    petsc4py.init()
    from petsc4py import PETSc

    return PETSc


def run(PETSc: Any, settings: dict[str, Any], shape: tuple[int, ...], rtol: float, rounds: int) -> dict[str, float]:
    """Seconds of a solve (a median) and of its set-up, the iterations, and the true relative residual."""
    database = PETSc.Options()
    for key, value in settings.items():
        database[key] = value
    # the mesh counts its axes from the contiguous one, and the box has equal sides
    struct = settings["pc_type"] == "pfmg"
    sizes = [n + 2 for n in shape] + [1] * (struct and 3 - len(shape))  # PETSc hands hypre three axes
    mesh = PETSc.DMDA().create(sizes, dof=1, stencil_width=1, stencil_type="star")
    mesh.setMatType("hyprestruct" if struct else "aij")
    mesh.setUp()
    A, b = system(PETSc, mesh, shape)
    x, r = b.duplicate(), b.duplicate()
    solver = PETSc.KSP().create()
    solver.setType("cg")
    solver.setDM(mesh)
    solver.setDMActive(False)
    solver.setOperators(A)
    solver.setTolerances(rtol=rtol, max_it=200)
    solver.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
    if settings["pc_type"] == "mg":
        hierarchy(solver.getPC(), mesh, shape)
    solver.setFromOptions()
    began = time.perf_counter()
    solver.setUp()
    setup, times = time.perf_counter() - began, []
    for _ in range(rounds + 1):  # the first is the warm-up
        x.set(0)
        PETSc.COMM_WORLD.barrier()
        began = time.perf_counter()
        solver.solve(b, x)
        PETSc.COMM_WORLD.barrier()
        times.append(time.perf_counter() - began)
    A.mult(x, r)
    r.aypx(-1, b)
    for key in settings:
        database.delValue(key)
    residual, middle = r.norm() / b.norm(), sorted(times[1:])[rounds // 2]
    return {"setup": setup, "seconds": middle, "iterations": solver.getIterationNumber(), "residual": residual}


def hierarchy(pc: Any, mesh: Any, shape: tuple[int, ...]) -> None:
    """The grids of geometric multigrid, each with half the intervals, and linear interpolation between them."""
    pc.setType("mg")
    meshes = [mesh]
    while all((n - 1) % 2 == 0 and n > 5 for n in meshes[0].getSizes()):
        meshes.insert(0, meshes[0].coarsen())
    pc.setMGLevels(len(meshes))
    for l in range(1, len(meshes)):
        pc.setMGInterpolation(l, meshes[l - 1].createInterpolation(meshes[l])[0])


def system(PETSc: Any, mesh: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """-h^2 Laplace inside, the identity on the boundary; a right-hand side that is zero there."""
    import numpy as np

    A, b = mesh.createMatrix(), mesh.createGlobalVec()
    ranges, ndim = mesh.getRanges(), len(shape)
    values = np.zeros([stop - start for start, stop in ranges])
    row, column = PETSc.Mat.Stencil(), PETSc.Mat.Stencil()
    for index in np.ndindex(*values.shape):
        place = tuple(i + start for i, (start, _) in zip(index, ranges, strict=True))
        inside = all(0 < p <= n for p, n in zip(place, shape, strict=False))
        row.index = place
        A.setValueStencil(row, row, 2.0 * ndim)
        if not inside:
            continue
        values[index] = np.prod([np.sin(3 * p / (n + 1)) + p / (n + 1) for p, n in zip(place, shape, strict=False)])
        for a in range(ndim):
            for step in (-1, 1):
                if 0 < place[a] + step <= shape[a]:
                    column.index = (*place[:a], place[a] + step, *place[a + 1 :])
                    A.setValueStencil(row, column, -1.0)
    A.assemble()
    mesh.getVecArray(b)[tuple(slice(*r) for r in ranges)] = values
    return A, b


if __name__ == "__main__":
    main()
