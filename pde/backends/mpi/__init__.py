"""The backend of many machines: slabs of planes, one per rank of an MPI communicator.

`slabs` says which planes each rank makes and reads on every level, `exchange` sends those that it lacks, `executor`
runs the plans of `pde.backends.numba` step by step with messages before them; a solver sees `backend`.
"""
