"""Compiled nonlinear levels are held to the plain ones that specify them."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pde
from pde import Multigrid, NonlinearPoisson
from tests.pde.nonlinear import given_sides, sides

EPS = float(np.finfo(float).eps)
LAWS = {
    "formula": {"reaction": "(1 + x)*u*exp(u)"},
    "function": {"reaction": lambda u, x, *y: 20 * u**3 + x, "derivative": lambda u, x, *y: 60 * u**2},
    "none": {},
    "number": {"reaction": lambda u, *x: 3.0 * u, "derivative": lambda u, *x: 3.0},
}


def pair(problem, **options):
    return [Multigrid(problem, kernels=kernels, **options) for kernels in ("numba", "numpy")]


@settings(max_examples=25)
@given(box=sides(), law=st.sampled_from(list(LAWS)), seed=st.integers(0, 99), batch=st.sampled_from([(), (2,)]))
def test_operators_sweeps_and_transfers_are_the_plain_ones(box, law, seed, batch):
    """To the rounding of sums of 2 d products, and of exp, which has two units in the last place."""
    shape, boundary, centering = box
    if len(shape) == 1 or (not LAWS[law] and not any(end[0] in "dr" for pair in boundary for end in pair)):
        return
    problem = NonlinearPoisson(shape, boundary=boundary, centering=centering, **LAWS[law])
    rng = np.random.default_rng(seed)
    u, f = rng.uniform(-1, 1, (2, *batch, *shape))
    g = problem.read_sides(given_sides(problem, rng), u.dtype)
    (fast, plain) = (mg.backend.with_sides(g).hierarchy for mg in pair(problem, levels=3))
    A, B = fast.levels[0].A, plain.levels[0].A
    assert type(A) is not type(B)
    if batch:
        u[1] = 0.5 * u[1]
    slope = float(np.max(B.slope(u)))
    assert abs(A(u) - B(u)).max() <= 8 * len(shape) * EPS * slope
    for omega in (0.9, None):
        moved, expected = (each.sweep(u, f, omega, 1.15) for each in (A, B))
        least = float(np.min(B.slope(u)))  # a change is a residual over it; each colour takes over what has changed
        assert abs(moved - expected).max() <= 1e3 * EPS * slope / least * (1 + abs(expected).max())
    for one, other in zip(fast.levels[:-1], plain.levels[:-1], strict=True):
        if one.A is A:
            assert np.allclose(one.R(u), other.R(u), rtol=0, atol=16 * EPS)
            coarse = other.R(u)
            assert np.allclose(one.P(coarse, u), other.P(coarse, u), rtol=0, atol=16 * EPS)
    for one, other in zip(fast.interpolations[:1], plain.interpolations[:1], strict=True):
        coarse = other.restrict_data(u)
        assert np.allclose(one.restrict_data(u), coarse, rtol=0, atol=16 * EPS)
        assert np.allclose(one(coarse, g), other(coarse, g), rtol=0, atol=64 * EPS)


@pytest.mark.parametrize("at_once", [40, 10**6])
def test_parts_of_the_grid_make_no_difference(at_once, monkeypatch):
    from pde.backends.numba.nonlinear import operator

    shape = (13, 15)
    u, f = np.random.default_rng(2).uniform(-1, 1, (2, *shape))
    for boundary in ("dirichlet", "periodic"):
        with monkeypatch.context() as patch:
            patch.setattr(operator, "AT_ONCE", at_once)
            fast, plain = pair(NonlinearPoisson(shape, boundary=boundary, reaction="u**3"), levels=2)
            moved = fast.levels[0].A.sweep(u, f)
        assert np.allclose(moved, plain.levels[0].A.sweep(u, f), rtol=0, atol=64 * EPS)


def test_a_solve_is_the_plain_one():
    problem = NonlinearPoisson((40, 33), boundary=("dirichlet", "neumann"), reaction="-2*exp(u)")
    f, g = np.random.default_rng(5).uniform(-1, 1, (40, 33)), {(0, 0): 0.5, (1, 0): lambda x, y: x}
    f.flags.writeable = False
    fast, plain = pair(problem)
    one, other = fast.solve(f, g, rtol=1e-11), plain.solve(f, g, rtol=1e-11)
    assert one.converged
    assert one.cycles == other.cycles
    assert abs(one.u - other.u).max() <= 1e-9 * abs(other.u).max()  # rtol times the condition of smooth parts, below 10
    assert np.array_equal(pickle.loads(pickle.dumps(fast)).solve(f, g, rtol=1e-11).u, one.u)
    assert "Numba" in str(fast)
    assert "Numba" not in str(plain)


@pytest.mark.slow
def test_float32_and_data_of_members():
    """Data of sides in float64; to the rounding of float32 times the condition of a cycle, below 100."""
    problem = NonlinearPoisson((60, 45), boundary=["dirichlet", ("neumann", ("robin", 2.0))], reaction="-exp(u)")
    rng = np.random.default_rng(0)
    f, g = rng.uniform(-1, 1, (3, 60, 45)).astype(np.float32), {(0, 0): rng.uniform(-1, 1, (3, 45))}
    one, other = (mg.solve(f, g, rtol=1e-5) for mg in pair(problem, dtype="float32"))
    assert one.u.dtype == np.float32
    assert abs(one.u - other.u).max() <= 100 * np.finfo(np.float32).eps


def test_transfers_are_compiled_around_a_coefficient():
    problem = NonlinearPoisson((40, 33), coefficient="1 + u**2")
    fast, plain = pair(problem)
    assert abs(fast.full_multigrid(1.0) - plain.full_multigrid(1.0)).max() <= 1e-12
    assert type(fast.levels[0].A) is type(plain.levels[0].A)


def test_the_exponential():
    from pde.backends.numba.nonlinear.exponential import exp

    x = np.concatenate([np.linspace(-708, 709, 9999), np.random.default_rng(0).uniform(-2, 2, 9999)])
    assert abs(exp(x) / np.exp(x.astype(np.longdouble)) - 1).max() <= 2 * EPS
    assert exp(np.array([0.0, np.inf, -np.inf, 800.0, -800.0])).tolist() == [1.0, np.inf, 0.0, np.inf, 0.0]
    assert np.isnan(exp(np.array([np.nan]))).all()
    assert exp(x[:4].astype(np.float32)).dtype == np.float32


def test_one_dimension_and_unknown_kernels_are_refused():
    with pytest.raises(ValueError, match='kernels="numba": in one dimension'):
        Multigrid(NonlinearPoisson(9, reaction="u**3"), kernels="numba")
    with pytest.raises(ValueError, match="kernels must be one of 'auto', 'numpy', 'numba'"):
        Multigrid(NonlinearPoisson(9, reaction="u**3"), kernels="torch")


def test_large_grids_take_them_by_themselves():
    assert pde.Multigrid(NonlinearPoisson((520, 520), reaction="u**3")).backend.runs_in == "Numba"
    assert pde.Multigrid(NonlinearPoisson((500, 500), reaction="u**3")).backend.runs_in == "NumPy"
