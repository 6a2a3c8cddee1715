"""The three iterations (3.20), (3.21), (3.23), what their residuals obey, and the best Chebyshev weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.chebyshev import chebval

from mgcore import Level, chebyshev, chebyshev_weights, checks, descend, multi_step, residual_form, single_step
from tests.helpers import EPS, SEEDS, hierarchies, nonlinear_extractor, norm
from tests.mgcore.choices import every_backend, every_form


class Sweeps:
    """One grid with random operators and data, and the sweeps of an iteration written out from the paper."""

    def __init__(self, data, backend, nonlinear=None):
        h = data.draw(hierarchies(backend, max_levels=1))
        self.grid, self.nu = h.grids[0], data.draw(st.integers(1, 5))
        self.rng = np.random.default_rng(data.draw(SEEDS))
        self.A, self.f = self.grid.A, self.grid.data()
        self.guess = self.grid.features() if data.draw(st.booleans()) else None
        self.u0 = 0 * self.grid.features() if self.guess is None else self.guess
        self.nonlinear = data.draw(st.booleans()) if nonlinear is None else nonlinear
        # |A| <= 1, |B| <= 1/8, |w| + |1 - w| <= 2: a sweep multiplies earlier errors by at most 2 * 9/8
        self.tolerance = 100 * h.length * EPS * self.nu * (2 * 9 / 8) ** self.nu

    def B(self):
        B = self.grid.extractor()
        return nonlinear_extractor(B) if self.nonlinear else B

    def residual(self, u):
        return self.f - self.A(u)

    def result(self, form, iterate, B):
        return descend(form([Level(self.A, B, iterate=iterate)]), self.f, self.guess)[0].u

    def assert_close(self, a, b):
        """Relative to u0 too: a combination of sweeps may cancel."""
        assert norm(a - b) <= self.tolerance * (norm(a) + norm(b) + norm(self.u0))

    def weights(self):
        return [1, *(float(w) for w in self.rng.uniform(0.5, 1.5, self.nu - 1))]

    def rows(self):
        return [[float(a) for a in self.rng.dirichlet(np.ones(i))] for i in range(1, self.nu + 1)]


@every_backend
@every_form
@given(data=st.data())
def test_single_step_is_3_20(backend, form, data):
    s = Sweeps(data, backend)
    B, u = [s.B() for _ in range(s.nu)], s.u0
    for i in range(s.nu):
        u = u + B[i](s.residual(u))
    s.assert_close(s.result(form, single_step, B), u)


@every_backend
@every_form
@given(data=st.data(), one_for_all_j=st.booleans())
def test_multi_step_is_3_21_and_its_residual_3_22(backend, form, data, one_for_all_j):
    s = Sweeps(data, backend)
    a = s.rows()
    B = [[s.B()] * i if one_for_all_j else [s.B() for _ in range(i)] for i in range(1, s.nu + 1)]
    u, r = [s.u0], [s.residual(s.u0)]
    for i in range(1, s.nu + 1):
        u.append(sum(a[i - 1][j] * (u[j] + B[i - 1][j](s.residual(u[j]))) for j in range(i)))  # (3.21)
        r.append(sum(a[i - 1][j] * (r[j] - s.A(B[i - 1][j](r[j]))) for j in range(i)))  # (3.22)
    B = [row[0] for row in B] if one_for_all_j else B
    result = s.result(form, multi_step(a), B)
    s.assert_close(result, u[-1])
    s.assert_close(s.residual(result), r[-1])


def chebyshev_residual(s, w, B, printed):
    r = [s.residual(s.u0)]
    for i in range(1, s.nu + 1):
        before = r[i - 2] if i > 1 else 0 * r[0]
        ABr = s.A(B[i - 1](r[i - 1]))
        r.append(w[i - 1] * r[i - 1] - (1 if printed else w[i - 1]) * ABr + (1 - w[i - 1]) * before)
    return r[-1]


@every_backend
@every_form
@given(data=st.data())
def test_chebyshev_is_3_23_and_its_residual_3_24_with_w(backend, form, data):
    s = Sweeps(data, backend)
    w, B, u = s.weights(), [s.B() for _ in range(s.nu)], [s.u0]
    for i in range(1, s.nu + 1):
        before = u[i - 2] if i > 1 else 0 * u[0]
        u.append(w[i - 1] * (u[i - 1] + B[i - 1](s.residual(u[i - 1]))) + (1 - w[i - 1]) * before)  # (3.23)
    result = s.result(form, chebyshev(w), B)
    s.assert_close(result, u[-1])
    s.assert_close(s.residual(result), chebyshev_residual(s, w, B, printed=False))


@every_backend
@given(data=st.data())
def test_3_24_as_printed_is_false(backend, data):
    """Without w on A B r it is not the residual of (3.23), unless w = 1."""
    s = Sweeps(data, backend, nonlinear=False)
    s.nu = 2
    w, B = [1, 1.5], [s.grid.extractor() for _ in range(2)]
    r = s.residual(s.result(list, chebyshev(w), B))
    right, printed = (norm(r - chebyshev_residual(s, w, B, printed)) / norm(r) for printed in (False, True))
    assert right <= s.tolerance
    assert printed > 1e6 * max(right, EPS)


@given(seed=SEEDS, sweeps=st.integers(0, 8), rho=st.floats(0.05, 0.99))
def test_chebyshev_weights_give_chebyshev_polynomials(seed, sweeps, rho):
    """Where I - A has eigenvalues m in [-rho, rho], the error after k sweeps is T_k(m / rho) / T_k(1 / rho)."""
    rng = np.random.default_rng(seed)
    m = np.concatenate([[-rho, rho], rng.uniform(-rho, rho, 9)])
    exact, guess = rng.standard_normal((2, m.size))
    level = Level(lambda u: (1 - m) * u, [lambda r: r] * sweeps, iterate=chebyshev(chebyshev_weights(sweeps, rho)))
    T = np.eye(sweeps + 1)[sweeps]
    expected = chebval(m / rho, T) / chebval(1 / rho, T) * (guess - exact)
    for form in (list, residual_form):
        error = descend(form([level]), level.A(exact), guess)[0].u - exact
        # w <= 2, so a sweep multiplies errors by at most 3 * 2 + 1 in theory, and by no more than k in practice
        assert np.abs(error - expected).max() <= 64 * EPS * (sweeps + 1) ** 2 * max(norm(exact), norm(guess))


def test_chebyshev_weights_without_a_spread_are_one():
    assert chebyshev_weights(4, 0) == (1, 1, 1, 1)


@pytest.mark.parametrize("rho", [-0.1, 1.0, 2.0, float("nan")])
def test_chebyshev_weights_need_a_contraction(rho):
    with pytest.raises(ValueError, match="rho must lie in"):
        chebyshev_weights(3, rho)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[1], [1]], r"weights\[1\] must hold 2 numbers"),
        ([[0.5]], r"weights\[0\] must be non-negative with sum 1"),
        ([[1], [1.5, -0.5]], r"weights\[1\] must be non-negative with sum 1"),
        ([[1], [0.5, 0.6]], r"weights\[1\] must be non-negative with sum 1"),
        ([[float("nan")]], r"weights\[0\] must be non-negative with sum 1"),
        ([[1], [float("nan"), 1.0]], r"weights\[1\] must be non-negative with sum 1"),
    ],
)
def test_multi_step_weights_must_be_convex(weights, message):
    with pytest.raises(ValueError, match=message):
        multi_step(weights)


def test_chebyshev_starts_with_one():
    with pytest.raises(ValueError, match=r"weights\[0\] must be 1"):
        chebyshev([1.2, 1.3])
    chebyshev([])
    chebyshev(np.array([1.0, 1.3]))
    multi_step(np.array([[1.0]]))


def one(r):
    return r


@pytest.mark.parametrize(
    ("iterate", "B", "message"),
    [
        (chebyshev([1]), [one, one], "chebyshev: 1 operators are needed.*got 2"),
        (multi_step([[1], [0.5, 0.5]]), [one], "multi_step: 2 operators are needed.*got 1"),
        (multi_step([[1], [0.5, 0.5]]), [one, [one]], r"multi_step: B\[i\]: 2 operators are needed.*got 1"),
    ],
)
def test_one_operator_per_sweep(iterate, B, message):
    with pytest.raises(ValueError, match=message):
        descend([Level(one, B, iterate=iterate)], np.ones(2))


@every_form
def test_trainable_weights(form):
    """Weights that are tensors are taken as they are, and gradients reach them."""
    import torch

    w = torch.tensor([1.0, 1.25, 0.75], dtype=torch.float64, requires_grad=True)
    a = torch.tensor([0.4, 0.6], dtype=torch.float64, requires_grad=True)
    f = torch.linspace(1, 2, 3, dtype=torch.float64)
    for iterate, weights, sweeps in ((chebyshev(w), w, 3), (multi_step([[1.0], a]), a, 2)):
        level = Level(lambda u: 0.5 * u, [one] * sweeps, iterate=iterate)
        u = descend(form([level]), f)[0].u
        (gradient,) = torch.autograd.grad(u.sum(), weights)
        assert gradient[1:].abs().min() > 0
        plain = [float(x) for x in weights.detach()]
        numbers = chebyshev(plain) if sweeps == 3 else multi_step([[1.0], plain])
        expected = descend([Level(level.A, level.B, iterate=numbers)], f)[0].u
        assert checks.deviation(norm, u.detach(), expected) <= 8 * EPS
