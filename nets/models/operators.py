"""The operators of a network: padded 3 x 3 convolutions in 1, 2 or 3 dimensions, trained or fixed.

Padding (3.9) is "zeros", "reflect", about the first and last value, or "circular", around the other end: an operator
reads zero, Neumann or periodic values outside of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mgcore import stencils

CONVOLUTION: dict[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, type[nn.Module]] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
BATCH_NORM: dict[int, type[nn.Module]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
MAX_POOL: dict[int, type[nn.Module]] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOL: dict[int, type[nn.Module]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ADAPTIVE_POOL: dict[int, type[nn.Module]] = {
    1: nn.AdaptiveAvgPool1d,
    2: nn.AdaptiveAvgPool2d,
    3: nn.AdaptiveAvgPool3d,
}
CIRCULAR_PAD: dict[int, type[nn.Module]] = {1: nn.CircularPad1d, 2: nn.CircularPad2d, 3: nn.CircularPad3d}
_apply = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_transpose = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


def memory_format(x: Tensor) -> torch.memory_format:
    """The order in which the values of x lie, channels last or not."""
    last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(x.ndim, torch.contiguous_format)
    return last if not x.is_contiguous() and x.is_contiguous(memory_format=last) else torch.contiguous_format


def padded(x: Tensor, widths: Sequence[int], mode: str) -> Tensor:
    """x with more values at the ends of its last axes, in the memory format of x, which torch's "circular" forgets."""
    return functional.pad(x, widths, mode).contiguous(memory_format=memory_format(x))


def convolution(
    dims: int, c_in: int, c_out: int, *, stride: int = 1, size: int = 3, padding: str = "zeros", bias: bool = False
) -> nn.Module:
    """K * with stride 1 or K *_2 with stride 2, padded, and with a bias K * + b: (3.7), (3.9), (3.12).

    It takes (N, c_in, n, ...) to (N, c_out, ceil(n / stride), ...). Weights are Kaiming normal (fan out, ReLU), a bias
    is zero.
    """
    mode = padding if size > 1 else "zeros"  # other modes copy their input, also where there is nothing to pad
    make: Any = CONVOLUTION[dims]
    conv: nn.Module = make(c_in, c_out, size, stride=stride, padding=size // 2, bias=bias, padding_mode=mode)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")  # type: ignore[arg-type]
    if bias:
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


class SharedKernel(nn.Module):
    """One 3 x 3 kernel with stride 2, the same for every channel: Pi_2 of S19 section 9.1, and the fixed transfers.

    It takes (N, c, n, ...) to (N, c, ceil(n / 2), ...) for any c.

    Args:
        dims: 1, 2 or 3.
        kernel: fixed values, kept as a buffer; None makes a trained kernel of 3^dims weights.
        padding: "zeros", "reflect" or "circular" (3.9).
    """

    weight: Tensor
    padding_mode = "zeros"

    def __init__(self, dims: int, kernel: Tensor | None = None, padding: str = "zeros") -> None:
        super().__init__()
        self.dims = dims
        if padding != "zeros":  # else no attribute of its own, as in networks that were pickled before there was one
            self.padding_mode = padding
        if kernel is None:
            self.weight = nn.Parameter(torch.empty((1, 1) + (3,) * dims))
            nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        else:
            self.register_buffer("weight", kernel[None, None].clone())

    def forward(self, x: Tensor) -> Tensor:
        padding = 1
        if self.padding_mode != "zeros":
            x, padding = padded(x, (1, 1) * self.dims, self.padding_mode), 0
        return _apply[self.dims](x, self._weights(x), stride=2, padding=padding, groups=x.shape[1])

    def _weights(self, x: Tensor) -> Tensor:
        return self.weight.expand((x.shape[1],) + (-1,) * (self.dims + 1))

    def extra_repr(self) -> str:
        padding = "" if self.padding_mode == "zeros" else f", padding_mode={self.padding_mode!r}"
        return f"dims={self.dims}, trained={isinstance(self.weight, nn.Parameter)}{padding}"


class Mean(SharedKernel):
    """A fixed `SharedKernel` divided by the sum of its weights, or of those inside of the image.

    The latter keeps constants on every pixel, as other padding than zeros does. With weights >= 0 it keeps u >= 0.
    """

    def __init__(self, dims: int, kernel: Tensor, padding: str = "zeros", *, inside: bool = False) -> None:
        super().__init__(dims, kernel, padding)
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        weights = super().forward(torch.ones_like(x[:1, :1])) if self.inside else self.weight.sum()
        return super().forward(x) / weights


class Interpolation(SharedKernel):
    """The transpose of a fixed `SharedKernel`: P = R^T, which interpolates; values outside the coarse grid are zero.

    It takes (N, c, n, ...) and output_size, each 2 n - 1 or 2 n, to (N, c, output_size).
    """

    def forward(self, x: Tensor, output_size: Sequence[int]) -> Tensor:  # type: ignore[override]
        padding = [m - (2 * n - 1) for m, n in zip(output_size, x.shape[2:], strict=True)]
        settings: dict[str, Any] = {"stride": 2, "padding": 1, "output_padding": padding, "groups": x.shape[1]}
        return _transpose[self.dims](x, self._weights(x), **settings)


def is_linear(operator: nn.Module) -> bool:
    """Tell whether this is a linear map: a convolution without bias, a shared kernel or the identity."""
    convolution_without_bias = isinstance(operator, tuple(CONVOLUTION.values())) and operator.bias is None
    return convolution_without_bias or isinstance(operator, SharedKernel | nn.Identity)


def restriction_kernel(transfers: str, dims: int) -> Tensor:
    """K_R of (4.13) "bilinear", as a tensor product in 1 and 3 dimensions, or of (4.14) "linear", in 2 dimensions.

    Its weights sum to 2^dims: R is the transpose of interpolation.
    """
    if transfers == "linear" and dims != 2:
        raise ValueError(f'transfers="linear" is the 2-dimensional kernel (4.14), and dims is {dims}; use "bilinear"')
    if transfers == "linear":
        return torch.tensor(stencils.LINEAR)
    line = kernel = torch.tensor(stencils.BILINEAR[1])
    for _ in range(dims - 1):
        kernel = kernel[..., None] * line
    return kernel


def max_pool(dims: int, padding: str = "zeros") -> nn.Module:
    """Maximum over 3 pixels per axis with stride 2 (4.16), of the values there are; "circular" adds the other end's.

    Reflected values are among those there are.
    """
    if padding == "circular":
        return nn.Sequential(CIRCULAR_PAD[dims](1), MAX_POOL[dims](3, stride=2))
    return MAX_POOL[dims](3, stride=2, padding=1)


def restriction(
    transfers: str, dims: int, c_in: int, c_out: int, padding: str = "zeros", bias: bool = False
) -> nn.Module:
    """R of (6.6): trained c_in -> c_out, or on every channel K_R, the average (4.15) or the maximum (4.16)."""
    if transfers == "trained":
        return convolution(dims, c_in, c_out, stride=2, padding=padding, bias=bias)
    if transfers == "maximum":
        return max_pool(dims, padding)
    if transfers == "average":
        return Mean(dims, torch.ones((3,) * dims), padding)
    return SharedKernel(dims, restriction_kernel(transfers, dims), padding)


def feature_map(
    pi: str, transfers: str, dims: int, c_in: int, c_out: int, padding: str = "zeros", bias: bool = False
) -> nn.Module:
    """Pi of (6.5): Pi_1 trained c_in -> c_out, Pi_2 one trained kernel for all channels, or fixed on every channel.

    "nodal" takes every second value, "average" (4.15) and "bilinear" are means of the pixels there are, "maximum" is
    (4.16): all four keep constants, and u >= 0. Pi_1 where the transfers are fixed is theirs, for K_R as K_R / 2^dims;
    padded by zeros this one loses weight at a side: of ones 3/4 are left on an edge of a plane, 9/16 in a corner.
    """
    if pi == "2":
        return SharedKernel(dims, None, padding)
    kind = transfers if pi == "1" else pi
    if kind in ("trained", "maximum"):
        return restriction(kind, dims, c_in, c_out, padding, bias)
    if kind == "nodal":
        return SharedKernel(dims, functional.pad(torch.ones((1,) * dims), (1, 1) * dims))
    if pi == "1" and kind != "average":
        return SharedKernel(dims, restriction_kernel(kind, dims) / 2**dims, padding)
    kernel = torch.ones((3,) * dims) if kind == "average" else restriction_kernel(kind, dims)
    return Mean(dims, kernel, padding, inside=padding == "zeros")


def prolongation(transfers: str, dims: int, c_in: int, c_out: int, size: int = 3) -> nn.Module:
    """P of (6.15): trained c_in -> c_out, a transposed convolution of 3 or 4 pixels per axis, or K_R transposed.

    It takes (N, c_in, n, ...) and output_size, each 2 n - 1 or 2 n, to (N, c_out, output_size); `prolonged` pads it.
    """
    if transfers != "trained":
        return Interpolation(dims, restriction_kernel(transfers, dims))
    P: Any = TRANSPOSED[dims](c_in, c_out, size, stride=2, padding=1, bias=False)
    # a fine pixel sees 1 / 2^dims of the weights on average: values keep their size
    nn.init.normal_(P.weight, std=(c_in * (size / 2) ** dims) ** -0.5)
    module: nn.Module = P
    return module


def prolonged(P: Any, e: Tensor, size: Sequence[int], padding: str) -> Any:
    """P e on the finer grid of `size`, with padding (3.9).

    The last of an even number of fine pixels lies behind the last coarse one: it takes zero there, the value reflected
    about itself, which is the last, or the first one. Elsewhere a P of 3 pixels reads coarse pixels that there are; one
    of 4 pixels reads also the one before the first.
    """
    if getattr(P, "kernel_size", (3,))[0] == 4:
        return _prolonged_by_4(P, e, size, padding)
    if not all(type(n) is int for n in size):
        return _prolonged_to_any(P, e, size, padding)
    if padding == "zeros":
        return P(e, output_size=size)
    more = [n % 2 == 0 for n in size]
    mode = "replicate" if padding == "reflect" else padding
    e = padded(e, [int(k) for even in reversed(more) for k in (False, even)], mode)
    fine = P(e, output_size=[2 * n - 1 for n in e.shape[2:]])
    return fine[(..., *(slice(n) for n in size))]


def _prolonged_to_any(P: Any, e: Tensor, size: Sequence[int], padding: str) -> Tensor:
    """The same for the sizes of torch.export, which stand for any: one more coarse pixel everywhere, then cut off."""
    mode = {"zeros": "constant", "reflect": "replicate"}.get(padding, padding)
    e = padded(e, (0, 1) * len(size), mode)
    fine = P(e, output_size=[2 * n - 1 for n in e.shape[2:]])
    ends = [n - m for n, m in zip(size, fine.shape[2:], strict=True)]
    return padded(fine, [k for end in reversed(ends) for k in (0, end)], "constant")


def _prolonged_by_4(P: Any, e: Tensor, size: Sequence[int], padding: str) -> Tensor:
    first, dims = 0 if padding == "zeros" else 2, len(size)
    if padding == "circular":
        e = padded(e, (1, 1) * dims, padding)
    elif padding == "reflect":  # about the first coarse pixel, and about the last fine one
        e = padded(padded(e, (1, 0) * dims, padding), (0, 1) * dims, "replicate")
    fine = P(e)
    ends = [(-first, first + n - m) for n, m in zip(size, fine.shape[2:], strict=True)]
    # by padding and not by a slice, which torch.export would take for one parity of the sizes alone
    return padded(fine, [width for end in reversed(ends) for width in end], "constant")


def lists(counts: Sequence[int], make: Callable[[int], nn.Module]) -> Any:
    """Per grid l a list of counts[l] modules make(l): a ModuleList, which type checkers will not index twice."""
    return nn.ModuleList(nn.ModuleList(make(l) for _ in range(count)) for l, count in enumerate(counts))


def chain(*maps: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The maps one after the other, the first one first."""

    def apply(x: Tensor) -> Tensor:
        for map_ in maps:
            x = map_(x)
        return x

    return apply
