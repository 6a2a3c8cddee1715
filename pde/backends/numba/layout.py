"""Where a row of unknowns lies in memory: points with an even index first, then those with an odd one.

Relaxing one colour of a row in natural order takes every second number; here the colours are apart, and every pass is
over neighbouring numbers. A stored row is [E | O]. In the work space of a pass it has room for values beyond its ends,
and for loops that end at whole LANES:

    . . E(0) E(1) ... E(h-1) E(h) . . . O(0) O(1) ... O(g-1) . . .        h = (n + 1) // 2, g = n // 2
"""

from __future__ import annotations

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.pointers import ahead, write_through
from pde.backends.numba.simd import LANES, every_second, put, put_by_turns, several

EVEN = LANES
"""Where E(0) lies in a row of the work space."""


@inline
def whole(count):
    """A number of lanes that has room for so many numbers."""
    return (count + LANES - 1) // LANES * LANES


@inline
def odd(n):
    """Where O(0) lies in a row of the work space."""
    return EVEN + whole((n + 1) // 2) + LANES


@inline
def row_length(n):
    """Room for a row of the work space."""
    return odd(n) + whole(n // 2) + LANES


@inline
def point(j, n):
    """Where point j lies in a row of the work space."""
    return EVEN + j // 2 if j % 2 == 0 else odd(n) + j // 2


@inline
def colour(parity, n):
    """Where the points of a row with this parity begin, and their neighbours on the left and on the right; how many."""
    if parity == 0:
        return EVEN, odd(n) - 1, odd(n), n - n // 2
    return odd(n), EVEN, EVEN + 1, n // 2


@inline
def half(halves, parity):
    """The even points of a row, or the odd ones."""
    return halves[0] if parity == 0 else halves[1]


@inline
def ends(row, n, periodic):
    """The values beyond the ends of a row: those on the other side of a periodic one, else zero."""
    if periodic:
        wrap(row, n)
    else:
        row[odd(n) - 1] = 0
        row[EVEN + (n + 1) // 2] = 0
        row[odd(n) + n // 2] = 0


@inline
def wrap(row, n):
    """The values beyond the ends of a periodic row with an even number of points."""
    O = odd(n)
    row[O - 1] = row[O + n // 2 - 1]
    row[EVEN + n // 2] = row[EVEN]


@compiled
def copy(target, source, count):
    """target <- source, apart from each other."""
    if count >= LANES:
        for k in range(0, count - LANES, LANES):
            put(target, k, several(source, k))
        put(target, count - LANES, several(source, count - LANES))
        return
    for k in range(count):
        target[k] = source[k]


@compiled
def stream(target, source, count):
    """`copy` past the cache."""
    for k in range(count):
        write_through(target, k, source[k])


@compiled
def fill(target, count):
    """target <- 0, up to whole lanes."""
    for k in range(0, count, LANES):
        put(target, k, 0)


@compiled
def split(even, odds, source, n):
    """n numbers in natural order to two halves, apart from them."""
    g = n // 2
    if g >= LANES:
        for k in range(0, g - LANES, LANES):
            split_lanes(even, odds, source, k)
        split_lanes(even, odds, source, g - LANES)
    else:
        for k in range(g):
            even[k] = source[2 * k]
            odds[k] = source[2 * k + 1]
    if n > 2 * g:
        even[g] = source[2 * g]


@inline
def split_lanes(even, odds, source, k):
    one, other = every_second(source, 2 * k)
    put(even, k, one)
    put(odds, k, other)


@compiled
def join(target, even, odds, n):
    """Two halves to n numbers in natural order, apart from them."""
    g = n // 2
    if g >= LANES:
        for k in range(0, g - LANES, LANES):
            put_by_turns(target, 2 * k, several(even, k), several(odds, k))
        put_by_turns(target, 2 * (g - LANES), several(even, g - LANES), several(odds, g - LANES))
    else:
        for k in range(g):
            target[2 * k] = even[k]
            target[2 * k + 1] = odds[k]
    if n > 2 * g:
        target[2 * g] = even[g]


@compiled
def stream_joined(target, even, odds, n):
    """`join` past the cache."""
    g = n // 2
    for k in range(g):
        write_through(target, 2 * k, even[k])
        write_through(target, 2 * k + 1, odds[k])
    if n > 2 * g:
        write_through(target, 2 * g, even[g])


@compiled
def load(row, source, is_split, n):
    """A stored row into the work space."""
    if is_split:
        copy(ahead(row, EVEN), source, n - n // 2)
        copy(ahead(row, odd(n)), ahead(source, n - n // 2), n // 2)
    else:
        split(ahead(row, EVEN), ahead(row, odd(n)), source, n)


@compiled
def store(target, row, is_split, streamed, n):
    """A row of the work space to where it is kept."""
    even, odds, h = ahead(row, EVEN), ahead(row, odd(n)), n - n // 2
    if is_split and streamed:
        stream(target, even, h)
        stream(ahead(target, h), odds, n - h)
    elif is_split:
        copy(target, even, h)
        copy(ahead(target, h), odds, n - h)
    elif streamed:
        stream_joined(target, even, odds, n)
    else:
        join(target, even, odds, n)
