"""Cycles on kernels compiled by Numba: several sweeps and transfers in one pass over a grid.

Numba is imported when a kernel is first needed; the plain levels that specify the result are in `pde.levels`.
"""
