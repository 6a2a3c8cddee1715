"""Local Fourier analysis: how fast a hierarchy converges, before any run.

It runs the cycles of `mgcore` on symbols; measuring a factor on a grid is in `pde.solver`.
"""
