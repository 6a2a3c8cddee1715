"""From the options of a solver to its levels and its backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pde.backends.base import Backend, Options
from pde.backends.choice import largest_direct, make, read_options
from pde.common.arguments import choose, count, read_nu, read_omega
from pde.levels.defaults import automatic
from pde.levels.hierarchy import Choices, Hierarchy, build_hierarchy
from pde.levels.smoothers import SMOOTHERS
from pde.levels.transfers import TRANSFERS
from pde.problem.poisson import Poisson


@dataclass(frozen=True)
class Setup:
    """The options of `pde.Multigrid`, read.

    Args:
        wanted: smoother, coarse and transfer by name, "auto" among them.
        levels: how many at most; None is no limit.
        options: those of the backend.
        mixed: whether cycles are in float32 where the problem lets them.
    """

    wanted: dict[str, str]
    omega: float | None
    nu: tuple[int, int]
    levels: int | None
    options: Options
    mixed: bool

    @classmethod
    def read(cls, smoother: Any, omega: Any, nu: Any, coarse: Any, transfer: Any, levels: Any, **options: Any) -> Setup:
        """Refuse or take arguments of `pde.Multigrid`.

        Raises:
            TypeError, ValueError: naming the argument, what came and what is allowed.
        """
        wanted = {
            "smoother": choose("smoother", smoother, SMOOTHERS, auto="auto"),
            "coarse": choose("coarse", coarse, ("rediscretised", "galerkin"), auto="auto"),
            "transfer": choose("transfer", transfer, (*TRANSFERS, "operator"), auto="auto"),
        }
        nu, omega = read_nu(nu), read_omega(omega)
        limit = None if levels is None else count("levels", levels, least=1)
        return cls(wanted, omega, nu, limit, *read_options(**options))

    def build(self, problem: Poisson, before: Hierarchy | None) -> Built:
        """The levels and the backend for a problem; transfers are taken from the hierarchy before."""
        dtype, single = self.options.dtype, np.dtype("float32")
        for each in {dtype, single if self.mixed else dtype}:
            problem.check_fits(each)
        smoother, coarse, transfer = automatic(problem.grid, problem.terms, **self.wanted)
        direct = largest_direct(self.options.device)
        choices = Choices(smoother, self.omega, self.nu, coarse, transfer, dtype, problem.singular, direct)
        hierarchy = build_hierarchy(problem.grid, problem.terms, choices, self.levels, before)
        mixed = self.mixed and (problem.singular or problem.is_held(single))
        backend = make(hierarchy, self.options, mixed)
        return Built(smoother, coarse, transfer, hierarchy, backend)


@dataclass(frozen=True)
class Built:
    """Levels and backend of a solver, and the choices that "auto" stood for."""

    smoother: str
    coarse: str
    transfer: str
    hierarchy: Hierarchy
    backend: Backend
