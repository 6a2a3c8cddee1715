"""The backend of many machines: slabs of planes, one per rank of an MPI communicator.

`choice` makes it: `backend` in one precision, `mixed` in two. `slabs` divides the planes of all levels, `executor` runs
the plans of `pde.backends.numba` on them, and `exchange` sends what a rank lacks.
"""
