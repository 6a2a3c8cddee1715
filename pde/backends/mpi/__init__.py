"""The backend of many machines: slabs of planes, one per rank of an MPI communicator."""
