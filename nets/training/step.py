"""One step: the gradient of the mean loss over a batch, and what the optimiser makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nets.training.objective import Classification, Objective
from nets.training.optimizer import set_rate
from nets.training.recipe import Recipe


def autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where the recipe says so."""
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16")


def gradient(
    model: nn.Module,
    parts: Iterable[tuple[Tensor, Tensor]],
    count: int | Tensor,
    recipe: Recipe,
    ranks: int = 1,
    objective: Objective | None = None,
) -> tuple[Tensor, Tensor]:
    """Add the gradient of the mean loss over a batch to the weights' gradients.

    Args:
        parts: images and labels of this process's parts.
        count: images of the batch in all processes, or what else the objective divides the sum of their losses by.
        ranks: number of processes, over which the model averages gradients.
        objective: has the loss; None is that of images of classes.

    Returns:
        The sums over this process's images of the losses and of the leading figure, such as how many were right: on
        the device.
    """
    objective = Classification(recipe.label_smoothing) if objective is None else objective
    losses, figures, parts = [], [], list(parts)
    for number, (images, labels) in enumerate(parts, 1):
        if recipe.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        with _sum_later(model, number < len(parts)):
            with autocast(recipe, images.device):
                scores = model(images)
            scores = scores.float() if scores.dtype == torch.bfloat16 else scores
            loss = objective.loss(scores, labels)
            (loss * (ranks / count)).backward()
        losses.append(loss.detach())
        figures.append(objective.score(scores.detach(), labels))
    return torch.stack(losses).sum(), torch.stack(figures).sum()


def _sum_later(model: nn.Module, later: bool) -> AbstractContextManager[Any]:
    """Processes exchange gradients once per step, after the last part."""
    if later and isinstance(model, nn.parallel.DistributedDataParallel):
        return model.no_sync()
    return nullcontext()


def update(optimizer: torch.optim.Optimizer, rate: float, recipe: Recipe) -> None:
    """Use the gradients up: clip them where the recipe says so, change the weights, forget them."""
    set_rate(optimizer, rate)
    if recipe.clip_grad:
        weights = [w for group in optimizer.param_groups for w in group["params"]]
        nn.utils.clip_grad_norm_(weights, recipe.clip_grad)
    optimizer.step()
    optimizer.zero_grad()
