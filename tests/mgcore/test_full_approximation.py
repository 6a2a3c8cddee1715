"""Nonlinear A: (6.6) is the full approximation scheme."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mgcore import Level, v_cycle
from tests.helpers import hierarchies, norm
from tests.mgcore.choices import every_backend, every_cycle


@every_backend
@every_cycle
@given(data=st.data())
def test_the_solution_is_a_fixed_point_for_nonlinear_A(backend, cycle, data):
    """f = A(u*): every residual is exactly zero, on the coarse grids by (6.6), so nothing moves."""
    h = data.draw(
        hierarchies(backend, nonlinear_A=True, nonlinear_B=None, post=True, pi=["nodal", "transposed P", "random"])
    )
    exact = h.grids[0].features()
    result = cycle(h.levels(linear=False), h.A[0](exact), exact)
    assert bool((result == exact).all())


@given(seed=st.integers(0, 10**6))
def test_full_approximation_scheme_solves_a_nonlinear_problem(seed):
    """-u'' + u^3 = f in one dimension: V-cycles with A(Pi u) in (6.6) converge as for u^3 = 0, without they do not."""
    n = 31
    h = 1 / (n + 1)

    def make_A(h):
        def A(u):
            padded = np.pad(u, 1)
            return (2 * u - padded[:-2] - padded[2:]) / h**2 + u**3

        return A

    def make_B(h):
        return [lambda r: r * (2 / 3) * h**2 / 2] * 3

    def R(r):
        return (r[:-2:2] + 2 * r[1:-1:2] + r[2::2]) / 4

    def P(e, like):
        padded, fine = np.pad(e, 1), np.zeros(like.shape)
        fine[1::2], fine[::2] = e, (padded[:-1] + padded[1:]) / 2
        return fine

    def levels(Pi):
        spacings = [h * 2**l for l in range(4)]
        result = [Level(make_A(s), make_B(s), R, Pi, P, make_B(s), linear=False) for s in spacings[:-1]]
        return [*result, Level(make_A(spacings[-1]), make_B(spacings[-1]) * 20, linear=False)]

    exact = np.random.default_rng(seed).uniform(1.5, 2.5) * np.sin(np.pi * h * np.arange(1, n + 1))
    f = make_A(h)(exact)
    errors = []
    for Pi in (lambda u: u[1::2], None):
        u = None
        for _ in range(12):
            u = v_cycle(levels(Pi), f, u)
        errors.append(norm(u - exact) / norm(exact))
    assert errors[0] < 1e-12
    assert errors[1] > 1e-7
