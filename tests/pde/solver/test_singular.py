"""Problems whose u is determined up to a constant: detection, compatibility, zero mean, convergence."""

import re
from itertools import product

import numpy as np
import pytest

from pde import Multigrid, Poisson
from tests.pde.reference import EPS
from tests.pde.rounding import of_a_cycle
from tests.pde.sides_reference import SIDES, make_box, smooth

CLOSED = {"N", "P", "R0"}
FREE = [("N",), ("P",), ("R0",), ("N", "N"), ("P", "P"), ("N", "P"), ("R0", "N"), ("N", "P", "R0")]
CENTRINGS = pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])


@pytest.mark.parametrize("kinds", list(product(SIDES, repeat=2)), ids="/".join)
@CENTRINGS
def test_detected_where_every_side_is_insulated(kinds, cell):
    box = make_box(kinds, (5, 4), cell)
    assert Poisson(**box.arguments()).singular == (set(kinds) <= CLOSED)
    some = np.zeros((5, 4))
    some[2, 2] = 1
    for reaction in (1e-3, some):
        assert not Poisson(**box.arguments() | {"reaction": reaction}).singular
    assert Poisson(**box.arguments() | {"reaction": 0 * some}).singular == (set(kinds) <= CLOSED)


def problem(kinds, cell, size=12, stretch=None):
    box = make_box(kinds, [size + a for a in range(len(kinds))], cell, stretch=stretch)
    rng = np.random.default_rng(len(kinds))
    f = rng.standard_normal(box.shape)
    return box, Multigrid(Poisson(**box.arguments())), f - box.mean(f)


@pytest.mark.parametrize("kinds", FREE, ids="/".join)
@CENTRINGS
def test_an_incompatible_f_is_refused_with_its_size(kinds, cell):
    box, mg, f = problem(kinds, cell)
    with pytest.raises(ValueError, match="f does not fit") as error:
        mg.solve(f + 1)
    assert f"{1 / box.mean(abs(f + 1)):.1e}" in str(error.value)
    assert "incompatible" in str(error.value)


@pytest.mark.parametrize("kinds", FREE, ids="/".join)
@CENTRINGS
def test_a_small_mean_is_removed_and_told(kinds, cell):
    box, mg, f = problem(kinds, cell)
    size = box.mean(abs(f))
    solution, expected = mg.solve(f + 5e-3 * size, rtol=1e-10), mg.solve(f, rtol=1e-10)
    assert solution.converged
    assert solution.removed == pytest.approx(5e-3, rel=1e-2)
    assert f"{solution.removed:.1e} of f removed" in solution.message
    assert expected.removed <= 16 * EPS * box.volumes().size
    np.testing.assert_allclose(solution.u, expected.u, rtol=0, atol=1e-8 * np.abs(expected.u).max())
    assert Multigrid(Poisson(5)).solve(np.ones(5)).removed is None


def test_what_may_be_removed_can_be_chosen():
    box, mg, f = problem(("N", "P"), False)
    f = f + 0.5
    share = 0.5 / box.mean(abs(f))
    solution = mg.solve(f, incompatible=share * 1.001)
    assert solution.converged
    assert solution.removed == pytest.approx(share)
    for allowed in (share * 0.999, 0.0):
        with pytest.raises(ValueError, match="f does not fit"):
            mg.solve(f, incompatible=allowed)


@pytest.mark.parametrize("kinds", FREE, ids="/".join)
@CENTRINGS
@pytest.mark.parametrize("stretch", [None, smooth], ids=["equal", "stretched"])
def test_the_solution_has_zero_mean_whatever_the_first_guess(kinds, cell, stretch):
    box, mg, f = problem(kinds, cell, size=5, stretch=stretch)
    expected = box.solution(f)
    for u0 in (None, np.full(box.shape, 7.0), expected + 3):
        for cycle in ("fmg", "V", "W"):
            solution = mg.solve(f, u0=u0, rtol=1e-10, cycle=cycle, max_cycles=100)
            assert solution.converged
            assert abs(box.mean(solution.u)) <= 256 * EPS * max(1, np.abs(solution.u).max())
            np.testing.assert_allclose(solution.u, expected, rtol=0, atol=1e-7 * np.abs(expected).max())
    assert abs(box.mean(mg.full_multigrid(f))) <= 64 * EPS


@pytest.mark.parametrize("kinds", [("N", "N"), ("P", "P"), ("N", "P"), ("R0", "P")], ids="/".join)
@pytest.mark.parametrize("n", [32, 64])
@CENTRINGS
def test_singular_problems_converge_as_regular_ones(kinds, n, cell):
    intervals = make_box(kinds, [n] * 2, cell, by_intervals=True)
    factor = Multigrid(Poisson(**intervals.arguments())).measure_factor(cycles=18)
    regular = make_box(("D", "D"), [n] * 2, cell, by_intervals=True)
    bound = Multigrid(Poisson(**regular.arguments())).measure_factor(cycles=18)
    assert factor <= max(0.2, bound)


def test_boundary_data_count_in_the_balance():
    """The inflow through the sides must equal what the sources take up."""
    box = make_box(("N", "N"), (9, 8))
    mg = Multigrid(Poisson(**box.arguments()))
    g = {(0, 0): 1.0, (0, 1): 0.5, (1, 0): -0.25}
    solution = mg.solve(np.full(box.shape, -1.25), g, rtol=1e-10)
    assert solution.converged
    assert solution.removed <= EPS * box.volumes().size
    with pytest.raises(ValueError, match="f does not fit"):
        mg.solve(np.full(box.shape, 1.25), g)


@pytest.mark.parametrize("kinds", [("N",), ("P", "N")], ids="/".join)
@CENTRINGS
def test_a_batch_is_treated_member_by_member(kinds, cell):
    box, mg, f = problem(kinds, cell)
    batch = np.stack([f, 1e-3 * f + 4e-6 * box.mean(abs(f)), 0 * f])
    solution = mg.solve(batch, rtol=1e-10)
    assert solution.converged
    assert solution.removed == pytest.approx(4e-3, rel=1e-2)
    for member, u in zip(batch, solution.u, strict=True):
        np.testing.assert_allclose(u, mg.solve(member, rtol=1e-10).u, rtol=0, atol=1e-7 * np.abs(u).max())
        assert abs(box.mean(u)) <= 64 * EPS
    with pytest.raises(ValueError, match="f does not fit"):
        mg.solve(np.stack([f, f + 1]))


@pytest.mark.parametrize("kinds", FREE, ids="/".join)
def test_nothing_gives_nothing(kinds):
    box, mg, _ = problem(kinds, False)
    solution = mg.solve(np.zeros(box.shape))
    assert (solution.cycles, solution.converged, solution.removed) == (0, True, 0.0)
    assert not solution.u.any()


@pytest.mark.parametrize("kinds", [("N",), ("P",), ("N", "P"), ("P", "P", "N")], ids="/".join)
@CENTRINGS
def test_one_unknown(kinds, cell):
    """A u = 0: only f = 0 fits, and u = 0."""
    box = make_box(kinds, [1] * len(kinds), cell)
    mg = Multigrid(Poisson(**box.arguments()))
    assert mg.solve(np.zeros(box.shape)).converged
    with pytest.raises(ValueError, match="f does not fit"):
        mg.solve(np.ones(box.shape), incompatible=0.5)


@pytest.mark.parametrize("boundary", ["neumann", "periodic", ("robin", 0.0)])
def test_one_pass_refuses_what_solve_refuses(boundary):
    mg = Multigrid(Poisson((31, 31), boundary=boundary))
    f = 1.0 + np.random.default_rng(7).standard_normal(mg.problem.shape)
    with pytest.raises(ValueError, match=r"f does not fit this singular problem.*incompatible"):
        mg.solve(f)
    with pytest.raises(ValueError, match=r"f does not fit this singular problem.*incompatible"):
        mg.full_multigrid(f)
    u, mean = mg.full_multigrid(f, incompatible=1.0), np.average(f, weights=mg.problem.control_volumes())
    np.testing.assert_allclose(u, mg.full_multigrid(f - mean), rtol=0, atol=of_a_cycle(mg, f, u))


def spike(shape, *wells):
    """Zero but for single values, at equal distances."""
    f = np.zeros(shape)
    f.flat[[(2 * k + 1) * f.size // (2 * len(wells)) for k in range(len(wells))]] = wells
    return f


ONE_WAY = {
    "three cells along an axis": (((64, 64, 2), "neumann", "cell"), np.ones((64, 64, 2)), None),
    "a spike": (((128, 128), "neumann", "vertex"), spike((128, 128), 1.0), None),
    "a spike between cells": (((127, 64), "neumann", "cell"), spike((127, 64), 1.0), None),
    "an inflow port of four cells": (
        ((64, 64), "neumann", "cell"),
        np.zeros((64, 64)),
        {(0, 0): np.where(np.arange(64) // 4 == 5, 1.0, 0.0)},
    ),
    "one ion": (((32, 32, 32), "periodic", "vertex"), spike((32, 32, 32), 1.0), None),
    "unequal wells": (((60, 60), "neumann", "cell"), spike((60, 60), 1.0, -0.5), None),
}


@pytest.mark.parametrize("name", ONE_WAY)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_source_without_a_sink_is_refused(name, dtype):
    (shape, boundary, centering), f, g = ONE_WAY[name]
    mg = Multigrid(Poisson(shape, boundary=boundary, centering=centering), dtype=dtype, kernels="numpy")
    share = "3.3e-01" if name == "unequal wells" else "1.0e+00"
    for solve in (mg.solve, mg.full_multigrid):
        with pytest.raises(ValueError, match=f"f does not fit.*a share of {re.escape(share)}.*incompatible"):
            solve(f, g)


@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
def test_a_source_and_an_equal_sink_are_accepted(boundary):
    mg = Multigrid(Poisson((60, 60), boundary=boundary, centering="cell"))
    solution = mg.solve(spike((60, 60), 1.0, -1.0))
    assert solution.converged
    assert solution.removed <= 64 * EPS
    port = np.where(np.arange(60) // 4 == 5, 1.0, 0.0)
    if boundary == "neumann":  # in here, out there
        assert mg.solve(np.zeros((60, 60)), {(0, 0): port, (1, 1): -port[::-1]}).converged


@pytest.mark.parametrize("kinds", FREE, ids="/".join)
@CENTRINGS
@pytest.mark.parametrize(
    ("value", "dtype"),
    [(3.3, "float64"), (3.3, "float32"), (3.3, "mixed"), (1e300, "float64"), (1e37, "float32"), (-1e-9, "mixed")],
)
def test_a_constant_is_all_mean(kinds, cell, value, dtype):
    """Rounding alone is never refused, nor solved for."""
    box, _, _ = problem(kinds, cell, size=9, stretch=smooth)
    mg = Multigrid(Poisson(**box.arguments()), dtype=dtype)
    for accel in (None, "cg"):
        solution = mg.solve(np.full(box.shape, value), incompatible=1.0, accel=accel)
        assert (solution.cycles, solution.converged, solution.u.any()) == (0, True, False)
        assert solution.removed == pytest.approx(1.0)
        assert "1.0e+00 of f removed" in solution.message


@pytest.mark.parametrize("kinds", FREE, ids="/".join)
@CENTRINGS
@pytest.mark.parametrize("dtype", ["float64", "float32", "mixed"])
@pytest.mark.parametrize("share", [100, 10_000])
def test_a_small_part_beside_a_large_mean_is_solved_for(kinds, cell, dtype, share):
    """f = 3.7 and `share` times its rounding: the mean goes but for the rounding of that part, and not of 3.7."""
    poisson = Poisson(**make_box(kinds, [17 + a for a in range(len(kinds))], cell).arguments())
    eps = float(np.finfo("float32" if dtype == "float32" else float).eps)
    f = 3.7 + share * eps * np.random.default_rng(1).standard_normal(poisson.shape)
    solution = Multigrid(poisson, dtype=dtype, kernels="numpy").solve(f, incompatible=1.0, rtol=1e-3)
    assert solution.converged, solution.message


@pytest.mark.parametrize("n", [7, 12, 33, 100])
@CENTRINGS
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_mean_of_rounding_is_removed_even_where_nothing_may_be(n, cell, dtype):
    box = make_box(("N", "P"), (n, n + 1), cell, stretch=smooth)
    f = np.random.default_rng(n).standard_normal(box.shape).astype(dtype)
    W = box.volumes().astype(dtype)
    f -= (W * f).sum() / W.sum()
    solution = Multigrid(Poisson(**box.arguments()), dtype=dtype).solve(f, incompatible=0.0, rtol=1e-3)
    assert solution.converged


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_finite_is_told_before_what_does_not_fit(value):
    mg = Multigrid(Poisson((12, 9), boundary="neumann"))
    f = np.ones((12, 9))
    f[3, 4] = value
    for solve in (mg.solve, mg.full_multigrid):
        with pytest.raises(ValueError, match=r"f must be finite.*\(3, 4\)"):
            solve(f)


@pytest.mark.parametrize("level", [1.0, 101325.0, 1e12])
@pytest.mark.parametrize("accel", [None, "cg"])
def test_a_level_of_the_first_guess_costs_nothing(level, accel):
    """A 1 = 0: u0 and u0 + level are the same guess."""
    box, mg, f = problem(("N", "P"), False, size=20)
    u0 = 1e-3 * np.random.default_rng(3).standard_normal(box.shape)
    plain, lifted = (mg.solve(f, u0=u0 + shift, accel=accel) for shift in (0.0, level))
    assert lifted.cycles == plain.cycles
    size = np.abs(mg.levels[0].info.operator.diagonal).max() * EPS * level  # of u0 + level, rounded
    np.testing.assert_allclose(lifted.residual_norms[0], plain.residual_norms[0], rtol=1e-6 + size)
    np.testing.assert_allclose(lifted.u, plain.u, rtol=0, atol=1e-8 + 4 * EPS * level)


@CENTRINGS
@pytest.mark.parametrize("batch", [(), (2,)])
def test_a_callback_sees_u_as_it_will_be_given(cell, batch):
    """Of zero mean also where a lifting of g, whose mean is another, is added."""
    poisson = Poisson((9, 12), boundary="neumann", centering="cell" if cell else "vertex")
    seen = []
    g = {(0, 0): 1e3, (0, 1): -1e3, (1, 1): np.linspace(-1, 1, 9)}
    solution = Multigrid(poisson).solve(
        np.zeros(batch + poisson.shape), g, incompatible=1.0, callback=lambda p: seen.append(p.u.copy()) and None
    )
    assert len(seen) == solution.cycles > 0
    assert np.array_equal(seen[-1], solution.u)
