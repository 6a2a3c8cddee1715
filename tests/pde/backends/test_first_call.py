"""The first call on a machine: the backend of a solver while its kernels are not compiled."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import pde
from pde.backends.numba import background, stamps
from pde.backends.numba.background import MEANWHILE
from pde.common.progress import CompileBar
from tests.pde.first_call import PLAIN, SHAPE, solver


def test_a_solve_runs_on_numpy_and_one_child_is_started(first, capsys):
    mg = solver()
    assert MEANWHILE in str(mg)
    assert "Numba" not in str(mg)
    assert first == []
    assert mg.solve(np.ones(SHAPE)).converged
    solver().cycle(np.ones(SHAPE))
    solver(dtype="mixed").full_multigrid(np.ones(SHAPE))
    assert first == [PLAIN, PLAIN._replace(dtype="float32")]
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.count("compiling kernels in the background") for line in told.err.splitlines()] == [1, 1]


def test_a_solver_keeps_what_it_was_made_with(first):
    mg, f = solver(), np.ones(SHAPE)
    u = mg.solve(f).u
    stamps.write(PLAIN, files=[__file__])
    for same in (mg, pickle.loads(pickle.dumps(mg)), mg.update(reaction=0.0)):
        assert MEANWHILE in str(same)
        np.testing.assert_array_equal(same.solve(f).u, u)
    assert "compiled kernels, " in str(solver())


def test_coefficients_of_another_kind_are_chosen_for_anew(first):
    mg = solver()
    stamps.write(PLAIN._replace(coefficients="varying"), files=[__file__])
    assert mg.update(coefficient=lambda x, y: 1 + x * y).backend.runs_in == "Numba"
    assert mg.update(coefficient=1.0).backend.runs_in is None


@pytest.mark.parametrize(("size", "on_kernels"), [(background.LARGE - 1, False), (background.LARGE, True)])
def test_large_grids_compile_first(first, size, on_kernels):
    assert (background.waiting(PLAIN, size) is None) == on_kernels


@pytest.mark.parametrize(("mode", "words"), [("off", "PDE_COMPILE is off"), ("wait", "compiled kernels, ")])
def test_the_environment_variable_turns_it_off_or_waits(first, monkeypatch, mode, words):
    monkeypatch.setenv("PDE_COMPILE", mode)
    assert words in str(solver())
    if mode == "off":
        assert solver().solve(np.ones(SHAPE)).converged
    assert first == []


def test_another_value_of_the_environment_variable_is_refused(first, monkeypatch):
    monkeypatch.setenv("PDE_COMPILE", "yes")
    with pytest.raises(ValueError, match="PDE_COMPILE must be one of background, wait, off; got 'yes'"):
        solver()


def test_where_no_child_may_be_started_a_solve_runs_on_numpy(first, monkeypatch, capsys):
    def refuse(variant):
        raise PermissionError("not permitted")

    monkeypatch.setattr(background, "_start", refuse)
    mg = solver()
    assert mg.solve(np.ones(SHAPE)).converged
    assert "no child process can do it: not permitted" in str(mg)
    assert capsys.readouterr().err == ""


def test_where_nothing_can_be_written_a_solve_runs_on_numpy(first, monkeypatch):
    monkeypatch.setattr(stamps.os, "access", lambda *_: False)
    stamps.write(PLAIN, files=[__file__])
    mg = solver()
    assert mg.solve(np.ones(SHAPE)).converged
    assert "see NUMBA_CACHE_DIR" in str(mg)
    assert first == []
    assert not stamps.is_compiled(PLAIN)


def test_without_numba_no_child_is_started(first, monkeypatch):
    monkeypatch.setattr(stamps, "spec_of", lambda name: None)
    mg = solver()
    assert mg.solve(np.ones(SHAPE)).converged
    assert "Numba is not installed" in str(mg)
    assert first == []


def test_numba_is_not_imported_for_a_solve_on_numpy(tmp_path):
    code = "import sys, pde; print(pde.solve_poisson(lambda x, y: x * y, (255, 255)).converged, 'numba' in sys.modules)"
    environment = {**os.environ, "PDE_COMPILE": "off", "NUMBA_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, sys.path))
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("True False\n", "")


def test_seconds_are_those_of_the_solve(monkeypatch):
    from pde.backends.numba.executor import Executor

    clock, prepare = [0.0], Executor.prepare

    def slow(self):
        clock[0] += 1000
        return prepare(self)

    class Time:
        perf_counter = staticmethod(lambda: clock[0])

    for name in ("mgcore.solving", "pde.solver.at_once"):
        monkeypatch.setattr(sys.modules[name], "time", Time)
    monkeypatch.setattr(Executor, "prepare", slow)
    assert pde.Multigrid(pde.Poisson(SHAPE), kernels="numba").solve(np.ones(SHAPE)).seconds == 0
    assert clock == [1000]


def test_a_solve_with_progress_shows_the_bar_of_compiling_too(monkeypatch):
    shown = []
    monkeypatch.setattr(
        pde.backends.numba.backend,
        "CompileBar",
        lambda progress, what: shown.append(progress) or CompileBar(False, what),
    )
    for progress in (False, True):
        pde.Multigrid(pde.Poisson(SHAPE), kernels="numba").solve(np.ones(SHAPE), progress=progress)
    assert shown == [False, True]


def test_a_stand_in_for_numba_is_none(first, monkeypatch):
    class Refusing:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "numba":
                raise ImportError("not here")

    stamps._circumstances.cache_clear()
    for numba in (type(sys)("numba"), None):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "numba", numba)
            assert "Numba is not installed" in str(solver())
            stamps._circumstances.cache_clear()
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "numba", raising=False)
        patch.setattr(sys, "meta_path", [Refusing, *sys.meta_path])
        assert "Numba is not installed" in str(solver())
    stamps._circumstances.cache_clear()


def test_numba_that_must_not_compile_runs_no_kernels(monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with pytest.raises(ValueError, match="NUMBA_DISABLE_JIT keeps Numba from compiling"):
        pde.Multigrid(pde.Poisson(SHAPE), kernels="numba")
