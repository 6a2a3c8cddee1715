"""Solvers and data for tests of what a solve means, and what is printed of a solver."""

import re

import numpy as np

from pde import Multigrid, Poisson

ONES = np.ones((15, 20))
RANDOM = np.random.default_rng(0).standard_normal((63, 63))


def solver(shape=(15, 20), extent=1.0, **options):
    return Multigrid(Poisson(shape, extent), **options)


def without_memory(mg):
    return re.sub(r"(, )?(  +)?(memory|[\d.]+ k?B)(?= |$).*$", "", str(mg), flags=re.MULTILINE)


def tolerance(mg, *values):
    """What rounding may change in a cycle: a few hundred roundings, times the root of the condition of a sweep."""
    condition = max(float(np.max(level.info.operator.diagonal)) for level in mg.levels) ** 0.5
    return 100 * np.finfo(mg.dtype).eps * (1 + condition) * max(float(np.max(np.abs(v))) for v in values)
