"""Automatic choices of smoother, coarse operators and transfers, by the grid and the coefficients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pde.levels.coarse_coefficients import at_coarse_points
from pde.levels.hierarchy import COARSEST_SIZE_STEEP
from pde.problem.coefficients import ROUGH, STEEP, Terms
from pde.problem.grid import Grid

SPACING_OF_PLANES = 5.0
"""In three dimensions lines along each axis take up to 0.3 per V(1,1) where spacings vary by this, and then up to 0.98:
nothing smooths along the weakest of three axes. Planes and semicoarsening across them do not depend on it.
"""

LARGEST_PLANES = 1 << 19
"""Unknowns at most for planes by default: their factors hold 1 to 2 kB per unknown."""


SHARE_OF_COARSE = 0.4
"""One cell between two Dirichlet ends has this share of the least eigenvalue of -d^2/dx^2, and all other grids more."""


SWEEPS = {3: (2, 1)}
"""(before, after) by dimension where a third sweep gains more than it costs; (1, 1) for those not named.

In three dimensions V(2,1) takes 0.045 per cycle and V(1,1) 0.09: 1.27 of its digits, for 1.25 of its work units and
1.13 to 1.3 of its time on compiled kernels, where sweeps share a pass. Solves to 1e-6, 1e-8 and 1e-9 on 63^3 to 255^3
take 0.87 to 0.99 of the time in the mean there (V(1,2) 0.86 to 0.96), and 1.0 to 1.03 in NumPy (V(1,2) 1.02 to 1.09).
In two dimensions V(2,1) has 1.2 of the digits: solves take 1.01 to 1.02 of the time, full multigrid 1.1 to 1.3, and
cycles in NumPy 1.4.
"""


def automatic_sweeps(grid: Grid, terms: Terms, smoother: str, coarse: str, order: int) -> tuple[int, int]:
    """nu of `pde.Multigrid` where it is "auto": `SWEEPS` for what these are measured for, else (1, 1)."""
    measured = smoother == "sor" and coarse == "rediscretised" and order == 2 and not grid.is_stretched()
    axes = sum(n > 1 for n in grid.shape)
    return SWEEPS.get(axes, (1, 1)) if measured and grid.is_isotropic(terms.typical) else (1, 1)


def automatic(grid: Grid, terms: Terms, smoother: str, coarse: str, transfer: str) -> tuple[str, str, str]:
    """(smoother, coarse, transfer) of `pde.Multigrid`, where "auto" is replaced by what suits.

    Raises:
        ValueError: transfers that follow the coefficient without Galerkin operators.
    """
    if terms.domain is not None:
        return _on_domain(grid, terms, smoother, coarse, transfer)
    if terms.tensor is not None:
        return _of_tensor(grid, terms, smoother, coarse, transfer)
    rough = is_rough(grid, terms) or terms.betas_jump(grid)  # with these rediscretised cycles may not converge at all
    smoother = automatic_smoother(grid, terms) if smoother == "auto" else smoother
    lines = smoother == "zebra" and sum(n > 1 for n in grid.shape) == 2
    unlike = (lines or smoother.startswith("planes")) and grid.is_stretched()
    products = rough or terms.reaction_jumps(grid) or unlike or transfer == "operator" or may_be_indefinite(grid, terms)
    if coarse == "auto":
        coarse = "galerkin" if products else "rediscretised"
    if transfer == "auto":
        transfer = "operator" if coarse == "galerkin" and rough else "bilinear"
    if transfer == "operator" and coarse == "rediscretised":
        raise ValueError("transfer='operator' needs coarse='galerkin', got coarse='rediscretised'")
    return smoother, coarse, transfer


def _on_domain(grid: Grid, terms: Terms, smoother: str, coarse: str, transfer: str) -> tuple[str, str, str]:
    """The choices on a domain: levels that follow its walls.

    Raises:
        ValueError: another choice.
    """
    if coarse == "rediscretised":
        raise ValueError("coarse='rediscretised' is for boxes; on a domain, or with closed faces, it is 'galerkin'")
    if transfer != "auto":
        raise ValueError(f"transfer={transfer!r} is for boxes; on a domain, or with closed faces, leave it 'auto'")
    if not terms.closed:
        smoother = automatic_smoother(grid, terms) if smoother == "auto" else smoother
        follows = is_rough(grid, terms) or terms.betas_jump(grid)
        return smoother, "galerkin", "operator" if follows else "truncated"
    if smoother.startswith(("zebra", "planes", "gauss-seidel")):
        raise ValueError(f"smoother={smoother!r} knows no closed faces; with these it is a point smoother")
    return "sor" if smoother == "auto" else smoother, "galerkin", "components"


def _of_tensor(grid: Grid, terms: Terms, smoother: str, coarse: str, transfer: str) -> tuple[str, str, str]:
    """The choices for a full tensor, whose coarse operators are products.

    Raises:
        ValueError: another choice.
    """
    if coarse == "rediscretised" or transfer == "operator":
        name, came, allowed = "transfer", transfer, "bilinear"
        if coarse == "rediscretised":
            name, came, allowed = "coarse", coarse, "galerkin"
        raise ValueError(f"{name}={came!r} is not for full tensors as coefficient; there it is {allowed!r}")
    smoother = automatic_smoother(grid, terms) if smoother == "auto" else smoother
    return smoother, "galerkin", "bilinear" if transfer == "auto" else transfer


def is_rough(grid: Grid, terms: Terms) -> bool:
    """Whether the diffusion jumps between neighbours, or is too steep for a grid that would have to be coarsened."""
    if terms.largest_ratio(grid) > ROUGH:
        return True
    while terms.varies and grid.size > COARSEST_SIZE_STEEP and any(which := grid.axes_to_coarsen(terms.typical)):
        once = {id(a): at_coarse_points(a, grid, which) for a in terms.diffusion}
        terms = replace(terms, diffusion=tuple(once[id(a)] for a in terms.diffusion), resistances=())
        grid = grid.coarsen(which)
        if terms.largest_ratio(grid) > STEEP:
            return True
    return False


def may_be_indefinite(grid: Grid, terms: Terms) -> bool:
    """Whether a negative reaction may take an eigenvalue of A, or of a rediscretised coarse operator, below zero.

    Operators R A P are positive definite where A is.
    """
    ends = [sum(side.kind == "dirichlet" for side in axis.sides) for axis in grid.axes]
    parts = zip(grid.axes, terms.diffusion, ends, strict=True)
    least = sum(float(np.min(a)) * (count * np.pi / 2 / axis.length) ** 2 for axis, a, count in parts)
    return terms.least_reaction < -SHARE_OF_COARSE * least


def automatic_smoother(grid: Grid, terms: Terms) -> str:
    """Points, or lines and planes where the strong axis is one here and another there."""
    mixed = terms.strong_axis_turns(grid)
    if not mixed and not grid.is_stretched():
        return "sor"
    space = sum(n > 1 for n in grid.shape) == 3 and grid.size <= LARGEST_PLANES
    return f"planes {grid.evenest}" if space and (mixed or grid.is_stretched(SPACING_OF_PLANES)) else "zebra"
