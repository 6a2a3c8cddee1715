"""Other solvers of -Laplace u = f on the unit square and cube with zero data, each at its best: planned, in place."""
