"""Trained networks as files that other programs run: torch.export and ONNX, verified after writing."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nets.common.paths import make_folder_of
from nets.data import DenseTransform, Transform
from nets.deploy.sizes import Shape, further, taken, traced
from nets.models.base import Network
from nets.models.checkpoint import path_of
from nets.models.input_checks import check_class_names
from nets.models.modes import evaluating

BATCH, OTHER = 3, 5
"""Images with which a file is written, and further ones with which it is verified: any number must do."""
PER_LAYER = 64
"""Roundings of a layer that another order of summation may cost, relative to the largest score, as in float32 sums of
some thousand products of either sign."""
PRECISIONS = {"torch": (torch.float32, torch.float64), "onnx": (torch.float32,)}
"""Precisions of the weights: others are too coarse to compare, and onnxruntime has no double convolutions."""
ENDINGS = {"torch": ".pt2", "onnx": ".onnx"}
CLASSES, MEAN, STD, INPUT, SHAPE = "class_names", "mean", "std", "input", "shape"
"""Names of JSON texts in the file: of extra files in that of torch.export, of metadata entries in ONNX.

The first three are lists, where they are known; mean and std are of pixels in [0, 1], per channel. `INPUT` says which
of the two the file takes, "pixels in [0, 1]" or "normalised images"; in `SHAPE` null stands for any number of pixels.
"""


class ExportError(RuntimeError):
    """A file that does not give the network's scores, and was deleted.

    >>> issubclass(ExportError, Exception)
    True
    """


class Exported(NamedTuple):
    """A file that was written and verified.

    Attributes:
        path: of the file.
        deviation: the largest difference of a score from the network's.
        allowed: what rounding may cost.
        shape: (channels, height, width) of an image, None where any number of pixels will do.

    >>> from pathlib import Path
    >>> Exported(Path("net.pt2"), deviation=1e-7, allowed=1e-5).path.suffix
    '.pt2'
    """

    path: Path
    deviation: float
    allowed: float
    shape: Shape = ()


class Classifier(nn.Module):
    """A network with what comes before and after it: pixels in [0, 1] in, if it is to normalise them; scores out.

    Of a regression they are values in the units of the targets, where it normalises.
    """

    mean: Tensor
    std: Tensor
    target_mean: Tensor
    target_std: Tensor

    def __init__(self, network: Network, transform: Transform | DenseTransform | None, shape: Shape = ()) -> None:
        super().__init__()
        self.network, self.shape = network, shape
        self.in_units = isinstance(transform, DenseTransform) and transform.is_regression
        if transform is not None:
            size = (1, -1, *(1,) * (len(transform.shape) - 1))
            kind = next(network.parameters()).dtype
            for name in ("mean", "std"):
                values = torch.tensor(getattr(transform, name), dtype=kind) / transform.white
                self.register_buffer(name, values.reshape(size))
            if self.in_units:
                for name in ("target_mean", "target_std"):
                    self.register_buffer(name, torch.tensor(getattr(transform, name), dtype=kind).reshape(size))
        self.normalises = transform is not None

    def forward(self, images: Tensor) -> Tensor:
        x = (images - self.mean) / self.std if self.normalises else images
        scores: Tensor = self.network(x)
        return scores * self.target_std + self.target_mean if self.in_units else scores


def export(
    model: Network,
    path: str | os.PathLike[str],
    to: str = "torch",
    *,
    shape: Shape | None = None,
    normalise: bool = True,
    overwrite: bool = False,
) -> Exported:
    """Write a network in evaluation mode, read the file again, and compare its scores with the network's.

    The input is called "images", the output "scores"; the number of images is open, and so is their size. The file
    holds the class names, the normalisation and what its input is: `CLASSES` and the names beside it say where.

    Args:
        path: of the file; as a rule .pt2 for torch and .onnx for ONNX.
        to: "torch", a file of torch.export, or "onnx" (pip install mgnet-multigrid[onnx]).
        shape: (channels, height, width) of an image. None in the place of a number leaves that number open, to all that
            leave two pixels or more on every grid. By default the size is open, but where the format or the network
            cannot have that: then it is that of the network's transform, and a warning says why.
        normalise: whether the file takes pixels in [0, 1] and normalises them; otherwise it takes normalised images.
        overwrite: whether an existing file is replaced.

    Raises:
        TypeError, ValueError: naming the argument, before any work.
        ImportError: where what `to` needs is missing.
        ExportError: where the file cannot be written so, or gives other scores; it is not left there.

    >>> import tempfile
    >>> model = create_model("MgNet[1]-[4]-B^l", num_classes=2, in_channels=1).eval()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     exported = export(model, f"{folder}/net.pt2", shape=(1, 8, 8), normalise=False)
    ...     exported.deviation <= exported.allowed
    True
    """
    if not isinstance(model, Network):
        raise TypeError(f"model must be a nets.Network; got {type(model).__name__}")
    if not isinstance(to, str) or to not in WRITERS:
        raise ValueError(f"to must be one of {', '.join(map(repr, WRITERS))}; got {to!r}")
    for name, value in (("normalise", normalise), ("overwrite", overwrite)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False; got {value!r}")
    path = path_of(path, "path")
    other = next((kind for kind, ending in ENDINGS.items() if kind != to and path.suffix.lower() == ending), None)
    if other is not None:
        raise ValueError(f"path must not end in {path.suffix} for a file {to!r}: to={other!r} writes those; got {path}")
    if path.is_file() and not overwrite:
        raise ValueError(f"output: {path} exists already; choose another name, or overwrite=True (--overwrite)")
    transform = model.transform
    if transform is None and (normalise or shape is None):
        raise ValueError("model must know its transform, as from nets.load; or give shape and normalise=False")
    _check_precision(model, to)
    shape = taken(model, to, shape)
    make_folder_of("output", path)
    wrapped = Classifier(model, transform if normalise else None, shape)
    size = traced(model, shape)
    with _as_it_runs(wrapped), _temporary(path) as file:
        images = _images(wrapped, BATCH, size)
        check_class_names(transform, wrapped(images).shape[1])
        try:
            with warnings.catch_warnings():  # of torch, on its own workings
                warnings.simplefilter("ignore")
                run = WRITERS[to](wrapped, images, file)
        except ImportError:
            raise
        except OSError as error:
            raise ValueError(f"output: {path} cannot be written: {error.strerror or error}") from error
        except Exception as error:  # of torch, whose kinds differ by version
            why = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            raise ExportError(f"{path}: the {to} file cannot be written{_hint(shape)}: {why}") from error
        deviation, allowed = _compare(wrapped, run, [size, size, *further(model, shape, size)])
        if not deviation <= allowed:
            raise ExportError(
                f"{path}: the {to} file gives other scores than the network, by {deviation:.3g} where rounding "
                f"explains {allowed:.3g}; it is not written"
            )
        os.replace(file, path)
    return Exported(path, deviation, allowed, shape)


def _hint(shape: Shape) -> str:
    return " for images of any size; shape=(channels, height, width) fixes one" if None in shape else ""


def _check_precision(model: Network, to: str) -> None:
    found, allowed = {w.dtype for w in model.parameters()}, PRECISIONS[to]
    if len(found) != 1 or not found <= set(allowed):
        kinds = " or all ".join(str(kind).removeprefix("torch.") for kind in allowed)
        got = ", ".join(sorted(map(str, found)))
        raise ValueError(f"model must have weights that are all {kinds} for a file {to!r}: model.float(); got {got}")


@contextmanager
def _as_it_runs(wrapped: Classifier) -> Iterator[None]:
    """Evaluation mode on the CPU, and everything as it was afterwards."""
    weight = next(wrapped.network.parameters())
    device, recompute = weight.device, wrapped.network.activation_checkpointing
    wrapped.network.activation_checkpointing = False
    wrapped.to("cpu")
    try:
        with evaluating(wrapped), torch.no_grad():
            yield
    finally:
        wrapped.network.activation_checkpointing = recompute
        wrapped.network.to(device)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A file beside `path` that is gone afterwards, unless it was moved."""
    file = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def _images(wrapped: Classifier, count: int, shape: tuple[int, ...]) -> Tensor:
    """Pixels in [0, 1), or normalised images."""
    weight = next(wrapped.network.parameters())
    generator = torch.Generator().manual_seed(count)
    make = torch.rand if wrapped.normalises else torch.randn
    return make((count, *shape), generator=generator, dtype=weight.dtype)


def _compare(
    wrapped: Classifier, run: Callable[[Tensor], Tensor], shapes: list[tuple[int, ...]]
) -> tuple[float, float]:
    """The largest difference of the scores, for one image and for more, and what rounding may cost."""
    layers = sum(isinstance(m, nn.Linear) or type(m).__name__.startswith("Conv") for m in wrapped.modules())
    deviation = largest = 0.0
    for index, shape in enumerate(shapes):
        images = _images(wrapped, OTHER if index == 1 else 1, shape)
        scores = wrapped(images)
        try:
            difference = (run(images) - scores).abs().max()
        except Exception as error:  # of the program that runs the file
            why = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            raise ExportError(
                f"the file does not take images {tuple(images.shape)}{_hint(wrapped.shape)}: {why}"
            ) from error
        deviation = max(deviation, float(difference)) if difference.isfinite() else float("inf")
        largest = max(largest, float(scores.abs().max()))
    return deviation, PER_LAYER * (layers + 1) * torch.finfo(scores.dtype).eps * max(largest, 1.0)


def _texts(wrapped: Classifier) -> dict[str, str]:
    """Give what the file says of its input and its outputs."""
    transform = wrapped.network.transform
    raw = "inputs as in the data" if wrapped.network.dense else "pixels in [0, 1]"
    found: dict[str, Any] = {INPUT: raw if wrapped.normalises else "normalised images", SHAPE: wrapped.shape}
    if transform is not None:
        found[CLASSES] = list(transform.class_names)
        found |= {name: [v / transform.white for v in getattr(transform, name)] for name in (MEAN, STD)}
    return {name: json.dumps(value) for name, value in found.items()}


def _open(wrapped: Classifier) -> dict[str, dict[int, Any]]:
    """The axes of the input that are open."""
    axes = {axis: torch.export.Dim.DYNAMIC for axis, n in enumerate(wrapped.shape, 1) if n is None}
    return {"images": {0: torch.export.Dim("batch", min=1), **axes}}


def _to_torch(wrapped: Classifier, images: Tensor, file: Path) -> Callable[[Tensor], Tensor]:
    program = torch.export.export(wrapped, (images,), dynamic_shapes=_open(wrapped), strict=False)
    with open(file, "wb") as stream:  # torch.export checks the ending of a name
        torch.export.save(program, stream, extra_files=_texts(wrapped))
    with open(file, "rb") as stream:
        module: Any = torch.export.load(stream).module()
    return lambda x: module(x)


def _to_onnx(wrapped: Classifier, images: Tensor, file: Path) -> Callable[[Tensor], Tensor]:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  # torch.onnx writes with it
    except ImportError as error:
        need = "onnx, onnxscript and onnxruntime: pip install mgnet-multigrid[onnx]"
        raise ImportError(f"ONNX files need {need}") from error
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of packages that are not needed here
    names: dict[str, Any] = {"input_names": ["images"], "output_names": ["scores"]}
    shapes = _open(wrapped)
    program: Any = torch.onnx.export(wrapped, (images,), **names, dynamic_shapes=shapes, dynamo=True, verbose=False)
    program.model.metadata_props.update(_texts(wrapped))
    program.save(str(file), external_data=False)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(["scores"], {"images": x.numpy()})[0])


WRITERS: dict[str, Callable[[Classifier, Tensor, Path], Callable[[Tensor], Tensor]]] = {
    "torch": _to_torch,
    "onnx": _to_onnx,
}
