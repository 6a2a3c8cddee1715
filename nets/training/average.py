"""The exponential average of the weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

RULE = "min(averaging, (1 + t) / (10 + t)) after t steps"
"""The share of the average that a step keeps: it warms up, so that a short run forgets its start."""


def decay(averaging: float, steps: int) -> float:
    """Give the weight of the past in the average after so many steps."""
    return min(averaging, (1 + steps) / (10 + steps))


class Average(AveragedModel):
    """An average whose decay warms up by `RULE`; the first step replaces the initial weights.

    Args:
        averaging: the largest weight of the past.
        buffers: whether statistics are averaged too; otherwise the model's own are taken.
    """

    def __init__(self, model: nn.Module, averaging: float, *, buffers: bool) -> None:
        super().__init__(model, multi_avg_fn=self._step, use_buffers=buffers)
        self.averaging = averaging

    @torch.no_grad()
    def _step(self, average: Sequence[Tensor], weights: Sequence[Tensor], _: Tensor | int) -> None:
        if average[0].is_floating_point():
            # n_averaged lies on the CPU: on a GPU nothing waits for it
            torch._foreach_lerp_(list(average), list(weights), 1 - decay(self.averaging, int(self.n_averaged)))
        else:
            torch._foreach_copy_(list(average), list(weights))  # counters
