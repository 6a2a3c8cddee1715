"""What runs the cycles: plain levels, mixed precision, compiled kernels (`numba`) and tensors (`torch`).

A backend is given levels and makes them fast; it never chooses them (`pde.levels`) and never stops a solve (`pde.solver`).
"""
