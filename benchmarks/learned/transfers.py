"""Bilinear prolongation with weights at the corners that favour one diagonal, for `pde.Multigrid`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from pde.levels import hierarchy
from pde.levels.transfers import TRANSFERS, BilinearTransfer, LinearTransfer, MatrixTransfer
from pde.problem.grid import Grid


class CornerTransfer(MatrixTransfer):
    """P = bilinear + tau (linear - bilinear), with the linear interpolation on triangles of (4.14).

    A fine point in the middle of four coarse ones takes (1 + tau) / 4 of the two on the anti-diagonal and (1 - tau) / 4
    of the others; tau = -1 is linear interpolation on the triangles of the other diagonal. Of all 3 x 3 kernels that
    reproduce constants, are even and interpolate along the axes, these are the only ones.
    """

    def __init__(
        self, tau: float, fine: Grid, which: tuple[bool, ...], dtype: np.dtype, sides: Sequence[Any] = ()
    ) -> None:
        bilinear, linear = (make(fine, which, dtype, sides) for make in (BilinearTransfer, LinearTransfer))
        P = bilinear.matrix() * (1 - tau) + tau * linear.matrix()
        P.eliminate_zeros()
        a, b = (1 + tau) / 4, (1 - tau) / 4
        self.kernel = ((b, 0.5, a), (0.5, 1.0, 0.5), (a, 0.5, b))
        super().__init__(bilinear.coarse, P, fine.volumes(), bilinear.coarse.volumes(), dtype)


def name_of(tau: float) -> str:
    """The transfer as `pde.Multigrid` calls it; others are made known to it."""
    if tau == 0:
        return "bilinear"
    name = f"corners {tau:g}"
    TRANSFERS.setdefault(name, partial(CornerTransfer, tau))  # type: ignore[arg-type]
    return name


@contextmanager
def standard_coarsening() -> Iterator[None]:
    """Solvers that are made here halve all axes, also where the couplings along them differ."""
    own: Callable[..., tuple[bool, ...]] = Grid.axes_to_coarsen
    with patch.object(Grid, "axes_to_coarsen", lambda grid, diffusion=None: own(grid)):
        yield


@contextmanager
def free_omega() -> Iterator[None]:
    """Symmetric cycles that are made here keep omega > 1, which the solver by itself cuts off."""
    with patch.object(hierarchy, "without_over_relaxation", lambda B: B):
        yield
