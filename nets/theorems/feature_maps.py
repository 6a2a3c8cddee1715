"""Pi (6.5) and padding (3.9): constants, u >= 0, the average at the end as a grid, shifts of periodic images."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

import mgcore
from mgcore import Level
from nets.models.base import Network
from nets.models.mgnet import MgNet
from nets.models.operators import ADAPTIVE_POOL
from nets.theorems.comparison import check_network, finest_data, largest
from nets.theorems.residuals import with_form


def constants_kept(model: MgNet, x: Tensor) -> float:
    """(4.17): Pi 1 = 1 on every point of every grid; the largest deviation, for images of the size of x."""
    check_network(model, MgNet, "(4.17)")
    sizes, c = model.grid_sizes(x.shape[2:]), model.config
    ones = [x.new_ones((1, u, *n)) for u, n in zip(c.channels_u, sizes, strict=True)]
    found = [] if c.pi == "0" else [Pi(one) for Pi, one in zip(model.Pi, ones, strict=False)]
    return largest(found, ones[1 : 1 + len(found)])


def negative_features(model: MgNet, x: Tensor) -> float:
    """(1.2) of N23, u >= 0 on every grid: the most negative value relative to the largest one, 0 where there is none.

    It holds where u^0 = 0, s >= 0 and Pi keeps it: Pi = 0, s around Pi (`transfer_activation`), or one of the fixed
    Pi_nodal, ..., Pi_maximum. A trained Pi without s, as in the papers' algorithms, does not keep it.
    """
    check_network(model, MgNet, "(1.2)")
    u = [visit.u for visit in with_form(model, "feature").visits(x)]
    return largest([v if v is None else v.clamp(min=0) for v in u], u)


def average_is_a_grid(model: MgNet, x: Tensor) -> float:
    """S19, section 9.1: the average behind grid J is one grid more, with nu = 0 and Pi = R_ave (9.1), so that J = 5.

    The scores are compared; R to that grid and its A, here zero, have no effect on them.
    """
    check_network(model, MgNet, "section 9.1", linear=True, family=("MgNet", "GDFI"))
    levels, average = with_form(model, "feature").levels, ADAPTIVE_POOL[model.config.dims](1)
    levels[-1] = replace(levels[-1], R=average, Pi=average)
    one_pixel = Level(lambda u: u.new_zeros(()), [])
    u = mgcore.descend([*levels, one_pixel], finest_data(model, x))[-1].u
    return largest([model.head(u.flatten(1))], [model(x)])  # type: ignore[union-attr]


def circular_shifts(model: Network, x: Tensor) -> float:
    """(3.9), periodic: the features of a shifted image are the shifted features, on every grid.

    The shift is one pixel of the coarsest grid. Images must have a multiple of it as their size: else the first and the
    last coarse pixel are neighbours of another distance, and the seam moves with the shift.
    """
    check_network(model, Network, "(3.9)", padding="circular")
    info, axes = model.feature_info, tuple(range(2, x.ndim))
    stride = max(level.stride for level in info)
    if any(n % stride for n in x.shape[2:]):
        raise ValueError(f"x must have a multiple of {stride} pixels along every axis; got {tuple(x.shape)}")
    moved = model.forward_levels(x.roll((stride,) * len(axes), axes))
    shifts = [(stride // level.stride,) * len(axes) for level in info]
    return largest(moved, [u.roll(s, axes) for u, s in zip(model.forward_levels(x), shifts, strict=True)])
