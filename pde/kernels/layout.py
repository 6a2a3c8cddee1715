"""Where a row of unknowns lies in memory: points with an even index first, then those with an odd one.

Relaxing one colour of a row in natural order takes every second number; here the colours are apart, and every pass is
over neighbouring numbers. A stored row is [E | O]. In the work space of a pass it has room for values beyond its ends:

    . . E(0) E(1) ... E(h-1) E(h) . . . O(0) O(1) ... O(g-1) . . .        h = (n + 1) // 2, g = n // 2
"""

from __future__ import annotations

from pde.kernels.jit import compiled, inline
from pde.kernels.pointers import write_through

EVEN = 2
"""Where E(0) lies in a row of the work space."""


@inline
def odd(n):
    """Where O(0) lies in a row of the work space."""
    return EVEN + (n + 1) // 2 + 4


@inline
def row_length(n):
    """Room for a row of the work space, in whole cache lines."""
    return (n + 14 + 7) // 8 * 8


@inline
def point(j, n):
    """Where point j lies in a row of the work space."""
    return EVEN + j // 2 if j % 2 == 0 else odd(n) + j // 2


@compiled
def copy(target, source, count):
    """target <- source."""
    for k in range(count):
        target[k] = source[k]


@compiled
def stream(target, source, count):
    """`copy` past the cache."""
    for k in range(count):
        write_through(target, k, source[k])


@compiled
def fill(target, count):
    """target <- 0."""
    for k in range(count):
        target[k] = 0


@compiled
def split(even, odds, source, n):
    """n numbers in natural order to two halves."""
    g = n // 2
    for k in range(g):
        even[k] = source[2 * k]
        odds[k] = source[2 * k + 1]
    if n > 2 * g:
        even[g] = source[2 * g]


@compiled
def join(target, even, odds, n):
    """Two halves to n numbers in natural order."""
    g = n // 2
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
