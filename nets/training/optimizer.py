"""Stochastic gradient descent with momentum, in torch's form and in that of S19, and AdamW."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from nets.training.recipe import ADAMW, Recipe

BETA2 = 0.999
FACTOR = "rate_factor"
"""In a group of weights, where they do not have the learning rate itself."""


def create_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of a recipe for the weights of a model that are trained; the rates are those of `set_rate`."""
    trained = [p for p in model.parameters() if p.requires_grad]
    if recipe.body_rate == 1:
        groups = _groups(trained, recipe)  # as older checkpoints have them
    else:
        head = {id(p) for p in model.get_classifier().parameters()}  # type: ignore[operator]
        groups = [
            {**group, FACTOR: factor}
            for factor, of_head in ((recipe.body_rate, False), (1.0, True))
            for group in _groups([p for p in trained if (id(p) in head) == of_head], recipe)
        ]
    if recipe.optimizer == ADAMW:
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, BETA2), foreach=True)
    settings: dict[str, Any] = {
        "lr": recipe.learning_rate,
        "momentum": recipe.momentum,
        "nesterov": recipe.nesterov and recipe.momentum > 0,
    }
    if recipe.momentum_form == "S19":
        return SGDOfS19(groups, **settings)
    return torch.optim.SGD(groups, foreach=True, **settings)


def _groups(weights: list[nn.Parameter], recipe: Recipe) -> list[dict[str, Any]]:
    """The weights of layers, and the others, which may decay otherwise."""
    others_decay = recipe.weight_decay if recipe.decay_norms else 0.0
    return [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": others_decay},
    ]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of weights the learning rate, times `body_rate` where they are of the body."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(FACTOR, 1.0)


class SGDOfS19(torch.optim.Optimizer):
    """v = a v - lr g, w = w + v, (9.5) and (9.6) of S19; with `nesterov` w = w + a v - lr g.

    torch.optim.SGD has v = a v + g, w = w - lr v. The two agree while the learning rate is constant.
    """

    def __init__(self, params: Iterable[Any], lr: float, momentum: float, nesterov: bool = False) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step from the gradients."""
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            if not weights:
                continue
            for w in weights:
                if "momentum_buffer" not in self.state[w]:
                    self.state[w]["momentum_buffer"] = torch.zeros_like(w)
            v = [self.state[w]["momentum_buffer"] for w in weights]
            g = list(torch._foreach_add([w.grad for w in weights], weights, alpha=group["weight_decay"]))
            torch._foreach_mul_(g, group["lr"])
            torch._foreach_mul_(v, group["momentum"])
            torch._foreach_sub_(v, g)  # (9.5)
            if group["nesterov"]:
                torch._foreach_add_(weights, v, alpha=group["momentum"])
                torch._foreach_sub_(weights, g)
            else:
                torch._foreach_add_(weights, v)  # (9.6)
