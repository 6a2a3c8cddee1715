"""Solves with a(|grad u|^2, x): order, factors, exact solutions, and Newton's method on a sparse matrix."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

from pde import Multigrid, NonlinearPoisson

EPS = float(np.finfo(float).eps)


def p_laplacian(eps, p=3.0):
    return lambda s, *x: (eps**2 + s) ** (p / 2 - 1)


def minimal(s, *x):
    return (1 + s) ** -0.5


def rising(s, x, *rest):
    return (1 + x / 2) * (0.25 + s) ** 0.5


def data_for(a, exact, slopes, ndim):
    """f and the flux along an axis for a solution with these slopes, by differences in extended precision."""

    def flow(i, *x):
        return a(sum(d**2 for d in slopes(*x)), *x) * slopes(*x)[i]

    def f(*x):
        x, h = [each.astype(np.longdouble) for each in x], np.longdouble(2e-6)
        total = exact(*x) ** 3
        for i in range(ndim):
            behind, before = ([each + sign * h * (j == i) for j, each in enumerate(x)] for sign in (1, -1))
            total = total - (flow(i, *behind) - flow(i, *before)) / (2 * h)
        return total.astype(float)

    return f, flow


def wave(ndim):
    """sin(2x + 1) cos y exp(z/2), and its slopes."""
    parts = [(lambda x: np.sin(2 * x + 1), lambda x: 2 * np.cos(2 * x + 1)), (np.cos, lambda y: -np.sin(y))]
    parts = [*parts, (lambda z: np.exp(z / 2), lambda z: np.exp(z / 2) / 2)][:ndim]

    def product(at, *x):
        return np.prod([part[i == at](each) for i, (part, each) in enumerate(zip(parts, x, strict=True))], axis=0)

    return lambda *x: product(-1, *x), lambda *x: [product(i, *x) for i in range(ndim)]


SIDES = {
    "dirichlet": ("dirichlet",) * 3,
    "two kinds": (("dirichlet", "neumann"), ("neumann", "dirichlet"), "dirichlet"),
    "neumann": ("neumann",) * 3,
    "robin": (("robin", 2.0),) * 3,
}


GRIDS = {"plane": (2, "vertex", False), "stretched": (2, "vertex", True), "cells": (2, "cell", False)}
GRIDS["space"] = 3, "vertex", False
REFUSED, SHOWN_BY_OTHERS = ("robin", "cells"), ("two kinds", "space")
PAIRS = [
    (name, grid, (rising, minimal)[(i + j) % 2])
    for i, name in enumerate(SIDES)
    for j, grid in enumerate(GRIDS)
    if (name, grid) not in (REFUSED, SHOWN_BY_OTHERS)
]
"""All pairs of sides and grids, and each of both with either law."""


@pytest.mark.parametrize(("name", "grid", "law"), PAIRS)
def test_errors_are_of_second_order(name, grid, law):
    """With data of all sides; those of Neumann and Robin sides are a du/dn, and a du/dn + 2 u."""
    ndim, centering, stretched = GRIDS[grid]
    (exact, slopes), boundary = wave(ndim), SIDES[name][:ndim]
    f, flow = data_for(law, exact, slopes, ndim)
    errors = []
    for n in (12, 24) if ndim == 3 else (24, 48):
        kinds = [pair if isinstance(pair, tuple) and pair[0] != "robin" else (pair, pair) for pair in boundary]
        shape = [n if centering == "cell" else n + 1 - pair.count("dirichlet") for pair in kinds]
        t = np.linspace(0, 1, n + 1)
        options = {"boundary": boundary, "centering": centering, "reaction": lambda u, *x: u**3}
        if stretched:
            options["coordinates"] = [t + 0.05 * np.sin(np.pi * t)] * ndim
        problem = NonlinearPoisson(shape, gradient_coefficient=law, **options)
        g = {(a, s): given(pair[s].kind, exact, flow, a, s) for a, pair in enumerate(problem.boundary) for s in (0, 1)}
        solution = Multigrid(problem).solve(f, g, rtol=1e-8)
        assert solution.converged
        errors.append(abs(solution.u - exact(*problem.points())).max())
    assert 3.4 < errors[0] / errors[1] < 4.7


def given(kind, exact, flow, a, s):
    if kind == "dirichlet":
        return exact
    return lambda *x: (2 * s - 1) * flow(a, *x) + (2 * exact(*x) if kind == "robin" else 0)


def sines(height):
    def slopes(x, y):
        x, y = np.pi * x, np.pi * y
        return height * np.pi * np.cos(x) * np.sin(y), height * np.pi * np.sin(x) * np.cos(y)

    return lambda x, y: height * np.sin(np.pi * x) * np.sin(np.pi * y), slopes


STEEP = {  # law, height, bounds on the factor, on that from a rough guess, on algebraic / discretisation error
    "3-Laplacian, eps 1": (p_laplacian(1.0), 1.0, 0.1, 0.2, 0.1),
    "3-Laplacian, eps 0.1": (p_laplacian(0.1), 1.0, 0.1, 0.2, 0.25),
    "3-Laplacian, eps 0.01": (p_laplacian(0.01), 1.0, 0.1, 0.2, 0.14),
    "minimal, height 0.3": (minimal, 0.3, 0.1, 0.2, 0.12),
    "minimal, height 1": (minimal, 1.0, 0.25, 0.35, 0.3),
}


@pytest.mark.parametrize("name", STEEP)
def test_factors_and_full_multigrid(name):
    """V(1,1); frozen coefficients stall at 0.75 and more, over-relaxation alone takes 0.52 of height 1."""
    law, height, whole, rough, share = STEEP[name]
    exact, slopes = sines(height)
    f = data_for(law, lambda *x: 0 * x[0], slopes, 2)[0]
    for n in (31, 63):
        mg = Multigrid(NonlinearPoisson((n, n), gradient_coefficient=law), nu=(1, 1))
        solution = mg.solve(f, rtol=1e-10)
        assert solution.converged
        assert solution.factor < whole
        noise = 0.01 * height / n * np.random.default_rng(0).standard_normal((n, n))
        norms = mg.solve(f, u0=solution.u + noise, rtol=0.0, max_cycles=9).residual_norms
        assert (norms[9] / norms[5]) ** (1 / 4) < rough
        error = abs(solution.u - exact(*mg.problem.points())).max()
        assert abs(mg.full_multigrid(f) - solution.u).max() < share * error


def test_scherks_surface_is_minimal():
    """log(cos y / cos x), with its values on the sides: |grad u| is 1.8 at the corners, and f is 0."""

    def scherk(x, y):
        return np.log(np.cos(y - 0.5) / np.cos(x - 0.5))

    errors = []
    for n in (31, 63):
        problem = NonlinearPoisson((n, n), extent=(1.5, 1.5), gradient_coefficient=minimal)
        solution = Multigrid(problem).solve(0.0, scherk, rtol=1e-10)
        assert solution.converged
        errors.append(abs(solution.u - scherk(*problem.points())).max())
    assert 3.6 < errors[0] / errors[1] < 4.4


def test_newtons_method_on_a_sparse_matrix_agrees():
    """Another operator in a few lines, whose Jacobian is by complex steps, nine unknowns apart."""
    n, law = 63, p_laplacian(0.1)
    h = 1 / (n + 1)

    def operator(u):
        whole, total = np.pad(u.reshape(n, n), 1), 0
        for v, back in ((whole, lambda w: w), (whole.T, np.transpose)):
            across = np.diff(v, axis=0)[:, 1:-1] / h
            along = (v[:, 2:] - v[:, :-2]) / (2 * h)
            total = total - back(np.diff(law(across**2 + ((along[1:] + along[:-1]) / 2) ** 2) * across, axis=0) / h)
        return total.ravel()

    i, j = np.divmod(np.arange(n * n), n)
    f, u = 10 * np.cos(3 * i * h) + 5 * j * h, np.zeros(n * n)
    u = 0.1 * np.sin(np.pi * (i + 1) * h) * np.sin(np.pi * (j + 1) * h)
    rows = [(di, dj) for di in (-1, 0, 1) for dj in (-1, 0, 1)]
    for _ in range(60):
        r, entries = f - operator(u), []
        for p, q in rows:
            mine = (i % 3 == p % 3) & (j % 3 == q % 3)
            change = operator(u + 1e-30j * mine).imag.reshape(n, n) / 1e-30
            for di, dj in rows:
                ok = mine & (i + di >= 0) & (i + di < n) & (j + dj >= 0) & (j + dj < n)
                at = (i[ok] + di) * n + j[ok] + dj
                entries.append((change.ravel()[at], at, np.flatnonzero(ok)))
        values, row, column = (np.concatenate(each) for each in zip(*entries, strict=True))
        step, t = spsolve(sp.csc_matrix((values, (row, column))), r), 1.0
        while t > 1e-6 and np.linalg.norm(f - operator(u + t * step)) > np.linalg.norm(r):
            t /= 2
        u = u + t * step
        if abs(step).max() < 1e-12:
            break
    solution = Multigrid(NonlinearPoisson((n, n), gradient_coefficient=law)).solve(f.reshape(n, n), rtol=1e-12)
    assert solution.reason in ("converged", "rounding")
    assert abs(solution.u.ravel() - u).max() < 1e-10


def test_members_of_a_batch_end_as_they_would_alone():
    problem = NonlinearPoisson((31, 31), gradient_coefficient=p_laplacian(0.1))
    rng = np.random.default_rng(3)
    f, g = rng.uniform(-5, 5, (3, 31, 31)), {(0, 0): rng.uniform(-1, 1, (3, 31)), (1, 1): 0.5}
    f[1] *= 1e-3
    together = Multigrid(problem).solve(f, g, max_cycles=100)
    for k in range(3):
        alone = Multigrid(problem).solve(f[k], {(0, 0): g[0, 0][k], (1, 1): 0.5}, max_cycles=100)
        assert alone.converged
        assert alone.cycles == together.members[k].cycles
        assert np.allclose(alone.u, together.u[k], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("eps", [1e-8, 1.0, 1e8])
def test_gradients_of_any_size(eps):
    """Derivatives of a are by differences relative to |grad u|^2."""
    problem = NonlinearPoisson((31, 31), gradient_coefficient=p_laplacian(eps))
    solution = Multigrid(problem).solve(10 * eps**2)
    one = Multigrid(NonlinearPoisson((31, 31), gradient_coefficient=p_laplacian(1.0))).solve(10.0)
    assert solution.cycles == one.cycles
    assert np.allclose(solution.u / eps, one.u, rtol=1e-6, atol=1e-9)


def test_one_axis_and_float32():
    """-(|u'| u')' = 2 on (0, 1): u = (1 - |1 - 2x|^1.5) / 3, but for eps; |u'| u' = 1 - 2x."""
    problem = NonlinearPoisson(255, gradient_coefficient=p_laplacian(1e-4))
    x, exact = problem.points()[0], lambda x: (1 - abs(1 - 2 * x) ** 1.5) / 3
    solution = Multigrid(problem).solve(2.0)
    assert solution.converged
    assert abs(solution.u - exact(x)).max() < 1e-3
    law = p_laplacian(1.0)
    coarse = Multigrid(NonlinearPoisson((31, 31), gradient_coefficient=law), dtype="float32").solve(1.0, rtol=1e-4)
    assert coarse.converged
    assert coarse.u.dtype == np.float32
    assert abs(coarse.u - Multigrid(NonlinearPoisson((31, 31), gradient_coefficient=law)).solve(1.0).u).max() < 1e-4


def test_it_tells_how_it_relaxes():
    problem = NonlinearPoisson((63, 63), gradient_coefficient=minimal)
    assert "Newton-Gauss-Seidel omega=1..1.7 (1,1)" in str(Multigrid(problem))
    assert "omega=1 (1,1)" in str(Multigrid(problem, smoother="red-black"))
