"""How kernels are compiled: cached on disk, without the interpreter's lock, free to contract and reorder sums.

Numba makes machine code of each function with all that it calls, before its caller is compiled, where that happens
again. Here a function that Python never calls is optimised and no more: machine code is made of the function that
Python calls, and that alone is kept on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from secrets import randbits
from typing import Any

import numba
from numba.core import event
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

from pde.backends.numba.stamps import digest


class _Part(JITCodeLibrary):
    """A function and what it calls, to be linked into a caller."""

    def finalize(self) -> None:
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._optimize_final_module()  # passes take 4 % longer without it
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerPart(NativeLowering):
    """Lower a function without machine code of its own."""

    _name = "lower_part"

    def run_pass(self, state: Any) -> bool:
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        key: Any = [].append  # callers find the function by the builtin that enters it: this one is nothing else's
        state.targetctx.insert_user_function(key, state.cr.fndesc, [state.library])
        state.cr = state.cr._replace(cfunc=key)
        return True


class _Parts(CompilerBase):
    def define_pipelines(self) -> list[Any]:
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes = [(_LowerPart if each is NativeLowering else each, why) for each, why in pipeline.passes]
        pipeline.finalize()
        return [pipeline]


FunctionIdentity._unique_ids = count(randbits(48))
"""Part of the name of a compiled function. Numba numbers functions and types anew in each process, where another may
have compiled for another dtype by the same names; of two functions with one name in a process, one would be run."""

_plain = partial(numba.njit, nogil=True, boundscheck=False, error_model="numpy")
_free = partial(_plain, fastmath={"contract", "nsz", "reassoc"})
_part = {"pipeline_class": _Parts, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def called(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls; the others have no entry for that."""
    dispatcher: Any = _free()(function)
    with suppress(RuntimeError, AttributeError):  # no folder takes a cache; Numba is told not to compile
        dispatcher._cache = _Cache(dispatcher.py_func)
    return dispatcher


class _Cache(FunctionCache):
    """Numba's, in which a file that is damaged, not readable or another function's is as good as none.

    Code made before a change to any kernel file is out of date: Numba itself looks at the file of the function alone.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = (self._cache_file._source_stamp, digest())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
            if found is None or tuple(found.signature.args) == tuple(sig):
                return found
        except Exception:  # whatever pickle makes of damage
            pass
        with suppress(OSError):
            self.flush()  # else it could not be saved anew
        return None


compiled: Any = _free(**_part)
inline: Any = _free(**_part, forceinline=True)
"""LLVM inlines it; Numba, which would type the code anew in every place, takes a fifth longer."""

merged: Any = _free(**_part, inline="always")
"""For a function with one caller, around a large one: else LLVM would go through that once more."""

exact: Any = _plain(fastmath=False, **_part)  # else it takes the freedom of its caller
"""For arithmetic that a compiler must not reorder."""

fused: Any = _plain(fastmath={"contract"}, **_part)
"""The same, but for products with sums."""


class _Listener(event.Listener):
    def __init__(self, report: Callable[[int], Any]) -> None:
        self._report, self._done = report, 0

    def on_start(self, event: Any) -> None:
        self._report(self._done)

    def on_end(self, event: Any) -> None:
        self._done += 1
        self._report(self._done)


def reported(report: Callable[[int], Any]) -> AbstractContextManager[Any]:
    """Report how many functions have been compiled, while the context lasts; nothing where all come from the cache."""
    return event.install_listener("numba:compile", _Listener(report))


def prepared(function: Any, call: tuple[Any, ...]) -> list[str]:
    """Load a function of Python from Numba's cache or compile it; return the files in which the cache keeps it.

    There are none where they could not be kept, as on a full disk: the function runs nevertheless.

    Args:
        call: arguments of the types that it is for.
    """
    try:
        function.compile(tuple(map(numba.typeof, call)))
    except OSError:
        return []
    folder, code = function.stats.cache_path, function.py_func
    name = f"{code.__module__.rpartition('.')[2]}.{code.__name__}"  # Numba names its files after module and function
    return [str(path) for path in Path(folder).glob(f"{name}-*.nbi")] if folder else []
