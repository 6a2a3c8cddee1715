"""Accuracy on CIFAR-10 against the work of training and against parameters, beside published small networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nets
from benchmarks.papers.cifar import RECIPE
from benchmarks.runner import Result
from nets.plot.style import GREY, SERIES, figure, lines, save

RESNETS = {"ResNet-20": (3, 91.25), "ResNet-32": (5, 92.49), "ResNet-44": (7, 92.83), "ResNet-56": (9, 93.03)}
"""Blocks per grid and accuracy in percent: He, Zhang, Ren, Sun (CVPR 2016), Table 6."""
IMAGES = 64_000 * 128
"""Images of their 64,000 steps."""
BACKWARD = 3
"""A training step takes as much as three forward passes."""

MARKERS = ("o", "^", "D")


def work(result: Result, per_epoch: int = 50_000) -> float:
    """Multiply-adds of the training of a run."""
    model, total = nets.create_model(result["model"]), 0.0
    for part in result["parts"]:
        images = part["epochs"] * (part["limit_batches"] * RECIPE["batch"] or per_epoch)
        total += BACKWARD * images * nets.multiply_adds(model, (3, part["size"], part["size"]))
    return total


def hours(results: Sequence[Result], path: Path) -> Path:
    """Draw both plots into one picture."""
    picture = figure(10, 4.6)
    left, right = picture.subplots(1, 2, sharey=True)
    published = [f"ResNet[{b},{b},{b}]-[16,32,64]-A^{{l,i}}-B^{{l,i}}" for b, _ in RESNETS.values()]
    models = [nets.create_model(name) for name in published]
    points = [(r["model"], [work(r)], [r["parameters"]], [r["accuracy"]]) for r in results]
    points.append(
        (
            f"{', '.join(RESNETS)}, published",
            [BACKWARD * IMAGES * nets.multiply_adds(model, (3, 32, 32)) for model in models],
            [nets.parameters(model) for model in models],
            [accuracy for _, accuracy in RESNETS.values()],
        )
    )
    for (label, total, parameters, accuracy), color, marker in zip(
        points, (*SERIES[: len(results)], GREY), (*MARKERS[: len(results)], "s-"), strict=True
    ):
        left.plot(total, accuracy, marker, color=color, ms=7, lw=1, label=label)
        right.plot(parameters, accuracy, marker, color=color, ms=7, lw=1)
    left.set(xscale="log", xlabel="multiply-adds of the training", ylabel="test accuracy, %", title="against work")
    right.set(xscale="log", xlabel="parameters", title="against parameters")
    for axes in (left, right):
        lines(axes)
        axes.margins(x=0.1, y=0.1)
    picture.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    save(picture, path)
    return path
