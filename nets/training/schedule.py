"""The learning-rate schedule."""

from __future__ import annotations

from math import cos, pi
from typing import Any


def learning_rate(recipe: Any, step: int, steps: int) -> float:
    """Compute the learning rate of a step, counted from 0, out of `steps`, by the settings of a `Recipe`."""
    rise = recipe.warmup * steps
    if step < rise:
        return recipe.learning_rate * (step + 1) / (rise + 1)
    done = (step - rise) / (steps - rise)
    match recipe.schedule:
        case "cosine":
            return recipe.learning_rate * (1 + cos(pi * done)) / 2
        case "linear":
            return recipe.learning_rate * (1 - done)
        case "step":
            epoch = step * recipe.epochs // steps
            return recipe.learning_rate / recipe.step_factor ** (epoch // recipe.step_epochs)
    return recipe.learning_rate
