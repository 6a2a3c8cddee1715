"""Geometric multigrid for Poisson problems: the fixed stencils in the loop of `mgcore`.

Its folders, from the top: cli, plot, autodiff and learning, solver, backends, analysis, levels, problem, common; paper
beside them. Each imports those below it.
"""

from typing import Any

from mgcore import Progress, Solution, SolveError
from mgcore.common.renamed import keep_old_names
from pde.backends.numba.compilation import compile_kernels
from pde.common.arguments import real_array
from pde.common.arrays import is_tensor, tensors_in
from pde.common.keywords import unknown
from pde.common.py_pde import hint
from pde.problem.energy import energy
from pde.problem.gradients import flux, gradient
from pde.problem.nonlinear import NonlinearPoisson
from pde.problem.poisson import Poisson
from pde.solver.multigrid import Multigrid
from pde.solver.nonlinear import NonlinearMultigrid as _NonlinearMultigrid  # noqa: F401 (registers itself)

__all__ = [
    "Multigrid",
    "NonlinearPoisson",
    "Poisson",
    "Progress",
    "Solution",
    "SolveError",
    "compile_kernels",
    "energy",
    "flux",
    "gradient",
    "solve_nonlinear",
    "solve_poisson",
]

keep_old_names(
    {
        "pde.convolution": "pde.paper.convolution",
        "pde.fourier": "pde.analysis.fourier",
        "pde.section5": "pde.paper.section5",
    },
    until="0.3",
)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    """`learning`, which imports torch, and `__version__`, for which importing `importlib.metadata` takes a while."""
    if name == "learning":
        from importlib import import_module

        return import_module("pde.learning")
    if name != "__version__":
        raise AttributeError(f"module 'pde' has no attribute {name!r}{hint(name)}")
    from mgcore.common.version import installed_version

    return installed_version()


def solve_poisson(f: Any, shape: Any = None, **options: Any) -> Solution:
    """Solve -div(a grad u) + c u = f in one call; with torch tensors the solution is differentiable.

    f, the boundary data g (a number or the values in a dictionary), the coefficient, the reaction and the bounds may be
    tensors, all on one device; f and g may be complex. Where one of them wants a gradient, `Solution.u` has one: the
    adjoint equation is solved once in `backward`, to the tolerances of this solve, and derivatives of any order are
    possible. Of a singular problem they are those of the solution of zero mean for f less its mean. With bounds they
    are those for the contact set as it is.

    Args:
        f: nodal values at the unknowns; or a number or a callable of the coordinates, with which `shape` is needed.
        shape: unknowns per axis; None takes the shape of f (no batch axes).
        **options: anything that `Poisson`, `Multigrid` and `Multigrid.solve` take, by name.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed. SolveError: from `backward`, where
            the adjoint solve does not converge for another reason than rounding.

    >>> solution = solve_poisson(1.0, (63, 63), boundary="neumann", reaction=2.0)
    >>> bool(abs(solution.u - 0.5).max() < 1e-6)
    True
    """
    shape, parts = _sorted(Poisson, f, shape, options)
    if tensors_in(f, *(options.get(name) for name in ("g", "coefficient", "reaction", "lower", "upper"))):
        from pde import autodiff

        return autodiff.solve_poisson(f, shape, *parts)
    problem = Poisson(shape, **parts[0])
    f = f if callable(f) else problem.read("f", f, constant=True, imaginary=True)
    return Multigrid(problem, **parts[1]).solve(f, **parts[2])


def solve_nonlinear(f: Any, shape: Any = None, **options: Any) -> Solution:
    """Solve -div(a grad u) + c(u, x) = f in one call; with torch tensors the solution is differentiable.

    Where f, g or a bound is a tensor, functions of u are called with tensors, and `Solution.u` has a gradient in these
    and in every tensor that the functions use. `backward` solves once with the transposed Jacobian, to the tolerance of
    this solve; there are no second derivatives.

    Args:
        f, shape: as of `solve_poisson`.
        **options: anything that `NonlinearPoisson`, `Multigrid` and `Multigrid.solve` take, by name.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed. SolveError: from `backward`, where
            the adjoint solve does not converge.

    >>> solution = solve_nonlinear(1.0, (31, 31), reaction=lambda u, x, y: u**3)
    >>> solution.converged
    True
    """
    shape, parts = _sorted(NonlinearPoisson, f, shape, options)
    if tensors_in(f, *(options.get(name) for name in ("g", "lower", "upper"))):
        from pde import autodiff

        return autodiff.solve_nonlinear(f, shape, *parts)
    problem = NonlinearPoisson(shape, **parts[0])
    f = f if callable(f) else problem.read("f", f, constant=True)
    return Multigrid(problem, **parts[1]).solve(f, **parts[2])


def _sorted(problem: type, f: Any, shape: Any, options: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """The shape, and the options of the problem, of `Multigrid` and of `Multigrid.solve`."""
    import inspect

    if shape is None:
        shape = () if callable(f) else tuple(f.shape) if is_tensor(f) else real_array("f", f, imaginary=True).shape
        if not shape:
            came = "callable" if callable(f) else "number"
            raise ValueError(f"shape: a {came} f does not tell the number of unknowns; give shape=(n, ...)")
    parts: dict[Any, dict[str, Any]] = {problem: {}, Multigrid: {}, Multigrid.solve: {}}
    names = {part: set(inspect.signature(part).parameters) - {"self", "problem", "f"} for part in parts}
    for name, value in options.items():
        for part, chosen in parts.items():
            if name in names[part]:
                chosen[name] = value
                break
        else:
            called = "solve_poisson" if problem is Poisson else "solve_nonlinear"
            raise unknown(called, name, {"f", "shape"}.union(*names.values()))
    return shape, list(parts.values())
