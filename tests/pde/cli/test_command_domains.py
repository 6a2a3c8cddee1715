"""Domains on the command line: masks, pictures, conditions, level sets, and the values that their walls hold."""

import numpy as np
import pytest
from matplotlib.image import imsave

import pde
from pde.__main__ import main


def solved(tmp_path, *arguments):
    path = tmp_path / "u.npy"
    assert main(["solve", "--shape", "11", "9", "--f", "1", "--output", str(path), *arguments]) == 0
    return np.load(path)


INSIDE = np.random.default_rng(5).random((11, 9)) < 0.8


def test_a_mask_as_array_and_as_picture(tmp_path):
    np.save(tmp_path / "mask.npy", INSIDE)
    imsave(tmp_path / "mask.png", INSIDE.T[::-1].astype(float), cmap="gray", vmin=0, vmax=1)
    expected = pde.solve_poisson(1.0, (11, 9), domain=INSIDE, g={"walls": lambda x, y: x + 2 * y}).u
    for name in ("mask.npy", "mask.png"):
        u = solved(tmp_path, "--domain", str(tmp_path / name), "--g", "walls=x+2*y", "--force")
        assert np.array_equal(u, expected)


def test_conditions_are_masks_and_formulas_are_level_sets(tmp_path):
    for text, domain in (
        ("hypot(x-0.5, y-0.5) < 0.4", lambda x, y: np.hypot(x - 0.5, y - 0.5) < 0.4),
        ("hypot(x-0.5, y-0.5) - 0.4", lambda x, y: np.hypot(x - 0.5, y - 0.5) - 0.4),
    ):
        u = solved(tmp_path, "--domain", text, "--force")
        assert np.array_equal(u, pde.solve_poisson(1.0, (11, 9), domain=domain).u)


def test_insulated_walls_and_coefficients_of_faces(tmp_path):
    np.save(tmp_path / "held.npy", ~INSIDE)
    faces = [np.random.default_rng(1).uniform(0.5, 2, shape) for shape in ((12, 9), (11, 10))]
    names = [str(tmp_path / f"{axis}.npy") for axis in "xy"]
    for name, values in zip(names, faces, strict=True):
        np.save(name, values)
    np.save(tmp_path / "mask.npy", INSIDE)
    u = solved(tmp_path, "--face-coefficients", *names, "--domain", str(tmp_path / "mask.npy"), "--walls", "neumann")
    expected = pde.solve_poisson(1.0, (11, 9), face_coefficients=faces, domain=INSIDE, walls="neumann").u
    assert np.array_equal(u, expected)


def test_walls_that_hold_values_as_array_and_as_condition(tmp_path):
    inside, held = (lambda x, y: x < 0.5), (lambda x, y: y < 0.5)
    expected = pde.solve_poisson(1.0, (11, 9), domain=inside, walls=held, g={"walls": 3.0}).u
    np.save(tmp_path / "held.npy", held(*pde.Poisson((11, 9)).points()))
    for walls in ("y < 0.5", str(tmp_path / "held.npy")):
        arguments = "--domain", "x < 0.5", "--walls", walls, "--g", "walls=3", "--force"
        assert np.array_equal(solved(tmp_path, *arguments), expected)


def test_transparent_pixels_are_outside(tmp_path):
    pixels = np.ones((9, 11, 4))
    pixels[..., 3] = INSIDE.T[::-1]
    imsave(tmp_path / "mask.png", pixels)
    u = solved(tmp_path, "--domain", str(tmp_path / "mask.png"))
    assert np.array_equal(u, pde.solve_poisson(1.0, (11, 9), domain=INSIDE).u)


def test_the_error_of_parts_that_nothing_holds_is_up_to_a_constant_on_each(tmp_path, capsys):
    """Here u is zero on both parts, and so is any function that is constant on each, up to these constants."""
    options = "--f", "0", "--boundary", "neumann", "--domain", "abs(x-0.5) > 0.1", "--walls", "neumann"
    solved(tmp_path, *options, "--exact", "where(x < 0.5, 3, 8)")
    assert float(capsys.readouterr().out.split("maximum error")[1].split()[0]) <= 8 * 11 * 9 * np.finfo(float).eps


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--domain", "no.png"], "no.png cannot be read as a picture"),
        (["--domain", "no.npy"], "there is no file no.npy"),
        (["--domain", "x > 2"], "domain has no unknowns"),
        (["--domain", "x < 0.5", "--walls", "robin"], "walls must be 'dirichlet', 'neumann' or"),
        (["--g", "walls=1"], "without the walls of a domain there are no 'walls'"),
    ],
)
def test_bad_domains_end_with_code_2(arguments, words, capsys):
    assert main(["solve", "--shape", "11", "9", *arguments]) == 2
    assert words in capsys.readouterr().err
