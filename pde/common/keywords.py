"""Keyword arguments under other names than ours: the error suggests the right one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import ParamSpec, TypeVar

from pde.common.arguments import nearest

P = ParamSpec("P")
R = TypeVar("R")

OTHER_NAMES = {
    "accel": "acceleration accelerator krylov outer",
    "atol": "abs_tol abstol absolute_tolerance",
    "boundary": "bc bcs boundary_condition boundary_conditions",
    "callback": "callbacks hook monitor",
    "centering": "centring staggering location",
    "coarse": "coarse_operator coarse_operators coarsening",
    "coefficient": "a coeff coefficients conductivity diffusion diffusivity epsilon kappa permittivity sigma",
    "coordinates": "edges nodes points",
    "cycle": "cycle_type",
    "device": "cuda gpu",
    "dtype": "precision",
    "extent": "box bounds l length lengths",
    "f": "b rhs right_hand_side source",
    "g": "boundary_data boundary_values dirichlet values",
    "kernels": "backend engine",
    "levels": "depth max_levels n_levels num_levels",
    "max_cycles": "cycles iterations max_it max_iter max_iterations maxcycles maxit maxiter n_cycles n_iter niter",
    "nu": "n_smooth nu1 nu2 postsmooth pre_smooth presmooth smoothing_steps sweeps",
    "omega": "damping relaxation w weight",
    "out": "output result",
    "progress": "disp pbar progress_bar progressbar show_progress",
    "reaction": "absorption alpha c helmholtz mass shift",
    "rtol": "eps rel_tol relative_tolerance reltol tol tolerance",
    "shape": "dims grid n resolution size",
    "smoother": "presmoother relax smoothing",
    "strict": "check raise_error raise_on_failure",
    "threads": "n_jobs n_threads nthreads num_threads workers",
    "transfer": "interpolation prolongation restriction transfers",
    "u0": "guess init initial initial_guess start u_init x0",
    "verbose": "debug log verbosity",
}
"""Our names, and those that other libraries have for the same."""

MEANT = {other: name for name, others in OTHER_NAMES.items() for other in others.split()}

ARGUMENTS: dict[str, Collection[str]] = {}
"""The names of the arguments of every function that `suggesting` has wrapped."""


def suggesting(function: Callable[P, R]) -> Callable[P, R]:
    """`function`; called with a keyword argument that it does not have, its TypeError suggests the right one."""
    title = function.__qualname__.removesuffix(".__init__")
    known = frozenset(inspect.signature(function).parameters) - {"self"}
    ARGUMENTS[title] = known

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not kwargs.keys() <= known:
            raise unknown(title, next(name for name in kwargs if name not in known), known)
        return function(*args, **kwargs)

    return call


def unknown(title: str, name: str, known: Collection[str]) -> TypeError:
    """The error for an argument that is none of `known`, with the nearest that is, there or of another function."""
    meant = MEANT.get(name.lower().strip("_"), name)
    owners = [owner for owner, names in ARGUMENTS.items() if meant in names]
    if meant in known:
        hint = f"; did you mean {meant!r}?"
    elif owners:
        hint = f"; {meant!r} is an argument of {' and '.join(owners)}"
    else:
        hint = nearest(name, known)
    return TypeError(f"{title} has no argument {name!r}{hint}; it takes {', '.join(sorted(known))}")
