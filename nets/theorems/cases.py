"""Every theorem with a random case, and the table that `python -m nets theorems` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nets import zoo
from nets.config import MgNetConfig
from nets.mgnet import MgNet
from nets.theorems.deviation import largest
from nets.theorems.plain import theorem_8_3
from nets.theorems.residuals import chebyshev_is_lm_resnet, multi_step_is_dense, residual_form, theorem_8_1
from nets.theorems.resnets import lemma_8_2, shared_A, sign_of_A


def random_network(name: str, seed: int, **settings: Any) -> Any:
    """A float64 network in evaluation mode with random weights; batch norms have random statistics."""
    torch.manual_seed(seed)
    model = zoo.network(zoo.configuration(name, **settings)).double().eval()
    _with_statistics(model)
    for name, weight in model.named_parameters():
        if "logits" in name or "omega" in name:
            weight.data.uniform_(0.5, 1.5)
    return model


def _with_statistics(model: Any) -> Any:
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return model


def _case(theorem: Callable[[Any, Tensor], float], name: str, **settings: Any) -> Callable[[int], float]:
    def run(seed: int) -> float:
        model = random_network(name, seed, **settings)
        return theorem(model, torch.randn(2, 3, 16, 12, dtype=torch.float64))

    return run


def _plain_network(first: str) -> Callable[[int], float]:
    """A random plain network, in the order of (8.8) or (8.10), with strides, pooling, batch norm and a linear head."""

    def run(seed: int) -> float:
        torch.manual_seed(seed)
        body: list[nn.Module] = []
        for c_in, c_out, stride in ((3, 6, 1), (6, 5, 2), (5, 8, 1)):
            K = nn.Conv2d(c_in, c_out, 3, stride, padding=1)
            body += [nn.ReLU(), K] if first == "activation" else [K, nn.BatchNorm2d(c_out), nn.ReLU()]
        cnn = nn.Sequential(*body, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 4 * 3, 10)).double().eval()
        return theorem_8_3(_with_statistics(cnn), torch.randn(2, 3, 16, 12, dtype=torch.float64))

    return run


def _gdfi(seed: int) -> float:
    """GDFI with A: K, B: sigma.K.sigma and batch norm inside sigma has the modules and the values of an MgNet."""
    model = random_network("GDFI[2,2]-[(4,6),(8,6)]-A:K-B:sigma.K.sigma", seed, norm="inside")
    other = MgNet(MgNetConfig.parse("MgNet[2,2]-[(4,6),(8,6)]-B^{l,i}", transfer_activation=False)).double().eval()
    other.load_state_dict(model.state_dict())
    x = torch.randn(2, 3, 16, 12, dtype=torch.float64)
    return largest([v.u for v in model.visits(x)], [v.u for v in other.visits(x)])


_SIGMA = "sigma-ResNet[2,2,2]-[4,6,6]"
_LINEAR = {"iteration": "multi-step", "activation": "identity", "batch_norm": False}
_NET = "MgNet[3,2,2]-[(6,4),(6,8),(8,8)]-B^{l,i}"
THEOREMS: tuple[tuple[str, str, Callable[[int], float]], ...] = (
    ("Theorem 8.1: MgNet's residual is Mg-iResNet", "ReLU, batch norm per use", _case(theorem_8_1, _NET)),
    ("Feature form is residual form, (6.7)", "single step", _case(residual_form, _NET)),
    ("    (6.8)", "multi-step", _case(residual_form, _NET, iteration="multi-step")),
    ("    (6.9)", "Chebyshev-semi", _case(residual_form, _NET, iteration="chebyshev")),
    ("Lemma 8.2: ResNet, with minus, is sigma-ResNet", "three grids", _case(lemma_8_2, _SIGMA, batch_norm=False)),
    ("(8.7): Mg-ResNet is sigma-ResNet with one A", "batch norm per use", _case(shared_A, "Mg-ResNet[2,2]-[4,6]")),
    ("(8.7): Mg-iResNet is iResNet with -A, one A", "batch norm per use", _case(sign_of_A, "Mg-iResNet[2,2]-[4,6]")),
    ("Theorem 8.3 corrected: a given CNN, with fixed xi", "(8.8) is (8.9)", _plain_network("activation")),
    ("", "(8.10) is (8.11)", _plain_network("convolution")),
    ("(3.22): multi-step is DenseNet without activation", "linear", _case(multi_step_is_dense, _NET, **_LINEAR)),
    ("", "B with ReLU, batch norm", _case(multi_step_is_dense, _NET, iteration="multi-step")),
    ("(3.24) corrected: Chebyshev is LM-ResNet", "ReLU", _case(chebyshev_is_lm_resnet, _NET, iteration="chebyshev")),
    ("GDFI with A: K, B: sigma.K.sigma is MgNet", "batch norm inside sigma", _gdfi),
)
"""What is the same, with what, and seed -> the largest relative deviation of a random case."""


def run(seeds: int = 5) -> dict[str, float]:
    """Print the theorems with the largest deviation over so many random cases; returns the deviations."""
    found: dict[str, float] = {}
    title = ""
    print(f"{'what is the same':<54}{'with':<28}largest deviation")
    with torch.no_grad():
        for claim, case, deviation in THEOREMS:
            title = claim.strip() or title
            found[f"{title}: {case}"] = worst = max(deviation(seed) for seed in range(seeds))
            print(f"{claim:<54}{case:<28}{worst:.1e}")
    print(f"Relative to the largest value, over {seeds} random cases each; float64 rounds at 1.1e-16.")
    return found
