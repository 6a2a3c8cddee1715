"""Tell two kinds of pulse waves apart with a one-dimensional MgNet of 3,450 parameters.

The slides L23 tell pregnancy from the pulse (Table 6). Their signals are not public; the ones here are synthetic, and
no result compares with theirs. A beat is a sum of three Gaussians, as in models of pulse waves: the systolic wave, its
reflection, and the wave after the dicrotic notch. In the second class the reflection comes later and is weaker. People
of one class differ too: with delay and strength known exactly, the area under the ROC curve (AUC) is 95.54 %, and a
method that has only the signal cannot expect more.

    python examples/pulse.py [--epochs 8] [--seed 0] [--seeds 1] [--output out]
"""

from __future__ import annotations

import argparse
from math import erf
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

import nets
from mgcore.common.arguments import integer
from nets.common.paths import make_folder
from nets.training.ranking import roc_auc, roc_curve

MGNET = "MgNet[4,4,4,4,4]-[8]-B^l-Pi_0"
"""Five grids of 8 channels: inferred from the number of parameters, as the slides give no structure."""
RESNET = "ResNet[2,2,2,2,2]-[8,16,32,64,128]"
"""Five grids too, and about as many parameters as the ResNet of the slides, 232,642."""
LOGISTIC = "logistic regression"
SLIDES = {MGNET: (84.68, 91.04), RESNET: (84.73, 89.66), LOGISTIC: (79.10, 74.27)}
"""Accuracy and AUC in % of the slides, on other signals."""

CLASSES = ("early reflection", "late reflection")
RATE, SAMPLES, BEATS = 32, 128, 9
"""Samples per second, samples of a signal, and beats that may be in it."""
TRAIN, TEST, BATCH = 2000, 2000, 40
"""Signals for training, for testing, and in a step of the training."""
MEAN, DEVIATION = np.array([0.25, 0.5]), np.array([0.025, 0.1])
"""Over the people of class 0, of the delay of the reflection in seconds, and of its height; the first wave has 1."""
SHIFT = np.array([1.7, -1.7])
"""Class 1 less class 0, in standard deviations."""
BEST = (1 + erf(float(np.linalg.norm(SHIFT)) / 2)) / 2
"""AUC where delay and strength are known: Phi(d / sqrt(2)) for two normal distributions at the distance d."""


class Scores(NamedTuple):
    """A method on the test signals: its parameters, and scores (N,), which are positive for class 1."""

    parameters: int
    values: torch.Tensor


def pulses(count: int, seed: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signals (count, 1, SAMPLES), classes (count,), and delay and strength of the reflection (count, 2).

    Classes alternate. A signal begins anywhere in a beat. Its rate is 60 to 86 beats per minute, and varies by 4 % from
    beat to beat; it drifts with the breath, and has noise.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    reflection = MEAN + DEVIATION * (rng.standard_normal((count, 2)) + labels[:, None] * SHIFT)
    period = rng.uniform(0.7, 1.0, (count, 1)) * (1 + 0.04 * rng.standard_normal((count, BEATS)))
    start = np.cumsum(period, axis=1) - period[:, :1] * (2 + rng.random((count, 1)))
    t = np.arange(SAMPLES) / RATE
    beats = beat(t - start[:, :, None], *reflection.T[:, :, None, None])
    breath = np.sin(2 * np.pi * (rng.uniform(0.15, 0.35, (count, 1)) * t + rng.random((count, 1))))
    x = (beats * (1 + 0.08 * rng.standard_normal((count, BEATS, 1)))).sum(axis=1) + 0.15 * breath
    x += 0.1 * rng.standard_normal(x.shape)
    return x[:, None].astype(np.float32), labels, reflection


def beat(t: Any, delay: Any, strength: Any) -> Any:
    """One beat, t seconds after its start: three waves of different centres, heights and widths."""
    waves = ((0.12, 1.0, 0.05), (0.12 + delay, strength, 0.07), (0.5, 0.25, 0.07))
    return sum(height * np.exp(-(((t - centre) / width) ** 2) / 2) for centre, height, width in waves)


def compare(data: nets.data.Dataset, epochs: int, seed: int) -> dict[str, Scores]:
    """Train both networks and a logistic regression on the samples of the signals; the scores on the test part."""
    found = {}
    for name in (MGNET, RESNET):
        result = nets.train(name, data, epochs=epochs, batch=BATCH, seed=seed, progress=False)
        found[name] = Scores(nets.parameters(result.model), result.evaluation.margins)
    x, x_test = (data.normalise(part)[:, 0].numpy() for part in (data.train_images, data.test_images))
    regression = LogisticRegression(max_iter=1000).fit(x, data.train_labels.numpy())
    found[LOGISTIC] = Scores(SAMPLES + 1, torch.from_numpy(regression.decision_function(x_test)))
    return found


def draw(data: nets.data.Dataset, found: dict[str, Scores], path: Path) -> Path:
    """Draw the mean beat of both classes, some signals, and the ROC curves of the methods."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1.5, 1.1))
    t = np.linspace(0, 0.8, 200)
    for k, (name, colour) in enumerate(zip(CLASSES, ("tab:blue", "tab:orange"), strict=True)):
        left.plot(t, beat(t, *(MEAN + k * DEVIATION * SHIFT)), color=colour, label=name)
        for row, signal in enumerate(data.test_images[k:4:2, 0].tolist()):
            middle.plot(np.arange(SAMPLES) / RATE, np.array(signal) - 1.8 * (row + 2 * k), color=colour, lw=1)
    left.set(title="mean beat", xlabel="seconds")
    left.legend(frameon=False)
    middle.set(title="two signals of each class", xlabel="seconds", yticks=[])
    for (name, scores), colour in zip(found.items(), ("tab:green", "tab:purple", "tab:gray"), strict=True):
        false, true = roc_curve(scores.values, data.test_labels == 1).T.tolist()
        right.plot(false, true, color=colour, label=name.split("[")[0])
    right.plot((0, 1), (0, 1), ":", color="tab:gray")
    right.set(title="ROC curves", xlabel="rate of false positives", ylabel="rate of true positives", aspect="equal")
    right.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=100)
    return path


def run(
    epochs: int = 8, seed: int = 0, seeds: int = 1, output: str | Path = "out", sizes: tuple[int, int] = (TRAIN, TEST)
) -> dict[str, list[float]]:
    """Train on new signals for each seed, print and draw; returns the AUC of every method, seed by seed."""
    seed, seeds, folder = integer("seed", seed, 0), integer("seeds", seeds, 1), make_folder("output", output)
    torch.set_num_threads(1)  # signals of 128 samples are too small to share out
    accuracies: dict[str, list[float]] = {name: [] for name in SLIDES}
    areas: dict[str, list[float]] = {name: [] for name in SLIDES}
    for each in range(seed, seed + seeds):
        x, labels, _ = pulses(sum(sizes), each)
        parts = (x[: sizes[0]], labels[: sizes[0]], x[sizes[0] :], labels[sizes[0] :])
        data = nets.data.from_arrays(*parts, class_names=CLASSES, name="synthetic pulse waves")
        found = compare(data, epochs, each)
        truth = data.test_labels == 1
        for name, scores in found.items():
            accuracies[name].append(float(((scores.values > 0) == truth).double().mean()))
            areas[name].append(roc_auc(scores.values, truth))
        if each == seed:
            print(f"picture in {draw(data, found, folder / 'pulse.png')}")
    print(f"{sizes[0]} synthetic signals for training, {sizes[1]} for testing, {seeds} seed(s) from {seed}; in %\n")
    print(f"{'':36}parameters      accuracy           AUC   slides, other signals: accuracy, AUC")
    for name, (accuracy, area) in SLIDES.items():
        ours = spread(accuracies[name]).rjust(14) + spread(areas[name]).rjust(14)
        print(f"{name:36}{found[name].parameters:10,}{ours}{accuracy:31.2f}{area:7.2f}")
    print(f"\nAUC with delay and strength of the reflection known: {100 * BEST:.2f}")
    return areas


def spread(values: list[float]) -> str:
    """Mean, and standard deviation where there is one, in percent."""
    return f"{100 * mean(values):.2f}" + (f" ± {100 * stdev(values):.2f}" if len(values) > 1 else "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8, help="of both networks (default 8)")
    parser.add_argument("--seed", type=int, default=0, help="of the signals and of every random choice (default 0)")
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds, from the first one (default 1)")
    parser.add_argument("--output", default="out", help="folder for the picture (default out)")
    arguments = parser.parse_args()
    run(arguments.epochs, arguments.seed, arguments.seeds, arguments.output)
