"""python -m nets look: pictures of what a trained network does with an image, and of its kernels."""

from __future__ import annotations

import argparse

from torch import Tensor

from nets.common.paths import make_folder
from nets.data import Transform
from nets.models.base import Network
from nets.runs import held_out


def run(options: argparse.Namespace) -> None:
    import nets
    from nets import plot
    from nets.plot.style import check_format

    check_format("format", options.format)
    model = nets.load(options.checkpoint)
    if model.dense:
        raise ValueError(f"checkpoint must be of a network that classifies images; {options.checkpoint} is not")
    picture, x, words = _image(options, model)
    title = f"{model.config.notation}: {words}"
    folder = make_folder("output", options.output)
    features, kernels = (folder / f"{name}.{options.format}" for name in ("features", "kernels"))
    plot.features(model, x, features, channels=options.channels, picture=picture, title=title)
    plot.kernels(model, kernels, count=options.kernels)
    print(f"written: {features}\nwritten: {kernels}")


def _image(options: argparse.Namespace, model: Network) -> tuple[Tensor, Tensor, str]:
    """The image as it is to be seen, as the network takes it, and what it is."""
    transform = model.transform
    assert isinstance(transform, Transform)
    names = transform.class_names
    if options.image is not None:
        pixels = transform.read(options.image, invert=options.invert).pixels
        x = transform.normalise(pixels[None])
        what = options.image.name
    else:
        data = held_out(options.checkpoint, options.data_dir)
        if not 0 <= options.index < len(data.test_labels):
            raise ValueError(f"index must lie in 0 ... {len(data.test_labels) - 1}; got {options.index}")
        pixels = data.test_images[options.index : options.index + 1][0]
        x = data.normalise(pixels[None])
        label = data.test_labels[options.index]
        named = [names[k] for k in label.nonzero().flatten().tolist()] if label.ndim else [names[int(label)]]
        what = f"test image {options.index} of {data.name}, {' and '.join(named) or 'no label'}"
    scores = model(x)[0]
    taken = [name for name, score in zip(names, scores.tolist(), strict=True) if score > 0]
    predicted = taken if transform.multilabel else [names[int(scores.argmax())]]
    return pixels, x[0], f"{what}, taken for {' and '.join(predicted) or 'no label'}"
