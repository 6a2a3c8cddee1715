"""The child process that compiles kernels: when it is started, its lock, its end."""

import json
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest

from pde.backends.numba import background, compilation, stamps
from pde.backends.numba.background import MEANWHILE
from tests.pde.first_call import PLAIN, SHAPE, solver


def test_no_child_under_pytest_or_as_a_rank_of_mpi(monkeypatch):
    assert background.no_child() == "pytest"
    monkeypatch.delitem(sys.modules, "pytest")
    for name in ("PYTEST_VERSION", *background.RANKS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(background, "_forked", False)
    monkeypatch.setitem(sys.modules, "multiprocessing.process", None)
    assert background.no_child() is None
    for name in background.RANKS:
        with monkeypatch.context() as patch:
            patch.setenv(name, "0")
            assert background.no_child() == "a rank of MPI"
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert background.no_child() == "a program with Python inside"


WORKERS = """
import multiprocessing, os, sys
from pde.backends.numba import background
def tell(): print(background.no_child(), flush=True)
if __name__ == "__main__":
    tell()
    worker = multiprocessing.get_context("spawn").Process(target=tell)
    worker.start(); worker.join()
    if hasattr(os, "fork"):
        if os.fork() == 0:
            tell()
            os._exit(0)
        os.wait()
"""


def test_no_child_of_a_worker_or_of_a_fork(tmp_path):
    (tmp_path / "workers.py").write_text(WORKERS)
    hidden = (*background.RANKS, "PYTEST_VERSION")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, sys.path))
    command = [sys.executable, str(tmp_path / "workers.py")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told = run.stdout.splitlines()
    assert told[0] == "None"
    assert set(told[1:]) == {"a worker process"}


def test_while_another_process_compiles_no_child_is_started(first):
    lock = stamps.lock(PLAIN)
    assert lock is not None
    assert stamps.lock(PLAIN) is None
    assert solver().solve(np.ones(SHAPE)).converged
    assert first == []
    lock.release()
    background._begun.clear()
    solver().solve(np.ones(SHAPE))
    assert first == [PLAIN]


@pytest.mark.skipif(sys.platform == "win32", reason="a process that kills itself")
def test_a_child_that_was_killed_leaves_no_lock(first):
    code = f"""
import os
from pde.backends.numba import stamps
from pde.backends.numba.variants import Variant
held = stamps.lock(Variant(*{tuple(PLAIN)}))
assert held is not None
os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    run = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert run.returncode == -signal.SIGKILL
    lock = stamps.lock(PLAIN)
    assert lock is not None
    lock.release()


CHILD = """import json, os, sys
given = json.loads(sys.argv[1])
sys.path[:] = given["path"]
from pde.backends.numba import stamps
from pde.backends.numba.variants import Variant
told = {"locks": stamps.lock(Variant(*given["variant"])) is not None, "mode": os.environ["PDE_COMPILE"]}
told["alone"] = sys.platform == "win32" or os.getsid(0) == os.getpid()
with open(os.path.join(os.environ["NUMBA_CACHE_DIR"], "told"), "w") as file:
    json.dump(told, file)"""


def test_a_child_finds_the_lock_free_and_has_a_session_of_its_own(monkeypatch, tmp_path, recwarn):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "kept")
    monkeypatch.setenv("PDE_COMPILE", "background")
    monkeypatch.setattr(background, "no_child", lambda: None)
    monkeypatch.setattr(background, "_begun", {})
    monkeypatch.setattr(background, "CHILD", CHILD)
    assert background.begin(PLAIN) is None
    child = background._begun[PLAIN]
    assert child.wait() == 0
    assert json.loads((tmp_path / "kept" / "told").read_text()) == {"locks": True, "mode": "off", "alone": True}
    lock = stamps.lock(PLAIN)
    assert lock is not None
    lock.release()
    assert not recwarn.list


def test_a_child_outlives_its_parent_without_a_warning(recwarn):
    child = background._Detached([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    child.__del__()  # as at the end of a process
    assert not recwarn.list
    child.communicate(b"\n")


def test_a_child_in_the_background_leaves_a_stamp(monkeypatch, tmp_path):
    """One that fails at once, as there are no kernels for this dtype: compiling takes ten seconds."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PDE_COMPILE", "background")
    monkeypatch.setattr(background, "no_child", lambda: None)
    monkeypatch.setattr(background, "_begun", {})
    variant = PLAIN._replace(dtype="float16")
    assert background.begin(variant) is None
    assert background._begun[variant].wait() == 0
    assert "float16" in stamps.failure(variant)


def test_a_child_that_fails_says_why_and_is_not_started_again(first, monkeypatch):
    def fail(variant):
        raise ImportError("numba needs another numpy")

    monkeypatch.setattr(compilation, "compile_variant", fail)
    monkeypatch.setattr(compilation, "_lower_priority", lambda: None)
    compilation.child({"variant": list(PLAIN)})
    mg = solver()
    assert "compiling them has failed (ImportError: numba needs another numpy)" in str(mg)
    assert mg.solve(np.ones(SHAPE)).converged
    assert first == []


@pytest.mark.parametrize("words", ["a worker process", "PDE_COMPILE is off"])
def test_a_solver_that_comes_from_another_process_starts_no_child_where_none_may_be(first, monkeypatch, words):
    mg = pickle.loads(pickle.dumps(solver()))
    assert MEANWHILE in str(mg)
    if "off" in words:
        monkeypatch.setenv("PDE_COMPILE", "off")
    else:
        monkeypatch.setattr(background, "no_child", lambda: words)
    assert mg.solve(np.ones(SHAPE)).converged
    assert words in str(mg)
    assert first == []


def test_a_child_that_has_ended_is_let_go_by_the_next_solve(first, monkeypatch):
    polled = []

    class Ended:
        poll = staticmethod(lambda: polled.append(0))

    monkeypatch.setattr(background, "_start", lambda variant: Ended)
    mg = solver()
    mg.solve(np.ones(SHAPE))
    polled.clear()
    mg.solve(np.ones(SHAPE))
    assert polled


def test_of_two_children_one_compiles(first, monkeypatch):
    compiled = []
    monkeypatch.setattr(compilation, "compile_variant", compiled.append)
    monkeypatch.setattr(compilation, "_lower_priority", lambda: None)
    lock = stamps.lock(PLAIN)
    compilation.child({"variant": list(PLAIN)})
    assert compiled == []
    lock.release()
    compilation.child({"variant": list(PLAIN)})
    assert compiled == [PLAIN]
