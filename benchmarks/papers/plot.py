"""Accuracy on CIFAR-10 against the work of training and against parameters, beside published small networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import nets
from benchmarks.papers.cifar import RECIPE
from benchmarks.runner import Result
from nets.plot.style import BLUE, GREY, figure, lines, save

RESNETS = {"ResNet-20": (3, 91.25), "ResNet-32": (5, 92.49), "ResNet-44": (7, 92.83), "ResNet-56": (9, 93.03)}
"""Blocks per grid and accuracy in percent: He, Zhang, Ren, Sun (CVPR 2016), Table 6."""
IMAGES = 64_000 * 128
"""Images of their 64,000 steps."""
POINTS: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8}
BACKWARD = 3
"""A training step takes as much as three forward passes."""


def work(result: Result, per_epoch: int = 50_000) -> float:
    """Multiply-adds of the training of a run."""
    model, total = nets.create_model(result["model"]), 0.0
    for part in result["parts"]:
        images = part["epochs"] * (part["limit_batches"] * RECIPE["batch"] or per_epoch)
        total += BACKWARD * images * nets.multiply_adds(model, (3, part["size"], part["size"]))
    return total


def hours(results: Sequence[Result], path: Path) -> Path:
    """Draw both plots into one picture."""
    picture = figure(10, 4.2)
    left, right = picture.subplots(1, 2, sharey=True)
    for r in results:
        for axes, x, side in ((left, work(r), "left"), (right, r["parameters"], "center")):
            axes.plot(x, r["accuracy"], "o", color=BLUE, ms=7)
            axes.annotate(r["model"], (x, r["accuracy"]), (0, -15), **POINTS, ha=side)
    for side, (name, (blocks, accuracy)) in zip(cycle((("left", 7), ("right", -7))), RESNETS.items(), strict=False):
        model = nets.create_model(f"ResNet[{blocks},{blocks},{blocks}]-[16,32,64]-A^{{l,i}}-B^{{l,i}}")
        total = BACKWARD * IMAGES * nets.multiply_adds(model, (3, 32, 32))
        for axes, x in ((left, total), (right, nets.parameters(model))):
            axes.plot(x, accuracy, "s", color=GREY, ms=5)
            axes.annotate(name, (x, accuracy), (side[1], -3), **POINTS, ha=side[0], color=GREY)
    left.set(xscale="log", xlabel="multiply-adds of the training", ylabel="test accuracy, %", title="against work")
    right.set(xscale="log", xlabel="parameters", title="against parameters")
    for axes in (left, right):
        lines(axes)
        axes.margins(x=0.35, y=0.12)
    save(picture, path)
    return path
