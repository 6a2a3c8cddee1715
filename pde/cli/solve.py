"""python -m pde solve"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mgcore import Solution
from pde.cli import fields, files
from pde.cli.fields import READERS
from pde.cli.options import OUTPUT, PROBLEM, SOLVER, STOPPING, TARGETS, settings
from pde.problem.inner_product import Volumes
from pde.problem.poisson import Poisson
from pde.solver.multigrid import Multigrid


def solve(options: argparse.Namespace) -> int:
    """Read, check, solve, tell and write; 0 where the solve converged, else 1."""
    given = settings(options)
    targets = {name: given[name] for name in TARGETS if name in given}
    problem, data = read_problem(given)
    mg = Multigrid(problem, **{name: given[name] for name in SOLVER if name in given})
    arguments = {name: given[name] for name in STOPPING if name in given}
    g, exact = data.pop("g", None), data.pop("exact", None)
    f = data.pop("f", np.zeros(problem.shape))
    if "plot" in given and f.ndim > problem.ndim:
        raise ValueError(f"--plot shows one solution, and f has batch axes: its shape is {f.shape}")
    if "plot_smoothing" in given and len(mg.levels) == 1:
        raise ValueError("--plot-smoothing: there is one level, which is solved directly, and no smoothing to show")
    paths = files.check_targets(targets, given.get("force", False))
    verbose = given.get("verbose", False)
    progress = given.get("progress", sys.stderr.isatty() and not verbose)
    print(mg if verbose else mg.problem)
    solution = mg.solve(f, g, **data, **arguments, progress=progress, verbose=verbose)
    tell(mg, solution, exact)
    write(mg, solution, g, paths, arguments)
    return 0 if solution.converged else 1


def read_problem(given: Mapping[str, Any]) -> tuple[Poisson, dict[str, Any]]:
    """The problem, and its data f, g, u0 and exact as far as they are given."""
    shape = read_shape(given)
    values = {name: given[name] for name in PROBLEM if name in given and name not in ("shape", "dims")}
    values = {name: READERS[name](name, v, len(shape)) if name in READERS else v for name, v in values.items()}
    g = {"g": values.pop("g")} if "g" in values else {}
    data = {name: values.pop(name) for name in ("f", "u0", "exact") if name in values}
    bounds = {name: values.pop(name) for name in ("lower", "upper") if name in values}
    problem = Poisson(shape, **values)
    data = {name: problem.read(name, in_domain(value, problem), constant=True) for name, value in data.items()}
    return problem, g | data | {name: in_domain(value, problem) for name, value in bounds.items()}


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
        shape = fields.load("f", given["f"]).shape
        if dims is not None:
            shape = shape[-dims:]
    shape = tuple(shape) if np.iterable(shape) else (shape,)
    shape = shape * dims if dims is not None and len(shape) == 1 else shape
    if dims is not None and len(shape) != dims:
        raise ValueError(f"--shape must hold one number or {dims}, one per dimension; got {len(shape)}")
    return shape


def tell(mg: Multigrid, solution: Solution, exact: np.ndarray | None) -> None:
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
    if exact is not None:
        error, note = solution.u - exact, ""
        if mg.problem.singular:
            means = mg.problem.components or Volumes(mg.problem.control_volumes())
            error, note = means.without_mean(error), " (up to a constant)"
        print(f"maximum error        {np.abs(error).max():.3e}{note}")


def write(mg: Multigrid, solution: Solution, g: Any, paths: Mapping[str, Path], arguments: Mapping[str, Any]) -> None:
    """Write the files, in the order of the options."""
    for option in (name for name in OUTPUT if name in paths):
        path = paths[option]
        if option == "plot" and not np.isfinite(solution.u).all():
            print(f"not written: {path}, since u is not finite", file=sys.stderr)
            continue
        if option == "output":
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
