"""The same examples for everybody: on every machine, in whatever order tests run, with or without a CI variable."""

import os

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

os.environ["PDE_COMPILE"] = "wait"  # solvers take compiled kernels whether or not this machine has them yet

# examples follow from the test alone, not from numbers in whichever of our modules happen to be loaded
if hasattr(providers, "_local_constants"):  # private: where another version has it not, that is all that is lost
    providers._get_local_constants = lambda: providers._local_constants

settings.register_profile(
    "same",
    deadline=None,
    max_examples=25,
    print_blob=True,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
# for `make explore`: no database, so that a seed says everything
settings.register_profile("explore", settings.get_profile("same"), derandomize=False, database=None)
settings.load_profile("same")
