"""`Multigrid` for nonlinear problems: the same solver, on levels of the full approximation scheme."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self

import numpy as np

from pde.backends.data import Data
from pde.backends.full_approximation import FullApproximation
from pde.common.arguments import described
from pde.levels.defaults import automatic_sweeps
from pde.levels.hierarchy import Choices
from pde.levels.nonlinear import build_nonlinear
from pde.problem.grid import Array, Sides
from pde.problem.nonlinear import NonlinearPoisson
from pde.solver.fascd import fascd
from pde.solver.inputs import Reader
from pde.solver.multigrid import Multigrid
from pde.solver.reduced import Reduced

ALLOWED = {
    "smoother": ("auto", "red-black", "sor"),
    "coarse": ("auto", "rediscretised"),
    "transfer": ("auto", "bilinear"),
    "kernels": ("auto", "numpy"),
    "device": ("cpu",),
}
"""The values of options of `Multigrid` that nonlinear problems take."""


class NonlinearMultigrid(Multigrid, kind=NonlinearPoisson):
    """The full approximation scheme; `Multigrid(problem)` makes it of a `NonlinearPoisson`.

    >>> from pde import NonlinearPoisson
    >>> mg = Multigrid(NonlinearPoisson((31, 31), reaction=lambda u, x, y: -np.exp(u)))
    >>> type(mg).__name__, mg.solve(0.0).converged
    ('NonlinearMultigrid', True)
    """

    problem: NonlinearPoisson  # type: ignore[assignment]
    bounded_methods: ClassVar[dict[str, Any]] = {"auto": fascd, "fascd": fascd}

    def _build(self, problem: Any, before: Any = None) -> None:
        self._check_options()
        problem.check_fits(self.dtype)
        self.smoother = "red-black" if self._wanted["smoother"] == "red-black" else "sor"
        self.coarse, self.transfer = "rediscretised", "bilinear"
        self.nu = self._sweeps or automatic_sweeps(problem.grid, problem.terms, self.smoother, self.coarse, 2)
        omega = 1.0 if self.omega is None and self.smoother == "red-black" else self.omega
        choices = Choices(self.smoother, omega, self.nu, self.coarse, self.transfer, self.dtype, singular=False)
        hierarchy = build_nonlinear(problem.grid, problem.terms, problem.laws, choices, self._limit)
        self.problem, self.hierarchy, self.levels = problem, hierarchy, hierarchy.levels
        self.backend = FullApproximation(hierarchy, self.dtype)
        self._reader = Reader(problem, self.backend.device, self.dtype)
        self._reduction = Unlifted(self.backend)  # type: ignore[assignment]
        self._may_be_indefinite, self._doubtful = False, False
        self._work_units = {}

    def _check_options(self) -> None:
        given = {**self._wanted, "kernels": self._options.kernels, "device": self._options.device.name}
        for name, allowed in ALLOWED.items():
            if given[name] not in allowed:
                choices = ", ".join(map(repr, allowed))
                raise ValueError(f"{name} must be one of {choices} for a nonlinear problem; got {given[name]!r}")
        if self._mixed:
            raise ValueError("dtype must be 'float64' or 'float32' for a nonlinear problem; got 'mixed'")

    def acceleration(self, accel: str | None, cycle: str = "fmg") -> str | None:
        """None: there are no conjugate gradients for a nonlinear A.

        Raises:
            ValueError: `accel` asks for them.
        """
        if accel not in (None, "auto", "none"):
            raise ValueError(f"accel must be None, 'auto' or 'none' for a nonlinear problem; got {described(accel)}")
        return None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return copy.copy(self)  # nothing in it changes, and functions of the user may not be copied

    def _linear_only(self, *_: Any, **__: Any) -> Any:
        raise TypeError("problem: predict, measure_factor, as_preconditioner and update are for linear problems")

    predict = measure_factor = as_preconditioner = update = _linear_only


class Unlifted:
    """Data of a nonlinear problem, with f and all boundary values; see `pde.solver.reduced.Reduction`.

    Residuals are relative to the smaller of ||f - A(w)|| and ||f - A(0)||, with a lifting w of the boundary data: A(w)
    may be huge where c grows fast, and A(0) where the data of sides are divided by h^2. Where w is the solution but for
    rounding they are relative to ||f - A(0)||, and where neither is finite, as where c is log(u), to ||f - A(u0)||.
    """

    lifts_always: ClassVar[bool] = False

    def __init__(self, backend: FullApproximation) -> None:
        self._backend = backend

    def __call__(self, f: Array, sides: Sides, u0: Array | None = None) -> Reduced:
        backend = self._backend.with_sides(sides)
        level, rhs = backend.hierarchy.levels[0], backend.fold(f, sides)
        w: Any = level.start(rhs).u
        of_w, of_0 = (backend.norms(rhs - backend.apply(u)) for u in (w, np.zeros_like(rhs)))
        sizes = np.where(of_w <= backend.rounding(w, of_w), np.fmax(of_w, of_0), np.fmin(of_w, of_0))
        if u0 is not None and not np.isfinite(sizes).all():
            sizes = np.where(np.isfinite(sizes), sizes, backend.norms(rhs - backend.apply(u0)))
        return Reduced(Data(rhs, f, sides, sizes), guess=u0)
