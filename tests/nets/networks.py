"""Random networks for tests, with operators of known size."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from nets import MgNet, MgNetConfig

EPS = torch.finfo(torch.float64).eps
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@st.composite
def configs(draw: Any, **fixed: Any) -> MgNetConfig:
    """Configurations of up to three grids; `fixed` are settings that do not vary."""
    grids = draw(st.integers(1, 3))
    nu = draw(st.lists(st.integers(1, 3), min_size=grids, max_size=grids))
    widths = st.lists(st.integers(1, 4), min_size=grids, max_size=grids)
    settings: dict[str, Any] = {"pi": draw(st.sampled_from("012"))}
    if settings["pi"] != "0":
        nu[1:] = [draw(st.integers(0, 2)) for _ in nu[1:]]
    if settings["pi"] != "2":
        settings["transfers"] = draw(st.sampled_from(("trained", "bilinear", "linear")))
    c_u, c_f = draw(widths), draw(widths)
    same = settings["pi"] == "2" or settings.get("transfers", "trained") != "trained"
    settings["channels_u"] = c_u[:1] * grids if same else c_u
    settings["channels_f"] = c_f[:1] * grids if same else c_f
    settings["extractor"] = draw(st.sampled_from(("constant", "scaled", "variable")))
    for name in ("transfer_activation", "batch_norm"):
        settings[name] = draw(st.booleans())
    settings["activation"] = draw(st.sampled_from(("relu", "identity")))
    settings["in_channels"], settings["num_classes"] = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    return MgNetConfig(nu=tuple(nu), **{**settings, **fixed})


def network(config: MgNetConfig, seed: int = 0) -> MgNet:
    """A float64 network in evaluation mode whose convolutions and batch norms have maximum norms of at most 1.

    Running statistics, weights and biases of batch norms, and the alpha_i, are random.
    """
    torch.manual_seed(seed)
    model = MgNet(config).double().eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, CONVOLUTIONS):
                module.weight /= module.weight.abs().flatten(1).sum(1).max()
            if isinstance(module, BATCH_NORMS):
                module.weight.uniform_(-1, 1)
                module.bias.uniform_(-0.5, 0.5)
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(1, 2)
        for name, weight in model.named_parameters():
            if name.startswith("alpha"):
                weight.uniform_(-1, 1)
    return model


def images(config: MgNetConfig, size: int = 7, count: int = 2) -> torch.Tensor:
    return torch.randn(count, config.in_channels, *(size + i for i in range(config.dims)), dtype=torch.float64)


def tolerance(config: MgNetConfig) -> float:
    """What rounding can do to the states of `network(config)`, relative to the largest value in any of them.

    A convolution adds 9 c eps. All operators have norm at most 1, but K_R, with norm 4 (2^dims): a sweep then at most
    doubles an error of r and adds it to u, and a transition multiplies it by 4 and adds A Pi u.
    """
    length = 3**config.dims * max(*config.channels_u, *config.channels_f, config.in_channels)
    sweeps, transitions = sum(config.nu), len(config.nu) - 1
    operations = 3 * sweeps + 4 * transitions + 1
    return 4 * EPS * length * operations * 2.0 ** (sweeps + (config.dims + 1) * transitions)


def norm(v: torch.Tensor) -> float:
    return float(v.detach().norm())
