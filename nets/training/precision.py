"""Precision that a run chooses itself: bfloat16 where the processor multiplies in it and a short trial says it pays."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from nets.data import Data
from nets.models.base import Network
from nets.models.modes import train_mode
from nets.training.objective import Objective, objective_for
from nets.training.recipe import Recipe
from nets.training.step import gradient

CPUINFO = Path("/proc/cpuinfo")
FLAGS = ("amx_bf16", "avx512_bf16")
"""Processors with one of these multiply numbers in bfloat16."""
GAIN = 1.1
"""Least ratio of times for which the recipe's way is left; a short trial cannot tell smaller ones from noise."""
ROUNDS = 5
SECONDS = 0.5
"""Longest step of a trial, as far as a batch can be cut."""
FEW = 8
"""Images of the first steps, which tell how long a step takes."""


class Precision(NamedTuple):
    """The choice for a recipe with precision="auto", kept in checkpoints and records."""

    precision: str
    channels_last: bool
    reason: str

    def apply(self, recipe: Recipe) -> Recipe:
        """The recipe as it is computed."""
        return replace(recipe, precision=self.precision, channels_last=self.channels_last)

    @property
    def name(self) -> str:
        return self.precision + (" with channels_last" if self.channels_last else "")

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def choose(model: Network, data: Data, recipe: Recipe, ranks: int = 1) -> Precision:
    """Choose by the processor's flags and a trial: float32, without or with channels_last, or bf16 with it.

    Neither the model nor the state of random numbers changes.
    """
    weight = next(model.parameters())
    plain = Precision("float32", recipe.channels_last, "")
    if weight.device.type != "cpu":
        return plain._replace(reason=f"the choice is made on CPUs alone, and the device is {weight.device}")
    if weight.dtype != torch.float32:
        return plain._replace(reason=f"the weights are {weight.dtype}, and autocast takes float32 alone")
    if not any(flag in processor_flags() for flag in FLAGS):
        return plain._replace(reason="this processor reports neither AMX nor AVX512-BF16")
    images = data.normalise(data.train_images[: recipe.batch // (ranks * recipe.grad_accum)]).to(weight)
    labels = torch.as_tensor(data.train_labels[: len(images)])
    last = images.ndim == 4
    choices = list(dict.fromkeys([plain, plain._replace(channels_last=last), Precision("bf16", last, "")]))
    try:
        recipes = [choice.apply(recipe) for choice in choices]
        count, seconds = trial(model, images, labels, recipes, objective_for(data, recipe))
    except RuntimeError as error:
        return plain._replace(reason=f"a trial failed: {str(error).splitlines()[0]}")
    times = ", ".join(f"{1e3 * s:.3g} ms in {choice.name}" for choice, s in zip(choices, seconds, strict=True))
    return choices[fastest(seconds)]._replace(reason=f"a trial step of {count} images takes {times}")


def fastest(seconds: list[float]) -> int:
    """The index of the shortest time, where each has to gain GAIN on the best one before it."""
    best = 0
    for index, time_taken in enumerate(seconds):
        if seconds[best] >= GAIN * time_taken:
            best = index
    return best


def processor_flags() -> frozenset[str]:
    """The features of the processor, as Linux names them; none where the system does not say."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), ()))


def trial(
    model: Network, images: Tensor, labels: Tensor, recipes: list[Recipe], objective: Objective | None = None
) -> tuple[int, list[float]]:
    """Time forward and backward passes of copies of the model, in turns.

    Returns:
        The images of a step, as many of `images` as fit into SECONDS, and the shortest time for each recipe.
    """

    def step(recipe: Recipe) -> Callable[[int], float]:
        copied = copy.deepcopy(model)
        train_mode(copied)
        if recipe.channels_last:
            copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

        def run(count: int) -> float:
            began = time.perf_counter()
            gradient(copied, [(images[:count], labels[:count])], count, recipe, objective=objective)
            copied.zero_grad()
            return time.perf_counter() - began

        return run

    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        steps = [step(recipe) for recipe in recipes]
        few = min(FEW, len(images))
        for run in steps:
            run(few)  # operations are prepared once for each shape
        count = min(max(few, int(few * SECONDS / steps[0](few))), len(images))
        times = [[run(count) for run in steps] for _ in range(1 + ROUNDS)]
    return count, [min(column) for column in zip(*times[1:], strict=True)]
