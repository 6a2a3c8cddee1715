"""Every theorem with a random case, and the table that `python -m nets theorems` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nets.models import registry
from nets.naming import lookup
from nets.theorems.feature_maps import average_is_a_grid, circular_shifts, constants_kept, negative_features
from nets.theorems.multigrid import lemma_4_1, theorem_6_1, theorem_6_1_v, two_jacobi_steps
from nets.theorems.nonlinear import beyond_theorem_6_1, theorem_6_1_nonlinear
from nets.theorems.plain import identity, theorem_8_3
from nets.theorems.pooling import appendix_a, restricted_is_dilated, strided_is_subsampled
from nets.theorems.residuals import (
    chebyshev_is_lm_resnet,
    gdfi_is_mgnet,
    multi_step_is_dense,
    residual_form,
    theorem_4_1,
    theorem_8_1,
)
from nets.theorems.resnets import iresnet_is_mgnet, lemma_8_2, shared_A, sign_of_A, skip_activation
from nets.theorems.unet import UNet, unet_is_v_mgnet


def random_network(name: str, seed: int, **settings: Any) -> Any:
    """A float64 network in evaluation mode with random weights; batch norms have random statistics."""
    torch.manual_seed(seed)
    model = registry.network(lookup.configuration(name, **settings)).double().eval()
    _with_statistics(model)
    for name, weight in model.named_parameters():
        if "logits" in name or "omega" in name:
            weight.data.uniform_(0.5, 1.5)
    return model


def _with_statistics(model: Any) -> Any:
    """Give batch norms random statistics."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return model


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def _case(
    theorem: Callable[[Any, Tensor], float], name: str, training: bool = False, **settings: Any
) -> Callable[[int], float]:
    """A theorem for a random network and images; in training mode both sides use the statistics of the batch."""

    def deviation(seed: int) -> float:
        model = random_network(name, seed, **settings).train(training)
        return theorem(model, _normal(8 if training else 2, 3, 16, 12))

    return deviation


def _plain_network(first: str) -> Callable[[int], float]:
    """A random plain network, in the order of (8.8) or (8.10), with strides, pooling, batch norm and a linear head."""

    def deviation(seed: int) -> float:
        torch.manual_seed(seed)
        body: list[nn.Module] = []
        for c_in, c_out, stride in ((3, 6, 1), (6, 5, 2), (5, 8, 1)):
            K = nn.Conv2d(c_in, c_out, 3, stride, padding=1)
            body += [nn.ReLU(), K] if first == "activation" else [K, nn.BatchNorm2d(c_out), nn.ReLU()]
        cnn = nn.Sequential(*body, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 4 * 3, 10)).double().eval()
        return theorem_8_3(_with_statistics(cnn), _normal(2, 3, 16, 12))

    return deviation


def _invertible(seed: int) -> float:
    """Theorem 4.1 for A = id + K with K of maximum norm 0.3, whose condition is at most 1.3 / 0.7."""
    model = random_network("MgNet[2,2]-[4,5]-B^{l,i}", seed)
    for A in model.A:
        A.weight.data *= 0.3 / A.weight.abs().flatten(1).sum(1).max()
        A.weight.data += identity(A.weight)
    return theorem_4_1(model, _normal(2, 3, 10, 9))


def _one_pixel(seed: int) -> float:
    return appendix_a(random_network("pre-act ResNet[2,2]-[4,6]-A^{l,i}-B^l", seed, sharing="tables"))


def _subsampled(seed: int) -> float:
    """(6.7) for a convolution of a ResNet, on data of odd and even size."""
    return strided_is_subsampled(random_network("pre-act ResNet[2,2]-[4,6]", seed).B_0[0], _normal(2, 4, 11, 8))


def _dilated(seed: int) -> float:
    """(6.8) for the convolutions of a ResNet."""
    model = random_network("pre-act ResNet[2,2]-[4,6]", seed)
    return restricted_is_dilated(model.B[1][0], model.R[0], _normal(2, 4, 11, 8))


def _unet(seed: int) -> float:
    torch.manual_seed(seed)
    padding = ("zeros", "reflect", "circular")[seed % 3]
    return unet_is_v_mgnet(UNet((4, 6, 5), padding=padding).double(), _normal(2, 3, 17, 12))


def _fixed_pi(seed: int) -> float:
    return max(_case(constants_kept, name)(seed) for name in _POOLED.values())


def _lemma_4_1(transfers: str) -> Callable[[int], float]:
    def deviation(seed: int) -> float:
        torch.manual_seed(seed)
        return lemma_4_1(transfers, _normal(1, 1, 33, 16), _normal(1, 1, 17, 8))

    return deviation


def _jacobi(seed: int) -> float:
    torch.manual_seed(seed)
    f, u = _normal(2, 1, 1, 17, 9)
    return two_jacobi_steps(float(torch.rand(())) * 2, f, u)


_NET = "MgNet[3,2,2]-[(6,4),(6,8),(8,8)]-B^{l,i}"
_GDFI = "GDFI[2,2]-[(4,6),(8,6)]-A:K-B:sigma.K.sigma"
_FIXED = "MgNet[2,1,1]-[4]-B^l"
_V_NET = "V-MgNet[2,2,1]-[(6,4),(6,8),(8,8)]-B^{l,i}"
_SIGMA = "sigma-ResNet[2,2,2]-[4,6,6]"
_I_RESNET = "pre-act ResNet[3,2]-[4,6]-A^{l,i}-B^{l,i}"
_POOLED = {pi: f"MgNet[2,1,1]-[4]-B^{{l,i}}-Pi_{pi}" for pi in ("nodal", "average", "bilinear", "maximum")}
_XI, _NO = "MgNet[2,2,2]-[(4,6)]-B^{l,i}-A:xi.sigma.eta", {"batch_norm": False}
_LINEAR: dict[str, Any] = {"iteration": "multi-step", "activation": "identity", "batch_norm": False}
THEOREMS: tuple[tuple[str, str, Callable[[int], float]], ...] = (
    ("Lemma 4.1: restriction is prolongation transposed", "bilinear (4.13)", _lemma_4_1("bilinear")),
    ("", "linear (4.14)", _lemma_4_1("linear")),
    ("(5.7): two Jacobi steps are one kernel", "any omega, any u", _jacobi),
    ("Theorem 6.1: MgNet is MG0 for any Pi", "ReLU, batch norm", _case(theorem_6_1, _NET)),
    ("    V-MgNet is the V-cycle for any Pi", "ReLU, batch norm", _case(theorem_6_1_v, _V_NET)),
    ("Theorem 8.1: MgNet's residual is Mg-iResNet", "ReLU, batch norm per use", _case(theorem_8_1, _NET)),
    ("", "batch norm in training mode", _case(theorem_8_1, _NET, training=True)),
    ("    with A^{l,i}: iResNet is MgNet with wide u", "batch norm per use", _case(iresnet_is_mgnet, _I_RESNET)),
    ("", "batch norm in training mode", _case(iresnet_is_mgnet, _I_RESNET, training=True)),
    ("Theorem 4.1 (2023): u from r, for invertible A", "ReLU, batch norm per use", _invertible),
    ("Feature form is residual form, (6.7)", "single step", _case(residual_form, _NET)),
    ("    (6.8)", "multi-step", _case(residual_form, _NET, iteration="multi-step")),
    ("    (6.9)", "Chebyshev-semi", _case(residual_form, _NET, iteration="chebyshev")),
    ("Lemma 8.2: ResNet, with minus, is sigma-ResNet", "three grids", _case(lemma_8_2, _SIGMA, batch_norm=False)),
    ("(8.7): Mg-ResNet is sigma-ResNet with one A", "batch norm per use", _case(shared_A, "Mg-ResNet[2,2]-[4,6]")),
    (
        "(8.7): a step of Mg-ResNet is Mg-iResNet's + s(f) - f",
        "no batch norm",
        _case(skip_activation, "Mg-ResNet[2,2]-[4,6]", batch_norm=False),
    ),
    ("(8.7): Mg-iResNet is iResNet with -A, one A", "batch norm per use", _case(sign_of_A, "Mg-iResNet[2,2]-[4,6]")),
    ("Theorem 8.3 corrected: a given CNN, with fixed xi", "(8.8) is (8.9)", _plain_network("activation")),
    ("", "(8.10) is (8.11)", _plain_network("convolution")),
    ("(3.22): multi-step is DenseNet without activation", "linear", _case(multi_step_is_dense, _NET, **_LINEAR)),
    ("", "B with ReLU, batch norm", _case(multi_step_is_dense, _NET, iteration="multi-step")),
    ("(3.24) corrected: Chebyshev is LM-ResNet", "ReLU", _case(chebyshev_is_lm_resnet, _NET, iteration="chebyshev")),
    (
        "GDFI with A: K, B: sigma.K.sigma is MgNet",
        "batch norm inside sigma",
        _case(gdfi_is_mgnet, _GDFI, norm="inside"),
    ),
    ("Appendix A (2019): K *_2 r is subsampled K * r", "(6.7)", _subsampled),
    ("    1 x 1 restriction, then B: a B with holes", "(6.8)", _dilated),
    ("    pixels between coarse points lost by it", "one pixel", _one_pixel),
    ("U-Net, one convolution per stage, is V-MgNet, Pi = 0", "three grids, odd sizes", _unet),
    ("(4.15)-(4.17): a fixed Pi keeps constants everywhere", "nodal, means, maximum", _fixed_pi),
    ("", "K_R / 4, reflected", _case(constants_kept, _FIXED, transfers="bilinear", padding="reflect")),
    ("(1.2) (2023): u >= 0 on every grid", "s around Pi", _case(negative_features, _NET)),
    ("", "Pi an average, no s", _case(negative_features, _POOLED["average"], transfer_activation=False)),
    ("", "Pi a maximum, no s", _case(negative_features, _POOLED["maximum"], transfer_activation=False)),
    ("Section 9.1: the average is a grid, J = 5", "Pi = R_ave, nu = 0", _case(average_is_a_grid, _NET)),
    ("(3.9): circular padding commutes with shifts", "MgNet", _case(circular_shifts, _NET, padding="circular")),
    ("", "V-MgNet", _case(circular_shifts, _V_NET, padding="circular")),
    ("", "ResNet", _case(circular_shifts, _SIGMA, padding="circular")),
    ("(6.10) for any A: f on two grids, one sweep on grid 2", "xi.sigma.eta", _case(theorem_6_1_nonlinear, _XI, **_NO)),
)
"""The claim, the case, and seed -> the largest relative deviation of a random case."""

LIMITS: tuple[tuple[str, str, Callable[[int], float]], ...] = (
    (
        "(6.10) for nonlinear A: u on grid 2, two sweeps",
        "xi.sigma.eta",
        _case(lambda m, x: beyond_theorem_6_1(m, x)[1], _XI, **_NO),
    ),
    ("    u on grid 3", "xi.sigma.eta", _case(lambda m, x: beyond_theorem_6_1(m, x)[2], _XI, **_NO)),
    ("(1.2) (2023): u >= 0 on every grid", "no s around Pi", _case(negative_features, _NET, transfer_activation=False)),
)
"""The same where a theorem ends: what holds without its assumption, by how much."""


def run(seeds: int = 5, seed: int = 0) -> dict[str, float]:
    """Print the theorems with the largest deviation over so many random cases, the first with this seed."""
    found: dict[str, float] = {}
    title = ""
    for head, table in (("what is the same", THEOREMS), ("where it ends", LIMITS)):
        print(f"{head:<56}{'with':<29}largest deviation")
        for claim, case, deviation in table:
            title = claim.strip() or title
            with torch.no_grad():
                worst = max(deviation(seed + i) for i in range(seeds))
            print(f"{claim:<56}{case:<29}{worst:.1e}", flush=True)
            found |= {f"{title}: {case}": worst} if table is THEOREMS else {}
    print(f"Relative to the largest value, over {seeds} random cases each; float64 rounds at 1.1e-16.")
    return found
