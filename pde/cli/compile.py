"""python -m pde compile"""

from __future__ import annotations

import argparse

from pde.backends.numba.compilation import compile_kernels


def compile_(options: argparse.Namespace) -> int:
    """Compile, and say on stdout for what."""
    given = {name: getattr(options, name) for name in ("dims", "dtypes", "coefficients") if getattr(options, name)}
    done = compile_kernels(**given, progress=options.progress)
    for each in done:
        print(f"compiled: {each}")
    if not done:
        print("every kernel is compiled")
    return 0
