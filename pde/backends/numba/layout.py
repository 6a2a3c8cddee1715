"""The layout of a row of unknowns: points with an even index first, then points with an odd one.

One colour of a row in natural order is every second number; split by parity, each colour is contiguous. A stored row is
[E | O]. In the work space a row also has numbers beyond its ends, for halo values and for loops over whole vectors:

    . . E(0) E(1) ... E(h-1) E(h) . . . O(0) O(1) ... O(g-1) . . .        h = (n + 1) // 2, g = n // 2
"""

from __future__ import annotations

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.pointers import to_a_line, write_through
from pde.backends.numba.simd import (
    MOST,
    every_second,
    lanes,
    load,
    store,
    store_alternating,
    write_alternating_through,
    write_lanes_through,
)

EVEN = MOST
"""Offset of E(0) in a row of the work space."""


@inline
def whole(count):
    """Round up to a whole vector of any type."""
    return (count + MOST - 1) // MOST * MOST


@inline
def odd(n):
    """Return the offset of O(0) in a row of the work space."""
    return EVEN + whole((n + 1) // 2) + MOST


@inline
def point(j, n):
    """Return the offset of point j in a row of the work space."""
    return EVEN + j // 2 if j % 2 == 0 else odd(n) + j // 2


@inline
def colour(parity, n):
    """Return the offsets of the points with this parity and of their left and right neighbours, and their number."""
    if parity == 0:
        return EVEN, odd(n) - 1, odd(n), n - n // 2
    return odd(n), EVEN, EVEN + 1, n // 2


@inline
def ends(row, n, periodic):
    """Set the values beyond the ends of a row: from the other end where it is periodic, else zero."""
    O = odd(n)
    if periodic and n % 2 == 0:
        row[O - 1] = row[O + n // 2 - 1]
        row[EVEN + n // 2] = row[EVEN]
    elif periodic:
        row[O - 1] = row[EVEN + n // 2]
        row[O + n // 2] = row[EVEN]
        row[EVEN + n // 2 + 1] = row[O]
    else:
        row[O - 1] = 0
        row[EVEN + (n + 1) // 2] = 0
        row[O + n // 2] = 0


@compiled
def copy(target, source, count):
    """Copy numbers between areas that do not overlap."""
    step = lanes(target)
    if count >= step:
        for k in range(0, count - step, step):
            store(target, k, load(source, k))
        store(target, count - step, load(source, count - step))
        return
    for k in range(count):
        target[k] = source[k]


@compiled
def stream(target, source, count):
    """Copy numbers past the cache, whole lines of it at a time."""
    first, step = min(count, to_a_line(target)), lanes(target)
    last = first + (count - first) // step * step
    for k in range(first):
        write_through(target, k, source[k])
    for k in range(first, last, step):
        write_lanes_through(target, k, load(source, k))
    for k in range(last, count):
        write_through(target, k, source[k])


@compiled
def fill(target, count):
    """Set numbers to zero, up to a whole vector."""
    for k in range(0, count, lanes(target)):
        store(target, k, 0)


@compiled
def split(even, odds, source, n):
    """Split n numbers in natural order into their even and their odd half; the areas do not overlap."""
    g, step = n // 2, lanes(source)
    if g >= step:
        for k in range(0, g - step, step):
            split_lanes(even, odds, source, k)
        split_lanes(even, odds, source, g - step)
    else:
        for k in range(g):
            even[k] = source[2 * k]
            odds[k] = source[2 * k + 1]
    if n > 2 * g:
        even[g] = source[2 * g]


@inline
def split_lanes(even, odds, source, k):
    one, other = every_second(source, 2 * k)
    store(even, k, one)
    store(odds, k, other)


@compiled
def join(target, even, odds, n):
    """Join two halves to n numbers in natural order; the areas do not overlap."""
    g, step = n // 2, lanes(target)
    if g >= step:
        for k in range(0, g - step, step):
            store_alternating(target, 2 * k, load(even, k), load(odds, k))
        store_alternating(target, 2 * (g - step), load(even, g - step), load(odds, g - step))
    else:
        for k in range(g):
            target[2 * k] = even[k]
            target[2 * k + 1] = odds[k]
    if n > 2 * g:
        target[2 * g] = even[g]


@compiled
def stream_joined(target, even, odds, n):
    """Join two halves past the cache, whole lines of it at a time."""
    first, step = min(n, to_a_line(target)), 2 * lanes(target)
    last = first + (n - first) // step * step
    for k in range(first):
        write_through(target, k, (even if k % 2 == 0 else odds)[k // 2])
    one, other = (even, odds) if first % 2 == 0 else (odds, even + 1)
    for k in range(first, last, step):
        h = k // 2
        write_alternating_through(target, k, load(one, h), load(other, h))
    for k in range(last, n):
        write_through(target, k, (even if k % 2 == 0 else odds)[k // 2])


@compiled
def load_row(row, source, is_split, n):
    """Load a stored row into the work space."""
    if is_split:
        copy(row + EVEN, source, n - n // 2)
        copy(row + odd(n), source + (n - n // 2), n // 2)
    else:
        split(row + EVEN, row + odd(n), source, n)


@compiled
def store_row(target, row, is_split, streamed, n):
    """Store a row of the work space."""
    even, odds, h = row + EVEN, row + odd(n), n - n // 2
    if is_split and streamed:
        stream(target, even, h)
        stream(target + h, odds, n - h)
    elif is_split:
        copy(target, even, h)
        copy(target + h, odds, n - h)
    elif streamed:
        stream_joined(target, even, odds, n)
    else:
        join(target, even, odds, n)
