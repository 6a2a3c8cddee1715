"""Compiled levels of domains and of coefficients that jump, against the plain levels that specify them."""

import pickle
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pde
from mgcore import CYCLES, Remaining
from pde.backends.base import Backend
from pde.backends.data import Data, Options
from pde.backends.numba.backend import make
from pde.backends.numba.multicolour import runner
from pde.backends.numba.multicolour.makers import make_black_box, make_product
from pde.backends.numba.variants import has_seam
from pde.levels import hierarchy
from pde.levels.black_box import OperatorTransfer
from pde.levels.galerkin import nearest
from pde.levels.truncated import TruncatedTransfer, product
from pde.problem.compact import CompactOperator
from pde.problem.operators import StencilOperator
from tests.pde import rounding
from tests.pde.problems import ENDS


def domain(rng, shape, share):
    """Random points, a smooth shape, or everything."""
    if share == 1:
        return np.ones(shape, dtype=bool)
    if share == 0:
        x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
        return sum(v**2 for v in x) < 0.8
    inside = rng.random(shape) < share
    inside[tuple(n // 2 for n in shape)] = True
    return inside


@st.composite
def solvers(draw, dtypes=("float64", "float64", "float32")):
    """A solver on plain levels that there are kernels for, and the shape of its data."""
    ndim, rng = draw(st.sampled_from([2, 2, 3])), np.random.default_rng(draw(st.integers(0, 999)))
    axes, shape = [], []
    for _ in range(ndim):
        around = draw(st.integers(0, 4)) == 0
        axes.append("periodic" if around else (draw(st.sampled_from(ENDS)), draw(st.sampled_from(ENDS))))
        shape.append(draw(st.sampled_from([4, 8, 16])) if around else draw(st.integers(3, 40 if ndim == 2 else 13)))
    given = {"boundary": axes, "centering": draw(st.sampled_from(["vertex", "cell"]))}
    if draw(st.booleans()):
        given["domain"] = domain(rng, shape, draw(st.sampled_from([0, 0.7, 0.95, 1])))
        given["coefficient"] = draw(st.sampled_from([None, 1 + rng.random(shape), 2.0]))
    else:
        given["coefficient"] = 10.0 ** rng.integers(0, 3, shape)
    given["reaction"] = draw(st.sampled_from([0.5, 1 + rng.random(shape)]))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("COARSEST_SIZE_ROUGH", "COARSEST_SIZE_STEEP"):
            patch.setattr(hierarchy, name, 8)
        return pde.Multigrid(
            pde.Poisson(shape, extent=[draw(st.sampled_from([0.5, 1.0, 3.0])) for _ in shape], **given),
            smoother=draw(st.sampled_from(["sor", "red-black"])),
            nu=draw(st.sampled_from([(1, 1), (2, 1), (0, 2), (1, 0), (3, 3)])),
            dtype=draw(st.sampled_from(dtypes)),
            levels=draw(st.sampled_from([2, 64])),
            kernels="numpy",
        )


def compiled(mg, threads=1):
    """The backend with kernels on the same levels, or why there is none."""
    return make(mg.hierarchy, Options("numba", dtype=mg.dtype, threads=threads))


def data(mg, seed, members=2):
    """Right-hand sides and first guesses, zero where there are no unknowns."""
    rng, inside = np.random.default_rng(seed), 1 if mg.problem.domain is None else mg.problem.domain.inside
    return tuple((inside * rng.standard_normal((members, *mg.problem.shape))).astype(mg.dtype) for _ in range(2))


HOW_THEY_RUN = {"threads": st.integers(1, 3), "seed": st.integers(0, 2**31)}


@pytest.fixture(autouse=True)
def threads_on_small_grids(monkeypatch):
    monkeypatch.setattr(runner, "ALONE_BELOW", 1)


@settings(max_examples=30)
@given(mg=solvers(), **HOW_THEY_RUN)
def test_every_cycle_is_that_of_the_plain_levels(mg, threads, seed):
    mine, plain = compiled(mg, threads), Backend(mg.hierarchy, mg.dtype)
    if isinstance(mine, str):
        assert len(mg.levels) == 1 or any(axis.periodic for axis in mg.problem.grid.axes), mine
        return
    f, u = data(mg, seed)
    f.flags.writeable = u.flags.writeable = False
    for backends in ((mine, plain), (mine.symmetric(), plain.symmetric())):
        for kind, guess in (("V", None), ("V", u), ("W", u), ("F", u), ("backslash", None)):
            found, expected = (backend.cycle(kind, Data(f), guess)[0] for backend in backends)
            iterates = (expected,) if guess is None else (expected, guess)
            assert np.max(np.abs(found - expected)) <= rounding.of_a_cycle(mg, f, *iterates)
    in_place = u.copy()
    found, norms = mine.cycle("V", Data(f), in_place, out=in_place, measure="residual")
    np.testing.assert_array_equal(found, mine.cycle("V", Data(f), u)[0])
    r = f.astype(float) - mg.levels[0].A(found.astype(float))
    assert norms is None or norms == pytest.approx(plain.norms(r), abs=rounding.of_a_residual(mg, f, found))


@settings(max_examples=15)
@given(mg=solvers(), seed=st.integers(0, 2**31))
def test_results_do_not_depend_on_the_number_of_threads(mg, seed):
    if isinstance(compiled(mg), str):
        return
    f, u = data(mg, seed)
    one, three = (compiled(mg, threads).cycle("F", Data(f), u)[0] for threads in (1, 3))
    np.testing.assert_array_equal(one, three)
    if mg.nu[0] == mg.nu[1]:
        runs = [compiled(mg, threads).symmetric().start("V", "cg", Data(f)) for threads in (1, 3)]
        one, three = (_after(run, 3) for run in runs)
        np.testing.assert_array_equal(one, three)


def _after(iteration, count):
    """u after some iterations."""
    for _ in range(count):
        iteration.advance([Remaining(1.0, 1.0, 0.0, 1)] * len(iteration.scale))
    return iteration.u()


@settings(max_examples=20)
@given(mg=solvers(("float64",)), threads=st.integers(1, 3))
def test_products_are_those_of_the_plain_levels(mg, threads):
    for level in mg.levels[:-1]:
        A, transfer = level.info.operator, level.info.to_coarse
        if isinstance(transfer, TruncatedTransfer) and not any(axis.periodic and axis.n % 2 for axis in A.grid.axes):
            expected, found = product(A, transfer, mg.dtype), make_product(threads, A, transfer, mg.dtype, None)
            pairs = [B.matrix() for B in (expected, found)]
            for B in pairs:
                B.setdiag(np.where(expected.inside.ravel(), B.diagonal(), 0.0))
            terms = 27**A.grid.ndim  # products that an entry is the sum of
            largest = float(np.max(A.diagonal))
            assert abs(pairs[0] - pairs[1]).max() <= 4 * terms**0.5 * rounding.EPS * largest
            assert np.all(found.diagonal > 0)


@pytest.mark.parametrize("shape", [(3, 1, 3), (4, 1, 3), (1, 4, 4), (4, 4, 1), (5, 1, 4)])
def test_an_axis_of_one_unknown_has_products_as_others_have(shape):
    problem = pde.Poisson(shape, extent=[float(n) for n in shape], boundary="neumann", reaction=1.0)
    level = pde.Multigrid(problem, levels=2, coarse="galerkin", kernels="numpy").levels[0]
    A, transfer, dtype = level.info.operator, level.info.to_coarse, np.dtype(float)
    expected, found = product(A, transfer, dtype), make_product(1, A, transfer, dtype, None)
    tolerance = 4 * 27**1.5 * rounding.EPS * float(np.max(A.diagonal))  # as above
    np.testing.assert_allclose(found.matrix().toarray(), expected.matrix().toarray(), rtol=0, atol=tolerance)


@settings(max_examples=30)
@given(
    shape=st.lists(st.integers(3, 20), min_size=2, max_size=2) | st.lists(st.integers(3, 9), min_size=3, max_size=3),
    boundary=st.sampled_from(["dirichlet", "neumann", "periodic", [("dirichlet", ("robin", 2.0))]]),
    centering=st.sampled_from(["vertex", "cell"]),
    reaction=st.sampled_from([0.0, 1.0]),
    digits=st.integers(1, 4),
    threads=st.integers(1, 3),
)
def test_transfers_that_follow_the_operator_are_those_of_sparse_matrices(
    shape, boundary, centering, reaction, digits, threads
):
    boundary = boundary * len(shape) if isinstance(boundary, list) else boundary
    a, dtype = 10.0 ** np.random.default_rng(0).integers(0, digits, shape), np.dtype(float)
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=a, reaction=reaction)
    A = StencilOperator(problem.grid, dtype, problem.terms)
    for _ in range(2):
        which = A.grid.axes_to_coarsen(A.terms.typical)
        expected, made = OperatorTransfer(A, which, dtype), make_black_box(threads, A, which, dtype)
        RAP = expected.restriction() @ (A.matrix() @ expected.matrix())
        near = nearest(RAP, expected.coarse, expected.volumes)
        if made is None:  # tips, which take a jump, or a seam
            assert has_seam(A.grid) or digits > 1
        else:
            found, coefficients = made
            digits_lost = float(np.max(A.diagonal) / np.min(A.diagonal))
            tolerance = 16 * rounding.EPS * digits_lost
            assert abs(found.matrix() - expected.matrix()).max() <= tolerance
            assert abs(found.restriction() - expected.restriction()).max() <= tolerance
            assert found.volumes == pytest.approx(expected.volumes, rel=tolerance)
            B = CompactOperator(found.coarse, coefficients).matrix()
            assert abs(B - RAP).max() <= tolerance * np.max(A.diagonal)
        A = CompactOperator.from_matrix(expected.coarse, near, problem.terms, expected.volumes)


@pytest.mark.parametrize("shape", [(63, 66), (19, 22, 17)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "mixed"])
def test_conjugate_gradients_take_as_many_iterations(shape, dtype):
    inside = domain(np.random.default_rng(1), shape, 0.8)
    problem = pde.Poisson(shape, domain=inside)
    f, rtol = np.random.default_rng(0).standard_normal((3, *shape)), 1e-4 if dtype == "float32" else 1e-9
    one, other = (
        pde.Multigrid(problem, kernels=k, dtype=dtype, threads=2, levels=64).solve(f, rtol=rtol)
        for k in ("numba", "numpy")
    )
    assert one.converged
    assert [m.cycles for m in one.members] == [m.cycles for m in other.members]
    residual = problem.apply((one.u - other.u).astype(float))
    for r, each in zip(residual, np.where(inside, f, 0), strict=True):
        assert np.linalg.norm(r) <= 2 * rtol * np.linalg.norm(each)


def test_full_multigrid_is_that_of_the_plain_levels():
    shape = (63, 50)
    problem = pde.Poisson(shape, domain=domain(np.random.default_rng(1), shape, 0.9))
    f = np.random.default_rng(0).standard_normal((2, *shape))
    one, other = (pde.Multigrid(problem, kernels=k, levels=64) for k in ("numba", "numpy"))
    expected = other.full_multigrid(f, g=1.0)
    tolerance = 8 * rounding.of_a_cycle(other, f, expected)
    assert np.max(np.abs(one.full_multigrid(f, g=1.0) - expected)) <= tolerance


def test_a_batch_is_solved_as_its_members_are():
    shape = (40, 33)
    mg = pde.Multigrid(
        pde.Poisson(shape, domain=domain(np.random.default_rng(1), shape, 0.8)), kernels="numba", levels=64
    )
    f = np.random.default_rng(0).standard_normal((3, *shape)) * np.array([1.0, 1e-3, 0.0])[:, None, None]
    together = mg.solve(f)
    for k in range(3):
        alone = mg.solve(f[k])
        np.testing.assert_array_equal(together.members[k].u, alone.u)
        assert together.members[k].cycles == alone.cycles


def test_the_iterate_that_a_callback_keeps_stays():
    shape, kept = (33, 33), []
    mg = pde.Multigrid(pde.Poisson(shape, domain=np.tri(33, dtype=bool)), kernels="numba", levels=64)
    solution = mg.solve(np.ones(shape), callback=lambda progress: kept.append((progress.u, progress.u.copy())) and None)
    assert len(kept) == solution.cycles > 2
    for shown, copied in kept:
        np.testing.assert_array_equal(shown, copied)


def test_a_solver_is_pickled_and_solves_in_two_threads_at_once():
    shape = (64, 60)
    mg = pde.Multigrid(pde.Poisson(shape, domain=np.ones(shape, dtype=bool)), kernels="numba", levels=64)
    f = np.random.default_rng(0).standard_normal((4, *shape))
    expected = [mg.solve(each).u for each in f]
    again = pickle.loads(pickle.dumps(mg))
    results = [None] * 4

    def solve(k):
        results[k] = again.solve(f[k]).u

    threads = [threading.Thread(target=solve, args=(k,)) for k in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for found, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_the_table_says_what_runs_the_cycles():
    shape = (40, 40)
    problem = pde.Poisson(shape, domain=np.ones(shape, dtype=bool))
    assert "compiled kernels, 2 threads" in str(pde.Multigrid(problem, kernels="numba", threads=2, levels=64))
    odd = pde.Poisson((15, 16), boundary="periodic", domain=np.arange(240).reshape(15, 16) > 7, reaction=1.0)
    with pytest.raises(ValueError, match="for periodic axes of even length"):
        pde.Multigrid(odd, kernels="numba", levels=2)


def test_levels_below_one_without_kernels_are_plain():
    """A periodic axis of 12 has 6 and then 3 unknowns: from there on levels are NumPy's."""
    inside = domain(np.random.default_rng(1), (12, 12), 0.9)
    mg = pde.Multigrid(pde.Poisson((12, 12), boundary="periodic", domain=inside), kernels="numpy", levels=64)
    assert [level.info.grid.shape[0] % 2 for level in mg.levels[:3]] == [0, 0, 1]
    mine, (f, u) = compiled(mg), data(mg, 0)
    for kind in CYCLES:
        expected = Backend(mg.hierarchy, mg.dtype).cycle(kind, Data(f), u)[0]
        assert np.max(np.abs(mine.cycle(kind, Data(f), u)[0] - expected)) <= rounding.of_a_cycle(mg, f, expected, u)


@pytest.mark.parametrize("domain", [lambda x, y: x + y < 1.2, lambda x, y: np.hypot(x - 0.5, y - 0.5) - 0.43])
def test_norms_that_a_cycle_measures_are_those_of_plain_residuals(domain):
    mg = pde.Multigrid(pde.Poisson((63, 50), domain=domain), kernels="numba")
    f = np.random.default_rng(7).standard_normal((63, 50)) * mg.problem.domain.inside
    solution = mg.solve(f, accel="none", rtol=1e-6)
    A, volumes = mg.levels[0].A, mg.hierarchy.volumes[0]
    size = volumes.rms(f)
    rounding = mg.backend.rounding(solution.u, size)
    assert abs(size * solution.residual_norms[-1] - volumes.rms(f - A(solution.u))) <= 8 * rounding
