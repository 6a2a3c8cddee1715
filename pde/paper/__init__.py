"""Section 5 of the paper as it is printed: levels that are convolutions with fixed kernels.

The solver does not use it; it is there to check the paper's equations.
"""
