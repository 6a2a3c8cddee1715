import os

from hypothesis import settings

settings.register_profile("local", deadline=None, max_examples=25, print_blob=True)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
os.environ["PDE_COMPILE"] = "wait"  # solvers take compiled kernels whether or not this machine has them yet
