"""An independent assembly of -div(a grad u) + c u on a voxel domain: a loop over cells and their faces."""

from __future__ import annotations

from itertools import product

import numpy as np


def assembled(problem, inside, held, coefficient, faces, reaction, data):
    """(A, b), dense on all points of the box; rows of points outside are zero. b has the data of walls alone."""
    grid, shape = problem.grid, problem.shape
    a = np.broadcast_to(np.asarray(coefficient, dtype=float), shape)
    A, b = np.zeros((inside.size, inside.size)), np.zeros(inside.size)
    number = np.arange(inside.size).reshape(shape)
    for index in product(*map(range, shape)):
        if not inside[index]:
            continue
        i = number[index]
        A[i, i] += reaction[index]
        for axis, side in product(range(len(shape)), (0, 1)):
            line, at = grid.axes[axis], index[axis]
            width, there = line.width[at], at + (1 if side else -1)
            if line.periodic:
                there %= line.n
            face = (*index[:axis], at + side, *index[axis + 1 :])
            if line.periodic and line.n == 1:
                continue
            if not 0 <= there < line.n:
                end, d = line.sides[side], line.ends[side]
                k = a[index] if faces is None or d == 0 else faces[axis][face]
                if end.kind == "dirichlet":
                    A[i, i] += k / d / width
                elif end.kind == "robin":
                    A[i, i] += (end.beta if d == 0 else (0.0 if k == 0 else 1 / (1 / end.beta + d / k))) / width
                continue
            other = (*index[:axis], there, *index[axis + 1 :])
            gap = line.gaps[(at + side - 1) % len(line.gaps)]
            if faces is not None:
                k = faces[axis][face] / gap
            elif line.cell:
                k = 1 / (line.width[at] / 2 / a[index] + line.width[there] / 2 / a[other])
            else:
                k = 1 / (gap / 2 / a[index] + gap / 2 / a[other])
            j = number[other]
            if inside[other]:
                A[i, i] += k / width
                A[i, j] -= k / width
            elif held[other]:
                A[i, i] += k / width
                b[i] += k / width * data[other]
            else:
                b[i] += data[other] / width
    return A, b
