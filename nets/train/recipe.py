"""Recipes: everything about a training run that is not the model, the data or the seed."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, isfinite, pi
from typing import Any

from nets.data import Augmentation


@dataclass(frozen=True)
class Recipe:
    """SGD with Nesterov momentum, one learning-rate cycle, label smoothing and averaged weights.

    Args:
        epochs: passes over the training part.
        batch: images per step; a last partial batch is kept.
        learning_rate: the peak of the cycle.
        warmup: fraction of the steps in which the rate rises, linearly; it falls as a half cosine.
        momentum, weight_decay: of SGD; batch norms, biases and scalars do not decay.
        label_smoothing: of the cross-entropy.
        shift: largest random shift, in pixels along each axis (not a whole number of them).
        rotation: largest random rotation in degrees (2-D).
        scaling: largest random change of size, relative.
        averaging: weight of the past in the exponential average of the weights per step; 0 does not average.
    """

    epochs: int = 40
    batch: int = 64
    learning_rate: float = 0.1
    warmup: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    shift: float = 0.0
    rotation: float = 0.0
    scaling: float = 0.0
    averaging: float = 0.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            _check(name, getattr(self, name), int, "an integer >= 1", lambda v: v >= 1)
        _check("learning_rate", self.learning_rate, float, "a number > 0", lambda v: v > 0)
        for name in ("warmup", "momentum", "label_smoothing", "scaling", "averaging"):
            _check(name, getattr(self, name), float, "a number in [0, 1)", lambda v: 0 <= v < 1)
        for name in ("weight_decay", "shift", "rotation"):
            _check(name, getattr(self, name), float, "a number >= 0", lambda v: v >= 0)

    @property
    def augmentation(self) -> Augmentation:
        return Augmentation(shift=self.shift, rotation=self.rotation, scaling=self.scaling)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0, out of `steps`."""
        rise = self.warmup * steps
        if step < rise:
            return self.learning_rate * (step + 1) / (rise + 1)
        return self.learning_rate * (1 + cos(pi * (step - rise) / (steps - rise))) / 2


def _check(name: str, value: Any, kind: type, allowed: str, holds: Any) -> None:
    kinds = (int,) if kind is int else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"{name} must be {allowed}; got {value!r}")
    if not isfinite(value) or not holds(value):
        raise ValueError(f"{name} must be {allowed}; got {value!r}")
