"""Every kind of side, centring, spacing, size, coefficient and reaction, against balances assembled in the tests."""

import pickle

import numpy as np
import pytest

from pde import Multigrid, Poisson
from tests.pde.reference import EPS
from tests.pde.sides_reference import make_box
from tests.pde.sides_table import NAMES, SIZES, TABLE, random_box


@pytest.mark.parametrize("kinds", TABLE, ids=NAMES)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_the_operator_is_the_balance_of_every_control_volume(kinds, cell):
    for seed, reaction in enumerate(("none", "number", "array")):
        box, _ = random_box(seed, kinds, cell, reaction=reaction)
        problem = Poisson(**box.arguments())
        A, W = box.matrix().toarray(), box.volumes()
        size = max(np.abs(A).max(), EPS)
        bound = (32 + 8 * max(box.shape)) * EPS * size
        assert np.abs(problem.matrix().toarray() - A).max() <= bound
        columns = problem.apply(np.eye(len(A)).reshape(-1, *box.shape)).reshape(len(A), -1).T
        assert np.abs(columns - A).max() <= bound
        WA = problem.matrix(symmetric=True).toarray()
        assert np.abs(WA - WA.T).max() <= bound * W.max()
        assert np.abs(WA - W.reshape(-1, 1) * A).max() <= 2 * bound * W.max()
        np.testing.assert_allclose(problem.control_volumes(), W, rtol=(16 + 4 * max(box.shape)) * EPS)
        for x, expected, line in zip(problem.points(), box.coordinates(), box.lines, strict=True):
            np.testing.assert_allclose(x, expected, rtol=0, atol=8 * EPS * line.length)
        assert problem.singular == box.singular


def data(box, kind, rng):
    """(g as a user gives it, {(axis, side): array})."""
    if kind == "scalar":
        return (1.5 if box.sides else 0.0), {key: np.full(np.delete(box.shape, key[0]), 1.5) for key in box.sides}
    wave = lambda *x: 1 + np.cos(sum((a + 1) * v for a, v in enumerate(x)))  # noqa: E731
    arrays = {key: wave(*box.side_coordinates(*key)) for key in box.sides}
    if kind == "callable":
        return (wave if box.sides else None), arrays
    if kind == "callables":
        return dict.fromkeys(box.sides, wave), arrays
    arrays = {key: rng.standard_normal(v.shape) for key, v in arrays.items()}
    if kind == "some":
        arrays = {key: v for n, (key, v) in enumerate(arrays.items()) if n % 2 == 0}
    return arrays, arrays


DATA_KINDS = ("scalar", "callable", "callables", "arrays", "some")


@pytest.mark.parametrize("kinds", TABLE, ids=NAMES)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_the_solution_is_that_of_a_direct_solver(kinds, cell):
    first = TABLE.index(kinds)
    for seed in range(first, first + 2):
        kind = DATA_KINDS[(seed + first) % 5]
        box, rng = random_box(seed, kinds, cell, SIZES[:-2])
        problem = Poisson(**box.arguments())
        g, arrays = data(box, kind, rng)
        f = rng.standard_normal(box.shape)
        if box.singular:
            f -= box.mean(box.fold(f, arrays))
        folded = box.fold(f, arrays)
        solution = Multigrid(problem).solve(f, g, rtol=1e-11, max_cycles=100)
        assert solution.converged, solution.message
        expected = box.solution(folded)
        # |u - expected| <= |A^-1| |residual|, in the norm of control volumes, in which A is symmetric
        root = np.sqrt(box.volumes()).ravel()
        eigenvalues = np.linalg.eigvalsh(root[:, None] * box.matrix().toarray() / root)
        eigenvalues = abs(eigenvalues[1:] if box.singular else eigenvalues)
        if len(eigenvalues) == 0:
            assert np.abs(solution.u).max() <= 1e-12 * max(1, np.abs(folded).max())
            continue
        error = np.linalg.norm(root * (solution.u - expected).ravel())
        size = np.linalg.norm(root * folded.ravel())
        rounding = 256 * EPS * eigenvalues.max() / eigenvalues.min() * np.linalg.norm(root * expected.ravel())
        assert error <= (solution.residual_norms[-1] + 256 * EPS) * size / eigenvalues.min() + rounding
        if box.singular:
            assert abs(box.mean(solution.u)) <= 64 * EPS * np.abs(solution.u).max()


def test_print_names_the_sides():
    text = str(Multigrid(Poisson((9, 8), boundary=(("neumann", ("robin", 2.0)), "periodic"), centering="cell")))
    for word in ("neumann", "robin", "2.0", "periodic", "centering='cell'", "9x8", "direct"):
        assert word in text


@pytest.mark.parametrize("kinds", [("D", "N"), ("P", "R"), ("P", "N")], ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_pickles_and_float32_solve_alike(kinds, cell):
    box = make_box(kinds, [18, 21], cell, c=0.0)
    f = np.random.default_rng(8).standard_normal(box.shape)
    if box.singular:
        f -= box.mean(f)
    problem = Poisson(**box.arguments())
    mg = Multigrid(problem)
    expected = mg.solve(f, rtol=1e-10)
    again = pickle.loads(pickle.dumps(mg)).solve(f, rtol=1e-10)
    np.testing.assert_array_equal(again.u, expected.u)
    single = Multigrid(problem, dtype="float32").solve(f, rtol=1e-4)
    assert single.converged
    assert single.u.dtype == np.float32
    assert np.abs(single.u - expected.u).max() <= 1e-3 * np.abs(expected.u).max()
