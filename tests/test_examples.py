"""The examples run and reach what they show."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

EPS = float(np.finfo(float).eps)


def test_poisson(tmp_path: Path) -> None:
    from examples import poisson

    found = poisson.run(63, tmp_path)
    # on 63 x 63 points the discretisation error of this solution is 4.31e-4, and it falls with h^2
    assert found["error"] == pytest.approx(4.314e-4, rel=1e-3)
    assert 1.95 <= found["lowest order"] <= found["highest order"] <= 2.05
    assert {p.name for p in tmp_path.iterdir()} == {"convergence.png", "solution.png", "order.png"}


def test_seamless_cloning(tmp_path: Path) -> None:
    from examples import seamless_cloning

    garden, flower = seamless_cloning.photographs()
    composite = seamless_cloning.run(tmp_path)
    _, petals, lassos = seamless_cloning.plant(garden, flower)
    changed = np.abs(composite - garden).max(axis=2) > 1e-6
    assert not changed[~lassos].any()
    assert changed[petals].all()
    assert len(np.unique(lassos.sum(axis=0))) > 10, "the lassos are no rectangles"
    assert (tmp_path / "composite.png").stat().st_size > 0


def test_cloning_without_petals_changes_nothing() -> None:
    """With v = grad of the garden the solution is the garden: an exact solution with rough boundary data."""
    from examples import seamless_cloning

    garden, flower = seamless_cloning.photographs()
    pasted, petals, lassos = seamless_cloning.plant(garden, flower)
    solution = seamless_cloning.clone(garden, pasted, np.zeros_like(petals), lassos)
    assert solution.converged
    assert np.abs(solution.u - garden.transpose(2, 0, 1))[:, lassos].max() < 255 * 1e-5


def test_reductions() -> None:
    from examples import reductions

    found = reductions.run(seeds=3)
    assert len(found) == len(reductions.REDUCTIONS)
    # at most 5 grids x 3 sweeps, each a few sums of nine terms
    assert max(found.values()) <= 5 * 3 * 16 * EPS
    with pytest.raises(ValueError, match="seeds must be an integer >= 1; got 0"):
        reductions.run(seeds=0)


def test_train_digits(tmp_path: Path) -> None:
    from examples import train_digits

    result = train_digits.run(seed=0, output=tmp_path, epochs=2)
    assert result.accuracy > 0.8
    assert {"learning_curve.png", "confusion_matrix.png", "misclassified.png"} <= {p.name for p in tmp_path.iterdir()}


def test_one_loop(tmp_path: Path) -> None:
    from examples import one_loop

    _, u, solution = one_loop.solve()
    assert [field.shape for field in u] == [(63, 63), (31, 31), (15, 15)]
    assert solution.shape == (63, 63)
    torch.set_num_threads(1)  # images of 8 x 8 are too small to share out
    assert one_loop.draw(tmp_path / "one_loop.png", epochs=1).stat().st_size > 0


def test_train_minimal(capsys: pytest.CaptureFixture[str]) -> None:
    from examples import train_minimal

    steps = [train_minimal.rate(step, 50) for step in range(50)]
    assert max(steps) == steps[9] == train_minimal.RATE
    assert steps == sorted(steps[:10]) + sorted(steps[10:], reverse=True)
    assert train_minimal.run(epochs=4) > 0.8
    printed = capsys.readouterr().out
    assert printed.count("test accuracy") == 4
    assert "MgNet[2,2]-[16]-B^l of nets, with these weights, gives the same scores: True" in printed
    assert len(Path(train_minimal.__file__).read_text().splitlines()) < 200
    with pytest.raises(ValueError, match="epochs must be an integer >= 1; got 0"):
        train_minimal.run(epochs=0)


def test_heat(tmp_path: Path) -> None:
    from examples import heat

    found = heat.run(n=24, output=tmp_path, hours=3.0)
    # each step is solved to 1e-10 of a right-hand side u/dt that is a few hundred times the heat lost
    assert found["error of the balance"] <= 1e-7
    assert heat.START < found["sleeping room"] < found["living room"] < 20
    assert (tmp_path / "heat.png").stat().st_size > 0


def test_recover_coefficient(tmp_path: Path) -> None:
    from examples import recover_coefficient

    errors = recover_coefficient.run(n=11, steps=12, output=tmp_path)
    assert errors["found"] < 0.06 < errors["a = 1"]  # noise of 0.2 percent leaves 0.03
    assert (tmp_path / "recover_coefficient.png").stat().st_size > 0


def test_projection(tmp_path: Path) -> None:
    from examples import projection

    found = projection.run(n=16, steps=12, output=tmp_path)
    assert found["left"] <= 1e-7 * (48 * 16) ** 0.5  # a residual of 1e-7 in the root mean square may be in one cell
    assert found["rounding"] <= 8 * EPS  # four velocities of at most 1 unit make a divergence
    assert found["iterations"] <= 12
    assert (tmp_path / "projection.png").stat().st_size > 0


def test_strouhal_number() -> None:
    from examples import projection

    times = 0.05 * np.arange(400)
    assert projection.strouhal(list(np.sin(2 * np.pi * 0.2 * times + 1)), 0.05) == pytest.approx(0.2, rel=0.05 / 5)
    assert projection.strouhal([1.0] * 40, 0.05) == 0


def test_capacitor(tmp_path: Path) -> None:
    from examples import capacitor

    found = capacitor.run(n=64, output=tmp_path)
    assert found["energy"] > 6  # water, and the field outside, add to that of the plates' own area
    # the condition of the matrix of 65 points with jumps by 80 times rounding
    assert max(abs(found["periodic"]), abs(found["neumann"])) <= 80 * 4 * 64**2 * EPS
    assert found["order"] >= 1.9
    assert (tmp_path / "capacitor.png").stat().st_size > 0


def test_groundwater(tmp_path: Path) -> None:
    from examples import groundwater

    found = groundwater.run(n=60, output=tmp_path)
    # residuals of 1e-10 times f and T/h^2, below 10 metres a day, over 2.4 square kilometres, for 2,000 cubic metres
    assert found["error"] <= 1e-10 * 10 * 2.4e6 / 1.9e3
    assert found["wells"] == -1150
    assert (tmp_path / "groundwater.png").stat().st_size > 0


def test_bratu(tmp_path: Path) -> None:
    from examples import bratu

    found = bratu.run(n=15, output=tmp_path)
    # of the five-point grid, as computed by other means; 6.808124 in the limit, from below and with h^2
    for size, fold in (("16", 6.802174), ("32", 6.806653), ("64", 6.807758)):
        assert found[size] == pytest.approx(fold, abs=1e-6)
    assert (4 * found["64"] - found["32"]) / 3 == pytest.approx(bratu.FOLD, abs=1e-5)
    # the root mean square of the residual is 1e-10 of lambda, no eigenvalue of J is within 2 of 0; 15 x for one entry
    assert found["apart"] < 15 * 7e-10 / 2
    assert (tmp_path / "bratu.png").stat().st_size > 0


def test_torsion(tmp_path: Path) -> None:
    from examples import torsion

    found = torsion.run(n=63, output=tmp_path)
    torques = [found[f"torque {theta:g}"] for theta in torsion.TWISTS]
    assert torques == sorted(torques)
    # u below the distance whose integral, twice, is 1/3, and its nodal sum misses (h^2/4) along the ridges
    assert 0.33 <= torques[-1] <= 1 / 3 + 64**-2
    assert found["error"] <= 4e-5  # at 127^2 h^2 is 6e-5, and second derivatives jump by 4 at the edge of the core
    assert found["torque error"] <= 1e-3
    assert found["order"] >= 1.5
    assert (tmp_path / "torsion.png").stat().st_size > 0


def test_separability(tmp_path: Path) -> None:
    from examples import separability

    found = separability.run(points=15, output=tmp_path)
    assert found["trained"]["classified"] == 1, "the last layer shows that the features are separable"
    for sets in (*found["planes"], found["digits"]):
        proved = sets.reports[sets.safe]
        assert proved["classified"] == 1
        assert proved["least p"] >= proved["P"] > 1 / 2
        norms = [row["norm"] for row in sets.reports.values()]
        assert norms == sorted(norms), "as lambda falls"
    (decay, row), _ = found["digits"].reports.items()
    assert decay == 1437 * 5e-4 / 2
    assert row["classified"] == 1
    assert (tmp_path / "separability.png").stat().st_size > 0
    with pytest.raises(ValueError, match="points must be an integer >= 3; got 2"):
        separability.run(points=2)
    with pytest.raises(ValueError, match="points must be in 2 sets; got 3 in 1"):
        separability.run(points=3, seed=2, output=tmp_path)


@pytest.mark.parametrize("name", ["frequencies", "pulse", "separability"])
def test_an_output_that_is_a_file_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    example = importlib.import_module(f"examples.{name}")
    with pytest.raises(ValueError, match=r"output must be a folder; .* is a file"):
        example.run(output=tmp_path / "file")


def test_no_step_along_the_curve_is_taken_where_newton_fails() -> None:
    from examples import bratu

    curve = bratu.Curve(7)
    (point, tangent), *_ = curve.follow(0.25, 0)
    with pytest.raises(ArithmeticError, match="shorter step"):
        curve.step(point, tangent, 1e3)


def test_operator_learning(tmp_path: Path) -> None:
    from examples import operator_learning

    found = operator_learning.run(n=8, samples=10, epochs=1, output=tmp_path)
    assert found["error"] < 2  # u = 0 has 1, and the mean of the training samples less
    assert found["full multigrid"] <= found["zero"]
    assert -1 <= found["agreement"] <= 1
    assert (tmp_path / "operator_learning.png").stat().st_size > 0
    coarse, fine = (operator_learning.coefficients(n, 3, seed=1) for n in (4, 12))
    assert np.array_equal(coarse, fine[:, 1::3, 1::3]), "the centres of the coarse cells are centres of fine ones"


def test_learned_smoother(tmp_path: Path) -> None:
    from examples import learned_smoother

    along = np.array([3**0.5 / 2, 0.5])
    assert np.allclose(learned_smoother.diffusion(30, 0.1) @ along, along, rtol=0, atol=8 * EPS)
    found = learned_smoother.run(steps=12, output=tmp_path)
    assert all(after < before for before, after in zip(found["before"], found["after"], strict=True))
    assert (tmp_path / "learned_smoother.png").stat().st_size > 0


@pytest.mark.parametrize("n", [1, 5, 24])
def test_the_gram_matrix_of_relus_is_that_of_hats_between_changes_of_basis(n: int) -> None:
    from examples import frequencies

    T = frequencies.nodal_values(n)
    difference = 2 * (np.eye(n) - 2 * np.eye(n, k=-1) + np.eye(n, k=-2))
    assert np.array_equal(T @ difference, np.eye(n))  # halves of integers are exact
    G = frequencies.gram_relu(n)
    # nothing is negative: two products with n sums each, and a few roundings in either Gram matrix
    assert (np.abs(T.T @ frequencies.gram_hat(n) @ T - G) <= (2 * n + 8) * EPS * G).all()


@pytest.mark.parametrize("n", [1, 5, 24])
def test_gram_matrices_are_integrals_of_the_activations_of_networks(n: int) -> None:
    from examples import frequencies

    # two points of Gauss per cell are exact for products of linear functions
    middles, i = (np.arange(n) + 0.5) / n, np.arange(n)[:, None]
    x = np.concatenate([middles - 3**-0.5 / (2 * n), middles + 3**-0.5 / (2 * n)])
    for name, gram in (("hat", frequencies.gram_hat(n)), ("ReLU", frequencies.gram_relu(n))):
        values = frequencies.ACTIVATIONS[name](torch.from_numpy((x - i / n) * n / 2)).numpy()
        # n x / 2 is rounded by up to n eps, and the other factor is at most 2 n
        assert np.abs(values @ values.T / (2 * n) - gram).max() <= 4 * n**2 * EPS


def test_condition_of_hats_stays_below_4_and_that_of_relus_grows_with_n_to_the_4th() -> None:
    from examples import frequencies

    found = []
    for n in (16, 32, 64, 128):
        # the eigenvalues of G_hat are in h/6 (1.5, 6), and reach both up to pi^2/n^2 and 4^-n
        assert 4 - 7 / n**2 <= np.linalg.cond(frequencies.gram_hat(n)) < 4
        found.append(np.linalg.cond(frequencies.gram_relu(n)))
        # the shortest wave on n cells has an eigenvalue of (1 + pi^2/n^2) h / 192, the longest is as below: 10.5 / n^2
        assert found[-1] == pytest.approx(48 * ((n + 0.5) / frequencies.BETA) ** 4, rel=12 / n**2)
    # (2n + 1/2) / (n + 1/2) takes 1/(n ln 2) from the order; the deviations above have one sign
    assert np.log2(found[-1] / found[-2]) == pytest.approx(4, abs=(1 / 64 + 12 / 64**2) / np.log(2))


def test_eigenvalues_of_relus_are_those_of_a_beam() -> None:
    from examples import frequencies

    n, largest = 64, np.linalg.eigvalsh(frequencies.gram_relu(64))[::-1]
    for k in range(1, 6):
        beta = brentq(lambda beta: np.cos(beta) + 1 / np.cosh(beta), (k - 1) * np.pi, k * np.pi)
        # midpoints: h^2/24 u u' at the free end, four times in the integral less twice in the norm of u; there u u' is
        # -4 beta, times 1.02 at most
        assert largest[k - 1] == pytest.approx((n + 0.5) ** 4 / (4 * n * beta**4), rel=1.1 * beta / (3 * n**2))


def test_gradient_descent_on_hats_and_relus() -> None:
    from examples import frequencies

    n, steps = 24, np.arange(0, 121, 40)
    f = frequencies.waves(np.arange(1, n + 1) / n).sum(axis=0)
    for gram, T in ((frequencies.gram_hat, np.eye(n)), (frequencies.gram_relu, frequencies.nodal_values(n))):
        found = frequencies.by_eigenvectors(gram(n), T, f, steps)
        assert found[0] == pytest.approx(1, abs=n * np.linalg.cond(T) * EPS)  # sines are orthogonal on the grid
        made = np.stack([frequencies.by_iteration(gram(n), T, f, int(step)) for step in steps])
        # a step adds n eps to coefficients of the size of T^-1 f, and as much to 1 - lambda / lambda_max
        size = np.linalg.norm(np.linalg.solve(T, f)) * np.linalg.norm(T, 2) * (2 / n) ** 0.5
        assert np.abs(found - made).max() <= 2 * (steps[-1] + 8) * n * EPS * size
    hat = frequencies.by_eigenvectors(frequencies.gram_hat(n), np.eye(n), f, steps)
    # condition below 4: 3/4 of the error are left at most, and f is 3^1/2 in units of one wave
    assert (hat <= 3**0.5 * 0.75 ** steps[:, None] + 8 * n * EPS).all()


def test_hats_learn_frequencies_that_relus_do_not(tmp_path: Path) -> None:
    from examples import frequencies

    found = frequencies.run(steps=200, seeds=1, output=tmp_path)
    k = np.array(frequencies.WAVES)
    # a wave is between two modes of the beam, whose beta differ from 2 pi k by pi/2
    slowness = found["reached"]["ReLU"] * (frequencies.BETA / (2 * np.pi * k)) ** 4
    assert (((1 - 1 / (4 * k)) ** 4 < slowness) & (slowness < (1 + 1 / (4 * k)) ** 4)).all()
    assert list(found["reached"]["hat"]) == [1, 1, 1]
    hat, relu = found["trained"]["hat"], found["trained"]["ReLU"]
    assert hat[2] < 0.3 < 0.7 < relu[2]
    assert relu[0] < 0.3
    assert (tmp_path / "frequencies.png").stat().st_size > 0
    with pytest.raises(ValueError, match="n must be an integer >= 19; got 18"):
        frequencies.run(n=18)


def test_pulse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import nets
    from examples import pulse
    from nets.training.ranking import roc_auc

    x, labels, reflection = pulse.pulses(2000, 1)
    assert x.shape == (2000, 1, pulse.SAMPLES)
    known = torch.from_numpy(((reflection - pulse.MEAN) / pulse.DEVIATION) @ pulse.SHIFT)
    # the variance of an AUC is at most A (1 - A) over the signals of the smaller class
    deviation = (pulse.BEST * (1 - pulse.BEST) / 1000) ** 0.5
    assert roc_auc(known, torch.from_numpy(labels == 1)) == pytest.approx(pulse.BEST, abs=4 * deviation)
    assert nets.parameters(nets.create_model(pulse.MGNET, dims=1, in_channels=1, num_classes=2)) == 3450
    areas = pulse.run(epochs=1, output=tmp_path, sizes=(64, 40))
    printed = capsys.readouterr().out
    for name, (area,) in areas.items():
        assert 0 <= area <= 1
        assert any(line.startswith(name) and f"{100 * area:.2f}" in line for line in printed.splitlines())
    assert (tmp_path / "pulse.png").stat().st_size > 0
    for argument, value, least in (("seeds", 0, 1), ("seed", -1, 0)):
        with pytest.raises(ValueError, match=f"{argument} must be an integer >= {least}; got {value}"):
            pulse.run(**{argument: value})
