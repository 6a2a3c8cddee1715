"""Solves on domains as users call them: random problems against dense solutions, and every option on every kind."""

from __future__ import annotations

import copy
import io
import pickle
from functools import cache

import numpy as np
import pytest
import scipy.sparse.linalg as sla

import pde
from pde.problem.boundary import fold
from pde.problem.inner_product import Volumes

SIDES = ["dirichlet", "neumann", "periodic", ("robin", 2.0), ("neumann", "dirichlet"), ("dirichlet", ("robin", 0.3))]


def problem_of(rng):
    """A problem on a random mask or ball, with sides, walls, coefficients and a reaction of any kind, and its data."""
    ndim = int(rng.integers(1, 4))
    shape = tuple(int(n) for n in rng.integers(*{1: (2, 60), 2: (2, 26), 3: (2, 9)}[ndim], ndim))
    inside = rng.random(shape) < rng.choice([0.4, 0.6, 0.8, 0.95])
    if rng.random() < 0.5:
        points = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
        inside = sum(x**2 for x in points) < rng.uniform(0.3, 1.5)
    inside.flat[0] |= not inside.any()
    sides = [SIDES[rng.integers(len(SIDES))] for _ in shape]
    if rng.random() < 0.4:
        sides = ["neumann" if side == "dirichlet" else side for side in sides]
    options = {"boundary": sides, "centering": str(rng.choice(["vertex", "cell"])), "domain": inside}
    options["extent"] = [float(length) for length in rng.choice([1.0, 0.5, 3.0], ndim)]
    options["walls"] = ["dirichlet", "neumann", rng.random(shape) < 0.5][rng.integers(3)]
    kind = rng.integers(4)
    if kind in (1, 2):
        options["coefficient"] = np.exp(rng.uniform(-1, 1, shape) * (1 if kind == 1 else 7))
    if kind == 3:
        options["face_coefficients"] = faces_of(rng, shape, sides)
    if rng.random() < 0.3:
        options["reaction"] = rng.uniform(0, 1, shape)
    problem = pde.Poisson(shape, **options)
    walls = problem.terms.domain is not None and problem.terms.domain.walls
    g = {"walls": rng.standard_normal(shape)} if walls else {}
    for a, side in enumerate(sides):
        if side != "periodic" and rng.random() < 0.5:
            g[a, int(rng.integers(2))] = rng.standard_normal()
    return problem, rng.standard_normal(shape), g


def faces_of(rng, shape, sides):
    """Coefficients of faces, a fifth of them closed."""
    faces = []
    for a, side in enumerate(sides):
        k = rng.uniform(0.5, 2, [n + (b == a) for b, n in enumerate(shape)]) * (rng.random() < 0.9)
        k[rng.random(k.shape) < 0.2] = 0.0
        if side == "periodic":
            k[(slice(None),) * a + (-1,)] = k[(slice(None),) * a + (0,)]
        faces.append(k)
    return faces


def volumes_of(problem):
    return Volumes(problem.control_volumes()) if problem.components is None else problem.components


def right_hand_side(problem, f, g):
    sides = problem.read_sides(g, np.dtype(float))
    return fold(f * problem.domain.inside, sides, problem.grid, problem.terms) * problem.domain.inside


@pytest.mark.parametrize("seed", range(60))
def test_random_domains_have_the_dense_solution(seed):
    problem, f, g = problem_of(np.random.default_rng(seed))
    inside, b = problem.domain.inside, right_hand_side(problem, f, g)
    if problem.singular:
        rest = volumes_of(problem).without_mean(b)
        f, b = f - (b - rest) * inside, rest
    solution = pde.Multigrid(problem).solve(f, g, rtol=1e-10, incompatible=np.inf if problem.singular else None)
    assert solution.converged or solution.reason == "rounding"
    A = problem.matrix().toarray()
    values = np.linalg.svd(A, compute_uv=False)
    kept = values > values[0] * 1e-13 * len(A)
    expected = np.zeros(problem.shape)
    expected[inside] = np.linalg.lstsq(A, b[inside], rcond=1e-13 * len(A))[0]
    if problem.singular:
        expected = volumes_of(problem).without_mean(expected)
    # the residual that may be left, relative to the largest that the data make, times the norm of the inverse
    W = problem.control_volumes()[inside]
    size = max(np.linalg.norm(f[inside]), np.linalg.norm(b[inside])) * (W.max() / W.min()) ** 0.5
    bound = (1e-10 * size + 64 * np.finfo(float).eps * values[0] * np.linalg.norm(expected)) / values[kept].min()
    assert np.linalg.norm(solution.u - expected) <= 2 * bound
    assert np.all(solution.u[~inside] == 0)


RNG = np.random.default_rng(0)
SHAPE = (40, 33)
MASK = RNG.random(SHAPE) < 0.85
ROUND = {"domain": lambda x, y: np.hypot(x - 0.5, y - 0.5) - 0.45}
KINDS = {
    "held": {"domain": MASK},
    "insulated": {"domain": MASK, "walls": "neumann", "boundary": ["dirichlet", "neumann"], "centering": "cell"},
    "parts": {"domain": RNG.random(SHAPE) < 0.6, "walls": "neumann", "boundary": "neumann"},
    "both": {"domain": MASK, "walls": RNG.random(SHAPE) < 0.5},
    "curved": ROUND,
    "curved, insulated": ROUND | {"walls": "neumann", "centering": "cell", "reaction": 1.0},
    "closed faces": {"face_coefficients": [(RNG.random(s) < 0.8) * 2.0 for s in ((41, 33), (40, 34))]},
}
F = RNG.standard_normal((2, 3, *SHAPE))
HELD = RNG.standard_normal(SHAPE)


@pytest.fixture(scope="module", params=KINDS)
def case(request):
    """(problem, f, g, options, the solution in plain NumPy)."""
    problem = pde.Poisson(SHAPE, **KINDS[request.param])
    g = {"walls": HELD} if problem.terms.domain.walls else None
    options = {"rtol": 1e-10, "incompatible": np.inf if problem.singular else None}
    solution = pde.Multigrid(problem, kernels="numpy").solve(F, g, **options)
    assert solution.converged
    return problem, F, g, options, solution.u


@cache
def inverse_norm(problem):
    """||A^-1|| on the range of A, for equal control volumes."""
    values = np.linalg.eigvalsh(problem.matrix(symmetric=True).toarray() / problem.grid.volumes().max())
    return 1 / values[values > values[-1] * np.finfo(float).eps * len(values)].min()


def near(problem, u, expected, eps=1e-10):
    """Whether both solve to `eps`: residuals are relative to data of size at most `size`, and A^-1 takes them to u."""
    size = max(np.abs(F).max(), np.abs(problem._operator(np.asarray(expected))).max())
    bound = 2 * eps * size * inverse_norm(problem) * problem.grid.size**0.5
    return np.abs(np.asarray(u) - np.asarray(expected)).max() <= bound


@pytest.mark.parametrize("options", [{"kernels": "torch"}, {"dtype": "mixed"}, {"dtype": "mixed", "kernels": "torch"}])
def test_other_backends_give_the_same(case, options):
    problem, f, g, given, expected = case
    solution = pde.Multigrid(problem, **options).solve(f, g, **given)
    assert solution.converged
    assert near(problem, solution.u, expected)


def test_float32(case):
    problem, f, g, given, expected = case
    solution = pde.Multigrid(problem, dtype="float32").solve(f.astype(np.float32), g, **{**given, "rtol": 1e-4})
    assert solution.converged
    assert solution.u.dtype == np.float32
    assert near(problem, solution.u, expected, 1e-4)


@pytest.mark.parametrize("cycle", ["V", "W", "F", "backslash"])
def test_every_cycle_converges_alone_too(case, cycle):
    problem, f, g, given, expected = case
    solution = pde.Multigrid(problem).solve(f[0, 0], g, cycle=cycle, accel="none", max_cycles=200, **given)
    assert solution.converged
    assert near(problem, solution.u, expected[0, 0])


def test_members_of_a_batch_are_solved_as_alone(case):
    problem, f, g, given, expected = case
    assert near(problem, pde.Multigrid(problem).solve(f[1, 2], g, **given).u, expected[1, 2])


def test_copies_and_everything_that_watches(case):
    problem, f, g, given, expected = case
    mg = pde.Multigrid(problem)
    seen = []
    out = np.empty_like(f)
    assert mg.solve(f, g, out=out, callback=lambda p: seen.append(p.residual), **given).u is out
    assert seen
    assert near(problem, out, expected)
    for other in (pickle.loads(pickle.dumps(mg)), copy.deepcopy(mg)):
        assert near(problem, other.solve(f, g, **given).u, expected)
    text = io.StringIO()
    assert mg.solve(f[0, 0], g, verbose=text, **given).converged
    assert "level" in text.getvalue()
    assert "galerkin" in str(mg)
    assert mg.solve(f, g, u0=expected, **{**given, "rtol": 1e-8}).cycles == 0


def test_values_outside_are_not_read(case):
    problem, f, g, given, expected = case
    wild = np.where(problem.terms.domain.inside, f[0, 0], np.nan)
    assert near(problem, pde.Multigrid(problem).solve(wild, g, **given).u, expected[0, 0])


def test_update_is_a_new_problem(case):
    problem, f, g, _, _ = case
    mg = pde.Multigrid(problem)
    mg.update(reaction=2.0)
    fresh = pde.Multigrid(problem.with_terms(reaction=2.0)).solve(f[0], g, rtol=1e-10)
    assert np.array_equal(mg.solve(f[0], g, rtol=1e-10).u, fresh.u)


def test_a_preconditioner_acts_on_the_unknowns_of_the_domain(case):
    problem = case[0]
    M, A = pde.Multigrid(problem).as_preconditioner(), problem.matrix(symmetric=True)
    x = np.random.default_rng(1).standard_normal((2, A.shape[0]))
    assert M.shape == A.shape
    scale = np.linalg.norm(M @ x[0]) * np.linalg.norm(x[1])
    assert abs(x[1] @ (M @ x[0]) - x[0] @ (M @ x[1])) <= 1e3 * np.finfo(float).eps * scale
    assert x[0] @ (M @ x[0]) > 0
    steps = []
    assert sla.cg(A, A @ x[0], M=M, rtol=1e-10, callback=lambda _: steps.append(1))[1] == 0
    assert len(steps) <= 30


def test_prediction_refuses(case):
    with pytest.raises(ValueError, match="no Fourier modes"):
        pde.Multigrid(case[0]).predict()


def test_complex_data(case):
    problem, f, g, given, expected = case
    solution = pde.Multigrid(problem).solve(f[0] + 1j * f[1], g, **given)
    zero = pde.Multigrid(problem).solve(f[1], None, **given).u
    assert near(problem, solution.u.real, expected[0])
    assert near(problem, solution.u.imag, zero)


@pytest.mark.parametrize("walls", ["dirichlet", "neumann"])
def test_a_mask_of_the_whole_box_gives_the_bits_of_the_box(walls):
    f = RNG.standard_normal((31, 20))
    box = pde.solve_poisson(f, g=1.0).u
    assert np.array_equal(pde.solve_poisson(f, domain=np.ones(f.shape, bool), walls=walls, g=1.0).u, box)


@pytest.mark.parametrize("walls", ["dirichlet", "neumann"])
def test_translated_data_give_the_translated_solution(walls):
    rng = np.random.default_rng(3)
    small = rng.random((12, 10)) < 0.8
    f, held = rng.standard_normal((2, 12, 10))
    solutions = []
    for i, j in ((2, 3), (3, 3), (2, 4), (5, 6)):
        inside, data, values = np.zeros((20, 18), bool), np.zeros((20, 18)), np.zeros((20, 18))
        place = slice(i, i + 12), slice(j, j + 10)
        inside[place], data[place], values[place] = small, f, held
        options = {"domain": inside, "walls": walls, "reaction": 1.0, "centering": "cell", "rtol": 1e-12}
        solutions.append(
            pde.solve_poisson(data, g={"walls": values if walls == "dirichlet" else 0.0}, **options).u[place]
        )
    size = abs(solutions[0]).max()
    # residuals of 1e-12 of data that walls make up to 4 n^2 of their values, and A is at least the reaction
    assert all(abs(u - solutions[0]).max() <= 1e-12 * 8 * 20**2 * 20 * max(size, 1.0) for u in solutions[1:])


def test_the_message_names_the_part_that_has_no_solution():
    inside = np.ones((16, 16), bool)
    inside[8] = False
    f = np.zeros((16, 16))
    f[3, 4], f[12, 5] = 1.0, 1.0
    f[3, 9] = -1.0
    mg = pde.Multigrid(pde.Poisson((16, 16), domain=inside, walls="neumann", boundary="neumann", centering="cell"))
    with pytest.raises(ValueError, match=r"of 112 unknowns, that of index \(9, 0\)"):
        mg.solve(f)


def test_rounding_on_a_lonely_cell_is_no_source():
    inside = np.ones((9, 9), bool)
    inside[3:6, 3:6], inside[4, 4] = False, True
    f = np.zeros((9, 9))
    f[1, 1], f[7, 7], f[4, 4] = 1.0, -1.0, 1e-17
    solution = pde.solve_poisson(f, domain=inside, walls="neumann", boundary="neumann", centering="cell")
    assert solution.converged
    assert solution.u[4, 4] == 0


def test_rounding_on_lonely_cells_beside_a_part_that_is_held_is_no_source():
    """The largest |f| is that of the whole domain; what rounding leaves of it counts nowhere."""
    faces, f = [np.array([1.0, 1.0, 0.0, 0.0, 0.0, 1.0])], np.array([0.1, 0.2, 3e-17, -3e-17, 0.3])
    for largest in (1.0, 1e5):
        solution = pde.solve_poisson(largest * f, 5, face_coefficients=faces, incompatible=0.0)
        assert solution.converged
        assert np.all(solution.u[2:4] == 0)
    with pytest.raises(ValueError, match=r"index \(2,\)"):
        pde.solve_poisson(np.where(abs(f) < 1e-16, 1e-13, f), 5, face_coefficients=faces)


@pytest.mark.parametrize("length", [1e-120, 1e-90, 1e90, 1e120])
def test_means_of_closed_parts_in_boxes_of_any_size(length):
    """u, of the size of length^2, times control volumes, of that size too, would leave the range of float64."""
    inside, f = np.ones((4, 7), bool), np.zeros((4, 7))
    inside[:, 3], f[0, :2], f[3, 5:] = False, (1.0, -1.0), (2.0, -2.0)
    closed = {"domain": inside, "walls": "neumann", "boundary": "neumann", "centering": "cell", "rtol": 1e-12}
    one, far = (pde.solve_poisson(f, extent=extent, **closed) for extent in (1.0, length))
    assert far.converged
    assert abs(far.u / length**2 - one.u).max() <= 1e-12 * 49 * abs(one.u).max()
