"""Logistic regression of separable sets, L23 (2)-(7) and Theorem 1, in `examples/separability.py`."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from examples import separability
from examples.separability import differences, largest_margin, losses, minimiser, safe_penalty

EPS = float(np.finfo(float).eps)
SEEDS = st.integers(0, 2**32 - 1)


def likelihood(x: np.ndarray, labels: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """log p of the right class of every point, from the scores W x + b, (6)."""
    W = theta.reshape(-1, x.shape[1] + 1)
    return log_softmax(x @ W[:, :-1].T + W[:, -1], axis=1)[np.arange(len(x)), labels]


def sets(k: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, labels and G."""
    x, labels = separability.separable_sets(k, seed=seed)
    return x, labels, differences(x, labels, k)


@given(SEEDS, st.integers(2, 5))
def test_the_loss_is_that_of_the_scores(seed, k):
    x, labels, G = sets(k, seed)
    theta = np.random.default_rng(seed).standard_normal(G.shape[-1])
    # a score is 3 terms of which each is at most 3 |theta|; a logarithm of k exponentials adds log k at most
    bound = 4 * EPS * (2 * 9 * np.linalg.norm(theta) + k)
    assert np.abs(losses(G, theta) + likelihood(x, labels, theta)).max() <= bound


@given(SEEDS, st.integers(2, 4), st.sampled_from([1.0, 100.0]), st.sampled_from([1.0, 0.1]))
def test_theorem_1(seed, k, c, factor):
    """P > 1/2 and every point classified up to the lambda of the proof; with b in the norm, and nearly without."""
    x, labels = separability.separable_sets(k, seed=seed)
    G = differences(x, labels, k, c)
    margin, _ = largest_margin(G)
    theta = minimiser(G, factor * safe_penalty(margin, len(x), k))
    log_p = likelihood(x, labels, theta * np.tile([1, 1, c], k))
    assert log_p.sum() > math.log(1 / 2)
    assert log_p.min() > math.log(1 / 2)
    assert (G @ theta).min() > 0


@pytest.mark.parametrize("copies", [1, 1000])
def test_a_point_and_its_mirror_image(copies):
    """One dimension is left: theta_lambda = r v with N m / (1 + exp(m r)) = 2 lambda r."""
    x, N = np.repeat([[0.6, 0.8], [-0.6, -0.8]], copies, axis=0), 2 * copies
    G = differences(x, np.repeat([0, 1], copies), 2)
    margin, v = largest_margin(G)
    # the scores w x and -w x have the difference 2 w x, and (w, -w) the norm sqrt(2) |w|
    assert margin == pytest.approx(math.sqrt(2), rel=64 * EPS)
    assert v == pytest.approx(np.array([0.6, 0.8, 0, -0.6, -0.8, 0]) / math.sqrt(2), abs=64 * EPS)
    half = -math.log(math.expm1(math.log(2) / N)) / margin  # the r of P = 1/2
    largest = N * margin / (1 + math.exp(margin * half)) / (2 * half)
    for penalty in (largest, safe_penalty(margin, N, 2)):
        r = brentq(lambda r, y=penalty: N * margin / (1 + math.exp(margin * r)) - 2 * y * r, 0, 100, xtol=1e-12)
        assert np.linalg.norm(minimiser(G, penalty) - r * v) <= 2e-6 * r
    # with m^2 they are (log 2 - 1/4) / log(4 N)^2 and, for large N, log(2) / (2 log(N / log 2))
    assert safe_penalty(margin, N, 2) < largest < 2 * math.log(4 * N) * safe_penalty(margin, N, 2)


@pytest.mark.parametrize("k", [2, 3])
def test_scikit_learn_finds_the_same_minimiser(k):
    x, labels, G = sets(k, seed=k)
    penalty, with_one = 0.05, np.column_stack([x, np.ones(len(x))])
    # scikit-learn has C L + |theta|^2 / 2, and for two classes one theta, the difference 2 w of ours, w and -w
    C = 1 / (2 * penalty) if k > 2 else 1 / penalty
    found = LogisticRegression(C=C, fit_intercept=False, tol=1e-9, max_iter=10_000).fit(with_one, labels).coef_
    theirs = (found if k > 2 else np.vstack([-found, found]) / 2).ravel()
    mine = minimiser(G, penalty)

    def value(theta):
        return penalty * theta @ theta - likelihood(x, labels, theta).sum()

    # L_lambda(theta) >= L_lambda(theta_lambda) + lambda |theta - theta_lambda|^2; rounding is of some N k terms
    rounding = 8 * len(x) * k * EPS * value(mine)
    assert value(mine) <= value(theirs) + rounding + penalty * (1e-6 * np.linalg.norm(mine)) ** 2
    assert np.linalg.norm(mine - theirs) <= 1e-4 * np.linalg.norm(mine)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_largest_margin_is_that_of_a_support_vector_machine(k):
    _, _, G = sets(k, seed=k)
    margin, v = largest_margin(G)
    rows = G.reshape(-1, G.shape[-1])
    assert (rows @ v).min() == pytest.approx(margin, rel=1e-8)
    # rows on one side and their mirror images on the other: an intercept is of no use
    machine = SVC(kernel="linear", C=100 / margin**2, tol=1e-8).fit(
        np.vstack([rows, -rows]), np.repeat([1, 0], len(rows))
    )
    theta = machine.coef_.ravel()
    # conditions kept to 1e-8 keep |theta|^2 to some 1e-8, and theta to the root
    assert np.linalg.norm(theta * margin - v) <= 4e-4


def test_a_large_feature_leaves_the_intercept_free():
    """The SVM's w is the least one; w_c is feasible, and |w_c|^2 <= |w|^2 + (b / c)^2: so |w_c - w| <= |b| / c."""
    x, labels = separability.separable_sets(2, seed=0)
    machine = SVC(kernel="linear", C=1e6, tol=1e-8).fit(x, 1 - labels)
    w, b = machine.coef_.ravel(), abs(float(machine.intercept_[0]))

    def distance(c: float) -> float:
        margin, v = largest_margin(differences(x, labels, 2, c))
        return float(np.linalg.norm((v[:2] - v[3:5]) / margin - w))

    assert distance(100) <= b / 100 + 4e-4 * np.linalg.norm(w)
    assert distance(1) > 10 * distance(100), "the slides' norm, which counts b, has another limit"


@given(SEEDS, st.integers(2, 4), st.floats(-8, 2))
def test_norm_and_direction_tend_to_their_limits(seed, k, exponent):
    *_, G = sets(k, seed)
    margin, v = largest_margin(G)
    penalty, N = 10.0**exponent, len(G)
    theta = minimiser(G, penalty)
    size, least = float(np.linalg.norm(theta)), float((G @ theta).min())
    lower, upper = separability.norm_bounds(penalty, margin, N, k)
    assert lower * (1 - 1e-6) <= size <= upper * (1 + 1e-6)
    # v / m is a combination of rows of G whose weights, all >= 0, have the sum 1 / m^2
    assert theta @ v / size >= least / (margin * size) - 1e-8
    # the point with the least margin alone has a loss of log(1 + exp(-least)) <= L = L_lambda - lambda |theta|^2
    assert math.log1p(math.exp(-least)) <= penalty * (upper**2 - (1 - 1e-5) * size**2)


def test_both_bounds_of_the_norm_grow_as_the_logarithm():
    """2 log(t) / (m t) apart at most, but for log(N (k - 1)) / m: t is log(N (k - 1) / lambda) / m."""
    ratios = [
        [bound * 0.5 / math.log(1 / penalty) for bound in separability.norm_bounds(penalty, 0.5, 40, 3)]
        for penalty in (1e-8, 1e-60, 1e-250)
    ]
    lower, upper = zip(*ratios, strict=True)
    assert list(lower) == sorted(lower)
    assert list(upper) == sorted(upper, reverse=True)
    assert lower[-1] < 1 < upper[-1]
    assert 1 - lower[-1] <= (2 * math.log(1200) + 1) / math.log(1e250)
    assert upper[-1] - 1 <= (math.log(80) + 1) / math.log(1e250)


@pytest.mark.parametrize("k", [2, 3])
def test_the_loss_alone_has_no_minimum(k):
    _, _, G = sets(k, seed=k)
    margin, v = largest_margin(G)
    values = [losses(G, t * v).sum() for t in range(0, 200, 20)]
    assert all(0 < after < before for before, after in pairwise(values))
    assert values[-1] <= len(G) * (k - 1) * math.exp(-180 * margin) * (1 + 1e-9)


@pytest.mark.parametrize("k", [2, 3])
def test_a_large_penalty_leaves_the_gradient_at_zero_which_does_not_classify(k):
    """2 lambda theta_lambda = -grad L(theta_lambda), and grad L has the Lipschitz constant sum |G_n|^2 / 2."""
    x, labels, G = sets(k, seed=0)
    one = np.eye(k)[labels] - 1 / k
    slope = (one.T @ np.column_stack([x, np.ones(len(x))])).ravel()
    theta = minimiser(G, 1e6)
    lipschitz = (np.linalg.norm(G, ord=2, axis=(1, 2)) ** 2).sum() / 2
    assert np.linalg.norm(2e6 * theta - slope) <= (lipschitz + 4) * np.linalg.norm(theta)  # 4 for 2e-6 lambda |theta|
    assert (G @ slope).min() < 0
    assert (G @ minimiser(G, 10.0)).min() < 0
    assert (G @ minimiser(G, 0.01)).min() > 0


def test_sets_that_are_not_separable_are_refused():
    x = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="sets must be linearly separable"):
        largest_margin(differences(x, np.array([0, 0, 1, 1]), 2))
