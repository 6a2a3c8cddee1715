"""The choice of a backend by what a user has asked for; `Backend.describe` tells the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from pde.backends.base import Backend
from pde.backends.contact import Passes
from pde.backends.data import Options
from pde.backends.device import Device, read_device
from pde.backends.fourth_order import FourthOrder
from pde.backends.mixed import Mixed
from pde.backends.newton import NewtonMultigrid
from pde.backends.numba import backend as numba
from pde.backends.numba.batch.backend import make_batches
from pde.backends.numba.mixed import LONGEST, MixedNumba
from pde.common.arguments import choose, count, read_precision
from pde.common.arrays import import_torch
from pde.levels.direct import LARGEST_DENSE
from pde.levels.hierarchy import LARGEST_DIRECT, Hierarchy, Makers
from pde.levels.hierarchy import MAKERS as MAKERS_OF_HIERARCHIES
from pde.levels.obstacle import ObstacleGrid
from pde.problem.grid import Grid


def _plain(hierarchy: Hierarchy, options: Options) -> Backend:
    return Backend(hierarchy, options.dtype, options.device, 'kernels="numpy"')


def _torch(hierarchy: Hierarchy, options: Options) -> Backend:
    from pde.backends.torch.backend import make

    return make(hierarchy, options)


Maker = Callable[[Hierarchy, Options], Backend | str]
"""make(hierarchy, options): the backend, or the reason why there is none for this hierarchy."""

MAKERS: dict[str, Maker] = {
    "numba": numba.make,
    "numpy": _plain,
    "torch": _torch,
    "torch compiled": _torch,
}
"""The backends by the `kernels` of `pde.Multigrid`; another one takes part as soon as it has an entry."""


def make(hierarchy: Hierarchy, options: Options, mixed: bool = False) -> Backend:
    """The backend for a hierarchy of NumPy arrays in `options.dtype`; `mixed`: with cycles in float32.

    Raises:
        ValueError: `options.kernels` is not "auto", and this hierarchy has none.
        ImportError: their library is not installed.
    """
    device = options.device
    if hierarchy.compact:
        return _fourth_order(hierarchy, options, mixed)
    here = hierarchy.to(device.where, options.dtype) if device.on_tensors else hierarchy
    if not mixed or len(hierarchy.levels) == 1:
        return _chosen(here, options)
    low = np.dtype("float32")
    inner = _chosen(hierarchy.to(device.where, low), replace(options, dtype=low))
    grid = here.levels[0].info.grid
    if not isinstance(inner, numba.Numba) or grid.ndim == 1:
        return Mixed(here, inner)
    double = _chosen(here, options) if max(grid.shape) > LONGEST[grid.ndim] else None
    return MixedNumba(here, inner, double if isinstance(double, numba.Numba) else None, options)


def _fourth_order(hierarchy: Hierarchy, options: Options, mixed: bool) -> Backend:
    """Cycles of fourth order, whose kernels are compiled where those of the levels below are."""
    below, size = hierarchy.below(), hierarchy.levels[0].info.grid.size
    alone = len(below.levels) == 1
    inner = make(below, replace(options, size=size, kernels="auto" if alone else options.kernels), mixed)
    compiled = options.kernels == "numba" or inner.runs_in == "Numba"
    here = hierarchy.to(options.device.where, options.dtype) if options.device.on_tensors else hierarchy
    return FourthOrder(here, inner, options.cores if compiled else 0)


def makers(grid: Grid, options: Options) -> Makers:
    """Makers by compiled kernels where these are in the cache and may be used for such a grid, else those of NumPy."""
    compiled = None if options.device.on_tensors or options.kernels == "numpy" else numba.makers(grid, options)
    return compiled or MAKERS_OF_HIERARCHIES


def make_nonlinear(hierarchy: Hierarchy, options: Options) -> NewtonMultigrid:
    """The backend for a hierarchy of nonlinear levels, compiled where that is asked for, or pays.

    Raises:
        ValueError: `options.kernels` is "numba", and there is nothing to compile.
        ImportError: Numba is not installed.
    """
    grid, on_domain = hierarchy.levels[0].info.grid, hierarchy.levels[0].A.inside is not None
    why = 'kernels="numpy"' if options.kernels == "numpy" else ""
    if on_domain:
        why = why or "on domains there are none for nonlinear problems"
    elif grid.ndim == 1:
        why = why or "in one dimension there are none for nonlinear problems"
    elif options.kernels == "auto" and grid.size < numba.LARGE_NONLINEAR:
        why = f"fewer than {numba.LARGE_NONLINEAR:,} unknowns"
    why = why or numba.missing(options.kernels == "auto")
    if why and options.kernels == "numba":
        raise ValueError(f'kernels="numba": {why}')
    if not why:
        from pde.backends.numba.nonlinear.levels import compiled

        hierarchy = compiled(hierarchy, None if options.kernels == "auto" else 1)
    return NewtonMultigrid(hierarchy, options.dtype, why)


def passes(grid: ObstacleGrid, options: Options) -> Passes:
    """Passes by compiled kernels where a solver may use them for such a grid, else those of NumPy."""
    if grid.A.grid.ndim == 1 or makers(grid.A.grid, options) is MAKERS_OF_HIERARCHIES:
        return Passes(grid)
    from pde.backends.numba.contact import CompiledPasses

    return CompiledPasses(grid, options.cores)


def _chosen(hierarchy: Hierarchy, options: Options) -> Backend:
    name = options.kernels
    if name == "auto":
        name = "torch" if options.device.on_tensors else "numba"
    made = MAKERS[name](hierarchy, options)
    if not isinstance(made, str):
        return made
    if options.kernels != "auto":
        raise ValueError(f'kernels="{name}": {made}')
    plain = Backend(hierarchy, options.dtype, options.device, made)
    plain.batches = make_batches(hierarchy, options)
    return plain


def read_options(kernels: Any, device: Any, dtype: Any, threads: Any) -> tuple[Options, bool]:
    """Options of these arguments of `pde.Multigrid`, and whether cycles are to be in float32.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """
    device = read_device(device)
    threads = None if threads is None else count("threads", threads, least=1)
    kernels = choose("kernels", kernels, MAKERS, auto="auto")
    if kernels.startswith("torch"):
        import_torch(f"kernels={kernels!r}")
    if device != "cpu" and kernels in ("numba", "numpy"):
        raise ValueError(f"kernels={kernels!r} run on the host, and device is {device!r}; use 'auto' or 'torch'")
    on = Device(device, on_tensors=device != "cpu" or kernels.startswith("torch"))
    precision, mixed = read_precision(dtype, "float64" if device == "cpu" else "mixed")
    return Options(kernels, on, precision, threads), mixed


def largest_direct(device: Device) -> int:
    """The largest coarsest grid, in unknowns: on tensors its inverse is a dense matrix."""
    return LARGEST_DENSE if device.on_tensors else LARGEST_DIRECT
