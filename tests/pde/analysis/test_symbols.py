"""The symbols of local Fourier analysis against the solver's own error propagation: the same spectrum."""

import dataclasses

import numpy as np
import pytest

from mgcore import CYCLES
from pde.analysis.fourier import Analysis
from pde.analysis.stencils import LINEAR, Stencil
from tests.pde.periodic import cube, own_frequencies, periodic
from tests.pde.reference import EPS, SMOOTHERS

GRIDS = {  # shape, extent, levels: base frequencies agree along all axes
    "1-D, two": ((16,), 1.0, 2),
    "1-D, three": ((32,), 1.0, 3),
    "2-D": ((8, 8), 1.0, 2),
    "2-D, unequal": ((8, 8), (1.0, 1.2), 2),
    "2-D, three": ((16, 16), 1.0, 3),
    "2-D, one axis": ((8, 8), (1.0, 8.0), 2),
    "2-D, one axis twice": ((16, 8), (1.0, 8.0), 3),
    "3-D": ((4, 4, 4), 1.0, 2),
    "3-D, two axes": ((4, 4, 4), (1.0, 1.0, 9.0), 2),
    "3-D, one axis": ((4, 4, 4), (9.0, 1.0, 9.0), 2),
}

LARGER = {"3-D, three": ((8, 8, 8), 1.0, 3)}
"""Not for every test: 512 unknowns."""


def error_propagation(mg, cycle):
    """The matrix that one cycle of the solver applies to the error, without the mean of a singular problem."""
    size = mg.problem.grid.size
    e = np.eye(size).reshape(size, *mg.problem.shape)
    M = CYCLES[cycle](mg.levels, np.zeros_like(e), e).reshape(size, size).T
    return M - M.mean(axis=0) if mg.problem.singular else M


LINEAR_TOO = [name for name in GRIDS if name.startswith("2-D") and "one axis" not in name]


def check_spectrum(name, smoother, coarse, transfer, change=lambda mg: mg):
    """On a periodic grid whose frequencies are the sampled ones, the prediction is exact: same spectral radius.

    Eigenvalues of a matrix that is not normal move by more than rounding: where it has Jordan blocks of size 2, by its
    square root.
    """
    shape, extent, levels = {**GRIDS, **LARGER}[name]
    omega = {"sor": 1.3, "jacobi": 0.7, "gauss-seidel": 1.1, "zebra 0": 1.05}.get(smoother)
    options = {"smoother": smoother, "coarse": coarse, "transfer": transfer, "omega": omega, "levels": levels}
    for cycle, nu, reaction in (("V", (1, 2), 0.0), ("W", (1, 1), 20.0), ("F", (0, 1), 0.0), ("backslash", (2, 0), 0)):
        if cycle == "F" and levels == 2:  # the same as V
            continue
        mg = periodic(shape, extent, reaction, nu=nu, **options)
        assert len(mg.levels) == levels
        predicted = Analysis(mg).factor(cycle, frequencies=own_frequencies(mg))
        radius = np.abs(np.linalg.eigvals(error_propagation(change(mg), cycle))).max()
        assert predicted == pytest.approx(radius, abs=4 * EPS**0.5)


@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
@pytest.mark.parametrize("smoother", [*SMOOTHERS, "chebyshev"])
@pytest.mark.parametrize(
    ("name", "transfer"), [*((name, "bilinear") for name in GRIDS), *((name, "linear") for name in LINEAR_TOO)]
)
def test_a_periodic_grid_has_the_spectrum_of_its_symbols(name, smoother, coarse, transfer):
    check_spectrum(name, smoother, coarse, transfer)


LINES = [
    *((name, smoother, "bilinear") for name in GRIDS if name[0] != "1" for smoother in ("zebra 0", "zebra 1", "zebra")),
    *((name, "zebra 2", "bilinear") for name in GRIDS if name[0] == "3"),
    *((name, "zebra", "linear") for name in LINEAR_TOO),
]


@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
@pytest.mark.parametrize(("name", "smoother", "transfer"), LINES)
def test_lines_have_the_spectrum_of_their_symbols(name, smoother, transfer, coarse):
    check_spectrum(name, smoother, coarse, transfer)


def test_lines_of_27_points_have_the_spectrum_of_their_symbols():
    """Galerkin operators on the second of three grids, where lines across a diagonal have different parities."""
    check_spectrum("3-D, three", "zebra", "galerkin", "bilinear")


def without_ends(mg):
    """The solver with lexicographic sweeps as on an infinite grid: round a period, "before" is what lies to the left.

    On the periodic grid itself the first point of a line comes before its left neighbour, the last one.
    """

    def around(B):
        grid, matrix = B.A.grid, B.A.matrix().tocoo()
        steps = [np.array(np.unravel_index(k, grid.shape)) for k in (matrix.col, matrix.row)]
        sizes = np.array(grid.shape)[:, None]
        offset = (steps[0] - steps[1] + 1) % sizes - 1
        first = np.array([next((k for k in column if k), 0) for column in offset.T])
        kept = first <= 0
        lower = np.zeros((grid.size, grid.size))
        np.add.at(lower, (matrix.row[kept], matrix.col[kept]), matrix.data[kept])
        lower[np.diag_indices(grid.size)] /= B.omega
        inverse = np.linalg.inv(lower)
        return lambda r: np.einsum("ij,...j->...i", inverse, r.reshape(*r.shape[: -grid.ndim], -1)).reshape(r.shape)

    for l, level in enumerate(mg.levels[:-1]):
        pre, post = ([around(B) for B in sweeps] for sweeps in (level.B, level.B_post))
        mg.levels[l] = dataclasses.replace(level, B=pre, B_post=post)
    return mg


@pytest.mark.parametrize("coarse", ["rediscretised", "galerkin"])
@pytest.mark.parametrize(
    ("name", "transfer"),
    [*((name, "bilinear") for name in GRIDS if "twice" not in name), *((name, "linear") for name in LINEAR_TOO)],
)
def test_lexicographic_sweeps_have_the_spectrum_of_their_symbols(name, coarse, transfer):
    check_spectrum(name, "gauss-seidel", coarse, transfer, without_ends)


@pytest.mark.parametrize(
    ("name", "smoother"), [*((name, "sor") for name in GRIDS), ("2-D, unequal", "zebra"), ("3-D, two axes", "zebra 1")]
)
def test_the_error_symbol_is_what_the_solver_leaves_of_a_mode(name, smoother):
    shape, extent, levels = GRIDS[name]
    mg = periodic(shape, extent, nu=(2, 1), levels=levels, smoother=smoother, omega=1.1)
    theta, size = Analysis(mg).error_symbol("V", frequencies=own_frequencies(mg))
    assert size.shape == shape
    indices = np.indices(shape)
    for place in np.random.default_rng(3).integers(0, size.size, 8):
        at = np.unravel_index(place, shape)
        phase = sum(t[i] * x for t, i, x in zip(theta, at, indices, strict=True))
        left = [mg.cycle(np.zeros(shape), part(phase)) for part in (np.cos, np.sin)]
        left = [v - v.mean() for v in left] if any(abs(t[i]) > 0 for t, i in zip(theta, at, strict=True)) else [0, 0]
        rms = np.sqrt(np.mean(np.square(left[0]) + np.square(left[1])))
        assert size[at] == pytest.approx(rms, abs=200 * EPS)


def test_large_blocks_agree_with_small_ones(monkeypatch):
    analysis = Analysis(cube(2))
    dense = analysis.factor("V", grids=4, frequencies=4)
    monkeypatch.setattr("pde.analysis.blocks.DENSE", 1)
    assert analysis.factor("V", grids=4, frequencies=4) == pytest.approx(dense, rel=1e-4)


def test_galerkin_of_linear_transfer_reproduces_the_five_points():
    five = Stencil.diffusion((1.0, 1.0), 0.0)
    coarse = five.galerkin(LINEAR, (True, True))
    kept = np.where(five.kernel != 0, coarse.kernel, 0)
    np.testing.assert_allclose(kept, five.kernel / 4, atol=4 * EPS)
    assert coarse.centre == pytest.approx(1.0, abs=8 * EPS)
