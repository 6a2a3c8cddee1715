"""Derivatives of solutions of nonlinear problems by the implicit adjoint: one solve with the transposed Jacobian.

With r = f - A(u) and J = A'(u), du = J^-1 dr, where dr is the change of r with u held fixed. So r is made of torch's
operations, with u as a number in it, and backward takes the cotangent v of u to that of r, J^-T v. Whatever the
functions of the equation depend on gets its derivative from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from mgcore import Solution, SolveError
from pde.autodiff.bounds import values_at_bounds
from pde.autodiff.linear import _sides, with_u
from pde.backends.device import host
from pde.common.arrays import cast, each_tensor, is_tensor, tensors_in
from pde.levels.newton_step import krylov
from pde.problem.bounds import NAMES
from pde.problem.face_gradients import shifted
from pde.problem.grid import Array, trailing
from pde.problem.linearised import Linearised
from pde.problem.nonlinear import NonlinearPoisson
from pde.problem.tensor_functions import OnTensors
from pde.solver.multigrid import Multigrid

Tensor = torch.Tensor

FUNCTIONS = ("coefficient", "reaction", "derivative", "gradient_coefficient")
"""The arguments of a problem that may be functions of u."""

RESTARTS = 10
"""GMRES around cycles is begun again so many times at most in an adjoint solve."""


def solve_nonlinear(
    f: Any, shape: Any, problem_options: dict[str, Any], solver_options: dict[str, Any], solve_options: dict[str, Any]
) -> Solution:
    """`pde.solve_nonlinear` where f or g are tensors; see there.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    g = solve_options.pop("g", None)
    bounds = {name: solve_options[name] for name in NAMES if solve_options.get(name) is not None}
    for t in tensors_in(f, g, *bounds.values()):
        if t.device.type != "cpu":
            raise ValueError(f"f, g and bounds must be on the CPU for a nonlinear problem, got a tensor on {t.device}")
    solve_options = {**solve_options, **{name: host(bound) for name, bound in bounds.items()}}
    if tensors_in(*(problem_options.get(name) for name in FUNCTIONS)):
        raise TypeError("coefficient, reaction must be functions of u, which may use tensors; got a tensor")
    given = {name: problem_options.get(name) for name in FUNCTIONS}
    functions = {name: OnTensors(value) for name, value in given.items() if callable(value)}
    problem = NonlinearPoisson(shape, **{**problem_options, **functions})
    mg = Multigrid(problem, **solver_options)
    data = cast(f if is_tensor(f) else torch.as_tensor(problem.read("f", f, constant=True)), mg.dtype)
    data = data.expand(problem.shape) if data.ndim == 0 else data
    solution = mg.solve(data.detach(), each_tensor(g, Tensor.detach), **solve_options)
    if not torch.is_grad_enabled():
        return solution
    sides: dict[Any, Tensor] = _sides(g, problem, data)  # type: ignore[arg-type]
    if "walls" in sides and sides["walls"].requires_grad:
        raise ValueError("g['walls']: there are no derivatives in values held outside a domain; detach them")
    u = solution.u.detach()
    A: Any = problem._operator.with_values({key: host(each) for key, each in sides.items()})
    r = _residual(A, u.numpy().astype(float), data, sides, functions)
    contact, at_bounds = solution.contact, None
    if bounds:
        contact = np.broadcast_to(contact, tuple(u.shape))
        at_bounds = values_at_bounds(bounds, contact, u)
    if not r.requires_grad and not (at_bounds is not None and at_bounds.requires_grad):
        return solution
    if solve_options.get("out") is not None:
        raise ValueError("out: a result that is written there has no gradient; leave it out, or use torch.no_grad()")
    u = _Implicit.apply(r, at_bounds, u, _Adjoint(A, solve_options.get("rtol", 1e-8), contact))
    return with_u(solution, u, problem.ndim)


def _residual(A: Any, u: Array, f: Tensor, sides: dict[Any, Tensor], functions: dict[str, OnTensors]) -> Tensor:
    """f - A(u) but for terms without derivatives: differentiable in f, the data of sides and what functions use."""
    r: Tensor = A.add_fluxes(f, sides)
    padded, whole = A._padded(u), A._whole
    law = functions.get("coefficient") or functions.get("gradient_coefficient")
    for a in range(A.grid.ndim):
        for offset in (-1, 1):
            here, there = (padded[shifted(whole, [o * (b == a) for b in range(A.grid.ndim)])] for o in (0, offset))
            step, points = here - there, A._faces[a][offset > 0]
            argument = (here + there) / 2
            if A.laws.gradient is not None:
                argument = A._gradients.across(padded, whole, a, offset, step)[0]
            value: Any = law.on_tensors(torch.from_numpy(argument), points) if law else 1.0
            if is_tensor(value) and value.requires_grad:
                r = r - _inside(A, A.coupling(a, offset, whole) * step) * value
    if "reaction" in functions:
        value = functions["reaction"].on_tensors(torch.from_numpy(u), A._points)
        if is_tensor(value) and value.requires_grad:
            r = r - _inside(A, np.ones(A.grid.shape)) * value
    held = {key: g for key, g in sides.items() if key in A._values and g.requires_grad}
    return r - _of_sides(A, u, held) if held else r


def _inside(A: Any, values: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(A._inside(values)))


def _of_sides(A: Any, u: Array, held: dict[Any, Tensor]) -> Tensor:
    """The derivative of A(u) in the data of Dirichlet sides, times these."""
    ndim, shape = A.grid.ndim, A.grid.shape
    padded = torch.zeros(u.shape[:-ndim] + tuple(n + 2 for n in shape), dtype=torch.float64)
    for (a, side), g in held.items():
        halo = [slice(1, -1)] * ndim
        halo[a] = (slice(0, 1), slice(-1, None))[side]
        padded[trailing(halo)] = g.double().unsqueeze(a - ndim)
    if A.laws.gradient is not None:
        A._gradients.fill_edges(padded)
    A._fill(padded)
    flat = u.reshape(-1, *shape)
    J = np.stack([Linearised(A.of_member(k), flat[k]).stencil for k in range(len(flat))], axis=1)
    total: Any = 0.0
    for k, offset in zip(J.reshape(len(J), *u.shape), np.ndindex(*(3,) * ndim), strict=True):
        total = total + torch.from_numpy(k) * padded[shifted(A._whole, [o - 1 for o in offset])]
    return total


class _Implicit(torch.autograd.Function):
    """u, which is the bound in contact, and elsewhere depends on r as J du = dr."""

    @staticmethod
    def forward(ctx: Any, r: Tensor, at_bounds: Tensor | None, u: Tensor, adjoint: _Adjoint) -> Tensor:
        ctx.adjoint = adjoint
        ctx.save_for_backward(u)
        return u.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, v: Tensor) -> Any:
        (u,) = ctx.saved_tensors
        shape = ctx.adjoint.A.grid.shape
        pairs = enumerate(zip(u.reshape(-1, *shape), v.reshape(-1, *shape), strict=True))
        each = [ctx.adjoint(w.numpy().astype(float), y.numpy().astype(float), k) for k, (w, y) in pairs]
        of_r, of_bounds = (
            torch.from_numpy(np.stack(part)).reshape(v.shape).to(v.dtype) for part in zip(*each, strict=True)
        )
        return of_r, of_bounds if ctx.needs_input_grad[1] else None, None, None


@dataclass
class _Adjoint:
    """Solves with the transposed Jacobian, for each member of a batch; of points in contact u is given."""

    A: Any
    rtol: float
    contact: Array | None = None

    def __call__(self, u: Array, v: Array, member: int) -> tuple[Array, Array]:
        """The cotangents of r, J^-T v, and in contact those of the bounds, v - J^T J^-T v.

        By GMRES around cycles for W^-1 J^T W, which is a discrete operator as J is.

        Raises:
            SolveError: it has not converged; gradients from it would be wrong.
        """
        A = self.A.of_member(member)
        if self.contact is None:
            return self._solved(A, u, v), np.zeros_like(v)
        free = A._inside(self.contact.reshape(-1, *u.shape)[member] == 0)
        of_r = self._solved(A.changed(inside=free, _beyond=u), u, np.where(free, v, 0.0))
        whole = Linearised(A, u).matrix.T @ of_r.ravel()
        return of_r, np.where(free, 0.0, v - whole.reshape(u.shape))

    def _solved(self, A: Any, u: Array, v: Array) -> Array:
        """J^-T v on the points inside."""
        if not v.any():
            return v
        J = Linearised(A, u)
        W = np.broadcast_to(A.volumes, u.shape)
        JT = J.matrix.T.tocsr()

        def apply(e: Array) -> Array:
            return (JT @ (W * e).ravel()).reshape(u.shape) / W

        e, cycles = krylov(apply, J.compact_adjoint(), v / W, self.rtol, restarts=RESTARTS)
        left = float(np.linalg.norm(apply(e) - v / W) / np.linalg.norm(v / W))
        if not left <= 10 * self.rtol:
            error = SolveError(Solution(None, False, "stalled", (1.0, left), cycles, 0.0, self.rtol))
            error.add_note("This was the adjoint solve of a backward pass.")
            raise error
        result: Array = A._inside(W * e)
        return result
