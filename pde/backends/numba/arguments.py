"""The arguments of a pass in groups, as kernels take them; pointers unless said otherwise."""

from __future__ import annotations

from collections import namedtuple

from pde.backends.numba.buffers import TERMS
from pde.backends.numba.jit import inline
from pde.backends.numba.pointers import address_of, pointer
from pde.backends.numba.workspace import COARSE_SLOTS, Work

Level = namedtuple("Level", "record reals integers addresses is_3d")
"""A level: its `record` (see `level_data.record`), and the tables that this points into.

Attributes:
    addresses: integers, of the buffers of a run.
    is_3d: None or True, decided when kernels are compiled.
"""

Axes = namedtuple(
    "Axes", "lower0 centre0 upper0 width0 lower1 centre1 upper1 width1 widths boundary values scratch mirrored"
)
"""The coefficients across a row, and of its boundary points.

Attributes:
    lower0, centre0, upper0, width0; lower1, ...: of planes and of rows.
    widths: along a row with variable coefficients, split by parity, then 1 over them.
    boundary, values: the numbers of boundary points; their lower, centre, upper, width.
    scratch: of the work space. mirrored: that of the pass.
"""

Task = namedtuple(
    "Task",
    "sweeps flip mirrored f_split source correct sink restricted measured streamed norm beside with_sides first last",
)
"""A pass over the planes first, ..., last - 1 as numbers and flags; see `interpreter.Step`.

Attributes:
    mirrored: whether plane k is the k-th from above, and a row of it too; see `seams`.
    restricted: whether the residual goes to the coarse grid. measured: whether it is computed.
    streamed: whether `out` is written past the cache.
    beside: planes on either side of these that are in the halo.
    with_sides: whether there are boundary data, which a first guess takes.
"""

Buffers = namedtuple("Buffers", "f u halo coarse out f_coarse terms sums")
"""The arrays of a step; `terms` are its boundary data, `sums` takes the sum of W r^2, W u^2 or W f u over each plane.
"""


@inline
def axes_of(level, work, mirrored):
    """Return the coefficients of a level; in a mirrored pass lower and upper ones change places."""
    L, reals = level.record, level.reals
    low, high = (L.at_upper, L.at_lower) if mirrored else (L.at_lower, L.at_upper)
    return Axes(
        reals + low[0], reals + L.at_centre[0], reals + high[0], reals + L.at_width[0],
        reals + low[1], reals + L.at_centre[1], reals + high[1], reals + L.at_width[1],
        reals + L.at_widths, level.integers + L.at_boundary, reals + L.at_boundary_values, work.scratch, mirrored,
    )  # fmt: skip


@inline
def work_of(division, thread):
    """Return the work space of a thread, (tags_and_slots, numbers), with a division."""
    d, w, tags = division, address_of(thread[1]), address_of(thread[0])
    return Work(
        d.row, d.plane, d.coarse_row, d.coarse_plane, d.ring, d.r_ring, w + d.u, w + d.zero, w + d.f, w + d.r,
        w + d.r_row, w + d.r_line, w + d.scratch, w + d.mixed_row, w + d.mixed, w + d.coarse, w + d.sums,
        w + d.data_plane, w + d.data_row, w + d.data_halves, w + d.data_line, w + d.modes, tags, tags + COARSE_SLOTS,
    )  # fmt: skip


@inline
def buffers_of(s, addresses, halo_offset, like, sums):
    """Return the buffers of a step; `halo_offset` is that of its block."""
    return Buffers(
        pointer(like, addresses[s.f]), pointer(like, addresses[s.u]), pointer(like, addresses[s.halo]) + halo_offset,
        pointer(like, addresses[s.coarse]), pointer(like, addresses[s.out]), pointer(like, addresses[s.f_coarse]),
        pointer(like, addresses[TERMS]) + s.terms, sums,
    )  # fmt: skip
