"""Derivatives of the solution by the implicit adjoint, of linear problems and of nonlinear ones.

Imported where arguments are tensors; `pde.solve_poisson` and `pde.solve_nonlinear` do it.
"""

from pde.autodiff.linear import solve_poisson
from pde.autodiff.nonlinear import solve_nonlinear

__all__ = ["solve_nonlinear", "solve_poisson"]
