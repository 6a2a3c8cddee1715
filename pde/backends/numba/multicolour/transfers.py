"""Transfers between a grid and the next coarser one, plane by plane: weights along each axis, or sparse matrices."""

from __future__ import annotations

from pde.backends.numba.jit import compiled, inline
from pde.backends.numba.multicolour.records import CHILDREN
from pde.backends.numba.multicolour.rows import residual_row, row_of, zero
from pde.backends.numba.pointers import pointer

RING = 4
"""Planes, restricted along rows and columns, that a task keeps."""


@inline
def parents(line, like, i):
    """Return the coarse indices and the weights of P of a fine index along an axis."""
    p, w = pointer(like.index, line.parents) + i, pointer(like.real, line.prolong) + i
    return p[0], p[line.fine], w[0], w[line.fine]


@compiled
def add_multiple(target, source, weight, count):
    """target += weight source."""
    for j in range(count):
        target[j] += weight * source[j]


@compiled
def prolong_plane(level, u, e, i0, work):
    """u += P e in a plane."""
    L, like = level.record, level.like
    n1, n2, m1, m2 = L.n[1], L.n[2], L.line[1].coarse, L.line[2].coarse
    g, column, weight = work, pointer(like.index, L.line[2].parents), pointer(like.real, L.line[2].prolong)
    p0, q0, v0, w0 = parents(L.line[0], like, i0)
    for i1 in range(n1):
        p1, q1, v1, w1 = parents(L.line[1], like, i1)
        zero(g, 0, m2)
        for k in range(4):
            c0, x0 = (p0, v0) if k < 2 else (q0, w0)
            c1, x1 = (p1, v1) if k % 2 == 0 else (q1, w1)
            if x0 * x1 != 0:
                add_multiple(g, e + (c0 * m1 + c1) * m2, x0 * x1, m2)
        here, scale, mask = (
            u + (i0 * n1 + i1) * n2,
            row_of(L.scale, like.real, i0, i1),
            row_of(L.mask, like.byte, i0, i1),
        )
        for j in range(n2):
            total = here[j] + scale[j] * (weight[j] * g[column[j]] + weight[n2 + j] * g[column[n2 + j]])
            here[j] = total if mask[j] != 0 else here[j]


@compiled
def prolong_plane_sparse(level, u, e, i0):
    """u += P e in a plane, P being a sparse matrix."""
    L, like = level.record, level.like
    starts, columns = pointer(like.index, L.P.starts), pointer(like.index, L.P.columns)
    values, size = pointer(like.real, L.P.values), L.n[1] * L.n[2]
    for i in range(i0 * size, (i0 + 1) * size):
        total = u[i]
        for k in range(starts[i], starts[i + 1]):
            total += values[k] * e[columns[k]]
        u[i] = total


@compiled
def restrict_sparse(level, out, r, first, last):
    """out <- R r for coarse points first, ..., last - 1."""
    like, R = level.like, level.record.R
    starts, columns, values = (
        pointer(like.index, R.starts),
        pointer(like.index, R.columns),
        pointer(like.real, R.values),
    )
    for i in range(first, last):
        total = values[0] * 0
        for k in range(starts[i], starts[i + 1]):
            total += values[k] * r[columns[k]]
        out[i] = total


@compiled
def restrict_within(target, level, u, f, known, i0, work):
    """Restrict the residual of a plane along its rows and columns, to a coarse plane."""
    L, like = level.record, level.like
    n1, n2, m1, m2 = L.n[1], L.n[2], L.line[1].coarse, L.line[2].coarse
    line, along = L.line[1], L.line[2]
    r, c = work, work + n2
    fine, weight = pointer(like.index, along.children), pointer(like.real, along.weights)
    up = pointer(like.real, line.restrict)
    zero(target, 0, m1 * m2)
    for i1 in range(n1):
        residual_row(r, level, u, f, known, i0, i1)
        if L.weighted != 0:
            factor = row_of(L.weights, like.real, i0, i1)
            for j in range(n2):
                r[j] *= factor[j]
        for j in range(m2):
            c[j] = weight[j] * r[fine[j]] + weight[m2 + j] * r[fine[m2 + j]] + weight[2 * m2 + j] * r[fine[2 * m2 + j]]
        for k in range(3, CHILDREN):
            for j in range(m2):
                c[j] += weight[k * m2 + j] * r[fine[k * m2 + j]]
        p1, q1, _, _ = parents(line, like, i1)
        if up[i1] != 0:
            add_multiple(target + p1 * m2, c, up[i1], m2)
        if up[n1 + i1] != 0:
            add_multiple(target + q1 * m2, c, up[n1 + i1], m2)


@compiled
def restrict_planes(level, out, u, f, known, first, last, tags, work):
    """out <- R (f - A u) in coarse planes first, ..., last - 1; `tags` are RING numbers."""
    L, like = level.record, level.like
    m0, size = L.line[0].coarse, L.line[1].coarse * L.line[2].coarse
    fine, weight = pointer(like.index, L.line[0].children), pointer(like.real, L.line[0].weights)
    ring, rest, newest = work, work + RING * size, 0
    for s in range(RING):
        tags[s] = -1
    for i in range(first, last):
        target = out + i * size
        zero(target, 0, size)
        for k in range(CHILDREN):
            if weight[k * m0 + i] == 0:
                continue
            plane, slot = fine[k * m0 + i], -1
            for s in range(RING):
                if tags[s] == plane:
                    slot = s
            if slot < 0:
                slot = newest = (newest + 1) % RING
                tags[slot] = plane
                restrict_within(ring + slot * size, level, u, f, known, plane, rest)
            add_multiple(target, ring + slot * size, weight[k * m0 + i], size)
        if L.coarse_mask != 0:
            mask = pointer(like.byte, L.coarse_mask) + i * size
            for j in range(size):
                target[j] = target[j] if mask[j] != 0 else 0
