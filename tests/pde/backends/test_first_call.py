"""The first call on a machine: what a solver runs on while its kernels are not compiled, and who compiles them."""

import json
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest

import pde
from pde.__main__ import main
from pde.backends.numba import background, compilation, stamps
from pde.backends.numba.background import MEANWHILE
from pde.backends.numba.variants import EVERY, Variant
from pde.common.progress import CompileBar

PLAIN = Variant(2, "float64", "constant")
SHAPE = (33, 40)


@pytest.fixture
def first(monkeypatch, tmp_path):
    """A machine without compiled kernels, and a process that may have children; the list of those that it starts."""
    started = []
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PDE_COMPILE", "background")
    monkeypatch.setattr(pde.backends.numba.backend, "SMALLEST", 300)
    monkeypatch.setattr(background, "no_child", lambda: None)
    monkeypatch.setattr(background, "_begun", {})
    monkeypatch.setattr(background, "_start", lambda variant: started.append(variant))
    return started


def solver(**options):
    return pde.Multigrid(pde.Poisson(SHAPE), **options)


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


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": []}', '{"files": ["/no/such/file"]}'])
def test_a_stamp_that_says_nothing_is_none(first, text):
    stamps.write(PLAIN, files=[__file__])
    assert stamps.is_compiled(PLAIN)
    assert not stamps.is_compiled(PLAIN._replace(ndim=3))
    (stamps._folder() / stamps._name(PLAIN)).write_text(text)
    assert not stamps.is_compiled(PLAIN)


def test_a_stamp_belongs_to_the_settings_of_numba_and_to_the_processor(first, monkeypatch):
    stamps.write(PLAIN, files=[__file__])
    for change in (
        lambda patch: patch.setenv("NUMBA_CPU_NAME", "another"),
        lambda patch: patch.setattr(stamps, "_processor", lambda: ["another"]),
        lambda patch: patch.setattr(stamps, "_version", lambda package: "another"),
        lambda patch: patch.setattr(stamps, "digest", lambda: "another"),
    ):
        with monkeypatch.context() as patch:
            change(patch)
            stamps._circumstances.cache_clear()
            assert not stamps.is_compiled(PLAIN)
    stamps._circumstances.cache_clear()
    assert stamps.is_compiled(PLAIN)


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

    monkeypatch.setattr(sys.modules["mgcore.solving"], "time", Time)
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


@pytest.mark.parametrize("variant", EVERY)
def test_the_solver_that_a_variant_is_compiled_with_needs_it(variant):
    assert compilation.small_backend(variant).variant == variant


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nothing_is_left_to_compile_after_it(dtype, monkeypatch, tmp_path):
    from pde.backends.numba.interpreter import execute

    variant = PLAIN._replace(dtype=dtype)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))  # stamps go there; Numba has read it before
    assert not stamps.is_compiled(variant)
    compilation.compile_variant(variant)
    assert stamps.is_compiled(variant)
    before = len(execute.signatures)
    mg = pde.Multigrid(pde.Poisson(SHAPE), kernels="numba", dtype=dtype, threads=2)
    mg.solve(np.ones(SHAPE), rtol=1e-3)
    mg.solve(np.ones(SHAPE), g=1.0, rtol=1e-3, accel="cg")
    assert len(execute.signatures) == before


def test_what_is_asked_for_is_compiled_once(first, monkeypatch):
    def compile_variant(variant, progress):
        stamps.write(variant, files=[__file__])

    monkeypatch.setattr(compilation, "compile_variant", compile_variant)
    assert pde.compile_kernels(2, "float64") == [str(each) for each in EVERY if each[:2] == (2, "float64")]
    assert pde.compile_kernels(coefficients=["constant"]) == [
        str(each) for each in EVERY if each.coefficients == "constant" and each != PLAIN
    ]
    assert len(pde.compile_kernels()) == 3
    assert pde.compile_kernels() == []


@pytest.mark.parametrize(
    "arguments", [{"dims": 1}, {"dtypes": ["mixed"]}, {"coefficients": ("constant", "rough")}, {"dims": ["2"]}]
)
def test_what_cannot_be_compiled_is_named(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"{name} must be of .*; got"):
        pde.compile_kernels(**arguments)


def test_the_command_says_what_was_compiled(first, monkeypatch, capsys):
    compile_variant = compilation.compile_variant
    monkeypatch.setattr(compilation, "compile_variant", lambda variant, _: stamps.write(variant, files=[__file__]))
    command = ["compile", "--dims", "2", "--dtypes", "float64"]
    assert main(command) == 0
    assert "compiled: 2-D, float64, constant coefficients\n" in capsys.readouterr().out
    assert main(command) == 0
    assert capsys.readouterr().out == "every kernel is compiled\n"
    monkeypatch.setattr(stamps.os, "access", lambda *_: False)
    monkeypatch.setattr(compilation, "compile_variant", compile_variant)
    monkeypatch.setattr(compilation, "small_backend", lambda variant: pde.Multigrid(pde.Poisson((9, 9))).backend)
    assert main(command) == 2
    assert "Numba's cache cannot be written to" in capsys.readouterr().err


def test_compiling_is_told_once_by_a_line_or_by_a_bar(capsys):
    with CompileBar(False, PLAIN):
        pass
    assert capsys.readouterr().err == ""
    with CompileBar(False, PLAIN) as bar:
        for done in range(3):
            bar(done)
    assert capsys.readouterr().err.count("compiling kernels, once on this machine (2-D, float64") == 1
    with CompileBar(True, PLAIN) as bar:
        bar(0)
        bar(40)
    assert "50 %" in capsys.readouterr().err


def test_a_kernel_that_cannot_be_cached_is_compiled_nevertheless():
    from pde.backends.numba.jit import called

    names = {}
    exec("def double(x):\n    return 2 * x", names)  # in no file, where Numba finds no folder for its cache
    assert called(names["double"])(3) == 6


@pytest.fixture
def twice(monkeypatch, tmp_path):
    """A function that is in a file, compiled for integers and floats, and the folder in which Numba keeps that."""
    import importlib.util

    import numba

    from pde.backends.numba.jit import called

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    (tmp_path / "twice.py").write_text("def twice(x):\n    return 2 * x\n")
    spec = importlib.util.spec_from_file_location("twice", tmp_path / "twice.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for value in (3, 1.5):  # each by itself, as in two processes
        assert called(module.twice)(value) == 2 * value
    return module.twice, tmp_path


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda _: b"", lambda _: b"\x80\x88 junk"])
def test_damaged_files_of_the_cache_are_written_anew(twice, ending, damage):
    from pde.backends.numba.jit import called

    function, folder = twice
    files = list(folder.rglob(f"*.{ending}"))
    assert files
    for file in files:
        file.write_bytes(damage(file.read_bytes()))
    hits = []
    for _ in range(2):
        again = called(function)
        assert again(3) == 6
        hits.append(sum(again.stats.cache_hits.values()))
    assert hits == [0, 1]


def test_files_of_the_cache_that_are_another_function_s_are_not_run(twice):
    """As two processes leave them that have written to the index at the same time."""
    from pde.backends.numba.jit import called

    function, folder = twice
    one, two = sorted(folder.rglob("*.nbc"))
    contents = one.read_bytes(), two.read_bytes()
    one.write_bytes(contents[1])
    two.write_bytes(contents[0])
    assert called(function)(3) == 6
    assert called(function)(1.5) == 3.0


def test_kernels_that_a_full_disk_does_not_take_have_no_stamp(first, monkeypatch):
    from pde.backends.numba import executor

    def full(types):
        raise OSError("no space left on device")

    class Function:
        compile = staticmethod(full)

    assert not executor._is_kept(Function, ())
    monkeypatch.setattr(executor, "_is_kept", lambda function, types: False)
    with pytest.raises(OSError, match="cache cannot be written to"):
        compilation.compile_variant(PLAIN)
    assert not stamps.is_compiled(PLAIN)


def test_compiling_that_was_interrupted_is_begun_again(monkeypatch):
    from pde.backends.numba.executor import Executor

    calls, prepare = [], Executor.prepare

    def interrupted(self):
        calls.append(self)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return prepare(self)

    monkeypatch.setattr(Executor, "prepare", interrupted)
    mg = pde.Multigrid(pde.Poisson(SHAPE), kernels="numba")
    with pytest.raises(KeyboardInterrupt):
        mg.solve(np.ones(SHAPE))
    for _ in range(2):
        assert mg.solve(np.ones(SHAPE)).converged
    assert len(calls) == 2


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


def test_functions_that_two_processes_compile_have_different_names():
    """Numba numbers types as they come: by its names alone float32 kernels would call those for float64."""
    code = "import pde.backends.numba.jit, numba.core.bytecode as b; print(next(b.FunctionIdentity._unique_ids))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True) for _ in "12"
    ]
    first, second = (int(run.stdout) for run in runs)
    assert abs(first - second) > 1000
