"""`Multigrid` for nonlinear problems: the same solver, on levels of the full approximation scheme."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from mgcore import Iteration
from pde.backends.choice import make_nonlinear
from pde.backends.data import Data
from pde.backends.full_approximation import FullApproximation
from pde.backends.newton import NewtonMultigrid
from pde.common.arguments import described
from pde.levels.defaults import automatic_sweeps
from pde.levels.hierarchy import Choices, Hierarchy
from pde.levels.nonlinear import build_nonlinear, with_laws
from pde.problem.grid import Array, Sides
from pde.problem.nonlinear import NonlinearPoisson
from pde.solver.fascd import fascd
from pde.solver.inputs import Inputs, Reader
from pde.solver.multigrid import Multigrid
from pde.solver.reduced import Reduced
from pde.solver.trace import Trace

ALLOWED = {
    "smoother": ("auto", "red-black", "sor"),
    "coarse": ("auto", "rediscretised"),
    "transfer": ("auto", "bilinear"),
    "kernels": ("auto", "numpy", "numba"),
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

    methods = ("auto", "fas", "newton")
    problem: NonlinearPoisson  # type: ignore[assignment]
    bounded_methods: ClassVar[dict[str, Any]] = {"auto": fascd, "fascd": fascd}
    backend: NewtonMultigrid

    def _build(self, problem: Any, before: Any = None) -> None:
        self._check_options()
        problem.check_fits(self.dtype)
        self.smoother = "red-black" if self._wanted["smoother"] == "red-black" else "sor"
        self.coarse, self.transfer = "rediscretised", "bilinear"
        self.nu = self._sweeps or automatic_sweeps(problem.grid, problem.terms, self.smoother, self.coarse, 2)
        omega = 1.0 if self.omega is None and self.smoother == "red-black" else self.omega
        choices = Choices(self.smoother, omega, self.nu, self.coarse, self.transfer, self.dtype, singular=False)
        hierarchy = build_nonlinear(
            problem.grid, problem.terms, problem.laws, choices, self._limit, problem.domain_terms
        )
        self._take(problem, hierarchy)

    def _take(self, problem: Any, hierarchy: Hierarchy) -> None:
        self.problem, self._plain = problem, hierarchy
        self.backend = make_nonlinear(hierarchy, self._options)
        self.hierarchy, self.levels = self.backend.hierarchy, self.backend.hierarchy.levels
        self._reader = Reader(problem, self.backend.device, self.dtype)
        self._reduction = Unlifted(self.backend)  # type: ignore[assignment]
        self._may_be_indefinite, self._doubtful = False, False
        self._work_units = {}

    def update(
        self, coefficient: Any = None, reaction: Any = None, derivative: Any = None, gradient_coefficient: Any = None
    ) -> Self:
        """Take other functions in the place of those the problem has, as of the next time step; None keeps one.

        Grids and transfers stay. `derivative` is that of the new `reaction`. Where it raises, the solver stays as it
        was.

        Returns:
            The object itself.

        Raises:
            TypeError, ValueError: as `NonlinearPoisson` for these arguments, or for a function that it has none of.
        """
        problem = self.problem.with_laws(coefficient, reaction, derivative, gradient_coefficient)
        self._take(problem, replace(self._plain, levels=with_laws(self._plain.levels, problem.laws)))
        return self

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

    def _start(
        self, inputs: Inputs, cycle: str, accel: str | None, trace: Trace, method: str, again: bool
    ) -> Iteration:
        if self.problem.domain is not None:
            if method == "fas":
                raise ValueError("method must be 'auto' or 'newton' on a domain, which coarse grids see in J alone")
            method = "newton"
        solver = copy.copy(self)
        solver.backend = self.backend.by(method)
        return super(NonlinearMultigrid, solver)._start(inputs, cycle, accel, trace, method, again)

    def cycle(self, *arguments: Any, **options: Any) -> Array:
        self._check_box("cycle")
        return super().cycle(*arguments, **options)

    def full_multigrid(self, *arguments: Any, **options: Any) -> Array:
        self._check_box("full_multigrid")
        return super().full_multigrid(*arguments, **options)

    def _check_box(self, name: str) -> None:
        if self.problem.domain is not None:
            raise ValueError(f"domain: {name} of a nonlinear problem takes boxes alone; see solve")

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return copy.copy(self)  # nothing in it changes, and functions of the user may not be copied

    def _linear_only(self, *_: Any, **__: Any) -> Any:
        raise TypeError("problem: predict, measure_factor and as_preconditioner are for linear problems")

    predict = measure_factor = as_preconditioner = _linear_only


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
