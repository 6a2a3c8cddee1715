"""The choice of a backend on the ranks of a communicator."""

from __future__ import annotations

from dataclasses import replace

from pde.backends.data import Options
from pde.backends.mpi.backend import Mpi
from pde.backends.mpi.mixed import MpiMixed
from pde.backends.numba.mixed import LONGEST, SINGLE
from pde.backends.numba.variants import Variant, variant_of
from pde.common.ranks import Ranks
from pde.levels.hierarchy import Hierarchy


def make(hierarchy: Hierarchy, options: Options, ranks: Ranks, mixed: bool = False) -> Mpi | MpiMixed:
    """The backend for these levels on the ranks of a communicator; `mixed`: with cycles in float32.

    Raises:
        ValueError: the levels are not among those that can be in slabs; says why.
    """
    variant = variant_of(hierarchy.levels, options.dtype)
    if isinstance(variant, str):
        raise ValueError(f"comm: levels are divided among ranks for compiled kernels, and {variant}")
    return _mixed(hierarchy, options, variant, ranks) if mixed else Mpi(hierarchy, options, variant, ranks)


def _mixed(hierarchy: Hierarchy, options: Options, variant: Variant, ranks: Ranks) -> MpiMixed:
    low, grid = replace(options, dtype=SINGLE), hierarchy.levels[0].info.grid
    inner = Mpi(hierarchy.to(options.device.where, SINGLE), low, variant._replace(dtype=SINGLE.name), ranks)
    is_long = max(grid.shape) > LONGEST[grid.ndim]
    double = Mpi(hierarchy, options, variant, ranks) if is_long else None
    return MpiMixed(hierarchy, inner, double, options, ranks)
