"""Nonlinear A: how far Theorem 6.1 reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

import mgcore
from mgcore import Visit
from mgcore.level import difference
from nets.models.mgnet import MgNet
from nets.theorems.comparison import check_network, finest_data, largest
from nets.theorems.residuals import with_form


def theorem_6_1_nonlinear(model: MgNet, x: Tensor) -> float:
    """The part of Theorem 6.1, (6.10), that holds for any A: up to the first sweep on the second grid.

    MgNet and MG0 are the same on grid 1, so that f - A(u^0) of grid 2 is R(f - A(u)) of grid 1 in both, and the first
    step u^1 - u^0 as well. From the second one on A(u^0 + e) - A(u^0) is to be A(e) - A(0).
    """
    check_network(model, MgNet, "Theorem 6.1 as far as it holds for nonlinear A")
    levels, f = with_form(model, "feature").levels[:2], finest_data(model, x)
    levels[1:] = [replace(level, B=level.B[:1]) for level in levels[1:]]
    both = mgcore.mgnet(levels, f), mgcore.mg0(levels, f)
    data = [[v.f if v.u0 is None else v.f - l._A(0)(v.u0) for v, l in zip(d, levels, strict=True)] for d in both]
    return max(largest(*data), largest(*map(_steps, both)))


def beyond_theorem_6_1(model: MgNet, x: Tensor) -> list[float]:
    """By how much u - u^0 of MgNet and MG0 differ on each grid, relative to the larger: rounding where A is linear."""
    check_network(model, MgNet, "the comparison of MgNet and MG0")
    levels, f = with_form(model, "feature").levels, finest_data(model, x)
    pairs = zip(_steps(mgcore.mgnet(levels, f)), _steps(mgcore.mg0(levels, f)), strict=True)
    return [largest([net], [plain]) for net, plain in pairs]


def _steps(descent: Sequence[Visit]) -> list[Tensor | None]:
    return [difference(visit.u, visit.u0) for visit in descent]
