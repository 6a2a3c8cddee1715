"""Backends run the cycles of a solver, all behind the interface in `base`.

A backend takes levels and runs cycles on them; it never chooses them (`pde.levels`), and never stops a solve
(`pde.solver`). There are plain levels, mixed precision, compiled kernels (`numba`) and tensors (`torch`).
"""
