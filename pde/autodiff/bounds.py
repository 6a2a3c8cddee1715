"""Derivatives of solutions with bounds, by the adjoint of the equations where they meet none.

With the contact set held fixed, u is the bound there, u = B, and elsewhere the solution of T A T e = T (b - A B), where
T leaves out the contact set: a problem on a domain. So e is made by `_Solve` on that domain, and the chain rule is that
of torch. Where the contact set changes with the data, at points that touch a bound without pressing, u has a kink, and
this is one of its generalised derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from mgcore import Solution
from pde.common.arrays import cast, is_tensor, like
from pde.problem.coefficients import DomainTerms
from pde.problem.domain import Domain
from pde.problem.poisson import Poisson

Tensor = torch.Tensor


def with_contact(
    solution: Solution,
    b: Tensor,
    bounds: dict[str, Any],
    problem: Poisson,
    apply: Callable[[Tensor], Tensor],
    solve_free: Callable[[Tensor, Tensor, Any], Tensor],
) -> Tensor:
    """The u of a solution with bounds, as a function of b, of the bounds, and of what `apply` and `solve_free` use.

    Args:
        b: the right-hand side with boundary data in it, (..., *shape), as are `solution.u` and `solution.contact`.
        bounds: "lower" and "upper", as the user has given them; None is none.
        apply: A u.
        solve_free: (b, e, inside) -> e, the solution for b on the domain `inside`, whose numbers are known.
    """
    ndim, shape = problem.ndim, problem.shape
    contact = np.broadcast_to(np.asarray(solution.contact), tuple(b.shape))
    at_bounds = values_at_bounds(bounds, contact, solution.u)
    whole = np.ones(shape, bool) if problem.domain is None else problem.domain.inside
    r, parts = b - apply(at_bounds), []
    for index in np.ndindex(*contact.shape[: contact.ndim - ndim]):
        inside = whole & (contact[index] == 0)
        e = (solution.u[index] - at_bounds[index]).detach() * like(inside, b)
        among = r[index] * like(inside, b)
        parts.append(solve_free(among, e, inside) if inside.any() else among)
    return at_bounds + torch.stack(parts).reshape(b.shape)


def without_contact(problem: Poisson, inside: Any) -> Poisson:
    """The problem on its unknowns `inside`; u = 0 at the others, and the coefficients stay as they are."""
    other, domain, held = problem.with_terms(), problem.domain, problem.terms.domain
    other.domain = Domain(inside, () if domain is None else domain.walls)
    among = DomainTerms(inside) if held is None else replace(held, inside=inside)
    other.terms = replace(problem.terms, domain=among)
    return other


def values_at_bounds(bounds: dict[str, Any], contact: np.ndarray, u: Tensor) -> Tensor:
    """The bounds where u is at them, and 0 elsewhere: those that are tensors with their gradients."""
    result = torch.zeros_like(u)
    for name, sign in (("lower", -1), ("upper", 1)):
        given, at = bounds.get(name), torch.from_numpy(contact == sign)
        value = cast(given, u.dtype).expand(u.shape) if is_tensor(given) else u.detach()  # u is the bound there
        result = torch.where(at, value, result)
    return result
