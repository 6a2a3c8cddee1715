"""Section 5 to the letter: kernels, zero padding, exactly R A P, and how its boundary rows differ from the kernel."""

import math
from itertools import pairwise

import numpy as np
import pytest

import mgcore
from mgcore import stencils
from mgcore.stencils import BILINEAR, LINEAR, POISSON
from pde.paper.convolution import correlation_matrix, restriction_matrix
from pde.paper.section5 import section5_levels
from tests.pde.reference import EPS

TRANSFERS = {"linear": stencils.LINEAR, "bilinear": stencils.BILINEAR}


def columns(apply, shape):
    """The matrix of a linear map of arrays, from its action on unit vectors."""
    size = shape[0] * shape[1]
    return np.stack([apply(e.reshape(shape)).ravel() for e in np.eye(size)], axis=1)


def rows(A, n):
    """Row (i, j) of A as the 3 x 3 coefficients around it; outside of the grid they are zero."""
    assert A.shape == (n * n, n * n)
    padded = np.zeros((n, n, n + 2, n + 2))
    padded[:, :, 1:-1, 1:-1] = A.reshape(n, n, n, n)
    result = np.zeros((n, n, 3, 3))
    for i in range(n):
        for j in range(n):
            result[i, j] = padded[i, j, i : i + 3, j : j + 3]
    assert np.abs(result).sum() == np.abs(A).sum()  # nothing lies outside of the 3 x 3 neighbours
    return result


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_every_coarse_operator_is_exactly_r_a_p(k, transfer):
    """Entries are multiples of 2^-m: there is no rounding, and equality is equality."""
    levels = section5_levels(k, transfer=transfer)
    assert [level.info["shape"] for level in levels] == [(2**j + 1,) * 2 for j in range(k, 0, -1)]
    for fine, coarse in pairwise(levels):
        shape, target = fine.info["shape"], coarse.info["shape"]
        R = columns(fine.R, shape)
        P = columns(lambda e, fine=fine, shape=shape: fine.P(e, np.zeros(shape)), target)
        np.testing.assert_array_equal(P, R.T)
        np.testing.assert_array_equal(columns(coarse.A, target), R @ columns(fine.A, shape) @ P)


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("k", [3, 4, 5])
def test_interior_rows_are_the_kernel_and_boundary_rows_are_not(transfer, k):
    K, K_R = stencils.POISSON, TRANSFERS[transfer]
    for number, level in enumerate(section5_levels(k, transfer=transfer)):
        n = 2 ** (k - number) + 1
        stencil = rows(columns(level.A, (n, n)), n)
        np.testing.assert_allclose(stencil[1:-1, 1:-1], np.broadcast_to(K, (n - 2, n - 2, 3, 3)), rtol=0, atol=64 * EPS)
        padded = rows(columns(lambda u, K=K: zero_padded(K, u), (n, n)), n)
        boundary = np.ones((n, n), bool)
        boundary[1:-1, 1:-1] = False
        differs = np.abs(stencil - padded).max(axis=(2, 3)) > 64 * EPS
        np.testing.assert_array_equal(differs, boundary & (number > 0))  # every boundary row, from the first R A P on
        K = stencils.galerkin(K, K_R)


def zero_padded(K, u):
    padded = np.pad(u, 1)
    n, m = u.shape
    return sum(K[p][q] * padded[p : p + n, q : q + m] for p in range(3) for q in range(3))


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("smoother", ["S0", "S1"])
def test_kernel_levels_are_the_interior_kernels_with_zero_padding_on_every_row(transfer, smoother):
    omega, K = 0.7, stencils.POISSON
    S = {"S0": lambda K: stencils.jacobi(omega, K[1][1]), "S1": lambda K: stencils.two_step_jacobi(omega, K)}[smoother]
    u = np.random.default_rng(0).standard_normal((33, 33))
    for level in section5_levels(5, transfer=transfer, smoother=smoother, omega=omega, coarse="kernel"):
        n = level.info["shape"][0]
        v = u[:n, :n]
        np.testing.assert_allclose(level.A(v), zero_padded(K, v), rtol=0, atol=64 * EPS)
        np.testing.assert_allclose(level.B[0](v), zero_padded(S(K), v), rtol=0, atol=64 * EPS)
        np.testing.assert_allclose(level.info["kernel"], K, rtol=0, atol=8 * EPS)
        K = stencils.galerkin(K, TRANSFERS[transfer])


SIDE = {  # the row of a point on the first row of the grid, and of the first point, on the first coarse grid
    "linear": ([[0, 0, 0], [-0.5, 4, -0.5], [0, -1, 0]], [[0, 0, 0], [0, 4, -0.5], [0, -0.5, 0]]),
    "bilinear": (
        [[0, 0, 0], [-0.25, 3.5, -0.25], [-0.25, -0.5, -0.25]],
        [[0, 0, 0], [0, 3.75, -0.25], [0, -0.25, -0.25]],
    ),
}


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("k", [3, 4, 5])
def test_how_the_boundary_rows_of_the_first_coarse_grid_differ(transfer, k):
    """A hat function at a boundary point is cut in half: the coupling along the side is halved.

    linear: -1/2 for -1 along the side, the centre stays 4. bilinear: -1/4 for -1/2 along the side, the centre is 7/2
    for 3, 15/4 in the corners. Coefficients into the interior are those of the kernel.
    """
    n = 2 ** (k - 1) + 1
    stencil = rows(columns(section5_levels(k, transfer=transfer)[1].A, (n, n)), n)
    side, corner = (np.array(S) for S in SIDE[transfer])
    for turns in range(4):
        turned = np.rot90(np.rot90(stencil, turns, axes=(0, 1)), turns, axes=(2, 3))
        np.testing.assert_array_equal(turned[0, 1:-1], np.broadcast_to(side, (n - 2, 3, 3)))
        np.testing.assert_array_equal(turned[0, 0], corner)


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_zero_padding_is_the_dirichlet_condition_one_point_outside(transfer):
    """K_A * 1 is 1 on a side, 2 in a corner, 0 inside: Neumann (5.1) would make it vanish. R A P 1: 2 and 3."""
    levels = section5_levels(4, transfer=transfer)
    for level, side, corner in ((levels[0], 1, 2), (levels[1], 2, 3)):
        n = level.info["shape"][0]
        expected = np.zeros((n, n))
        expected[[0, -1]] = expected[:, [0, -1]] = side
        expected[[0, 0, -1, -1], [0, -1, 0, -1]] = corner
        np.testing.assert_array_equal(level.A(np.ones((n, n))), expected)


@pytest.mark.parametrize("smoother", ["S0", "S1"])
@pytest.mark.parametrize("transfer", TRANSFERS)
def test_smoothers_are_one_or_two_jacobi_steps(transfer, smoother):
    """(5.6), (5.7) with the diagonal of the level; on the finest they are the kernels (5.8), (5.9)."""
    omega = 0.7
    levels = section5_levels(3, transfer=transfer, smoother=smoother, omega=omega, nu=(1, 2))
    for level in levels:
        shape = level.info["shape"]
        A = columns(level.A, shape)
        S0 = omega * np.diag(1 / np.diag(A))
        expected = S0 if smoother == "S0" else S0 + S0 @ (np.eye(len(A)) - A @ S0)
        assert (len(level.B), len(level.B_post)) == (1, 2)
        np.testing.assert_allclose(columns(level.B[0], shape), expected, rtol=0, atol=16 * EPS)


FACTORS = {"S0": 0.55, "S1": 0.35}


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("smoother", ["S0", "S1"])
@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_the_v_cycle_converges(transfer, smoother, k):
    """To the solution of K_A * u = f; k = 1 is one level and so Jacobi alone, by 1 - 0.8 (1 - cos pi/4) a step."""
    bound = FACTORS[smoother] if k > 1 else (1 - 0.8 * (1 - np.cos(np.pi / 4))) ** (1 if smoother == "S0" else 2) + 1e-3
    levels = section5_levels(k, transfer=transfer, smoother=smoother)
    rng = np.random.default_rng(k)
    exact = rng.standard_normal((2**k + 1,) * 2)
    f = levels[0].A(exact)
    u, residuals = None, []
    for _ in range(30):
        u = mgcore.v_cycle(levels, f, u)
        residuals.append(np.linalg.norm(f - levels[0].A(u)))
    assert residuals[12] <= bound**9 * residuals[3]
    assert np.linalg.norm(u - exact) <= bound**24 * np.linalg.norm(exact)


def test_the_interior_kernel_with_zero_padding_is_no_solver():
    """coarse="kernel" is what a network computes; its coarse corrections are too large, and the cycle diverges."""
    levels = section5_levels(6, coarse="kernel")
    f = np.ones((65, 65))
    u = None
    for _ in range(60):
        u = mgcore.v_cycle(levels, f, u)
    assert not np.linalg.norm(f - levels[0].A(u)) < np.linalg.norm(f)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"k": 0}, "k must"),
        ({"k": 3, "transfer": "cubic"}, "transfer must.*cubic"),
        ({"k": 3, "smoother": "S2"}, "smoother must.*S2"),
        ({"k": 3, "coarse": "rediscretised"}, "coarse must.*rediscretised"),
        ({"k": 3, "levels": 4}, "levels must.*4"),
        ({"k": 3, "levels": 0}, "levels must.*0"),
        ({"k": 2.5}, "k must.*2.5"),
        ({"k": "3"}, "k must.*'3'"),
        ({"k": 3, "levels": 1.5}, "levels must.*1.5"),
        ({"k": 3, "transfer": ["linear"]}, "transfer must"),
        ({"k": 3, "omega": np.nan}, "omega must.*nan"),
        ({"k": 3, "omega": "a"}, "omega must.*'a'"),
        ({"k": 3, "omega": None}, "omega must.*None"),
        ({"k": 3, "nu": 2}, "nu must.*2"),
        ({"k": 3, "nu": (-1, 2)}, "nu must.*-1"),
        ({"k": 3, "Pi": 3}, "Pi must be callable, None or one of 'nodal'.*; got 3"),
        ({"k": 3, "Pi": "Nodal"}, "Pi must be one of 'nodal', .*'Nodal'"),
        ({"k": 3, "boundary": "periodic"}, "boundary must be one of 'zeros', 'neumann'; got 'periodic'"),
        ({"k": 3, "boundary": "neumann", "coarse": "kernel"}, "coarse must be one of 'galerkin'; got 'kernel'"),
    ],
)
def test_bad_arguments_are_named(options, named):
    with pytest.raises((TypeError, ValueError), match=named):
        section5_levels(**options)


def test_batches_are_treated_member_by_member():
    levels = section5_levels(3)
    f = np.random.default_rng(0).standard_normal((2, 3, 9, 9))
    together = mgcore.v_cycle(levels, f)
    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(together[i, j], mgcore.v_cycle(levels, f[i, j]), rtol=0, atol=1e-13)


def neumann_elements(n, K_R):
    """The stiffness matrix of -Laplace u = f with Neumann sides on n x n points: P1 for (4.14), Q1 for (4.13)."""
    inside = np.ones(n - 2)
    stiffness = np.diag(np.r_[1, 2 * inside, 1]) - np.eye(n, k=1) - np.eye(n, k=-1)
    lumped = np.diag(np.r_[0.5, inside, 0.5])
    mass = lumped if K_R is LINEAR else (4 * lumped + np.eye(n, k=1) + np.eye(n, k=-1)) / 6
    return np.kron(stiffness, mass) + np.kron(mass, stiffness)


@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("K_R", [BILINEAR, LINEAR])
def test_zero_padded_transfers_are_those_of_neumann_elements(K_R, k):
    """R = K_R *_2 with zero padding and its transpose: R F R^T is the coarse F, P keeps constants; entries are <= 4."""
    n, m = 2**k + 1, 2 ** (k - 1) + 1
    R, F = restriction_matrix(K_R, (n, n)).toarray(), neumann_elements(n, K_R)
    np.testing.assert_array_equal(R.T @ np.ones(m * m), np.ones(n * n))
    np.testing.assert_allclose(F @ np.ones(n * n), 0, atol=100 * EPS)
    np.testing.assert_allclose(R @ F @ R.T, neumann_elements(m, K_R), atol=1000 * EPS)
    assert abs(correlation_matrix(POISSON, (n, n)) @ np.ones(n * n)).max() >= 1  # which is why (5.3) is another problem


def test_jacobi_alone_converges_up_to_omega_1():
    """I - omega/4 A on 9 x 9 points, with the largest eigenvalue 4 + 4 cos(pi/10) of A."""
    A = correlation_matrix(POISSON, (9, 9)).toarray()
    largest = 4 + 4 * math.cos(math.pi / 10)
    for omega, converges in ((0.8, True), (1.0, True), (1.02, True), (1.03, False), (1.5, False), (1.9, False)):
        radius = max(abs(1 - omega / 4 * np.linalg.eigvalsh(A)))
        assert (radius < 1) == converges == (omega < 8 / largest)
