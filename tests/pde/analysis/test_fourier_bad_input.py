"""Local Fourier analysis refuses wrong input, and says why."""

import numpy as np
import pytest

from pde import Multigrid, Poisson
from pde.analysis.fourier import Analysis
from tests.pde.periodic import cube, periodic

STRETCHED = {"coordinates": (np.linspace(0, 1, 18) ** 2, None)}

BAD = [
    (lambda: Analysis("solver"), TypeError, ["mg", "str"]),
    (lambda: Analysis(cube(2), coarsen=[2]), ValueError, ["coarsen", "[2]"]),
    (lambda: Analysis(cube(2), coarsen=[]), ValueError, ["coarsen", "[]"]),
    (lambda: cube(2).predict("X"), ValueError, ["cycle", "'X'", "'backslash'"]),
    (lambda: cube(2).predict(None), ValueError, ["cycle", "None"]),
    (lambda: cube(2).predict("V", grids=0), ValueError, ["grids", "0"]),
    (lambda: cube(2).predict("V", grids=2.0), TypeError, ["grids", "2.0"]),
    (lambda: cube(2).predict("V", grids=9), ValueError, ["grids", "9", "5"]),
    (lambda: Analysis(cube(2)).factor(frequencies=0), ValueError, ["frequencies", "0"]),
    (lambda: Analysis(cube(3)).factor(frequencies=1000), ValueError, ["frequencies", "1000"]),
    (lambda: Analysis(cube(2)).smoothing_factor(0), ValueError, ["sweeps", "0"]),
    (lambda: Analysis(cube(2)).best_omega(bounds=(1.5, 1.0)), ValueError, ["bounds", "(1.5, 1.0)"]),
    (lambda: Analysis(periodic((8, 8), levels=1)).error_symbol(), ValueError, ["two levels"]),
    (lambda: Multigrid(Poisson((17, 17), centering="cell")).predict(), ValueError, ["centering", "'cell'"]),
    (lambda: Multigrid(Poisson((16, 16), **STRETCHED)).predict(), ValueError, ["coordinates[0]", "equal spacing"]),
    (lambda: Multigrid(Poisson((16, 16), reaction=np.eye(16))).predict(), ValueError, ["reaction", "constant"]),
    (lambda: Multigrid(Poisson((65, 64), reaction=-10.0)).predict(), ValueError, ["reaction", "negative", "-10"]),
    (
        lambda: Multigrid(Poisson((16, 16), coefficient=1 + np.eye(16))).predict(),
        ValueError,
        ["coefficient", "constant"],
    ),
    (
        lambda: Multigrid(Poisson((16, 16), coefficient=[[2.0, np.eye(16)], [np.eye(16), 2.0]])).predict(),
        ValueError,
        ["coefficient[0][1]", "constant"],
    ),
    (lambda: Analysis(cube(2)).factor(frequencies=(4, 4, 4)), ValueError, ["frequencies", "(4, 4, 4)"]),
    (lambda: Analysis(cube(2)).conjugate_gradients_factor(), ValueError, ["symmetric", "False"]),
    (lambda: cube(2).predict(accel="gmres"), ValueError, ["accel", "'cg'", "'gmres'"]),
    (lambda: cube(2).predict("F", accel="cg"), ValueError, ["cycle", "symmetric", "'F'"]),
    (lambda: cube(2, nu=(2, 1)).predict(accel="cg"), ValueError, ["nu", "symmetric", "(2, 1)"]),
    (
        lambda: periodic((128, 128), coarse="galerkin", transfer="operator").predict(),
        ValueError,
        ["transfer", "'operator'"],
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), BAD)
def test_bad_input(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert all(word in str(caught.value) for word in words), caught.value
