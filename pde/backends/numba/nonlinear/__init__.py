"""Compiled loops of nonlinear levels, around functions of the user: sweeps, A(u), maps between grids.

Values of c(u, x) and its derivative come from NumPy, for a few rows at a time, so that they stay in the cache.
"""
