"""python -m pde compile"""

from __future__ import annotations

import argparse
from typing import Any

from pde.backends.numba.compilation import COEFFICIENTS, DIMS, DTYPES, compile_kernels

DESCRIPTION = """Compile the kernels that large problems are solved on, to Numba's cache, as in an image of a container.

Without it the first solve that needs a kernel runs on NumPy, and a child process compiles in the background. The
environment variable PDE_COMPILE turns that off (off), or has the first solve wait (wait). Each combination of the
options takes ten to twenty seconds of one core, once; the cache belongs to the processor and to the versions of Python,
Numba and this package. NUMBA_CACHE_DIR names its folder, which must be writable for whoever solves; Numba
uses no other."""


def add_compile(commands: Any) -> None:
    command = commands.add_parser(
        "compile",
        help="compile the kernels beforehand",
        description=DESCRIPTION,
        epilog="exit code: 0 they are in the cache, 2 wrong input, or a cache that cannot be written to",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("--dims", type=int, nargs="+", choices=DIMS, default=DIMS, help="dimensions (both)")
    add("--dtypes", nargs="+", choices=DTYPES, default=DTYPES, help="precisions; mixed needs float32 (both)")
    add(
        "--coefficients",
        nargs="+",
        choices=COEFFICIENTS,
        default=COEFFICIENTS,
        help="alike along rows or not (both)",
    )
    add("--progress", action="store_true", default=False, help="bar on stderr though it is no terminal")
    command.set_defaults(run=compile_)


def compile_(options: argparse.Namespace) -> int:
    """Compile, and say on stdout for what."""
    done = compile_kernels(options.dims, options.dtypes, options.coefficients, options.progress)
    for each in done:
        print(f"compiled: {each}")
    if not done:
        print("every kernel is compiled")
    return 0
