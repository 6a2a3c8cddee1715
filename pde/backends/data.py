"""The data that a solver passes to its backend, and the options that choose a backend."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pde.backends.device import Device
from pde.problem.grid import Sides

Vector = Any
"""An array, a tensor, or whatever a backend computes with; see `pde.backends.base`."""

Norms = Sequence[float] | None
"""Norms that a cycle has measured on its way, one per member; None where it has not."""


SMALL, LARGE = 1e-100, 1e100
"""Norms between these have squares that neither overflow nor underflow, and so have much smaller residuals."""


@dataclass(frozen=True)
class Data:
    """The right-hand side of A u = f with boundary data, arrays or vectors.

    Args:
        rhs: the right-hand side of u with zero boundary values.
        f: nodal values without the boundary data in `sides`; None: `rhs`, which has none.
        sides: boundary data of the finest grid as arrays, for full multigrid.
        sizes: what residuals are relative to; only `Backend.start` needs it.
    """

    rhs: Vector
    f: Vector = None
    sides: Sides = field(default_factory=dict)
    sizes: np.ndarray | None = None

    @property
    def nodal(self) -> Vector:
        return self.rhs if self.f is None else self.f

    @property
    def sizes_are_norms(self) -> bool:
        """Whether the sizes are the norms of `rhs`: there were no boundary data."""
        return self.sizes is not None and self.f is self.rhs

    def each(self, change: Callable[[Any], Any]) -> Data:
        """The data whose vectors v are change(v) instead."""
        if self.f is self.rhs:
            v = change(self.f)
            return self if v is self.f else Data(v, v, self.sides, self.sizes)
        return Data(change(self.rhs), None if self.f is None else change(self.f), self.sides, self.sizes)

    def select(self, members: Sequence[int], ndim: int) -> Data:
        """The data of these members; boundary data of fewer than ndim axes are common to all."""
        data = self.each(lambda v: v[members])
        sides = {key: g if g.ndim < (2 if key == "walls" else ndim) else g[members] for key, g in self.sides.items()}
        return Data(data.rhs, data.f, sides, None if self.sizes is None else self.sizes[members])


@dataclass(frozen=True)
class Options:
    """The options of `pde.Multigrid` that choose a backend.

    Args:
        kernels: "auto", or a name in `pde.backends.choice.MAKERS`.
        device: where arrays are.
        dtype: of data and residuals.
        threads: for compiled kernels; None takes the cores of this process.
        size: unknowns of the finest grid, where other levels than those of a hierarchy are on top of it; else 0.
        chosen: why kernels of a kind do not run (None: they do), as it was chosen first; updates keep to it.
    """

    kernels: str = "auto"
    device: Device = field(default_factory=Device)
    dtype: np.dtype = field(default_factory=lambda: np.dtype(float))
    threads: int | None = None
    size: int = 0
    chosen: dict[Any, str | None] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """The number of threads."""
        if self.threads is not None:
            return self.threads
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
