"""Functions of the user that take torch tensors, on arrays, with their derivatives by autograd."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from pde.problem.grid import Array


class OnTensors:
    """A function of u and the coordinates that takes tensors, for arrays; with its derivative with respect to u."""

    def __init__(self, function: Callable[..., Any], takes_arrays: bool = False) -> None:
        self.__wrapped__, self._takes_arrays = function, takes_arrays  # the name is that of `inspect.signature`

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    @property
    def _torch(self) -> Any:
        import torch

        return torch

    @classmethod
    def of(cls, function: Callable[..., Any], u: Array, points: Sequence[Array]) -> OnTensors | None:
        """The function; None where it does not take tensors and let a gradient through, or torch is not loaded."""
        if isinstance(function, cls):
            return function
        if "torch" not in sys.modules:
            return None
        made = cls(function)
        try:
            v = made._tensor(u).requires_grad_()
            with warnings.catch_warnings(action="ignore"):
                result = made.on_tensors(v, points)
            if not (result.requires_grad and result.shape == v.shape and result.dtype == v.dtype):
                return None
        except Exception:  # anything that a function for arrays does with a tensor
            return None
        with suppress(Exception):
            values = function(u, *points)
            return cls(function, isinstance(values, np.ndarray) and values.shape == u.shape)
        return made

    def __call__(self, u: Array, *points: Array) -> Any:
        if self._takes_arrays:
            return self.__wrapped__(u, *points)
        with self._torch.no_grad():
            return self._on_host(self.on_tensors(self._tensor(u), points))

    def with_slope(self, u: Array, *points: Array) -> tuple[Any, Any]:
        """The values and the derivatives."""
        with self._torch.enable_grad():
            v = self._tensor(u).requires_grad_()
            result = self.on_tensors(v, points)
            if not (self._torch.is_tensor(result) and result.requires_grad):
                return self._on_host(result), 0.0
            (slope,) = self._torch.autograd.grad(result.sum(), v, materialize_grads=True)
        return self._on_host(result), slope.numpy()

    def on_tensors(self, u: Any, points: Sequence[Array]) -> Any:
        """Apply the function to tensors, with its gradients."""
        return self.__wrapped__(u, *(self._tensor(x).to(u.dtype) for x in points))

    def _tensor(self, values: Any) -> Any:
        """A copy, as torch warns of arrays that may not be written to."""
        return self._torch.from_numpy(np.array(values))

    def _on_host(self, result: Any) -> Any:
        return result.detach().cpu().numpy() if self._torch.is_tensor(result) else result
