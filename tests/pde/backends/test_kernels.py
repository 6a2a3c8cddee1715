"""The solver that runs on compiled kernels, against the one that does not."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from pde.backends.numba import kernels
from tests.pde import rounding
from tests.pde.kernel_solvers import solvers

CASES = [
    ({"shape": (33, 20)}, None),
    ({"shape": (33, 20)}, lambda x, y: x * y + 1),
    ({"shape": (24, 31), "boundary": "neumann", "centering": "cell"}, None),
    ({"shape": (16, 32), "boundary": "periodic"}, None),
    ({"shape": (21, 27), "boundary": "periodic"}, None),
    ({"shape": (9, 17, 12), "boundary": ("robin", 2.0), "centering": "cell"}, 1.0),
    ({"shape": (33, 20), "coefficient": lambda x, y: 1 + x * y}, lambda x, y: x * y + 1),
    ({"shape": (20, 33), "coordinates": (None, np.linspace(0, 1, 35) ** 1.1)}, None),
]
HOW = [{}, {"cycle": "W"}, {"cycle": "backslash"}, {"accel": "cg"}, {"callback": lambda progress: None}]


@pytest.mark.parametrize(("arguments", "g"), CASES)
@pytest.mark.parametrize("how", HOW)
def test_a_solve_on_kernels_is_the_plain_one(arguments, g, how):
    problem = pde.Poisson(**arguments)
    f = np.random.default_rng(3).standard_normal((3, *problem.shape))
    f[1] = 0
    if problem.singular:
        f -= pde.problem.inner_product.Volumes(problem.grid.volumes()).mean(f)[:, None, None]
    plain, compiled = (pde.Multigrid(problem, kernels=k, threads=2) for k in ("numpy", "numba"))
    before = f.copy()
    a, b = plain.solve(f, g=g, **how), compiled.solve(f, g=g, **how)
    np.testing.assert_array_equal(f, before)
    for x, y in zip(a.members, b.members, strict=True):
        assert (x.cycles, x.reason) == (y.cycles, y.reason)
    whole = problem.embed(a.u, 0.0 if g is None else g)
    for i, (x, y) in enumerate(zip(a.members, b.members, strict=True)):
        lost = rounding.of_a_residual(plain, f, whole) / (np.sqrt(np.mean(f[i] ** 2)) or 1.0)
        np.testing.assert_allclose(y.residual_norms, x.residual_norms, rtol=64 * rounding.EPS, atol=lost)
    np.testing.assert_allclose(b.u, a.u, rtol=0, atol=max(1, a.cycles) * rounding.of_a_cycle(plain, f, whole))


def test_a_first_guess_stays_as_it_is():
    mg = pde.Multigrid(pde.Poisson((20, 20)), kernels="numba")
    u0 = np.ones((20, 20))
    mg.solve(1.0 + 0 * u0, u0=u0)
    np.testing.assert_array_equal(u0, 1.0)


def test_iterates_that_a_callback_keeps_stay_as_they_are():
    mg, kept = pde.Multigrid(pde.Poisson((20, 20)), kernels="numba"), []
    mg.solve(np.ones((20, 20)), callback=lambda progress: kept.append((progress.u, progress.u.copy())) and None)
    assert len(kept) > 2
    for u, copy in kept:
        np.testing.assert_array_equal(u, copy)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("given", ["float64", "float32"])
def test_the_preconditioner_is_the_plain_one(dtype, given):
    problem = pde.Poisson((21, 18), boundary="neumann")
    x = np.random.default_rng(0).standard_normal(problem.grid.size).astype(given)
    a, b = (pde.Multigrid(problem, kernels=k, dtype=dtype).as_preconditioner() @ x for k in ("numpy", "numba"))
    assert a.dtype == b.dtype == np.dtype(dtype)
    np.testing.assert_allclose(b, a, atol=1e4 * np.finfo(dtype).eps * np.max(np.abs(a)))


def test_numbers_of_another_kind_do_not_reach_the_kernels():
    mg = pde.Multigrid(pde.Poisson((21, 18)), kernels="numba", dtype="float32")
    f, out = np.ones((21, 18)), np.empty((21, 18), np.float32)
    with pytest.raises(TypeError, match="f must be float32 for these kernels, got float64"):
        mg.backend.kernels.cycle("V", f, None, out)


def test_what_runs_is_said():
    problem = pde.Poisson((31, 31))
    assert "compiled kernels, 2 threads" in str(pde.Multigrid(problem, kernels="numba", threads=2))
    assert "Numba" in str(pde.Multigrid(problem, kernels="numba"))
    assert 'no compiled kernels: kernels="numpy"' in str(pde.Multigrid(problem, kernels="numpy"))
    assert "no compiled kernels: fewer than" in str(pde.Multigrid(problem))


REFUSED = [
    ({"shape": (31,), "domain": np.arange(31) > 3}, {"levels": 64}, "two and three dimensions"),
    ({"shape": (31, 31)}, {"smoother": "jacobi"}, "red-black sweeps"),
    ({"shape": (31, 31)}, {"coarse": "galerkin"}, "rediscretised"),
    ({"shape": (31, 31), "coefficient": lambda x, y: np.exp(40 * x)}, {}, "one level"),
    ({"shape": (31, 31)}, {"levels": 1}, "one level"),
]


@pytest.mark.parametrize(("arguments", "options", "words"), REFUSED)
def test_what_there_are_no_kernels_for_is_refused_on_request_and_solved_without(arguments, options, words, monkeypatch):
    problem = pde.Poisson(**arguments)
    with pytest.raises(ValueError, match=words):
        pde.Multigrid(problem, kernels="numba", **options)
    monkeypatch.setattr(pde.backends.numba.backend, "SMALLEST", 1)
    assert words in str(pde.Multigrid(problem, **options))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"threads": 0}, "threads"), ({"threads": 1.5}, "threads"), ({"kernels": "cuda"}, "kernels")],
)
def test_bad_arguments_are_named(options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        pde.Multigrid(pde.Poisson((31, 31)), **options)


def test_a_pickled_solver_gives_the_same():
    mg = pde.Multigrid(pde.Poisson((33, 40)), kernels="numba")
    f = np.random.default_rng(1).standard_normal((33, 40))
    u = mg.solve(f).u
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(mg)).solve(f).u, u)


def test_large_problems_take_kernels_by_themselves(monkeypatch):
    monkeypatch.setattr(pde.backends.numba.backend, "SMALLEST", 300)
    assert "compiled kernels," in str(pde.Multigrid(pde.Poisson((20, 20))))
    assert "no compiled kernels" in str(pde.Multigrid(pde.Poisson((10, 10))))


def test_an_update_that_has_no_kernels_leaves_the_solver_as_it_was():
    mg = pde.Multigrid(pde.Poisson((33, 40), reaction=1.0), kernels="numba")
    f = np.ones((33, 40))
    u = mg.solve(f).u
    with pytest.raises(ValueError, match="one level"):
        mg.update(coefficient=lambda x, y: np.exp(40 * x))
    np.testing.assert_array_equal(mg.solve(f).u, u)
    fresh = pde.Multigrid(pde.Poisson((33, 40), reaction=50.0), kernels="numba").solve(f).u
    np.testing.assert_array_equal(mg.update(reaction=50.0).solve(f).u, fresh)


@pytest.mark.parametrize("shape", [(33, 20), (3, 33, 20)])
def test_the_result_may_go_into_f_into_u0_or_into_every_second_number(shape):
    mg = pde.Multigrid(pde.Poisson(shape[-2:]), kernels="numba", threads=2)
    f, wide = np.random.default_rng(4).standard_normal(shape), np.zeros((*shape[:-1], 2 * shape[-1]))
    nested, solved = mg.full_multigrid(f), mg.solve(f).u
    for out in (np.full(shape, np.nan), wide[..., ::2], f.copy()):
        np.testing.assert_array_equal(mg.full_multigrid(out if np.array_equal(out, f) else f, out=out), nested)
    for out in (np.full(shape, np.nan), wide[..., ::2], f.copy()):
        solution = mg.solve(out if np.array_equal(out, f) else f, out=out)
        assert solution.u is out
        np.testing.assert_array_equal(out, solved)
    u0 = nested.copy()
    again = mg.solve(f, u0=nested).u
    np.testing.assert_array_equal(mg.solve(f, u0=u0, out=u0).u, again)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    mg=solvers(),
    cycle=st.sampled_from(["fmg", "V", "W", "F", "backslash"]),
    rtol=st.sampled_from([1e-3, 1e-8, 1e-30]),
    max_cycles=st.sampled_from([1, 3, 10**9]),
    guess=st.booleans(),
    most=st.sampled_from([2, 64]),
    seed=st.integers(0, 2**31),
)
def test_cycles_in_one_call_are_those_made_one_by_one(mg, cycle, rtol, max_cycles, guess, most, seed):
    """To the last bit, for a batch whose members need different numbers of them; who has a callback gets each alone."""
    if len(mg.levels) == 1:
        return
    how = {"smoother": mg.smoother, "nu": mg.nu, "dtype": mg.dtype}
    mg = pde.Multigrid(mg.problem, kernels="numba", **how)
    f = np.random.default_rng(seed).standard_normal((3, *mg.problem.shape)).astype(mg.dtype)
    f[1] = mg.problem.apply(np.full(mg.problem.shape, 7.0))
    options = {"u0": np.ones_like(f) if guess else None, "cycle": cycle, "rtol": rtol, "max_cycles": max_cycles}
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        real = kernels.Kernels.solve
        patch.setattr(kernels, "MOST", most)
        patch.setattr(kernels.Kernels, "solve", lambda *args: calls.append(1) or real(*args))
        at_once, one_by_one = mg.solve(f, **options), mg.solve(f, **options, callback=lambda progress: None)
    assert len(calls) >= 3
    np.testing.assert_array_equal(at_once.u, one_by_one.u)
    for a, b in zip(at_once.members, one_by_one.members, strict=True):
        assert a.residual_norms == b.residual_norms
        assert (a.reason, a.cycles, a.attainable) == (b.reason, b.cycles, b.attainable)
        assert a.work_units == b.work_units


@pytest.mark.parametrize("cycle", ["fmg", "V"])
@pytest.mark.parametrize("options", [{}, {"callback": lambda progress: None}])
def test_f_and_u0_in_the_order_of_fortran(cycle, options):
    mg, rng = pde.Multigrid(pde.Poisson((33, 20)), kernels="numba"), np.random.default_rng(5)
    f, u0 = rng.standard_normal((2, 3, 33, 20))
    fortran = lambda v: None if v is None else np.asfortranarray(v)  # noqa: E731
    for guess in (None, u0):
        expected = mg.solve(f, u0=guess, cycle=cycle, **options)
        turned = mg.solve(np.asfortranarray(f), u0=fortran(guess), cycle=cycle, **options)
        np.testing.assert_array_equal(turned.u, expected.u)
    for one in (f[0], np.moveaxis(f, 0, -1)[..., 0]):
        other = np.asfortranarray(one)
        np.testing.assert_array_equal(
            mg.solve(other, cycle=cycle, **options).u, mg.solve(one, cycle=cycle, **options).u
        )
        np.testing.assert_array_equal(mg.cycle(other, other), mg.cycle(one, one))
        np.testing.assert_array_equal(mg.full_multigrid(other), mg.full_multigrid(one))


@pytest.mark.parametrize("size", [1e-280, 1e-200, 1e-120, 1e120, 1e200, 1e290])
def test_numbers_whose_squares_overflow_or_vanish(size):
    f, problem = np.random.default_rng(1).standard_normal((2, 31, 20)), pde.Poisson((31, 20))
    f[0] *= size
    plain, compiled = (pde.Multigrid(problem, kernels=kernels).solve(f) for kernels in ("numpy", "numba"))
    assert compiled.converged
    u, mg = plain.u / np.array([size, 1.0])[:, None, None], pde.Multigrid(problem, kernels="numpy")
    f[0] /= size
    for a, b in zip(plain.members, compiled.members, strict=True):
        assert a.cycles == b.cycles
        lost = rounding.of_a_residual(mg, f, u)  # of data of size one
        np.testing.assert_allclose(b.residual_norms, a.residual_norms, rtol=64 * rounding.EPS, atol=2 * lost)
    bound = plain.cycles * rounding.of_a_cycle(mg, f, u)
    np.testing.assert_allclose(compiled.u[0] / size, u[0], rtol=0, atol=bound)


def test_the_table_counts_the_memory_of_the_kernels():
    mg = pde.Multigrid(pde.Poisson((31, 31)), kernels="numba")
    before = str(mg)
    mg.solve(np.ones((31, 31)))
    kinds = [re.search(r"work space of the kernels ([\d.]+) (kB|MB)", text) for text in (before, str(mg))]
    assert all(kinds)
    assert "work space" not in str(pde.Multigrid(pde.Poisson((31, 31)), kernels="numpy"))
    sizes = [float(kind[1]) for kind in kinds]
    # u and f of every level, and no less: the finest f and u are the user's, its u once more between the passes
    assert sizes[1] >= sizes[0] > 0
    assert sizes[1] >= 8 * (31 * 31 + 2 * 15 * 15) / 1000
