"""A multigrid cycle whose smoothers and transfers are parameters; `mgcore` runs it."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import torch
from torch import Tensor, nn

from mgcore import CYCLES, Level
from pde.common.arguments import choose, count
from pde.learning.family import Family
from pde.learning.levels import LevelParts, make_levels, symmetric_parts
from pde.learning.transfers import TRANSFERS, Prolongation
from pde.problem.poisson import Poisson

OMEGA = 0.8
"""Damping of the Jacobi sweeps that training starts from."""


class TrainableMultigrid(nn.Module):
    """Multigrid for a constant-coefficient `Poisson`, with trained stencils in mgcore's own cycles.

    Args:
        problem: constant coefficients, a full tensor too, at points between Dirichlet sides.
        kernel: points of a smoother along an axis, odd: 1 is Jacobi with a trained damping.
        sweeps: (before, after).
        per_level: whether each level has smoothers and transfers of its own, down to `levels`; deeper ones share.
        transfer: "bilinear", fixed; "symmetric", P with one free number, in two dimensions: it keeps constants, and is
            the same turned by 180 degrees; "free": P keeps constants.
        restriction: "transpose", R = P^T / 2^ndim, or "trained", another one of the same kind.
        cycle: "V", "W", "F" or "backslash".
        coarse: "galerkin", R A P within the graph, or "rediscretised".
        symmetric: whether the sweeps after are adjoint to those before, which makes the cycle a preconditioner.
        levels: levels with parameters of their own; None takes those of the grid of `problem` without the coarsest.
    """

    def __init__(
        self,
        problem: Poisson,
        *,
        kernel: int = 3,
        sweeps: tuple[int, int] = (1, 1),
        per_level: bool = True,
        transfer: str = "bilinear",
        restriction: str = "transpose",
        cycle: str = "V",
        coarse: str = "galerkin",
        symmetric: bool = False,
        levels: int | None = None,
    ) -> None:
        super().__init__()
        self.family = Family(problem)
        ndim = self.family.ndim
        self.cycle, self.symmetric = choose("cycle", cycle, CYCLES), symmetric
        self.coarse = choose("coarse", coarse, ("galerkin", "rediscretised"))
        choose("transfer", transfer, TRANSFERS)
        choose("restriction", restriction, ("transpose", "trained"))
        depth = max(1, int(log2(min(problem.shape) + 1)) - 1) if levels is None else count("levels", levels, least=1)
        own = depth if per_level else 1
        nu = [count("sweeps", n, least=0) for n in sweeps]
        self.before = nn.Parameter(jacobi(own, nu[0], kernel, ndim))
        self.after = None if symmetric else nn.Parameter(jacobi(own, nu[1], kernel, ndim))
        self.P = Prolongation(transfer, own, ndim)
        self.R = Prolongation(transfer, own, ndim) if restriction == "trained" else None

    def parts(self) -> list[LevelParts]:
        """The stencils of each level with parameters of its own."""
        made = []
        for l, (before, P) in enumerate(zip(self.before, self.P(), strict=True)):
            R = P if self.R is None else self.R()[l]
            after = before if self.after is None else self.after[l]
            part = LevelParts(before, after, P, R / 2**P.ndim)
            made.append(symmetric_parts(part) if self.symmetric else part)
        return made

    def levels(self, shape: Sequence[int]) -> list[Level]:
        """The levels for a grid of this shape, as `mgcore` runs them, on tensors."""
        A = torch.as_tensor(self.family.stencil(shape)).to(self.before)
        return make_levels(A, self.parts(), shape, rediscretised=self.coarse == "rediscretised")

    def forward(self, f: Tensor, u: Tensor | None = None) -> Tensor:
        """One cycle for A u = f from u (None: zero); tensors (..., *shape) of any shape of the family."""
        made: Tensor = CYCLES[self.cycle](self.levels(f.shape[f.ndim - self.family.ndim :]), f, u)
        return made

    @torch.no_grad()
    def measure_factor(self, shape: Sequence[int], cycles: int = 30, seed: int = 20) -> float:
        """The asymptotic error reduction per cycle on a grid of this shape, by power iteration on A u = 0.

        The geometric mean over the last third of the cycles.
        """
        levels, run = self.levels(shape), CYCLES[self.cycle]
        e = torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed), dtype=self.before.dtype)
        zero, factors = torch.zeros_like(e), list[Tensor]()
        for _ in range(cycles):
            e = e / e.norm()
            e = run(levels, zero, e)
            factors.append(e.norm())
        last = torch.stack(factors[-max(1, cycles // 3) :])
        return float(last.log().mean().exp())


def jacobi(levels: int, sweeps: int, kernel: int, ndim: int) -> Tensor:
    """Damped Jacobi as stencils (levels, sweeps, kernel, ..., kernel)."""
    K = torch.zeros((levels, sweeps) + (kernel,) * ndim, dtype=torch.float64)
    K[(slice(None),) * 2 + (kernel // 2,) * ndim] = OMEGA
    return K
