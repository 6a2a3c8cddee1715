"""Kernels compiled before they are needed, as in an image of a container."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pde.backends.data import Options
from pde.backends.numba import stamps
from pde.backends.numba.backend import make
from pde.backends.numba.batch.backend import make_batches
from pde.backends.numba.mixed import MixedNumba
from pde.backends.numba.variants import EVERY, Variant
from pde.levels.hierarchy import Choices, build_hierarchy
from pde.problem.poisson import Poisson

DIMS, DTYPES, COEFFICIENTS = (tuple(dict.fromkeys(values)) for values in zip(*EVERY, strict=True))


def compile_kernels(
    dims: int | Sequence[int] = DIMS,
    dtypes: str | Sequence[str] = DTYPES,
    coefficients: str | Sequence[str] = COEFFICIENTS,
    progress: bool = False,
) -> list[str]:
    """Compile kernels to Numba's cache, so that no solve on this machine has to wait for them.

    Each combination takes ten to twenty seconds of one core, once; one that is in the cache is left as it is. The cache
    belongs to the processor and to the versions of Python, Numba and this package.

    Args:
        dims: of 2 and 3; grids of one dimension take the kernels of two.
        dtypes: of "float64" and "float32" (which mixed precision needs).
        coefficients: of "constant" (along each row of the grid), "varying" and "galerkin" (for domains, and where a
            coefficient jumps), "batch" (for many right-hand sides on a small grid).
        progress: show a bar on stderr even where that is not a terminal; by default one line is printed there.

    Returns:
        A line for each combination that was compiled now.

    Raises:
        ValueError: naming the argument, what came and what is allowed.
        ImportError: Numba is not installed.
        OSError: the cache cannot be written to.

    >>> compile_kernels(dims=2, dtypes="float64")  # doctest: +SKIP
    """
    wanted = (
        _among("dims", dims, DIMS),
        _among("dtypes", dtypes, DTYPES),
        _among("coefficients", coefficients, COEFFICIENTS),
    )
    asked = [each for each in EVERY if all(value in some for value, some in zip(each, wanted, strict=True))]
    missing = [each for each in asked if not stamps.is_compiled(each)]
    for variant in missing:
        compile_variant(variant, progress)
    return [str(variant) for variant in missing]


def compile_variant(variant: Variant, progress: bool = False) -> None:
    """Compile by way of a small problem that needs these kernels, and leave a stamp.

    Raises:
        ImportError, OSError: as `compile_kernels`.
    """
    backend = small_backend(variant)
    backend.prepare(progress)
    if variant.dtype == "float32" and variant.coefficients in ("constant", "varying"):
        MixedNumba(backend.hierarchy, backend, None, Options()).prepare()
    if not stamps.is_compiled(variant):
        raise OSError("Numba's cache cannot be written to; the environment variable NUMBA_CACHE_DIR names its folder")


def small_backend(variant: Variant) -> Any:
    """Make the backend, or the kernels for batches, of a small problem that needs these kernels."""
    a: Any = _varying if variant.coefficients == "varying" else 1.0
    galerkin, shape, dtype = variant.coefficients == "galerkin", (20,) * variant.ndim, np.dtype(variant.dtype)
    problem = Poisson(shape, coefficient=a, domain=np.ones(shape, dtype=bool) if galerkin else None)
    names = ("galerkin", "truncated") if galerkin else ("rediscretised", "bilinear")
    choices = Choices("sor", None, (1, 1), *names, dtype, problem.singular)
    hierarchy = build_hierarchy(problem.grid, problem.terms, choices, 64)
    options = Options("numba", dtype=dtype, threads=1)
    return make_batches(hierarchy, options) if variant.coefficients == "batch" else make(hierarchy, options)


def child(given: Mapping[str, Any]) -> None:
    """Compile a variant at low priority, as a child process, and leave a stamp that says so or why it failed.

    Nothing is done where another process compiles it.
    """
    _lower_priority()
    variant = Variant(*given["variant"])
    lock = stamps.lock(variant)
    if lock is None:
        return
    try:
        compile_variant(variant)
    except Exception as error:
        stamps.write(variant, failed=f"{type(error).__name__}: {error}"[:300])
    finally:
        lock.release()


def _lower_priority() -> None:
    """Give way to every other process; a session of its own is a group that has to be told, too."""
    with suppress(OSError, AttributeError):
        os.nice(10)
        Path("/proc/self/autogroup").write_text("10")


def _varying(*x: np.ndarray) -> np.ndarray:
    return 1 + x[-1] / 2


def _among(name: str, given: Any, allowed: tuple[Any, ...]) -> tuple[Any, ...]:
    values = (given,) if isinstance(given, int | str) else tuple(given)
    for value in values:
        if value not in allowed:
            raise ValueError(f"{name} must be of {', '.join(map(repr, allowed))}; got {value!r}")
    return values
