"""The operators of a network: zero-padded 3 x 3 convolutions in 1, 2 or 3 dimensions, trained or fixed."""

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
_apply = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_transpose = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


def convolution(dims: int, c_in: int, c_out: int, *, stride: int = 1, size: int = 3) -> nn.Module:
    """K * with stride 1 or K *_2 with stride 2, zero padded, without bias: (3.7), (3.12).

    It takes (N, c_in, n, ...) to (N, c_out, ceil(n / stride), ...). Weights are Kaiming normal (fan out, ReLU).
    """
    conv = CONVOLUTION[dims](c_in, c_out, size, stride=stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")  # type: ignore[arg-type]
    return conv


def normalisation(dims: int, channels: int, *, enabled: bool = True) -> nn.Module:
    """Batch norm for (N, channels, n, ...), or the identity."""
    return BATCH_NORM[dims](channels) if enabled else nn.Identity()


class SharedKernel(nn.Module):
    """One 3 x 3 kernel with stride 2, the same for every channel: Pi_2 of S19 section 9.1, and the fixed transfers.

    It takes (N, c, n, ...) to (N, c, ceil(n / 2), ...) for any c.

    Args:
        dims: 1, 2 or 3.
        kernel: fixed values, kept as a buffer; None makes a trained kernel of 3^dims weights.
    """

    weight: Tensor

    def __init__(self, dims: int, kernel: Tensor | None = None) -> None:
        super().__init__()
        self.dims = dims
        if kernel is None:
            self.weight = nn.Parameter(torch.empty((1, 1) + (3,) * dims))
            nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        else:
            self.register_buffer("weight", kernel[None, None].clone())

    def forward(self, x: Tensor) -> Tensor:
        return _apply[self.dims](x, self._weights(x), stride=2, padding=1, groups=x.shape[1])

    def _weights(self, x: Tensor) -> Tensor:
        return self.weight.expand((x.shape[1],) + (-1,) * (self.dims + 1))

    def extra_repr(self) -> str:
        return f"dims={self.dims}, trained={isinstance(self.weight, nn.Parameter)}"


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


def restriction(transfers: str, dims: int, c_in: int, c_out: int) -> nn.Module:
    """R of (6.6): trained c_in -> c_out, or the fixed K_R on every channel."""
    if transfers == "trained":
        return convolution(dims, c_in, c_out, stride=2)
    return SharedKernel(dims, restriction_kernel(transfers, dims))


def feature_map(pi: str, transfers: str, dims: int, c_in: int, c_out: int) -> nn.Module:
    """Pi of (6.5): Pi_1 trained c_in -> c_out, Pi_2 one trained kernel for all channels, or K_R / 2^dims.

    The fixed one is a weighted mean, which keeps constants inside; at a side its window reaches into the zero padding:
    of ones 3/4 are left on an edge of a plane, 9/16 in a corner.
    """
    if pi == "2":
        return SharedKernel(dims)
    if transfers == "trained":
        return convolution(dims, c_in, c_out, stride=2)
    return SharedKernel(dims, restriction_kernel(transfers, dims) / 2**dims)


def prolongation(transfers: str, dims: int, c_in: int, c_out: int) -> nn.Module:
    """P of (6.15): trained c_in -> c_out, a transposed 3 x 3 convolution with stride 2, or K_R transposed.

    It takes (N, c_in, n, ...) and output_size, each 2 n - 1 or 2 n, to (N, c_out, output_size).
    """
    if transfers != "trained":
        return Interpolation(dims, restriction_kernel(transfers, dims))
    P: Any = TRANSPOSED[dims](c_in, c_out, 3, stride=2, padding=1, bias=False)
    # a fine pixel sees 3^dims / 2^dims of the weights on average: values keep their size
    nn.init.normal_(P.weight, std=(c_in * 1.5**dims) ** -0.5)
    module: nn.Module = P
    return module


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
