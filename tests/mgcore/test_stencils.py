"""Lemma 4.1, two Jacobi steps as one kernel (5.7), and the kernel of R A P (5.11)."""

from functools import partial

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from mgcore import Level, checks, descend, stencils
from tests.helpers import EPS, SEEDS, correlate, correlate_transposed, norm

KERNELS = {"bilinear": stencils.BILINEAR, "linear": stencils.LINEAR}
every_element = pytest.mark.parametrize("element", list(KERNELS))
EXPONENTS = st.tuples(st.integers(1, 4), st.integers(1, 4))


def weight(K):
    return torch.tensor(K, dtype=torch.float64)[None, None]


def matrix(operator, shape):
    """The dense matrix of an operator on grids of this shape."""
    columns = np.eye(shape[0] * shape[1]).reshape(-1, *shape)
    return np.stack([np.asarray(operator(e)).ravel() for e in columns], axis=1)


def prolongation(v, element):
    """(4.7)-(4.9), with the paper's indices from 1."""
    m, n = v.shape
    fine = np.full((2 * m - 1, 2 * n - 1), np.nan)

    def put(i, j, value):
        fine[i - 1, j - 1] = value

    def at(i, j):
        return v[i - 1, j - 1]

    for i in range(1, m + 1):
        for j in range(1, n + 1):
            put(2 * i - 1, 2 * j - 1, at(i, j))  # (4.7)
            if j < n:
                put(2 * i - 1, 2 * j, (at(i, j) + at(i, j + 1)) / 2)  # (4.8)
            if i < m:
                put(2 * i, 2 * j - 1, (at(i, j) + at(i + 1, j)) / 2)  # (4.8)
            if i < m and j < n and element == "bilinear":
                put(2 * i, 2 * j, (at(i, j) + at(i + 1, j) + at(i, j + 1) + at(i + 1, j + 1)) / 4)  # (4.9)
            elif i < m and j < n:
                put(2 * i, 2 * j, (at(i + 1, j) + at(i, j + 1)) / 2)  # (4.9)
    return fine


@every_element
@given(exponents=EXPONENTS)
def test_lemma_4_1(element, exponents):
    """R = P^T is K_R with stride 2 and zero padding. The entries are dyadic: not even rounding is left."""
    K = KERNELS[element]
    coarse, fine = (tuple(2 ** (s - shift) + 1 for s in exponents) for shift in (1, 0))
    P = matrix(lambda v: prolongation(v, element), coarse)
    assert np.isfinite(P).all()
    np.testing.assert_array_equal(matrix(partial(correlate, K, stride=2), fine), P.T)
    np.testing.assert_array_equal(matrix(lambda e: correlate_transposed(K, e, np.empty(fine)), coarse), P)

    def restrict_torch(v):
        return F.conv2d(torch.from_numpy(v)[None, None], weight(K), stride=2, padding=1)

    def prolong_torch(e):
        return F.conv_transpose2d(torch.from_numpy(e)[None, None], weight(K), stride=2, padding=1)

    np.testing.assert_array_equal(matrix(restrict_torch, fine), P.T)
    np.testing.assert_array_equal(matrix(prolong_torch, coarse), P)


@every_element
@given(exponents=EXPONENTS, seed=SEEDS)
def test_adjoint_defect(element, exponents, seed):
    K, rng = KERNELS[element], np.random.default_rng(seed)
    coarse, fine = (tuple(2 ** (s - shift) + 1 for s in exponents) for shift in (1, 0))
    r, e = rng.standard_normal(fine), rng.standard_normal(coarse)

    def dot(a, b):
        return float(np.vdot(a, b))

    def defect(K_P):
        R, P = partial(correlate, K, stride=2), partial(correlate_transposed, K_P, like=np.empty(fine))
        return checks.adjoint_defect(R, P, r, e, dot, dot)

    assert defect(K) <= 4 * EPS * r.size
    other = stencils.LINEAR if element == "bilinear" else stencils.BILINEAR
    assert defect(other) > 1e6 * EPS
    assert checks.adjoint_defect(lambda r: 0 * e, lambda e: 0 * r, r, e, dot, dot) == 0


def test_kernels_of_the_paper():
    assert stencils.BILINEAR == ((1 / 4, 1 / 2, 1 / 4), (1 / 2, 1, 1 / 2), (1 / 4, 1 / 2, 1 / 4))  # (4.13)
    assert stencils.LINEAR == ((0, 1 / 2, 1 / 2), (1 / 2, 1, 1 / 2), (1 / 2, 1 / 2, 0))  # (4.14)
    assert stencils.POISSON == ((0, -1, 0), (-1, 4, -1), (0, -1, 0))  # (5.4)
    w = 0.75  # dyadic
    side, centre = w**2 / 16, w * (2 - w) / 4
    assert stencils.two_step_jacobi(w) == ((0, side, 0), (side, centre, side), (0, side, 0))  # (5.9)
    assert stencils.jacobi(w) == ((0, 0, 0), (0, w / 4, 0), (0, 0, 0))  # (5.8)
    assert stencils.transpose(((1, 2, 3), (4, 5, 6), (7, 8, 9))) == ((9, 8, 7), (6, 5, 4), (3, 2, 1))


@st.composite
def kernels(draw):
    """POISSON, or a random kernel whose centre is not small."""
    if draw(st.booleans()):
        return stencils.POISSON
    K = np.random.default_rng(draw(SEEDS)).uniform(-1, 1, (3, 3))
    K[1, 1] = draw(st.sampled_from([-4.0, 2.0, 4.0]))
    return tuple(map(tuple, K.tolist()))


def numpy_padded(K, g, mode):
    return scipy.ndimage.correlate(g, np.asarray(K, float), mode=mode)


def torch_padded(K, g, mode):
    x = torch.as_tensor(g)[None, None]
    x = F.pad(x, (1, 1, 1, 1)) if mode == "constant" else F.pad(x, (1, 1, 1, 1), mode="circular")
    return F.conv2d(x, weight(K))[0, 0]


@pytest.mark.parametrize("padded", [numpy_padded, torch_padded], ids=["numpy", "torch"])
@pytest.mark.parametrize("mode", ["constant", "wrap"], ids=["zero", "periodic"])
@given(K=kernels(), omega=st.floats(0.01, 1.99), shape=st.tuples(st.integers(1, 9), st.integers(1, 9)), seed=SEEDS)
def test_two_jacobi_steps_are_one_kernel(padded, mode, K, omega, shape, seed):
    """(5.7): S_1 f = S_0 f + S_0 (f - A S_0 f), by hand and as two sweeps of a level."""
    f = np.random.default_rng(seed).standard_normal(shape)
    f = torch.from_numpy(f) if padded is torch_padded else f

    def A(u):
        return padded(K, u, mode)

    def S_0(r):
        return padded(stencils.jacobi(omega, K[1][1]), r, mode)

    once = padded(stencils.two_step_jacobi(omega, K), f, mode)
    twice = S_0(f) + S_0(f - A(S_0(f)))
    # |S_0| <= omega / 2 <= 1 and |A| <= 12; each of the three kernels adds 9 eps
    tolerance = 3 * 9 * EPS * 12 * norm(f)
    assert norm(once - twice) <= tolerance
    assert norm(descend([Level(A, [S_0, S_0])], f)[0].u - once) <= tolerance


def dense_galerkin(K_A, K_R, n, first):
    """R A P as a matrix on n x n points with zero padding, whose coarse points are first, first + 2, ... (from 0)."""
    A = matrix(partial(correlate, K_A), (n, n))
    R = matrix(lambda v: correlate(K_R, v)[first::2, first::2], (n, n))
    return R @ A @ R.T


RANDOM_KERNEL = SEEDS.map(lambda seed: tuple(map(tuple, np.random.default_rng(seed).uniform(-1, 1, (3, 3)).tolist())))


@given(K_A=kernels(), K_R=st.sampled_from(list(KERNELS.values())) | RANDOM_KERNEL, k=st.integers(2, 4))
def test_galerkin_kernel_on_interior_points(K_A, K_R, k):
    """(2^k - 1)^2 points with coarse points 2, 4, ...: R A P is the zero-padded convolution, boundary rows included."""
    n = 2**k - 1
    RAP = dense_galerkin(K_A, K_R, n, first=1)
    expected = matrix(partial(correlate, stencils.galerkin(K_A, K_R)), (n // 2, n // 2))
    assert np.abs(RAP - expected).max() <= 27 * EPS * np.abs(K_R).sum() ** 2 * np.abs(K_A).sum()


@every_element
@given(k=st.integers(2, 4))
def test_galerkin_kernel_on_all_points(element, k):
    """(2^k + 1)^2 points with coarse points 1, 3, ..., as Section 5 prints: boundary rows are no convolution."""
    n, m = 2**k + 1, 2 ** (k - 1) + 1
    RAP = dense_galerkin(stencils.POISSON, KERNELS[element], n, first=0).reshape(m, m, m * m)
    kernel = stencils.galerkin(stencils.POISSON, KERNELS[element])
    difference = RAP - matrix(partial(correlate, kernel), (m, m)).reshape(m, m, m * m)
    differs = difference.any(axis=2)
    assert not differs[1:-1, 1:-1].any()
    for side in (differs[0], differs[-1], differs[:, 0], differs[:, -1]):
        assert side.all()


def test_galerkin_kernels_of_the_paper():
    assert stencils.galerkin(stencils.POISSON, stencils.LINEAR) == stencils.POISSON
    assert stencils.galerkin(stencils.POISSON, stencils.BILINEAR) == (
        (-0.25, -0.5, -0.25),
        (-0.5, 3, -0.5),
        (-0.25, -0.5, -0.25),
    )


@given(K_A=kernels(), seed=SEEDS)
def test_galerkin_defect(K_A, seed):
    K_R, fine = stencils.BILINEAR, (15, 15)
    e = np.random.default_rng(seed).standard_normal((7, 7))

    def R(r):
        return correlate(K_R, r)[1::2, 1::2]

    def P(e):
        spread = np.zeros(fine)
        spread[1::2, 1::2] = e
        return correlate(K_R, spread)

    K_coarse = stencils.galerkin(K_A, K_R)
    A, A_coarse, wrong = partial(correlate, K_A), partial(correlate, K_coarse), partial(correlate, K_A)
    assert checks.galerkin_defect(A, A_coarse, R, P, e, norm) <= 1e4 * EPS
    assert checks.galerkin_defect(A, wrong, R, P, e, norm) > 1e-3
