"""The best epoch so far by the leading figure of the validation part, and when there has been none for too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nets.training.objective import FIGURES


def copied(module: nn.Module) -> dict[str, Tensor]:
    """Copy a state_dict, which itself shares its tensors with the module."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


@dataclass
class Best:
    """The best epoch by `figure`; of equal ones the earliest.

    Attributes:
        weights: the state_dict of its network, where the recipe keeps the best one.
    """

    figure: str
    epoch: int = 0
    value: float | None = None
    weights: dict[str, Tensor] | None = None

    def see(self, epoch: int, value: float, module: nn.Module | None) -> None:
        """Compare another epoch; its network is kept if it is better and a `module` is given."""
        sign = 1 if FIGURES[self.figure].larger_is_better else -1
        if value == value and (self.value is None or sign * value > sign * self.value):  # nan is never better
            self.epoch, self.value = epoch, value
            self.weights = None if module is None else copied(module)

    def too_long_ago(self, epoch: int, patience: int) -> str:
        """Say why to stop after this epoch; "" goes on, as patience 0 always does."""
        return f"stopped: no better since epoch {self.epoch}" if 0 < patience <= epoch - self.epoch else ""

    def state(self) -> dict[str, Any]:
        """Plain values and tensors, of which a checkpoint makes it again."""
        return {"epoch": self.epoch, "value": self.value, "weights": self.weights}
