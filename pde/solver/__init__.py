"""The objects of the user: `Multigrid`, the loop until the residual is small, and the `Solution`.

Cycles are run by `pde.backends`; the problem itself is in `pde.problem`.
"""
