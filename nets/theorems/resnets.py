"""The ResNet family: Lemma 8.2 and the chain (8.7)."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from nets.resnet import ResNet
from nets.theorems.deviation import largest


def lemma_8_2(model: ResNet, x: Tensor) -> float:
    """Lemma 8.2: s of the data of a sigma-ResNet are those of the ResNet with -A, for idempotent s and no batch norm.

    (7.8) has a plus, and with it the printed lemma is false: it needs f <- s(f - A s(B f)).
    """
    if model.config.kind != "sigma-ResNet" or model.config.batch_norm:
        raise ValueError(f"model: Lemma 8.2 needs a sigma-ResNet with batch_norm=False; got {model.config}")
    other = negated(model, kind="ResNet")
    tilde = [model.s[l](visit.u) for l, visit in enumerate(model.visits(x))]
    return largest(tilde, [visit.u for visit in other.visits(x)])


def sign_of_A(model: ResNet, x: Tensor) -> float:
    """(8.7): Mg-iResNet is pre-act ResNet (7.9) with -A and one A per grid; the sign is a choice of weights."""
    other = negated(model, kind="pre-act ResNet")
    return largest([visit.u for visit in model.visits(x)], [visit.u for visit in other.visits(x)])


def shared_A(model: ResNet, x: Tensor) -> float:
    """(8.7): Mg-ResNet, or any kind with A^l, is the network with A^{l,i} whose kernels on each grid are equal."""
    kind = "sigma-ResNet" if model.config.kind == "Mg-ResNet" else model.config.kind
    other = ResNet(replace(model.config, kind=kind, A="A^{l,i}")).to(x).train(model.training)
    ours = model.state_dict()
    other.load_state_dict({name: ours.get(name, ours[_first_of_grid(name)]) for name in other.state_dict()})
    return largest([visit.u for visit in model.visits(x)], [visit.u for visit in other.visits(x)])


def negated(model: ResNet, kind: str) -> ResNet:
    """A ResNet of another kind with the same weights, but -A."""
    other = ResNet(replace(model.config, kind=kind)).to(next(model.parameters())).train(model.training)
    other.load_state_dict({name: -w if name.startswith("A.") else w for name, w in model.state_dict().items()})
    return other


def _first_of_grid(name: str) -> str:
    """The key of A^l in a state_dict, for the key of any A^{l,i}."""
    return f"A.{name.split('.')[1]}.0.weight" if name.startswith("A.") else name
