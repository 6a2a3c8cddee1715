"""The equation on one grid: axes, sides, coefficients, the operator, boundary data.

Nothing here knows of coarser grids or of solving.
"""
