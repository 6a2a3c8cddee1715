"""The theorems that connect the networks, as functions that measure how far the two sides are apart.

Each takes networks in evaluation mode and images and returns the largest deviation on any grid, relative to the larger
side; `THEOREMS` holds them with random networks. `python -m nets theorems` prints them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

import mgcore
from mgcore import Level, Visit
from mgcore.level import difference
from nets import zoo
from nets.config import MgNetConfig
from nets.data_level import DataLevel, Map
from nets.iterations import Chebyshev, MultiStep
from nets.mgnet import MgNet
from nets.operators import CONVOLUTION, chain
from nets.resnet import ResNet


def residual_levels(model: MgNet) -> list[DataLevel]:
    """The Mg-iResNet whose data are an MgNet's residuals f - A u (Theorem 8.1): r <- r - A B r, and R between grids.

    It shares the modules of the network, whose iteration must be the single step.
    """
    if model.config.iteration != "single":
        raise ValueError(f'model: Theorem 8.1 is about the iteration "single"; got {model.config.iteration!r}')
    if not model.config.linear:
        raise ValueError(f"model: Theorem 8.1 needs a linear A; got A={model.config.A!r}")
    levels = with_form(model, "feature").levels
    return [DataLevel([_minus(level.A, B_i) for B_i in level.B], level.R) for level in levels]


def theorem_8_1(model: MgNet, x: Tensor) -> float:
    """Theorem 8.1: the residual of an MgNet is an Mg-iResNet; each use of a batch norm is one on both sides."""
    return _dual(model, x, residual_levels(model))


def residual_form(model: MgNet, x: Tensor) -> float:
    """Feature form against residual form of the same MgNet, for every iteration: u and f on every grid."""
    a, b = with_form(model, "feature").visits(x), with_form(model, "residual").visits(x)
    return max(_largest([v.u for v in a], [v.u for v in b]), _largest([v.f for v in a], [v.f for v in b]))


def lemma_8_2(model: ResNet, x: Tensor) -> float:
    """Lemma 8.2: s of the data of a sigma-ResNet are those of the ResNet with -A, for idempotent s and no batch norm.

    (7.8) has a plus, and with it the printed lemma is false: it needs f <- s(f - A s(B f)).
    """
    if model.config.kind != "sigma-ResNet" or model.config.batch_norm:
        raise ValueError(f"model: Lemma 8.2 needs a sigma-ResNet with batch_norm=False; got {model.config}")
    other = negated(model, kind="ResNet")
    tilde = [model.s[l](visit.u) for l, visit in enumerate(model.visits(x))]
    return _largest(tilde, [visit.u for visit in other.visits(x)])


def sign_of_A(model: ResNet, x: Tensor) -> float:
    """(8.7): Mg-iResNet is pre-act ResNet (7.9) with -A and one A per grid; the sign is a choice of weights."""
    other = negated(model, kind="pre-act ResNet")
    return _largest([visit.u for visit in model.visits(x)], [visit.u for visit in other.visits(x)])


def shared_A(model: ResNet, x: Tensor) -> float:
    """(8.7): Mg-ResNet, or any kind with A^l, is the network with A^{l,i} whose kernels on each grid are equal."""
    kind = "sigma-ResNet" if model.config.kind == "Mg-ResNet" else model.config.kind
    other = ResNet(replace(model.config, kind=kind, A="A^{l,i}")).to(x).train(model.training)
    ours = model.state_dict()
    other.load_state_dict({name: ours.get(name, ours[_first_of_grid(name)]) for name in other.state_dict()})
    return _largest([visit.u for visit in model.visits(x)], [visit.u for visit in other.visits(x)])


def multi_step_is_dense(model: MgNet, x: Tensor) -> float:
    """(3.22): r^i = sum_j theta_j^i r^j with theta_j^i = alpha_j^i (id - A B_j^i), DenseNet (7.10) without activation.

    Where s is the identity and there is no batch norm, theta is linear; the identity holds for any B.
    """
    if not all(
        isinstance(part, MultiStep) for part, nu in zip(model.iteration, model.config.nu, strict=True) if nu > 1
    ):
        raise ValueError(f'model: (3.22) is about the iteration "multi-step"; got {model.config.iteration!r}')
    levels = with_form(model, "feature").levels
    rows = [part.weights() if isinstance(part, MultiStep) else [(1,)] for part in model.iteration]

    def dense(level: Level, alpha: Any) -> Map:
        def step(r: Tensor) -> Tensor:
            history = [r]
            for row, B in zip(alpha, level.B, strict=False):
                B = [B] if callable(B) else B
                thetas = [a * _minus(level.A, B_j)(r_j) for a, B_j, r_j in zip(row, B, history, strict=True)]
                history.append(torch.stack(thetas).sum(0))
            return history[-1]

        return step

    return _dual(model, x, [DataLevel([dense(level, a)], level.R) for level, a in zip(levels, rows, strict=True)])


def chebyshev_is_lm_resnet(model: MgNet, x: Tensor) -> float:
    """(3.24) with its missing omega: r^i = omega (r^{i-1} - A B r^{i-1}) + (1 - omega) r^{i-2}, an LM-ResNet."""
    if not model.config.iteration.startswith("chebyshev"):
        raise ValueError(f'model: (3.24) is about the iteration "chebyshev"; got {model.config.iteration!r}')
    levels = with_form(model, "feature").levels
    omegas = [part.weights() if isinstance(part, Chebyshev) else (1,) for part in model.iteration]

    def two_back(level: Level, omega: Any) -> Map:
        def step(r: Tensor) -> Tensor:
            older = r
            for w, B in zip(omega, level.B, strict=False):
                older, r = r, w * _minus(level.A, B)(r) + (1 - w) * older
            return r

        return step

    return _dual(model, x, [DataLevel([two_back(level, w)], level.R) for level, w in zip(levels, omegas, strict=True)])


def fixed_xi(chi: nn.Module) -> tuple[nn.Module, nn.Module]:
    """xi and eta of Theorem 8.3 for a stride-1 convolution chi: c -> c, with 2 c channels between them.

    eta = [id; -id](chi - id) and xi = -[id, -id]. (8.16) and (8.19) need opposite signs on the two halves, since
    s(x) - s(-x) = x for ReLU; the sum, which (8.17) prints, is |x|.
    """
    if not isinstance(chi, tuple(CONVOLUTION.values())):
        raise ValueError(f"chi must be a convolution; got {chi}")
    K: Any = chi
    if K.in_channels != K.out_channels or K.groups != 1:
        raise ValueError(f"chi must keep the channels, in one group; got {chi}")
    if any(2 * p + 1 != n or s != 1 for n, p, s in zip(K.kernel_size, K.padding, K.stride, strict=True)):
        raise ValueError(f"chi must have odd kernels, stride 1 and padding that keeps the size; got {chi}")
    weight, bias, c, dims = K.weight, K.bias, K.in_channels, K.weight.ndim - 2
    centre = [n // 2 for n in K.kernel_size]
    less = weight.detach().clone()
    less[(torch.arange(c), torch.arange(c), *centre)] -= 1  # chi - id
    make: Any = CONVOLUTION[dims]
    eta = make(c, 2 * c, K.kernel_size, padding=K.padding, bias=bias is not None).to(weight)
    eta.weight.data = torch.cat((less, -less))
    if bias is not None:
        eta.bias.data = torch.cat((bias.detach(), -bias.detach()))
    xi = make(2 * c, c, 1, bias=False).to(weight)
    xi.weight.data = torch.cat((-torch.eye(c), torch.eye(c)), 1).to(weight).reshape(c, 2 * c, *(1,) * dims)
    return xi, eta


def plain_levels(stages: Sequence[Sequence[nn.Module]], pools: Sequence[Map], *, first: str) -> list[DataLevel]:
    """A plain CNN: per grid the convolutions chi of `stages`, f <- chi s(f) (8.8) or f <- s(chi f) (8.10), s ReLU.

    Args:
        pools: maps between the grids, one fewer than stages.
        first: "activation" for (8.8), "convolution" for (8.10).
    """
    return _plain(stages, pools, first, lambda chi: chi)


def mgnet_levels(stages: Sequence[Sequence[nn.Module]], pools: Sequence[Map], *, first: str) -> list[DataLevel]:
    """The same network as `plain_levels` as (8.9) or (8.11), with the fixed xi of Theorem 8.3, corrected."""

    def in_two(chi: nn.Module) -> Map:
        xi, eta = fixed_xi(chi)
        return lambda f: f - xi(torch.relu(eta(f)))

    return _plain(stages, pools, first, in_two)


def theorem_8_3(stages: Sequence[Sequence[nn.Module]], pools: Sequence[Map], first: str, f: Tensor) -> float:
    """Theorem 8.3 for a given plain network: largest deviation on any grid from its form with a fixed xi."""
    plain, mgnet = plain_levels(stages, pools, first=first), mgnet_levels(stages, pools, first=first)
    return _largest([v.u for v in mgcore.descend(plain, f)], [v.u for v in mgcore.descend(mgnet, f)])


def _plain(stages: Any, pools: Sequence[Map], first: str, form: Callable[[nn.Module], Map]) -> list[DataLevel]:
    if first not in ("activation", "convolution"):
        raise ValueError(f'first must be "activation" or "convolution"; got {first!r}')
    if len(pools) != len(stages) - 1:
        raise ValueError(f"pools must hold {len(stages) - 1} maps, one between each two stages; got {len(pools)}")

    def step(chi: nn.Module) -> Map:
        return chain(torch.relu, form(chi)) if first == "activation" else chain(form(chi), torch.relu)

    return [DataLevel([step(chi) for chi in stage], pool) for stage, pool in zip(stages, [*pools, None], strict=True)]


def with_form(model: MgNet, form: str) -> MgNet:
    """The same network, sharing all modules, in "feature" or "residual" form."""
    other = copy.copy(model)
    other.config = replace(model.config, form=form)
    return other


def negated(model: ResNet, kind: str) -> ResNet:
    """A ResNet of another kind with the same weights, but -A."""
    other = ResNet(replace(model.config, kind=kind)).to(next(model.parameters())).train(model.training)
    other.load_state_dict({name: -w if name.startswith("A.") else w for name, w in model.state_dict().items()})
    return other


def _dual(model: MgNet, x: Tensor, levels: Sequence[DataLevel]) -> float:
    """How far the residuals f - A u of an MgNet are from the data of these levels."""
    feature = with_form(model, "feature")
    residuals = [_residual(level, visit) for level, visit in zip(feature.levels, feature.visits(x), strict=True)]
    f = model.pool(model.s[0](model.stem(x)))
    return _largest(residuals, [visit.u for visit in mgcore.descend(levels, f)])


def _residual(level: Level, visit: Visit) -> Tensor:
    r: Tensor = visit.f if visit.u is None else visit.f - level.A(visit.u)
    return r


def _minus(A: Map, B: Map) -> Map:
    return lambda r: r - A(B(r))  # (8.1)


def _first_of_grid(name: str) -> str:
    """The key of A^l in a state_dict, for the key of any A^{l,i}."""
    return f"A.{name.split('.')[1]}.0.weight" if name.startswith("A.") else name


def _largest(a: Sequence[Tensor | None], b: Sequence[Tensor | None]) -> float:
    """Largest difference on any grid relative to the largest value on any; None is zero."""
    gaps, sizes = [0.0], [0.0]
    for v, w in zip(a, b, strict=True):
        gap = difference(v, w)
        gaps += [] if gap is None else [float(gap.abs().max())]
        sizes += [float(t.abs().max()) for t in (v, w) if t is not None]
    return max(gaps) / max(sizes) if max(sizes) > 0 else max(gaps)


def random_network(name: str, seed: int, **settings: Any) -> Any:
    """A float64 network in evaluation mode with random weights; batch norms have random statistics."""
    torch.manual_seed(seed)
    model = zoo.network(zoo.configuration(name, **settings)).double().eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    for name, weight in model.named_parameters():
        if "logits" in name or "omega" in name:
            weight.data.uniform_(0.5, 1.5)
    return model


def _case(theorem: Callable[[Any, Tensor], float], name: str, **settings: Any) -> Callable[[int], float]:
    def run(seed: int) -> float:
        model = random_network(name, seed, **settings)
        return theorem(model, torch.randn(2, 3, 16, 12, dtype=torch.float64))

    return run


def _case_8_3(first: str) -> Callable[[int], float]:
    def run(seed: int) -> float:
        torch.manual_seed(seed)
        stages = [[nn.Conv2d(c, c, 3, padding=1).double() for _ in range(2)] for c in (4, 4)]
        f = torch.randn(2, 4, 12, 12, dtype=torch.float64)
        return theorem_8_3(stages, [nn.AvgPool2d(2)], first, f)

    return run


def _gdfi(seed: int) -> float:
    """GDFI with A: K, B: sigma.K.sigma and batch norm inside sigma has the modules and the values of an MgNet."""
    model = random_network("GDFI[2,2]-[(4,6),(8,6)]-A:K-B:sigma.K.sigma", seed, norm="inside")
    other = MgNet(MgNetConfig.parse("MgNet[2,2]-[(4,6),(8,6)]-B^{l,i}", transfer_activation=False)).double().eval()
    other.load_state_dict(model.state_dict())
    x = torch.randn(2, 3, 16, 12, dtype=torch.float64)
    return _largest([v.u for v in model.visits(x)], [v.u for v in other.visits(x)])


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
    ("Theorem 8.3 corrected: fixed xi", "(8.8) is (8.9)", _case_8_3("activation")),
    ("", "(8.10) is (8.11)", _case_8_3("convolution")),
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
