"""The ResNet family: Lemma 8.2 and the chain (8.7)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

import mgcore
from mgcore import Level
from nets.models.data_level import DataLevel, Map
from nets.models.resnet import ResNet
from nets.naming.grammar import RESNETS
from nets.theorems.comparison import check_network, features_apart, finest_data, largest, with_weights
from nets.theorems.residuals import residuals


def lemma_8_2(model: ResNet, x: Tensor) -> float:
    """Lemma 8.2: s of a sigma-ResNet's data are the data of the ResNet with -A, for idempotent s, no batch norm.

    (7.8) has a plus, and with it the printed lemma is false: it needs f <- s(f - A s(B f)).
    """
    check_network(model, ResNet, "Lemma 8.2", kind="sigma-ResNet", batch_norm=False, stem="default")
    other = negated(model, kind="ResNet")
    tilde = [model.s[l](visit.u) for l, visit in enumerate(model.visits(x))]
    return largest(tilde, [visit.u for visit in other.visits(x)])


def sign_of_A(model: ResNet, x: Tensor) -> float:
    """(8.7): Mg-iResNet is pre-act ResNet (7.9) with -A and one A per grid; the sign is a choice of weights."""
    check_network(model, ResNet, "the sign of A in (8.7)", kind="Mg-iResNet")
    other = negated(model, kind="pre-act ResNet")
    return features_apart(model.visits(x), other.visits(x))


def shared_A(model: ResNet, x: Tensor) -> float:
    """(8.7): Mg-ResNet, or any kind with A^l, is the network with A^{l,i} whose kernels on each grid are equal.

    Not Mg-iResNet, for which `sign_of_A` goes to pre-act ResNet first.
    """
    kinds = tuple(kind for kind in RESNETS if kind not in ("Mg-iResNet", "WideResNet"))
    check_network(model, ResNet, "the shared A of (8.7)", A="A^l", kind=kinds)
    kind = "sigma-ResNet" if model.config.kind == "Mg-ResNet" else model.config.kind
    ours, other = model.state_dict(), ResNet(replace(model.config, kind=kind, A="A^{l,i}"))
    with_weights(other, model, {name: ours.get(name, ours[_first_of_grid(name)]) for name in other.state_dict()})
    return features_apart(model.visits(x), other.visits(x))


def skip_activation(model: ResNet, x: Tensor) -> float:
    """(8.7): steps of Mg-ResNet (8.6) and Mg-iResNet from the same data f differ by s(f) - f, and in nothing else.

    So they agree where f >= 0; this arrow of (8.7) replaces s(f) by f, it is no identity.
    """
    check_network(model, ResNet, "Mg-ResNet against Mg-iResNet in (8.7)", kind="Mg-ResNet", batch_norm=False)
    other = with_weights(ResNet(replace(model.config, kind="Mg-iResNet")), model, model.state_dict())
    gaps, expected = [], []
    for s, level, plain, visit in zip(model.s, model.levels, other.levels, model.visits(x), strict=True):
        f: Any = visit.u0
        for step, plain_step in zip(level.steps, plain.steps, strict=True):
            gaps.append(step(f) - plain_step(f))
            expected.append(s(f) - f)
            f = step(f)
    return largest(gaps, expected)


def wide_levels(model: ResNet) -> list[Level]:
    """A pre-act ResNet, with A^{l,i}, as an MgNet with one A per grid: features u = (u_1, ..., u_nu), a block per step.

    A u = -+ sum_i A^{l,i} u_i is one convolution of all blocks, and step i writes s(B^{l,i} s(f - A u)) into block i.
    Putting A^{l,i} for A^l in (6.4), as (6.25) does, gives something else: f - A^{l,i} u^{l,i} is then no iResNet. The
    way to the next grid is that of the ResNet. It shares the modules of the network.
    """
    check_network(model, ResNet, "Theorem 8.1 with A^{l,i}", kind=("pre-act ResNet", "Mg-iResNet"), bias=False)
    return [_wide_level(model, l, level) for l, level in enumerate(model.levels)]


def iresnet_is_mgnet(model: ResNet, x: Tensor) -> float:
    """Theorem 8.1 with A^{l,i}: iResNet's data are the residuals f - A u of `wide_levels`."""
    levels, data = wide_levels(model), [visit.u for visit in model.visits(x)]
    visits = mgcore.descend(levels, finest_data(model, x))
    return largest(residuals(levels, visits), data)


def _wide_level(model: ResNet, l: int, level: DataLevel) -> Level:
    first = 0 if l == 0 else 1  # block 0 of a coarser grid is the way to it
    parts = [model._parts(l, i) for i in range(first, model.config.nu[l])]
    sign, c = 1 if model.config.kind == "Mg-iResNet" else -1, model.config.channels[l]

    def A(u: Tensor) -> Tensor:
        total: Any = sum(A_i(u_i) for (_, A_i, *_), u_i in zip(parts, u.split(c, 1), strict=True))
        return sign * total

    def extractor(i: int) -> Map:
        s, _, B, norm_1, norm_2 = parts[i]

        def extract(r: Tensor) -> Tensor:
            u = [torch.zeros_like(r)] * len(parts)
            u[i] = s(norm_2(B(s(norm_1(r)))))
            return torch.cat(u, 1)

        return extract

    return Level(A, [extractor(i) for i in range(len(parts))], level.pool)


def negated(model: ResNet, kind: str) -> ResNet:
    """A ResNet of another kind with the same weights, but -A."""
    check_network(model, ResNet, "the sign of A")
    weights = {name: -w if name.startswith("A.") else w for name, w in model.state_dict().items()}
    return with_weights(ResNet(replace(model.config, kind=kind)), model, weights)


def _first_of_grid(name: str) -> str:
    """The key of A^l in a state_dict, for the key of any A^{l,i}."""
    part, l, _, *rest = [*name.split("."), "", ""]
    return ".".join([part, l, "0", *rest[:-2]]) if part == "A" else name
