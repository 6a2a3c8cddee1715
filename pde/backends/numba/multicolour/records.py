"""The tables that the kernels read: records of integers with addresses, the same for all dimensions and operators.

A grid has three axes here: a plane of a grid in two dimensions is one row.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

RED_BLACK, PARITY = 0, 1
"""Colours: two by the sum of the indices, or 2^d by the parity of each."""

_COUNT = np.int64

ENTRY = np.dtype([(name, _COUNT) for name in ("at", "plane", "row", "step", "d0", "d1", "d2", "sign")])
"""A coefficient of A: where it is, the strides of its planes, rows and points, the offset that it couples, and its
sign, 0 for + and 1 for -, of the summand in f - A u."""

FIELD = np.dtype([(name, _COUNT) for name in ("at", "plane", "row")])
"""Numbers on a grid: where they are and the strides of planes and rows, 0 for what does not change across them."""

LINE = np.dtype(
    [
        (name, _COUNT)
        for name in (
            "fine",
            "coarse",
            "parents",
            "prolong",
            "restrict",
            "children",
            "weights",
            "kept",
            "products",
            "used",
        )
    ]
)
"""A transfer along an axis, between `fine` and `coarse` points.

Attributes:
    parents: address of (2, fine) coarse indices. prolong, restrict: of their weights in P and in the transpose of R.
    children: address of (CHILDREN, coarse) fine indices. weights: of their weights in R.
    kept: address of (3, coarse) fine indices, before, at and behind each coarse point. products: of (3, 3, 3, coarse)
        weights of P^T A P by offset and coarse offset, of a coefficient at these; used: of (3, 3, 3), 1 where one is
        not 0.
"""

CHILDREN = 4
"""Fine points at most that a coarse one restricts along an axis."""

SPARSE = np.dtype([(name, _COUNT) for name in ("rows", "starts", "columns", "values")])
"""A sparse matrix by the addresses of its arrays in CSR."""

LEVEL = np.dtype(
    [
        ("n", _COUNT, 3),
        ("periodic", _COUNT, 3),
        ("colours", _COUNT),
        ("entries", _COUNT),
        ("across", _COUNT),
        ("mask", FIELD),
        ("extents", _COUNT),
        ("diagonal", FIELD),
        ("inverse", FIELD),
        ("centre", FIELD),
        ("differences", _COUNT),
        ("inner", _COUNT),
        ("scale", FIELD),
        ("weights", FIELD),
        ("weighted", _COUNT),
        ("coarse_mask", _COUNT),
        ("line", LINE, 3),
        ("P", SPARSE),
        ("R", SPARSE),
        ("flat", _COUNT),
        ("corners", _COUNT),
        ("between", _COUNT, 3),
        ("reaction", FIELD),
        ("volumes", FIELD),
        ("coarse_volumes", _COUNT),
        ("behind", _COUNT),
        ("aside", _COUNT),
        ("places", _COUNT),
        ("placed", _COUNT),
        ("widths", _COUNT, 3),
        ("rows", FIELD),
    ]
)
"""A grid with its operator and the transfer to the next coarser one.

Attributes:
    entries: the number of coefficients off the diagonal, the first `across` of which lead to other rows.
    mask: bytes, 1 where there are unknowns. extents: address of (rows, 2): the columns that are not all masked.
    inverse: 1 over the diagonal. centre: the coefficient of u itself in f - A u; where there are `differences`, beside
        those to its neighbours, which keeps digits where A jumps. inner: address of 1 for rows of which only the ends
        have a centre then.
    scale: of the rows of P. weights: of the columns of R, if `weighted`.
    coarse_mask: address of bytes, or 0.
    P, R: in the place of `line`, where `P.rows` is not 0.
    flat: whether there are two dimensions. corners: address of the weights of a `CornerTransfer`, if it is one; then
        parents of a `line` are corners, and its children the points before, at and behind each coarse one, -1 if none
        (along rows the coarse point itself, whose weights there are zero; `behind` has 0 then, else 1).
    between, aside: addresses of 1 where an index lies between coarse ones, of the last axis as numbers of the level.
    reaction, volumes, coarse_volumes: see there.
    places, placed: address of (3, 3, 2, points of a row): 1 where the corner of a bit of the neighbour at distance
        -1, 0 or 1 is at 0, 1 or 2 of `corners.step_to`; and whether there are any such points.
    widths: addresses of the control volumes along each axis. rows: factors of residuals in norms.
"""

PHASE = np.dtype(
    [
        (name, _COUNT)
        for name in ("op", "level", "tasks", "blocks", "number", "stages", "first", "fine", "coarse", "planes", "turn")
    ]
)
"""A part of a step, after which all threads wait for each other.

Attributes:
    op: of `execute`. tasks: how many there are. blocks: of planes per member of a batch.
    number: of the phase in its step: 0 for the insides of blocks, then for the planes beside their borders.
    stages, first: the number of stages in a pass, and the index of the first one.
    fine, coarse: numbers per member of a batch on either grid. planes: that are divided.
    turn: of the adjoint order.
"""

Level = namedtuple("Level", "record entries signs like")
"""A level: its record, its entries, +1 and -1 in its dtype, and a `Like`."""

Like = namedtuple("Like", "real byte whole index")
"""Pointers of each type: numbers of the level, bytes, and integers of 64 and 32 bits."""
