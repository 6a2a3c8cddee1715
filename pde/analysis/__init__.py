"""Local Fourier analysis: predict the convergence of a hierarchy before any run.

It runs the cycles of `mgcore` on symbols; measuring a factor on a grid is in `pde.solver`.
"""
