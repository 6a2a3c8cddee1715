"""python -m pde solve"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mgcore import Solution
from pde.cli import fields, files
from pde.cli.fields import READERS
from pde.cli.many import check_divided, run_together
from pde.cli.options import OUTPUT, PROBLEM, SOLVER, STOPPING, TARGETS, settings
from pde.common.npy_files import read_block, write_blocks
from pde.common.ranks import Ranks, read_ranks
from pde.problem.fields import read_values
from pde.problem.inner_product import Volumes
from pde.problem.nonlinear import NonlinearPoisson
from pde.problem.poisson import Poisson
from pde.problem.slab import slab_of
from pde.solver.multigrid import Multigrid

FIELDS = ("f", "u0", "exact")
"""Values at the unknowns."""


def solve(options: argparse.Namespace) -> int:
    """Read, check, solve, tell and write; 0 where the solve converged, else 1."""
    return run_together(partial(_solve, options), options.mpi)


def _solve(options: argparse.Namespace, comm: Any) -> int:
    given, ranks = settings(options), None if comm is None else read_ranks(comm)
    if ranks is not None:
        ranks.agree(given)
        check_divided(given)
    targets = {name: given[name] for name in TARGETS if name in given}
    problem, data = read_problem(given, ranks is not None)
    mg = Multigrid(problem, **{name: given[name] for name in SOLVER if name in given}, comm=comm)
    arguments = {name: given[name] for name in STOPPING if name in given}
    if ranks is not None:
        data = {name: value if name == "g" else _block(name, value, mg, ranks) for name, value in data.items()}
    g, exact = data.pop("g", None), data.pop("exact", None)
    f = data.pop("f", None)
    f = np.zeros([part.stop - part.start for part in mg.owned]) if f is None else f
    if "plot" in given and f.ndim > problem.ndim:
        raise ValueError(f"--plot shows one solution, and f has batch axes: its shape is {f.shape}")
    if "plot_smoothing" in given and len(mg.levels) == 1:
        raise ValueError("--plot-smoothing: there is one level, which is solved directly, and no smoothing to show")
    with nullcontext() if ranks is None else ranks.together():
        if ranks is None or ranks.rank == 0:
            files.check_targets(targets, given.get("force", False))
    verbose = given.get("verbose", False)
    progress = given.get("progress", sys.stderr.isatty() and not verbose)
    print(mg if verbose else mg.problem)
    solution = mg.solve(f, g, **data, **arguments, progress=progress, verbose=verbose)
    tell(mg, solution, None if exact is None else error_of(mg, solution.u, exact, ranks))
    write(mg, solution, g, {name: Path(target) for name, target in targets.items()}, arguments, ranks)
    return 0 if solution.converged else 1


def read_problem(given: Mapping[str, Any], divided: bool) -> tuple[Poisson | NonlinearPoisson, dict[str, Any]]:
    """The problem, and its data f, g, u0 and exact as far as they are given; nonlinear where a formula has u in it.

    Where the problem is divided among ranks, f, u0 and exact stay numbers, formulas and names of files.
    """
    shape = read_shape(given)
    values = {name: given[name] for name in PROBLEM if name in given and name not in ("shape", "dims")}
    laws = fields.read_laws(values, len(shape))
    if laws and divided:
        names = " and ".join(laws)
        raise ValueError(f"{names}: formulas with u are not for a problem that mpiexec divides; run it without")
    values = {name: v for name, v in values.items() if name not in laws}
    for name, v in values.items():
        if name in READERS and not (divided and name in FIELDS and fields.is_file(v)):
            values[name] = READERS[name](name, v, len(shape))
    g = {"g": values.pop("g")} if "g" in values else {}
    data = {name: values.pop(name) for name in FIELDS if name in values}
    bounds = {name: values.pop(name) for name in ("lower", "upper") if name in values}
    problem: Any = NonlinearPoisson(shape, **values, **laws) if laws else Poisson(shape, **values)
    if not divided:
        data = {name: problem.read(name, in_domain(value, problem), constant=True) for name, value in data.items()}
    return problem, g | data | {name: in_domain(value, problem) for name, value in bounds.items()}


def _block(name: str, value: Any, mg: Multigrid, ranks: Ranks) -> np.ndarray:
    """The values of a number, a formula or a .npy file in the block of this rank."""
    planes, shape = mg.owned[0], mg.problem.shape
    if isinstance(value, str):
        value = read_block(name, value, ranks, shape, planes.start, planes.stop)
    with ranks.together():
        return read_values(name, value, slab_of(mg.problem.grid, planes.start, planes.stop), constant=True)


def in_domain(value: Any, problem: Poisson) -> Any:
    """A formula asked in the domain alone: it may have no value outside."""
    if problem.domain is None or not callable(value):
        return value
    inside = problem.domain.inside

    def values(*points: np.ndarray) -> np.ndarray:
        result = np.zeros(problem.shape)
        result[inside] = value(*(x[inside] for x in points))
        return result

    return values


def read_shape(given: Mapping[str, Any]) -> tuple[Any, ...]:
    """Unknowns per axis: of --shape, one number being repeated for --dims, or of the array f."""
    shape, dims = given.get("shape"), given.get("dims")
    if dims is not None and dims not in (1, 2, 3):
        raise ValueError(f"dims must be 1, 2 or 3, got {dims!r}")
    if shape is None:
        if not fields.is_file(given.get("f")):
            raise ValueError("--shape is needed: the number of unknowns per axis, such as --shape 127 127")
        shape = fields.load("f", given["f"], "r").shape
        if dims is not None:
            shape = shape[-dims:]
    shape = tuple(shape) if np.iterable(shape) else (shape,)
    shape = shape * dims if dims is not None and len(shape) == 1 else shape
    if dims is not None and len(shape) != dims:
        raise ValueError(f"--shape must hold one number or {dims}, one per dimension; got {len(shape)}")
    return shape


def tell(mg: Multigrid, solution: Solution, error: float | None) -> None:
    """Print the result on stdout, and on stderr why a solve did not converge."""
    print(solution.message, file=sys.stdout if solution.converged else sys.stderr)
    if solution.removed:
        print(f"mean removed from f  {solution.removed:.1e} of its norm")
    print(f"reduction per cycle  {solution.factor:.2g}")
    if solution.work_units is not None:
        print(f"work units           {solution.work_units:.1f}")
    if solution.contact is not None:
        print(f"unknowns at a bound  {np.count_nonzero(solution.contact)} of {solution.contact.size}")
    print(f"seconds              {solution.seconds:.3g}")
    if error is not None:
        print(f"maximum error        {error:.3e}{' (up to a constant)' * mg.problem.singular}")


def error_of(mg: Multigrid, u: np.ndarray, exact: np.ndarray, ranks: Ranks | None) -> float:
    """The largest |u - exact|, of all ranks; up to a constant where the problem is singular."""
    error = u - exact
    if mg.problem.singular and ranks is None:
        error = (mg.problem.components or Volumes(mg.problem.control_volumes())).without_mean(error)
    elif mg.problem.singular and ranks is not None:
        W, axes = mg.problem.control_volumes()[mg.owned], tuple(range(-mg.problem.ndim, 0))
        error = error - sum(ranks.every((W * error).sum(axes, keepdims=True))) / sum(ranks.every(W.sum()))
    largest = np.abs(error).max()
    return float(largest if ranks is None else ranks.most(largest))


def write(
    mg: Multigrid,
    solution: Solution,
    g: Any,
    paths: Mapping[str, Path],
    arguments: Mapping[str, Any],
    ranks: Ranks | None,
) -> None:
    """Write the files, in the order of the options."""
    for option in (name for name in OUTPUT if name in paths):
        path = paths[option]
        if option == "plot" and not np.isfinite(solution.u).all():
            print(f"not written: {path}, since u is not finite", file=sys.stderr)
            continue
        if ranks is not None:
            write_blocks(path, ranks, solution.u, mg.problem.shape, mg.owned[0].start)
        elif option == "output":
            files.write_arrays(path, mg.problem, solution, g)
        else:
            from pde import plot

            if option == "plot":
                plot.solution(mg.problem, solution.u, path, g=g, contact=solution.contact)
            elif option == "plot_history":
                plot.history(mg, solution, path, arguments.get("cycle", "fmg"), arguments.get("accel"))
            else:
                plot.smoothing(mg, path)
        print(f"written: {path}")
