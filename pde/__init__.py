"""Geometric multigrid for Poisson problems: the fixed stencils in the loop of `mgcore`."""

from typing import Any

from mgcore import Progress, Solution, SolveError
from pde.arguments import real_array
from pde.multigrid import Multigrid
from pde.poisson import Poisson

__all__ = ["Multigrid", "Poisson", "Progress", "Solution", "SolveError", "solve_poisson"]


def solve_poisson(f: Any, shape: Any = None, **options: Any) -> Solution:
    """Solve -Laplace u = f in one call.

    Args:
        f: nodal values at the interior points, or a callable of the coordinates; then `shape` is needed too.
        shape: unknowns per axis; None takes the shape of f (no batch axes).
        **options: anything that `Poisson`, `Multigrid` and `Multigrid.solve` take, by name.
    """
    import inspect

    if shape is None:
        if callable(f):
            raise ValueError("shape: a callable f does not tell the number of unknowns; give shape=(n, ...)")
        shape = real_array("f", f).shape
    parts: dict[Any, dict[str, Any]] = {Poisson: {}, Multigrid: {}, Multigrid.solve: {}}
    names = {part: set(inspect.signature(part).parameters) - {"self", "problem", "f"} for part in parts}
    for name, value in options.items():
        for part, chosen in parts.items():
            if name in names[part]:
                chosen[name] = value
                break
        else:
            known = ", ".join(sorted(set.union(*names.values())))
            raise TypeError(f"solve_poisson: unknown option {name!r}; it takes {known}")
    problem = Poisson(shape, **parts[Poisson])
    f = problem.read("f", f)
    return Multigrid(problem, **parts[Multigrid]).solve(f, **parts[Multigrid.solve])
