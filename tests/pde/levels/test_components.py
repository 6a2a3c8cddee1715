"""Levels for closed faces: components of blocks, interpolation through open faces, cycles and solves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

import pde
from pde.levels.component_transfer import _half_means
from pde.levels.components import as_rows, component_level, component_volumes
from pde.levels.graph_operator import GraphOperator, independent_sets
from pde.levels.hierarchy import Hierarchy
from tests.pde.reference import EPS, SEEDS

SIDES = ("neumann", "periodic", "dirichlet", ("robin", 0.7), (("neumann", "dirichlet"),))


def percolation(shape: tuple[int, ...], share: float, seed: int) -> np.ndarray:
    inside = np.random.default_rng(seed).random(shape) < share
    inside.flat[0] = True
    return inside


def serpentine(n: int, width: int) -> np.ndarray:
    """A corridor between walls one cell thick."""
    inside = np.ones((n, n), dtype=bool)
    for k, wall in enumerate(range(width, n, width + 1)):
        inside[:, wall] = False
        inside[-1 if k % 2 == 0 else 0, wall] = True
    return inside


def faces_with_zeros(shape: tuple[int, ...], seed: int, least: float) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    faces = []
    for a in range(len(shape)):
        k = least ** rng.random([n + (b == a) for b, n in enumerate(shape)])
        faces.append(np.where(rng.random(k.shape) < 0.3, 0.0, k))
    return faces


@st.composite
def problems(draw: st.DrawFn, singular: bool = False) -> pde.Poisson:
    """Small problems with closed faces: masks, face coefficients, both; all sides and centrings."""
    ndim = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, {1: 40, 2: 14, 3: 6}[ndim])) for _ in range(ndim))
    seed, share = draw(SEEDS), draw(st.sampled_from((0.4, 0.7, 1.0)))
    boundary = draw(st.sampled_from(SIDES[:2] if singular else SIDES))
    if isinstance(boundary, tuple) and len(boundary) == 1:
        boundary = [boundary[0]] * ndim
    options = {"boundary": boundary, "centering": draw(st.sampled_from(("cell", "vertex")))}
    rng = np.random.default_rng(seed)
    if not singular and draw(st.booleans()):
        options["reaction"] = rng.random(shape)
    if draw(st.booleans()) and boundary != "periodic":
        options["face_coefficients"] = faces_with_zeros(shape, seed, draw(st.sampled_from((1.0, 1e-4))))
    inside = percolation(shape, share, seed)
    if not inside.all():
        options["domain"] = inside
        options["walls"] = "neumann" if singular or draw(st.booleans()) else rng.random(shape) < 0.3
    return pde.Poisson(shape, **options)


def hierarchy_of(problem: pde.Poisson, **options: object) -> Hierarchy:
    return pde.Multigrid(problem, levels=20, kernels="numpy", **options).hierarchy  # type: ignore[arg-type]


@given(problems())
def test_interpolation_keeps_constants_and_never_passes_a_closed_face(problem: pde.Poisson) -> None:
    assume(problem.terms.closed)
    levels = hierarchy_of(problem).levels
    component = connected_components(_open(levels[0].info.operator.symmetric_matrix()), directed=False)[1]
    for fine, coarse in pairwise(levels):
        P = fine.P.matrix()
        rows = P.tocoo()
        number = np.full(P.shape[1], -1)
        number[rows.col] = component[rows.row]
        assert np.array_equal(number[rows.col], component[rows.row])  # a column lies in one component
        assert rows.data.min(initial=0.0) >= 0
        of_one = P @ np.ones(P.shape[1])
        assert of_one.max(initial=0.0) <= 1 + 16 * EPS
        graph = fine.A.graph if isinstance(fine.A, GraphOperator) else None
        if graph is not None and problem.singular and not graph.held.any():
            alone = of_one[graph.degree > 0]
            assert abs(alone[alone > 0] - 1).max(initial=0.0) <= 16 * EPS
        assert coarse.A.diagonal.min() > 0
        product = P.T @ (_weighted(fine.info.operator) @ P)
        difference = abs(coarse.A.matrix() - product)
        size = abs(P.T) @ abs(_weighted(fine.info.operator)) @ abs(P)
        assert difference.max() <= 64 * EPS * size.max() if difference.nnz else True
        component = number


def _open(matrix: sp.csr_matrix) -> sp.csr_matrix:
    matrix = sp.csr_matrix(matrix)
    matrix.eliminate_zeros()
    return matrix


def _weighted(A: object) -> sp.csr_matrix:
    if isinstance(A, GraphOperator):
        return A.matrix()
    return A.symmetric_matrix() / A.volumes.mean()  # type: ignore[attr-defined]


@given(problems(), st.sampled_from("VW"), SEEDS)
def test_cycles_are_symmetric_and_positive(problem: pde.Poisson, kind: str, seed: int) -> None:
    assume(problem.terms.closed)
    mg = pde.Multigrid(problem, levels=20, kernels="numpy")
    M = mg.as_preconditioner(kind) @ np.eye(mg.as_preconditioner(kind).shape[0])
    assert abs(M - M.T).max() <= 1e3 * len(mg.levels) * EPS * max(abs(M).max(), 1e-300) * len(M)
    vectors = np.random.default_rng(seed).standard_normal((5, len(M)))
    values = np.einsum("ki,ij,kj->k", vectors, M, vectors)
    assert (values >= -1e3 * EPS * abs(M).sum()).all()


@given(problems(), SEEDS)
def test_solutions_are_those_of_a_direct_solver(problem: pde.Poisson, seed: int) -> None:
    assume(problem.terms.closed)
    inside = np.ones(problem.shape, dtype=bool) if problem.domain is None else problem.domain.inside
    f = np.where(inside, np.random.default_rng(seed).standard_normal(problem.shape), 0.0)
    parts = problem.components
    assert parts is not None
    f = parts.without_mean(parts.without_mean(f))
    solution = pde.Multigrid(problem, levels=20, kernels="numpy").solve(f, rtol=1e-10, accel="cg")
    assert solution.converged, solution.reason
    matrix, W = problem.matrix(symmetric=True).toarray(), problem.control_volumes()[inside]
    exact = np.zeros(problem.shape)
    exact[inside] = np.linalg.lstsq(matrix, W * f[inside], rcond=1e-13)[0]
    exact = parts.without_mean(exact)
    values = np.linalg.eigvalsh(matrix / np.sqrt(np.outer(W, W)))
    least = values[values > 1e-10 * values.max()].min(initial=values.max()) or 1.0  # A may be 0, with f and u
    allowed = 1e-10 * np.sqrt((W * f[inside] ** 2).sum()) / least + 1e4 * EPS * abs(exact).max() * values.max() / least
    assert np.sqrt((W * (solution.u - exact)[inside] ** 2).sum()) <= 4 * allowed


@given(SEEDS, st.integers(1, 60))
def test_rows_of_one_colour_do_not_couple(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    half = sp.random(n, n, min(1.0, 4 / n), random_state=rng, format="csr")
    matrix = sp.csr_matrix(half + half.T + sp.identity(n))
    sets = independent_sets(matrix)
    assert sorted(np.concatenate(sets)) == list(range(n))
    for rows in sets:
        block = matrix[rows][:, rows]
        assert block.nnz == len(rows)


def test_more_colours_than_bits() -> None:
    sets = independent_sets(sp.csr_matrix(np.ones((80, 80))))
    assert sorted(map(len, sets)) == [1] * 80


def test_a_component_that_has_become_one_node_leaves() -> None:
    inside = np.ones((32, 32), dtype=bool)
    inside[10] = inside[:, 20] = False
    inside[:10, 21:] = percolation((10, 11), 0.3, 4)
    problem = pde.Poisson((32, 32), boundary="neumann", centering="cell", domain=inside, walls="neumann")
    hierarchy = hierarchy_of(problem)
    labels = [set(volumes.labels[volumes.labels >= 0]) for volumes in hierarchy.volumes]  # type: ignore[attr-defined]
    assert len(labels[0]) == problem.components.count > len(labels[-1]) > 0  # type: ignore[union-attr]


def test_isolated_cells_are_zero() -> None:
    inside = np.zeros((9, 9), dtype=bool)
    inside[::2, ::2] = True
    problem = pde.Poisson((9, 9), boundary="neumann", centering="cell", domain=inside, walls="neumann")
    assert problem.components.count == 25  # type: ignore[union-attr]
    solution = pde.Multigrid(problem).solve(np.zeros((9, 9)))
    assert solution.converged
    assert not solution.u.any()


def iterations(problem: pde.Poisson, seed: int = 0, **options: object) -> int:
    f = np.random.default_rng(seed).standard_normal(problem.shape)
    f = f if problem.domain is None else f * problem.domain.inside
    f = f if problem.components is None else problem.components.without_mean(problem.components.without_mean(f))
    solution = pde.Multigrid(problem, kernels="numpy", **options).solve(f, accel="cg")  # type: ignore[arg-type]
    assert solution.converged, solution.reason
    return solution.cycles


def insulated(inside: np.ndarray, **options: object) -> pde.Poisson:
    given: dict = {"boundary": "neumann", "centering": "cell", **options}
    return pde.Poisson(inside.shape, domain=inside, walls="neumann", **given)


@pytest.mark.parametrize(("width", "most"), [(1, 11), (3, 9)])
def test_serpentine_walls(width: int, most: int) -> None:
    assert iterations(insulated(serpentine(128, width))) <= most


@pytest.mark.parametrize("boundary", ["neumann", "periodic", ("dirichlet", "neumann")])
@pytest.mark.parametrize("centering", ["cell", "vertex"])
def test_a_disc_converges_as_a_box_does(boundary: object, centering: str) -> None:
    x, y = np.meshgrid(*[np.linspace(-1, 1, 101)] * 2)
    problem = insulated(x**2 + y**2 < 0.81, boundary=boundary, centering=centering)
    assert iterations(problem) <= 9


@pytest.mark.parametrize("seed", range(3))
def test_percolation(seed: int) -> None:
    assert iterations(insulated(percolation((100, 100), 0.65, seed)), seed) <= 25
    assert iterations(insulated(percolation((20, 20, 20), 0.45, seed)), seed) <= 25


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_percolation_masks(seed: int) -> None:
    n = 60 + 7 * (seed % 30)
    assert iterations(insulated(percolation((n, n), 0.65, seed)), seed) <= 25
    m = 12 + seed % 15
    assert iterations(insulated(percolation((m, m, m), 0.45, seed)), seed) <= 25


def test_jumps_between_closed_faces() -> None:
    rng = np.random.default_rng(2)
    blocks = np.kron(10.0 ** rng.choice([-3, 3], (20, 20)), np.ones((5, 5)))
    problem = insulated(percolation((100, 100), 0.9, 3), coefficient=blocks)
    assert iterations(problem) <= 25


def test_components_that_hardly_hang_together() -> None:
    """Four nodes in a row, with a conductance between the second and the third that rounding loses."""
    k = np.array([1.0, 1e-250, 1.0])
    matrix = -(np.diag(k, 1) + np.diag(k, -1))
    ends = _half_means(matrix[None], np.array([[1.0, 0.0, 0.0, 1.0]]))
    assert np.isfinite(ends).all()
    assert (ends >= 0).all()


def test_half_the_way_around_a_corner() -> None:
    """Three nodes in a row: from an end the centre is the second one, at the resistance 1 / k."""
    matrix = -2.0 * (np.eye(3, k=1) + np.eye(3, k=-1))
    assert _half_means(matrix[None], np.array([[1.0, 0.0, 1.0]]))[0, 0] == pytest.approx(0.5, rel=1e-13)


def test_full_multigrid_and_other_kinds_of_numbers() -> None:
    problem = insulated(serpentine(64, 3))
    rng = np.random.default_rng(7)
    f = problem.components.without_mean(rng.standard_normal((2, 64, 64)) * problem.domain.inside)  # type: ignore[union-attr]
    reference = pde.Multigrid(problem).solve(f, rtol=1e-10).u
    size = np.abs(reference).max()
    for options, rtol in (({"dtype": "mixed"}, 1e-9), ({"kernels": "torch"}, 1e-9), ({"dtype": "float32"}, 1e-3)):
        if "torch" in options.values():
            pytest.importorskip("torch")
        mg = pde.Multigrid(problem, levels=4, **options)  # type: ignore[arg-type]
        solution = mg.solve(f, rtol=rtol)
        assert solution.converged, (options, solution.reason)
        assert abs(solution.u - reference).max() <= 1e4 * rtol * size
    assert "components" in str(mg)


def test_components_of_levels_are_those_of_the_finest() -> None:
    problem = insulated(percolation((30, 30), 0.5, 1))
    A = problem._operator
    volumes = component_volumes(A)
    made = component_level(A, volumes, np.dtype(float))
    assert made is not None
    transfer, coarse = made
    P = transfer.matrix().tocoo()
    assert np.array_equal(volumes.labels.ravel()[P.row], coarse.graph.labels[P.col])


@given(problems(), SEEDS, st.booleans())
def test_the_finest_level_is_the_operator_of_the_problem(problem: pde.Poisson, seed: int, reverse: bool) -> None:
    assume(problem.terms.closed)
    A = problem._operator
    rows = as_rows(A, np.dtype(float))  # type: ignore[arg-type]
    inside = np.ones(problem.shape, dtype=bool) if problem.domain is None else problem.domain.inside
    u = np.random.default_rng(seed).standard_normal((2, *problem.shape)) * inside
    size = 32 * EPS * np.broadcast_to(A.diagonal, problem.shape).max() * abs(u).max()
    assert abs(rows(u) - A(u)).max() <= size
    r = A(u)  # nothing where no face is open
    for members in (r, r[:1]):
        difference = rows.coloured_sweep(members, 1.1, reverse) - A.coloured_sweep(members, 1.1, reverse)
        assert abs(A.diagonal * difference).max() <= 4 * size * 2**problem.ndim


def test_sweeps_on_tensors_warn_of_nothing(recwarn):
    torch = pytest.importorskip("torch")
    problem = pde.Poisson((12, 13), domain=percolation((12, 13), 0.8, 1), walls="neumann", reaction=1.0)
    for f in (torch.ones(12, 13), torch.ones(2, 12, 13)):
        pde.Multigrid(problem, kernels="torch", levels=2).solve(f, strict=True)
    assert not recwarn.list


def test_interpolation_along_an_open_line_is_linear_between_the_centres_of_blocks():
    inside = np.arange(32) < 30
    line = pde.Poisson(32, domain=inside, walls="neumann", boundary="neumann", centering="cell")
    u = pde.Multigrid(line, levels=2).levels[0].P(np.arange(15.0)[None])[0]
    expected = np.clip((np.arange(30) - 0.5) / 2, 0, 14)  # beyond the outermost centres it is constant
    assert abs(u[inside] - expected).max() <= 8 * EPS * 14
