"""A kind of kernels, and a solver that is too large for NumPy where the fixture `first` has lowered the limit."""

import pde
from pde.backends.numba.variants import Variant

PLAIN = Variant(2, "float64", "constant")
SHAPE = (33, 40)


def solver(**options):
    return pde.Multigrid(pde.Poisson(SHAPE), **options)
