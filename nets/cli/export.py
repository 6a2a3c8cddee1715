"""python -m nets export: a trained network as a file that other programs run."""

from __future__ import annotations

import argparse

SUFFIXES = {"torch": ".pt2", "onnx": ".onnx"}


def run(options: argparse.Namespace) -> None:
    import nets

    model = nets.load(options.checkpoint)
    output = options.output
    if output is None:
        folder = options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent
        output = folder / f"model{SUFFIXES.get(options.to, '')}"
    done = nets.export(model, output, options.to, normalise=not options.normalised, overwrite=options.overwrite)
    shape = "x".join(map(str, model.transform.shape)) if model.transform else ""
    raw = "inputs as in the data, bytes in [0, 1]" if model.dense else "pixels in [0, 1]"
    what = "normalised images" if options.normalised else raw
    outputs = f"N x {model.config.num_classes}" + (" x grid" if model.dense else "")
    print(f"written: {done.path} (images: N x {shape}, {what}; scores: {outputs})")
    print(f"read again: largest deviation of a score {done.deviation:.2g}, rounding explains {done.allowed:.2g}")
