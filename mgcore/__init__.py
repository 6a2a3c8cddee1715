"""Multigrid without arrays: one loop over levels that a Poisson solver and an MgNet share.

Imports the standard library only. Equation numbers without a source are those of He and Xu,
"MgNet: A unified framework of multigrid and convolutional neural network", Sci. China Math. 62 (2019).
"""

from mgcore import checks, stencils
from mgcore.cycle import CYCLES, backslash_cycle, descend, f_cycle, full_multigrid, mg0, mgnet, v_cycle, w_cycle
from mgcore.delegate import Delegate
from mgcore.iteration import chebyshev, chebyshev_weights, multi_step, relaxation, single_step
from mgcore.level import Level, ResidualLevel, residual_form
from mgcore.moves import Moves, Visit
from mgcore.solution import Progress, Solution, SolveError
from mgcore.solving import Iteration, solve, solve_batch
from mgcore.stopping import REASONS, Remaining
from mgcore.trace import Event, TracedLevel, traced

__all__ = [
    "CYCLES",
    "REASONS",
    "Delegate",
    "Event",
    "Iteration",
    "Level",
    "Moves",
    "Progress",
    "Remaining",
    "ResidualLevel",
    "Solution",
    "SolveError",
    "TracedLevel",
    "Visit",
    "backslash_cycle",
    "chebyshev",
    "chebyshev_weights",
    "checks",
    "descend",
    "f_cycle",
    "full_multigrid",
    "mg0",
    "mgnet",
    "multi_step",
    "relaxation",
    "residual_form",
    "single_step",
    "solve",
    "solve_batch",
    "stencils",
    "traced",
    "v_cycle",
    "w_cycle",
]


def __dir__() -> list[str]:
    return __all__
