"""Solves with bounds, lower <= u <= upper: how `Multigrid.solve` reads them, and the methods that it has for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mgcore import Iteration, Remaining, Solution
from pde.backends.base import Backend
from pde.common.arguments import described
from pde.common.arrays import cast
from pde.levels.obstacle import ObstacleGrid, made
from pde.levels.projected import complementarity, diagonal
from pde.problem.boundary import fold
from pde.problem.bounds import Bounds, check_sides, read_bounds
from pde.problem.grid import Array, Sides
from pde.problem.nonlinear import NonlinearPoisson
from pde.solver.active_set import ActiveSet
from pde.solver.batch import axes_of
from pde.solver.fascd import fascd
from pde.solver.inputs import Inputs
from pde.solver.reduced import Products
from pde.solver.trace import Trace
from pde.solver.truncated_newton import GridSolver, TruncatedNewton, nested_start


@dataclass(frozen=True)
class Obstacles:
    """The data of a solve with bounds, one batch axis in front; called, it makes the iteration of its method.

    Args:
        mg: the solver.
        f: nodal values; sides: boundary data. u is what the bounds are about, with these in the equations beside them.
        bounds: with the batch axis where they differ between members.
        scale: what the residual of each member is relative to.
        guess: a first guess, or None.
        kind: of the cycles, "fmg" begins with coarser grids.
        trace: reports the moves of backends to the user.
        method: a name in `METHODS`.
    """

    mg: Any
    f: Array
    sides: Sides
    bounds: Bounds
    scale: np.ndarray
    guess: Array | None
    kind: str
    trace: Trace
    method: str

    @classmethod
    def read(
        cls, mg: Any, inputs: Inputs, lower: Any, upper: Any, accel: Any, kind: str, trace: Trace, method: str
    ) -> Obstacles:
        """The data from the arguments of `Multigrid.solve`.

        Raises:
            TypeError, ValueError: naming the argument, what came and what is allowed.
        """
        problem, f = mg.problem, inputs.members
        _check_problem(mg, inputs, accel)
        inputs.check_finite()
        bounds = read_bounds(problem, lower, upper, mg.dtype, tuple(inputs.f.shape[: inputs.f.ndim - problem.ndim]))
        check_sides(problem, lower, upper, inputs.sides)
        if problem.singular:
            _check_sign(mg, inputs, bounds)
        reduced = mg._reduction(f, inputs.sides)
        w = reduced.w.sum() if isinstance(reduced.w, Products) else 0.0 if reduced.w is None else reduced.w
        stiff = 8 * sum(a / axis.length**2 for a, axis in zip(problem.terms.typical, problem.grid.axes, strict=True))
        sizes = reduced.data.sizes * (1.0 if reduced.unit is None else reduced.unit)
        size, start = mg.backend.sizes, bounds.clip(np.zeros_like(f) + w)
        forces = [size(part) for part in _within_bounds(mg, f, inputs.sides, bounds, start)]
        scale = np.maximum(np.fmin(sizes, np.max(forces, axis=0)), stiff * size((start - w).astype(f.dtype)))
        guess = inputs.guess
        if guess is not None and not isinstance(problem, NonlinearPoisson):
            # where the scale is 0, w is the solution, whatever is guessed
            guess = guess * (scale > 0).reshape(-1, *[1] * problem.ndim)
        return cls(mg, f, inputs.sides, bounds, scale, guess, kind if guess is None else "V", trace, method)

    def __call__(self, inputs: Inputs, again: bool) -> Iteration:
        make: Method = self.mg.bounded_methods[self.method]
        return make(self)

    def watch(self, backend: Backend) -> Backend:
        """The backend that reports its moves to the user, if he wants that."""
        return self.trace.watch(backend, lambda: self.scale)

    def grid(self, k: int) -> ObstacleGrid:
        """The problem of one member on the finest grid."""
        problem = self.mg.problem
        sides = {key: g[k] if g.ndim > axes_of(key, problem.ndim) else g for key, g in self.sides.items()}
        return made(problem.grid, problem.terms, self.f[k], sides, self.bounds.of_member(k, problem.ndim))

    def with_contact(self, solution: Solution) -> Solution:
        """The solution of a batch that tells where its members meet their bounds."""
        contact = self.bounds.contact(solution.u)
        members = tuple([m.changed(contact=contact[k]) for k, m in enumerate(solution.members)])
        return solution.changed(contact=contact, members=members)


Method = Callable[[Obstacles], Iteration]
"""make(obstacles): the iteration of a solve, whose norms are those of the residual of complementarity."""


def _by(step: type[GridSolver]) -> Method:
    return lambda obstacles: Constrained(obstacles, step)


METHODS: dict[str, Method] = {
    "auto": _by(ActiveSet),
    "truncated newton": _by(TruncatedNewton),
    "active set": _by(ActiveSet),
    "fascd": fascd,
}
"""The methods of solves with bounds; "auto" takes 0.8 to 0.9 of the time of the other on 511^2 and 1023^2."""


def _check_problem(mg: Any, inputs: Inputs, accel: Any) -> None:
    problem, what = mg.problem, "lower, upper: bounds are not for"
    if problem.order != 2 or problem.open or problem.terms.tensor is not None or problem.terms.closed:
        raise ValueError(
            f"{what} order 4, open sides, full tensors, and closed faces or insulated walls; got {problem!r}"
        )
    if inputs.is_complex:
        raise TypeError(f"{what} complex f, g and u0: solve for the real part alone")
    if mg.backend.device.on_tensors:
        raise ValueError(f"{what} device={mg.backend.device.name!r} or kernels='torch'; take NumPy or Numba")
    if mg._may_be_indefinite:
        raise ValueError(f"{what} a reaction so negative that the energy may have no minimum")
    if accel not in (None, "none", "auto"):
        raise ValueError(f"accel must be None, 'none' or 'auto' with bounds; got {described(accel)}")


def _within_bounds(mg: Any, f: Array, sides: Sides, bounds: Bounds, u: Array) -> tuple[Array, Array]:
    """The residual of complementarity of u, and that of f in the place of f - A u: bounds near u leave little of both.

    A force that presses all of u on its bounds would make the tolerance trivial else.
    """
    problem, inside = mg.problem, 1 if mg.problem.domain is None else mg.problem.domain.inside
    sides = {key: cast(g, f.dtype) for key, g in sides.items()}
    with np.errstate(all="ignore"):  # functions of the user
        if isinstance(problem, NonlinearPoisson):
            A = mg.levels[0].A.with_values(sides)
            r = A.add_fluxes(f, sides) - A(u)
        else:
            A, u = problem._operator, u * inside
            r = inside * fold(f, sides, problem.grid, problem.terms) - A(u)
        parts = [complementarity(part, diagonal(A, u), u, bounds.lower, bounds.upper) for part in (r, f)]
    return parts[0].astype(f.dtype), parts[1].astype(f.dtype)


def _check_sign(mg: Any, inputs: Inputs, bounds: Bounds) -> None:
    """Refuse f that drives u of a singular problem where no bound is."""
    volumes, problem = mg.hierarchy.volumes[0], mg.problem
    rhs = fold(inputs.members, inputs.sides, problem.grid, problem.terms)
    for k, (mean, size) in enumerate(zip(volumes.mean(rhs), volumes.mean(abs(rhs)), strict=True)):
        own, little = bounds.of_member(k, problem.ndim), 16 * np.finfo(mg.dtype).eps * size
        open_below, open_above = (not np.isfinite(b).any() for b in (own.lower, own.upper))
        if (mean >= -little and open_above) or (mean <= little and open_below):
            sign, name = ("negative", "upper") if open_above else ("positive", "lower")
            raise ValueError(
                "f: with Neumann or periodic sides alone u is driven to infinity, or is not determined, where the mean "
                f"of f, with g, is not {sign} and {name} is infinite; it is {mean:.3g}"
            )


class Constrained:
    """One step after the other of each member: an `mgcore.Iteration`."""

    def __init__(self, obstacles: Obstacles, step: type[GridSolver]) -> None:
        self._backend, self._nested = obstacles.mg.backend, obstacles.kind == "fmg"
        self.scale: Sequence[float] = obstacles.scale.tolist()
        self._every = [step(obstacles.mg, obstacles.grid(k), obstacles.watch) for k in range(len(obstacles.f))]
        self._solvers = self._every
        guess = np.zeros_like(obstacles.f) if obstacles.guess is None else obstacles.guess
        for solver, u in zip(self._solvers, obstacles.bounds.clip(guess), strict=True):
            solver.begin(u)

    def norms(self) -> Sequence[float]:
        return [solver.contact.size for solver in self._solvers]

    def advance(self, left: Sequence[Remaining]) -> Sequence[Sequence[float]]:
        for solver, member in zip(self._solvers, left, strict=True):
            solver.target = member.tolerance * member.scale
            if self._nested:
                solver.begin(nested_start(solver))
            solver.step()
        self._nested = False
        return [[norm / member.scale] for norm, member in zip(self.norms(), left, strict=True)]

    def attainable(self) -> Sequence[float]:
        sizes = np.zeros(1)
        return [float(self._backend.rounding(each.u[None], sizes + each.contact.size)[0]) for each in self._solvers]

    def failures(self) -> Sequence[str | None]:
        return [None] * len(self._solvers)

    def u(self) -> Array:
        return np.stack([solver.u for solver in self._every])

    def keep(self, members: Sequence[int]) -> None:
        self._solvers = [self._solvers[k] for k in members]
