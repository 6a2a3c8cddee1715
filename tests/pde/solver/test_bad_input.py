"""Bad input: a ValueError or TypeError that names the argument and shows what came, before any work."""

from importlib import resources

import numpy as np
import pytest
import torch

import pde
from pde import Multigrid, Poisson
from pde.common import keywords
from tests.pde.refusals import ids, refused

F = np.ones((7, 9))
NAN, INF = np.where(np.eye(7, 9) > 0, np.nan, 1.0), np.where(np.eye(7, 9) > 0, np.inf, 1.0)
RAGGED = [[1.0], [1.0, 2.0]]
THING = object()


def read_only():
    array = np.zeros((7, 9))
    array.flags.writeable = False
    return array


SOLVER = [
    ({"smoother": "SOR"}, ValueError, ["smoother", "'SOR'", "did you mean 'sor'?"]),
    ({"smoother": "gauss"}, ValueError, ["smoother", "'gauss'", "'red-black'"]),
    ({"smoother": None}, ValueError, ["smoother", "None"]),
    ({"coarse": "amg"}, ValueError, ["coarse", "'amg'", "'galerkin'"]),
    ({"transfer": "cubic"}, ValueError, ["transfer", "'cubic'", "'bilinear'"]),
    ({"transfer": ["linear"]}, ValueError, ["transfer", "['linear']"]),
    ({"omega": 0}, ValueError, ["omega", "0"]),
    ({"omega": 2.0}, ValueError, ["omega", "2.0"]),
    ({"omega": -0.5}, ValueError, ["omega", "-0.5"]),
    ({"omega": np.nan}, ValueError, ["omega", "nan"]),
    ({"omega": 10**400}, ValueError, ["omega", "must fit into float64", "000..."]),
    ({"levels": 10**400}, ValueError, ["levels", "at most", "000..."]),
    ({"dtype": F}, ValueError, ["dtype", "'float64'", "an array of shape (7, 9)"]),
    ({"dtype": torch.ones(7, 9)}, ValueError, ["dtype", "'float64'", "a tensor of shape (7, 9)"]),
    ({"device": F}, ValueError, ["device", "'cpu'", "an array of shape (7, 9)"]),
    ({"omega": "1"}, TypeError, ["omega", "'1'"]),
    ({"omega": [1.0, 1.0]}, TypeError, ["omega", "[1.0, 1.0]"]),
    ({"omega": True}, TypeError, ["omega", "True"]),
    ({"nu": (0, 0)}, ValueError, ["nu", "(0, 0)"]),
    ({"nu": (-1, 2)}, ValueError, ["nu", "(-1, 2)"]),
    ({"nu": (1.0, 1)}, ValueError, ["nu", "(1.0, 1)"]),
    ({"nu": (True, 1)}, ValueError, ["nu", "(True, 1)"]),
    ({"nu": 2}, ValueError, ["nu", "2"]),
    ({"nu": (1, 1, 1)}, ValueError, ["nu", "(1, 1, 1)"]),
    ({"nu": "11"}, ValueError, ["nu", "'11'"]),
    ({"levels": 0}, ValueError, ["levels", "0"]),
    ({"levels": -1}, ValueError, ["levels", "-1"]),
    ({"levels": 2.0}, TypeError, ["levels", "2.0"]),
    ({"levels": True}, TypeError, ["levels", "True"]),
    ({"dtype": "float16"}, ValueError, ["dtype", "'float16'"]),
    ({"dtype": "double-ish"}, ValueError, ["dtype", "'double-ish'"]),
    ({"dtype": int}, ValueError, ["dtype", "int"]),
    ({"dtype": None}, ValueError, ["dtype", "None"]),
    ({"dtype": complex}, ValueError, ["dtype", "complex"]),
    ({"device": "cuda"}, ValueError, ["device", "'cuda'", "'cpu'"]),
    ({"threads": 0}, ValueError, ["threads", "0"]),
    ({"threads": "many"}, TypeError, ["threads", "'many'"]),
    ({"kernels": "cuda"}, ValueError, ["kernels", "'cuda'", "'numba'"]),
]

DATA = [  # f; also as u, u0 and u of embed where they are arrays
    (np.ones(9), ValueError, ["(7, 9)", "(9,)"]),
    (np.ones((9, 7)), ValueError, ["(7, 9)", "(9, 7)"]),
    (np.ones((7, 9, 1)), ValueError, ["(7, 9)", "(7, 9, 1)"]),
    (np.ones((0, 7, 9)), ValueError, ["(0, 7, 9)"]),
    ([], ValueError, ["(7, 9)", "(0,)"]),
    (NAN, ValueError, ["finite", "7", "(0, 0)"]),
    (INF, ValueError, ["finite", "7", "(0, 0)"]),
    (1j * INF, ValueError, ["finite", "7", "(0, 0)"]),
    (1j * F[:3], ValueError, ["(7, 9)", "(3, 9)"]),
    (F.astype(str), TypeError, ["<U"]),
    (F.astype(object), TypeError, ["object"]),
    (F.astype("datetime64[s]"), TypeError, ["datetime64"]),
    ("f", TypeError, ["<U"]),
    (THING, TypeError, ["object"]),
    (RAGGED, ValueError, ["list"]),
    (np.ma.masked_array(F, F > 0), ValueError, ["masked"]),
    (lambda x, y: np.ones(3), ValueError, ["(7, 9)", "(3,)"]),
    (lambda x: x, TypeError, ["2 arguments", "coordinates", "too many"]),
    (lambda x, y, z: x, TypeError, ["2 arguments", "'z'"]),
    (lambda x, y: x * np.nan, ValueError, ["finite", "63"]),
    (lambda x, y: None, TypeError, ["object"]),
    (lambda x, y: x * 1j * np.nan, ValueError, ["finite", "63"]),
    (lambda x, y: torch.ones(7, 9), TypeError, ["torch"]),
]

BOUNDARY = [
    ({(2, 0): 1.0}, ValueError, ["g", "(2, 0)"]),
    ({(0, 2): 1.0}, ValueError, ["g", "(0, 2)"]),
    ({(0, -1): 1.0}, ValueError, ["g", "(0, -1)"]),
    ({"left": 1.0}, ValueError, ["g", "'left'"]),
    ({0: 1.0}, ValueError, ["g", "0"]),
    ({(0, 1): np.ones(7)}, ValueError, ["g[(0, 1)]", "(9,)", "(7,)"]),
    ({(1, 1): np.ones((2, 7))}, ValueError, ["g[(1, 1)]", "(7,)", "(2, 7)"]),
    ({(1, 0): np.full(7, np.nan)}, ValueError, ["g[(1, 0)]", "finite", "7"]),
    ({(1, 0): None}, TypeError, ["g[(1, 0)]", "object"]),
    (np.ones(9), ValueError, ["g[(1, 0)]", "(7,)", "(9,)"]),
    (np.nan, ValueError, ["g[(0, 0)]", "finite"]),
    (np.inf, ValueError, ["g[(0, 0)]", "finite"]),
    (1j * np.inf, ValueError, ["g[(0, 0)]", "finite"]),
    ("warm", TypeError, ["g[(0, 0)]", "<U"]),
    (RAGGED, ValueError, ["g[(0, 0)]", "list"]),
    (lambda x: x, TypeError, ["g[(0, 0)]", "2 arguments", "coordinates"]),
    ({(1, 1): lambda: 1.0}, TypeError, ["g[(1, 1)]", "2 arguments"]),
    (lambda x, y: np.ones(2), ValueError, ["g[(0, 0)]", "(9,)", "(2,)"]),
    (lambda x, y: None, TypeError, ["g[(0, 0)]", "object"]),
    (lambda x, y: 1j * np.ones(2), ValueError, ["g[(0, 0)]", "(9,)", "(2,)"]),
]


def overlapping():
    return np.lib.stride_tricks.as_strided(np.zeros(99), (7, 9), (8 * 5, 8))


OUT = [  # besides those of SOLVE; for an array f, for a tensor f
    (torch.zeros(7, 9, dtype=torch.float64), np.zeros((7, 9))),
    (np.ma.zeros((7, 9)), torch.zeros(7, 9)),
    (np.zeros((7, 9), ">f8" if np.little_endian else "<f8"), torch.zeros(7, 9, dtype=torch.bfloat16)),
    (np.zeros((7, 9), complex), torch.zeros(7, 9, dtype=torch.complex128)),
    (overlapping(), torch.from_numpy(overlapping())),
    (np.zeros((1, 7, 9)), torch.zeros(9, dtype=torch.float64).expand(7, 9)),
    (F.tolist(), torch.zeros(7, 9, dtype=torch.float64).to_sparse()),
    (np.zeros((7, 9), int), torch.zeros(7, 9, dtype=torch.float64, requires_grad=True)),
]

SOLVE = [
    ({"u0": np.ones((2, 7, 9))}, ValueError, ["u0", "(7, 9)", "(2, 7, 9)"]),
    ({"out": np.zeros((9, 7))}, ValueError, ["out", "(7, 9)", "(9, 7)"]),
    ({"out": np.zeros((7, 9), np.float32)}, ValueError, ["out", "float64", "float32"]),
    ({"out": read_only()}, ValueError, ["out", "read-only"]),
    ({"out": [[0.0] * 9] * 7}, ValueError, ["out", "list"]),
    ({"rtol": -1e-8}, ValueError, ["rtol", "-1e-08"]),
    ({"rtol": np.nan}, ValueError, ["rtol", "nan"]),
    ({"rtol": "small"}, TypeError, ["rtol", "'small'"]),
    ({"rtol": None}, TypeError, ["rtol", "None"]),
    ({"rtol": 10**400}, ValueError, ["rtol", "must fit into float64"]),
    ({"atol": -3}, ValueError, ["atol", "-3"]),
    ({"atol": np.nan}, ValueError, ["atol", "nan"]),
    ({"atol": [1]}, TypeError, ["atol", "[1]"]),
    ({"max_cycles": -1}, ValueError, ["max_cycles", "-1"]),
    ({"max_cycles": 2.5}, TypeError, ["max_cycles", "2.5"]),
    ({"max_cycles": True}, TypeError, ["max_cycles", "True"]),
    ({"max_cycles": "ten"}, TypeError, ["max_cycles", "'ten'"]),
    ({"cycle": "X"}, ValueError, ["cycle", "'X'", "'fmg'"]),
    ({"cycle": None}, ValueError, ["cycle", "None"]),
    ({"accel": "gmres"}, ValueError, ["accel", "'gmres'", "'cg'"]),
    ({"accel": "cg", "cycle": "F"}, ValueError, ["cycle", "'F'", "symmetric"]),
    ({"accel": "cg", "cycle": "backslash"}, ValueError, ["cycle", "'backslash'", "symmetric"]),
    ({"callback": 3}, TypeError, ["callback", "3"]),
    ({"callback": F}, TypeError, ["callback", "an array of shape (7, 9)"]),
    ({"rtol": F}, TypeError, ["rtol", "an array of shape (7, 9)"]),
    ({"max_cycles": torch.ones(3)}, TypeError, ["max_cycles", "a tensor of shape (3,)"]),
    ({"cycle": "v"}, ValueError, ["cycle", "'v'", "did you mean 'V'?"]),
    ({"accel": "CG"}, ValueError, ["accel", "'CG'", "did you mean 'cg'?"]),
    ({"incompatible": "all"}, TypeError, ["incompatible", "'all'"]),
    ({"incompatible": -1}, ValueError, ["incompatible", "-1"]),
    ({"incompatible": np.nan}, ValueError, ["incompatible", "nan"]),
]


@pytest.fixture(scope="module")
def mg():
    return Multigrid(Poisson((7, 9)))


@pytest.mark.parametrize(("options", "kind", "named"), SOLVER, ids=ids(SOLVER))
def test_solver(options, kind, named, no_work):
    refused(kind, named, Multigrid, Poisson((7, 9)), **options)
    refused(kind, named, pde.solve_poisson, F, **options)


def test_the_problem_of_a_solver(no_work):
    refused(TypeError, ["problem", "tuple"], Multigrid, (7, 9))


@pytest.mark.parametrize(("shape", "extent"), [((70,), 1.0), ((5, 5, 5), 1.0), ((50, 1), 1.0), ((30, 30), (1.0, 9.0))])
def test_linear_transfers_are_for_two_axes_that_coarsen_together(shape, extent, no_work):
    refused(ValueError, ["transfer='linear'", str(shape[0])], Multigrid, Poisson(shape, extent), transfer="linear")


@pytest.mark.parametrize(("values", "kind", "named"), DATA, ids=ids(DATA))
def test_data(values, kind, named, mg, no_work):
    refused(kind, ["f", *named], mg.solve, values)
    refused(kind, ["f", *named], mg.full_multigrid, values)
    refused(kind, ["f", *named], mg.cycle, values)
    refused(kind, ["f", *named], pde.solve_poisson, values, (7, 9))
    refused(kind, ["u", *named], mg.cycle, F, values)
    refused(kind, ["u0", *named], mg.solve, F, u0=values)
    refused(kind, ["u", *named], mg.problem.apply, values)
    refused(kind, ["u", *named], mg.problem.embed, values)


@pytest.mark.parametrize("options", [{}, {"kernels": "numba"}, {"kernels": "torch"}, {"dtype": "mixed"}])
@pytest.mark.parametrize("number", [2, -0.5, np.float32(3), True, np.array(0.25), torch.tensor(2.0), 0])
def test_a_number_is_that_right_hand_side_everywhere(number, options):
    mg, full = Multigrid(Poisson((7, 9)), **options), np.full((7, 9), float(number))
    tensor = isinstance(number, torch.Tensor)
    calls = [lambda f: mg.solve(f, g=1.0).u, mg.full_multigrid, mg.cycle]
    calls.append(lambda f: pde.solve_poisson(f, (7, 9), **options).u)
    for call in calls:
        u = call(number)
        assert isinstance(u, torch.Tensor if tensor else np.ndarray)
        np.testing.assert_array_equal(u, call(torch.from_numpy(full) if tensor else full))
    refused(ValueError, ["u", "(7, 9)", "()"], mg.problem.apply, number if not tensor else 2.0)
    refused(ValueError, ["u", "(7, 9)", "()"], mg.cycle, F, number)


def test_the_derivative_in_a_number_is_the_sum_of_those_at_the_points():
    f = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    a = torch.full((7, 9), 1.5, dtype=torch.float64, requires_grad=True)
    pde.solve_poisson(f, (7, 9), coefficient=a, rtol=1e-12).u.sum().backward()
    pde.solve_poisson(1.0, (7, 9), coefficient=a, rtol=1e-12).u.sum().backward()
    assert float(f.grad) == pytest.approx(Multigrid(Poisson((7, 9), coefficient=1.5)).solve(1.0).u.sum(), rel=1e-6)


NAMES = [  # what is called, the name that it does not know, and what it says of it
    (Poisson, "bc", "did you mean 'boundary'?"),
    (Poisson, "n", "did you mean 'shape'?"),
    (Poisson, "tol", "'rtol' is an argument of Multigrid.solve"),
    (Poisson, "reactions", "did you mean 'reaction'?"),
    (Multigrid, "backend", "did you mean 'kernels'?"),
    (Multigrid, "num_threads", "did you mean 'threads'?"),
    (Multigrid, "boundary", "'boundary' is an argument of Poisson"),
    (Multigrid.solve, "tol", "did you mean 'rtol'?"),
    (Multigrid.solve, "rel_tol", "did you mean 'rtol'?"),
    (Multigrid.solve, "maxiter", "did you mean 'max_cycles'?"),
    (Multigrid.solve, "max_iter", "did you mean 'max_cycles'?"),
    (Multigrid.solve, "x0", "did you mean 'u0'?"),
    (Multigrid.solve, "dtype", "'dtype' is an argument of Multigrid"),
    (Multigrid.full_multigrid, "rtol", "'rtol' is an argument of Multigrid.solve"),
    (Multigrid.full_multigrid, "output", "did you mean 'out'?"),
    (pde.solve_poisson, "tol", "did you mean 'rtol'?"),
    (pde.solve_poisson, "Max_Iter", "did you mean 'max_cycles'?"),
    (pde.solve_poisson, "permittivity", "did you mean 'coefficient'?"),
    (pde.solve_poisson, "xyzzy", "it takes accel, "),
]


@pytest.mark.parametrize(("call", "name", "hint"), NAMES, ids=ids(NAMES))
def test_arguments_by_the_names_of_other_libraries(call, name, hint, mg, no_work):
    arguments = {Poisson: (3,), Multigrid: (Poisson(3),), pde.solve_poisson: (F,)}.get(call, (mg, F))
    refused(TypeError, [call.__qualname__, repr(name), hint], call, *arguments, **{name: 1})


def test_every_hint_leads_to_an_argument_and_no_argument_has_a_hint():
    known = set().union(*keywords.ARGUMENTS.values())
    names = keywords.suggesting.other_names
    assert known >= set(names.values())
    assert not known & set(names)
    table = resources.files("pde.common").joinpath("other_names.csv").read_text("utf-8")
    assert len(names) == sum(len(row.partition(",")[2].split()) for row in table.splitlines())


def test_sides_may_be_told_by_whatever_equals_their_numbers(mg):
    expected = mg.solve(F, {(0, 1): 2.0}).u
    for key in ((0.0, 1.0), (False, True), (np.int64(0), np.float32(1))):
        np.testing.assert_array_equal(mg.solve(F, {key: 2.0}).u, expected)


@pytest.mark.parametrize(("g", "kind", "named"), BOUNDARY, ids=ids(BOUNDARY))
def test_boundary_data(g, kind, named, mg, no_work):
    refused(kind, named, mg.solve, F, g)
    refused(kind, named, mg.full_multigrid, F, g)
    refused(kind, named, mg.problem.embed, F, g)


@pytest.mark.parametrize(("options", "kind", "named"), SOLVE, ids=ids(SOLVE))
def test_solve(options, kind, named, mg, no_work):
    refused(kind, named, mg.solve, F, **options)
    if options.keys() & {"out", "incompatible"}:
        refused(kind, named, mg.full_multigrid, F, **options)


@pytest.mark.parametrize("options", [{}, {"kernels": "numba"}, {"kernels": "torch"}])
@pytest.mark.parametrize(("of_array", "of_tensor"), OUT, ids=ids(OUT))
def test_out_takes_what_f_is(of_array, of_tensor, options, no_work):
    mg = Multigrid(Poisson((7, 9)), **options)
    for f, out in ((F, of_array), (torch.from_numpy(F), of_tensor)):
        for call in (mg.solve, mg.full_multigrid):
            with pytest.raises((TypeError, ValueError), match=r"^out "):
                call(f, out=out)


def test_cycles_and_factors(mg, no_work):
    refused(ValueError, ["cycle", "'fmg'"], mg.cycle, F, cycle="fmg")
    refused(ValueError, ["u", "(7, 9)", "(2, 7, 9)"], mg.cycle, F, np.ones((2, 7, 9)))
    refused(ValueError, ["cycle", "'X'"], mg.measure_factor, "X")
    refused(ValueError, ["cycles", "0"], mg.measure_factor, cycles=0)
    refused(TypeError, ["cycles", "1.5"], mg.measure_factor, cycles=1.5)
    refused(ValueError, ["seed", "-1"], mg.measure_factor, seed=-1)
    refused(TypeError, ["seed", "'a'"], mg.measure_factor, seed="a")
    refused(ValueError, ["cycle", "'X'"], mg.work_units, "X")
    refused(ValueError, ["cycles", "-3"], mg.work_units, "V", -3)
    for cycle in ("X", "fmg", "F", None):
        refused(ValueError, ["cycle", repr(cycle), "'V'", "'W'"], mg.as_preconditioner, cycle)


@pytest.mark.parametrize("columns", [(), (2,)])
def test_the_preconditioner_refuses_complex_vectors(mg, columns):
    y = np.ones((F.size, *columns)) * 1j
    refused(TypeError, ["y", "complex128"], mg.as_preconditioner().dot, y)


@pytest.mark.parametrize("g", [1.0, lambda x, y: x])
def test_boundary_data_without_a_side(g):
    mg = Multigrid(Poisson((8, 8), boundary="periodic"))
    refused(ValueError, ["g must be None or 0", "periodic", repr(g)], mg.solve, np.zeros((8, 8)), g)
    assert mg.solve(np.zeros((8, 8)), 0).converged


@pytest.mark.parametrize("extent", [1e-25, 1e25])
def test_values_and_boxes_beyond_single_precision(extent):
    refused(ValueError, ["float32", "extent", str(extent)], Multigrid, Poisson((7, 9), extent), dtype="float32")
    mg = Multigrid(Poisson((7, 9)), dtype="float32")
    refused(ValueError, ["f ", "float32", "1.0e+300"], mg.solve, 1e300 * F)
    refused(ValueError, ["u0", "float32", "1.0e+39"], mg.solve, F, u0=1e39 * F)
    refused(ValueError, ["g[(0, 0)]", "float32", "1.0e+300"], mg.solve, F, 1e300)
    assert mg.solve(1e-30 * F, rtol=1e-4).converged


def test_one_call():
    refused(TypeError, ["solve_poisson", "'smother'", "smoother", "rtol"], pde.solve_poisson, F, smother="sor")
    refused(TypeError, ["'self'"], pde.solve_poisson, F, self=1)
    refused(TypeError, ["'problem'"], pde.solve_poisson, F, problem=Poisson(3))
    refused(ValueError, ["shape", "callable"], pde.solve_poisson, lambda x: x)
    refused(ValueError, ["f must", "list"], pde.solve_poisson, RAGGED)
    for number in (1.0, np.float32(1), torch.tensor(1.0)):
        refused(ValueError, ["shape", "number", "(n, ...)"], pde.solve_poisson, number)


def test_other_coefficients_that_do_not_fit():
    mg = Multigrid(Poisson((7, 9)), dtype="float32")
    refused(ValueError, ["coefficient", "float32", "1e+36"], mg.update, coefficient=1e36)
    refused(ValueError, ["reaction", "float32", "1e+37"], mg.update, reaction=1e37)
    assert mg.problem.terms.diffusion == (1.0, 1.0)
    assert mg.solve(F, rtol=1e-4).converged
    refused(ValueError, ["coefficient", "float32"], Multigrid, Poisson((7, 9), coefficient=1e36), dtype="float32")
