"""The nonlinear problem: -div(a grad u) + c(u, x) = f on a box, with a(u, x) or a(|grad u|^2, x)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pde.common.arguments import described, evaluate, number
from pde.common.keywords import suggesting
from pde.problem.boundary import BoundaryData, embed, read_sides
from pde.problem.boundary_conditions import is_open
from pde.problem.coefficients import DomainTerms, Terms
from pde.problem.domain import read_domain
from pde.problem.fields import read_values
from pde.problem.grid import Array, Sides
from pde.problem.laws import Law, read_law
from pde.problem.nonlinear_operator import Laws, NonlinearOperator
from pde.problem.poisson import Poisson
from pde.problem.wall_data import with_held_values


class NonlinearPoisson:
    """-div(a grad u) + c(u, x) = f on a box in 1, 2 or 3 dimensions, by finite volumes of second order.

    a is a(u, x) or a(|grad u|^2, x).

    `Multigrid(problem).solve(f)` solves it by the full approximation scheme. The functions are called with u and one
    array per axis for the coordinates, `c(u, x, y)`; u has leading axes, comes in parts of the grid and on coarse
    grids, and at values that no solution has. They return a number or an array of the shape of u. A formula, a string
    such as "u**3 - exp(x)*u" of u, x, y, z, pi and e, may stand for each.

    Args:
        shape, extent, boundary, centering, coordinates: as of `Poisson`, but for open sides. The flux of Neumann and
            Robin sides is a du/dn.
        coefficient: a > 0, a function of u and the coordinates, or a number; None is 1. Between two points it is taken
            halfway, at the mean of both u. If it is a function, Robin sides need centering "vertex".
        reaction: c, a function of u and the coordinates; None is 0. Where dc/du is negative there may be two solutions
            or none.
        derivative: dc/du, a function as `reaction` is. None takes that of the formula, which is exact; of a function
            that takes tensors, where torch has been imported, that by autograd; else differences, which suit u of the
            size of 1 or more and cost a second call.
        gradient_coefficient: a > 0, a function of |grad u|^2 (s in a formula) and the coordinates, times
            `coefficient`, which is a number then. The gradient at a face has the difference across it and the means of
            differences along it. Robin sides need centering "vertex".
        domain, walls: booleans as of `Poisson`, without `gradient_coefficient`. A point outside that holds a value is
            a neighbour with this u.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> problem = NonlinearPoisson(3, extent=4.0, reaction=lambda u, x: u**3)
    >>> problem.apply([0.0, 2.0, 0.0]).tolist()
    [-2.0, 12.0, -2.0]
    >>> surface = NonlinearPoisson(3, extent=4.0, gradient_coefficient="(1 + s)**-0.5")
    >>> surface.apply([1.0, 2.0, 3.0], {(0, 1): 4.0}).tolist()
    [0.0, 0.0, 0.0]
    """

    order, open, singular, components = 2, False, False, None

    @suggesting
    def __init__(
        self,
        shape: int | Sequence[int],
        extent: float | Sequence[float] = 1.0,
        boundary: Any = "dirichlet",
        centering: str = "vertex",
        coefficient: Any = None,
        reaction: Callable[..., Any] | str | None = None,
        coordinates: Sequence[Any] | None = None,
        derivative: Callable[..., Any] | str | None = None,
        gradient_coefficient: Callable[..., Any] | str | None = None,
        domain: Any = None,
        walls: Any = "dirichlet",
    ) -> None:
        if is_open(boundary):
            raise ValueError("boundary: open sides are for linear problems, see pde.Poisson; got 'open'")
        a = 1.0 if _is_law(coefficient) or coefficient is None else _positive(coefficient)
        box = Poisson(shape, extent, boundary, centering, a, coordinates=coordinates)
        alone = domain is None and isinstance(walls, str) and walls == "dirichlet"
        linear = box if alone else _on_domain(box, a, domain, walls, gradient_coefficient)
        self.shape, self.grid, self.terms = linear.shape, linear.grid, box.terms
        self.domain, self._linear = linear.domain, linear
        self.centering, self.boundary, self.extent = linear.centering, linear.boundary, linear.extent
        self._words = repr(linear)[len("Poisson(") : -1]
        self.laws = _read_laws(coefficient, reaction, derivative, gradient_coefficient, self.points())
        if reaction is None and linear.singular:
            raise ValueError(
                "reaction must be a function of u where all sides are Neumann or periodic: u is determined up to a "
                "constant else; got None"
            )
        robin = any(side.kind == "robin" for pair in self.boundary for side in pair)
        if robin and self.centering == "cell" and (law := self.laws.coefficient or self.laws.gradient):
            raise ValueError(
                f"boundary: Robin sides need centering='vertex' where {law.name} is a function of {law.of}"
            )
        self._operator = NonlinearOperator(self.grid, np.dtype(float), self.terms, self.laws, linear.terms.domain)

    @property
    def domain_terms(self) -> DomainTerms | None:
        """The walls of a domain in the equation."""
        return self._linear.terms.domain

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        laws = self.laws
        given = [repr(law) for law in (laws.coefficient, laws.gradient, laws.reaction) if law]
        return f"NonlinearPoisson({', '.join([self._words, *given])})"

    def with_laws(
        self, coefficient: Any = None, reaction: Any = None, derivative: Any = None, gradient_coefficient: Any = None
    ) -> NonlinearPoisson:
        """The same grid with other functions in the place of those it has; None keeps one, with its derivative.

        Raises:
            TypeError, ValueError: as the problem for these arguments, or for a function that there was none of.
        """
        laws, given = self.laws, {"coefficient": coefficient, "gradient_coefficient": gradient_coefficient}
        for name, now in (("coefficient", laws.coefficient), ("gradient_coefficient", laws.gradient)):
            if given[name] is not None and (now is None or not _is_law(given[name])):
                raise ValueError(f"{name}: a function may take the place of a function alone; got {given[name]!r}")
        new = _read_laws(coefficient, reaction, derivative, gradient_coefficient, self.points())
        other = copy.copy(self)
        kept = ((getattr(new, name) or getattr(laws, name)) for name in ("coefficient", "gradient", "reaction"))
        other.laws = Laws(*kept)
        other._operator = self._operator.changed(laws=other.laws)
        return other

    def points(self) -> tuple[Array, ...]:
        """The coordinates of the unknowns: one read-only array of `shape` per axis."""
        return self.grid.points()

    def apply(self, u: Any, g: BoundaryData = None) -> Array:
        """A(u), for boundary data g, of u with shape (..., *shape): the f that u is the solution for."""
        values = self.read("u", u)
        sides = self.read_sides(g, values.dtype, values.shape[: values.ndim - self.ndim])
        A = self._operator.with_values(sides)
        return A(values) - A.add_fluxes(np.zeros_like(values), sides)

    def control_volumes(self) -> Array:
        """W: the volume that belongs to each unknown, an array of `shape`, zero outside the domain."""
        return self._linear.control_volumes()

    def embed(self, u: Any, g: BoundaryData = None) -> Array:
        """u with its boundary points, as `pde.problem.boundary.closed_points` places them; g as in `solve`."""
        values = self.read("u", u)
        sides = self.read_sides(g, values.dtype, values.shape[: values.ndim - self.ndim])
        a = self._operator.with_values(sides).coefficient(values)
        terms = self.terms
        if a is not None:
            terms = Terms((a,) * self.ndim, betas=terms.betas)
        held = g.get("walls") if isinstance(g, Mapping) else g
        whole = with_held_values(values, held, self.grid, self._linear.terms)
        return embed(whole, sides, self.grid, terms)

    def sides(self, u: Array, g: BoundaryData) -> Sides:
        """Refuse to be a linear problem."""
        raise TypeError("problem must be a pde.Poisson here: gradients, fluxes and energies are of linear problems")

    def read_sides(self, g: BoundaryData, dtype: np.dtype, batch: tuple[int, ...] = ()) -> Sides:
        """Boundary data as arrays; see `pde.problem.boundary.read_sides`."""
        return read_sides(g, self.grid, dtype, batch, self.domain_terms)

    def read(self, name: str, values: Any, dtype: np.dtype | str | None = None, **options: Any) -> Array:
        """`values` (array or callable of the coordinates) as a finite real array; see `pde.problem.fields`."""
        inside = None if self.domain is None else self.domain.inside
        return read_values(name, values, self.grid, dtype, inside=inside, **options | {"imaginary": False})

    def check_fits(self, dtype: np.dtype) -> None:
        """Refuse a grid whose 1/h^2 keeps no distance from the limits of `dtype`.

        Raises:
            ValueError: naming dtype.
        """
        if not self.grid.fits(dtype, self.terms.diffusion):
            raise ValueError(f"dtype: a/h^2 leaves the range of {dtype.name}, got extent {self.extent}")


def _on_domain(box: Poisson, a: float, domain: Any, walls: Any, gradient_coefficient: Any) -> Poisson:
    """The linear problem on a domain.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    if domain is not None and gradient_coefficient is not None:
        raise ValueError("domain: gradient_coefficient takes boxes alone, as gradients need neighbours; got a domain")
    values = evaluate("domain", domain, box.points()) if callable(domain) else domain
    if domain is not None and np.asarray(values).dtype.kind == "f":
        raise ValueError(
            "domain must hold booleans for a nonlinear problem; level sets are for pde.Poisson, got floats"
        )
    read = read_domain(values, walls, box.grid)
    other = copy.copy(box)
    for made in ("_operator", "components", "hold"):
        other.__dict__.pop(made, None)
    other.domain = read
    other._take(a, None, 0.0, box.terms.betas)
    return other


def _is_law(given: Any) -> bool:
    return callable(given) or isinstance(given, str)


def _positive(coefficient: Any) -> float:
    if np.iterable(coefficient):
        came = described(coefficient)
        raise TypeError(f"coefficient must be a function or formula of u and the coordinates, or a number; got {came}")
    value = number("coefficient", coefficient)
    if not 0 < value < np.inf:
        raise ValueError(f"coefficient must be positive and finite, got {value}")
    return value


def _read_laws(
    coefficient: Any, reaction: Any, derivative: Any, gradient_coefficient: Any, points: Sequence[Array]
) -> Laws:
    if derivative is not None and reaction is None:
        raise ValueError("derivative is that of reaction, which is None; got a derivative alone")
    if reaction is not None and not _is_law(reaction):
        came = described(reaction)
        raise TypeError(f"reaction must be a function or formula of u and the coordinates, or None; got {came}")
    a = read_law("coefficient", coefficient, None, points) if _is_law(coefficient) else None
    b = read_law("gradient_coefficient", gradient_coefficient, None, points, of="|grad u|^2")
    c = read_law("reaction", reaction, derivative, points)
    if a is not None and b is not None:
        raise ValueError("coefficient must be a number or None where gradient_coefficient is given; got two functions")
    if b is not None:
        _check_at_rest(b, points)
    return Laws(a, b, c)


def _check_at_rest(law: Law, points: Sequence[Array]) -> None:
    """Refuse a coefficient that is not positive and finite where grad u = 0, where solves begin."""
    values = law(np.zeros(np.shape(points[0])), points)
    wrong = values[~((values > 0) & (values < np.inf))]
    if wrong.size:
        raise ValueError(
            f"{law.name} must be positive and finite where its argument |grad u|^2 is 0; got {wrong[0]:.3g}. Add a "
            "small number to the argument, as (eps^2 + s)**(p/2 - 1) for the p-Laplacian"
        )
