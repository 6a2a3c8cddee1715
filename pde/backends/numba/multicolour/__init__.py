"""Cycles on kernels compiled by Numba for domains and coefficients that jump: rows of any 3^d-point operator.

The plain levels that specify the result are in `pde.levels`.
"""
