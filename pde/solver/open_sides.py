"""A solve in free space: the box with boundary values 0 first, then with the values of free space that follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

from mgcore import Iteration, Solution, solve_batch
from pde.solver.inputs import Inputs


def solve_open(inputs: Inputs, start: Callable[..., Iteration], rule: dict[str, Any], callback: Any) -> Solution:
    """The second solve, with the time and the work of both; it has converged where both have.

    Args:
        start: makes the iteration for inputs; `again`: its iterates are asked for before the last one.
        rule: arguments of `mgcore.solve_batch`.
    """
    began = perf_counter()
    first = solve_batch(start(replace(inputs, u0=None), again=False), **rule)
    inputs = inputs.with_far_field(first.u)
    seconds = perf_counter() - began
    return _together(first, solve_batch(start(inputs, again=callback is not None), **rule, callback=callback), seconds)


def _together(first: Solution, second: Solution, seconds: float) -> Solution:
    pairs = zip(first.members, second.members, strict=True)
    both = second.changed(
        seconds=second.seconds + seconds,
        work_units=(first.work_units or 0.0) + (second.work_units or 0.0),
        members=tuple(_together(*pair, seconds) for pair in pairs),
    )
    if first.converged or first.reason == "rounding" or not second.converged:
        return both
    return both.changed(converged=False, reason=first.reason)
