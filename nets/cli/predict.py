"""python -m nets predict: what a trained network says about image files."""

from __future__ import annotations

import argparse
import json
from typing import Any

from nets.deploy.predict import Prediction


def run(options: argparse.Namespace) -> None:
    import nets
    from nets.training.checks import usable_device

    model = nets.load(options.checkpoint).to(usable_device(options.device))
    predictions = list(nets.predict(model, options.images, top=options.top, invert=options.invert))
    if options.json:
        print(json.dumps([_plain(prediction) for prediction in predictions], indent=2))
    else:
        _print(predictions)
    failed = [prediction.error for prediction in predictions if prediction.error]
    if failed:
        raise ValueError(f"{len(failed)} of {len(predictions)} images could not be read: {failed[0]}")


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
