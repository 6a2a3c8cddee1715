"""Keyword arguments under other names than ours: the error suggests the right one."""

from __future__ import annotations

from mgcore.arguments import Keywords

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

suggesting = Keywords(MEANT)
ARGUMENTS, unknown = suggesting.arguments, suggesting.unknown
