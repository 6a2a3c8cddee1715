"""Negative reactions: the problem stays positive definite, or conjugate gradients say that it is not."""

import numpy as np
import pytest
from scipy.sparse.linalg import eigsh, spsolve

import pde

CASES = {  # shape, boundary
    "line": ((20,), "dirichlet"),
    "plane": ((15, 20), "dirichlet"),
    "mixed": ((16, 15), [("dirichlet", "neumann"), "periodic"]),
    "robin": ((12, 15), [("robin", 2.0), ("neumann", "dirichlet")]),
    "space": ((7, 8, 9), "dirichlet"),
}


def least_eigenvalue(shape, boundary, centering, c=0.0):
    """Of W^-1 (W A), by its inverse."""
    p = pde.Poisson(shape, boundary=boundary, centering=centering, reaction=c)
    A, W = p.matrix(symmetric=True), p.control_volumes().ravel()
    scaled = (A / np.sqrt(W)[:, None]) / np.sqrt(W)
    return float(eigsh(scaled.tocsc(), 1, sigma=0, v0=np.ones(A.shape[0]))[0][0])


def noise(shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize(("shape", "boundary"), CASES.values(), ids=CASES)
def test_a_definite_problem_against_spsolve(shape, boundary, centering, share):
    least = least_eigenvalue(shape, boundary, centering)
    p = pde.Poisson(shape, boundary=boundary, centering=centering, reaction=-share * least)
    f = noise(shape)
    expected = spsolve(p.matrix().tocsc(), f.ravel()).reshape(shape)
    condition = np.linalg.cond(p.matrix().toarray())
    mg = pde.Multigrid(p, levels=9)
    solution = mg.solve(f, rtol=1e-10)
    assert solution.converged, solution.message
    assert np.abs(solution.u - expected).max() <= 1e-10 * condition * np.abs(expected).max()
    assert mg.acceleration(None) == mg.acceleration("auto") == ("cg" if mg.coarse == "galerkin" else None)
    assert solution.cycles <= 16


@pytest.mark.parametrize("share", [1.001, 1.5, 3.0])
@pytest.mark.parametrize(("shape", "boundary"), CASES.values(), ids=CASES)
def test_conjugate_gradients_tell_an_indefinite_problem(shape, boundary, share):
    least = least_eigenvalue(shape, boundary, "vertex")
    p = pde.Poisson(shape, boundary=boundary, reaction=-share * least)
    expected = spsolve(p.matrix().tocsc(), noise(shape).ravel()).reshape(shape)
    mg = pde.Multigrid(p, levels=9)
    for options in ({}, {"cycle": "W"}, {"accel": "none"}, {"accel": "none", "cycle": "V"}):
        solution = mg.solve(noise(shape), **options)
        if solution.converged:  # cycles that are as indefinite as A are fine
            error = np.abs(solution.u - expected).max()
            assert error <= 1e-8 * np.linalg.cond(p.matrix().toarray()) * np.abs(expected).max()
        elif "accel" not in options:
            assert solution.reason == "indefinite"
            assert np.isfinite(solution.u).all()
            assert "(p, A p) <= 0" in solution.message
        assert not solution.converged or not (share == 1.001 and "accel" not in options)


@pytest.mark.parametrize("kernels", ["numpy", "numba", "torch"])
@pytest.mark.parametrize("dtype", ["float64", "mixed"])
def test_a_batch_ends_member_by_member(kernels, dtype):
    """The first member has no part along the eigenvectors below zero, of even index along the first axis."""
    if kernels == "torch":
        pytest.importorskip("torch")
    p = pde.Poisson((15, 15), reaction=-35.0)  # 2 pi^2 < 35 < 5 pi^2
    mg = pde.Multigrid(p, coarse="galerkin", kernels=kernels, dtype=dtype, levels=9)
    f = noise((15, 15))
    odd = f - f[::-1]
    solution = mg.solve(np.stack((odd, f, 0 * f)), accel="cg")
    assert [member.reason for member in solution.members] == ["converged", "indefinite", "converged"]
    expected = spsolve(p.matrix().tocsc(), odd.ravel()).reshape(15, 15)
    assert np.abs(solution.u[0] - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("kernels", ["numpy", "numba"])
def test_a_mildly_negative_reaction_keeps_the_cheap_path(kernels):
    p = pde.Poisson((40, 41), reaction=lambda x, y: -5 * x)
    mg = pde.Multigrid(p, kernels=kernels, levels=9)
    f = noise(p.shape)
    assert mg.coarse == "rediscretised"
    assert mg.acceleration("auto") is None
    solution = mg.solve(f)
    expected = spsolve(p.matrix().tocsc(), f.ravel()).reshape(p.shape)
    assert solution.cycles <= 8
    assert np.abs(solution.u - expected).max() <= 1e-6 * np.abs(expected).max()


def test_a_reaction_of_both_signs_on_an_insulated_box_is_not_singular():
    c = lambda x, y: 100 * np.cos(np.pi * x)  # noqa: E731
    p = pde.Poisson((17, 16), boundary="neumann", reaction=c)
    assert not p.singular
    f = noise(p.shape)
    solution = pde.Multigrid(p).solve(f)
    assert solution.reason == "indefinite"
    assert not pde.Poisson((17, 16), boundary="neumann", reaction=-1e-3).singular
    assert pde.Poisson((17, 16), boundary="neumann", reaction=-1e-13).singular


def test_update_finds_the_new_choices():
    mg = pde.Multigrid(pde.Poisson((31, 31)))
    assert mg.update(reaction=-15.0).coarse == "galerkin"
    assert mg.solve(noise((31, 31))).converged
    assert mg.update(reaction=1.0).coarse == "rediscretised"


def test_the_fourth_order():
    """-19.7 is beyond the coarse grids' least eigenvalues, and above minus that of the finest one, 2 pi^2."""
    for c in (-15.0, -19.7, -25.0):
        p = pde.Poisson((31, 31), reaction=c, order=4)
        f = p.read("f", lambda x, y: np.exp(x) * np.cos(5 * y))
        solution = pde.Multigrid(p).solve(f)
        if c < -20:
            assert solution.reason == "indefinite"
            continue
        expected = spsolve(p.matrix().tocsc(), p.right_hand_side(f, {}).ravel()).reshape(31, 31)
        assert solution.converged
        assert np.abs(solution.u - expected).max() <= 1e-6 * np.abs(expected).max()


def test_a_domain():
    """Of a box within the box: minus its least eigenvalue lies far below that of the outer one."""
    inside = np.zeros((31, 31), dtype=bool)
    inside[8:23, 8:23] = True  # 15 points between walls at a distance of 1/2
    least = 4 * least_eigenvalue((15, 15), "dirichlet", "vertex")
    f = noise((31, 31))
    for share in (0.9, 1.01):
        p = pde.Poisson((31, 31), domain=inside, reaction=-share * least)
        solution = pde.Multigrid(p, levels=9).solve(f)
        assert solution.reason == ("converged" if share < 1 else "indefinite")
