"""Convolutions, norms and the stem from the numbers in a state_dict, by torch's functions or by formulas alone."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F


def conv(weights: Any, name: str, v: torch.Tensor, stride: int = 1) -> torch.Tensor:
    K = weights[f"{name}.weight"]
    return F.conv2d(v, K, weights.get(f"{name}.bias"), padding=K.shape[-1] // 2, stride=stride)


def norm(config: Any, weights: Any, name: str, v: torch.Tensor) -> torch.Tensor:
    """The norm of this name in evaluation mode, or v where there is none."""
    if f"{name}.weight" not in weights:
        return v
    kind, _, groups = config.norm_layer.partition(":")
    w, b = (weights[f"{name}.{k}"][:, None, None] for k in ("weight", "bias"))
    if kind == "batch":
        mean, var = (weights[f"{name}.{k}"][:, None, None] for k in ("running_mean", "running_var"))
        return (v - mean) / (var + 1e-5).sqrt() * w + b
    if kind == "layer":
        mean = v.mean(1, keepdim=True)
        return (v - mean) / ((v - mean).square().mean(1, keepdim=True) + 1e-6).sqrt() * w + b
    parts = []
    for part in v.chunk(int(groups or 32), dim=1):
        mean = part.mean((1, 2, 3), keepdim=True)
        parts.append((part - mean) / ((part - mean).square().mean((1, 2, 3), keepdim=True) + 1e-5).sqrt())
    return torch.cat(parts, 1) * w + b


def stem(config: Any, weights: Any, x: torch.Tensor, s: Any) -> torch.Tensor:
    """f of the finest grid, s being the activation there."""
    if config.stem == "identity":
        return x
    f = conv(weights, "stem.conv", x)
    return f if config.stem == "linear" else s(norm(config, weights, "stem.norm", f))
