"""python -m pde solve: what it computes, what the file and the command line say, how it ends, what it writes."""

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pde
from pde.__main__ import main
from pde.cli.options import ALL, FLAGS
from pde.plot.style import DPI
from tests.pde.command import run, toml

pytestmark = pytest.mark.usefixtures("in_a_folder_of_its_own")

ROOT = Path(__file__).parent.parent.parent.parent
X, Y = pde.Poisson((15, 20)).points()


# ---- what it computes -----------------------------------------------------------------------------------------------


def test_a_formula_and_the_library_give_the_same(capsys):
    assert run("--shape 15 20 --g 1 --output u.npy --f", "exp(x*y)*sin(3*pi*x)") == 0
    expected = pde.solve_poisson(np.exp(X * Y) * np.sin(3 * np.pi * X), g=1.0)
    np.testing.assert_allclose(np.load("u.npy"), expected.u, rtol=0, atol=1e-13)
    assert expected.message in capsys.readouterr().out


def test_bounds_are_formulas(capsys):
    """On the command line, and in a file, which may name an array."""
    assert run("--shape 15 20 --f -9 --upper 1 --output u.npy --plot u.png --lower", "-0.1*sin(pi*x)") == 0
    expected = pde.Multigrid(pde.Poisson((15, 20))).solve(-9.0, lower=lambda x, y: -0.1 * np.sin(np.pi * x), upper=1)
    assert np.array_equal(np.load("u.npy"), expected.u)
    out = capsys.readouterr().out
    assert expected.message in out
    assert f"unknowns at a bound  {np.count_nonzero(expected.contact)} of 300" in out
    np.save("low.npy", -0.1 * np.sin(np.pi * X))
    assert run(toml('shape = [15, 20]\nf = -9\nlower = "low.npy"\noutput = "again.npy"')) == 0
    np.testing.assert_allclose(np.load("again.npy"), expected.u, rtol=0, atol=1e-15)


def test_automatic_acceleration(capsys):
    """Conjugate gradients, since a is rough."""
    a = "where(hypot(x-0.5, y-0.5) < 0.3, 1000, 1)"
    assert run("--shape 127 127 --f x --accel auto --coefficient", a) == 0
    disc = pde.Poisson((127, 127), coefficient=lambda x, y: np.where(np.hypot(x - 0.5, y - 0.5) < 0.3, 1e3, 1.0))
    expected = pde.Multigrid(disc).solve(lambda x, y: x, accel="cg")
    assert expected.message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "more", "problem", "options"),
    [
        (
            "--boundary dirichlet,neumann robin:1+x --g x-low=y y-high=x**2 x-high=1 --centering cell --extent 1 2",
            ("--coefficient", "1+x", "--f", "1"),
            lambda: pde.Poisson(
                (15, 20),
                (1, 2),
                (("dirichlet", "neumann"), ("robin", lambda x, y: 1 + x)),
                "cell",
                coefficient=lambda x, y: 1 + x,
            ),
            {"g": {(0, 0): lambda x, y: y, (1, 1): lambda x, y: x**2, (0, 1): 1.0}},
        ),
        (
            "--coordinates a.npy uniform --coefficient 1 4 --reaction x --f 1 --cycle W --nu 2 1 --smoother jacobi",
            (),
            lambda: pde.Poisson(
                (15, 20),
                coordinates=(np.linspace(0, 1, 17) ** 2, None),
                coefficient=(1.0, 4.0),
                reaction=lambda x, y: x,
            ),
            {"cycle": "W"},
        ),
        (
            "--coefficient 2 0.5*x 0.5*x 1 --reaction -1 --f 1",
            (),
            lambda: pde.Poisson(
                (15, 20), coefficient=[[2.0, lambda x, y: x / 2], [lambda x, y: x / 2, 1.0]], reaction=-1.0
            ),
            {},
        ),
    ],
)
def test_every_part_of_a_problem_arrives(words, more, problem, options):
    np.save("a.npy", np.linspace(0, 1, 17) ** 2)
    assert run(f"--shape 15 20 --rtol 1e-10 --output u.npy {words}", *more) == 0
    smoother = {"smoother": "jacobi", "nu": (2, 1)} if "jacobi" in words else {}
    expected = pde.Multigrid(problem(), **smoother).solve(np.ones((15, 20)), rtol=1e-10, **options)
    np.testing.assert_allclose(np.load("u.npy"), expected.u, rtol=0, atol=1e-12 * np.abs(expected.u).max())


def test_mixed_precision():
    """It reaches what float32 does not."""
    assert run("--shape 15 20 --f x --dtype mixed --rtol 1e-11 --output u.npy") == 0
    assert run("--shape 15 20 --f x --dtype float32 --rtol 1e-11") == 1
    assert np.load("u.npy").dtype == np.float64


def test_the_error_against_an_exact_solution(capsys):
    """The discretisation error of sin(pi x) sin(pi y) is (A's eigenvalue over 2 pi^2)^-1 - 1, at the middle."""
    assert run("--dims 2 --shape 31 --rtol 1e-12 --f 2*pi**2*sin(pi*x)*sin(pi*y) --exact sin(pi*x)*sin(pi*y)") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("maximum error"))
    eigenvalue = 2 * 4 * 32**2 * np.sin(np.pi / 64) ** 2
    assert float(line.split()[2]) == pytest.approx(2 * np.pi**2 / eigenvalue - 1, rel=1e-3)


def test_the_error_of_a_singular_problem_is_taken_up_to_a_constant(capsys):
    words = "--shape 32 --boundary periodic --f 4*pi**2*sin(2*pi*x) --exact"
    assert run(words, "5 + sin(2*pi*x)") == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert float(line.split()[2]) < 4e-3
    assert line.endswith("(up to a constant)")


def test_an_array_gives_the_shape_and_batches_are_solved_together():
    f = np.random.default_rng(3).standard_normal((3, 15, 20))
    np.save("one.npy", f[0])
    np.save("all.npy", f)
    assert run("--f one.npy --output one_u.npy") == 0
    assert run("--f all.npy --dims 2 --output all_u.npy") == 0
    one, all_three = np.load("one_u.npy"), np.load("all_u.npy")
    assert one.shape == (15, 20)
    assert all_three.shape == f.shape
    np.testing.assert_allclose(all_three[0], one, rtol=0, atol=1e-7 * np.abs(one).max())


def test_a_formula_may_begin_with_a_minus_sign():
    assert run("--shape 7 --f -x --output a.npy") == 0
    assert run("--shape 7 --f=-x --output b.npy") == 0
    assert run("--shape 7 --f -1 --output c.npy") == 0
    np.testing.assert_array_equal(np.load("a.npy"), np.load("b.npy"))
    assert np.load("c.npy").max() < 0


# ---- the file -------------------------------------------------------------------------------------------------------


def test_the_command_line_overrides_the_file(capsys):
    name = toml('shape = [15, 20]\nf = "x"\ng = {x-low = "y", y-high = 2}\nmax-cycles = 1\ncycle = "V"\nrtol = 1e-9\n')
    assert run(name) == 1
    assert "after 1 cycle" in capsys.readouterr().err
    assert run(f"{name} --max-cycles 20 --f 1 --output u.npy") == 0
    expected = pde.solve_poisson(np.ones((15, 20)), g={(0, 0): lambda x, y: y, (1, 1): 2.0}, cycle="V", rtol=1e-9)
    np.testing.assert_array_equal(np.load("u.npy"), expected.u)


def test_file_names_in_a_file_start_from_its_folder():
    Path("run").mkdir()
    np.save("run/f.npy", np.ones(9))
    assert run(toml('f = "f.npy"\noutput = "u.npz"\n', "run/a.toml")) == 0
    with np.load("run/u.npz") as arrays:
        assert arrays["u"].shape == (9,)


def test_every_option_is_a_key():
    values = {
        "shape": 9, "dims": 1, "extent": 2.0, "boundary": ["robin:1"], "centering": "vertex", "coefficient": [2.0],
        "reaction": "x", "coordinates": ["uniform"], "f": "1", "g": 0.5, "u0": 0.0, "exact": "0", "smoother": "jacobi",
        "omega": 0.5, "nu": [2, 2], "coarse": "auto", "transfer": "auto", "levels": 3, "dtype": "float64", "cycle": "V",
        "accel": "auto", "rtol": 1e-6, "atol": 0.0, "max_cycles": 30, "incompatible": 0.1, "output": "u.npy",
        "plot": "u.png", "plot_history": "h.png", "plot_smoothing": "s.png", "force": True, "verbose": True,
        "progress": True, "domain": "x < 1.9", "walls": "dirichlet", "order": 2, "face_coefficients": ["k.npy"],
        "lower": -9.0, "upper": "9",
    }  # fmt: skip
    assert set(values) == set(ALL)
    np.save("k.npy", np.full(10, 2.0))
    for other in ("coefficient", "face_coefficients"):
        keys = [key for key in values if key != other]
        lines = [f"{key} = {str(values[key]).lower() if key in FLAGS else repr(values[key])}" for key in keys]
        assert run(toml("\n".join(lines))) == 0
    assert {path.name for path in Path().iterdir()} == {"problem.toml", "k.npy", "u.npy", "u.png", "h.png", "s.png"}


@pytest.mark.parametrize("example", sorted((ROOT / "examples" / "problems").glob("*.toml")), ids=lambda path: path.stem)
def test_the_examples_run(example, capsys):
    assert run(f"{example} --plot u.png --plot-history h.png") == 0
    printed = capsys.readouterr().out
    if example.stem == "manufactured":
        assert "maximum error        2.0" in printed


# ---- how it ends ----------------------------------------------------------------------------------------------------


def test_exit_codes_of_another_process(tmp_path):
    for words, code in (("--f 1", 0), ("--f 1 --max-cycles 1 --rtol 1e-14", 1), ("--f q", 2)):
        command = [sys.executable, "-m", "pde", "solve", "--shape", "15", "15", *words.split()]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == code
        assert len(done.stderr.splitlines()) == (code > 0)


def test_a_reader_that_has_had_enough_is_no_error():
    command = [sys.executable, "-m", "pde", "solve", "--shape", "31", "31", "--f", "1", "--verbose"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_what_did_not_converge_is_told_and_written_all_the_same(capsys):
    assert run("--shape 15 15 --f 1 --max-cycles 1 --rtol 1e-14 --output u.npz") == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("max_cycles after 1 cycle ")
    with np.load("u.npz") as arrays:
        assert not arrays["converged"]
        assert arrays["reason"] == "max_cycles"
        assert len(arrays["residual_norms"]) == 2


# ---- what it writes -------------------------------------------------------------------------------------------------


def test_npz_holds_what_is_needed_to_go_on():
    assert run("--shape 7 6 --extent 1 2 --boundary dirichlet periodic --f 1 --g x-high=3 --output u.npz") == 0
    problem = pde.Poisson((7, 6), (1, 2), ("dirichlet", "periodic"))
    with np.load("u.npz") as arrays:
        np.testing.assert_array_equal(arrays["u_with_boundary"], problem.embed(arrays["u"], {(0, 1): 3.0}))
        np.testing.assert_array_equal(np.meshgrid(arrays["x"], arrays["y"], indexing="ij"), problem.points())
        np.testing.assert_allclose(arrays["x_with_boundary"], np.linspace(0, 1, 9), rtol=1e-15)
        np.testing.assert_allclose(arrays["y_with_boundary"], np.linspace(0, 2, 7), rtol=1e-15)
        assert arrays["residual_norms"][0] == 1
        assert arrays["converged"]


def test_force_overwrites_and_leaves_no_other_file():
    Path("u.npy").write_text("precious")
    assert run("--shape 8 --f 1 --output u.npy") == 2
    assert Path("u.npy").read_text() == "precious"
    assert run("--shape 8 --f 1 --output u.npy --force") == 0
    assert np.load("u.npy").shape == (8,)
    assert [path.name for path in Path().iterdir()] == ["u.npy"]


def test_pictures_are_made_in_new_folders(capsys):
    assert run("--shape 31 --f x --plot a/u.png --plot-history a/b/h.png --plot-smoothing s.png") == 0
    for name in ("a/u.png", "a/b/h.png", "s.png"):
        assert Path(name).stat().st_size > 50 * DPI
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("written")] == [
        *("a/u.png", "a/b/h.png", "s.png"),
    ]


def test_verbose_and_progress(capsys):
    assert run("--shape 15 15 --f 1 --verbose") == 0
    printed = capsys.readouterr()
    assert "operator complexity" in printed.out
    assert "level 1 (15x15)" in printed.out
    assert printed.err == ""
    assert run("--shape 15 15 --f 1 --progress") == 0
    assert "digits" in capsys.readouterr().err


def test_help_shows_every_option_and_examples_that_run(capsys):
    assert run("--help") == 0
    text = capsys.readouterr().out
    for name in ALL:
        assert f"--{name.replace('_', '-')}" in text
    examples = [line.strip() for line in text.splitlines() if line.startswith("  python -m pde solve --shape")]
    assert len(examples) >= 4
    for line in examples:
        small = line.replace("255 255", "31 31").replace("127 127", "31 31").replace("128 128", "32 32")
        assert main(shlex.split(small)[3:]) == 0
