"""The images of each step, and their division among processes and parts of a batch."""

from __future__ import annotations

from torch import Tensor

from nets.training.recipe import Recipe


def steps_per_epoch(count: int, recipe: Recipe, ranks: int = 1) -> int:
    """Steps that an epoch of `count` images has."""
    whole, rest = divmod(count, recipe.batch)
    # batch norm needs two images in each part
    steps = whole + (not recipe.drop_last and rest >= 2 * ranks * recipe.grad_accum)
    return min(steps, recipe.limit_batches or steps)


def batches(order: Tensor, recipe: Recipe, ranks: int = 1) -> list[Tensor]:
    """The batches, tensors of indices, of an epoch that visits the images in this order."""
    return list(order.split(recipe.batch))[: steps_per_epoch(len(order), recipe, ranks)]


def share(batch: Tensor, recipe: Recipe, rank: int = 0, ranks: int = 1) -> tuple[Tensor, ...]:
    """The parts of a batch that process `rank` computes one after another: grad_accum of them."""
    parts = batch.tensor_split(ranks * recipe.grad_accum)
    return parts[rank * recipe.grad_accum : (rank + 1) * recipe.grad_accum]
