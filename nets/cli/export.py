"""python -m nets export: a trained network as a file or a folder that other programs take."""

from __future__ import annotations

import argparse

OUTPUTS = {"torch": "model.pt2", "onnx": "model.onnx", "safetensors": "model.safetensors", "hub": "hub"}


def run(options: argparse.Namespace) -> None:
    import nets

    if options.to not in OUTPUTS:
        raise ValueError(f"to must be one of {', '.join(OUTPUTS)}; got {options.to!r}")
    output = options.output
    if output is None:
        folder = options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent
        output = folder / OUTPUTS[options.to]
    if options.to in ("safetensors", "hub"):
        for name in ("normalised", "fixed_size"):
            if getattr(options, name):
                option = name.replace("_", "-")
                raise ValueError(f"{option} goes with --to torch or onnx; weights alone take no input")
        if options.to == "hub":
            nets.export_hub(options.checkpoint, output, overwrite=options.overwrite)
        else:
            nets.save(nets.load(options.checkpoint), output, overwrite=options.overwrite)
        print(f"written: {output}")
        return
    model = nets.load(options.checkpoint)
    own = model.transform.shape if options.fixed_size and model.transform else None
    settings = {"normalise": not options.normalised, "overwrite": options.overwrite}
    done = nets.export(model, output, options.to, shape=own, **settings)
    shape = "x".join("any" if n is None else str(n) for n in done.shape)
    raw = "inputs as in the data, bytes in [0, 1]" if model.dense else "pixels in [0, 1]"
    what = "normalised images" if options.normalised else raw
    outputs = f"N x {model.config.num_classes}" + (" x grid" if model.dense else "")
    print(f"written: {done.path} (images: N x {shape}, {what}; scores: {outputs})")
    print(f"read again: largest deviation of a score {done.deviation:.2g}, rounding explains {done.allowed:.2g}")
