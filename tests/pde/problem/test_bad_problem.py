"""Wrong arguments of `Poisson`, which names them and shows what came; see `test_bad_input` for solvers and data."""

import numpy as np
import pytest

import pde
from pde import Poisson
from tests.pde.refusals import ids, refused

F = np.ones((7, 9))

PROBLEM = [  # shape and the rest of Poisson; what the message must hold
    ({"shape": 0}, ValueError, ["shape[0]", "0"]),
    ({"shape": (4, 0)}, ValueError, ["shape[1]", "0"]),
    ({"shape": (4, -3)}, ValueError, ["shape[1]", "-3"]),
    ({"shape": 4.0}, TypeError, ["shape", "4.0"]),
    ({"shape": (4, 2.5)}, TypeError, ["shape[1]", "2.5"]),
    ({"shape": (True, 4)}, TypeError, ["shape[0]", "True"]),
    ({"shape": True}, TypeError, ["shape", "True"]),
    ({"shape": np.True_}, TypeError, ["shape", "True"]),
    ({"shape": None}, TypeError, ["shape", "None"]),
    ({"shape": "ab"}, TypeError, ["shape", "'a'"]),
    ({"shape": ()}, ValueError, ["shape", "1, 2 or 3", "0"]),
    ({"shape": (2, 2, 2, 2)}, ValueError, ["shape", "1, 2 or 3", "4"]),
    ({"shape": [[3, 4]]}, TypeError, ["shape", "[3, 4]"]),
    ({"extent": 0}, ValueError, ["extent", "0"]),
    ({"extent": (1, -2)}, ValueError, ["extent", "-2"]),
    ({"extent": (1, 2, 3)}, ValueError, ["extent", "(1, 2, 3)"]),
    ({"extent": [[1, 2]]}, ValueError, ["extent", "[[1, 2]]"]),
    ({"extent": np.nan}, ValueError, ["extent", "nan"]),
    ({"extent": np.inf}, ValueError, ["extent", "inf"]),
    ({"extent": 1e-160}, ValueError, ["extent", "1e-160"]),
    ({"extent": 1e200}, ValueError, ["extent", "1e+200"]),
    ({"extent": "wide"}, TypeError, ["extent"]),
    ({"extent": 1j}, TypeError, ["extent", "complex"]),
    ({"extent": None}, TypeError, ["extent"]),
    ({"boundary": "noymann"}, ValueError, ["boundary", "'noymann'", "'dirichlet'", "'neumann'", "'periodic'", "robin"]),
    ({"boundary": ("dirichlet",)}, ValueError, ["boundary", "1"]),
    ({"boundary": (("dirichlet", "periodic"), "dirichlet")}, ValueError, ["boundary[0]", "'periodic'"]),
    ({"boundary": (("dirichlet",) * 3, "dirichlet")}, ValueError, ["boundary", "pair"]),
    ({"boundary": None}, ValueError, ["boundary", "None"]),
    ({"boundary": ("dirichlet", 3)}, ValueError, ["boundary", "3"]),
    ({"boundary": "robin"}, ValueError, ["boundary", "'robin'", "beta"]),
    ({"boundary": ("robin", -1.0)}, ValueError, ["boundary", "beta", "-1.0"]),
    ({"boundary": ("robin", np.nan)}, ValueError, ["boundary", "nan"]),
    ({"boundary": ("robin", np.inf)}, ValueError, ["boundary", "inf"]),
    ({"boundary": "Dirichlet"}, ValueError, ["boundary", "'Dirichlet'", "did you mean 'dirichlet'?"]),
    ({"boundary": [("PERIODIC", "periodic"), "neumann"]}, ValueError, ["'PERIODIC'", "did you mean 'periodic'?"]),
    ({"boundary": ("robin", F[0])}, ValueError, ["boundary[1][0]", "beta", "a number", "(7,)", "(9,)"]),
    ({"boundary": [("robin", lambda x: x), "neumann"]}, TypeError, ["boundary[0][0]", "beta", "2 arguments"]),
    ({"boundary": [("robin", lambda x, y: y[:3]), "neumann"]}, ValueError, ["boundary[0][0]", "beta", "(9,)", "(3,)"]),
    ({"boundary": ("robin", [1.0, 2.0])}, ValueError, ["boundary[0][0]", "beta", "(9,)", "(2,)"]),
    (
        {"boundary": ["neumann", ("robin", -F[:, 0])]},
        ValueError,
        ["boundary[1][0]", "zero or positive", "-1.0"],
    ),
    ({"boundary": ["neumann", ("dirichlet", ("robin", np.nan * F[:, 0]))]}, ValueError, ["boundary[1][1]", "NaN"]),
    ({"boundary": ["neumann", ("robin", 1j * F[:, 0])]}, TypeError, ["boundary[1][0]", "beta", "real", "complex"]),
    ({"boundary": ("robin", ["long"] * 99)}, TypeError, ["boundary[0][0]", "beta", "real numbers"]),
    ({"extent": np.ones(50)}, ValueError, ["extent", "an array of shape (50,)"]),
    ({"centering": "Cell"}, ValueError, ["centering", "'Cell'", "did you mean 'cell'?"]),
    ({"coefficient": np.ones((7, 9, 2, 2))}, ValueError, ["coefficient", "positive definite", "(0, 0)"]),
    ({"coefficient": np.ones((2, 2, 7, 9))}, ValueError, ["coefficient", "positive definite", "(0, 0)"]),
    ({"coefficient": np.ma.masked_array(F, F > 0)}, ValueError, ["coefficient", "masked", "filled", "domain"]),
    ({"shape": (2**40, 2**40)}, ValueError, ["shape", "at most", str(2**40)]),
    ({"shape": 10**20}, ValueError, ["shape[0]", "at most", str(10**20)]),
    ({"boundary": ("robin", "x")}, ValueError, ["boundary", "('robin', beta)"]),
    ({"centering": "face"}, ValueError, ["centering", "'face'", "'vertex'", "'cell'"]),
    ({"coordinates": [None, np.r_[0, 1e-200, np.arange(1, 10)]]}, ValueError, ["coordinates", "1/h^2", "1e-200"]),
    ({"coefficient": 1e305}, ValueError, ["coefficient", "float64", "1e+305"]),
    ({"coefficient": (1.0, 1e-308)}, ValueError, ["coefficient", "float64", "1e-308"]),
    ({"coefficient": lambda x: x}, TypeError, ["coefficient", "2 arguments"]),
    ({"reaction": lambda x: x}, TypeError, ["reaction", "2 arguments"]),
    ({"reaction": 1e307}, ValueError, ["reaction", "float64", "1e+307"]),
    ({"coefficient": 0.0}, ValueError, ["coefficient", "0.0", "positive"]),
    ({"coefficient": (1.0, -2.0)}, ValueError, ["coefficient", "-2.0", "positive"]),
    ({"coefficient": np.nan}, ValueError, ["coefficient", "NaN"]),
    ({"coefficient": np.ones(3)}, ValueError, ["coefficient", "3"]),
    ({"coefficient": lambda x, y: x - 0.5}, ValueError, ["coefficient", "positive", "-0.375"]),
    ({"coefficient": lambda x, y: x[:3]}, ValueError, ["coefficient", "(7, 9)", "(3, 9)"]),
    ({"coefficient": [1.0, np.zeros((7, 9))]}, ValueError, ["coefficient[1]", "positive"]),
    ({"coefficient": (1.0, 2.0, 3.0)}, ValueError, ["coefficient", "2", "3"]),
    ({"coefficient": "one"}, TypeError, ["coefficient"]),
    ({"reaction": -1e307}, ValueError, ["reaction", "float64", "1e+307"]),
    ({"reaction": 1j}, TypeError, ["reaction", "real", "self-adjoint", "f and g", "complex"]),
    ({"coefficient": 1j * F}, TypeError, ["coefficient", "real", "self-adjoint", "f and g", "complex"]),
    ({"coefficient": lambda x, y: 1 + 1j * x}, TypeError, ["coefficient", "real", "self-adjoint", "complex"]),
    ({"reaction": np.nan}, ValueError, ["reaction", "NaN"]),
    ({"reaction": np.ones(3)}, ValueError, ["reaction", "(3,)", "(7, 9)"]),
    ({"reaction": "one"}, TypeError, ["reaction"]),
    ({"coordinates": [1, 2, 3]}, ValueError, ["coordinates", "3"]),
    ({"coordinates": [np.linspace(0, 1, 8), None]}, ValueError, ["coordinates[0]", "9 nodes", "(8,)"]),
    ({"coordinates": [None, np.linspace(1, 0, 11)]}, ValueError, ["coordinates[1]", "increase"]),
    ({"coordinates": [None, np.full(11, np.nan)]}, ValueError, ["coordinates[1]", "NaN"]),
    ({"coordinates": 3.0}, ValueError, ["coordinates", "3.0"]),
    ({"coordinates": np.array(3.0)}, ValueError, ["coordinates", "array(3.)"]),
    ({"coordinates": np.zeros((3, 9))}, ValueError, ["coordinates", "2 entries", "3 entries"]),
]


@pytest.mark.parametrize(("options", "kind", "named"), PROBLEM, ids=ids(PROBLEM))
def test_problem(options, kind, named):
    options = {"shape": (7, 9), **options}
    refused(kind, named, Poisson, **options)
    if options["shape"] is not None:  # which means the shape of f
        refused(kind, named, pde.solve_poisson, F, **options)


def test_a_field_of_two_by_two_points_is_no_tensor():
    field = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(Poisson((2, 2), coefficient=field).terms.diffusion[0], field)
