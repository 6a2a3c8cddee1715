"""What the user holds: `Multigrid`, the loop until the residual is small, and the `Solution`.

How a cycle is made is the business of `pde.backends`; the problem itself is in `pde.problem`.
"""
