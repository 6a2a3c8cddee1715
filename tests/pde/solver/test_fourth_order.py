"""Fourth order: solutions, full multigrid and cycles of the compact operator."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import cg, spsolve

import pde
from pde import Multigrid, Poisson
from pde.problem.mehrstellen import at_ends
from tests.pde.reference import EPS, SEEDS
from tests.pde.refusals import refused


def wave(x, y):
    return np.sin(2.5 * x + 1) * np.cos(3 * y) + np.exp(x * y)


def of_wave(x, y):
    return 15.25 * np.sin(2.5 * x + 1) * np.cos(3 * y) - (x**2 + y**2) * np.exp(x * y)


def box(x, y, z):
    return wave(x, y) * np.cos(1.3 * z + 0.2) + x * z**3


def of_box(x, y, z):
    return (of_wave(x, y) + 1.69 * wave(x, y)) * np.cos(1.3 * z + 0.2) - 6 * x * z


def around(x, y):
    """Periodic along x."""
    return np.exp(np.sin(2 * np.pi * x)) * np.sin(y + 1)


def of_around(x, y):
    s, c = np.sin(2 * np.pi * x), np.cos(2 * np.pi * x)
    return (1 - 4 * np.pi**2 * (c**2 - s)) * around(x, y)


CASES = {
    "square": (wave, of_wave, "dirichlet", (1.0, 1.0), [16, 31, 64, 128, 256], 0.0),
    "flat with reaction": (wave, of_wave, "dirichlet", (1.0, 1.7), [16, 32, 63, 128], 4.0),
    "cube": (box, of_box, "dirichlet", (1.0, 1.0, 1.0), [8, 15, 32], 0.0),
    "cylinder": (around, of_around, ["periodic", "dirichlet"], (1.0, 1.0), [17, 32, 65, 128], 0.0),
}


def solver(case, n, order=4, kernels="numpy", **options):
    u, f, boundary, extent, _, c = CASES[case]
    problem = Poisson((n,) * len(extent), extent, boundary, reaction=c, order=order)
    return Multigrid(problem, kernels=kernels, **options), (lambda *x: f(*x) + c * u(*x)), u


def largest(u, exact, mg):
    return float(abs(u - exact(*mg.problem.points())).max())


@pytest.mark.parametrize("given_as", ["callable", "array"])
@pytest.mark.parametrize("case", CASES)
def test_error_of_solutions_and_of_full_multigrid(case, given_as):
    """The order fitted over all sizes, of both; the pass has at most a fifth more error."""
    sizes, errors = CASES[case][4], []
    for n in sizes:
        mg, f, u = solver(case, n)
        f = f if given_as == "callable" else f(*mg.problem.points())
        solution = mg.solve(f, u, rtol=1e-11, max_cycles=20)
        assert solution.converged or solution.reason == "rounding"
        errors.append([largest(v, u, mg) for v in (solution.u, mg.full_multigrid(f, u))])
    orders = np.polyfit(np.log([1 / (n + 1) for n in sizes]), np.log(errors), 1)[0]
    assert (orders > 3.75).all()
    assert errors[-1][1] < 1.2 * errors[-1][0]


def test_one_pass_on_few_points_beats_second_order_on_many():
    mg, f, u = solver("square", 31)
    many, _, _ = solver("square", 1023, order=2)
    assert largest(mg.full_multigrid(f, u), u, mg) < largest(many.full_multigrid(f, u), u, many)
    mg, f, u = solver("square", 127)
    assert largest(mg.full_multigrid(f, u), u, mg) < 2e-10  # 1.16e-10 is the discretisation's


@pytest.mark.parametrize("case", CASES)
def test_cycles_are_no_more_than_those_of_second_order_and_two(case):
    n = CASES[case][4][-1] // 2
    cycles = [mg.solve(f, u, rtol=1e-10, strict=True).cycles for mg, f, u in (solver(case, n, k) for k in (2, 4))]
    assert cycles[1] <= cycles[0] + 2


@settings(max_examples=20, deadline=None)
@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    kinds=st.lists(st.sampled_from(["dirichlet", "periodic"]), min_size=3, max_size=3),
    reaction=st.sampled_from([0.5, 40.0]),
    seed=SEEDS,
)
def test_rough_data_against_a_sparse_factorisation(shape, kinds, reaction, seed):
    rng, kinds = np.random.default_rng(seed), kinds[: len(shape)]
    problem = Poisson(shape, boundary=kinds, reaction=reaction, order=4)
    A, f = problem._operator, rng.standard_normal((2, *shape))
    sides = {
        (a, side): rng.standard_normal([n for b, n in enumerate(shape) if b != a])
        for a, kind in enumerate(kinds) if kind == "dirichlet"
        for side in (0, 1)
    }  # fmt: skip
    rhs = A.fold(A.right_hand_side(f), sides)
    solution = Multigrid(problem).solve(f, sides, rtol=1e-12, max_cycles=60)
    assert all(member.reason in ("converged", "rounding") for member in solution.members)
    residual = rhs - A(solution.u)
    size = abs(rhs).max() + A.diagonal.max() * abs(solution.u).max()
    assert abs(residual).max() <= (1e-11 + 64 * EPS) * size * np.sqrt(problem.grid.size)
    exact = spsolve(problem.matrix().tocsc(), rhs[0].ravel())
    smallest = np.linalg.eigvalsh(problem.matrix(symmetric=True).toarray())[0] / problem.control_volumes().max()
    assert np.linalg.norm(solution.u[0].ravel() - exact) <= np.linalg.norm(residual[0]) / smallest * 2 + 64 * EPS * size


def test_residuals_are_those_of_the_compact_operator():
    mg, _, _ = solver("square", 40)
    solution, A = mg.solve(of_wave, rtol=1e-6), mg.problem._operator
    M = A.right_hand_side(of_wave(*mg.problem.points()), at_ends(of_wave, mg.problem.grid))
    relative = np.linalg.norm(M - mg.problem.apply(solution.u)) / np.linalg.norm(M)
    assert abs(relative / solution.residual_norms[-1] - 1) < 1e-6


def test_values_that_are_not_finite_on_a_side_are_extrapolated():
    solution = Multigrid(Poisson((20, 20), order=4)).solve(lambda x, y: np.log(x), strict=True)
    assert np.isfinite(solution.u).all()


@pytest.mark.parametrize("shape", [(63, 63), (16, 16, 16)])
def test_prediction(shape):
    mg = Multigrid(Poisson(shape, order=4))
    assert abs(mg.predict() - mg.measure_factor()) < 0.01
    assert mg.predict() < 0.08


def test_singular_problems_have_zero_mean():
    mg = Multigrid(Poisson((32, 30), boundary="periodic", order=4))
    x, y = mg.problem.points()
    u = np.exp(np.sin(2 * np.pi * x)) * np.cos(2 * np.pi * y)
    s, c = np.sin(2 * np.pi * x), np.cos(2 * np.pi * x)
    solution = mg.solve(4 * np.pi**2 * (1 - c**2 + s) * u, strict=True)
    assert abs(solution.u.mean()) < 64 * EPS
    assert abs(solution.u - (u - u.mean())).max() < 5e-4  # 1.3e-3 n^-4 (2 pi)^6 / 240


@pytest.mark.parametrize("options", [{"dtype": "mixed"}, {"kernels": "torch"}, {"smoother": "jacobi"}, {"levels": 1}])
def test_other_cycles_give_the_same_solution(options):
    if options.get("kernels") == "torch":
        pytest.importorskip("torch")
    (one, f, u), (other, _, _) = solver("square", 41), solver("square", 41, **options)
    f = f(*one.problem.points())
    solutions = [mg.solve(f, u, rtol=1e-10, strict=True).u for mg in (one, other)]
    assert abs(solutions[0] - solutions[1]).max() < 1e-9


def test_float32_reaches_its_rounding():
    mg, f, u = solver("square", 31, dtype="float32")
    solution = mg.solve(f, u)
    assert solution.reason in ("converged", "rounding")
    assert largest(solution.u, u, mg) < 2e-5  # eps 1/(h^2 8): some 100 roundings of u


def test_preconditioner_update_and_pickles():
    mg, f, _ = solver("square", 30)
    f, mg = f(*mg.problem.points()), mg.update(reaction=2.0)
    A, M = mg.problem.matrix(symmetric=True), mg.as_preconditioner()
    count = []
    u, info = cg(A, A @ f.ravel(), M=M, rtol=1e-9, callback=count.append)
    assert info == 0
    assert len(count) <= 12
    assert abs(u - f.ravel()).max() < 1e-6 * abs(f).max()
    assert mg.solve(f, accel="cg").converged
    assert np.array_equal(pickle.loads(pickle.dumps(mg)).solve(f).u, mg.solve(f).u)
    events = []
    assert np.array_equal(mg.solve(f, verbose=events.append).u, mg.solve(f).u)
    assert {event.level for event in events} == {1, 2}


@pytest.mark.parametrize(
    "options", [{"smoother": "zebra"}, {"coarse": "galerkin"}, {"transfer": "operator", "coarse": "galerkin"}]
)
def test_options_without_compact_levels_are_refused(options):
    name = next(iter(set(options) - {"transfer"}))
    with pytest.raises(ValueError, match=f"{name} must be one of"):
        Multigrid(Poisson((31, 31), order=4), **options)


def test_one_call():
    solution = pde.solve_poisson(of_wave, (31, 31), g=wave, order=4)
    assert abs(solution.u - wave(*Poisson((31, 31)).points())).max() < 1.2e-7
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="order must be 2 where f"):
        pde.solve_poisson(torch.ones(8, 8), order=4)


def test_callables_of_wrong_shapes_are_refused_by_name():
    mg = Multigrid(Poisson((9, 7), order=4))
    table = np.ones((9, 7))
    refused(ValueError, ["f:", "(9, 7)", "(2, 9, 7)"], mg.solve, lambda x, y: np.stack([x * y, x + y]))
    for call in (mg.solve, mg.full_multigrid, mg.cycle):
        refused(ValueError, ["f:", "side (0, 0)", "(1, 7)", "(9, 7)", "array"], call, lambda x, y: table)
