"""python -m nets export: a trained network as a file that other programs run."""

from __future__ import annotations

import argparse
from typing import Any

from nets.cli.data import path

DESCRIPTION = """Write a trained network as a torch.export or ONNX file with an open number of images. The file is read
again and its scores are compared; where they differ it is not kept. Its input "images" is pixels in [0, 1]."""
SUFFIXES = {"torch": ".pt2", "onnx": ".onnx"}


def add_export(commands: Any) -> None:
    command = commands.add_parser("export", help="a torch.export or ONNX file", description=DESCRIPTION)
    command.add_argument("checkpoint", type=path, help="a checkpoint, or the folder of a run")
    command.add_argument("--to", default="torch", help="torch or onnx (default: torch)")
    command.add_argument("--output", type=path, metavar="FILE", help="(default: model.pt2 or model.onnx in the run)")
    command.add_argument("--normalised", action="store_true", help="the input is normalised images instead of pixels")
    command.add_argument("--overwrite", action="store_true", help="replace an existing file")
    command.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    import nets

    model = nets.load(options.checkpoint)
    output = options.output
    if output is None:
        folder = options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent
        output = folder / f"model{SUFFIXES.get(options.to, '')}"
    done = nets.export(model, output, options.to, normalise=not options.normalised, overwrite=options.overwrite)
    shape = "x".join(map(str, model.transform.shape)) if model.transform else ""
    what = "normalised images" if options.normalised else "pixels in [0, 1]"
    print(f"written: {done.path} (images: N x {shape}, {what}; scores: N x {model.config.num_classes})")
    print(f"read again: largest deviation of a score {done.deviation:.2g}, rounding explains {done.allowed:.2g}")
