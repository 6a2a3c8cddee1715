"""Cycles on tensors: compiled by torch.compile, or replayed from CUDA graphs.

Torch is imported here only when a solver asks for tensors; derivatives are in `pde.autodiff`.
"""
