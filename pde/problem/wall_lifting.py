"""A lifting of the data of a domain: a smooth w near the values that its walls and the sides of the box hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from pde.problem.boundary import fold
from pde.problem.coefficients import Terms
from pde.problem.grid import ENDS, Array, Grid, Sides, window

SMALL = 8
"""Points at most along each axis of a grid on which the unknown values are the mean of the known ones."""


def wall_lifting(sides: Sides, grid: Grid, terms: Terms, A: Any) -> tuple[Array, Array] | None:
    """(w, the right-hand side of u - w for f = 0), each (members, *shape), zero outside; None without values of u.

    The middle of the values is taken away first, so that constants leave no residual. Then equations beside the data
    tell the values near them, and `spread` makes the others.

    Args:
        sides: data in float64, with one batch axis where they differ between members.
        A: the operator of the grid.
    """
    assert terms.domain is not None
    inside, shares = terms.domain.inside, _shares_of_u(grid, terms)
    g = {key: _data(sides, key, share, grid) for key, share in shares.items()}
    held = {key: (v[..., share > 0] / share[share > 0]) for key, share in shares.items() if (v := g[key]).size}
    held = {key: v for key, v in held.items() if v.size and any(np.any(u) for u in held.values())}
    if not held:
        return None
    middle = (_extreme(held, np.min) + _extreme(held, np.max)) / 2
    zero, ndim = np.zeros((len(middle), *grid.shape)), grid.ndim
    less = {key: v - shares[key] * _column(middle, v.ndim - 1) for key, v in g.items()}
    weight = fold(zero[:1], {key: share[None] for key, share in shares.items()}, grid, terms)[0] * inside
    near = fold(zero, {key: np.where(shares[key] > 0, v, 0.0) for key, v in less.items()}, grid, terms)
    known = weight > 0
    w = spread(np.divide(near, weight, out=zero.copy(), where=known), known) * inside
    rest = fold(zero, less, grid, terms) - A(w) - terms.reaction * _column(middle, ndim)
    return (w + _column(middle, ndim)) * inside, rest * inside


def _shares_of_u(grid: Grid, terms: Terms) -> dict[Any, Array]:
    """The coefficient of u in the condition at each point of the sides and at each face of the walls."""
    assert terms.domain is not None
    walls = [np.full(len(wall.cells), float(wall.kind == "dirichlet")) for wall in terms.domain.walls]
    shares: dict[Any, Array] = {"walls": np.concatenate(walls)} if walls else {}
    for a, axis in enumerate(grid.axes):
        if not axis.periodic:
            shape = tuple(n for b, n in enumerate(grid.shape) if b != a)
            shares |= {(a, s): np.full(shape, side.of_u) for s, side in enumerate(axis.sides)}
    return shares


def _data(sides: Sides, key: Any, share: Array, grid: Grid) -> Array:
    """The data of a side or of the walls with one batch axis, zero where none are given."""
    g = np.asarray(sides[key], dtype=float) if key in sides else np.zeros(share.shape)
    return g if g.ndim > share.ndim else g[None]


def _extreme(values: dict[Any, Array], of: Any) -> Array:
    """The smallest or largest of all values, for each member."""
    each = [of(v.reshape(len(v), -1), axis=1) for v in values.values()]
    result: Array = of(np.stack(np.broadcast_arrays(*each)), axis=0)
    return result


def _column(values: Array, ndim: int) -> Array:
    return values.reshape((-1,) + (1,) * ndim)


def spread(values: Array, known: Array) -> Array:
    """Fill the unknown ones among values (members, *shape) smoothly: from means over blocks of 2^d, again and again.

    >>> spread(np.array([[0.0, 9.0, 9.0, 3.0]]), np.array([True, False, False, True])).tolist()
    [[0.0, 1.5, 1.5, 3.0]]
    """
    ndim = known.ndim
    if known.all():
        return values
    if max(known.shape) <= SMALL:
        mean = (values * known).sum(axis=tuple(range(-ndim, 0)), keepdims=True) / max(known.sum(), 1)
        return np.where(known, values, mean)
    count = _blocks(known.astype(float), ndim)
    total = _blocks(values * known, ndim)
    coarse = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    filled = np.where(known, values, _finer(spread(coarse, count > 0), known.shape))
    return np.where(known, values, _averaged(filled, ndim))


def _blocks(v: Array, ndim: int) -> Array:
    """Sums over pairs along each of the last ndim axes."""
    for a in range(ndim):
        even, odd = (v[window(a, ndim, slice(start, None, 2))] for start in (0, 1))
        v = even.copy()
        v[window(a, ndim, slice(0, odd.shape[a - ndim]))] += odd
    return v


def _finer(v: Array, shape: tuple[int, ...]) -> Array:
    """Linear interpolation from the middles of pairs along each of the last axes, to this shape."""
    ndim = len(shape)
    for a, n in enumerate(shape):
        first, last = (v[window(a, ndim, part)] for part in ENDS)
        padded = np.concatenate((first, v, last), axis=a - ndim)
        result = np.empty((*v.shape[: a - ndim], 2 * v.shape[a - ndim], *v.shape[v.ndim + a - ndim + 1 :]))
        for start, beside in ((0, slice(None, -2)), (1, slice(2, None))):
            result[window(a, ndim, slice(start, None, 2))] = 0.75 * v + 0.25 * padded[window(a, ndim, beside)]
        v = result[window(a, ndim, slice(0, n))]
    return v


def _averaged(v: Array, ndim: int) -> Array:
    """The mean of each value and its neighbours."""
    total, count = v.copy(), np.ones(v.shape[v.ndim - ndim :])
    for a in range(ndim):
        here, there = (window(a, ndim, part) for part in (slice(None, -1), slice(1, None)))
        for one, other in ((here, there), (there, here)):
            total[one] += v[other]
            count[one] += 1
    result: Array = total / count
    return result
