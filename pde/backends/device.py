"""The device of a solver: users' arrays and tensors are read to it, and results given back as they came."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from pde.common.arguments import described
from pde.common.arrays import as_numpy, convert, copied, each_tensor, import_torch, is_tensor


@dataclass(frozen=True)
class Device:
    """The host's arrays, or tensors on a device.

    Args:
        name: "cpu", or torch's name of a GPU.
        on_tensors: whether the cycles run on tensors; on the host a tensor and an array share their memory.
    """

    name: str = "cpu"
    on_tensors: bool = False

    def read(self, name: str, x: Any, imaginary: bool = False) -> Any:
        """Read an argument: tensors of the host become arrays, tensors of a GPU stay as they are.

        Args:
            imaginary: whether a tensor may be complex.

        Raises:
            TypeError, ValueError: a tensor that wants a gradient, holds no real numbers or lies on another device.
        """
        if isinstance(x, Mapping):
            return {key: self.read(f"{name}[{key}]", value, imaginary) for key, value in x.items()}
        if not is_tensor(x):
            return x
        check_tensor(name, x, imaginary)
        if x.device != self._exact():
            raise ValueError(
                f"{name} is a tensor on {x.device}, and this solver works on {self._exact()}; move the tensor, or make "
                f"the solver with Multigrid(problem, device={str(x.device)!r})"
            )
        return x.detach().resolve_conj().resolve_neg().numpy() if x.device.type == "cpu" else x.detach()

    def convert(self, x: Any, dtype: np.dtype) -> Any:
        """x as cycles on this device take it: as a tensor in `dtype`, or on arrays as it is."""
        return convert(x, self.where, dtype) if self.on_tensors else x

    @property
    def where(self) -> Any:
        """The device as `to` of levels takes it: None for arrays."""
        return self._exact() if self.on_tensors else None

    def give(self, u: Any, as_tensor: bool) -> Any:
        """A result as the user wants it; nothing is copied on the host."""
        if as_tensor == is_tensor(u):
            return u
        if as_tensor:
            import torch

            return torch.from_numpy(u)
        return as_numpy(u)

    def without_gradients(self) -> AbstractContextManager[Any]:
        """Tensors made in this context record no gradients."""
        if not self.on_tensors:
            return nullcontext()
        import torch

        return torch.no_grad()

    def _exact(self) -> Any:
        """The device with its number."""
        import torch

        return torch.empty(0, device=self.name).device


def protected(u: Any) -> Any:
    """u for others to read: an array as a read-only view, a tensor, which cannot be read-only, as a copy."""
    if is_tensor(u):
        return copied(u)
    view = u.view()
    view.flags.writeable = False
    return view


def host(x: Any) -> Any:
    """Tensors as arrays of the host, alone or in dictionaries, lists and tuples."""
    return each_tensor(x, as_numpy)


def check_tensor(name: str, x: Any, imaginary: bool = False) -> None:
    """Refuse a tensor that a solver cannot take.

    Raises:
        TypeError: not real numbers, or derivatives that are not recorded.
    """
    import torch

    if torch._C._functorch.is_functorch_wrapped_tensor(x):
        raise TypeError(
            f"{name} is traced by torch.vmap or torch.func, which cannot see into a solve; leading axes of f are a "
            "batch without vmap, and derivatives of pde.solve_poisson come from backward() or torch.autograd.grad"
        )
    if x.layout != torch.strided or (x.is_complex() and not imaginary) or x.is_quantized:
        raise TypeError(f"{name} must hold real numbers in a dense tensor, got {x.dtype} and {x.layout}")
    if x.dtype in (torch.float16, torch.bfloat16, torch.complex32):
        raise TypeError(f"{name} must be float32, float64 or whole numbers, got {x.dtype}; use {name}.float()")
    if x.requires_grad and torch.is_grad_enabled():
        raise TypeError(
            f"{name} wants a gradient, which Multigrid does not record; use pde.solve_poisson, or {name}.detach()"
        )


def read_device(device: Any) -> str:
    """ "cpu", or a GPU that torch finds.

    Raises:
        ValueError: another name, or a GPU that is not there.
    """
    kind, _, number = str(device).partition(":")
    if (
        kind not in ("cpu", "cuda")
        or (number and not number.isdecimal())
        or (kind == "cpu" and number not in ("", "0"))
    ):
        raise ValueError(f"device must be 'cpu', 'cuda' or 'cuda:N', got {described(device)}")
    if kind == "cpu":
        return "cpu"
    there = import_torch(f"device={str(device)!r}").cuda.device_count()
    if int(number or 0) >= there:
        found = f"{there} GPU{'s' * (there > 1)}" if there else "no GPU"
        raise ValueError(f"device={str(device)!r}: torch finds {found} on this machine; use 'cpu'")
    return str(device)
