"""A problem on every grid: coarsening, transfers, smoothers and the coarsest solver, as levels of `mgcore`.

Discretisation is in `pde.problem`; the fast forms of a cycle are in `pde.backends`.
"""
