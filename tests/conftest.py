"""The same examples for everybody: on every machine, in whatever order tests run, with or without a CI variable."""

import gc
import os
import sys
from collections import defaultdict
from contextlib import suppress
from importlib import import_module
from zlib import crc32

from hypothesis import HealthCheck, settings

# read when NumPy and torch are loaded, by child processes too: matrices and networks here are small, and threads of two
# workers on two cores wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

try:
    # examples follow from the test alone, not from numbers in whichever of our modules happen to be loaded
    providers = import_module("hypothesis.internal.conjecture.providers")
    without_ours = providers._local_constants  # empty, until hypothesis reads the modules
    providers._get_local_constants = lambda: without_ours
except (ImportError, AttributeError):
    pass  # another version: examples are derandomised, but may depend on which tests run

settings.register_profile(
    "same",
    deadline=None,
    max_examples=12,
    print_blob=True,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# for `make explore`: no database, so that a seed says everything
settings.register_profile("explore", settings.get_profile("same"), derandomize=False, database=None)
settings.load_profile("same")
os.environ["PDE_COMPILE"] = "wait"  # solvers take compiled kernels whether or not this machine has them yet

MANY = 5000
"""Tests from which on kernels are compiled before the first one runs: as many need all of them."""


def pytest_collection_modifyitems(config, items):
    """Mark what a run of everything leaves out, which `make test-more` runs; a run of some files takes all cases.

    Of a test with 3 cases or more a half is run, of 6 or more a third, of 24 or more a quarter.
    """
    if len(items) < MANY and [arg.rstrip("/") for arg in config.args] != ["tests/mpi"]:
        return
    cases = defaultdict(list)
    for item in items:
        if hasattr(item, "callspec") and item.get_closest_marker("slow") is None:
            cases[item.nodeid.partition("[")[0]].append(item)
    for found in cases.values():
        found.sort(key=lambda item: crc32(item.nodeid.encode()))  # mixed, so that every value of a parameter is taken
        part = next(part for least, part in ((24, 4), (6, 3), (3, 2), (1, 1)) if len(found) >= least)
        for item in found[-(-len(found) // part) :]:
            item.add_marker("more")


def pytest_runtest_setup(item):
    """Give torch as many threads as it began with, whatever the test before has left."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def pytest_collection_finish(session):
    """Compile kernels, of each worker others: two that meet the same test file would compile the same side by side."""
    gc.freeze()  # collected tests stay, and garbage collections need not look at all of them again
    if not hasattr(session.config, "workerinput") or len(session.items) < MANY:
        return
    from pde.backends.numba import compilation, stamps
    from pde.backends.numba.variants import EVERY

    rare = {(2, "float32", "varying"), (3, "float32", "varying"), (3, "float32", "batch")}  # slow tests take them
    needed = [each for each in EVERY if each not in rare]
    for variant in sorted(needed, key=lambda each: (-each.ndim, each.coefficients == "batch")):
        with suppress(Exception):  # the tests tell what cannot be compiled or kept
            held = stamps.lock(variant)
            if held is None or stamps.is_compiled(variant):
                continue
            compilation.compile_variant(variant)
            held.release()
