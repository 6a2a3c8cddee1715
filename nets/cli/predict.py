"""python -m nets predict: what a trained network says about image files, or predicts at every point of arrays."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from nets.common.paths import make_folder
from nets.deploy.predict import Prediction, predict
from nets.models.base import Network


def run(options: argparse.Namespace) -> None:
    import nets
    from nets.training.checks import usable_device

    model = nets.load(options.checkpoint).to(usable_device(options.device))
    if model.dense:
        _write_predictions(model, options)
        return
    if options.output is not None:
        raise ValueError("output is for a network that predicts at every point; this one classifies images")
    predictions = list(nets.predict(model, options.images, top=options.top, invert=options.invert))
    if options.json:
        print(json.dumps([_plain(prediction) for prediction in predictions], indent=2))
    else:
        _print(predictions)
    failed = [prediction.error for prediction in predictions if prediction.error]
    if failed:
        raise ValueError(f"{len(failed)} of {len(predictions)} images could not be read: {failed[0]}")


def _write_predictions(model: Network, options: argparse.Namespace) -> None:
    """Of every file name.npy of inputs (N, c, n, ...), write name.predictions.npy."""
    for path in options.images:
        try:
            inputs = np.load(path, allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            need = "files .npy of inputs (N, c, n, ...), as the network predicts at every point"
            raise ValueError(f"images must be {need}; {path} cannot be read: {error}") from error
        found = predict(model, inputs, invert=options.invert)
        folder = path.parent if options.output is None else make_folder("output", options.output)
        file = folder / f"{path.stem}.predictions.npy"
        np.save(file, found)
        print(f"written: {file} ({' x '.join(map(str, found.shape))} {found.dtype})")


def _plain(prediction: Prediction) -> dict[str, Any]:
    classes = [{"class": name, "probability": chance} for name, chance in prediction.classes]
    return {
        "image": str(prediction.path),
        "classes": classes,
        "changes": prediction.changes,
        "error": prediction.error or None,
    }


def _print(predictions: list[Prediction]) -> None:
    width = max(len(str(prediction.path)) for prediction in predictions)
    names = max((len(name) for prediction in predictions for name, _ in prediction.classes), default=0)
    for prediction in predictions:
        cells = [f"{name.ljust(names)} {100 * chance:5.1f} %" for name, chance in prediction.classes]
        words = "   ".join(cells) if cells else f"error: {prediction.error}"
        changes = f"   ({', '.join(prediction.changes)})" if prediction.changes else ""
        print(f"{str(prediction.path).ljust(width)}  {words}{changes}")
