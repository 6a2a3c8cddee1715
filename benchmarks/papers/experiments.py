"""The queue: the most informative runs first."""

from __future__ import annotations

from pathlib import Path

from benchmarks.papers import cifar, training
from benchmarks.papers.claims import HAT_MODELS, MODELS
from benchmarks.papers.training import Scale
from benchmarks.runner import Experiment

HOURS = ("MgNet[2,2,2,2]-[64]-B^l", "MgNet[2,2,2,2]-[32]-B^l", "ResNet[2,2,2,2]-[16,32,64,128]-A^l-B^{l,i}")
"""An hour each; the last is ResNet18 at a quarter of its widths."""
SCALES = {"small": Scale(16, 2), "large": Scale(32, 8)}
"""Of claims, on CIFAR-10: two slow cores, and two fast ones, where a run takes at most 8 minutes."""
HAT_SCALES = {"small": Scale(14, 2), "large": Scale(28, 5)}
"""Of activations, on MNIST."""
SEEDS = (range(3), range(3, 5))
"""Three seeds of everything, then two more."""
SECONDS = {"small": 480.0, "large": 960.0}
"""CPU seconds that a run of a claim may take: 8 minutes of a slow core, or of two fast ones."""


def experiments(scale: str, runs: Path, data_dir: str | None) -> list[Experiment]:
    """The experiments of a scale, with records of runs in folders of `runs`."""
    found = [_hour(model, runs, data_dir) for model in HOURS[:1]]
    for seeds in SEEDS:
        claims = [(seed, model, "cifar-10", SCALES[scale]) for seed in seeds for model in MODELS]
        hats = [(seed, model, "mnist", HAT_SCALES[scale]) for seed in seeds for model in HAT_MODELS]
        for seed, model, data, at in claims + hats:
            name = name_of(data, at, model, seed)
            run = training.run(model, data, at, seed, runs / _file(name), data_dir)
            found.append(Experiment(name, SECONDS[scale], run))
        found += [_hour(model, runs, data_dir) for model in HOURS[1:]] * (seeds is SEEDS[0])
    return found


def name_of(data: str, scale: Scale, model: str, seed: int) -> str:
    return f"{data}, {scale}: {model}, seed {seed}"


def data_of(name: str) -> str:
    """The data set of the experiment of this name."""
    return "mnist" if name.startswith("mnist") else "cifar-10"


def hour_name(model: str) -> str:
    return f"an hour of CIFAR-10: {model}"


def _hour(model: str, runs: Path, data_dir: str | None) -> Experiment:
    name = hour_name(model)
    return Experiment(name, cifar.HOUR, cifar.run(model, 0, runs / _file(name), data_dir))


def _file(name: str) -> str:
    """A file name without blanks and colons."""
    return name.replace(": ", "-").replace(", ", "-").replace(" ", "_").replace(":", "=")
