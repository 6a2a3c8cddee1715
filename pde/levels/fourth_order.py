"""Levels for the compact operator of fourth order: it is on the finest grid, and coarse grids keep the second order.

A cycle smooths with all 3^d points and corrects by the levels of second order below, whose operators agree with the
compact one on smooth errors. Full multigrid begins such a cycle on each grid.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mgcore import Level
from pde.levels.smoothers import make_smoother, over_relaxation
from pde.problem.mehrstellen import Mehrstellen

OVER_RELAXATION = {2: (1.1, 1.15, 1.2), 3: (1.15, 1.2, 1.25)}
"""The relaxation parameters of "sor", by axes and sweeps: V(1,1) takes 0.055 and 0.075 per cycle, V(2,1) 0.03."""

SMOOTHERS = "sor", "red-black", "jacobi", "two-step jacobi", "chebyshev"
"""The smoothers that relax points."""

COARSEST = 4
"""Corrections on the coarsest grid of full multigrid, where each takes a direct solution of second order."""


def compact_levels(levels: list[Level], choices: Any) -> list[Level]:
    """On each grid of a hierarchy of second order the level on which a cycle of fourth order begins.

    The coarsest one solves by defect correction: smoothing, a direct solution of second order, smoothing.

    Raises:
        ValueError: naming the option that the compact operator does not have.
    """
    for name, allowed in (
        ("smoother", SMOOTHERS),
        ("coarse", ("rediscretised",)),
        ("transfer", ("bilinear", "linear")),
    ):
        if getattr(choices, name) not in allowed:
            raise ValueError(f"{name} must be one of {allowed} where order is 4, got {getattr(choices, name)!r}")
    return [_compact(level, choices) for level in levels]


def _compact(level: Level, choices: Any) -> Level:
    info = level.info
    A = Mehrstellen(info.grid, choices.dtype, info.operator.terms)
    B, (pre, post) = _smoother(A, choices), choices.nu
    info = replace(info, operator=A, kind="compact")
    if level.R is None:
        return Level(A, [B, *level.B, B] * COARSEST, info=info)
    omega = f" omega={B.omega:.3g}" if hasattr(B, "omega") else ""
    info = replace(info, smoother=f"{choices.smoother}{omega} ({pre},{post})")
    return replace(level, A=A, B=[B] * pre, B_post=[B] * post, info=info)


def _smoother(A: Mehrstellen, choices: Any) -> Any:
    omega = choices.omega
    if omega is None and choices.smoother == "sor":
        omega = over_relaxation(A, choices.nu, OVER_RELAXATION)
    return make_smoother(choices.smoother, A, omega, choices.nu)
