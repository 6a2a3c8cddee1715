"""Cycles on tensors: operation by operation, or compiled by torch.compile.

Torch is imported here only when a solver asks for tensors; derivatives are in `pde.autodiff`.
"""
