"""Pictures: of every kind of problem, with what they say checked where it is a number."""

import numpy as np
import pytest
from matplotlib import image

from pde import Multigrid, Poisson, plot
from pde.plot import histories
from pde.plot.damping import smoothed
from pde.plot.frequencies import bands, spectrum
from pde.plot.histories import predicted_factor
from tests.pde.reference import EPS

ENDS = [("dirichlet", "dirichlet"), ("neumann", "neumann"), ("dirichlet", "neumann"), ("neumann", "dirichlet")]
SQUARED = np.linspace(0, 1, 18) ** 2
PROBLEMS = {
    "1-D": Poisson(17),
    "cells": Poisson((16, 12), 1.0, [("dirichlet", "neumann"), ("robin", 2.0)], "cell"),
    "periodic": Poisson((15, 16), (1, 2), "periodic", reaction=1.0),
    "stretched": Poisson((16, 9), coordinates=(SQUARED, None)),
    "slim": Poisson((31, 31), (1, 100), ("periodic", "dirichlet")),
    "3-D": Poisson((8, 9, 7), (1, 2, 3), ["dirichlet", "neumann", "periodic"]),
    "one cell thick": Poisson((1, 9, 12), boundary=["neumann", "dirichlet", "dirichlet"]),
}


def is_a_picture(path):
    """Of sane size, and with something on it."""
    pixels = image.imread(path)[..., :3]
    height, width = pixels.shape[:2]
    assert 400 <= height <= 1600
    assert 400 <= width <= 2400
    assert np.mean(pixels.min(axis=2) < 0.9) > 0.01


SLOW = {"slim", "one cell thick"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in PROBLEMS])
def test_solutions_and_smoothing_of_every_kind_are_drawn(name, tmp_path):
    problem = PROBLEMS[name]
    mg = Multigrid(problem)
    g = None if name == "periodic" else 1.0
    solution = mg.solve(np.sin(7 * problem.points()[-1]), g)
    path, field = tmp_path / "u.png", None if problem.ndim == 1 else "arrows" if name == "cells" else "streamlines"
    picture, axes = plot.solution(problem, solution.u, path, g=g, field=field)
    is_a_picture(path)
    assert set(np.ravel(axes)) <= set(picture.axes)
    if name not in ("cells", "stretched"):
        is_a_picture(plot.smoothing(mg, tmp_path / "s.png"))


def test_constants_and_zero_are_drawn(tmp_path):
    for number, name in enumerate(("1-D", "cells", "3-D")):
        problem = PROBLEMS[name]
        plot.solution(problem, np.full(problem.shape, number % 2), tmp_path / "u.png", g=number % 2 or None)
        is_a_picture(tmp_path / "u.png")


def test_a_domain_is_drawn_without_what_lies_outside():
    problem = Poisson((20, 16), centering="cell", domain=lambda x, y: np.hypot(x - 0.5, y - 0.5) < 0.3)
    u = Multigrid(problem).solve(1.0).u
    for field in ("arrows", "streamlines"):
        picture, axes = plot.solution(problem, u, field=field)
        colours = axes.collections[0].get_array()
        np.testing.assert_array_equal(np.ma.getmaskarray(colours)[1:-1, 1:-1], ~problem.domain.inside.T)
        picture.canvas.draw()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("field", [None, "arrows", "streamlines"])
@pytest.mark.parametrize("inside", [np.indices((5, 5, 5)).max(axis=0) < 2, np.indices((5, 5, 5))[0] != 2])
def test_planes_that_miss_the_domain_are_drawn_empty(inside, field):
    plot.solution(Poisson((5, 5, 5), domain=inside), np.random.default_rng(0).random((5, 5, 5)), field=field)


def test_arrows_are_those_of_the_gradient():
    problem = Poisson((30, 11), boundary="neumann")
    x, y = problem.points()
    _, axes = plot.solution(problem, 2 * x - 3 * y, field="arrows", g={(0, 0): -2, (0, 1): 2, (1, 0): 3, (1, 1): -3})
    arrows = axes.collections[-1]
    np.testing.assert_allclose(arrows.U, -2.0)
    np.testing.assert_allclose(arrows.V, 3.0)
    assert len(arrows.U) == 15 * 11


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(ValueError, match="u must be one solution"):
        plot.solution(Poisson(5), np.ones((2, 5)), tmp_path / "u.png")
    for problem, field, told in ((Poisson(5), "arrows", "one dimension"), (Poisson((5, 5)), "lines", "'streamlines'")):
        with pytest.raises(ValueError, match=told):
            plot.solution(problem, np.ones(problem.shape), field=field)
    with pytest.raises(ValueError, match="one level"):
        plot.smoothing(Multigrid(Poisson(5)), tmp_path / "s.png")
    with pytest.raises(ValueError, match="sweeps must be an integer >= 1"):
        plot.smoothing(Multigrid(Poisson(50)), tmp_path / "s.png", sweeps=0)


@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("ends", [*ENDS, ("periodic", "periodic")])
@pytest.mark.parametrize("n", [2, 9, 12])
def test_the_transform_of_every_axis_has_the_eigenvectors_of_a(ends, centering, n):
    """A e has the spectrum of e times (2 - 2 cos theta) / h^2."""
    problem = Poisson(n, 1.0, [ends], centering)
    axis = problem.grid.axes[0]
    e = np.random.default_rng(n).standard_normal((3, n))
    (theta,), size = spectrum([axis], e)
    _, image_size = spectrum([axis], problem.apply(e))
    eigenvalue = (2 - 2 * np.cos(theta)) / axis.spacing[0] ** 2
    largest = 4 / axis.spacing[0] ** 2
    np.testing.assert_allclose(image_size, eigenvalue * size, rtol=0, atol=64 * n * EPS * largest * np.abs(e).max())


def test_spectrum_in_three_dimensions_is_one_axis_after_the_other():
    problem = PROBLEMS["3-D"]
    e = np.random.default_rng(4).standard_normal((2, *problem.shape))
    thetas, size = spectrum(problem.grid.axes, e)
    h = [float(axis.spacing[0]) for axis in problem.grid.axes]
    values = [(2 - 2 * np.cos(theta)) / step**2 for theta, step in zip(thetas, h, strict=True)]
    eigenvalue = values[0][:, None, None] + values[1][:, None] + values[2]
    _, image_size = spectrum(problem.grid.axes, problem.apply(e))
    largest = sum(4 / step**2 for step in h)
    np.testing.assert_allclose(image_size, eigenvalue * size, rtol=0, atol=64 * EPS * e.size * largest)


def test_what_smoothing_leaves_is_the_symbol_of_the_smoother():
    """Damped Jacobi multiplies each mode by 1 - omega lambda h^2 / 4 in 2-D; two sweeps by its square."""
    mg = Multigrid(Poisson((15, 20), (16, 21)), smoother="jacobi", omega=0.7, nu=(0, 1))
    axes = mg.problem.grid.axes
    before, after = smoothed(mg.levels[0], mg.dtype, sweeps=2, seed=3)
    thetas, first = spectrum(axes, before)
    _, left = spectrum(axes, after)
    symbol = 1 - 0.7 * ((1 - np.cos(thetas[0]))[:, None] + 1 - np.cos(thetas[1])) / 2
    np.testing.assert_allclose(left, symbol**2 * first, rtol=0, atol=1000 * EPS * before.size)
    k, share = bands(np.array([0.0, 1, 2, 2, 64]), np.ones(5), np.array([1, 0.5, 0.3, 0.4, 0]))
    np.testing.assert_allclose(k, [0.5, 2, 64])
    np.testing.assert_allclose(share**2, [(1 + 0.25) / 2, (0.09 + 0.16) / 2, 0])


def test_the_predicted_line_is_that_of_predict():
    mg = Multigrid(Poisson((31, 31)))
    assert predicted_factor(mg) == mg.predict("V")
    assert predicted_factor(mg, "W") == mg.predict("W")
    assert predicted_factor(mg, accel="cg") == mg.predict("V", accel="cg")
    assert predicted_factor(Multigrid(PROBLEMS["stretched"])) is None


def test_long_titles_stay_inside_and_a_single_point_is_no_predicted_line(tmp_path, monkeypatch):
    problem = Poisson((8, 9, 7), (1, 2, 3), [("neumann", "dirichlet"), "periodic", ("robin", 2.0)], "cell")
    mg, figures = Multigrid(problem), []
    path = plot.history(mg, mg.solve(np.ones(problem.shape)), tmp_path / "long.png")
    pixels = image.imread(path)[..., :3]
    assert pixels[:40, :8].min() == 1
    assert pixels[:40, -8:].min() == 1
    line = Multigrid(Poisson(31))
    solution = line.solve(np.ones(31))
    assert solution.cycles == 1
    monkeypatch.setattr(histories, "save", lambda figure, path: figures.append(figure))
    plot.history(line, solution, tmp_path / "short.png")
    labels = [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()]
    assert labels == ["full multigrid, then V-cycles"]


def test_predicted_lines_are_drawn(tmp_path):
    mg = Multigrid(Poisson(15), smoother="jacobi")
    is_a_picture(plot.history(mg, mg.solve(np.ones(15)), tmp_path / "h.png", accel="cg"))
    norms = [1.0, 0.1, 0.01, 0.001]
    without = plot.convergence({"a": norms}, tmp_path / "a.png")
    with_line = plot.convergence({"a": norms}, tmp_path / "b.png", predicted={"a": 0.5})
    assert without.read_bytes() != with_line.read_bytes()
    is_a_picture(with_line)


@pytest.mark.parametrize("across", [0, 1])
def test_the_seam_of_a_periodic_axis_is_closed_on_the_sides_too(across):
    boundary = ["dirichlet", "dirichlet"]
    boundary[across] = "periodic"
    problem = Poisson((6, 6), boundary=boundary)
    data = np.arange(6.0)
    u = problem.embed(np.random.default_rng(1).standard_normal((2, 6, 6)), {(1 - across, 0): data})
    np.testing.assert_array_equal(np.take(u, 0, across + 1), np.take(u, -1, across + 1))
    assert np.take(np.take(u, -1, across + 1), 0, 1).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("shape", [17, (15, 16), (8, 7, 9)])
def test_contact_is_drawn(shape, tmp_path):
    problem = Poisson(shape)
    solution = Multigrid(problem).solve(10 * np.cos(6 * problem.points()[0]), lower=-0.03, upper=0.03)
    assert solution.contact.any()
    plot.solution(problem, solution.u, tmp_path / "without.png")
    plot.solution(problem, solution.u, tmp_path / "with.png", contact=solution.contact)
    is_a_picture(tmp_path / "with.png")
    without, drawn = (image.imread(tmp_path / f"{name}.png") for name in ("without", "with"))
    assert without.shape != drawn.shape or np.any(without != drawn)
    with pytest.raises(ValueError, match="contact must be that of one solution"):
        plot.solution(problem, solution.u, contact=solution.contact[:-1])
