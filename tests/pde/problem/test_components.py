"""Means of the components that nothing holds, and which components those are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pde
from pde.problem.components import Components, closed_components
from pde.problem.operators import StencilOperator
from tests.pde.reference import EPS, SEEDS


@given(st.integers(1, 3), st.integers(0, 4), SEEDS)
def test_means_are_those_of_each_component(ndim: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 7, ndim))
    labels, W = rng.integers(-1, count, shape), rng.uniform(0.1, 1, shape)
    parts, u = Components(labels, W), rng.standard_normal((2, 3, *shape))
    left = parts.without_mean(u)
    tolerance = 4 * u[0, 0].size * EPS * (W.sum() / 0.1**2) * abs(u).max()
    assert np.array_equal(left[..., labels < 0], u[..., labels < 0])
    assert parts.integrals(u).shape == (2, 3, parts.count)
    for k in range(parts.count):
        here = labels == k
        integral = (W[here] * u[..., here]).sum(-1)
        assert abs(parts.integrals(u)[..., k] - integral / W.max()).max() <= tolerance
        if here.any():
            assert parts.sizes[k] == pytest.approx(W[here].sum() / W.max(), rel=1e-14)
            assert abs(left[..., here] - (u[..., here] - integral[..., None] / W[here].sum())).max() <= tolerance


def test_tensors_and_low_precision() -> None:
    torch = pytest.importorskip("torch")
    labels, W = np.array([[0, 0, 1], [-1, 1, 1]]), np.arange(1.0, 7.0).reshape(2, 3)
    parts, u = Components(labels, W), np.random.default_rng(5).standard_normal((2, 2, 3))
    for dtype in ("float64", "float32"):
        there = parts.to("cpu", dtype).without_mean(torch.tensor(u.astype(dtype)))
        here = parts.without_mean(u.astype(dtype))
        assert there.dtype == getattr(torch, dtype)
        assert here.dtype == dtype
        assert abs(there.numpy() - here).max() <= 8 * np.finfo(dtype).eps * abs(u).max()


@pytest.mark.parametrize(
    ("boundary", "reaction", "closed"),
    [("neumann", 0.0, True), ("periodic", 0.0, True), (("neumann", "dirichlet"), 0.0, False), ("neumann", 1.0, False)],
)
def test_a_box_is_one_component_where_nothing_holds_it(boundary: object, reaction: float, closed: bool) -> None:
    problem = pde.Poisson((5, 4), boundary=boundary, reaction=reaction)
    labels = closed_components(StencilOperator(problem.grid, np.dtype(float), problem.terms))
    assert np.array_equal(labels, np.full((5, 4), 0 if closed else -1))


def test_a_hold_that_rounding_hides_counts_as_none() -> None:
    problem = pde.Poisson((5, 4), boundary="neumann", reaction=1e-16)
    A = StencilOperator(problem.grid, np.dtype(float), problem.terms)
    assert closed_components(A).max() == -1
    assert closed_components(A, share=1e-14).max() == 0
