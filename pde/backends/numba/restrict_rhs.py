"""Restrict the right-hand side of full multigrid to the next coarser grid."""

from __future__ import annotations

from pde.backends.numba.jit import compiled
from pde.backends.numba.layout import fill, load_row, point, split
from pde.backends.numba.simd import lanes
from pde.backends.numba.transfers import add, eight, of_eight, restrict_data, two


@compiled
def restrict_rhs(is_3d, level, f, f_split, out, first, last, work):
    """out <- coarse data from f, planes first, ..., last - 1 of the coarse grid."""
    L = level.record
    n1, n, m0, m1, m = L.n[1], L.n[2], L.m[0], L.m[1], L.m[2]
    from0, weight0 = level.integers + L.at_data_from[0], level.reals + L.at_data[0]
    from1, weight1 = level.integers + L.at_data_from[1], level.reals + L.at_data[1]
    row = work.data_halves
    for i in range(first, last):
        combine(work.data_plane, f, (from0 + i, weight0 + i, L.rows_most[0], m0), n1 * n)
        for j in range(m1):
            source = work.data_plane
            if is_3d is not None:
                combine(work.data_row, source, (from1 + j, weight1 + j, L.rows_most[1], m1), n)
                source = work.data_row
            fill(row, work.row)
            load_row(row, source, f_split, n)
            if L.periodic[2] != 0:
                for s in range(4):  # values beyond each end
                    if s < 3:
                        row[point(-1 - s, n)] = row[point((-1 - s) % n, n)]
                    row[point(n + s, n)] = row[point(s % n, n)]
            restrict_data(level, work.data_line, row)
            target = out + (i * m1 + j) * m
            split(target, target + (m - m // 2), work.data_line, m)


@compiled
def combine(out, rows, entries, count):
    """out <- the weighted sum of rows of `count` numbers; no number beyond these rows is read.

    Args:
        entries: (numbers of the rows, their weights, how many at most, the distance from one entry to the next).
    """
    p, w, most, m = entries
    inside = count // lanes(out) * lanes(out)
    if most == 2:
        one, other = rows + p[0] * count, rows + p[m] * count
        two(out, one, w[0], other, w[m], inside)
        for k in range(inside, count):
            out[k] = w[0] * one[k] + w[m] * other[k]
        return
    sources = (
        rows + p[0] * count, rows + p[m] * count, rows + p[2 * m] * count, rows + p[3 * m] * count,
        rows + p[4 * m] * count, rows + p[5 * m] * count, rows + p[6 * m] * count, rows + p[7 * m] * count,
    )  # fmt: skip
    weights = w[0], w[m], w[2 * m], w[3 * m], w[4 * m], w[5 * m], w[6 * m], w[7 * m]
    eight(out, sources, weights, inside)
    p0, p1, p2, p3, p4, p5, p6, p7 = sources
    for k in range(inside, count):
        out[k] = of_eight((p0[k], p1[k], p2[k], p3[k], p4[k], p5[k], p6[k], p7[k]), weights)
    for s in range(8, most):
        more, factor = rows + p[s * m] * count, w[s * m]
        add(out, out, more, factor, inside)
        for k in range(inside, count):
            out[k] += factor * more[k]
