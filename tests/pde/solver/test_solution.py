"""The solution against spsolve and against sine transforms, over the crossed table of problems and options."""

from importlib import metadata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pde
from pde import Multigrid, Poisson
from tests.pde.reference import (
    COARSE,
    CYCLES,
    EPS,
    PROBLEMS,
    SEEDS,
    SMOOTHERS,
    boxes,
    by_sines,
    close,
    coordinates,
    direct,
    residual_norm,
    with_boundary,
)
from tests.pde.sides_reference import SIDES
from tests.pde.sides_table import random_box

RTOL = 1e-11  # below it, rounding may end a solve on the finer grids of the table


def solved(problem, f, g=None, folded=None, rtol=RTOL, **options):
    names = ("cycle", "u0", "max_cycles")
    mg = Multigrid(problem, **{k: v for k, v in options.items() if k not in names})
    solution = mg.solve(f, g, rtol=rtol, **{k: v for k, v in options.items() if k in names})
    assert solution.converged, solution.message
    return solution, residual_norm(solution, f if folded is None else folded)


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_against_a_direct_solver_and_sine_transforms(name):
    shape, extent = PROBLEMS[name]
    f = np.random.default_rng(3).standard_normal(shape)
    solution, residual = solved(Poisson(shape, extent), f)
    close(solution.u, direct(shape, extent, f), shape, extent, residual)
    close(solution.u, by_sines(shape, extent, f), shape, extent, residual)


SLOW = 400  # one sweep of Jacobi a cycle on the flattest boxes


NESTED = ("fmg", *CYCLES)
BOXES = ("even", "one cell thick", "mixed parity", "needle", "mixed 3-D")
COMBINED = [
    (BOXES[(i + 2 * j + k + shift) % 5], smoother, coarse, cycle)
    for i, smoother in enumerate(SMOOTHERS)
    for k, coarse in enumerate(COARSE)
    for j, cycle in enumerate(NESTED)
    for shift in (0, 2)
]
"""All combinations of smoother, coarse operator and cycle, each on two boxes; all boxes meet every cycle."""


@pytest.mark.parametrize(("name", "smoother", "coarse", "cycle"), COMBINED)
def test_every_smoother_coarse_operator_and_cycle(name, smoother, coarse, cycle):
    shape, extent = PROBLEMS[name]
    f = np.random.default_rng(4).standard_normal(shape)
    options = {"smoother": smoother, "coarse": coarse, "cycle": cycle, "max_cycles": SLOW}
    solution, residual = solved(Poisson(shape, extent), f, **options)
    close(solution.u, direct(shape, extent, f), shape, extent, residual)


@pytest.mark.parametrize(
    ("name", "smoother", "coarse", "cycle"),
    [
        (("even square", "prime square", "mixed parity")[(i + j + k) % 3], smoother, coarse, cycle)
        for i, smoother in enumerate(SMOOTHERS)
        for k, coarse in enumerate(COARSE)
        for j, cycle in enumerate(CYCLES)
    ],
)
def test_every_combination_with_linear_transfers(name, smoother, coarse, cycle):
    shape, extent = PROBLEMS[name]
    f = np.random.default_rng(5).standard_normal(shape)
    options = {"smoother": smoother, "coarse": coarse, "cycle": cycle, "max_cycles": SLOW, "transfer": "linear"}
    solution, residual = solved(Poisson(shape, extent), f, **options)
    close(solution.u, direct(shape, extent, f), shape, extent, residual)


@given(
    boxes(),
    SEEDS,
    st.sampled_from(SMOOTHERS),
    st.sampled_from(COARSE),
    st.sampled_from(["fmg", *CYCLES]),
    st.sampled_from([(1, 1), (2, 1), (0, 2), (3, 0)]),
    st.sampled_from([None, 1, 2, 3]),
)
@settings(max_examples=60)
def test_any_box_and_any_options(box, seed, smoother, coarse, cycle, nu, levels):
    shape, extent = box
    f = np.random.default_rng(seed).standard_normal(shape)
    nu = nu if cycle != "backslash" else (2, 0)
    options = {"smoother": smoother, "coarse": coarse, "cycle": cycle, "nu": nu, "levels": levels}
    solution, residual = solved(Poisson(shape, extent), f, max_cycles=SLOW, rtol=1e-9, **options)
    close(solution.u, direct(shape, extent, f), shape, extent, residual)


def wave(*x):
    return 1.0 + np.cos(sum((a + 1) * value for a, value in enumerate(x)))


def on_sides(shape, extent, values):
    """{(axis, side): what values(axis, side, coordinates of the side) says}."""
    ends = coordinates(shape, extent, ends=True)
    result = {}
    for a in range(len(shape)):
        for side in (0, 1):
            index = tuple(-side if b == a else slice(1, -1) for b in range(len(shape)))
            result[a, side] = values(a, side, [np.array(x[index]) for x in ends])
    return result


BOUNDARY_DATA = {
    "scalar": (lambda shape, extent: 2.5, lambda *x: 2.5),
    "callable": (lambda shape, extent: wave, wave),
    "arrays": (lambda shape, extent: on_sides(shape, extent, lambda a, side, x: wave(*x)), wave),
    "callables": (lambda shape, extent: on_sides(shape, extent, lambda a, side, x: wave), wave),
    "mixed": (
        lambda shape, extent: on_sides(
            shape, extent, lambda a, side, x: (wave, wave(*x))[(a + side) % 2] if len(shape) > 1 else float(wave(*x))
        ),
        wave,
    ),
}


@pytest.mark.parametrize("kind", BOUNDARY_DATA)
@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("cycle", ["fmg", "V"])
def test_boundary_data_of_every_kind(name, kind, cycle):
    shape, extent = PROBLEMS[name]
    make, g = BOUNDARY_DATA[kind]
    f = np.random.default_rng(6).standard_normal(shape)
    folded = f + with_boundary(shape, extent, g)
    solution, residual = solved(Poisson(shape, extent), f, make(shape, extent), folded, cycle=cycle)
    close(solution.u, direct(shape, extent, folded), shape, extent, residual, folded)


@pytest.mark.parametrize("name", PROBLEMS)
def test_one_side_alone(name):
    shape, extent = PROBLEMS[name]
    for axis in range(len(shape)):
        for side in (0, 1):
            folded = np.zeros(shape)
            h = extent[axis] / (shape[axis] + 1)
            folded[tuple(-side if a == axis else slice(None) for a in range(len(shape)))] = 3 / h**2
            solution, residual = solved(Poisson(shape, extent), np.zeros(shape), {(axis, side): 3}, folded)
            close(solution.u, direct(shape, extent, folded), shape, extent, residual, folded)


HARMONIC = {
    1: lambda x: 3 * x - 1,
    2: lambda x, y: x**2 - y**2 + x * y - 2 * x,
    3: lambda x, y, z: x**2 + y**2 - 2 * z**2 + x * y * z - z,
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_harmonic_polynomials_are_reproduced(name):
    """Second differences are exact for cubics, so that the discrete solution is the polynomial."""
    shape, extent = PROBLEMS[name]
    g = HARMONIC[len(shape)]
    problem = Poisson(shape, extent)
    folded = with_boundary(shape, extent, g)
    solution, residual = solved(problem, np.zeros(shape), g, folded, rtol=1e-12)
    close(solution.u, g(*coordinates(shape, extent)), shape, extent, residual, folded)


@given(st.tuples(st.integers(1, 20), st.integers(1, 20)), st.sampled_from([0.5, 1.0, 3.0]), SEEDS)
def test_a_random_harmonic_polynomial_on_any_grid(shape, aspect, seed):
    a = np.random.default_rng(seed).standard_normal(5)
    extent = (1.0, aspect)

    def g(x, y):
        return a[0] + a[1] * x + a[2] * y + a[3] * x * y + a[4] * (x**3 - 3 * x * y**2)

    folded = with_boundary(shape, extent, g)
    solution, residual = solved(Poisson(shape, extent), np.zeros(shape), g, folded)
    close(solution.u, g(*coordinates(shape, extent)), shape, extent, residual, folded)


@given(boxes(), SEEDS)
def test_the_solution_is_linear_in_f_and_g(box, seed):
    shape, extent = box
    rng, mg = np.random.default_rng(seed), Multigrid(Poisson(shape, extent))
    f1, f2, a = rng.standard_normal(shape), rng.standard_normal(shape), 2.5
    data = [f1 + with_boundary(shape, extent, lambda *x: 1.0), f2]
    data.append(a * data[0] + f2)
    solutions = [mg.solve(f, g, rtol=1e-10) for f, g in ((f1, 1.0), (f2, None), (a * f1 + f2, a))]
    u1, u2, both = (solution.u for solution in solutions)
    residual = sum(w * residual_norm(s, f) for w, s, f in zip((a, 1, 1), solutions, data, strict=True))
    for u, expected in ((both - u2, a * u1), (both - a * u1, u2), (a * u1 + u2, both)):
        if np.linalg.norm(expected) > 0.01 * np.linalg.norm(both):  # rounding is relative to the largest of the three
            close(u, expected, shape, extent, residual, 100 * data[2])


@pytest.mark.parametrize("name", [n for n in PROBLEMS if len(PROBLEMS[n][0]) > 1])
def test_permuting_the_axes_permutes_the_solution(name):
    """The sweep order of a red-black smoother and every transfer are symmetric in the axes up to rounding."""
    shape, extent = PROBLEMS[name]
    f = np.random.default_rng(7).standard_normal(shape)
    order = tuple(range(len(shape)))[::-1]
    u = Multigrid(Poisson(shape, extent)).solve(f, rtol=1e-10)
    v = Multigrid(Poisson(shape[::-1], extent[::-1])).solve(f.transpose(order), rtol=1e-10)
    assert u.cycles == v.cycles
    close(v.u.transpose(order), u.u, shape, extent, EPS * np.linalg.norm(f))


def test_solve_poisson_is_the_three_steps_in_one_call():
    f = np.random.default_rng(8).standard_normal((9, 14))
    options = {"rtol": 1e-9, "smoother": "red-black", "extent": (1, 2), "g": wave}
    expected = Multigrid(Poisson((9, 14), (1, 2)), smoother="red-black").solve(f, wave, rtol=1e-9)
    np.testing.assert_array_equal(pde.solve_poisson(f, **options).u, expected.u)
    by_callable = pde.solve_poisson(lambda x, y: x + y, shape=(9, 14))
    np.testing.assert_array_equal(by_callable.u, pde.solve_poisson(sum(Poisson((9, 14)).points())).u)
    assert pde.solve_poisson([1, 2, 3]).converged


def test_the_version_is_that_of_the_package(monkeypatch):
    monkeypatch.setattr(metadata, "version", {"mgnet-multigrid": "1.2.3"}.__getitem__)
    assert pde.__version__ == "1.2.3"

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert pde.__version__ == "0+unknown"
    with pytest.raises(AttributeError, match="nothing"):
        pde.nothing  # noqa: B018


@settings(max_examples=30)
@given(
    kinds=st.lists(st.sampled_from(list(SIDES)), min_size=1, max_size=3),
    cell=st.booleans(),
    jump=st.sampled_from([None, 1.0, 1e3, 1e6]),
    guess=st.sampled_from([None, 1.0, 1e8]),
    seed=SEEDS,
)
def test_every_solve_reaches_what_it_calls_attainable(kinds, cell, jump, guess, seed):
    """Data of any size, a guess far away, every precision: no solve ends as stalled or diverged before rounding."""
    box, rng = random_box(seed, kinds, cell, sizes=(3, 5, 8, 16, 17, 31))
    arguments = box.arguments()
    if jump is not None:
        arguments["coefficient"] = np.where(sum(i // 3 for i in np.indices(box.shape)) % 2 == 0, jump, 1.0)
    problem = Poisson(**arguments)
    f = rng.standard_normal(problem.shape)
    g = {key: 10.0 ** rng.integers(-2, 5) * rng.standard_normal(np.delete(problem.shape, key[0])) for key in box.sides}
    if problem.singular:
        g, f = None, f - np.average(f, weights=problem.control_volumes())
    u0 = None if guess is None else guess * rng.standard_normal(problem.shape)
    for dtype in ("float64", "mixed", "float32"):
        mg = Multigrid(problem, dtype=dtype)
        for accel in (None, "cg"):
            solution = mg.solve(f, g, u0=u0, rtol=0, max_cycles=100, accel=accel)
            assert solution.converged or solution.reason == "rounding", solution.message
            assert solution.converged or solution.residual_norms[-1] <= solution.attainable
