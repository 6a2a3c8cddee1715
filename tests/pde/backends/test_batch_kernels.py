"""Members side by side in the lanes of vectors: each gets what the plain levels and a solve of its own give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pde
from pde.backends.data import Data
from pde.backends.numba.batch import backend as batch_backend
from pde.backends.numba.batch.runner import Runner
from pde.backends.numba.batch.tables import shape_of
from pde.backends.numba.simd import LANES
from pde.backends.numba.variants import batch_variant_of
from tests.pde import rounding
from tests.pde.sides_reference import SIDES

EPS = np.finfo(float).eps
COUNTS = (1, 7, 8, 9, 17)
CYCLES = ("V", "W", "F", "backslash", "fmg")


@st.composite
def solvers(draw):
    """Plain solvers of any sides, sizes and coefficients; in three dimensions in float64 alone, to compile less."""
    ndim = draw(st.sampled_from([1, 2, 2, 3]))
    kinds = [draw(st.sampled_from(list(SIDES))) for _ in range(ndim)]
    shape = [draw(st.integers(1, {1: 60, 2: 22, 3: 9}[ndim])) for _ in range(ndim)]
    a = draw(st.sampled_from(["one", "per axis", "varies"]))
    x = np.random.default_rng(draw(st.integers(0, 9))).random(shape)
    a = {"one": 1.0, "per axis": [0.5, 2.0, 1.0][:ndim], "varies": 1 + 0.5 * x}[a]
    problem = pde.Poisson(
        shape,
        boundary=[SIDES[kind] for kind in kinds],
        centering=draw(st.sampled_from(["vertex", "cell"])),
        coefficient=a,
        reaction=draw(st.sampled_from([0.0, 0.0, 2.0, 1 + x])),
    )
    return pde.Multigrid(
        problem,
        smoother=draw(st.sampled_from(["sor", "red-black"])),
        nu=draw(st.sampled_from([(1, 1), (2, 1), (0, 2), (1, 0)])),
        dtype="float64" if ndim == 3 else draw(st.sampled_from(["float64", "float64", "float32"])),
        levels=draw(st.sampled_from([None, 64])),
        kernels="numpy",
    )


def runner_of(mg, threads=1, symmetric=False):
    hierarchy = mg.hierarchy.symmetric() if symmetric else mg.hierarchy
    return Runner(hierarchy, mg.dtype, threads)


def once(count):
    """What `Runner.run` is given for one cycle whose norm is not divided."""
    return np.array([[0.0], [1.0], [0.0], [1.0]]).repeat(count, axis=1)


def data_of(mg, count, seed=0):
    """Rough data that fit."""
    f = np.random.default_rng(seed).standard_normal((count, *mg.problem.shape)).astype(mg.dtype)
    return mg.hierarchy.volumes[0].without_mean(f) if mg.problem.singular else f


@given(solvers(), st.sampled_from(CYCLES), st.sampled_from(COUNTS), st.booleans(), st.booleans(), st.integers(0, 99))
def test_a_cycle_is_that_of_the_plain_levels(mg, kind, count, guess, symmetric, seed):
    if batch_variant_of(mg.hierarchy, mg.dtype) is None:
        assert len(mg.levels) == 1
        return
    backend = mg.backend.symmetric() if symmetric else mg.backend
    f = data_of(mg, count, seed)
    u = data_of(mg, count, seed + 1) if guess and kind != "fmg" else None
    expected = backend.full_multigrid(Data(f))[0] if kind == "fmg" else backend.cycle(kind, Data(f), u)[0]
    expected = backend.project(expected)
    out = np.full_like(f, np.nan)
    norms, counts = runner_of(mg, symmetric=symmetric).run(kind, f, u, out, np.arange(count), once(count))
    assert counts.tolist() == [1] * count
    bounds = [rounding.of_a_cycle(mg, f[m], expected[m], *([] if u is None else [u[m]])) for m in range(count)]
    cycles = {"V": 1, "backslash": 1, "F": 2, "W": 2, "fmg": len(mg.levels)}[kind]  # roundings of every visit
    for m in range(count):
        np.testing.assert_allclose(out[m], expected[m], rtol=0, atol=cycles * bounds[m])
    residual = f.astype(float) - mg.levels[0].info.operator(out).astype(float)
    lost = rounding.of_a_residual(mg, f, out)
    np.testing.assert_allclose(norms[:, 0], mg.hierarchy.volumes[0].rms(residual), rtol=1e-6, atol=lost)


@settings(max_examples=15)
@given(solvers(), st.sampled_from(COUNTS), st.sampled_from(CYCLES))
def test_nothing_is_read_before_it_is_written_and_nothing_written_beside(mg, count, kind):
    """The work space is full of NaN but for the halos, which are zero; no result changes, and no halo."""
    if len(mg.levels) == 1:
        return
    runner, f = runner_of(mg), data_of(mg, count)
    wide = np.full((count + 2, *mg.problem.shape), 7.0, mg.dtype)
    outs = []
    for fill in (0.0, np.nan):
        (space,) = runner._work()
        space.base[:] = fill
        halos = [halo for record in runner.tables.arrays[0] for halo in halos_of(space, record, mg.problem.ndim)]
        for halo in halos:
            halo[:] = 0
        wide[1:-1] = np.nan
        runner.run(kind, f, None, wide[1:-1], np.arange(count), once(count))
        outs.append(wide[1:-1].copy())
        assert np.all(wide[[0, -1]] == 7)
        spare = np.concatenate((space.base[: offset_of(space)], space.base[offset_of(space) + space.size :]))
        np.testing.assert_array_equal(spare, np.full_like(spare, fill))
        if "periodic" not in str(mg.problem):
            assert all(np.all(halo == 0) for halo in halos)
    np.testing.assert_array_equal(*outs)


def offset_of(space):
    return (space.ctypes.data - space.base.ctypes.data) // space.itemsize


def halos_of(space, record, ndim):
    """The points around u in a work space."""
    n, planes = record["n"], 2 if ndim == 3 else 0
    full = (n[0] + planes, n[1] + 2, n[2] + 2)
    first = (full[1] * full[2] * (planes // 2) + full[2] + 1) * LANES
    u = space[record["u"] - first :][: int(np.prod(full)) * LANES].reshape(*full, LANES)
    parts = [u[:, 0], u[:, -1], u[:, :, 0], u[:, :, -1]]
    return [*parts, u[0], u[-1]] if planes else parts


@pytest.mark.parametrize("shape", [(31, 31), (33,), (9, 10, 8)])
def test_neither_threads_nor_neighbours_change_a_member(shape):
    mg = pde.Multigrid(pde.Poisson(shape), kernels="numpy")
    f = data_of(mg, 70)
    left = once(70)
    left[0], left[3] = 1.0, 9.0
    results = []
    for threads in (1, 2, 3):
        out = np.zeros_like(f)
        norms, counts = runner_of(mg, threads).run("fmg", f, None, out, np.arange(70), left, 9)
        results.append((out, norms, counts))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    order = np.random.default_rng(3).permutation(70)
    bad = f.copy()
    bad[order[::3]] = [[np.nan, np.inf][k % 2] * np.ones(shape) for k in range(len(order[::3]))]
    out = np.zeros_like(f)
    norms, counts = runner_of(mg, 2).run("fmg", bad, None, out, order, left, 9)
    good = np.arange(70) % 3 != 0
    np.testing.assert_array_equal(out[order[good]], results[0][0][order[good]])
    np.testing.assert_array_equal(norms[good], results[0][1][order[good]])
    assert np.all(counts[~good] == 1)
    assert not np.isfinite(norms[~good, 0]).any()


@pytest.fixture
def always(monkeypatch):
    """Every batch of two members or more is solved side by side."""
    monkeypatch.setattr(batch_backend, "SMALLEST_BATCH", 1)
    monkeypatch.setattr(batch_backend, "FEWEST", 2)


def pair(shape, **arguments):
    problem = pde.Poisson(shape, **arguments)
    return pde.Multigrid(problem), pde.Multigrid(problem, kernels="numpy")


def check_equal(together, mg, f, g=None, u0=None, **options):
    """A batch and the solves of its members on plain levels."""
    for i, found in enumerate(together.members):
        alone = mg.solve(f[i], g, None if u0 is None else u0[i], **options)
        assert (found.reason, found.cycles, found.tolerance) == (alone.reason, alone.cycles, alone.tolerance)
        assert found.work_units == alone.work_units
        guess = [] if u0 is None else [u0[i]]
        bound = max(1, alone.cycles) * rounding.of_a_cycle(mg, f[i], alone.u, *guess)
        np.testing.assert_allclose(found.u, alone.u, rtol=0, atol=bound)
        np.testing.assert_array_equal(found.u, together.u[i])


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((31, 30), {}),
        ((40,), {"boundary": [("dirichlet", ("robin", 2.0))]}),
        ((15, 16), {"boundary": "periodic", "reaction": 1.0}),
        ((16, 17), {"boundary": "periodic"}),
        ((12, 13), {"boundary": "neumann", "centering": "cell"}),
        ((9, 8, 7), {"coefficient": lambda x, y, z: 1 + x * y}),
    ],
)
def test_every_member_ends_as_it_would_alone(shape, arguments, always):
    mg, plain = pair(shape, **arguments)
    f = data_of(plain, 11)
    f *= 10.0 ** np.linspace(-200, 200, 11).reshape(-1, *(1,) * len(shape))
    f[3] = 0
    u0 = np.stack([plain.solve(f[i], rtol=10.0**-i).u for i in range(11)])
    for options in ({}, {"cycle": "W"}, {"rtol": 1e-3}, {"max_cycles": 2}):
        together = mg.solve(f, **options)
        assert mg.backend.batches._runner is not None
        for i, found in enumerate(together.members):
            alone = plain.solve(f[i], **options)
            assert (found.reason, found.cycles) == (alone.reason, alone.cycles)
            size = np.abs(f[i]).max() or 1.0
            bound = max(1, alone.cycles) * rounding.of_a_cycle(plain, f[i] / size, alone.u / size)
            np.testing.assert_allclose(found.u / size, alone.u / size, rtol=0, atol=bound)
    guessed = mg.solve(f, u0=u0)
    assert [m.cycles for m in guessed.members] == [plain.solve(v, u0=u).cycles for v, u in zip(f, u0, strict=True)]


@pytest.mark.parametrize("callback", [False, True])
def test_a_guess_and_the_users_memory(callback, always):
    mg, plain = pair((20, 21))
    f = data_of(plain, 9)
    u0 = np.stack([plain.solve(v, rtol=10.0**-i).u for i, v in enumerate(f)])
    kept, out, shown = u0.copy(), np.full((2, *f.shape), np.nan)[1], []
    options = {"callback": lambda p: shown.append((p.u, p.u.copy())) and None} if callback else {}
    together = mg.solve(f, u0=u0, out=out, **options)
    assert together.u is out
    check_equal(together, plain, f, u0=u0)
    np.testing.assert_array_equal(u0, kept)
    for u, copy in shown:  # what a callback has been shown stays as it was
        np.testing.assert_array_equal(u, copy)


def test_boundary_data_and_one_pass(always):
    mg, plain = pair((20, 21))
    f, g = data_of(plain, 9), {(0, 1): np.random.default_rng(2).standard_normal((9, 21)), (1, 0): 3.0}
    together = mg.solve(f, g)
    for i in range(9):
        sides = {(0, 1): g[0, 1][i], (1, 0): 3.0}
        alone = plain.solve(f[i], sides)
        assert together.members[i].cycles == alone.cycles
        bound = 2 * alone.cycles * rounding.of_a_cycle(plain, f[i], alone.u, g[0, 1])
        np.testing.assert_allclose(together.u[i], alone.u, rtol=0, atol=bound)
    for sides in (None, g):
        passed = plain.full_multigrid(f, sides)
        bound = len(plain.levels) * rounding.of_a_cycle(plain, f, passed, g[0, 1])
        np.testing.assert_allclose(mg.full_multigrid(f, sides), passed, rtol=0, atol=bound)
    np.testing.assert_allclose(mg.cycle(f), plain.cycle(f), rtol=0, atol=rounding.of_a_cycle(plain, f, passed))


@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
def test_one_cycle_of_a_singular_problem_keeps_the_mean_it_has_alone(boundary, always):
    mg = pde.Multigrid(pde.Poisson((20, 16), boundary=boundary), levels=3)
    f, u0 = (np.random.default_rng(i).standard_normal((9, 20, 16)) + 1.0 for i in range(2))
    for kind in ("V", "W", "F", "backslash"):
        for guess in (None, u0):
            together = mg.cycle(f, guess, kind)
            for k, u in enumerate(together):
                alone = mg.cycle(f[k], None if guess is None else guess[k], kind)
                bound = rounding.of_a_cycle(mg, f[k], alone, u0[k])
                assert np.max(np.abs(u - alone)) <= bound


def test_a_bad_member_is_its_own_affair(always):
    mg, plain = pair((20, 20), extent=100.0)
    f = data_of(plain, 9)
    f[1] = 1e308  # u is larger
    together = mg.solve(f)
    assert [m.reason for m in together.members] == ["converged", "non-finite", *["converged"] * 7]
    check_equal(pde.Multigrid(plain.problem).solve(f[2:]), plain, f[2:])
    f[1, 3, 3] = np.nan
    with pytest.raises(ValueError, match="f must be finite"):
        mg.solve(f)
    with pytest.raises(ValueError, match="f must be finite"):
        mg.full_multigrid(f)


def test_a_batch_takes_kernels_by_all_of_its_unknowns(first):
    """They are compiled in the background; batches that are small, or of few members, do without."""
    mg = pde.Multigrid(pde.Poisson((15, 15)))
    mg.solve(np.ones((batch_backend.SMALLEST_BATCH // 225, 15, 15)), rtol=0.1)
    mg.solve(np.ones((15, 15)), rtol=0.1)
    assert first == []
    many = np.ones((batch_backend.SMALLEST_BATCH // 225 + 1, 15, 15))
    mg.solve(many, rtol=0.1)
    assert [str(variant) for variant in first] == ["2-D, float64, batches"]
    assert mg.backend.batches._runner is None
    assert pde.Multigrid(pde.Poisson((15, 15)), kernels="numpy").backend.batches is None
    assert pde.Multigrid(pde.Poisson((100, 100))).backend.batches is None


def test_arrays_of_another_kind_do_not_reach_the_kernels():
    mg = pde.Multigrid(pde.Poisson((20, 20)), kernels="numpy")
    f, runner = data_of(mg, 9), runner_of(mg)
    with pytest.raises(TypeError, match="f must be float64 for these kernels, got float32"):
        runner.run("V", f.astype(np.float32), None, f, np.arange(9), once(9))
    with pytest.raises(ValueError, match="out must be contiguous"):
        runner.run("V", f, None, np.swapaxes(f, 1, 2), np.arange(9), once(9))
    assert shape_of(mg.problem.grid) == (1, 20, 20)
