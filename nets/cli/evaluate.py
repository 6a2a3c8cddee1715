"""python -m nets evaluate: the accuracy of a checkpoint; and how an evaluation is printed and drawn."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nets.common.formatting import counted
from nets.common.paths import make_folder
from nets.data import Data, Dataset, DenseDataset, DenseTransform, Transform, excluded
from nets.models.base import Network
from nets.runs import excluded_images, held_out
from nets.training import DenseEvaluation, Evaluation, MultiLabelEvaluation
from nets.training.objective import said

Classified = Evaluation | MultiLabelEvaluation
PER_LABEL = ("average_precision", "precision", "recall")
CLASSES = 20
"""With more classes than this the lowest are printed, and no confusion matrix."""


def run(options: argparse.Namespace) -> None:
    import nets
    from nets.training.checks import usable_device

    model = nets.load(options.checkpoint).to(usable_device(options.device))
    data = _data(options, model)
    if isinstance(data, DenseDataset):
        _run_dense(options, nets.evaluate(model, data, batch=options.batch, flip=options.flip), data)
        return
    if options.output is not None and data.is_multilabel:
        raise ValueError("output must be None: there is no picture of several labels per image; --json has all numbers")
    evaluation = nets.evaluate(model, data, batch=options.batch)
    others: dict[str, Classified] = {}
    left_out, which = _left_out(options, data)
    if which and isinstance(evaluation, Evaluation):  # several labels are of arrays, which no file of images lists
        others[f"without the {counted(len(left_out), 'test image')} {which}"] = evaluation.without(left_out)
    if options.flip:
        flipped = nets.evaluate(model, data, batch=options.batch, flip=True)
        others["with test-time augmentation (mirror images)"] = flipped
    if options.output is not None:
        draw_evaluation(evaluation, data, make_folder("output", options.output))
    if options.json:
        values = {"checkpoint": str(options.checkpoint), "data": data.name, **_values(evaluation, data.class_names)}
        others_values = {words: _numbers(other) for words, other in others.items()}
        print(json.dumps({**values, "others": others_values}, indent=2))
        return
    print_evaluation(evaluation, data.class_names)
    for words, other in others.items():
        print(f"{words}: {_accuracy(other)}")
    if options.output is not None:
        print(f"written: {options.output}")


def _run_dense(options: argparse.Namespace, evaluation: DenseEvaluation, data: DenseDataset) -> None:
    if options.exclude is not None:
        raise ValueError(f"exclude must be None: it lists images, and data {data.name!r} are arrays")
    if options.output is not None:
        draw_evaluation(evaluation, data, make_folder("output", options.output))
    if options.json:
        iou = {} if evaluation.is_regression else {"iou": dict(zip(data.class_names, evaluation.iou, strict=True))}
        found = {"samples": evaluation.count, **evaluation.figures, **iou}
        print(json.dumps({"checkpoint": str(options.checkpoint), "data": data.name, **found}, indent=2))
        return
    print_result(evaluation, data.class_names)
    if options.output is not None:
        print(f"written: {options.output}")


def _data(options: argparse.Namespace, model: Network) -> Data:
    import nets

    if options.data is None:
        for name in ("download", "size", "skip_damaged"):
            if (given := getattr(options, name)) is not None and given is not False:
                raise ValueError(f"{name} goes with --data; the data of the run are as they were")
        return held_out(options.checkpoint, options.data_dir, exclude=options.exclude)
    download, skip = bool(options.download), bool(options.skip_damaged)
    data = nets.data.load(options.data, options.seed, options.data_dir, download, size=options.size, skip_damaged=skip)
    if isinstance(data, DenseDataset) != isinstance(model.transform, DenseTransform):
        need = "a target at every point" if model.dense else "images of classes"
        raise ValueError(f"data must have {need}, as the network learned; {data.name!r} has others")
    return model.transform.apply_to(data) if isinstance(model.transform, Transform) else data  # type: ignore[arg-type]


def _left_out(options: argparse.Namespace, data: Dataset) -> tuple[set[int], str]:
    """The test images without which the accuracy is to be said as well, and which those are; "" for no such line."""
    if options.exclude is not None:
        return set(excluded(options.exclude, data)["test"]), f"in {options.exclude}"
    images = set() if options.data else set(excluded_images(options.checkpoint).get("test", ()))
    return images, "that the run left out" if images else ""


def _numbers(evaluation: Classified) -> dict[str, Any]:
    if isinstance(evaluation, MultiLabelEvaluation):
        mean = {"mean_average_precision": evaluation.mean_average_precision}
        return {"images": evaluation.count, **evaluation.figures, **mean}
    more = {name: getattr(evaluation, name) for name in ("top5", "auc", "ece", "nll")}
    return {"images": evaluation.count, "accuracy": evaluation.accuracy, **more}


def _values(evaluation: Classified, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(evaluation, MultiLabelEvaluation):
        columns = {name: getattr(evaluation, name) for name in PER_LABEL}
        rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
        return {**_numbers(evaluation), "per_class": dict(zip(names, rows, strict=True))}
    per_class = dict(zip(names, evaluation.per_class, strict=True))
    return {**_numbers(evaluation), "per_class": per_class, "confusion": evaluation.confusion.tolist()}


def _accuracy(evaluation: Classified) -> str:
    if isinstance(evaluation, MultiLabelEvaluation):
        mean = evaluation.mean_average_precision
        more = "" if mean is None else f", mean average precision {100 * mean:.2f} %"
        return f"{', '.join(said(*figure) for figure in evaluation.figures.items())} of {evaluation.count} images{more}"
    shares = {"top-5": evaluation.top5, "AUC": evaluation.auc}
    more = "".join(f", {name} {100 * share:.2f} %" for name, share in shares.items() if share is not None)
    return f"{100 * evaluation.accuracy:.2f} % of {evaluation.count} images{more}"


def print_result(evaluation: Classified | DenseEvaluation, names: Sequence[str]) -> None:
    """Print the figures of an evaluation, overall and by class."""
    if not isinstance(evaluation, DenseEvaluation):
        print_evaluation(evaluation, names)
        return
    figures = ", ".join(said(*figure) for figure in evaluation.figures.items())
    print(f"held-out {figures} of {evaluation.count} samples")
    shares = [] if evaluation.is_regression else zip(evaluation.iou, names, strict=True)
    for share, name in shares:
        print(f"  IoU {'   none' if share is None else f'{100 * share:5.1f} %'}  {name}")


def print_evaluation(evaluation: Classified, names: Sequence[str]) -> None:
    """Top-1, top-5, AUC and calibration, and by class the confusion matrix, or of many classes the lowest."""
    if isinstance(evaluation, MultiLabelEvaluation):
        _print_labels(evaluation, names)
        return
    print(f"held-out accuracy {_accuracy(evaluation)}")
    if evaluation.ece is not None and evaluation.nll is not None:
        print(f"calibration error (ECE) {100 * evaluation.ece:.2f} %, negative log-likelihood {evaluation.nll:.4f}")
    if len(names) > CLASSES:
        _print_lowest(evaluation, names)
        return
    width = max(len(str(int(evaluation.confusion.max()))), *map(len, names)) + 1
    print("truth \\ predicted".ljust(18) + "".join(name.rjust(width) for name in names) + "   right")
    for name, row, share in zip(names, evaluation.confusion.tolist(), evaluation.per_class, strict=True):
        counts = "".join((str(n) if n else ".").rjust(width) for n in row)
        print(name.rjust(18) + counts + ("" if share is None else f" {100 * share:5.1f} %"))


def _print_labels(evaluation: MultiLabelEvaluation, names: Sequence[str]) -> None:
    print(f"held-out {_accuracy(evaluation)}")
    width = max(18, *map(len, names))
    print("label".ljust(width) + "".join(name.replace("_", " ").rjust(19) for name in PER_LABEL))
    for name, *values in zip(names, *(getattr(evaluation, name) for name in PER_LABEL), strict=True):
        cells = ("." if value is None else f"{100 * value:.1f} %" for value in values)
        print(name.ljust(width) + "".join(cell.rjust(19) for cell in cells))


def _print_lowest(evaluation: Evaluation, names: Sequence[str]) -> None:
    known = [(share, name) for share, name in zip(evaluation.per_class, names, strict=True) if share is not None]
    print(f"the {CLASSES} lowest of {len(names)} classes (--json has all):")
    for share, name in sorted(known)[:CLASSES]:
        print(f"  {100 * share:5.1f} %  {name}")


def draw_evaluation(evaluation: Classified | DenseEvaluation, data: Data, folder: Path) -> None:
    """confusion_matrix.png, where there are not too many classes, calibration.png and misclassified.png in the folder.

    Of two classes roc.png too. Or predictions.png, where a target belongs to every point. Several labels per image have
    no picture.
    """
    from nets import plot

    if isinstance(evaluation, DenseEvaluation):
        plot.predictions(evaluation, folder / "predictions.png")
        return
    if isinstance(evaluation, MultiLabelEvaluation):
        return
    if len(data.class_names) <= CLASSES:
        plot.confusion_matrix(evaluation.confusion, data.class_names, folder / "confusion_matrix.png")
    if evaluation.reliability is not None:
        plot.calibration(evaluation.reliability, folder / "calibration.png")
    if evaluation.roc is not None:
        plot.roc(evaluation.roc, folder / "roc.png")
    predictions, path = evaluation.predictions, folder / "misclassified.png"
    plot.misclassified(data.test_images, data.test_labels, predictions, path, data.class_names)
