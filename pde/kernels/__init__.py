"""Compiled kernels: the moves of the levels, several of them in one pass over a grid."""
