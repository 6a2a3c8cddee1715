"""Random networks for tests, with operators of known size."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from nets import DenseNetConfig, MgNetConfig, MgNOConfig, PlainConfig, ResNetConfig
from nets.models import registry
from nets.naming.grammar import NONLINEAR, PLAIN, RESNETS, SCHEMES
from nets.naming.resnet_config import ONLY

ACTIVATIONS = ("relu", "identity", "prelu", "gelu", "hat:2", "hat-trained", "hat-height:3", "hat-height-trained:2.5")
MULTI_STEP, CHEBYSHEV = "multi-step:1;0.5,0.5;0.25,0,0.75", "chebyshev:1,1.5,0.5"
EPS = torch.finfo(torch.float64).eps
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
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
    settings["activation"] = draw(st.sampled_from(ACTIVATIONS))
    given = (MULTI_STEP, CHEBYSHEV) if max(nu) == 3 else ()
    settings["iteration"] = draw(st.sampled_from(("single", "single", "multi-step", "chebyshev", *given)))
    settings["in_channels"], settings["num_classes"] = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    if fixed.get("family") == "V-MgNet":
        if settings.get("transfers", "trained") != "trained":
            settings["channels_u"] = settings["channels_u"][:1] * grids
        sweeps = st.lists(st.integers(0, 3), min_size=grids - 1, max_size=grids - 1)
        settings["nu_post"] = draw(st.none() | sweeps) if max(nu) == 3 or "," not in settings["iteration"] else None
    return MgNetConfig(nu=tuple(nu), **{**settings, **fixed})


@st.composite
def all_configs(draw: Any) -> MgNetConfig:
    """The configurations of `configs`, with nonlinear A among them, and GDFI."""
    config = draw(configs())
    kind = draw(st.sampled_from(("MgNet", NONLINEAR, "GDFI")))
    if kind == "MgNet":
        return config
    if kind == NONLINEAR:
        return replace(config, A=NONLINEAR, form="feature")
    A, B = draw(st.sampled_from(SCHEMES)), draw(st.sampled_from(SCHEMES))
    config = replace(config, nu=(max(config.nu[0], 1), *config.nu[1:]), pi="1", extractor="variable")
    return replace(config, family="GDFI", A=A, B=B, norm=draw(st.sampled_from(("inside", "after"))), form="auto")


@st.composite
def resnets(draw: Any, **fixed: Any) -> ResNetConfig:
    """Configurations of up to three grids; `fixed` are settings that do not vary."""
    grids = draw(st.integers(1, 3))
    nu = tuple(draw(st.lists(st.integers(1, 3), min_size=grids, max_size=grids)))
    channels = tuple(draw(st.lists(st.integers(1, 4), min_size=grids, max_size=grids)))
    fits = [
        kind for kind in RESNETS if all(fixed.get(name, value) == value for name, value in ONLY.get(kind, {}).items())
    ]
    kind = fixed.get("kind") or draw(st.sampled_from(fits))
    settings = {
        "kind": kind,
        "A": draw(st.sampled_from(("A^l", "A^{l,i}"))),
        "B": draw(st.sampled_from(("B^l", "B^{l,i}"))),
        "sharing": draw(st.sampled_from(("literal", "tables"))),
        **ONLY.get(kind, {}),
        **draw(_settings()),
    }
    return ResNetConfig(nu, channels, **{**settings, **fixed})


@st.composite
def densenets(draw: Any, **fixed: Any) -> DenseNetConfig:
    grids = draw(st.integers(1, 3))
    numbers = st.lists(st.integers(1, 3), min_size=grids, max_size=grids).map(tuple)
    nu = draw(numbers)
    growth = [draw(st.integers(1, 3) | st.lists(st.integers(1, 3), min_size=n, max_size=n)) for n in nu]
    return DenseNetConfig(nu, draw(numbers), growth, **{**draw(_settings()), **fixed})


@st.composite
def mgnos(draw: Any, **fixed: Any) -> MgNOConfig:
    grids = draw(st.integers(1, 3))
    form = fixed.get("form") or draw(st.sampled_from(("residual", "published")))
    published = form == "published"
    nu = [draw(st.integers(int(published or l + 1 == grids), 3)) for l in range(grids)]
    nu_post = [0 if published else draw(st.integers(0, 2)) for _ in nu[1:]]
    channels = draw(st.lists(st.integers(1, 3), min_size=grids, max_size=grids))
    padding = draw(st.sampled_from(("zeros", "reflect", "circular")))
    settings = {**draw(_settings()), "batch_norm": False, "form": form, "padding": padding}
    settings["layers"] = draw(st.integers(1, 3))
    return MgNOConfig(tuple(nu), tuple(channels), tuple(nu_post), **{**settings, **fixed})


@st.composite
def plains(draw: Any, kinds: Any = PLAIN, **fixed: Any) -> PlainConfig:
    grids, kind = draw(st.integers(1, 3)), draw(st.sampled_from(kinds))
    numbers = st.lists(st.integers(1, 3), min_size=grids, max_size=grids).map(tuple)
    widths = (draw(numbers), draw(numbers)) if kind == "VGG" else ()
    return PlainConfig(kind, *widths, **{**draw(_settings()), **fixed})


@st.composite
def _settings(draw: Any) -> dict[str, Any]:
    """Settings of every network, for any number of grids."""
    return {
        "activation": draw(st.sampled_from(ACTIVATIONS)),
        "batch_norm": draw(st.booleans()),
        "in_channels": draw(st.integers(1, 3)),
        "num_classes": draw(st.integers(0, 3)),
    }


def network(config: Any, seed: int = 0) -> Any:
    """A float64 network in evaluation mode whose convolutions and batch norms have maximum norms of at most 1.

    Running statistics, weights and biases of batch norms, and the alpha_i, are random.
    """
    torch.manual_seed(seed)
    model = registry.network(config).double().eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, CONVOLUTIONS):
                module.weight /= module.weight.abs().flatten(1).sum(1).max()
            if isinstance(module, TRANSPOSED):
                module.weight /= module.weight.abs().transpose(0, 1).flatten(1).sum(1).max()
            if isinstance(module, BATCH_NORMS):
                module.weight.uniform_(-1, 1)
                module.bias.uniform_(-0.5, 0.5)
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(1, 2)
        for name, weight in model.named_parameters():
            if name.startswith(("alpha", "k.")):
                weight.uniform_(-1, 1)
            if "logits" in name or "omega" in name:
                weight.uniform_(0.5, 1.5)
            if isinstance(model.get_submodule(name.rpartition(".")[0]), nn.PReLU):
                weight.uniform_(-1, 1)
            if "log_support" in name:
                weight.uniform_(0.7, 1.5)
    return model


def images(config: Any, size: int = 7, count: int = 2) -> torch.Tensor:
    return torch.randn(count, config.in_channels, *(size + i for i in range(config.dims)), dtype=torch.float64)


def tolerance(config: MgNetConfig) -> float:
    """A bound on what rounding changes in the states of `network(config)`, relative to the largest of their values.

    A convolution adds 9 c eps. All operators have norm at most 1, but K_R, with norm 4 (2^dims): a sweep then at most
    doubles an error of r and adds it to u, and a transition multiplies it by 4 and adds A Pi u. A Chebyshev sweep with
    omega <= 1.5 multiplies by 1.5 * 2 + 0.5 at most, and GELU, with slopes up to 1.13, by 1 + 1.13^2.
    """
    length = 3**config.dims * max(*config.channels_u, *config.channels_f, config.in_channels)
    sweeps, transitions = sum(config.nu), len(config.nu) - 1
    operations = 3 * sweeps * max(config.nu) + 4 * transitions + 1
    growth = 3.5 if config.iteration.startswith("chebyshev") else 2.0
    growth, slope = (1.3 * growth, 1.13) if config.activation == "gelu" else (growth, 1.0)
    return 4 * EPS * length * operations * growth**sweeps * (slope * 2.0 ** (config.dims + 1)) ** transitions


def norm(v: torch.Tensor) -> float:
    return float(v.detach().norm())


def check_registered_once_and_used(config: Any) -> None:
    """No tensor of a network is registered twice, and every parameter has a gradient."""
    model = registry.network(config).train()
    tensors = list(model.state_dict(keep_vars=True).values())
    assert len({id(t) for t in tensors}) == len(tensors)
    model(torch.randn(3, config.in_channels, 9, 8)).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def rounding_bound(W: Any, f: torch.Tensor) -> torch.Tensor:
    """What rounding changes at most in every value of W f, W a linear cycle of an MgNO.

    No term of a sum meets more roundings than the products and sums of all convolutions, f - A u and u + d, in which A
    acts up to 5 times per grid. The sum of the sizes of all terms is W of |f| with the absolute values of all weights
    and f + |A| |u| for f - A u.
    """
    sizes = copy.deepcopy(W)
    for name, weight in sizes.named_parameters():
        weight.data = weight.data.abs() * (-1 if name.startswith("A.") else 1)
    return EPS * 5 * sum(weight.numel() + 3 for weight in W.parameters()) * sizes(f.abs())
