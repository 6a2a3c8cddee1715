"""How the sweeps of a grid are combined, by name: (6.7), (6.8), (6.9), run by `mgcore`.

    iteration = "single" | "multi-step" [ ":" row { ";" row } ] | "chebyshev" [ ":" row ] ;
    row       = number { "," number } ;

Without numbers the weights are trained, per grid. Numbers are given weights, for every grid: multi-step needs one row
per sweep (i numbers for sweep i), Chebyshev one number per sweep, both as many as the grid with most sweeps.
"""

from __future__ import annotations

from math import isfinite

import torch
from torch import Tensor, nn

import mgcore
from mgcore.iteration import Iterate
from nets.common.formatting import counted

KINDS = ("single", "multi-step", "chebyshev")
Rows = tuple[tuple[float, ...], ...]


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
    kind, rows = _parse(name)
    if nu <= 1 or kind == "single":
        return SingleStep()
    return MultiStep(nu, rows) if kind == "multi-step" else Chebyshev(nu, rows)


def uses(name: str, nu: int) -> list[list[int]]:
    """Numbers of the uses of B, per sweep: one each, or one per predecessor B_j^i in a multi-step iteration."""
    if _parse(name)[0] != "multi-step":
        return [[i] for i in range(nu)]
    return [[i * (i + 1) // 2 + j for j in range(i + 1)] for i in range(nu)]


def check_iteration(name: str, nu: tuple[int, ...], nu_post: tuple[int, ...] = ()) -> None:
    """Refuse a name outside the grammar, and weights that do not fit the sweeps on the way down and up.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    kind, rows = _parse(name)
    if rows is None:
        return
    sweeps = max(nu + nu_post, default=0)
    count, what = (len(rows), "row") if kind == "multi-step" else (len(rows[0]), "weight")
    if count != sweeps or (kind == "chebyshev" and len(rows) != 1):
        which = f"nu={nu} and nu_post={nu_post}" if nu_post else f"nu={nu}"
        need = f"{counted(sweeps, what)}, one per sweep of the grid with most in {which}"
        raise ValueError(f"iteration must give {need}; got {name!r}")
    if not all(isfinite(weight) for row in rows for weight in row):
        raise ValueError(f"iteration: weights must be finite; got {name!r}")
    try:
        mgcore.multi_step(rows) if kind == "multi-step" else mgcore.chebyshev(rows[0])
    except ValueError as error:
        raise ValueError(f"iteration: {error}, in {name!r}") from error


def _parse(name: str) -> tuple[str, Rows | None]:
    if not isinstance(name, str):
        raise TypeError(f"iteration must be a string such as 'multi-step'; got {name!r}")
    kind, colon, text = name.partition(":")
    if kind not in KINDS or (kind == "single" and colon):
        raise ValueError(f"iteration must be 'single', 'multi-step[:rows]' or 'chebyshev[:weights]'; got {name!r}")
    if not colon:
        return kind, None
    try:
        return kind, tuple(tuple(float(number) for number in row.split(",")) for row in text.split(";"))
    except ValueError:
        raise ValueError(
            f"iteration: {text!r} is no list of numbers, as in 'multi-step:1;0.5,0.5'; got {name!r}"
        ) from None
