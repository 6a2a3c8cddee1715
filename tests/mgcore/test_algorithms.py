"""The cycles of mgcore against the papers' algorithms, written out once more as plain loops."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mgcore
from mgcore import (
    Level,
    backslash_cycle,
    checks,
    descend,
    f_cycle,
    full_multigrid,
    mg0,
    mgnet,
    residual_form,
    v_cycle,
    w_cycle,
)
from mgcore.cycle import visits, work_units
from tests.helpers import EPS, SEEDS, Hierarchy, hierarchies, norm
from tests.mgcore.choices import every_backend, every_form


def algorithm_1(h: Hierarchy, f, u0):
    """MG0: (u^{l,0}, u^l, f^l) of each grid; the paper's u^{1,0} is 0."""
    J, result = len(h.A), []
    for l in range(J):
        u = u0
        for S in h.B[l]:
            u = u + S(f - h.A[l](u))  # (5.12)
        result.append((u0, u, f))
        if l < J - 1:
            f = h.R[l](f - h.A[l](u))
            u0 = h.zero(l + 1)
    return result


def algorithm_3(h: Hierarchy, f, u0):
    """MgNet: (u^{l,0}, u^l, f^l) of each grid; the paper's u^{1,0} is 0."""
    J, result = len(h.A), []
    for l in range(J):
        u = u0
        for B in h.B[l]:
            u = u + B(f - h.A[l](u))  # (6.4)
        result.append((u0, u, f))
        if l < J - 1:
            u0 = h.zero(l + 1) if h.Pi[l] is None else h.Pi[l](u)  # (6.5)
            f = h.R[l](f - h.A[l](u)) + h.A[l + 1](u0)  # (6.6)
    return result


def algorithm_2(h: Hierarchy, f, u0):
    u = [u for _, u, _ in algorithm_1(h, f, u0)]
    for l in reversed(range(len(u) - 1)):
        u[l] = u[l] + h.P[l](u[l + 1], u[l])  # (5.13)
    return u[0]


def algorithm_4(h: Hierarchy, f, u0):
    down = algorithm_3(h, f, u0)
    u = down[-1][1]
    for l in reversed(range(len(down) - 1)):
        _, u_bar, f_l = down[l]
        u = u_bar + h.P[l](u - down[l + 1][0], u_bar)  # (6.15)
        for B in h.B_post[l]:
            u = u + B(f_l - h.A[l](u))  # (6.16)
    return u


def recursive_cycle(h: Hierarchy, kind: str, l: int, f, u):
    """V-, W- and F-cycle by recursion. Every later visit of a grid starts from where the one before it ended."""
    for B in h.B[l]:
        u = u + B(f - h.A[l](u))
    if l == len(h.A) - 1:
        return u
    u0 = h.zero(l + 1) if h.Pi[l] is None else h.Pi[l](u)
    f_coarse = h.R[l](f - h.A[l](u)) + h.A[l + 1](u0)
    u_coarse = u0
    for visit in {"V": "V", "W": "WW", "F": "FV"}[kind]:
        u_coarse = recursive_cycle(h, visit, l + 1, f_coarse, u_coarse)
    u = u + h.P[l](u_coarse - u0, u)
    for B in h.B_post[l]:
        u = u + B(f - h.A[l](u))
    return u


CYCLES = {"V": v_cycle, "W": w_cycle, "F": f_cycle}


def start(data, h):
    """f and a first guess: the pair to hand to mgcore, where None is zero, and the vector that it stands for."""
    f = h.grids[0].data()
    given_guess = data.draw(st.booleans(), "first guess given")
    u = h.grids[0].features() if given_guess else None
    return f, u, h.zero(0) if u is None else u


def assert_visits(h, visits, expected):
    assert len(visits) == len(expected)
    for visit, (u0, u, f) in zip(visits, expected, strict=True):
        for ours, theirs in ((visit.u0, u0), (visit.u, u), (visit.f, f)):
            assert checks.deviation(norm, ours, theirs) <= h.tolerance()


@every_backend
@every_form
@given(data=st.data())
def test_descent_is_algorithm_3(backend, form, data):
    h = data.draw(hierarchies(backend, nonlinear_B=None))
    f, u, u_vector = start(data, h)
    expected = algorithm_3(h, f, u_vector)
    assert_visits(h, descend(form(h.levels()), f, u), expected)
    if u is None:
        assert_visits(h, mgnet(form(h.levels()), f), expected)


@every_backend
@given(data=st.data())
def test_descent_without_pi_is_algorithm_1(backend, data):
    h = data.draw(hierarchies(backend, pi=["none"], nonlinear_B=None))
    f, u, u_vector = start(data, h)
    assert_visits(h, descend(h.levels(), f, u), algorithm_1(h, f, u_vector))


@every_backend
@given(data=st.data())
def test_mg0_is_algorithm_1_whatever_the_pi(backend, data):
    h = data.draw(hierarchies(backend, pi=["random", "transposed P"]))
    f = h.grids[0].data()
    assert_visits(h, mg0(h.levels(), f), algorithm_1(h, f, h.zero(0)))


@every_backend
@given(data=st.data())
def test_descent_with_nonlinear_A_is_algorithm_3(backend, data):
    h = data.draw(hierarchies(backend, nonlinear_A=True, nonlinear_B=None))
    f, u, u_vector = start(data, h)
    assert_visits(h, descend(h.levels(linear=False), f, u), algorithm_3(h, f, u_vector))


@every_backend
@every_form
@given(data=st.data())
def test_backslash_is_algorithm_2(backend, form, data):
    h = data.draw(hierarchies(backend, pi=["none"], post=True))  # B_post is there and must not be used
    f, u, u_vector = start(data, h)
    result = backslash_cycle(form(h.levels()), f, u)
    assert checks.deviation(norm, result, algorithm_2(h, f, u_vector)) <= h.tolerance()


@every_backend
@every_form
@given(data=st.data())
def test_v_cycle_is_algorithm_4(backend, form, data):
    h = data.draw(hierarchies(backend, post=True, nonlinear_B=None))
    f, u, u_vector = start(data, h)
    result = v_cycle(form(h.levels()), f, u)
    assert checks.deviation(norm, result, algorithm_4(h, f, u_vector)) <= h.tolerance()


@every_backend
@every_form
@pytest.mark.parametrize("kind", list(CYCLES))
@given(data=st.data())
def test_cycles_are_their_recursions(backend, form, kind, data):
    h = data.draw(hierarchies(backend, max_sweeps=2, post=True, nonlinear_B=None))
    f, u, u_vector = start(data, h)
    result = CYCLES[kind](form(h.levels()), f, u)
    assert checks.deviation(norm, result, recursive_cycle(h, kind, 0, f, u_vector)) <= h.tolerance(visits=2)


@every_backend
@pytest.mark.parametrize("kind", list(CYCLES))
@given(data=st.data())
def test_cycles_with_nonlinear_A_are_their_recursions(backend, kind, data):
    h = data.draw(hierarchies(backend, max_sweeps=2, post=True, nonlinear_A=True))
    f, u, u_vector = start(data, h)
    result = CYCLES[kind](h.levels(linear=False), f, u)
    assert checks.deviation(norm, result, recursive_cycle(h, kind, 0, f, u_vector)) <= h.tolerance(visits=2)


@pytest.mark.parametrize("kind", list(CYCLES))
@given(seed=SEEDS, count=st.integers(1, 4), nu=st.integers(0, 2), nu_post=st.integers(0, 2))
def test_error_propagation(kind, seed, count, nu, nu_post):
    """E = post (I - P (I - E_coarse) A_coarse^-1 R A) pre as a matrix, where two visits make E_coarse a product."""
    rng = np.random.default_rng(seed)
    n = rng.integers(3, 9, count)

    def matrix(rows, columns):
        M = rng.standard_normal((rows, columns))
        return M / np.linalg.norm(M, 2)

    A = [np.eye(k) + matrix(k, k) / 2 for k in n]  # condition number at most 3
    B = [[matrix(k, k) / 2 for _ in range(nu)] for k in n]
    B_post = [[matrix(k, k) / 2 for _ in range(nu_post)] for k in n]
    R = [*(matrix(c, k) for k, c in itertools.pairwise(n)), None]
    P = [*(matrix(k, c) for k, c in itertools.pairwise(n)), None]

    def sweeps(l, Bs):
        E = np.eye(n[l])
        for S in Bs:
            E = (np.eye(n[l]) - S @ A[l]) @ E
        return E

    def E(kind, l):
        pre = sweeps(l, B[l])
        if l == count - 1:
            return pre
        first, *second = {"V": "V", "W": "WW", "F": "FV"}[kind]
        E_coarse = E(first, l + 1)
        for again in second:
            E_coarse = E(again, l + 1) @ E_coarse
        coarse_solve = (np.eye(n[l + 1]) - E_coarse) @ np.linalg.inv(A[l + 1])
        return sweeps(l, B_post[l]) @ (np.eye(n[l]) - P[l] @ coarse_solve @ R[l] @ A[l]) @ pre

    levels = [
        Level(
            A[l].__matmul__,
            [S.__matmul__ for S in B[l]],
            None if R[l] is None else R[l].__matmul__,
            None,
            None if P[l] is None else lambda e, like, l=l: P[l] @ e,
            [S.__matmul__ for S in B_post[l]],
        )
        for l in range(count)
    ]
    exact, guess = rng.standard_normal((2, n[0]))
    # every factor of E has norm at most 7/4 (a sweep) or 1 + (1 + |E_coarse|) 2 * 3/2: bound the products by doing them
    size = max(1.0, *(np.linalg.norm(E(kind, l), 2) for l in range(count)))
    tolerance = 100 * EPS * 8 * (2.0**count) * (nu + nu_post + 3) * (4 * size * 1.75 ** (nu + nu_post)) ** 2
    for levels_of_form in (levels, residual_form(levels)):
        result = CYCLES[kind](levels_of_form, A[0] @ exact, guess)
        assert norm(result - exact - E(kind, 0) @ (guess - exact)) <= tolerance * norm(guess - exact)


@every_backend
@given(data=st.data())
def test_second_visit_of_a_w_cycle_starts_from_the_first(backend, data):
    """On two grids a W-cycle is a V-cycle with twice the coarse sweeps, and not one with the sweeps made once."""
    h = data.draw(hierarchies(backend, max_levels=2, min_sweeps=1, post=True).filter(lambda h: len(h.A) == 2))
    f, u = h.grids[0].data(), h.grids[0].features()
    fine, coarse = h.levels()
    twice = Level(coarse.A, [*coarse.B, *coarse.B])
    expected = v_cycle([fine, twice], f, u)
    assert checks.deviation(norm, w_cycle([fine, coarse], f, u), expected) <= h.tolerance(visits=2)
    assert checks.deviation(norm, v_cycle([fine, coarse], f, u), expected) > 1e-9


@every_backend
@pytest.mark.parametrize("kind", list(CYCLES))
@given(data=st.data())
def test_full_multigrid_is_nested_iteration(backend, kind, data):
    h = data.draw(hierarchies(backend, max_levels=3, max_sweeps=2, min_sweeps=1, post=True))
    J, f = len(h.A), h.grids[0].data()
    interpolate = [grid.interpolate for grid in h.grids[:-1]]
    restrict_data = [grid.restrict_data for grid in h.grids[:-1]]

    fs = [f]
    for l in range(J - 1):
        fs.append(restrict_data[l](fs[l]))
    u = recursive_cycle(h, kind, J - 1, fs[J - 1], h.zero(J - 1))
    for l in reversed(range(J - 1)):
        u = recursive_cycle(h, kind, l, fs[l], interpolate[l](u))

    options = {"interpolate": interpolate, "restrict_data": restrict_data}
    result = full_multigrid(h.levels(), f, cycle=CYCLES[kind], **options)
    assert checks.deviation(norm, result, u) <= J * h.tolerance(visits=2)
    if kind == "V":
        assert checks.deviation(norm, full_multigrid(h.levels(), f, **options), u) <= J * h.tolerance(visits=2)


@pytest.mark.parametrize("kind", list(mgcore.CYCLES))
def test_visits_of_the_cycles_by_name(kind):
    seen = [0] * 5

    class Visited(Level):
        def smooth(self, state):
            seen[self.info] += 1
            return super().smooth(state)

    levels = [Visited(lambda u: u, [lambda r: r], lambda r: r, None, lambda e, u: e, info=l) for l in range(5)]
    mgcore.CYCLES[kind](levels, 1.0)
    expected = {"V": [1] * 5, "W": [1, 2, 4, 8, 16], "F": [1, 2, 3, 4, 5], "backslash": [1] * 5}
    assert seen == [visits(kind, l) for l in range(5)] == expected[kind]


def test_work_units_are_evaluations_of_the_finest_residual():
    """Of two sweeps down, one up, a residual and two transfers on levels that cost 8, 4 and 2."""
    costs, each = (8, 4, 2), 2 + 1 + 2
    assert work_units(costs, (2, 1), "V") == each * (8 + 4 + 2) / 8
    assert work_units(costs, (2, 1), "W", 3) == 3 * each * (8 + 2 * 4 + 4 * 2) / 8
    assert work_units(costs, (2, 1), "F") == each * (8 + 2 * 4 + 3 * 2) / 8
    assert work_units(costs, (2, 1), "backslash") == (each - 1) * (8 + 4 + 2) / 8
    assert work_units(costs, (2, 1), "fmg", 0) == 0
    assert work_units(costs, (2, 1), "fmg", 2) == each * ((8 + 4 + 2) + (4 + 2) + 2 + (8 + 4 + 2)) / 8


@every_backend
@given(data=st.data())
def test_inputs_are_left_alone(backend, data):
    h = data.draw(hierarchies(backend, post=True))
    f, u = h.grids[0].data(), h.grids[0].features()
    f_before, u_before = 1 * f, 1 * u
    for cycle in (backslash_cycle, *CYCLES.values(), descend):
        cycle(h.levels(), f, u)
    assert bool((f == f_before).all())
    assert bool((u == u_before).all())
