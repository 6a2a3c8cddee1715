"""Voxel domains: the matrix and the right-hand side against an assembly face by face, and bad input."""

from __future__ import annotations

import numpy as np
import pytest

import pde
from pde.problem.boundary import fold
from pde.problem.wall_lifting import wall_lifting
from tests.pde.problem.by_faces import assembled

EPS = float(np.finfo(float).eps)
SIDES = ["dirichlet", "neumann", "periodic", ("robin", 2.0), ("neumann", "dirichlet")]


def case(shape, seed, **options):
    rng = np.random.default_rng(seed)
    inside = rng.random(shape) < 0.7
    inside.flat[0] = True
    return rng, inside, options


@pytest.mark.parametrize("walls", ["dirichlet", "neumann", "both"])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("coefficient", ["one", "field", "faces"])
@pytest.mark.parametrize(
    ("shape", "boundary"),
    [((7,), [s]) for s in SIDES]
    + [
        ((6, 5), ["dirichlet", "neumann"]),
        ((5, 6), ["periodic", ("robin", 0.5)]),
        ((3, 4, 5), ["neumann", "periodic", "dirichlet"]),
    ],
)
def test_matrix_and_data_are_those_of_a_loop_over_faces(shape, boundary, centering, coefficient, walls):
    rng, inside, _ = case(shape, 7)
    held = {"dirichlet": np.ones(shape, bool), "neumann": np.zeros(shape, bool), "both": rng.random(shape) < 0.5}[walls]
    options = {"boundary": boundary, "centering": centering, "domain": inside, "extent": [1.0, 1.5, 0.7][: len(shape)]}
    options["walls"] = held if walls == "both" else walls
    faces = None
    if coefficient == "field":
        options["coefficient"] = rng.uniform(0.5, 3.0, shape)
    if coefficient == "faces":
        faces = [rng.uniform(0.5, 3.0, [n + (b == a) for b, n in enumerate(shape)]) for a in range(len(shape))]
        for a, k in enumerate(faces):
            k[rng.random(k.shape) < 0.2] = 0.0
            if boundary[a] == "periodic":
                k[(slice(None),) * a + (-1,)] = k[(slice(None),) * a + (0,)]
        options["face_coefficients"] = faces
    c = rng.uniform(0.1, 1.0, shape)
    problem = pde.Poisson(shape, reaction=c, **options)
    data = rng.standard_normal(shape)
    A, b = assembled(problem, inside, held, options.get("coefficient", 1.0), faces, c, data)
    rows = np.flatnonzero(inside)
    bound = 64 * EPS * abs(A).max()
    assert abs(problem.matrix().toarray() - A[rows][:, rows]).max() <= bound
    W = problem.matrix(symmetric=True)
    assert abs(W - W.T).max() == 0
    u = rng.standard_normal(shape)
    assert (
        abs(problem.apply(u) * inside - (A @ (u * inside).ravel()).reshape(shape) * inside).max()
        <= bound * abs(u).max() * 8
    )
    terms = problem.terms
    sides = problem.read_sides({"walls": data}, np.dtype(float)) if terms.domain else {}
    folded = fold(np.zeros(shape), sides, problem.grid, terms) * inside
    assert abs(folded - b.reshape(shape) * inside).max() <= bound * max(1.0, abs(data).max())


@pytest.mark.parametrize("walls", ["dirichlet", "both"])
def test_a_lifting_leaves_the_right_hand_side_of_the_rest(walls):
    rng, inside, _ = case((9, 8), 5)
    held = np.ones((9, 8), bool) if walls == "dirichlet" else rng.random((9, 8)) < 0.5
    problem = pde.Poisson((9, 8), domain=inside, walls=held, boundary=["neumann", ("robin", 2.0)], reaction=0.5)
    sides = problem.read_sides({"walls": rng.standard_normal((9, 8)), (1, 0): 3.0, (0, 1): 2.0}, np.dtype(float))
    w, rest = wall_lifting(sides, problem.grid, problem.terms, problem._operator)
    folded = fold(np.zeros((9, 8)), sides, problem.grid, problem.terms) * inside
    expected = folded - problem.apply(w[0]) * inside
    assert abs(rest[0] - expected).max() <= 256 * EPS * abs(problem._operator.diagonal).max() * abs(w).max()
    assert np.all(w[0][~inside] == 0)


def test_a_constant_is_lifted_exactly():
    inside = case((16, 17), 3)[1]
    problem = pde.Poisson((16, 17), domain=inside)
    sides = problem.read_sides(101325.0, np.dtype(float))
    w, rest = wall_lifting(sides, problem.grid, problem.terms, problem._operator)
    assert np.all(w[0][inside] == 101325.0)
    assert np.all(rest == 0)


def test_a_mask_of_the_whole_box_is_no_domain():
    problem = pde.Poisson((5, 6), domain=np.ones((5, 6), bool))
    assert problem.terms.domain is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"domain": np.zeros((4, 5), bool)}, "domain has no unknowns"),
        ({"domain": np.ones((5, 4), bool)}, r"domain must have the problem's shape \(4, 5\), got \(5, 4\)"),
        ({"domain": np.full((4, 5), np.nan)}, "domain must be finite"),
        ({"domain": np.ones((4, 5), int)}, "domain must hold booleans"),
        ({"walls": "neumann"}, "domain is None"),
        ({"domain": np.ones((4, 5), bool), "walls": "robin"}, "walls must be"),
        ({"face_coefficients": [np.ones((5, 5))]}, "2 arrays, one per axis"),
        (
            {"face_coefficients": [np.ones((5, 5)), np.ones((4, 5))]},
            r"face_coefficients\[1\] must have the shape \(4, 6\)",
        ),
        ({"face_coefficients": [-np.ones((5, 5)), np.ones((4, 6))]}, "zero or positive"),
        ({"face_coefficients": [np.ones((5, 5)), np.ones((4, 6))], "coefficient": 1.0}, "both given"),
    ],
)
def test_bad_domains_are_refused_by_name(options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        pde.Poisson((4, 5), **options)


def test_data_for_walls_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="without the walls of a domain there are no 'walls'"):
        pde.Poisson((4, 5)).embed(np.zeros((4, 5)), {"walls": 1.0})
    full, closed = {"domain": np.ones(4, bool)}, {"face_coefficients": [np.array([1.0, 0.0, 1.0, 1.0, 1.0])]}
    for options in (full, closed):
        with pytest.raises(ValueError, match="without the walls of a domain there are no 'walls'"):
            pde.solve_poisson(0.0, 4, g={"walls": 1.0}, **options)


@pytest.mark.parametrize("centering", ["vertex", "cell"])
def test_a_callable_at_walls_on_a_seam_is_asked_within_the_box(centering):
    for row in (0, -1):
        inside = np.ones((8, 5), bool)
        inside[row] = False
        problem = pde.Poisson((8, 5), boundary=["periodic", "neumann"], centering=centering, domain=inside)
        values = problem.points()[0] + 2 * problem.points()[1]
        one, other = (problem.sides(np.zeros((8, 5)), {"walls": g}) for g in (lambda x, y: x + 2 * y, values))
        assert abs(one["walls"] - other["walls"]).max() <= 4 * np.finfo(float).eps
