"""`solve`: every reason it may end for, and what its Solution says. The problem is u = f for numbers u and f."""

import copy
import math
import pickle
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgcore import REASONS, Progress, Solution, SolveError, Visit, solve, solve_batch


def residual(f, u):
    return f if u is None else f - u


def reducing(factor):
    """A cycle that multiplies the error by this factor."""

    def cycle(f, u):
        return f - factor * residual(f, u)

    return cycle


def run(factor=0.1, f=2.0, u=None, **options):
    return solve(reducing(factor), residual, abs, f, u, **options)


@given(factor=st.floats(0.01, 0.8), rtol=st.floats(1e-10, 0.5), f=st.floats(0.5, 8))
def test_converged(factor, rtol, f):
    solution = run(factor, f, rtol=rtol, max_cycles=1000)
    assert solution.converged
    assert solution.reason == "converged"
    assert abs(f - solution.u) <= rtol * f
    assert len(solution.residual_norms) == solution.cycles + 1
    assert solution.residual_norms[0] == 1
    assert solution.residual_norms[-2] > rtol >= solution.residual_norms[-1]
    assert solution.factor == pytest.approx(factor, rel=1e-4)
    assert solution.tolerance == rtol
    assert solution.attainable is None
    assert solution.work_units is None
    assert solution.seconds >= 0


@pytest.mark.parametrize(
    ("factor", "options", "reason", "cycles"),
    [
        (0.5, {"max_cycles": 3}, "max_cycles", 3),
        (0.5, {"max_cycles": 0}, "max_cycles", 0),
        (-200.0, {}, "diverged", 3),  # a millionfold
        (-1.2, {}, "diverged", 5),  # rising, and more than five cycles before
        (1.0, {}, "stalled", 5),
        (0.999, {}, "stalled", 5),
        (-1.001, {}, "stalled", 5),
        (math.nan, {}, "non-finite", 1),
        (math.inf, {}, "non-finite", 1),
        (1.0, {"rounding": lambda u: 3.0}, "rounding", 1),
        (0.4, {"rounding": lambda u: 3.0, "max_cycles": 2}, "max_cycles", 2),  # still falls fast: rounding is not asked
        (1.0, {"rounding": lambda u: 1e-9}, "stalled", 5),
        (0.5, {"callback": lambda progress: progress.cycle == 2}, "stopped", 2),
        (0.5, {"callback": lambda progress: np.bool_(progress.cycle == 2)}, "stopped", 2),
        (0.1, {"callback": lambda progress: True, "rtol": 0.2}, "converged", 1),
    ],
)
def test_reasons(factor, options, reason, cycles):
    solution = run(factor, **options)
    assert (solution.reason, solution.cycles) == (reason, cycles)
    assert solution.converged == (reason == "converged")
    assert reason in REASONS
    assert len(solution.residual_norms) == cycles + 1
    assert solution.message.startswith(f"{reason} after {cycles} cycle{'s' * (cycles != 1)} at relative residual ")
    assert solution.message.endswith(f": {REASONS[reason]}")
    assert ("asked for 1.0e-08" in solution.message) == (reason != "converged")


def test_every_reason_is_tested():
    (mark,) = test_reasons.pytestmark
    assert {case[2] for case in mark.args[1]} == set(REASONS) - {"indefinite"}  # which iterations tell themselves


class Failing:
    """Residuals that halve; the second member cannot go on after its first cycle, the third has converged by then."""

    scale = (1.0, 1.0, 1.0)

    def __init__(self):
        self.r, self.members = np.ones(3), [0, 1, 2]

    def norms(self):
        return self.r[self.members]

    def advance(self, left):
        self.r[self.members] *= [(0.5, 0.5, 0.01)[k] for k in self.members]
        return self.norms()[:, None]

    def failures(self):
        return [None if k == 0 else "indefinite" for k in self.members]

    def attainable(self):
        return None

    def u(self):
        return self.r

    def keep(self, members):
        self.members = [self.members[k] for k in members]


def test_an_iteration_tells_why_a_member_cannot_go_on():
    solution = solve_batch(Failing(), rtol=0.1)
    assert [member.reason for member in solution.members] == ["converged", "indefinite", "converged"]
    assert [member.cycles for member in solution.members] == [4, 1, 1]
    assert (solution.reason, solution.converged) == ("indefinite", False)
    assert REASONS["indefinite"] in solution.message


def test_attainable_is_reported():
    solution = run(1.0, f=2.0, rounding=lambda u: 3.0)
    assert solution.attainable == 1.5
    assert "attainable about 1.5e+00" in solution.message
    with pytest.raises(SolveError, match="rounding error") as error:
        raise SolveError(solution)
    assert error.value.solution is solution
    assert isinstance(error.value, ArithmeticError)


def test_exact_start_makes_no_cycle():
    def cycle(f, u):
        raise AssertionError("no cycle is needed")

    for f, u in ((2.0, 2.0), (0.0, None), (0.0, 0.0)):
        solution = solve(cycle, residual, abs, f, u, rtol=0)
        assert (solution.reason, solution.cycles, solution.residual_norms) == ("converged", 0, (0.0,))
        assert solution.u == u
        assert solution.factor == 0
        assert "after 0 cycles" in solution.message


@pytest.mark.parametrize("size", [5.0, 5e-9, 5e9])
def test_zero_f_measures_by_the_first_residual(size):
    solution = run(0.1, f=0.0, u=size, rtol=1.5e-4)
    assert solution.residual_norms == pytest.approx((1, 0.1, 0.01, 0.001, 0.0001))
    assert solution.reason == "converged"


@pytest.mark.parametrize("scale", [1.0, 10.0, 1e6])
def test_a_scale_that_is_given_measures(scale):
    solution = run(0.1, f=2.0, u=3.0, rtol=0, atol=0.05, scale=scale)
    assert solution.residual_norms[0] == pytest.approx(1 / scale)
    assert solution.tolerance == pytest.approx(0.05 / scale)
    assert solution.cycles == 2


@pytest.mark.parametrize(("lost", "reason"), [(0.5, "converged"), (2.0, "rounding")])
def test_a_residual_in_which_all_of_f_is_lost_is_doubted(lost, reason):
    solution = run(0.1, f=2.0, rtol=1e-3, rounding=lambda u: 2 * lost, doubt=True)
    assert (solution.reason, solution.attainable) == (reason, pytest.approx(lost))
    assert run(0.1, f=2.0, rtol=1e-3, rounding=lambda u: 2 * lost).reason == "converged"


def test_first_guess_and_first_norm():
    assert run(0.1, f=2.0, u=3.0, max_cycles=1).residual_norms == pytest.approx((0.5, 0.05))
    assert run(0.1, f=2.0, max_cycles=1).residual_norms == pytest.approx((1, 0.1))


def test_absolute_tolerance():
    solution = run(0.1, f=2.0, rtol=0, atol=0.03)
    assert solution.cycles == 2
    assert solution.tolerance == 0.015
    assert run(0.1, f=2.0, rtol=0.5, atol=0.03).cycles == 1  # the larger of the two


@pytest.mark.parametrize("f", [math.nan, math.inf])
def test_data_that_is_not_finite(f):
    solution = run(0.1, f=f)
    assert (solution.reason, solution.cycles) == ("non-finite", 0)


@pytest.mark.parametrize("name", ["rtol", "atol", "max_cycles", "patience"])
@pytest.mark.parametrize("value", ["small", None, True, [1]])
def test_arguments_that_are_no_numbers(name, value):
    kind = "a number" if name in ("rtol", "atol") else "an integer"
    allowed = f"{name} must be {kind} >= {int(name == 'patience')}"
    with pytest.raises(TypeError, match=re.escape(f"{allowed}; got {value!r}")):
        run(**{name: value})
    if kind == "an integer":
        with pytest.raises(TypeError, match=f"{name} must be an integer >= [01]; got 2.5"):
            run(**{name: 2.5})


def test_other_arguments():
    with pytest.raises(TypeError, match="callback must be callable or None, got 3"):
        run(callback=3)
    with pytest.raises(ValueError, match="patience must be an integer >= 1; got 0"):
        run(patience=0)


@pytest.mark.parametrize(("name", "value"), [("rtol", -1), ("rtol", math.nan), ("atol", math.nan), ("max_cycles", -1)])
def test_negative_arguments(name, value):
    with pytest.raises(ValueError, match=f"{name} must be (an integer|a number) >= 0; got {value}"):
        run(**{name: value})


def test_callback_is_told_of_every_cycle():
    seen = []
    solution = run(0.1, max_cycles=4, rtol=0, callback=seen.append)
    assert all(isinstance(progress, Progress) for progress in seen)
    assert [progress.cycle for progress in seen] == [1, 2, 3, 4]
    assert tuple(progress.residual for progress in seen) == solution.residual_norms[1:]
    assert [progress.factor for progress in seen] == pytest.approx([0.1] * 4)
    assert seen[-1].u == solution.u
    assert all(a.seconds <= b.seconds for a, b in pairwise(seen))
    assert seen[-1].seconds <= solution.seconds


def test_residual_that_vanishes():
    seen = []
    assert run(0.0, rtol=0, callback=seen.append).reason == "converged"
    assert seen[0].factor == 0


def test_work_units():
    assert run(0.1, max_cycles=3, rtol=0, work_units=lambda cycles: 4.5 * cycles).work_units == 13.5


def test_norms_are_numbers():
    """For every kind of scalar that the norm makes: a callback may then say `progress.residual < 0.1`."""
    import torch

    for norm, f in ((np.linalg.norm, np.ones(3)), (torch.linalg.vector_norm, torch.ones(3))):
        solution = solve(reducing(0.5), residual, norm, f, callback=lambda progress: progress.residual < 0.1)
        assert all(type(value) is float for value in solution.residual_norms)
        assert type(solution.tolerance) is float
        assert type(solution.converged) is bool
        assert (solution.reason, solution.cycles) == ("stopped", 4)


def test_errors_survive_pickling_and_copying():
    error = SolveError(run(0.9, max_cycles=3))
    error.add_note("a note")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is SolveError
        assert str(again) == str(error)
        assert again.solution == error.solution
        assert again.__notes__ == ["a note"]


class Grid(float):
    shape = 3, 4

    def __repr__(self):
        pytest.fail("values of u were shown")


def test_results_are_shown_without_the_values_of_u():
    assert repr(run()).startswith("Solution(converged after 9 cycles, residual 1.")
    batch = Solution(Grid(), False, "stalled", (1.0, 0.5), 1, 0.25, 1e-8)
    batch = batch.changed(members=(batch, batch))
    shown = "Solution(stalled after 1 cycle, residual 5.00e-01, 2 members, u of shape (3, 4), 0.25 s)"
    assert repr(batch) == str(batch) == shown
    assert repr(Progress(1, 0.5, 0.5, 0.1, Grid())) == "Progress(cycle=1, residual=0.5, factor=0.5, seconds=0.1)"
    assert repr(Visit(Grid(), Grid(), Grid)) == "Visit()"


def test_solution_is_a_value():
    solution = run()
    assert isinstance(solution, Solution)
    with pytest.raises(AttributeError):
        solution.u = 0


def test_an_iteration_tells_what_made_its_cycles():
    class Halving:
        scale, r = (1.0, 1.0), 1.0

        def norms(self):
            return (self.r, self.r)

        def advance(self, left):
            self.r /= 2
            return tuple((self.r,) for _ in left)

        def attainable(self):
            return None

        def u(self):
            return (1.0, 2.0)

        def keep(self, members):
            raise AssertionError("both end together")

        def methods(self):
            return [("a", True), ("a, then b", False)]

    solution = solve_batch(Halving(), rtol=0.3, work_units=float)
    assert [member.method for member in solution.members] == ["a", "a, then b"]
    assert [member.work_units for member in solution.members] == [2.0, None]
    assert solution.method == "a, then b"
    assert solution.message.startswith("converged after 2 cycles by a, then b at relative residual 2.50e-01")
