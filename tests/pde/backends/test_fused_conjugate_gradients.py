"""Conjugate gradients on the fused kernels against those on plain levels."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pde
from mgcore import Remaining
from pde.backends.data import Data, Options
from pde.backends.numba import level_data, recording
from pde.backends.numba.backend import Numba
from pde.backends.numba.krylov import FusedConjugateGradients
from pde.backends.numba.variants import variant_of
from tests.pde import rounding
from tests.pde.kernel_solvers import solvers

ONE = Remaining(last=1.0, scale=1.0, tolerance=0.0, cycles=1)
RUNS = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def fused(mg, threads=1):
    variant = variant_of(mg.levels, mg.dtype)
    assert not isinstance(variant, str), variant
    return Numba(mg.hierarchy, Options("numba", dtype=mg.dtype, threads=threads), variant).symmetric()


def noise(mg, seed, members=1):
    return np.random.default_rng(seed).standard_normal((members, *mg.problem.shape)).astype(mg.dtype)


def iterates(backend, f, count, u=None, kind="V"):
    """The iterates and the relative norms."""
    iteration, us, norms = backend.start(kind, "cg", Data(f), u), [], []
    for _ in range(count):
        norms.append([each[-1] for each in iteration.advance([ONE] * len(f))])
        us.append(iteration.u())
    return us, norms


@RUNS
@given(
    mg=solvers(),
    kind=st.sampled_from(["V", "V", "W"]),
    threads=st.integers(1, 3),
    guess=st.booleans(),
    streamed=st.sampled_from([0, 1 << 30]),
    seed=st.integers(0, 2**31),
)
def test_iterates_are_those_of_the_plain_levels(mg, kind, threads, guess, streamed, seed):
    """Each of k iterations rounds as a cycle does, and what the ones before have lost goes through it once more."""
    if len(mg.levels) == 1:
        return
    f, u = noise(mg, seed, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "PARALLEL", 1)
        patch.setattr(level_data, "STREAMED", streamed)
        count, u = 3, u[None] if guess else None
        plain, _ = iterates(mg.backend.symmetric(), f[None], count, u, kind)
        mine, norms = iterates(fused(mg, threads), f[None], count, u, kind)
    levels = mg.backend.symmetric().hierarchy.levels
    lost = rounding.of_a_cycle(mg, f, *plain, *([] if u is None else [u]), levels=levels)
    for k in range(count):
        assert np.max(np.abs(mine[k] - plain[k])) <= 2 * (k + 1) ** 2 * lost
        r = f.astype(float) - mg.levels[0].A(mine[k][0].astype(float))
        W = mg.levels[0].info.operator.volumes
        expected = np.sqrt(np.sum(W * r**2) / np.sum(W))
        assert norms[k][0] == pytest.approx(expected, abs=rounding.of_a_residual(mg, f, mine[k]))


@RUNS
@given(mg=solvers(), seed=st.integers(0, 2**31))
def test_threads_change_nothing(mg, seed):
    if len(mg.levels) == 1:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "PARALLEL", 1)
        results = [iterates(fused(mg, threads), noise(mg, seed, 2), 3) for threads in (1, 2, 3, 4)]
    for us, norms in results[1:]:
        np.testing.assert_array_equal(us, results[0][0])
        assert norms == results[0][1]


@RUNS
@given(mg=solvers(), threads=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_steps_one_by_one_give_the_bits_of_one_call(mg, threads, seed):
    """And nothing is read in the work space before it is written, nor written beyond the ends of areas and buffers."""
    if len(mg.levels) == 1:
        return
    f = noise(mg, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "PARALLEL", 1)
        backend = fused(mg, threads)
        at_once = iterates(backend, f, 2)
        executor = backend.kernels.executor
        run_on = executor.run_on
        patch.setattr(executor, "run_on", lambda *given: run_on(*given, check=True))
        checked = iterates(backend, f, 2)
    np.testing.assert_array_equal(checked[0], at_once[0])
    assert checked[1] == at_once[1]


def solver(shape=(40, 33), kernels="numba", **options):
    dtype = options.pop("dtype", "float64")
    given = {"coarse": "rediscretised", "transfer": "bilinear", "levels": 64, "dtype": dtype}
    return pde.Multigrid(pde.Poisson(shape, **options), kernels=kernels, **given)


@pytest.mark.parametrize(
    ("shape", "boundary"),
    [((33, 40), "neumann"), ((64, 32), "periodic"), ((32, 21), ["periodic", "neumann"]), ((8, 16, 8), "periodic")],
)
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_singular_problems(shape, boundary, centering):
    """As many iterations, and a mean of zero in every iterate that is seen."""
    mg, plain = (solver(shape, k, boundary=boundary, centering=centering) for k in ("numba", "numpy"))
    assert mg.problem.singular
    W = mg.problem.control_volumes()
    f = np.random.default_rng(0).standard_normal(shape)
    f -= (W * f).sum() / W.sum()
    seen = []
    solution = mg.solve(f, accel="cg", rtol=1e-9, callback=lambda progress: seen.append(progress.u.copy()))
    expected = plain.solve(f, accel="cg", rtol=1e-9)
    assert solution.converged
    assert solution.cycles == expected.cycles
    at_once = mg.solve(f, accel="cg", rtol=1e-9)
    assert at_once.cycles == expected.cycles
    size = np.abs(expected.u).max()
    for u in (*seen, at_once.u):
        assert abs((W * u).sum() / W.sum()) <= f.size * rounding.EPS * size
    np.testing.assert_allclose(at_once.u, solution.u, rtol=0, atol=1e-8 * size)
    np.testing.assert_allclose(at_once.u, expected.u, rtol=0, atol=1e-8 * size)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_batch_is_solved_as_its_members_are(dtype):
    mg = solver(dtype=dtype)
    f = np.random.default_rng(0).standard_normal((3, 40, 33)) * np.array([1.0, 1e-3, 0.0])[:, None, None]
    f, rtol = f.astype(dtype), 1e-4 if dtype == "float32" else 1e-9
    together = mg.solve(f, accel="cg", rtol=rtol)
    for one, member in zip(f, together.members, strict=True):
        alone = mg.solve(one, accel="cg", rtol=rtol)
        np.testing.assert_array_equal(member.u, alone.u)
        assert member.residual_norms == alone.residual_norms


def test_callbacks_keep_what_they_have_seen():
    mg, f = solver(), np.random.default_rng(0).standard_normal((40, 33))
    guess = np.random.default_rng(1).standard_normal(f.shape)
    for u0 in (None, guess):
        seen, copies, given = [], [], guess.copy()

        def see(progress, seen=seen, copies=copies):
            seen.append(progress.u)
            copies.append(progress.u.copy())

        solution = mg.solve(f, u0=u0, accel="cg", callback=see)
        np.testing.assert_array_equal(seen, copies)
        np.testing.assert_array_equal(guess, given)
        np.testing.assert_array_equal(mg.solve(f, u0=u0, accel="cg").u, solution.u)
        out = np.empty_like(f)
        assert mg.solve(f, u0=u0, accel="cg", out=out).u is out
        np.testing.assert_array_equal(out, solution.u)


def test_products_that_have_lost_digits_are_summed_anew(monkeypatch):
    """Close to an eigenvalue one direction has far less energy than the others, and iterates stay those of NumPy."""
    runs, run = [], FusedConjugateGradients._run

    def told(self, name, *rest):
        runs.append(name)
        return run(self, name, *rest)

    monkeypatch.setattr(FusedConjugateGradients, "_run", told)
    f = np.random.default_rng(0).standard_normal((40, 33))
    mg, plain = (solver(kernels=kernels, reaction=-19.6) for kernels in ("numba", "numpy"))
    one, other = (each.solve(f, accel="cg", rtol=1e-9, cycle="V") for each in (mg, plain))
    assert "energy" in runs
    assert one.reason == other.reason == "converged"
    assert one.cycles == other.cycles
    np.testing.assert_allclose(one.u, other.u, rtol=0, atol=1e-6 * np.abs(other.u).max())


def test_negative_curvature_is_told():
    f = np.random.default_rng(0).standard_normal((40, 33))
    one, other = (
        solver(kernels=kernels, reaction=-35.0).solve(f, accel="cg", cycle="V") for kernels in ("numba", "numpy")
    )
    assert one.reason == other.reason == "indefinite"
    assert one.cycles == other.cycles
    assert np.isfinite(one.u).all()


def test_sparse_factors_of_the_host(monkeypatch):
    mg, f = solver(), np.random.default_rng(0).standard_normal((1, 40, 33))
    expected, norms = iterates(fused(mg), f, 3)
    host = fused(mg)
    monkeypatch.setattr(host.kernels.executor, "is_one_call", False)
    host.kernels.fits_one_call = False
    found, same = iterates(host, f, 3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_allclose(same, norms, rtol=1e-9)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_data_of_any_size(size):
    f = size * np.random.default_rng(0).standard_normal((40, 33))
    one, other = (solver(kernels=kernels).solve(f, accel="cg") for kernels in ("numba", "numpy"))
    assert one.reason == other.reason
    assert one.cycles == other.cycles


def test_memory_of_one_solve_serves_the_next_and_is_nobodys():
    """Neither a result nor `out` nor a first guess is written to by a later solve."""
    mg, (f, g, guess) = solver(), np.random.default_rng(0).standard_normal((3, 40, 33))
    out, given = np.empty_like(f), guess.copy()
    results = [mg.solve(f, accel="cg", rtol=rtol).u for rtol in (1e-2, 1e-3, 1e-4, 1e-5)]
    results += [mg.solve(f, accel="cg", out=out, rtol=1e-6).u, mg.solve(f, u0=guess, accel="cg").u]
    assert mg.backend.symmetric().kernels.spare
    before = [u.copy() for u in results]
    for _ in range(3):
        mg.solve(g, accel="cg", rtol=1e-5)
        mg.solve(np.stack((g, f)), accel="cg", rtol=1e-5)
    np.testing.assert_array_equal(results, before)
    np.testing.assert_array_equal(guess, given)
    np.testing.assert_array_equal(mg.solve(f, accel="cg", rtol=1e-5).u, results[3])
