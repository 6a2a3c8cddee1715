"""The seam of a periodic axis with an odd number of points, whose first and last point are neighbours of one colour.

Within each colour the last point comes before the first one, as in `pde.problem.operators.coloured_blocks`: this is the
order in which a pass goes through planes and rows around the axis. The adjoint sweeps take the first point before the
last: a pass that makes them is mirrored, it goes through the planes and rows downwards.
"""

from __future__ import annotations

from pde.backends.numba.jit import inline
from pde.backends.numba.layout import EVEN, odd


@inline
def has_seam(L, axis):
    """Return whether an axis has one."""
    return L.periodic[axis] != 0 and L.n[axis] % 2 == 1


@inline
def has_seams(L):
    """Return whether any axis has one."""
    return has_seam(L, 0) or has_seam(L, 1) or has_seam(L, 2)


@inline
def further(L, axis, half_sweeps):
    """Return how many more planes or rows below those it makes a pass needs: at each seam one point waits for another.

    Between two seams there are n - 1 half sweeps.
    """
    return 1 + half_sweeps // (L.n[axis] - 1) if has_seam(L, axis) and half_sweeps > 0 else 0


@inline
def physical(k, n, mirrored):
    """Return the number of plane or row k, 0 <= k < n, of a pass."""
    return n - 1 - k if mirrored else k


@inline
def put_ahead(row, n, mirrored, value):
    """Let one end of a row have its new value for the other end, which follows."""
    row[odd(n) + n // 2 if mirrored else odd(n) - 1] = value


@inline
def mend_residual(row, r, n, mirrored, lower, upper):
    """Add what changed at the one end since the other, which came first, left its residual.

    lower, upper: the coefficient at the first point and at the last one of their neighbour around the axis; the values
    beyond the ends of the row are still the old ones.
    """
    first, last, O = EVEN, EVEN + n // 2, odd(n)
    if mirrored:
        r[first] += lower * (row[last] - row[O - 1])
    else:
        r[last] += upper * (row[first] - row[O + n // 2])
