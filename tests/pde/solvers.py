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
