"""The crossed table of dimension, sides, centring, coefficient and size: against spsolve, and under changes of the
problem whose effect on the solution is known."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from pde import Multigrid, Poisson
from tests.pde.reference import EPS
from tests.pde.rounding import of_a_cycle, of_a_residual
from tests.pde.sides_reference import Box, Line, make_box

KINDS = [
    ("D",),
    ("P",),
    ("NR",),
    ("D", "D"),
    ("N", "N"),
    ("P", "P"),
    ("DN", "P"),
    ("R", "ND"),
    ("D", "D", "D"),
    ("P", "N", "RD"),
    ("N", "P", "P"),
]
SIZES = {1: (37,), 2: (13, 10), 3: (3, 5, 4)}
THIN = {1: (1,), 2: (1, 11), 3: (4, 1, 5)}
"""Primes, even numbers, and axes of one unknown."""

FIELDS = ("tensor", "smooth", "blocks", "random")
CHANGED = ("tensor", "blocks", "random")
"""Where the problem changes: a smooth coefficient takes the same way as one at random."""


def table(fields):
    return pytest.mark.parametrize(
        ("kinds", "cell", "field"),
        [
            pytest.param(kinds, cell, field, id=f"{'/'.join(kinds)} {'cell' if cell else 'vertex'} {field}")
            for kinds in KINDS
            for cell in (False, True)
            for field in fields
        ],
    )


TABLE = table(FIELDS)


def coefficient(field, shape, rng):
    """a per axis, or None where numbers do: smooth, in blocks that jump by 10^6, or at random from point to point."""
    x = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    if field == "smooth":
        return (np.exp(np.sin(sum((k + 2) * v for k, v in enumerate(x)))),) * len(shape)
    if field == "blocks":
        index = np.indices(shape)
        return (np.where(sum(i // 3 for i in index) % 2 == 0, 1e6, 1.0),) * len(shape)
    if field == "random":
        return tuple(10 ** rng.uniform(-1, 1, shape) for _ in shape)
    return None  # a number for each axis


def case(kinds, cell, field, seed=0, shape=None):
    """(box, f that fits, g)."""
    rng = np.random.default_rng(seed)
    shape = SIZES[len(kinds)] if shape is None else shape
    a = rng.uniform(0.8, 1.25, len(kinds)) if field == "tensor" else None
    box = replace(make_box(kinds, shape, cell, a=a), fields=coefficient(field, shape, rng))
    f = rng.standard_normal(box.shape)
    g = {key: rng.standard_normal(np.delete(box.shape, key[0])) for key in box.sides}
    if box.singular:
        f -= box.mean(box.fold(f, g))
    return box, f, g


def solve(box, f, g=None, **options):
    mg = Multigrid(Poisson(**box.arguments()))
    solution = mg.solve(f, g, accel="cg", max_cycles=100, **options)
    # where a jumps by 10^6, rounding may leave more than was asked for
    assert solution.converged or solution.reason == "rounding", solution
    assert solution.residual_norms[-1] <= max(solution.tolerance, lost(mg, f, solution.u, g)), solution
    return solution


def lost(mg, f, u, g=None):
    """The share of f that rounding may leave in a residual, by the largest coefficient."""
    return of_a_residual(mg, f, u, *(() if g is None else g.values())) / (np.sqrt(np.mean(f**2)) or 1.0)


def bound_of(box, folded, expected, *residuals):
    """|A^-1| times the residuals, and rounding: in the norm of control volumes, where A is symmetric."""
    root = np.sqrt(box.volumes()).ravel()
    values = abs(np.linalg.eigvalsh(root[:, None] * box.matrix().toarray() / root))[int(box.singular) :]
    if len(values) == 0:
        return 256 * EPS * np.linalg.norm(expected)
    size, u = (np.linalg.norm(root * v.ravel()) for v in (folded, expected))
    return (sum(residuals) + 256 * EPS) * size / values.min() + 256 * EPS * values.max() / values.min() * u


def distance(box, u, v):
    return np.linalg.norm(np.sqrt(box.volumes()) * (u - v))


@TABLE
@pytest.mark.parametrize("thin", [False, True], ids=["", "thin"])
def test_the_solution_is_that_of_spsolve(kinds, cell, field, thin):
    shape = (THIN if thin else SIZES)[len(kinds)]
    box, f, g = case(kinds, cell, field, shape=shape)
    solution = solve(box, f, g, rtol=1e-10)
    folded = box.fold(f, g)
    expected = box.solution(folded)
    bound = bound_of(box, folded, expected, solution.residual_norms[-1])
    assert distance(box, solution.u, expected) <= bound


@table(CHANGED)
def test_scaling_the_equation_leaves_the_iterations_alone(kinds, cell, field):
    """A, f and g by the same factor: the same u in the same number of cycles, for a and beta scale with A."""
    box, f, g = case(kinds, cell, field)
    u = solve(box, f, g, rtol=1e-6)
    for scale in (2.0**10, 2.0**-20):  # powers of two: rounding is scaled too
        check_scaled(box, f, g, u, scale)


def check_scaled(box, f, g, u, scale):
    lines = [scaled_line(line, scale) for line in box.lines]
    other = Box(lines, box.c * scale, None if box.fields is None else [a * scale for a in box.fields])
    flux = {(a, side): scale if box.lines[a].kinds[side] != "dirichlet" else 1.0 for a, side in g}
    data = {key: flux[key] * values for key, values in g.items()}
    v = solve(other, scale * f, data, rtol=1e-6)
    assert u.cycles == v.cycles
    assert u.reason == v.reason
    rounding = lost(Multigrid(Poisson(**box.arguments())), f, u.u, g)
    np.testing.assert_allclose(v.residual_norms, u.residual_norms, rtol=EPS, atol=rounding)
    assert distance(box, u.u, v.u) <= bound_of(box, box.fold(f, g), u.u, u.residual_norms[-1], v.residual_norms[-1])


def scaled_line(line, scale):
    pair = tuple(side if isinstance(side, str) else (side[0], scale * side[1]) for side in line.pair)
    return Line(line.n, pair, line.cell, line.length, scale * line.a, line.nodes)


@pytest.mark.parametrize("kinds", [k for k in KINDS if len(k) > 1], ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("field", CHANGED)
def test_permuting_the_axes_permutes_the_solution(kinds, cell, field):
    box, f, g = case(kinds, cell, field)
    u = solve(box, f, g, rtol=1e-10)
    for order in ((1, 0),) if box.ndim == 2 else ((1, 2, 0), (2, 1, 0)):
        fields = None if box.fields is None else [box.fields[a].transpose(order) for a in order]
        other = Box([box.lines[a] for a in order], box.c, fields)
        sides = {}
        for (a, side), values in g.items():
            rest = [b for b in range(box.ndim) if b != a]
            sides[order.index(a), side] = values.transpose([rest.index(b) for b in order if b != a])
        v = solve(other, f.transpose(order), sides, rtol=1e-10)
        bound = bound_of(box, box.fold(f, g), u.u, u.residual_norms[-1], v.residual_norms[-1])
        assert distance(box, u.u, v.u.transpose(np.argsort(order))) <= bound


@pytest.mark.parametrize("shape", [(16,), (15,), (8, 12), (9, 8), (4, 6, 8)])
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("field", CHANGED)
def test_translating_a_periodic_problem_translates_the_solution(shape, cell, field):
    """By any shift, f and the coefficients together."""
    box, f, _ = case(("P",) * len(shape), cell, field, shape=shape)
    shift, axes = tuple(range(1, len(shape) + 1)), tuple(range(len(shape)))
    moved = replace(box, fields=None if box.fields is None else [np.roll(a, shift, axes) for a in box.fields])
    u, v = solve(box, f, rtol=1e-10), solve(moved, np.roll(f, shift, axes), rtol=1e-10)
    bound = bound_of(box, f, u.u, u.residual_norms[-1], v.residual_norms[-1])
    assert distance(box, np.roll(u.u, shift, axes), v.u) <= bound


@pytest.mark.parametrize("smoother", ["sor", "jacobi", "zebra"])
@pytest.mark.parametrize("shape", [(32,), (16, 32), (8, 16, 8)])
def test_translating_by_a_coarse_cell_translates_every_cycle(shape, smoother):
    """Points, colours and coarse points of every level fall on points of their own kind."""
    if smoother == "zebra" and len(shape) == 1:
        smoother = "red-black"  # one line holds all unknowns
    mg = Multigrid(Poisson(shape, boundary="periodic"), smoother=smoother, levels=3)
    f = np.random.default_rng(4).standard_normal(shape)
    f -= f.mean()
    axes, shift = tuple(range(len(shape))), (8,) * len(shape)
    for cycle in ("fmg", "V", "W"):
        u, v = mg.solve(f, cycle=cycle), mg.solve(np.roll(f, shift, axes), cycle=cycle)
        assert u.cycles == v.cycles
        np.testing.assert_allclose(v.residual_norms, u.residual_norms, rtol=64 * EPS, atol=lost(mg, f, u.u))
        rounding = u.cycles * of_a_cycle(mg, f, u.u)
        np.testing.assert_allclose(v.u, np.roll(u.u, shift, axes), rtol=0, atol=rounding)


@TABLE
def test_nothing_to_do_takes_no_cycle(kinds, cell, field):
    box, f, g = case(kinds, cell, field)
    mg = Multigrid(Poisson(**box.arguments()))
    nothing = mg.solve(0 * f, 0.0)
    assert (nothing.cycles, nothing.converged, nothing.u.any()) == (0, True, False)
    assert nothing.u.shape == box.shape
    exact = box.solution(box.fold(f, g))
    exact -= box.mean(exact) if box.singular else 0.0  # what rounding has left of it
    for accel in (None, "cg"):
        done = mg.solve(f, g, u0=exact, rtol=1e-6, accel=accel)
        assert (done.cycles, done.converged) == (0, True)
        np.testing.assert_allclose(done.u, exact, rtol=0, atol=64 * EPS * np.abs(exact).max())


@table(("tensor", "blocks"))
def test_a_pickled_solver_gives_the_same(kinds, cell, field):
    box, f, g = case(kinds, cell, field)
    mg = Multigrid(Poisson(**box.arguments()))
    again = pickle.loads(pickle.dumps(mg))
    M, y = mg.as_preconditioner(), np.random.default_rng(2).standard_normal(mg.problem.matrix().shape[0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(M)) @ y, M @ y)
    for options in ({}, {"accel": "cg"}):
        u, v = (solver.solve(f, g, max_cycles=4, rtol=0, **options) for solver in (mg, again))
        np.testing.assert_array_equal(u.u, v.u)
        assert u.residual_norms == v.residual_norms


LAYOUTS = {
    "read-only": lambda v: v,
    "Fortran order": np.asfortranarray,
    "every second entry": lambda v: np.repeat(v, 2, axis=-1)[..., ::2],
    "big endian": lambda v: v.astype(v.dtype.newbyteorder(">")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("whole", [float, int], ids=["float", "integer"])
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_every_array_of_the_user_may_have_any_layout_and_is_left_alone(layout, whole, cell):
    """f, g, u0, the coefficient, the reaction and the nodes, all read-only: a write into one raises."""
    rng = np.random.default_rng(9)
    shape, n = (10, 9), (11, 10) if cell else (12, 11)

    def made(low, high, size):
        values = rng.integers(low, high, size).astype(whole)
        array = LAYOUTS[layout](values)
        array.flags.writeable = False
        return array, values

    nodes, plain_nodes = zip(*(made(1, 3, k) for k in n), strict=True)
    plain_nodes = [np.cumsum(v) for v in plain_nodes]
    nodes = [LAYOUTS[layout](v) for v in plain_nodes]
    for v in nodes:
        v.flags.writeable = False
    a, c, f, u0 = (made(low, 9, shape) for low in (1, 0, -5, -5))
    g = {(0, 0): made(-5, 5, shape[1]), (1, 1): made(-5, 5, shape[0])}

    def solutions(k):
        problem = Poisson(
            shape,
            centering="cell" if cell else "vertex",
            coefficient=a[k],
            reaction=c[k],
            coordinates=[nodes, plain_nodes][k],
        )
        mg, sides = Multigrid(problem), {key: v[k] for key, v in g.items()}
        yield mg.solve(f[k], sides, u0[k], accel="cg").u
        yield mg.solve(f[k], sides).u
        yield mg.full_multigrid(f[k], sides)
        yield mg.cycle(f[k], u0[k])
        yield problem.apply(u0[k])
        yield problem.embed(u0[k], sides)

    before = [v[0].copy() for v in (a, c, f, u0, *g.values())]
    for found, expected in zip(solutions(0), solutions(1), strict=True):
        assert found.dtype == float
        assert not any(np.shares_memory(found, v[0]) for v in (f, u0))
        np.testing.assert_allclose(found, expected, rtol=0, atol=256 * EPS * np.abs(expected).max())
    for v, copy in zip((a, c, f, u0, *g.values()), before, strict=True):
        np.testing.assert_array_equal(v[0], copy)


@pytest.mark.parametrize("shape", [(0,), (4, 0), (0, 3, 3), 0])
def test_axes_without_points_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape\[\d\] must be an integer >= 1; got 0"):
        Poisson(shape)


@pytest.mark.parametrize("batch", [(0,), (2, 0)])
def test_batches_without_members_are_refused(batch):
    with pytest.raises(ValueError, match="f: a batch axis has length 0"):
        Multigrid(Poisson((4, 4))).solve(np.ones((*batch, 4, 4)))
