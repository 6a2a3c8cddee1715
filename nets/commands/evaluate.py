"""python -m nets evaluate: the accuracy of a checkpoint; and how an evaluation is printed and drawn."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nets.data import Dataset
from nets.train import Evaluation, held_out


def add_evaluate(commands: Any) -> None:
    command = commands.add_parser("evaluate", help="accuracy of a checkpoint", description="Accuracy of a checkpoint.")
    command.add_argument("checkpoint", type=Path, help="a checkpoint, or the folder of a run")
    command.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    import nets

    data = held_out(options.checkpoint)
    print_evaluation(nets.evaluate(nets.load(options.checkpoint), data), data.class_names)


def print_evaluation(evaluation: Evaluation, names: Sequence[str]) -> None:
    count = int(evaluation.confusion.sum())
    print(f"held-out accuracy {100 * evaluation.accuracy:.2f} % of {count} images")
    width = max(len(str(int(evaluation.confusion.max()))), *map(len, names)) + 1
    print("truth \\ predicted".ljust(18) + "".join(name.rjust(width) for name in names))
    for name, row in zip(names, evaluation.confusion.tolist(), strict=True):
        print(name.rjust(18) + "".join((str(n) if n else ".").rjust(width) for n in row))


def draw_evaluation(evaluation: Evaluation, data: Dataset, folder: Path) -> None:
    """confusion_matrix.png and misclassified.png in the folder."""
    from nets import plot

    plot.confusion_matrix(evaluation.confusion, data.class_names, folder / "confusion_matrix.png")
    predictions, path = evaluation.predictions, folder / "misclassified.png"
    plot.misclassified(data.test_images, data.test_labels, predictions, path, data.class_names)
