"""Mixed precision on compiled kernels: the pass in float64 around cycles in float32, and whole solves."""

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from mgcore.stopping import Remaining
from pde.backends.data import Data
from pde.backends.mixed import Mixed
from pde.backends.numba import correction
from pde.backends.numba.correction import Correction
from pde.backends.numba.mixed import MixedNumba
from tests.pde import rounding
from tests.pde.kernel_solvers import solvers

SINGLE, EPS32 = np.float32, float(np.finfo(np.float32).eps)
GUARD, VALUE = 40, 2.0**99
QUIETLY = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def guarded(array):
    """A copy between numbers that nobody is to write, and those numbers."""
    whole = np.full(array.size + 2 * GUARD, VALUE, array.dtype)
    inside = whole[GUARD:-GUARD].reshape(array.shape)
    inside[...] = array
    return inside, (whole[:GUARD], whole[-GUARD:])


def poisoned(problem, threads, shares=4, streamed=1 << 30):
    """A pass of several blocks on grids of any size, which must not read what it has not written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(correction, "PARALLEL", 1)
        patch.setattr(correction, "LEAST", 1)
        patch.setattr(correction, "SHARES", shares)
        patch.setattr(correction, "STREAMED", streamed)
        made = Correction(problem.grid, problem.terms, threads)
    for each in (made._halo, *made._rows):
        each.fill(np.nan)
    return made


@settings(max_examples=30, **QUIETLY)
@given(
    mg=solvers(least=2),
    threads=st.integers(1, 3),
    shares=st.sampled_from([1, 4]),
    streamed=st.sampled_from([1, 1 << 30]),
    in_place=st.booleans(),
    has_u=st.booleans(),
    has_d=st.booleans(),
    powers=st.tuples(st.integers(-60, 60), st.integers(-60, 60)),
    seed=st.integers(0, 2**31),
)
def test_the_pass_is_the_algebra(mg, threads, shares, streamed, in_place, has_u, has_d, powers, seed):
    problem, rng = mg.problem, np.random.default_rng(seed)
    s, t = (2.0**k for k in powers)
    f, u = rng.standard_normal((2, *problem.shape))
    d = rng.standard_normal(problem.shape).astype(SINGLE) if has_d else None
    new = (u if has_u else 0 * u) + (s * d.astype(float) if has_d else 0)
    given_u, guards = guarded(u) if has_u else (None, ())
    out, more = (given_u, ()) if in_place and has_u else guarded(np.full(problem.shape, np.nan))
    r, others = guarded(np.full(problem.shape, np.nan, SINGLE))
    norm = poisoned(problem, threads, shares, streamed)(f, given_u, d, s, out, r, t)
    if has_d:
        np.testing.assert_array_equal(out, new)
    A, W = problem._operator, problem.control_volumes()
    exact, lost = f - A(new), rounding.of_a_residual(pde.Multigrid(problem, kernels="numpy"), f, new)
    assert np.all(np.abs(t * r.astype(float) - exact) <= lost + EPS32 * np.abs(exact) + t * 2.0**-149)
    assert norm == pytest.approx(np.sqrt(np.sum(W * exact**2) / np.sum(W)), abs=lost, rel=rounding.EPS * f.size)
    for each in (*guards, *more, *others):
        assert np.all(each == VALUE)


@settings(max_examples=20, **QUIETLY)
@given(mg=solvers(least=2), seed=st.integers(0, 2**31))
def test_threads_and_blocks_change_nothing(mg, seed):
    rng = np.random.default_rng(seed)
    f, u = rng.standard_normal((2, *mg.problem.shape))
    d = rng.standard_normal(mg.problem.shape).astype(SINGLE)
    results = []
    for threads, shares, streamed in ((1, 1, 1), (2, 1, 1 << 30), (3, 4, 1)):
        out, r = u.copy(), np.empty_like(d)
        norm = poisoned(mg.problem, threads, shares, streamed)(f, out, d, 0.5, out, r, 2.0)
        results.append((out, r, norm))
    for out, r, norm in results[1:]:
        np.testing.assert_array_equal(out, results[0][0])
        np.testing.assert_array_equal(r, results[0][1])
        assert norm == results[0][2]


def test_a_constant_has_no_residual():
    problem = pde.Poisson((24, 10, 9), boundary=["periodic", "neumann", "neumann"], coefficient=lambda *x: 1 + x[0])
    f, u, r = np.zeros(problem.shape), np.full(problem.shape, 0.1), np.empty(problem.shape, SINGLE)
    assert Correction(problem.grid, problem.terms, 1)(f, u, None, 1.0, None, r, 1.0) == 0
    assert not r.any()


def of_mixed(problem, **options):
    mg = pde.Multigrid(problem, dtype="mixed", kernels="numba", **options)
    assert isinstance(mg.backend, MixedNumba)
    return mg


def iterates(backend, kind, data, guess, count):
    """The iterates of so many cycles, and their norms."""
    iteration, found = backend.start(kind, None, data, guess), []
    iteration.norms()
    for _ in range(count):
        (norms,) = iteration.advance([LEFT])
        found.append((iteration.u()[0].copy(), norms[-1]))
    return found


LEFT = Remaining(last=1.0, scale=1.0, tolerance=0.0, cycles=1)


@settings(max_examples=25, **QUIETLY)
@given(
    data=st.data(), kind=st.sampled_from(["V", "W", "F", "backslash"]), guessed=st.booleans(), seed=st.integers(0, 99)
)
def test_iterates_are_those_of_the_plain_class(data, kind, guessed, seed):
    """Around the same cycles in float32: residuals differ by rounding, and their last digit in float32."""
    plain = data.draw(solvers(least=2).filter(lambda mg: len(mg.levels) > 1 and not mg.problem.terms.varies))
    problem, rng = plain.problem, np.random.default_rng(seed)
    mg = of_mixed(problem, smoother=plain.smoother, nu=plain.nu)
    backend = mg.backend
    f, u0 = rng.standard_normal((2, 1, *problem.shape))
    given = Data(f, sizes=backend.norms(f))
    guess = u0 if guessed else None
    compiled = iterates(backend, kind, given, guess, 4)
    expected = iterates(Mixed(backend.hierarchy, backend.inner), kind, given, guess, 4)
    double, single = (pde.Multigrid(problem, dtype=d, kernels="numpy", nu=plain.nu) for d in ("float64", "float32"))
    before, bound = u0[0] if guessed else np.zeros(problem.shape), 0.0
    for (u, norm), (v, other) in zip(compiled, expected, strict=True):
        r = f[0] - problem.apply(before)
        bound += rounding.of_a_cycle(single, r, v - before) + rounding.of_a_cycle(double, f, v, before)
        assert np.max(np.abs(u - v)) <= bound
        lost = rounding.of_a_residual(double, f, v) + 2 * rounding.largest(double) * bound
        assert norm == pytest.approx(other, abs=lost)
        before = v


@pytest.mark.parametrize("shape", [(40, 33), (12, 14, 9)])
@pytest.mark.parametrize("power", [-1000, -340, 340, 900])
def test_the_size_of_f_changes_no_digit(shape, power):
    mg, f = of_mixed(pde.Poisson(shape)), np.random.default_rng(0).standard_normal(shape)
    one, other = (mg.solve(k * f, rtol=1e-11) for k in (1.0, 2.0**power))
    assert one.converged
    np.testing.assert_array_equal(other.u, 2.0**power * one.u)
    np.testing.assert_allclose(other.residual_norms, one.residual_norms, rtol=rounding.EPS * f.size)


@pytest.mark.parametrize("size", [1e60, 1e150, 1e250])
def test_a_first_guess_far_off(size):
    """Its residual over the size of f is beyond float32, and the square of that beyond float64."""
    mg, f = of_mixed(pde.Poisson((40, 33))), np.ones((40, 33))
    exact = pde.Multigrid(pde.Poisson((40, 33)), kernels="numpy")
    u0 = size * np.random.default_rng(0).standard_normal(f.shape)
    mine, other = (each.solve(f, u0=u0, max_cycles=8) for each in (mg, exact))
    assert mine.residual_norms[0] == pytest.approx(other.residual_norms[0], rel=1e-12)
    assert mine.residual_norms[-1] <= 2 * other.residual_norms[-1]
    assert mine.reason == other.reason


@pytest.mark.parametrize("n", [100, 140])
def test_members_of_a_batch_are_solved_as_if_alone(n):
    """With full multigrid in float32, and in float64."""
    problem = pde.Poisson((n, 30), boundary=[("neumann", "dirichlet"), "neumann"])
    mg, rng = of_mixed(problem), np.random.default_rng(0)
    assert (mg.backend.double is None) == (n == 100)
    f = rng.standard_normal((3, n, 30)) * np.array([1e-80, 0.0, 1e20])[:, None, None]
    f[2] = 1e20 * np.cos(rng.random())
    together = mg.solve(f, rtol=1e-11)
    assert together.converged
    for i in range(3):
        alone = of_mixed(problem).solve(f[i], rtol=1e-11)
        np.testing.assert_array_equal(together.u[i], alone.u)


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
@pytest.mark.parametrize("shape", [(100, 64), (140, 64), (20, 24, 16)])
def test_solves_as_float64_does(boundary, shape):
    problem = pde.Poisson(shape, boundary=boundary)
    f, W = np.random.default_rng(0).standard_normal(shape), problem.control_volumes()
    if problem.singular:
        f -= np.sum(W * f) / np.sum(W)
    g = (lambda *x: np.sin(3 * x[0]) * np.exp(x[1])) if boundary == "dirichlet" else None
    mg, exact, out = of_mixed(problem), pde.Multigrid(problem, kernels="numba"), np.empty(shape)
    mine, other = mg.solve(f, g, rtol=1e-11, out=out), exact.solve(f, g, rtol=1e-11)
    assert mine.u is out
    assert mine.converged
    assert abs(mine.cycles - other.cycles) <= 1
    one = exact.full_multigrid(f, g)
    assert np.max(np.abs(mg.full_multigrid(f, g) - one)) <= 1e-4 * np.max(np.abs(one))
    if problem.singular:
        assert abs(np.sum(W * mine.u)) <= 1e-13 * np.sum(W * np.abs(mine.u))


def test_iterates_that_were_given_away_stay_as_they_are():
    mg, f, seen = of_mixed(pde.Poisson((60, 50))), np.random.default_rng(0).standard_normal((60, 50)), []
    solution = mg.solve(f, rtol=1e-10, callback=lambda progress: seen.append((progress.u, progress.u.copy())) and None)
    assert len(seen) == solution.cycles
    for u, copy in seen:
        np.testing.assert_array_equal(u, copy)
    again = mg.solve(f, rtol=1e-10, callback=lambda progress: None)  # cycles one by one, as before
    np.testing.assert_array_equal(solution.u, again.u)
    u0 = seen[0][1].copy()
    mg.solve(f, u0=u0)
    np.testing.assert_array_equal(u0, seen[0][1])


def test_ends_at_the_rounding_of_float64():
    problem = pde.Poisson((150, 200))
    mine, other = (
        pde.Multigrid(problem, dtype=dtype, kernels="numba").solve(1.0, rtol=1e-17) for dtype in ("mixed", "float64")
    )
    assert mine.reason == other.reason == "rounding"
    assert mine.residual_norms[-1] <= mine.attainable == pytest.approx(other.attainable, rel=1e-6)


def test_numbers_that_are_none_are_told():
    f = np.ones((60, 50))
    f[3, 4] = np.nan
    with pytest.raises(ValueError, match="f"):
        of_mixed(pde.Poisson((60, 50))).solve(f)


def test_a_solver_can_be_pickled():
    mg, f = of_mixed(pde.Poisson((60, 50))), np.ones((60, 50))
    u = mg.solve(f).u
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(mg)).solve(f).u, u)
    assert "float32 cycles in a float64 residual" in str(mg)


@pytest.mark.parametrize("shape", [(60, 50), (20, 24, 16)])
def test_two_cycles_to_one_residual(shape, monkeypatch):
    """The norm between them is of float32; that of the second one is of float64."""
    mg, f = of_mixed(pde.Poisson(shape)), np.random.default_rng(0).standard_normal(shape)
    correct, passes = Correction.__call__, []
    monkeypatch.setattr(Correction, "__call__", lambda *given: (passes.append(given), correct(*given))[1])
    one = mg.solve(f, cycle="V", rtol=1e-14, max_cycles=1)
    assert len(passes) == 2
    two = mg.solve(f, cycle="V", rtol=1e-14, max_cycles=2)
    assert len(passes) == 4
    single = pde.Multigrid(mg.problem, dtype="float32", kernels="numpy")
    lost = rounding.of_a_residual(single, f, one.u)
    scale = np.sqrt(np.mean(f**2))
    assert 0 < abs(two.residual_norms[1] - one.residual_norms[1]) <= lost / scale
    r = f - mg.problem.apply(two.u)
    assert two.residual_norms[2] == pytest.approx(np.sqrt(np.mean(r**2)) / scale, rel=1e-9)


def test_solves_use_the_memory_of_those_before():
    mg, f = of_mixed(pde.Poisson((60, 50))), np.ones((60, 50))
    first = mg.solve(f)
    (r, _), kept = mg.backend._spare[0], first.u.copy()
    mg.solve(2 * f)
    assert mg.backend._spare[0][0] is r
    np.testing.assert_array_equal(first.u, kept)
