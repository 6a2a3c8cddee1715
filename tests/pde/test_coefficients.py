"""Coefficients that vary and jump: the matrix, the order, the solution, and conjugate gradients on jumps of 10^6."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as sla
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import pde
from mgcore import checks
from pde.dendy import OperatorTransfer
from pde.krylov import ConjugateGradients

EPS = float(np.finfo(float).eps)
KINDS = ("dirichlet", "neumann", "periodic", ("robin", 2.0))


def norm(v: np.ndarray) -> float:
    return float(np.linalg.norm(v))


def blocks(shape: tuple[int, ...], size: int, jump: float = 1e6) -> np.ndarray:
    """A checkerboard of blocks."""
    index = np.meshgrid(*(np.arange(n) // size for n in shape), indexing="ij")
    return np.where(sum(index) % 2 == 0, jump, 1.0)


def balance(problem: pde.Poisson, a: list[np.ndarray], c: np.ndarray) -> np.ndarray:
    """W A, written out point by point from the fluxes through the faces of every control volume."""
    axes, shape = problem.grid.axes, problem.shape
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    A = np.zeros((numbers.size, numbers.size))
    for point in np.ndindex(*shape):
        row = numbers[point]
        A[row, row] += c[point] * np.prod([axis.width[i] for axis, i in zip(axes, point, strict=True)])
        for d, axis in enumerate(axes):
            area = np.prod([axes[e].width[point[e]] for e in range(len(axes)) if e != d])
            for side in (0, 1):
                other = list(point)
                other[d] += 2 * side - 1
                around = axis.periodic and not 0 <= other[d] < axis.n
                other[d] %= axis.n
                inside = axis.periodic or (point[d] > 0 if side == 0 else point[d] < axis.n - 1)
                here = a[d][point]
                if not inside:
                    kind, h = axis.sides[side], axis.ends[side]
                    if kind.kind == "dirichlet":
                        A[row, row] += area * here / h
                    elif kind.kind == "robin":
                        A[row, row] += area / (1 / kind.beta + h / here)
                elif tuple(other) != point:
                    step = abs(axis.points[other[d]] - axis.points[point[d]])
                    step = axis.length - step if around else step
                    halves = (axis.width[point[d]] / 2, axis.width[other[d]] / 2) if axis.cell else (step / 2, step / 2)
                    flux = area / (halves[0] / here + halves[1] / a[d][tuple(other)])
                    A[row, row] += flux
                    A[row, numbers[tuple(other)]] -= flux
    return A


@given(
    shape=st.sampled_from([(1,), (2,), (7,), (8,), (3, 4), (5, 2), (1, 6), (2, 3, 3), (4, 1, 3)]),
    sides=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)), min_size=3, max_size=3),
    centering=st.sampled_from(["vertex", "cell"]),
    tensor=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_matrix_is_the_balance_of_fluxes(shape, sides, centering, tensor, seed):
    boundary = [("periodic",) * 2 if "periodic" in pair else pair for pair in sides[: len(shape)]]
    rng = np.random.default_rng(seed)
    a = [10 ** rng.uniform(-3, 3, shape) for _ in shape] if tensor else [10 ** rng.uniform(-3, 3, shape)] * len(shape)
    c = rng.uniform(0, 5, shape)
    problem = pde.Poisson(shape, 1.3, boundary, centering, coefficient=tuple(a) if tensor else a[0], reaction=c)
    expected = balance(problem, a, c)
    actual = problem.matrix(symmetric=True).toarray()
    # every entry is a few products and quotients; the diagonal adds 2 d + 1 of them
    np.testing.assert_allclose(actual, expected, rtol=32 * EPS, atol=64 * EPS * abs(expected).max())
    u = rng.standard_normal(shape)
    np.testing.assert_allclose(
        problem.apply(u).ravel(),
        problem.matrix() @ u.ravel(),
        atol=64 * EPS * norm(expected) * norm(u) / problem.control_volumes().min(),
    )


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["dirichlet", ("periodic", "neumann"), (("dirichlet", "neumann"), ("robin", 1.5))])
@pytest.mark.parametrize("field", ["smooth", "blocks", "random"])
def test_the_solution_is_that_of_a_direct_solver(centering, boundary, field):
    shape, rng = (20, 17), np.random.default_rng(3)
    x, y = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    a = {"smooth": np.exp(np.sin(3 * x + y)), "blocks": blocks(shape, 5), "random": 10 ** rng.uniform(-1, 1, shape)}[
        field
    ]
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=a)
    f = rng.standard_normal(shape)
    if problem.singular:
        W = problem.control_volumes()
        f -= (W * f).sum() / W.sum()
    solution = pde.Multigrid(problem).solve(f, rtol=1e-9, accel="cg", max_cycles=80)
    assert solution.converged, solution.message
    A = problem.matrix()
    if problem.singular:
        W = problem.control_volumes().ravel()
        ones = sp.csr_matrix(np.full((A.shape[0], 1), A.diagonal().max()))
        A = sp.bmat([[A, ones], [sp.csr_matrix(W[None] / W.sum()), None]])
    u = sla.spsolve(sp.csc_matrix(A), np.append(f, np.zeros(A.shape[0] - f.size)))[: f.size].reshape(shape)
    residual = problem.apply(solution.u) - f
    assert norm(residual) <= 1.01e-9 * norm(f)  # on this grid the norm of volumes is within 1 % of the Euclidean one
    assert norm(solution.u - u) <= 1e-6 * norm(u)


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
def test_second_order_with_a_smooth_coefficient(centering, boundary):
    """u = cos(pi x) cos(2 pi y) has no flux through the sides; a = exp(x y)."""
    errors = []
    for k in (5, 6, 7):
        n = 2**k + (0 if centering == "cell" else -1 if boundary == "dirichlet" else 1)

        def u(x, y):
            return np.cos(np.pi * x) * np.cos(2 * np.pi * y)

        def f(x, y):
            a, s, c = np.exp(x * y), np.sin, np.cos
            u_x = -np.pi * s(np.pi * x) * c(2 * np.pi * y)
            u_y = -2 * np.pi * c(np.pi * x) * s(2 * np.pi * y)
            return a * (5 * np.pi**2 * u(x, y) - y * u_x - x * u_y)

        problem = pde.Poisson((n, n), boundary=boundary, centering=centering, coefficient=lambda x, y: np.exp(x * y))
        g = u if boundary == "dirichlet" else None
        found = pde.Multigrid(problem).solve(f, g, rtol=1e-10, strict=True).u
        exact = u(*problem.points())
        W = problem.control_volumes()
        shift = (W * exact).sum() / W.sum() if boundary == "neumann" else 0.0
        errors.append(abs(found - exact + shift).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(abs(orders - 2) < 0.12), orders


@pytest.mark.parametrize("axis", [0, 1])
def test_transfers_keep_an_inclusion_with_a_tip_constant(axis):
    """The tip lies between two coarse points outside: from them alone it had the value 0."""
    a = np.ones((15, 15))
    a[6:9, 5:10] = a[9, 8] = 1e6
    a = a if axis == 0 else a.T
    problem = pde.Poisson((15, 15), coefficient=a)
    transfer = OperatorTransfer(pde.Multigrid(problem).levels[0].A, (True, True), np.dtype(float))
    inside = a[np.ix_(*transfer.places)] > 1
    assert np.ptp(transfer.prolong(np.where(inside, 1.0, 0.0))[a > 1]) <= 1e-5  # ten times the contrast


@pytest.mark.slow
@pytest.mark.parametrize(("boundary", "seed"), [("neumann", 3), ("periodic", 3), ("dirichlet", 5)])
def test_conjugate_gradients_on_a_binary_random_field(boundary, seed):
    """Correlation length 8 on 511^2: tips tied to what is around them made it 22 iterations."""
    noise = np.random.default_rng(seed).standard_normal((511, 511))
    a = np.where(gaussian_filter(noise, 4, mode="wrap") > 0, 1e6, 1.0)
    problem = pde.Poisson((511, 511), boundary=boundary, coefficient=a)
    f, W = np.random.default_rng(0).standard_normal((511, 511)), problem.control_volumes()
    f -= np.sum(W * f) / W.sum() if problem.singular else 0.0
    solution = pde.Multigrid(problem).solve(f, accel="cg")
    assert solution.converged
    assert solution.cycles <= 18


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", ("periodic", "dirichlet")])
@pytest.mark.parametrize("field", ["inclusion", "layers", "checkerboard", "misaligned"])
def test_conjugate_gradients_on_jumps_of_a_million(field, boundary):
    shape = (127, 127)
    x, y = np.meshgrid(np.arange(127), np.arange(127), indexing="ij")
    a = {
        "inclusion": np.where((x - 60) ** 2 + (y - 50) ** 2 < 900, 1e6, 1.0),
        "layers": np.where(x // 16 % 2 == 0, 1e6, 1.0),
        "checkerboard": blocks(shape, 16),
        "misaligned": blocks(shape, 19),
    }[field]
    problem = pde.Poisson(shape, boundary=boundary, coefficient=a)
    f = np.random.default_rng(0).standard_normal(shape)
    W = problem.control_volumes()
    f -= (W * f).sum() / W.sum()
    mg = pde.Multigrid(problem)
    assert mg.transfer == "operator"
    assert mg.coarse == "galerkin"
    solution = mg.solve(f, accel="cg", rtol=1e-7)
    assert solution.converged, solution.message
    assert solution.cycles <= 18


@pytest.mark.parametrize("shape", [(15,), (9, 12), (7, 6, 5)])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_operator_dependent_transfers(shape, boundary, centering):
    """R is adjoint to P; where nothing flows out P keeps constants, whatever the coefficient; the coarse A is R A P."""
    rng = np.random.default_rng(5)
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=10 ** rng.uniform(-3, 3, shape))
    A = pde.Multigrid(problem, levels=1).levels[0].info.operator
    which = (True,) * len(shape)
    transfer = OperatorTransfer(A, which, np.dtype(float))
    W, W_c = problem.control_volumes(), transfer.volumes
    r, e = rng.standard_normal(shape), rng.standard_normal(transfer.coarse.shape)
    defect = checks.adjoint_defect(
        transfer.restrict,
        transfer.prolong,
        r,
        e,
        lambda v, w: float((W * v * w).sum()),
        lambda v, w: float((W_c * v * w).sum()),
    )
    assert defect <= 32 * EPS * r.size**0.5
    if boundary != "dirichlet":
        ones = transfer.prolong(np.ones(transfer.coarse.shape))
        assert abs(ones - 1).max() <= 64 * EPS  # weights with the sum one, three factors of them after another
    mg = pde.Multigrid(problem, levels=2, coarse="galerkin", transfer="operator")
    if len(mg.levels) == 2:
        fine, coarse = mg.levels
        assert fine.R is not None
        assert fine.P is not None
        e = rng.standard_normal(coarse.info.grid.shape)
        defect = checks.galerkin_defect(fine.A, coarse.A, fine.R, lambda e: fine.P(e, e), e, norm)
        assert defect <= 1e4 * EPS


def binary(shape: tuple[int, ...], length: float, seed: int, jump: float = 1e6) -> np.ndarray:
    """One or `jump`, by the sign of a Gaussian random field with this correlation length in points."""
    noise = np.fft.fftn(np.random.default_rng(seed).standard_normal(shape))
    k = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
    smooth = np.fft.ifftn(noise * np.exp(-0.5 * (np.pi * length) ** 2 * sum(f**2 for f in k))).real
    return np.where(smooth > 0, jump, 1.0)


def iterations(problem: pde.Poisson, rtol: float = 1e-8) -> int:
    f = np.random.default_rng(100).standard_normal(problem.shape)
    W = problem.control_volumes()
    solution = pde.Multigrid(problem).solve(f - (W * f).sum() / W.sum(), accel="cg", rtol=rtol)
    # in float64 a residual cannot be made smaller than rounding u to the nearest number makes it
    assert solution.converged or (solution.reason == "rounding" and solution.residual_norms[-1] < 4 * rtol)
    return solution.cycles


@pytest.mark.parametrize("reaction", [0.0, 1.0, 1e5, 1e7])
def test_a_reaction_beside_jumps_does_not_cost_iterations(reaction):
    """Weights that feel the reaction lower a coarse constant beside interfaces: 18 iterations in the place of 11."""
    problem = pde.Poisson((255, 255), boundary="neumann", coefficient=binary((255, 255), 8, 0), reaction=reaction)
    assert iterations(problem) <= 14


@pytest.mark.parametrize("shape", [(255, 255), (31, 31, 31)])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
def test_conjugate_gradients_on_random_media(shape, boundary):
    for centering, seed in (("vertex", 0), ("cell", 1)):
        a = binary(shape, 8, seed)
        assert iterations(pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=a)) <= 14


@pytest.mark.slow
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic"])
@pytest.mark.parametrize("field", ["checkerboard", "misaligned", "binary"])
def test_conjugate_gradients_on_grids_of_511(field, boundary, centering):
    shape = (511, 511)
    a = {"checkerboard": blocks(shape, 8), "misaligned": blocks(shape, 11), "binary": binary(shape, 8, 0)}[field]
    assert iterations(pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=a)) <= 18


def test_rounding_is_reported_where_the_residual_stops_and_not_before():
    """The residual that rounding leaves is that of the nearest float64 u; a jump that u does not feel adds nothing."""
    shape = (63, 63)
    a = np.where(np.arange(63)[:, None] < 3, 1e6, 1.0) * np.ones(shape)  # u is small beside this side
    f = np.random.default_rng(1).standard_normal(shape)
    problem = pde.Poisson(shape, coefficient=a)
    solution = pde.Multigrid(problem).solve(f, accel="cg", rtol=0.0)
    assert solution.reason == "rounding"
    exact = solution.u.astype(np.longdouble)
    D = problem.matrix().diagonal().reshape(shape)
    reached = norm(f - problem.apply(solution.u)) / norm(f)
    assert reached <= solution.attainable <= 8 * EPS * norm(D * exact) / norm(f) + EPS
    assert solution.attainable <= 64 * reached


@pytest.mark.parametrize("smoother", ["auto", "jacobi", "two-step jacobi", "red-black"])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", ("periodic", "dirichlet")])
@pytest.mark.parametrize("field", ["one", "blocks"])
def test_the_preconditioner_is_symmetric_and_positive(smoother, boundary, field):
    shape, rng = (9, 11), np.random.default_rng(6)
    problem = pde.Poisson(shape, boundary=boundary, coefficient=blocks(shape, 3, 100) if field == "blocks" else None)
    M = pde.Multigrid(problem, smoother=smoother).as_preconditioner()
    dense = M.matmat(np.eye(99))
    assert norm(dense - dense.T) <= 1e3 * EPS * norm(dense)
    eigenvalues = np.linalg.eigvalsh((dense + dense.T) / 2)
    assert eigenvalues[1 if problem.singular else 0] > 0
    y = rng.standard_normal(99)
    np.testing.assert_allclose(M.matvec(y), dense @ y, atol=1e3 * EPS * norm(dense) * norm(y))
    np.testing.assert_allclose(M.rmatvec(y), dense.T @ y, atol=1e3 * EPS * norm(dense) * norm(y))


@pytest.mark.parametrize("solver", [sla.cg, sla.minres, sla.gmres])
def test_scipy_takes_the_preconditioner(solver):
    problem = pde.Poisson((40, 31), coefficient=blocks((40, 31), 8))
    A, M = problem.matrix(symmetric=True), pde.Multigrid(problem).as_preconditioner()
    b = np.random.default_rng(0).standard_normal(A.shape[0])
    steps = []
    options = {"callback_type": "pr_norm"} if solver is sla.gmres else {}
    x, info = solver(A, b, rtol=1e-8, M=M, maxiter=40, callback=lambda _: steps.append(1), **options)
    assert info == 0
    assert norm(A @ x - b) <= 1e-5 * norm(b)
    assert len(steps) <= 25


@given(seed=st.integers(0, 2**32 - 1), members=st.integers(1, 3))
def test_conjugate_gradients_on_a_batch_are_those_of_each_member(seed, members):
    rng = np.random.default_rng(seed)
    problem = pde.Poisson((12, 9), coefficient=10 ** rng.uniform(0, 1, (12, 9)))
    mg = pde.Multigrid(problem)
    f = rng.standard_normal((members, 12, 9))
    together = mg.solve(f, accel="cg", rtol=1e-9).u
    for one, u in zip(f, together, strict=True):
        alone = mg.solve(one, accel="cg", rtol=1e-9).u
        assert norm(u - alone) <= 1e-6 * norm(alone)


def test_conjugate_gradients_end_where_nothing_is_left():
    """With the exact inverse one step solves; a member that is solved stays as it is."""
    A = np.diag([1.0, 2.0, 5.0])
    problem = pde.Poisson(3)
    volumes = pde.Multigrid(problem)._volumes[0]
    step = ConjugateGradients(lambda u: u @ A, lambda r: r @ np.linalg.inv(A), volumes, lambda u: u)
    f = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    u = step(f, None)
    np.testing.assert_allclose(u @ A, f, atol=8 * EPS)
    np.testing.assert_allclose(step(f, u), u, atol=8 * EPS)


SMOOTH = {
    "exp(6 x)": lambda x, y: np.exp(6 * x),
    "waves": lambda x, y: np.exp(2 * np.sin(2 * np.pi * (x + 0.1)) * np.sin(2 * np.pi * (y + 0.1))),
}


@pytest.mark.parametrize("kind", SMOOTH)
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", ("robin", 1.0)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_smooth_coefficients_that_vary_much(kind, boundary, centering):
    """Rediscretised coarse operators diverged, or took up to 47 cycles: on the coarsest grids they see jumps."""
    problem = pde.Poisson((96, 70), boundary=boundary, centering=centering, coefficient=SMOOTH[kind])
    f = np.random.default_rng(6).standard_normal(problem.shape)
    if problem.singular:
        W = problem.control_volumes()
        f -= (W * f).sum() / W.sum()
    mg = pde.Multigrid(problem)
    assert len(mg.levels) > 1
    assert mg.transfer == "operator"
    solution = mg.solve(f)
    assert solution.converged
    assert solution.cycles <= 10


def test_smooth_coefficients_that_vary_little_keep_stencils():
    mg = pde.Multigrid(pde.Poisson((33, 20), coefficient=lambda x, y: 1 + 8 * x * y))
    assert (mg.coarse, mg.transfer) == ("rediscretised", "bilinear")


def test_update_is_a_new_hierarchy_for_the_new_coefficients():
    rng = np.random.default_rng(0)
    shape, f = (33, 20), rng.standard_normal((33, 20))
    mg = pde.Multigrid(pde.Poisson(shape))
    for coefficient, reaction in itertools.product((None, 2.0, blocks(shape, 6)), (None, 100.0)):
        updated = mg.update(coefficient=coefficient, reaction=reaction)
        assert updated is mg
        fresh = pde.Poisson(shape, coefficient=mg.problem.terms.diffusion, reaction=mg.problem.terms.reaction)
        expected = pde.Multigrid(fresh).solve(f, accel="cg")
        np.testing.assert_array_equal(mg.solve(f, accel="cg").u, expected.u)
    assert mg.transfer == "operator"
    mg.update(coefficient=1.0, reaction=0.0)
    assert mg.transfer == "bilinear"
    np.testing.assert_array_equal(mg.solve(f).u, pde.Multigrid(pde.Poisson(shape)).solve(f).u)


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", ("robin", 1.0)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("shape", [(40,), (33, 20), (9, 12, 7)])
def test_update_keeps_what_does_not_depend_on_the_coefficient(shape, centering, boundary):
    mg = pde.Multigrid(pde.Poisson(shape, boundary=boundary, centering=centering, reaction=1.0))
    before, tables = [level.info for level in mg.levels], list(mg._interpolations)
    f = np.random.default_rng(0).standard_normal(shape)
    for coefficient, reaction in ((2.0, 5.0), (lambda *x: 1 + x[0] ** 2, 3.0)):
        after = [level.info for level in mg.update(coefficient=coefficient, reaction=reaction).levels]
        assert len(after) == len(before) > 1
        for old, new in zip(before, after, strict=True):
            assert old.grid == new.grid
            assert all(a is b for a, b in zip(old.grid.axes, new.grid.axes, strict=True))
            assert old.operator is not new.operator
            if not (centering == "cell" and boundary == ("robin", 1.0)):  # those obey a du/dn = -beta u
                assert old.to_coarse is new.to_coarse
        assert all(a is b for a, b in zip(tables, mg._interpolations, strict=True))
        fresh = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=coefficient, reaction=reaction)
        np.testing.assert_array_equal(mg.solve(f).u, pde.Multigrid(fresh).solve(f).u)


def test_update_keeps_the_interpolations_of_a_rough_problem():
    shape = (90, 80)
    mg = pde.Multigrid(pde.Poisson(shape, coefficient=blocks(shape, 6)))
    interpolations = list(mg._interpolations)
    mg.update(coefficient=blocks(shape, 9))
    assert mg.transfer == "operator"
    assert len(interpolations) == len(mg._interpolations) > 0
    assert all(a is b for a, b in zip(interpolations, mg._interpolations, strict=True))


@pytest.mark.parametrize(
    ("bad", "dtype"),
    [({"coefficient": -1.0}, "float64"), ({"reaction": np.ones(3)}, "float64"), ({"coefficient": 1e60}, "float32")],
)
def test_an_update_that_raises_leaves_the_solver_as_it_was(bad, dtype):
    shape = (33, 20)
    mg = pde.Multigrid(pde.Poisson(shape, coefficient=blocks(shape, 6)), dtype=dtype)
    before = dict(mg.__dict__)
    with pytest.raises(ValueError, match=r"coefficient|reaction"):
        mg.update(**bad)
    assert all(mg.__dict__[name] is value for name, value in before.items())


def test_operator_transfers_that_are_asked_for_bring_their_coarse_operators():
    mg = pde.Multigrid(pde.Poisson((33, 20)), transfer="operator")
    assert (mg.coarse, mg.transfer) == ("galerkin", "operator")
    assert mg.solve(lambda x, y: x).converged
    assert mg.update(coefficient=2.0).coarse == "galerkin"
    with pytest.raises(ValueError, match="coarse='galerkin'"):
        pde.Multigrid(pde.Poisson((33, 20)), transfer="operator", coarse="rediscretised")


REACTIONS = {
    "half": lambda x, *_: 1e4 * (x > 0.5),
    "smooth": lambda x, y, *_: 1e4 * np.exp(-50 * ((x - 0.3) ** 2 + (y - 0.4) ** 2)),
    "stripe between coarse points": lambda x, *_: 1e5 * (abs(x - 0.52) < 0.02),
    "noise": lambda x, *_: 1e5 * np.random.default_rng(1).random(x.shape) ** 8,
}


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", ("robin", 1.0)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("kind", REACTIONS)
def test_a_reaction_that_varies(kind, centering, boundary):
    """Taken at the coarse points alone it lost its integral: cycles diverged, and coarse operators were singular."""
    problem = pde.Poisson((33, 40), boundary=boundary, centering=centering, reaction=REACTIONS[kind])
    f = np.random.default_rng(3).standard_normal(problem.shape)
    for cycle in ("fmg", "V", "W"):
        solution = pde.Multigrid(problem).solve(f, cycle=cycle)
        assert solution.converged, solution.message
        assert np.linalg.norm(f - problem.apply(solution.u)) <= 3e-8 * np.linalg.norm(f)


@pytest.mark.parametrize("shape", [(33,), (33, 40), (9, 12, 17)])
@pytest.mark.parametrize("boundary", ["neumann", "periodic", ("robin", 1.0)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_coarse_reactions_have_the_same_integral(shape, centering, boundary):
    c = np.random.default_rng(4).random(shape)
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, reaction=c)
    for level in pde.Multigrid(problem, coarse="rediscretised").levels:
        A = level.info.operator
        assert np.sum(A.volumes * A.terms.reaction) == pytest.approx(np.sum(problem.control_volumes() * c))


def test_automatic_coarse_operators_for_a_reaction():
    half, shape = lambda x, y: 10.0 * (x > 0.5), (31, 31)
    assert pde.Multigrid(pde.Poisson(shape, reaction=half)).coarse == "galerkin"
    assert pde.Multigrid(pde.Poisson(shape, reaction=half)).transfer == "bilinear"
    assert pde.Multigrid(pde.Poisson(shape, reaction=half), coarse="rediscretised").coarse == "rediscretised"
    for smooth in (0.0, 1e6, lambda x, y: 1 + x * y):
        assert pde.Multigrid(pde.Poisson(shape, reaction=smooth)).coarse == "rediscretised"


def turning(shape: tuple[int, ...], strong: float) -> tuple[np.ndarray, ...]:
    """The strong axis is the second one in the left half and the first one in the right half."""
    left = np.broadcast_to(np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1)) < shape[0] // 2, shape)
    return np.where(left, 1.0, strong), np.where(left, strong, 1.0), *(np.ones(shape) for _ in shape[2:])


@pytest.mark.parametrize("shape", [(96, 80), (20, 21, 20)])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_a_strong_axis_that_changes_takes_lines_or_planes(shape, boundary, centering):
    """No order of semicoarsening suits both halves: "sor" took 0.9 per cycle."""
    problem = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=turning(shape, 100.0))
    mg = pde.Multigrid(problem)
    assert mg.smoother == ("zebra" if len(shape) == 2 else "planes 1")
    assert len(mg.levels) > 1
    f = np.random.default_rng(0).standard_normal(shape)
    W = problem.control_volumes()
    f -= (W * f).sum() / W.sum()
    solution = mg.solve(f, accel="cg")
    assert solution.converged
    assert solution.cycles <= 12
    mg.update(coefficient=1.0)
    assert mg.smoother == "sor"


def test_one_strong_axis_keeps_points():
    x = np.linspace(0, 1, 40)[:, None] * np.ones((40, 40))
    for coefficient in (1 + 100 * x, (1.0, 1e4), (1 + 100 * x, 2 + 200 * x), (1.0, 1 + 5 * x)):
        assert pde.Multigrid(pde.Poisson((40, 40), coefficient=coefficient)).smoother == "sor"


@pytest.mark.parametrize("axis", [0, 1])
def test_a_jump_across_a_periodic_seam_is_rough(axis):
    ramp = np.exp(np.linspace(0, np.log(8), 40))  # changes by 5 % between neighbours, by 8 across the seam
    a = np.broadcast_to(ramp[:, None] if axis == 0 else ramp, (40, 40))
    sides = [("periodic" if b == axis else "dirichlet") for b in range(2)]
    assert pde.Multigrid(pde.Poisson((40, 40), boundary=sides, coefficient=a)).transfer == "operator"
    assert pde.Multigrid(pde.Poisson((40, 40), boundary=sides[::-1], coefficient=a)).transfer == "bilinear"
    assert pde.Multigrid(pde.Poisson((40, 40), boundary=sides, reaction=a * 10)).coarse == "galerkin"
