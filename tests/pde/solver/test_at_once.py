"""Solves that are one call: the numbers of the loop of `mgcore`, and the solutions of members when asked for."""

import pickle
from dataclasses import fields

import numpy as np
import pytest

import pde

SHAPE = (20, 17)


@pytest.fixture(scope="module", autouse=True)
def direct_starts():
    """As they are by default."""


def solver(**options):
    return pde.Multigrid(pde.Poisson(SHAPE), kernels="numba", **options)


def in_the_loop(mg, f, **options):
    """A solve by `mgcore.solve_batch`."""
    at_once, mg._at_once = mg._at_once, None
    try:
        return mg.solve(f, **options)
    finally:
        mg._at_once = at_once


def assert_same(mine, other):
    for each in fields(other):
        if each.name in ("seconds", "members", "u"):
            continue
        assert getattr(mine, each.name) == getattr(other, each.name), each.name
    np.testing.assert_array_equal(mine.u, other.u)
    assert len(mine.members) == len(other.members)
    for a, b in zip(mine.members, other.members, strict=True):
        assert_same(a, b)


def data(*batch, seed=0):
    return np.random.default_rng(seed).standard_normal((*batch, *SHAPE))


@pytest.mark.parametrize("options", [{}, {"levels": 2}, {"nu": (2, 1)}])
@pytest.mark.parametrize("batch", [(), (1,), (3,), (9,), (2, 5)])
@pytest.mark.parametrize("cycle", ["fmg", "W"])
@pytest.mark.parametrize("limits", [{}, {"rtol": 1e-4, "atol": 0.01}])
def test_it_is_the_loop(options, batch, cycle, limits):
    mg, f = solver(**options), data(*batch)
    mg.solve(f)
    assert_same(mg.solve(f, cycle=cycle, **limits), in_the_loop(mg, f, cycle=cycle, **limits))


def test_it_is_taken(monkeypatch):
    """Else the other tests compare the loop with itself."""
    from pde.solver import multigrid

    mg, f = solver(), data()
    mg.solve(f)
    monkeypatch.setattr(multigrid.mgcore, "solve_batch", None)
    assert mg.solve(f).converged
    assert mg.solve(data(9)).converged
    with pytest.raises(TypeError):
        mg.solve(f, u0=f)


@pytest.mark.parametrize(
    ("f", "options", "reason"),
    [
        (0 * data(), {}, "converged"),
        (np.concatenate((data(4), 0 * data(1))), {}, "converged"),
        (1e-200 * data(), {}, "converged"),
        (data(), {"rtol": 2.0}, "converged"),
        (data(), {"max_cycles": 0}, "max_cycles"),
        (data(), {"rtol": 0.0}, "rounding"),
        (data(5), {"rtol": 0.0}, "rounding"),
        (data(), {"cycle": "V", "max_cycles": 2}, "max_cycles"),
        (np.asfortranarray(data()), {}, "converged"),
        (data().astype(np.float32), {}, "converged"),
    ],
)
def test_others_run_in_the_loop(f, options, reason):
    mg = solver()
    solution = mg.solve(f, **options)
    assert solution.reason == reason
    assert_same(solution, in_the_loop(mg, f, **options))


def test_out_takes_the_result():
    mg = solver()
    for f in (data(), data(6)):
        out, u = np.empty_like(f), mg.solve(f).u
        assert mg.solve(f, out=out).u is out
        np.testing.assert_array_equal(out, u)
        assert mg.solve(f, out=f).u is f
        np.testing.assert_array_equal(f, u)
    with pytest.raises(ValueError, match="out must be an array of shape"):
        mg.solve(data(), out=np.empty((3, 3)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [np.inf, 1e308])
@pytest.mark.parametrize("batch", [(), (6,)])
def test_no_warning_on_the_way(bad, batch):
    mg, f = solver(), data(*batch)
    f[..., 2, 3] = bad
    if bad == np.inf:
        with pytest.raises(ValueError, match="f must be finite"):
            mg.solve(f)
    else:
        assert_same(mg.solve(f), in_the_loop(mg, f))


def test_infinite_data_are_refused():
    f = data()
    f[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"f must be finite.*index \(3, 4\)"):
        solver().solve(f)


def test_members_are_made_once_and_pickled():
    mg = solver()
    solution = mg.solve(data(7))
    copied, changed = pickle.loads(pickle.dumps(solution)), solution.changed(seconds=1.0)
    assert "members" not in vars(solution)
    assert solution.members is solution.members
    assert np.shares_memory(solution.members[2].u, solution.u)
    assert_same(copied, solution)
    assert_same(changed, solution)
    assert changed.seconds == 1.0
