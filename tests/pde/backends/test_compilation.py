"""Compiling kernels: on request, into Numba's cache, with stamps that say which are there."""

import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

import pde
from pde.__main__ import main
from pde.backends.numba import compilation, stamps
from pde.backends.numba.variants import EVERY
from pde.common.progress import CompileBar
from tests.pde.first_call import PLAIN, SHAPE


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
    assert len(pde.compile_kernels()) == len([each for each in EVERY if each[:2] != (2, "float64")]) - 3
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


def test_a_change_in_any_file_of_the_kernels_makes_files_of_the_cache_old(twice, monkeypatch):
    """Numba looks at the file of the function alone, and not at those of the functions that it calls."""
    from pde.backends.numba import jit

    function, hits = twice[0], []
    for text in ("x = 1", "x = 1", "x = 2", "x = 2"):
        (twice[1] / "kernels").mkdir(exist_ok=True)
        (twice[1] / "kernels" / "module.py").write_text(text)
        monkeypatch.setattr(jit, "digest", partial(stamps.digest.__wrapped__, twice[1] / "kernels"))
        again = jit.called(function)
        assert again(3) == 6
        hits.append(sum(again.stats.cache_hits.values()))
    assert hits == [0, 1, 0, 1]


def test_kernels_that_a_full_disk_does_not_take_have_no_stamp(first, monkeypatch):
    from pde.backends.numba import executor
    from pde.backends.numba.jit import prepared

    def full(types):
        raise OSError("no space left on device")

    class Function:
        compile = staticmethod(full)

    assert prepared(Function, ()) == []
    monkeypatch.setattr(executor, "prepared", lambda function, call: [])
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


def test_functions_that_two_processes_compile_have_different_names():
    """Numba numbers types as they come: by its names alone float32 kernels would call those for float64."""
    code = "import pde.backends.numba.jit, numba.core.bytecode as b; print(next(b.FunctionIdentity._unique_ids))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True) for _ in "12"
    ]
    first, second = (int(run.stdout) for run in runs)
    assert abs(first - second) > 1000
