"""Backends: what runs the cycles of a solver, all behind the seam in `base`.

A backend is given levels and makes them fast; it never chooses them (`pde.levels`), and never stops a solve
(`pde.solver`). They are plain levels, mixed precision, compiled kernels (`numba`) and tensors (`torch`).
"""
