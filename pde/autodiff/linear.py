"""Derivatives of the solution by the implicit adjoint: backward is one more solve, not a tape through the cycles.

With W the control volumes, W A is symmetric. For u = A^-1 b and the cotangent v of u, y = A^-1 W^-1 v and lambda = W y
is the cotangent of b; that of a coefficient is the derivative of -lambda^T A u with u held fixed. The formula is made
of differentiable operations and of the same solve, so that it can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from mgcore import Solution, SolveError
from pde.autodiff.bounds import with_contact, without_contact
from pde.backends.device import check_tensor, host
from pde.common.arrays import (
    cast,
    convert,
    each_tensor,
    is_complex,
    is_tensor,
    joined_parts,
    like,
    tensors_in,
    two_parts,
)
from pde.problem.boundary import fold
from pde.problem.bounds import NAMES
from pde.problem.coefficients import Terms
from pde.problem.faces import with_wall_weights
from pde.problem.operators import StencilOperator
from pde.problem.poisson import Poisson
from pde.problem.wall_data import at_walls
from pde.solver.batch import delivered, with_complex_members
from pde.solver.multigrid import Multigrid

Tensor = torch.Tensor


def solve_poisson(
    f: Any, shape: Any, problem_options: dict[str, Any], solver_options: dict[str, Any], solve_options: dict[str, Any]
) -> Solution:
    """`pde.solve_poisson` where f, g, coefficient, reaction or bounds are tensors; see there.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    coefficient, reaction = problem_options.get("coefficient"), problem_options.get("reaction", 0.0)
    g = solve_options.pop("g", None)
    bounds = {name: solve_options[name] for name in NAMES if solve_options.get(name) is not None}
    device = _device({"f": f, "g": g, "coefficient": coefficient, "reaction": reaction, **bounds}, solver_options)
    solve_options = {**solve_options, **{name: host(bound) for name, bound in bounds.items()}}
    fields = {"coefficient": host(coefficient), "reaction": host(reaction)}
    problem = Poisson(shape, **{**problem_options, **fields})
    if problem.order != 2:
        raise ValueError(f"order must be 2 where f, g, coefficient or reaction are tensors, got {problem.order}")
    mg = Multigrid(problem, **{**solver_options, "device": device})
    if _wants_gradient(solve_options.get("u0")):
        raise ValueError("u0: the solution does not depend on the first guess; give u0.detach()")
    if not is_tensor(f):
        f = convert(problem.read("f", f, mg.dtype, constant=True, imaginary=True), device, mg.dtype)
    if f.ndim == 0:
        f = f.expand(problem.shape)
    wanted = torch.is_grad_enabled() and _wants_gradient(f, g, coefficient, reaction, *bounds.values())
    sides = _sides(g, problem, cast(f.real, mg.dtype)) if wanted else {}
    if wanted and any(map(is_complex, (f, *sides.values()))):
        if bounds:
            raise TypeError("lower, upper: bounds are not for complex f, g and u0: solve for the real part alone")
        if "walls" in sides:
            raise ValueError(
                "g['walls']: on a domain complex data have no derivatives; solve for both parts as a batch"
            )
        return _of_two_parts(f, sides, shape, problem_options, {**solver_options, "device": device}, solve_options)
    run = _Forward(mg, f.detach(), each_tensor(g, Tensor.detach), solve_options)
    if not wanted:
        return run.solution()
    if solve_options.get("out") is not None:
        raise ValueError("out: a result that is written there has no gradient; leave it out, or use torch.no_grad()")
    varies = _wants_gradient(coefficient, reaction)
    if problem.singular and _wants_gradient(reaction):
        raise ValueError(
            "reaction: where it is zero and no side fixes u the problem is singular, and the solution has no "
            "derivative in the reaction; detach it, or make it positive somewhere"
        )
    if problem.open and varies:
        raise ValueError("coefficient, reaction: with open sides there are derivatives in f alone; detach them")
    if problem.terms.closed and _wants_gradient(coefficient):
        raise ValueError("coefficient: behind closed faces there are derivatives in f, g and reaction alone; detach it")
    data = cast(f, mg.dtype)
    if problem.domain is not None:
        data = data * like(problem.domain.inside, data)
    if varies and problem.terms.tensor is not None:
        raise ValueError("coefficient: a full tensor has no derivatives, nor has the reaction beside it; detach both")
    terms = _terms(coefficient, reaction, problem, data) if varies else problem.terms
    weighted = terms
    if varies and problem.domain is not None and problem.terms.domain is not None and not problem.terms.closed:
        weighted = with_wall_weights(terms, problem.domain, problem.grid)[0]
    b: Any = fold(data, sides, problem.grid, weighted)
    kept = ("rtol", "max_cycles", "cycle", "accel")
    options = {name: solve_options[name] for name in kept if name in solve_options}
    fields_of: list[Any] = [t for t in (*terms.diffusion, terms.reaction) if is_tensor(t)] if varies else []
    if bounds:
        solution = run.solution()

        def solve_free(r: Tensor, e: Tensor, inside: Any) -> Tensor:
            part = mg if inside.all() else Multigrid(without_contact(problem, inside), **solver_options)
            solved: Tensor = _Solve.apply(r, lambda _: e, _Adjoint(part, options), *fields_of)
            return solved

        def apply(v: Tensor) -> Tensor:
            return (
                _Adjoint(mg, options).apply(v, tuple(fields_of))
                if varies
                else problem._operator.to(v.device, v.dtype)(v)
            )

        return with_u(solution, with_contact(solution, b, bounds, problem, apply, solve_free), problem.ndim)
    u = _Solve.apply(b, run, _Adjoint(mg, options), *fields_of)
    assert run.last is not None
    return with_u(run.last, u, problem.ndim)


def with_u(solution: Solution, u: Tensor, ndim: int) -> Solution:
    """The solution with another u, (..., *shape), that of its members too."""
    places = np.ndindex(*u.shape[: u.ndim - ndim])
    members = tuple(replace(m, u=u[index]) for index, m in zip(places, solution.members, strict=False))
    return replace(solution, u=u, members=members)


def _of_two_parts(f: Tensor, sides: dict[Any, Tensor], shape: Any, *options: dict[str, Any]) -> Solution:
    """The solution for complex f and boundary data: a batch of their real and imaginary parts, put together."""
    problem_options, solver_options, solve_options = options
    ndim = len(tuple(shape)) if np.iterable(shape) else 1
    batch = f.shape[: f.ndim - ndim]
    parts = {key: two_parts(g.expand(batch + g.shape[g.ndim - ndim + 1 :])) for key, g in sides.items()}
    solve_options = {**solve_options, "g": parts or None}
    if solve_options.get("u0") is not None:
        u0 = torch.as_tensor(solve_options["u0"], device=f.device)
        solve_options["u0"] = two_parts(u0)
    both = solve_poisson(two_parts(f), shape, problem_options, solver_options, solve_options)
    return delivered(with_complex_members(both), joined_parts(both.u), ndim)


@dataclass
class _Forward:
    """The solve for f and g themselves, which full multigrid does better than with g folded into f."""

    mg: Multigrid
    f: Tensor
    g: Any
    options: dict[str, Any]
    last: Solution | None = None

    def solution(self) -> Solution:
        return self.mg.solve(self.f, self.g, **self.options)

    def __call__(self, b: Tensor) -> Tensor:
        self.last = self.solution()
        u: Tensor = self.last.u
        return u


@dataclass
class _Adjoint:
    """The tools of backward: a solve for another right-hand side, A with coefficients as tensors, and W."""

    mg: Multigrid
    options: dict[str, Any]

    def __call__(self, b: Tensor) -> Tensor:
        """A^-1 b; where A is singular, the solution of zero mean for b less its mean.

        Raises:
            SolveError: the solve has not converged, nor reached its rounding error; gradients from it would be wrong.
        """
        solution = self.mg.solve(b.detach(), incompatible=np.inf, **self.options)
        if not solution.converged and solution.reason != "rounding":
            error = SolveError(solution)
            error.add_note("This was the adjoint solve of a backward pass.")
            raise error
        u: Tensor = solution.u
        return u

    def apply(self, u: Tensor, fields: tuple[Tensor, ...]) -> Tensor:
        """A u, differentiable in u and in the coefficients."""
        problem, dtype = self.mg.problem, self.mg.dtype
        if problem.terms.closed:
            A, c = problem._operator.to(u.device, u.dtype), like(np.asarray(problem.terms.reaction), u)
            result: Tensor = A(u) + (fields[-1] - c) * u
            return result
        terms: Any = replace(problem.terms, diffusion=fields[:-1], reaction=fields[-1])  # type: ignore[arg-type]
        box: Any = StencilOperator(problem.grid, dtype, terms)
        if problem.domain is None or problem.terms.domain is None:
            return box(u)
        inside, held = like(problem.domain.inside, u), with_wall_weights(terms, problem.domain, problem.grid)[1]
        masked: Tensor = inside * (box(inside * u) + held * u)
        return masked

    def volumes(self, x: Tensor) -> Tensor:
        result: Tensor = like(self.mg.levels[0].info.operator.volumes, x)
        return result


class _Solve(torch.autograd.Function):
    """u = A^-1 b, for A with these coefficients: none, or the diffusion per axis and the reaction."""

    @staticmethod
    def forward(ctx: Any, b: Tensor, run: Callable[[Tensor], Tensor], adjoint: _Adjoint, *fields: Tensor) -> Tensor:
        u = run(b)
        ctx.adjoint = adjoint
        ctx.save_for_backward(u, *fields)
        return u

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> Any:
        u, *fields = ctx.saved_tensors
        W = ctx.adjoint.volumes(v)
        cotangent = W * _Solve.apply(v / W, ctx.adjoint, ctx.adjoint, *fields)  # lambda
        needed = [i for i in range(len(fields)) if ctx.needs_input_grad[3 + i]]
        grads: list[Tensor | None] = [None] * len(fields)
        if needed:
            again = torch.is_grad_enabled()  # a second derivative will be asked for
            if not again:
                u, fields = u.detach(), [field.detach().requires_grad_() for field in fields]
            with torch.enable_grad():
                held = tuple(field.view_as(field) for field in fields)  # u depends on the fields, and is held fixed
                Au = ctx.adjoint.apply(u, held)
            unused = {"allow_unused": True, "materialize_grads": True}  # across an axis of one unknown, with no flux
            parts = torch.autograd.grad(Au, [held[i] for i in needed], -cotangent, create_graph=again, **unused)
            for i, part in zip(needed, parts, strict=True):
                grads[i] = part
        return (cotangent, None, None, *grads)


def _device(given: dict[str, Any], options: dict[str, Any]) -> str:
    """The device of the tensors, which all lie on the same one."""
    places = {}
    for name, value in given.items():
        for t in tensors_in(value):
            with torch.no_grad():
                check_tensor(name, t, imaginary=name in ("f", "g"))
            places[name] = t.device
    first, device = next(iter(places.items()))
    for name, other in places.items():
        if other != device:
            raise ValueError(f"{name} is a tensor on {other}, and {first} on {device}; all must lie on one device")
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"{first} must be a tensor on the CPU or on a CUDA device, got one on {device}")
    asked = options.get("device")
    if asked is not None and torch.device(asked).type != device.type:
        raise ValueError(f"device={asked!r}, but {first} is a tensor on {device}")
    return str(device)


def _wants_gradient(*values: Any) -> bool:
    return any(t.requires_grad for t in tensors_in(*values))


def _terms(coefficient: Any, reaction: Any, problem: Poisson, x: Tensor) -> Terms:
    """The coefficients as tensors of the grid's shape, with their gradients."""
    given = coefficient if isinstance(coefficient, list | tuple) else [coefficient] * problem.ndim

    def field(value: Any, read: Any) -> Tensor:
        value = value if is_tensor(value) else like(np.asarray(read), x)
        full: Tensor = cast(value, x.dtype).expand(problem.shape)
        return full

    if problem.terms.closed:  # the diffusion is in the coefficients of faces
        c: Any = field(reaction, problem.terms.reaction)
        return replace(problem.terms, reaction=c)
    diffusion = tuple(field(value, read) for value, read in zip(given, problem.terms.diffusion, strict=True))
    return replace(problem.terms, diffusion=diffusion, reaction=field(reaction, problem.terms.reaction))  # type: ignore[arg-type]


def _sides(g: Any, problem: Poisson, x: Tensor) -> dict[tuple[int, int], Any]:
    """Boundary data as tensors, with their gradients."""
    batch = tuple(x.shape[: x.ndim - problem.ndim])
    read = problem.read_sides(host(g), np.dtype(float), batch)
    given = g if isinstance(g, Mapping) else dict.fromkeys(read, g)
    sides = {}
    for key, values in read.items():
        value = given[key]
        value = value if is_tensor(value) else convert(values, x.device, torch.float64)
        if key == "walls" and is_tensor(given[key]) and value.ndim > 0:
            assert problem.terms.domain is not None
            value = at_walls(value, problem.terms.domain, problem.grid)
        sides[key] = (value if is_complex(value) else cast(value, x.dtype)).expand(values.shape)
    return sides
