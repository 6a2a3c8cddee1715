"""Geometric multigrid for Poisson problems: the fixed stencils in the loop of `mgcore`."""

from typing import Any

from mgcore import Progress, Solution, SolveError
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
        import numpy as np

        shape = np.shape(f)
    parts: dict[Any, dict[str, Any]] = {Poisson: {}, Multigrid: {}, Multigrid.solve: {}}
    for name, value in options.items():
        for part, chosen in parts.items():
            if name in inspect.signature(part).parameters:
                chosen[name] = value
                break
        else:
            known = sorted(n for part in parts for n in inspect.signature(part).parameters if n not in ("self", "f"))
            raise TypeError(f"solve_poisson: unknown option {name!r}; it takes {', '.join(known)}")
    return Multigrid(Poisson(shape, **parts[Poisson]), **parts[Multigrid]).solve(f, **parts[Multigrid.solve])
