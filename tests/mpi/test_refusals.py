"""Bad input of a solver on ranks: the error names the argument, and is raised on all ranks."""

import copy

import numpy as np
import pytest

import pde


def box(**options):
    return pde.Poisson((63, 63), **options)


def steep(x, y):
    return np.where(x < 0.5, 1.0, 1e4)


def cubic():
    return pde.NonlinearPoisson((63, 63), reaction=lambda u, x, y: u**3)


def sized(shape, comm, **options):
    return pde.Multigrid(pde.Poisson(shape, **options), comm=comm)


MAKING = {
    "no communicator": (lambda comm: pde.Multigrid(box(), comm="world"), TypeError, "comm must be .* got str"),
    "one dimension": (lambda comm: sized(255, comm), ValueError, r"comm: .*\(255,\)"),
    "few planes": (lambda comm: sized((1, 63), comm), ValueError, "ranks are more than"),
    "odd period": (lambda comm: sized((301, 200), comm, boundary="periodic"), ValueError, "even"),
    "lines": (lambda comm: pde.Multigrid(box(), comm=comm, smoother="zebra"), ValueError, "smoother='zebra'"),
    "products": (lambda comm: pde.Multigrid(box(), comm=comm, coarse="galerkin"), ValueError, "coarse='galerkin'"),
    "jumps": (lambda comm: pde.Multigrid(box(coefficient=steep, comm=comm)), ValueError, "coefficients that jump"),
    "transfer": (lambda comm: pde.Multigrid(box(), comm=comm, transfer="linear"), ValueError, "transfer='linear'"),
    "NumPy": (lambda comm: pde.Multigrid(box(), comm=comm, kernels="numpy"), ValueError, "kernels='numpy'"),
    "domain": (lambda comm: pde.Multigrid(box(domain=lambda x, y: x + y < 1), comm=comm), ValueError, "domain"),
    "order": (lambda comm: pde.Multigrid(box(order=4), comm=comm), ValueError, "order=4"),
    "open": (lambda comm: pde.Multigrid(box(boundary="open"), comm=comm), ValueError, "open"),
    "tensor": (lambda comm: pde.Multigrid(box(coefficient=[[2, 1], [1, 2]]), comm=comm), ValueError, "tensor"),
    "law": (lambda comm: pde.Multigrid(cubic(), comm=comm), TypeError, "Nonlinear"),
    "shape": (lambda comm: sized((63, 63 + comm.rank), comm), ValueError, "problem must be the same"),
    "sweeps": (lambda comm: pde.Multigrid(box(), comm=comm, nu=(1, 1 + comm.rank)), ValueError, "nu must be the same"),
    "field": (lambda comm: box(coefficient=lambda x, y: x + y - 1, comm=comm), ValueError, "must be positive"),
}  # fmt: skip


@pytest.mark.ranks(2)
@pytest.mark.parametrize("case", MAKING)
def test_making_a_solver(comm, case):
    make, kind, message = MAKING[case]
    with pytest.raises(kind, match=message):
        make(comm)


SOLVING = {
    "whole f": (lambda mg, comm: mg.solve(np.ones((63, 63))), ValueError, r"block, \(3[12], 63\) of \(63, 63\)"),
    "not finite": (lambda mg, comm: mg.solve(lambda x, y: x / (comm.rank - 1)), ValueError, "f must be finite"),
    "raises": (lambda mg, comm: mg.solve(lambda x, y: [][comm.rank - 1] if comm.rank else x), IndexError, "range"),
    "verbose": (lambda mg, comm: mg.solve(1.0, verbose=True), ValueError, "verbose"),
    "bounds": (lambda mg, comm: mg.solve(1.0, lower=0.0), ValueError, "lower"),
    "tolerance": (lambda mg, comm: mg.solve(1.0, rtol=10.0 ** (-4 - comm.rank)), ValueError, "rtol must be the same"),
    "SciPy": (lambda mg, comm: mg.as_preconditioner(), ValueError, "SciPy"),
    "apply": (lambda mg, comm: box(comm=comm).apply(1), ValueError, "apply"),
    "copy": (lambda mg, comm: copy.deepcopy(mg), TypeError, "cannot be copied"),
    "matrix": (lambda mg, comm: box(comm=comm).matrix(), ValueError, "matrix"),
}


@pytest.mark.ranks(2)
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("case", SOLVING)
def test_calling_a_solver(comm, case):
    call, kind, message = SOLVING[case]
    mg = pde.Multigrid(box(), comm=comm)
    with pytest.raises(kind, match=message):
        call(mg, comm)
    assert mg.solve(1.0).converged


@pytest.mark.ranks(2)
def test_a_callback_of_one_rank_stops_all(comm):
    mg = pde.Multigrid(box(), comm=comm)
    assert mg.solve(1.0, cycle="V", callback=lambda progress: comm.rank == 1).reason == "stopped"


@pytest.mark.ranks(2)
def test_one_rank_may_print(comm):
    mg = pde.Multigrid(box(coefficient=lambda x, y: 1 + x, comm=comm))
    if comm.rank == 0:
        assert "2 ranks" in str(mg)
