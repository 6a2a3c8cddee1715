"""Theorems 6.1 and 8.1 and the V-version on the levels of the Poisson solver and on those of Section 5."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mgcore
from mgcore import checks, stencils
from pde import Multigrid, Poisson
from pde.paper.convolution import correlate_2
from pde.paper.section5 import section5_levels
from tests.pde.reference import COARSE, EPS, PROBLEMS, SEEDS, SMOOTHERS, boxes, eigenvalues

NAMES = [name for name, (shape, _) in PROBLEMS.items() if np.prod(shape) > 8]


def with_pi(levels, kind, rng):
    """Each level with a Pi to the next: injection, R itself, or a random linear map."""
    result = []
    for fine, coarse in pairwise(levels):
        shape, target = fine.info.grid.shape, coarse.info.grid.shape
        kept = tuple(slice(1, None, 2) if m != n else slice(None) for m, n in zip(shape, target, strict=True))
        n, m = int(np.prod(shape)), int(np.prod(target))
        M = rng.standard_normal((m, n)) / np.sqrt(n) if kind == "random" else None
        Pi = {
            "injection": lambda u, kept=kept: u[(..., *kept)],
            "R": fine.R,
            "random": lambda u, M=M, target=target: (M @ u.ravel()).reshape(target),
        }[kind]
        result.append(replace(fine, Pi=Pi))
    return [*result, levels[-1]]


def tolerance(levels, box):
    """A u and A Pi u may be as large as cond(A) |f|, and are subtracted again; a cycle adds a few eps to each."""
    low, high = eigenvalues(*box)
    return 128 * len(levels) * EPS * high / low


@pytest.mark.parametrize("kind", ["injection", "R", "random"])
@pytest.mark.parametrize("coarse", COARSE)
@pytest.mark.parametrize("name", NAMES)
def test_the_theorems_on_every_problem(name, coarse, kind):
    levels = Multigrid(Poisson(*PROBLEMS[name]), coarse=coarse).levels
    rng = np.random.default_rng(0)
    f, u = rng.standard_normal((2, *PROBLEMS[name][0]))
    bound = tolerance(levels, PROBLEMS[name])
    levels = with_pi(levels, kind, rng)
    assert checks.theorem_6_1(levels, f, np.linalg.norm) <= bound
    assert checks.theorem_6_1_v(levels, f, np.linalg.norm) <= bound
    assert checks.theorem_8_1(levels, f, np.linalg.norm, u) <= bound
    assert checks.theorem_8_1([replace(level, Pi=None) for level in levels], f, np.linalg.norm) <= bound


@given(boxes(), SEEDS, st.sampled_from(SMOOTHERS), st.sampled_from(COARSE), st.tuples(*[st.integers(0, 3)] * 2))
def test_the_theorems_on_any_box(box, seed, smoother, coarse, nu):
    nu = nu if sum(nu) else (1, 1)
    rng = np.random.default_rng(seed)
    levels = Multigrid(Poisson(*box), coarse=coarse, smoother=smoother, nu=nu).levels
    bound = tolerance(levels, box)
    levels = with_pi(levels, "random", rng)
    f = rng.standard_normal(box[0])
    assert checks.theorem_6_1(levels, f, np.linalg.norm) <= bound
    assert checks.theorem_6_1_v(levels, f, np.linalg.norm) <= bound
    assert checks.theorem_8_1(levels, f, np.linalg.norm) <= bound


SECTION_5_PI = {
    "none": None,
    "injection": lambda u: u[..., ::2, ::2],
    "average": lambda u: correlate_2(stencils.LINEAR, u) / 4,
}


@given(
    st.integers(1, 5),
    st.sampled_from(["linear", "bilinear"]),
    st.sampled_from(["S0", "S1"]),
    st.sampled_from(["galerkin", "kernel"]),
    st.sampled_from(list(SECTION_5_PI)),
    st.tuples(st.integers(1, 3), st.integers(0, 3)),
    SEEDS,
)
def test_the_theorems_in_section_5(k, transfer, smoother, coarse, pi, nu, seed):
    """|A| <= 8, |B| <= 1/2, |P| = |R| <= 2: a level multiplies rounding errors by at most 64, R and sweeps together."""
    levels = section5_levels(k, transfer=transfer, smoother=smoother, coarse=coarse, nu=nu, Pi=SECTION_5_PI[pi])
    f = np.random.default_rng(seed).standard_normal((2**k + 1,) * 2)
    bound = 64 * 4**k * EPS
    assert checks.theorem_6_1(levels, f, np.linalg.norm) <= bound
    assert checks.theorem_6_1_v(levels, f, np.linalg.norm) <= bound
    assert checks.theorem_8_1(levels, f, np.linalg.norm) <= bound


@pytest.mark.parametrize("cycle", [mgcore.v_cycle, mgcore.w_cycle, mgcore.f_cycle, mgcore.backslash_cycle])
@pytest.mark.parametrize("name", NAMES)
def test_residual_form_makes_the_same_cycles(name, cycle):
    shape = PROBLEMS[name][0]
    levels = Multigrid(Poisson(*PROBLEMS[name])).levels
    rng = np.random.default_rng(1)
    f, u = rng.standard_normal((2, *shape))
    expected = cycle(levels, f, u)
    result = cycle(mgcore.residual_form(levels), f, u)
    assert np.linalg.norm(result - expected) <= tolerance(levels, PROBLEMS[name]) * np.linalg.norm(u)
