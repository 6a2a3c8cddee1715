"""Statistics of batch norms: averaged over processes, and recomputed for averaged weights.

Each use of a convolution has its own batch norm (`nets.models.mgnet`); frozen ones never change (`nets.models.modes`).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nets.models.modes import moving_statistics, train_mode, trained_norms
from nets.training.distributed import Ranks


def average_statistics(ranks: Ranks, *modules: nn.Module | None) -> None:
    """Replace the statistics, of which each process has its own, by their mean over the processes.

    They are linear in the statistics of the batches, so that it does not matter how often this is done.
    """
    if ranks.count == 1:
        return
    for module in modules:
        for buffer in () if module is None else moving_statistics(module):
            if buffer.is_floating_point():
                ranks.sum(buffer)
                buffer /= ranks.count


@torch.no_grad()
def recompute_norms(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give the batch norms that are not frozen the mean of their statistics over batches of images."""
    norms = trained_norms(model)
    momenta = [norm.momentum for norm in norms]
    train_mode(model)
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
    try:
        for images in batches:
            model(images)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
