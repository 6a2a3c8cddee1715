"""The automatic choices of a solver from the coefficients, and how fast that is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import pde
from tests.pde.media import blocks

SMOOTH = {
    "exp(6 x)": lambda x, y: np.exp(6 * x),
    "waves": lambda x, y: np.exp(2 * np.sin(2 * np.pi * (x + 0.1)) * np.sin(2 * np.pi * (y + 0.1))),
}


@pytest.mark.parametrize("kind", SMOOTH)
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", ("robin", 1.0)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_smooth_coefficients_that_vary_much(kind, boundary, centering):
    """With values at coarse points alone they diverged, or took up to 47 cycles: coarse grids saw jumps."""
    problem = pde.Poisson((96, 70), boundary=boundary, centering=centering, coefficient=SMOOTH[kind])
    f = np.random.default_rng(6).standard_normal(problem.shape)
    if problem.singular:
        W = problem.control_volumes()
        f -= (W * f).sum() / W.sum()
    mg = pde.Multigrid(problem, levels=9)  # one level would do for so few
    assert len(mg.levels) > 1
    solution = mg.solve(f)
    assert solution.converged
    assert solution.cycles <= 10


def random_field(shape: tuple[int, ...], span: float, length: float, periodic: bool) -> np.ndarray:
    """A smooth random field from 1 to `span` with this correlation length, relative to the longest axis."""
    noise = np.random.default_rng(0).standard_normal(shape if periodic else [2 * n for n in shape])
    smooth = gaussian_filter(noise, length * max(shape) / 2, mode="wrap")[tuple(slice(0, n) for n in shape)]
    return span ** ((smooth - smooth.min()) / np.ptp(smooth))


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", ("robin", 1.0)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize(
    ("shape", "span", "length"),
    [((100, 96), 10.0, 0.1), ((100, 96), 10.0, 1.0), ((100, 96), 1e5, 0.6), ((28, 25, 24), 10.0, 0.6)],
)
def test_smooth_coefficients_keep_stencils_and_their_factor(shape, span, length, boundary, centering):
    """Values at coarse points alone took 0.2 to 0.36 per cycle where a varies by 10, and diverged where by 10^5."""
    a = random_field(shape, span, length, boundary == "periodic")
    mg = pde.Multigrid(pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=a))
    assert (mg.coarse, mg.transfer) == ("rediscretised", "bilinear")
    assert len(mg.levels) > 1
    assert mg.measure_factor(cycles=9) <= 0.2


def test_coefficients_too_steep_for_a_large_grid_are_rough():
    """Neighbours differ by 1.7, which coarsening makes 2.8; as steep a coefficient on a small grid goes to factors."""
    steep = lambda x, y: np.exp(50 * x)  # noqa: E731
    assert pde.Multigrid(pde.Poisson((96, 70), coefficient=steep)).transfer == "operator"
    small = pde.Multigrid(pde.Poisson((95, 50), coefficient=steep))
    assert (small.transfer, len(small.levels)) == ("bilinear", 1)
    for size in (8, 11):
        jumps = blocks((96, 70), size)
        assert pde.Multigrid(pde.Poisson((96, 70), coefficient=jumps)).transfer == "operator"


def test_coarsening_ends_where_a_coefficient_is_steep():
    mg = pde.Multigrid(pde.Poisson((127, 127), coefficient=lambda x, y: np.exp(12 * x)))
    shapes = [level.info.grid.shape for level in mg.levels]
    assert shapes == [(127, 127), (63, 63), (31, 31), (15, 15)]  # exp(12 / 16) = 2.1, exp(12 / 8) = 4.5


def test_automatic_coarse_operators_for_a_reaction():
    half, shape = lambda x, y: 10.0 * (x > 0.5), (31, 31)
    assert pde.Multigrid(pde.Poisson(shape, reaction=half)).coarse == "galerkin"
    assert pde.Multigrid(pde.Poisson(shape, reaction=half)).transfer == "bilinear"
    assert pde.Multigrid(pde.Poisson(shape, reaction=half), coarse="rediscretised").coarse == "rediscretised"
    for smooth in (0.0, 1e6, lambda x, y: 1 + x * y):
        assert pde.Multigrid(pde.Poisson(shape, reaction=smooth)).coarse == "rediscretised"


def turning(shape: tuple[int, ...], strong: float) -> tuple[np.ndarray, ...]:
    """The strong axis is the second one in the left half and the first one in the right half."""
    left = np.broadcast_to(np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1)) < shape[0] // 2, shape)
    return np.where(left, 1.0, strong), np.where(left, strong, 1.0), *(np.ones(shape) for _ in shape[2:])


@pytest.mark.parametrize("shape", [(96, 80), (20, 21, 20)])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_a_strong_axis_that_changes_takes_lines_or_planes(shape, boundary, centering):
    """No order of semicoarsening suits both halves: "sor" took 0.9 per cycle."""
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=turning(shape, 100.0))
    mg = pde.Multigrid(problem, levels=9)
    assert mg.smoother == ("zebra" if len(shape) == 2 else "planes 1")
    assert len(mg.levels) > 1
    f = np.random.default_rng(0).standard_normal(shape)
    W = problem.control_volumes()
    f -= (W * f).sum() / W.sum()
    solution = mg.solve(f, accel="cg")
    assert solution.converged
    assert solution.cycles <= 12
    mg.update(coefficient=1.0)
    assert mg.smoother == "sor"


def test_one_strong_axis_keeps_points():
    x = np.linspace(0, 1, 40)[:, None] * np.ones((40, 40))
    for coefficient in (1 + 100 * x, (1.0, 1e4), (1 + 100 * x, 2 + 200 * x), (1.0, 1 + 5 * x)):
        assert pde.Multigrid(pde.Poisson((40, 40), coefficient=coefficient)).smoother == "sor"


@pytest.mark.parametrize("axis", [0, 1])
def test_a_jump_across_a_periodic_seam_is_rough(axis):
    ramp = np.exp(np.linspace(0, np.log(8), 40))  # changes by 5 % between neighbours, by 8 across the seam
    a = np.broadcast_to(ramp[:, None] if axis == 0 else ramp, (40, 40))
    sides = [("periodic" if b == axis else "dirichlet") for b in range(2)]
    assert pde.Multigrid(pde.Poisson((40, 40), boundary=sides, coefficient=a)).transfer == "operator"
    assert pde.Multigrid(pde.Poisson((40, 40), boundary=sides[::-1], coefficient=a)).transfer == "bilinear"
    assert pde.Multigrid(pde.Poisson((40, 40), boundary=sides, reaction=a * 10)).coarse == "galerkin"
