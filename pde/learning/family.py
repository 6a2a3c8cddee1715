"""A constant-coefficient problem on grids of any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pde.levels.galerkin import stencil_of
from pde.problem.finest import finest_operator
from pde.problem.grid import is_constant
from pde.problem.poisson import Poisson


class Family:
    """The same equation on grids of other sizes: constant coefficients, points, Dirichlet sides, equal spacing.

    Args:
        problem: one of them.

    Raises:
        TypeError, ValueError: it is not such a problem; names the property.
    """

    def __init__(self, problem: Poisson) -> None:
        if not isinstance(problem, Poisson):
            raise TypeError(f"problem must be a pde.Poisson, got {type(problem).__name__}")
        terms = problem.terms
        refused = {
            "a domain, or coefficients of faces": terms.domain is not None or terms.closed,
            "open sides": problem.open,
            "cells": problem.centering != "vertex",
            "other sides than Dirichlet": any(s.kind != "dirichlet" for pair in problem.boundary for s in pair),
            "stretched axes": not all(is_constant(axis.spacing) for axis in problem.grid.axes),
            "a coefficient or reaction that varies": terms.varies or not isinstance(terms.reaction, float),
            "order 4": problem.order != 2,
            "ranks": problem.ranks is not None,
        }
        for name, there in refused.items():
            if there:
                wanted = "constant coefficients at points between Dirichlet sides"
                raise ValueError(f"problem: trained stencils are for {wanted}; got {name}")
        self.problem, self.ndim = problem, problem.ndim
        tensor = terms.tensor
        self._coefficient: Any = terms.diffusion
        if tensor is not None:
            entries = {key: float(np.asarray(e).flat[0]) for key, e in tensor.entries.items()}
            rows = range(self.ndim)
            self._coefficient = np.array([[entries.get((min(i, j), max(i, j)), 0.0) for j in rows] for i in rows])

    def check_same_equation(self, other: Family) -> None:
        """Refuse another equation; a factor on both sides is left out.

        Raises:
            ValueError: it has other coefficients or dimensions.
        """
        one, two = (family._numbers() for family in (self, other))
        if len(one) != len(two) or not np.allclose(one, two, rtol=1e-12, atol=1e-12):
            raise ValueError(
                f"problem: the stencils were trained for {self.problem!r}, and are for no other equation; got "
                f"{other.problem!r}"
            )

    def _numbers(self) -> np.ndarray:
        a = np.asarray(self._coefficient, float)
        a = np.diag(a) if a.ndim == 1 else a
        return np.append(a, self.problem.terms.reaction) / a[0, 0]

    def on(self, shape: Sequence[int]) -> Poisson:
        """The problem on a grid of this shape, on the same box."""
        if not np.iterable(shape) or len(shape) != self.ndim:
            raise ValueError(f"shape must be {self.ndim} numbers of points, as problem has; got {shape!r}")
        extent, c = self.problem.extent, self.problem.terms.reaction
        return Poisson(tuple(shape), extent=extent, coefficient=self._coefficient, reaction=c)

    def stencil(self, shape: Sequence[int]) -> np.ndarray:
        """A at a point inside, an array (3,) * ndim.

        Raises:
            ValueError: a negative reaction leaves A indefinite on this grid.
        """
        extent, small = self.problem.extent, (3,) * self.ndim
        lengths = [length * 4 / (n + 1) for length, n in zip(extent, shape, strict=True)]  # 3 points, the same spacing
        problem = Poisson(small, extent=lengths, coefficient=self._coefficient, reaction=self.problem.terms.reaction)
        A = finest_operator(problem.grid, np.dtype(float), problem.terms)
        K = np.zeros(small)
        for offset, values in stencil_of(A).items():
            K[tuple(o + 1 for o in offset)] = np.broadcast_to(values, small)[(1,) * self.ndim]
        if (reaction := float(problem.terms.reaction)) < 0:
            _check_definite(K, shape, reaction)
        return K


def _check_definite(K: np.ndarray, shape: Sequence[int], reaction: float) -> None:
    """Refuse A where sin(pi x / L) sin(pi y / L) ... shows that it is not positive definite, without fail if K is even.

    Raises:
        ValueError: names the Rayleigh quotient of this function.
    """
    quotient: Any = K
    for n in reversed(shape):
        quotient = quotient @ np.cos(np.pi / (n + 1) * np.array([-1, 0, 1]))
    if not quotient > 0:
        raise ValueError(
            f"problem: the operator must be positive definite, and with reaction={reaction:g} on a grid of shape "
            f"{tuple(shape)} its least eigenvalue is {quotient:.3g} or less"
        )
