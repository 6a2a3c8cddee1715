"""The data of full multigrid on the next coarser grid."""

from __future__ import annotations

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.layout import EVEN, fill, load, odd, row_length, split
from pde.backends.numba.pointers import ahead, at, pointer
from pde.backends.numba.simd import LANES
from pde.backends.numba.transfers import add, eight, of_eight, restrict_data, two


@compiled
def restrict_planes(records, reals, integers, level, deep, f, f_split, out, first, last, w):
    """The data of full multigrid on the next coarser grid, planes first, ..., last - 1 of that one: f to `out`."""
    L = records[level]
    n1, n, m1, m = L.n[1], L.n[2], L.m[1], L.m[2]
    m0 = L.m[0]
    length = row_length(n)
    f, out = pointer(w, f), pointer(w, out)
    from0, weight0 = at(integers, L.at_data_from[0]), at(reals, L.at_data[0])
    from1, weight1 = at(integers, L.at_data_from[1]), at(reals, L.at_data[1])
    size = n1 * n
    rows, natural, line = at(w, n1 * n + 8), at(w, n1 * n + 16 + length), at(w, n1 * n + 24 + 2 * length)
    mixed = at(w, 0)
    for i in range(first, last):
        combine(mixed, f, from0, weight0, L.rows_most[0], m0, i, size)
        for j in range(m1):
            source = mixed
            if deep is not None:
                combine(natural, mixed, from1, weight1, L.rows_most[1], m1, j, n)
                source = natural
            fill(rows, length)
            load(rows, source, f_split, n)
            if L.periodic[2] != 0:
                wrap_far(rows, n)
            restrict_data(line, rows, L, at(integers, L.data), at(integers, L.data_from), at(reals, L.data_weight))
            target = ahead(out, (i * m1 + j) * m)
            split(target, ahead(target, m - m // 2), line, m)


@compiled
def combine(out, rows, origin, weight, most, m, i, count):
    """out <- row i of a restriction to m rows, of `most` entries at most, times rows of `count` numbers.

    No number beyond these rows is read.
    """
    p, w, inside = ahead(origin, i), ahead(weight, i), count // LANES * LANES
    if most == 2:
        one, other = ahead(rows, p[0] * count), ahead(rows, p[m] * count)
        two(out, one, w[0], other, w[m], inside)
        for k in range(inside, count):
            out[k] = w[0] * one[k] + w[m] * other[k]
        return
    places = (
        ahead(rows, p[0] * count), ahead(rows, p[m] * count), ahead(rows, p[2 * m] * count),
        ahead(rows, p[3 * m] * count), ahead(rows, p[4 * m] * count), ahead(rows, p[5 * m] * count),
        ahead(rows, p[6 * m] * count), ahead(rows, p[7 * m] * count),
    )  # fmt: skip
    weights = w[0], w[m], w[2 * m], w[3 * m], w[4 * m], w[5 * m], w[6 * m], w[7 * m]
    eight(out, places, weights, inside)
    p0, p1, p2, p3, p4, p5, p6, p7 = places
    for k in range(inside, count):
        out[k] = of_eight(p0[k], p1[k], p2[k], p3[k], p4[k], p5[k], p6[k], p7[k], weights)
    for s in range(8, most):
        more, factor = ahead(rows, p[s * m] * count), w[s * m]
        add(out, out, more, factor, inside)
        for k in range(inside, count):
            out[k] += factor * more[k]


@inline
def wrap_far(row, n):
    """Two values beyond each end of a periodic row with an even number of points."""
    O, g = odd(n), n // 2
    for k in range(2):
        row[O - 1 - k] = row[O + (g - 1 - k) % g]
        row[EVEN + g + k] = row[EVEN + k % g]
    row[EVEN - 1] = row[EVEN + g - 1]
    row[O + g] = row[O]
