"""A problem on every grid: coarsening, transfers, smoothers and the coarsest solver, as levels of `mgcore`.

Discretisation is in `pde.problem`; what makes a cycle fast is in `pde.backends`.
"""
