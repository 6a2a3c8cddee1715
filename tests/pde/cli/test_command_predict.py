"""python -m pde predict: what it prints and draws, how it ends, what it refuses."""

import subprocess
import sys

import numpy as np
import pytest

from pde import Multigrid, Poisson, plot
from pde.__main__ import main


def test_command_line(capsys, tmp_path):
    target = tmp_path / "symbol.png"
    words = "predict --shape 32 32 --smoother red-black --cycle W --aspect 1 1 --measure --plot"
    assert main([*words.split(), str(target)]) == 0
    printed = capsys.readouterr().out
    assert "two-grid factor      0.0739" in printed
    assert "measured" in printed
    assert target.stat().st_size > 5000


@pytest.mark.parametrize("dims", [1, 3])
def test_command_line_plots_in_other_dimensions(dims, capsys, tmp_path):
    target = tmp_path / "symbol.png"
    assert main(["predict", "--dims", str(dims), "--grids", "2", "--frequencies", "8", "--plot", str(target)]) == 0
    assert target.stat().st_size > 5000


def test_command_line_keeps_a_picture_that_exists_unless_forced(capsys, tmp_path):
    target = tmp_path / "symbol.png"
    target.write_bytes(b"mine")
    words = ["predict", "--dims", "1", "--frequencies", "8", "--plot", str(target)]
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err
    assert target.read_bytes() == b"mine"
    assert main([*words, "--force"]) == 0
    assert target.stat().st_size > 5000


def test_command_line_predicts_conjugate_gradients(capsys):
    assert main(["predict", "--grids", "3", "--accel", "cg"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("conjugate gradients")]
    expected = Multigrid(Poisson((64, 64), extent=64, boundary="periodic"), levels=64).predict(grids=3, accel="cg")
    assert float(line.split()[2]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_command_line_finds_the_best_omega(capsys):
    assert main(["predict", "--dims", "2", "--omega", "best", "--grids", "3", "--nu", "1", "1"]) == 0
    assert float(capsys.readouterr().out.split()[2]) == pytest.approx(1.15, abs=0.03)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--dims 4", "--dims"),
        ("--omega x", "--omega"),
        ("--omega 3", "omega"),
        ("--shape 4 5 6 7", "shape"),
        ("--dims 3 --shape 4 5", "--shape"),
        ("--shape 0", "shape"),
        ("--aspect 1", "--aspect"),
        ("--aspect 1 -1", "--aspect"),
        ("--nu 0 0", "nu"),
        ("--grids 9", "grids"),
        ("--coarsen 5", "coarsen"),
        ("--coarsen 0 --measure", "--measure"),
        ("--dims 3 --transfer linear", "transfer"),
        ("--smoother magic", "--smoother"),
        ("--unknown", "--unknown"),
        ("--plot symbol.foo", "--plot"),
        (f"--plot {__file__}/symbol.png", "--plot"),
        ("--coarsen 0 --accel cg", "--accel"),
    ],
)
def test_command_line_errors_are_one_line(words, named, capsys):
    try:
        code = main(["predict", *words.split()])
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert named in printed.err


def test_help_and_light_import():
    run = subprocess.run(
        [sys.executable, "-m", "pde", "predict", "--help"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0
    assert "examples:" in run.stdout
    code = "import sys, pde; print('pde.analysis.fourier' in sys.modules, 'scipy.optimize' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("words", "box"), [("--aspect 1 10", (0.5, 1)), ("--aspect 10 1", (1, 0.5)), ("--aspect 1 1", (0.5, 0.5))]
)
def test_the_frame_holds_the_frequencies_that_the_coarser_grid_has(words, box, tmp_path, monkeypatch):
    """Along an axis that is not halved that is every one; the legend says so."""
    figures = []
    monkeypatch.setattr(sys.modules[plot.symbol.__module__], "save", lambda figure, path: figures.append(figure))
    words = ["predict", *words.split(), "--frequencies", "8", "--plot", str(tmp_path / "symbol.png")]
    assert main(words) == 0
    (frame,) = figures[0].axes[0].lines
    np.testing.assert_allclose([max(v) for v in frame.get_data()], np.pi * np.array(box), rtol=0.02)
    assert "low frequencies" in figures[0].legends[0].get_texts()[0].get_text()
