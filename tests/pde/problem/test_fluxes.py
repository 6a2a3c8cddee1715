"""Gradients and fluxes: the balance of every control volume, and the order of accuracy."""

from itertools import product

import numpy as np
import pytest
import torch

from pde import Multigrid, Poisson, flux, gradient
from tests.pde.reference import EPS
from tests.pde.refusals import ids, refused
from tests.pde.sides_reference import SIDES, Manufactured, make_box, quadrature, smooth
from tests.pde.sides_table import NAMES, TABLE, random_box

KINDS = [(kind,) for kind in SIDES] + [
    ("D", "D"),
    ("N", "DN"),
    ("R", "P"),
    ("DN", "RD"),
    ("D", "N", "P"),
    ("R0", "D", "D"),
]


def divergence(problem, fluxes):
    """The balance of every control volume, over its volume."""
    total = 0
    for a, (line, values) in enumerate(zip(problem.grid.axes, fluxes, strict=True)):
        place = a - problem.ndim
        total = total + np.moveaxis(np.diff(np.moveaxis(values, place, -1)) / line.width, -1, place)
    return total


@pytest.mark.parametrize("kinds", TABLE, ids=NAMES)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("varies", [False, True], ids=["constant", "varies"])
def test_the_divergence_of_the_flux_is_what_the_equation_says(kinds, cell, varies):
    """With any u and g: div flux + c u is A u less the data, volume by volume."""
    box, rng = random_box(len(kinds) + 7 * cell, kinds, cell)
    if varies:
        box.fields = [10 ** rng.uniform(-2, 2, box.shape) for _ in kinds]
    problem = Poisson(**box.arguments())
    u = rng.standard_normal((2, *box.shape))
    g = {key: rng.standard_normal(box.side_coordinates(*key)[0].shape) for key in box.sides}
    found = divergence(problem, flux(problem, u, g=g)) + box.c * u
    A = box.matrix()
    scale = (abs(A) @ np.ones(A.shape[0])).max() * max(1.0, abs(u).max(), *(abs(v).max() for v in g.values()), 0.0)
    for k in (0, 1):
        expected = (A @ u[k].ravel()).reshape(box.shape) - box.fold(np.zeros(box.shape), g)
        np.testing.assert_allclose(found[k], expected, rtol=0, atol=32 * EPS * scale)


@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", "open", ("robin", 2.0)], ids=str)
@pytest.mark.parametrize("shape", [(33, 24), (9, 12, 8)])
def test_a_projection_leaves_no_divergence(cell, boundary, shape):
    """eps / h^2 after one solve, and 1e-12 after a second one for what is left of it."""
    problem = Poisson(shape, boundary=boundary, centering="cell" if cell else "vertex")
    f = np.random.default_rng(5).standard_normal(shape)
    f -= np.sum(f * problem.control_volumes()) / np.sum(problem.control_volumes())
    if boundary == "open":
        for a in range(len(shape)):
            f.swapaxes(0, a)[[0, -1]] = 0.0
    mg, left, p = Multigrid(problem), f, 0.0
    for limit in (16 * EPS * 2 * sum(problem.grid.couplings()), 1e-12):
        p = p + mg.solve(left, rtol=1e-15, incompatible=1.0).u
        left = f - divergence(problem, flux(problem, p))
        assert abs(left).max() <= max(limit, 32 * EPS * 2 * sum(problem.grid.couplings()) * abs(p).max())


def through_side(exact, a, side):
    """The integral of -a du/dn over a side."""
    box = exact.box
    others = [line.ends for b, line in enumerate(box.lines) if b != a]
    places, weights = quadrature(others)
    places.insert(a, np.full(weights.shape, box.lines[a].ends[side]))
    return (-1 if side else 1) * box.lines[a].a * np.sum(weights * exact.derivative(a, 1, *places))


def rms(error):
    return np.sqrt(np.mean(np.square(error)))


def errors(kinds, cell, intervals, stretch):
    """Of the gradient at faces and at points, and of the flux through sides, for a solution."""
    a = (1.0, 1.5, 0.8)[: len(kinds)]
    box = make_box(kinds, [intervals] * len(kinds), cell, c=1.0, a=a, stretch=stretch, by_intervals=True)
    exact, problem = Manufactured(box), Poisson(**box.arguments())
    g = exact.g()
    u = Multigrid(problem).solve(exact.f, g, rtol=1e-10, max_cycles=100).u
    points, faces = gradient(problem, u, g, at="points"), gradient(problem, u, g)
    result = [[], [], []]
    for b, line in enumerate(box.lines):
        middle = (line.points[1:] + line.points[:-1]) / 2
        place = [middle if c == b else other.points for c, other in enumerate(box.lines)]
        inner = tuple(slice(1, -1) if c == b else slice(None) for c in range(box.ndim))
        between = exact.derivative(b, 1, *np.meshgrid(*place, indexing="ij"))
        result[0].append(rms(points[b] - exact.derivative(b, 1, *problem.points())))
        result[1].append(rms(faces[b][inner] - between))
        result[2] += [abs(flux(problem, u, (b, side), g) - through_side(exact, b, side)) for side in (0, 1)]
    return [max(each) for each in result]


@pytest.mark.parametrize("kinds", KINDS, ids="/".join)
@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("stretch", [None, smooth], ids=["uniform", "smooth"])
def test_gradients_and_fluxes_are_of_second_order(kinds, cell, stretch):
    """In the mean: near the corner of two Dirichlet sides errors are h^2 / r, whose logarithm lowers 2, not to 1.5."""
    sizes = (8, 16, 32) if len(kinds) == 3 else (16, 32, 64)
    found = np.array([errors(kinds, cell, n, stretch) for n in sizes])
    orders = np.polyfit(np.log(sizes), -np.log(found + 1e-9), 1)[0]
    assert (orders[found[-1] > 1e-8] > 1.5).all()


@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
@pytest.mark.parametrize("kinds", [("D",), ("DN",), ("R", "D"), ("ND", "D", "R")], ids="/".join)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_what_is_linear_is_exact(cell, kinds, n):
    box = make_box(
        kinds, [n] * len(kinds), cell, lengths=[0.5, 1.0, 2.0][: len(kinds)], a=[3.0, 0.5, 1.0][: len(kinds)]
    )
    slopes = [2.0, -1.0, 0.7][: len(kinds)]

    def linear(*x):
        return 1 + sum(k * v for k, v in zip(slopes, x, strict=True))

    g = {}
    for a, side in box.sides:
        line = box.lines[a]
        beta = 0.0 if isinstance(line.pair[side], str) else line.pair[side][1]
        slope = line.a * slopes[a] * (1 if side else -1)
        g[a, side] = linear if line.kinds[side] == "dirichlet" else lambda *x, b=beta, s=slope: s + b * linear(*x)
    problem = Poisson(**box.arguments())
    u = linear(*problem.points())
    for a, slope in enumerate(slopes):
        for at in ("faces", "points"):
            np.testing.assert_allclose(gradient(problem, u, g, at=at)[a], slope, rtol=1e-12)
        area = np.prod([line.length for b, line in enumerate(box.lines) if b != a])
        for side, sign in ((0, 1), (1, -1)):
            np.testing.assert_allclose(flux(problem, u, (a, side), g), sign * box.lines[a].a * slope * area, rtol=1e-11)


def test_layers_of_two_materials():
    """The flux is the same in both; the gradient jumps, midway between two cells, and has the right value in each."""
    problem = Poisson(8, centering="cell", coefficient=np.repeat([1.0, 10.0], 4))
    u = Multigrid(problem).solve(0.0, {(0, 1): 1.0}, rtol=1e-13).u
    q = 1 / (0.5 / 1 + 0.5 / 10)
    np.testing.assert_allclose(flux(problem, u, g={(0, 1): 1.0})[0], -q, rtol=1e-12)
    np.testing.assert_allclose(flux(problem, u, (0, 1), {(0, 1): 1.0}), -q, rtol=1e-12)
    np.testing.assert_allclose(
        gradient(problem, u, {(0, 1): 1.0}, "points")[0], q / problem.terms.diffusion[0], rtol=1e-12
    )


@pytest.mark.parametrize("cell", [False, True], ids=["vertex", "cell"])
def test_the_charge_in_open_space_by_the_flux_around_it(cell):
    problem = Poisson((40, 32), boundary="open", centering="cell" if cell else "vertex")
    f = np.exp(-sum((x - 0.5) ** 2 for x in problem.points()) / 2 / 0.07**2)
    u = Multigrid(problem).solve(f).u
    total = sum(flux(problem, u, side) for side in product((0, 1), repeat=2))
    np.testing.assert_allclose(total, np.sum(f * problem.control_volumes()), rtol=1e-6 if cell else 40**-2 * 4)


def test_tensors_batches_and_float32():
    problem = Poisson((5, 4), boundary=["dirichlet", ("robin", 2.0)], coefficient=lambda x, y: 1 + x * y)
    u, g = np.random.default_rng(2).standard_normal((3, 2, 5, 4)), {(0, 0): 1.0, (1, 1): np.arange(5.0)}
    whole, one = gradient(problem, u, g), gradient(problem, u[1, 1], g)
    assert [part.shape for part in whole] == [(3, 2, 6, 4), (3, 2, 5, 5)]
    for part, alone in zip(whole, one, strict=True):
        np.testing.assert_array_equal(part[1, 1], alone)
    assert flux(problem, u, (1, 0), g).shape == (3, 2)
    assert {part.dtype for part in gradient(problem, u.astype("float32"), g)} == {np.dtype("float32")}
    t = torch.tensor(u, requires_grad=True)
    for at in ("faces", "points"):
        for part, other in zip(gradient(problem, t, g, at), gradient(problem, u, g, at), strict=True):
            np.testing.assert_allclose(part.detach().numpy(), other, rtol=1e-13, atol=1e-13)
    assert torch.autograd.gradcheck(lambda v: flux(problem, v, (0, 0), g), (t[0, 0].detach().requires_grad_(),))


def test_a_full_tensor_has_a_gradient_and_no_fluxes():
    problem = Poisson((5, 4), coefficient=[[2.0, 0.5], [0.5, 1.0]], boundary=["dirichlet", "periodic"])
    x, _ = problem.points()
    for at in ("faces", "points"):
        np.testing.assert_allclose(gradient(problem, 2 * x, {(0, 1): 2.0}, at)[0], 2.0)
    refused(ValueError, ["coefficient", "flux", "full"], flux, problem, x)
    problem = Poisson((5, 4), coefficient=[[2.0, 0.5], [0.5, 1.0]], boundary="neumann")
    refused(ValueError, ["coefficient", "Neumann", "full"], gradient, problem, np.ones((5, 4)))


REFUSED = [
    (gradient, {"at": "cells"}, ["at", "'faces'", "'points'", "'cells'"]),
    (flux, {"side": (2, 0)}, ["side", "axis < 2", "(2, 0)"]),
    (flux, {"side": "x"}, ["side", "'x'"]),
    (gradient, {"u": np.ones((3, 3))}, ["u", "(3, 4)", "(3, 3)"]),
    (flux, {"u": np.full((3, 4), np.nan)}, ["u", "finite"]),
    (flux, {"g": {(3, 0): 1.0}}, ["g", "(3, 0)"]),
]


@pytest.mark.parametrize(("call", "options", "named"), REFUSED, ids=ids(REFUSED))
def test_bad_input_is_refused_by_name(call, options, named):
    refused(ValueError, named, call, Poisson((3, 4)), **{"u": np.ones((3, 4)), **options})
