"""`verbose` tells of every move on every level and changes no bit of the result."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mgcore
from mgcore import CYCLES, Event
from pde import Multigrid, Poisson

pytestmark = pytest.mark.usefixtures("every_backend")

JUMP = np.where(np.indices((24, 20)).sum(axis=0) % 11 < 4, 1e4, 1.0)
CASES = {
    "full multigrid": ({}, {}, {}),
    "W(2,1)": ({}, {"nu": (2, 1)}, {"cycle": "W"}),
    "F, periodic": ({"boundary": "periodic"}, {}, {"cycle": "F"}),
    "backslash": ({}, {"nu": (2, 0)}, {"cycle": "backslash"}),
    "conjugate gradients, chebyshev": ({}, {"smoother": "chebyshev", "nu": (2, 2)}, {"accel": "cg"}),
    "jumps": ({"coefficient": JUMP}, {}, {"accel": "cg"}),
    "jumps, nested": ({"coefficient": JUMP}, {}, {}),
    "lines, singular": ({"boundary": "neumann", "centering": "cell"}, {"smoother": "zebra 0"}, {"cycle": "V"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_traced_solve_is_the_same_to_the_last_bit(name):
    problem, options, solve = CASES[name]
    mg = Multigrid(Poisson((24, 20), **problem), **options)
    f = np.random.default_rng(5).standard_normal((2, 24, 20))
    f -= f.mean(axis=(1, 2), keepdims=True)
    g = None if mg.problem.singular else 0.5
    solve = {"rtol": 1e-6, "incompatible": 1.0, **solve}
    events: list[Event] = []
    plain, watched = mg.solve(f, g, **solve), mg.solve(f, g, verbose=events.append, **solve)
    assert watched.u.tobytes() == plain.u.tobytes()
    assert watched.residual_norms == plain.residual_norms
    assert {e.cycle for e in events} == set(range(1, plain.cycles + 1))
    assert {e.level for e in events} == set(range(1, len(mg.levels) + 1))
    assert {e.move for e in events if e.level == len(mg.levels)} == {"solve"}
    for level in range(1, len(mg.levels)):  # a level goes on where its last move has left it
        own = [e for e in events if e.level == level and e.cycle == 2]
        for first, then in pairwise(own):
            if (first.move, then.move) in (("smooth", "restrict"), ("correct", "post-smooth")):
                assert then.before == first.after
            if then.move == "correct":
                assert first.move == "restrict"
                assert then.before == first.before


@pytest.mark.parametrize("dtype", ["float64", "mixed"])
def test_a_traced_solve_of_compiled_kernels_is_the_same_to_rounding(dtype):
    """Plain levels make the moves that are told of."""
    mg = Multigrid(Poisson((24, 20)), kernels="numba", levels=3, dtype=dtype)
    f = np.random.default_rng(5).standard_normal((24, 20))
    plain, watched = mg.solve(f, 0.5), mg.solve(f, 0.5, verbose=io.StringIO())
    assert watched.cycles == plain.cycles
    largest = np.abs(plain.u).max()
    np.testing.assert_allclose(watched.u, plain.u, rtol=0, atol=1e-12 * largest if dtype == "float64" else 1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2**32), st.sampled_from(list(CYCLES)), st.booleans())
def test_moves_of_any_form_are_traced_without_a_change(seed, cycle, residual):
    """In feature form and in residual form; the moves come in the order of the cycle."""
    mg = Multigrid(Poisson((13, 18)), smoother="jacobi")
    rng = np.random.default_rng(seed)
    f, u = rng.standard_normal((2, 13, 18))
    levels = mgcore.residual_form(mg.levels) if residual else mg.levels
    events: list[Event] = []
    watched = CYCLES[cycle](mgcore.traced(levels, events.append, lambda number, r: abs(r).max()), f, u)
    assert watched.tobytes() == CYCLES[cycle](levels, f, u).tobytes()
    if cycle == "V":
        J = len(levels)
        down = [(l, move) for l in range(1, J) for move in ("smooth", "restrict")]
        up = [(l, move) for l in range(J - 1, 0, -1) for move in ("correct", "post-smooth")]
        assert [(e.level, e.move) for e in events] == [*down, (J, "solve"), *up]


def test_events_hold_the_residuals_of_the_moves():
    """The first and the last residual of a V-cycle, computed by hand."""
    problem = Poisson((15, 15))
    mg, events = Multigrid(problem), []
    f, u0 = np.random.default_rng(6).standard_normal((2, 15, 15))
    u = mg.cycle(f, u0, verbose=events.append)
    rms = [np.sqrt(np.mean(r**2)) for r in (f, f - problem.apply(u0), f - problem.apply(u))]
    np.testing.assert_allclose([events[0].before, events[-1].after], np.array(rms[1:]) / rms[0], rtol=1e-10)


def test_lines_on_stdout_or_a_stream(capsys):
    mg, f, stream = Multigrid(Poisson((15, 15))), np.ones((15, 15)), io.StringIO()
    solution = mg.solve(f, verbose=True)
    printed = capsys.readouterr().out
    assert printed.count("cycle ") == solution.cycles
    assert printed.count("residual") == solution.cycles
    assert f"{solution.residual_norms[-1]:.2e}" in printed.splitlines()[-1]
    assert {len(line) for line in printed.splitlines() if "->" in line} == {len(printed.splitlines()[1])}
    mg.full_multigrid(f, verbose=stream)
    assert "level 1 (15x15)" in stream.getvalue()
    assert capsys.readouterr().out == ""


def test_verbose_of_another_kind_is_refused():
    with pytest.raises(TypeError, match=r"verbose must be .* got 3"):
        Multigrid(Poisson(7)).solve(np.ones(7), verbose=3)
