"""Iterations that combine the sweeps of a grid: (6.7), (6.8), (6.9), run by `mgcore`.

`nets.naming.values` reads the names.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import mgcore
from mgcore.iteration import Iterate
from nets.naming.values import Rows, parse_iteration


class SingleStep(nn.Module):
    """Residual correction (6.7)."""

    def iterate(self) -> Iterate:
        return mgcore.single_step


class MultiStep(nn.Module):
    """Semi-iteration (6.8). Trained weights are a softmax: alpha >= 0 with sum 1 always; they start out equal."""

    def __init__(self, nu: int, rows: Rows | None = None) -> None:
        super().__init__()
        self.given = None if rows is None else rows[:nu]
        # the only weight of the first sweep is 1
        later = range(2, nu + 1) if rows is None else ()
        self.logits = nn.ParameterList(nn.Parameter(torch.zeros(i)) for i in later)

    def weights(self) -> list[tuple[float | Tensor, ...]]:
        """Row i - 1 holds alpha^i_0 ... alpha^i_{i-1}."""
        if self.given is not None:
            return list(self.given)
        return [(1,), *(logits.softmax(0).unbind() for logits in self.logits)]

    def iterate(self) -> Iterate:
        return mgcore.multi_step(self.weights())


class Chebyshev(nn.Module):
    """Chebyshev semi-iteration (6.9). Trained weights omega^2, omega^3, ... start at 1, the single step."""

    def __init__(self, nu: int, rows: Rows | None = None) -> None:
        super().__init__()
        self.given = None if rows is None else rows[0][:nu]
        if rows is None:
            self.omega = nn.Parameter(torch.ones(nu - 1))

    def weights(self) -> tuple[float | Tensor, ...]:
        return self.given if self.given is not None else (1, *self.omega.unbind())

    def iterate(self) -> Iterate:
        return mgcore.chebyshev(self.weights())


def create_iteration(name: str, nu: int) -> nn.Module:
    """The iteration of a grid with nu sweeps; where there is at most one, all three are the single step."""
    kind, rows = parse_iteration(name)
    if nu <= 1 or kind == "single":
        return SingleStep()
    return MultiStep(nu, rows) if kind == "multi-step" else Chebyshev(nu, rows)


def uses(name: str, nu: int) -> list[list[int]]:
    """Numbers of the uses of B, per sweep: one each, or one per predecessor B_j^i in a multi-step iteration."""
    if parse_iteration(name)[0] != "multi-step":
        return [[i] for i in range(nu)]
    return [[i * (i + 1) // 2 + j for j in range(i + 1)] for i in range(nu)]
