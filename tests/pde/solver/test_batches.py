"""Batches: every member is solved as it would be alone, and left alone once it has ended."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mgcore
from pde import Multigrid, Poisson, SolveError
from tests.pde.reference import EPS, SEEDS
from tests.pde.rounding import of_a_cycle, of_a_residual
from tests.pde.sides_reference import make_box
from tests.pde.solvers import RANDOM, solver

KINDS = [("D",), ("P",), ("NR",), ("D", "D"), ("N", "P"), ("R", "DN"), ("P", "P"), ("N", "N", "N"), ("D", "P", "R")]


def member(rng, kind, box, mg):
    """(f, u0) of one member: easy or hard, large or small."""
    f = rng.standard_normal(box.shape) * 10.0 ** rng.integers(-6, 7)
    if box.singular:
        f -= box.mean(f)
    if kind == "nothing to do":
        return 0 * f, 0 * f
    if kind == "solved":
        return f, mg.solve(f, rtol=1e-11).u
    if kind == "nearly solved":
        u = mg.solve(f, rtol=1e-11).u
        return f, u * (1 + 1e-6 * rng.standard_normal(box.shape))
    if kind == "far away":
        return f, 1e3 * np.abs(f).max() * rng.standard_normal(box.shape)
    return f, 0 * f


MEMBERS = ("ordinary", "nothing to do", "solved", "nearly solved", "far away")


@settings(max_examples=40)
@given(
    kinds=st.sampled_from(KINDS),
    cell=st.booleans(),
    members=st.lists(st.sampled_from(MEMBERS), min_size=2, max_size=6),
    guess=st.booleans(),
    cycle=st.sampled_from(["fmg", "V", "W", "F", "cg"]),
    seed=SEEDS,
)
def test_a_batch_gives_what_single_solves_give(kinds, cell, members, guess, cycle, seed):
    rng = np.random.default_rng(seed)
    box = make_box(kinds, rng.integers(1, {1: 40, 2: 14, 3: 7}[len(kinds)], len(kinds)).tolist(), cell)
    mg = Multigrid(Poisson(**box.arguments()))
    f, u0 = (np.stack(v) for v in zip(*(member(rng, kind, box, mg) for kind in members), strict=True))
    options = {"accel": "cg"} if cycle == "cg" else {"cycle": cycle}
    together = mg.solve(f, u0=u0 if guess else None, **options)
    assert len(together.members) == len(f)
    for i, found in enumerate(together.members):
        alone = mg.solve(f[i], u0=u0[i] if guess else None, **options)
        check_member(mg, f[i], u0[i] if guess else 0 * f[i], found, alone)
        assert np.shares_memory(found.u, together.u)
        if box.singular:
            assert found.removed == pytest.approx(alone.removed, abs=64 * EPS)
    check_summary(together)


def check_member(mg, f, guess, found, alone):
    """The same operations on the same numbers; but sums over members side by side round differently."""
    assert found.tolerance == alone.tolerance
    common = min(found.cycles, alone.cycles)
    size = np.sqrt(np.mean(f**2)) or 1.0
    lost = of_a_residual(mg, f, guess, alone.u) / size
    norms, expected = (np.array(solution.residual_norms) for solution in (found, alone))
    np.testing.assert_allclose(norms[: common + 1], expected[: common + 1], rtol=64 * EPS, atol=lost)
    if np.all(abs(expected - alone.tolerance) > lost):  # else it is by rounding that one more cycle is made
        assert (found.cycles, found.reason, found.converged) == (alone.cycles, alone.reason, alone.converged)
        assert found.work_units == alone.work_units
        rounding = max(1, alone.cycles) * of_a_cycle(mg, f, guess, alone.u)
        np.testing.assert_allclose(found.u, alone.u, rtol=0, atol=rounding)


def check_summary(together):
    members = together.members
    assert together.converged == all(m.converged for m in members)
    assert together.cycles == max(m.cycles for m in members)
    assert together.residual_norms[-1] == max(m.residual_norms[-1] for m in members)
    assert together.residual_norms[0] == max(m.residual_norms[0] for m in members)
    assert len(together.residual_norms) == together.cycles + 1
    assert together.reason == ("converged" if together.converged else together.reason)
    assert together.work_units == pytest.approx(np.mean([m.work_units for m in members]))
    assert np.all(together.u.reshape(len(members), -1) == np.stack([m.u.ravel() for m in members]))


def test_members_that_have_ended_are_left_out_of_the_cycles():
    """The levels see one member less after each one that ends."""
    mg = Multigrid(Poisson((31, 31)))
    f = np.random.default_rng(1).standard_normal((4, 31, 31))
    f[1] = 0
    u0 = np.stack([mg.solve(v, rtol=rtol).u for v, rtol in zip(f, (1e-3, 1, 1e-11, 1e-6), strict=True)])
    seen = []
    fine = mg.levels[0]
    mg.levels[0] = dataclasses.replace(fine, R=lambda r: seen.append(len(r)) or fine.R(r))
    solution = mg.solve(f, u0=u0)
    cycles = [m.cycles for m in solution.members]
    assert cycles[1] == cycles[2] == 0 < cycles[3] < cycles[0]
    assert seen == [sum(c > k for c in cycles) for k in range(max(cycles))]


@pytest.mark.parametrize("batch", [(3,), (2, 2), (1,), (2, 1, 3)])
def test_any_leading_axes(batch):
    mg = Multigrid(Poisson((9, 14), boundary=("dirichlet", ("neumann", "dirichlet"))))
    rng = np.random.default_rng(2)
    f = rng.standard_normal((*batch, 9, 14))
    g = {(0, 1): rng.standard_normal((*batch, 14)), (1, 0): rng.standard_normal(9)}
    u0 = rng.standard_normal((*batch, 9, 14)) * 10.0 ** rng.integers(-6, 3, (*batch, 1, 1))
    shapes = set()
    for start, accel in ((None, None), (u0, None), (u0, "cg")):
        out = np.full((2, *f.shape), np.nan)[1]
        solution = mg.solve(f, g, start, out, accel=accel, callback=lambda p: shapes.add(p.u.shape) and None)
        assert solution.u is out
        for index, found in zip(np.ndindex(*batch), solution.members, strict=True):
            sides = {(0, 1): g[0, 1][index], (1, 0): g[1, 0]}
            alone = mg.solve(f[index], sides, None if start is None else start[index], accel=accel)
            assert (found.cycles, found.reason) == (alone.cycles, alone.reason)
            np.testing.assert_allclose(found.u, alone.u, rtol=0, atol=1e4 * EPS * np.abs(alone.u).max())
            np.testing.assert_array_equal(found.u, out[index])
    assert shapes == {f.shape}
    assert mg.solve(f[(0,) * len(batch)]).members == ()


def test_a_callback_is_told_of_all_members():
    mg = Multigrid(Poisson((20, 20)))
    f = np.random.default_rng(3).standard_normal((3, 20, 20))
    u0 = np.stack([0 * f[0], mg.solve(f[1], rtol=1e-5).u, mg.solve(f[2], rtol=1e-12).u])
    seen = []
    solution = mg.solve(f, u0=u0, callback=seen.append)
    assert [p.cycle for p in seen] == list(range(1, solution.cycles + 1))
    for p in seen:
        for i, m in enumerate(solution.members):
            assert p.residuals[i] == m.residual_norms[min(p.cycle, m.cycles)]
        assert p.residual == max(p.residuals) == solution.residual_norms[p.cycle]
        np.testing.assert_array_equal(p.u[2], solution.u[2])
    assert seen[0].factor == pytest.approx(solution.residual_norms[1] / solution.residual_norms[0])
    np.testing.assert_array_equal(seen[-1].u, solution.u)


def test_a_callback_stops_the_members_that_go_on():
    mg = Multigrid(Poisson((20, 20)))
    f = np.random.default_rng(4).standard_normal((3, 20, 20))
    u0 = np.stack([0 * f[0], mg.solve(f[1], rtol=1e-7).u, mg.solve(f[2], rtol=1e-12).u])
    solution = mg.solve(f, u0=u0, callback=lambda p: p.cycle == 3)
    assert [m.reason for m in solution.members] == ["stopped", "converged", "converged"]
    assert (solution.reason, solution.converged, solution.cycles) == ("stopped", False, 3)
    assert "2 of 3 members converged" in solution.message
    with pytest.raises(SolveError, match="2 of 3 members"):
        mg.solve(f, u0=u0, callback=lambda p: p.cycle == 3, strict=True)


def test_one_bad_member_does_not_spoil_the_others():
    mg = Multigrid(Poisson((20, 20), extent=100.0))
    f = np.random.default_rng(5).standard_normal((3, 20, 20))
    f[1] = 1e308  # u is larger
    solution = mg.solve(f)
    assert [m.reason for m in solution.members] == ["converged", "non-finite", "converged"]
    assert (solution.reason, solution.converged) == ("non-finite", False)
    for i in (0, 2):
        np.testing.assert_allclose(
            solution.u[i], mg.solve(f[i]).u, rtol=0, atol=1e4 * EPS * np.abs(solution.u[i]).max()
        )
    assert np.isnan(solution.residual_norms[-1]) or np.isinf(solution.residual_norms[-1])


def test_each_reason_is_a_members_own():
    """One has converged, one is at rounding, one has used up its cycles."""
    mg = Multigrid(Poisson((63, 63)))
    smooth = np.ones((63, 63))
    rough = np.random.default_rng(6).standard_normal((63, 63))
    u0 = np.stack([mg.solve(smooth, rtol=0).u, 1e16 * rough, 0 * rough])
    f = np.stack([smooth, rough, 0 * rough])
    solution = mg.solve(f, u0=u0, rtol=1e-15, max_cycles=9)
    assert [m.reason for m in solution.members] == ["rounding", "max_cycles", "converged"]
    assert solution.reason == "rounding"
    assert solution.attainable == solution.members[0].attainable
    assert solution.members[1].attainable is None


def test_an_absolute_tolerance_is_that_of_each_member():
    mg = Multigrid(Poisson((31, 31)))
    f = np.random.default_rng(7).standard_normal((31, 31))
    rms = np.sqrt(np.mean(f**2))
    solution = mg.solve(np.stack([f, 1e3 * f, 1e-6 * f]), rtol=0, atol=1e-4 * rms)
    assert [m.tolerance for m in solution.members] == pytest.approx([1e-4, 1e-7, 1e2])
    assert [m.cycles for m in solution.members] == [mg.solve(f, rtol=t).cycles for t in (1e-4, 1e-7, 1e2)]
    assert solution.members[2].cycles == 0
    assert not solution.u[2].any()


@pytest.mark.parametrize("boundary", ["neumann", "periodic"])
def test_what_is_removed_of_a_singular_problem_is_told_member_by_member(boundary):
    mg = Multigrid(Poisson((16, 16), boundary=boundary))
    W = mg.problem.control_volumes()
    f = np.random.default_rng(8).standard_normal((3, 16, 16))
    f -= np.average(f.reshape(3, -1), axis=1, weights=W.ravel())[:, None, None]
    f[1] += 4e-3 * np.average(abs(f[1]), weights=W)
    solution = mg.solve(f)
    assert solution.members[1].removed == solution.removed == pytest.approx(4e-3, rel=1e-2)
    assert solution.members[0].removed <= 64 * EPS
    u0 = solution.u + np.array([3.0, 5.0, 7.0])[:, None, None]  # no cycle is needed, but a mean is to go
    again = mg.solve(f, u0=u0)
    assert [m.cycles for m in again.members] == [0, 0, 0]
    np.testing.assert_allclose(again.u, solution.u, rtol=0, atol=64 * EPS * np.abs(u0).max())


def test_a_bad_member_is_refused_by_its_index():
    f = np.ones((3, 9, 9))
    f[1, 4, 5] = np.nan
    with pytest.raises(ValueError, match=r"f must be finite.*\(1, 4, 5\)"):
        Multigrid(Poisson((9, 9))).solve(f)


def cycle_of_numbers(rates, f, u):
    """u = f for numbers, each with its own rate."""
    u = [0.0] * len(f) if u is None else u
    return [a - rates[a] * (a - b) for a, b in zip(f, u, strict=True)]


class Numbers:
    """u = f for a list of numbers."""

    def __init__(self, rates):
        self.rates, self.f, self.scale = rates, list(rates), list(rates)
        self.all, self.members = [0.0] * len(rates), list(range(len(rates)))

    def norms(self):
        return [abs(self.f[i] - self.all[i]) for i in self.members]

    def advance(self, left):
        for i in self.members:
            self.all[i] = cycle_of_numbers(self.rates, self.f[i : i + 1], self.all[i : i + 1])[0]
        return [[norm / member.scale] for norm, member in zip(self.norms(), left, strict=True)]

    def attainable(self):
        return None

    def u(self):
        return list(self.all)

    def keep(self, members):
        self.members = [self.members[k] for k in members]


class Quick(Numbers):
    """Cycles of each member for as long as its residual halves."""

    def __init__(self, rates):
        super().__init__(rates)
        self.asked = []

    def advance(self, left):
        self.asked.append(left)
        histories = []
        for i, (last, scale, tolerance, cycles) in zip(self.members, left, strict=True):
            norms = [last]
            while len(norms) == 1 or (len(norms) <= cycles and tolerance < norms[-1] <= 0.5 * norms[-2]):
                self.all[i] = cycle_of_numbers(self.rates, self.f[i : i + 1], self.all[i : i + 1])[0]
                norms.append(abs(self.f[i] - self.all[i]) / scale)
            histories.append(norms[1:])
        return histories


def solve_numbers(iteration, **options):
    return mgcore.solve_batch(iteration, rtol=2e-3, **options)


def test_a_batch_needs_no_arrays():
    """mgcore's loop knows lists as well."""
    rates = {2.0: 0.1, 3.0: 0.5, 0.0: 0.9}

    solution = solve_numbers(Numbers(rates))
    assert [m.cycles for m in solution.members] == [3, 9, 0]
    assert solution.u == pytest.approx([2.0, 3.0, 0.0], rel=2e-3)
    assert solution.reason == "converged"


@pytest.mark.parametrize("shape", [(31,), (9, 14), (5, 6, 7)])
def test_boundary_data_may_differ_between_the_members_of_a_batch(shape):
    rng, extent = np.random.default_rng(4), (1.0,) * len(shape)
    f = rng.standard_normal((3, *shape))
    sides = {(a, s): (3, *shape[:a], *shape[a + 1 :]) for a in range(len(shape)) for s in (0, 1)}
    g = {key: rng.standard_normal(size) for key, size in sides.items()}
    mg = solver(shape)
    together, common = mg.solve(f, g, rtol=1e-12), mg.solve(f, {key: v[0] for key, v in g.items()}, rtol=1e-12)
    whole = mg.problem.embed(together.u, g)
    rounding = together.cycles * of_a_cycle(mg, f, whole)
    for i in range(3):
        alone = mg.solve(f[i], {key: v[i] for key, v in g.items()}, rtol=1e-12)
        np.testing.assert_allclose(together.u[i], alone.u, rtol=0, atol=rounding)
    np.testing.assert_allclose(common.u[0], together.u[0], rtol=0, atol=rounding)
    inside = (slice(None), 0, *(slice(1, -1),) * (len(shape) - 1))
    np.testing.assert_array_equal(whole[inside], g[0, 0])
    assert extent == mg.problem.extent


def test_a_batch_with_members_of_every_size():
    f = np.stack([RANDOM, 0 * RANDOM, 1e-200 * RANDOM, 1e200 * RANDOM])
    solution = solver((63, 63)).solve(f, rtol=1e-10)
    expected = solver((63, 63)).solve(RANDOM, rtol=1e-10)
    assert solution.cycles == expected.cycles
    assert not solution.u[1].any()
    for member, scale in ((0, 1), (2, 1e-200), (3, 1e200)):
        rounding = expected.cycles * of_a_cycle(solver((63, 63)), RANDOM, expected.u)
        np.testing.assert_allclose(solution.u[member] / scale, expected.u, rtol=0, atol=rounding)


def test_cycles_made_at_once_are_those_of_the_loop():
    """An iteration may make more than one, and where there is a callback makes each alone."""
    rates = {2.0: 0.1, 3.0: 0.45, 5.0: 0.7, 0.0: 0.9}
    for most in (1, 3, 50):
        iteration = Quick(rates)
        plain, quick = (solve_numbers(each, max_cycles=most) for each in (Numbers(rates), iteration))
        assert quick.u == plain.u
        for a, b in zip(plain.members, quick.members, strict=True):
            assert (a.reason, a.cycles, a.residual_norms) == (b.reason, b.cycles, b.residual_norms)
    assert [len(left) for left in iteration.asked[-3:]] == [1, 1, 1]  # the slow one, cycle by cycle
    iteration = Quick(rates)
    solve_numbers(iteration, callback=lambda progress: None)
    assert all(member.cycles == 1 for left in iteration.asked for member in left)
