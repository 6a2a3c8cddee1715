"""Checks, before any work, that network, data, recipe and device fit together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from nets.common.checks import check_integer
from nets.common.formatting import counted
from nets.data import Data, DenseDataset
from nets.data.dense import zero_targets
from nets.data.own import check_data
from nets.data.sampling import check_sampling
from nets.data.subsets import held_out_counts
from nets.models.base import Network
from nets.models.create import create_model
from nets.models.input_checks import check_input
from nets.models.modes import evaluating, trained_norms
from nets.models.registry import NETWORKS
from nets.naming.lookup import named_settings
from nets.training.objective import objective_for
from nets.training.recipe import AUTO, H1, L2, Recipe


def network_for(
    model: Network | str, data: Data, seed: int, initialization: str = "kaiming", **settings: Any
) -> Network:
    """Make the network of a name, from the seed, for the data, with settings of create_model; return a network."""
    if isinstance(model, Network):
        return model
    if not isinstance(model, str):
        raise TypeError(f"model must be a nets.Network or a name; got {type(model).__name__}")
    named, dims = named_settings(model), data.train_images.ndim - 2
    needed: dict[str, Any] = {"num_classes": data.outputs, "in_channels": data.in_channels, "dims": dims}
    for key, value in needed.items():
        if named.get(key, value) != value:
            raise ValueError(f"model {model!r} has {key}={named[key]}, and data {data.name!r} needs {value}")
    if "input" not in named:
        settings.setdefault("input", "imagenet" if data.name == "imagenet" else "cifar")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = create_model(model, **needed, **settings)
        if initialization == "default":
            for module in network.modules():
                if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
                    module.reset_parameters()
        return network


def check_arguments(
    data: Any,
    seed: Any,
    output: Any,
    resume: Any,
    progress: Any,
    evaluate_every: Any,
    test_every: Any = 0,
    on_epoch: Any = None,
) -> None:
    """Check the arguments of `train` one by one."""
    check_data(data)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise TypeError(f"seed must be an integer; got {seed!r}")
    if not (output is None or isinstance(output, str | PathLike)):
        raise TypeError(f"output must be the path of a folder; got {type(output).__name__}")
    if output == "":
        raise ValueError("output must be the path of a folder; got ''")
    if not isinstance(resume, bool):
        raise TypeError(f"resume must be True or False; got {resume!r}")
    if not (progress is None or isinstance(progress, bool)):
        raise TypeError(f"progress must be None, True or False; got {progress!r}")
    check_integer("evaluate_every", evaluate_every, 1)
    check_integer("test_every", test_every, 0)
    if not (on_epoch is None or callable(on_epoch)):
        raise TypeError(f"on_epoch must be a function of a row and a network, or None; got {type(on_epoch).__name__}")


def check_fit(model: Network, data: Data, recipe: Recipe, ranks: int) -> None:
    """Check that the recipe can train this model on this data with so many processes."""
    _check_kind(model, data)
    outputs = data.outputs
    if model.config.num_classes != outputs:
        what = "channels of targets" if isinstance(data, DenseDataset) and data.is_regression else "classes"
        raise ValueError(
            f"model has {model.config.num_classes} outputs, and data {data.name!r} has {outputs} {what}: "
            f"call model.reset_classifier({outputs}) first"
        )
    image = data.normalise(data.train_images[:1]).to(next(model.parameters()))
    check_input(model, image, f"an image of data {data.name!r}")
    objective_for(data, recipe)
    if isinstance(data, DenseDataset):
        _check_targets(model, data, image, recipe)
    count = len(data.train_labels)
    held_out = sum(held_out_counts(data, recipe.val_fraction)) if recipe.val_fraction else 0
    if recipe.batch > count - held_out:
        less = f", less the {held_out} that val_fraction {recipe.val_fraction} holds out" if held_out else ""
        most = f"{count - held_out}, the {count} training images{less}"
        raise ValueError(f"batch must be at most {most}; got {recipe.batch}")
    if recipe.batch % (ranks * recipe.grad_accum):
        parts = f"{ranks * recipe.grad_accum}, {ranks} processes times grad_accum {recipe.grad_accum}"
        raise ValueError(f"batch must be a multiple of {parts}; got {recipe.batch}")
    if data.train_images.ndim != 4:
        for name in ("channels_last", "whitening"):
            if getattr(recipe, name):
                raise ValueError(f"{name} is for 2-dimensional images; these have {data.train_images.ndim - 2}")
    recipe.augmentation.check(data)
    check_sampling(data, recipe.sampling)
    _check_step(model, image, recipe, ranks)


def _check_kind(model: Network, data: Data) -> None:
    """Check that a network predicts at every point where the data have targets there, and only there."""
    if model.dense and not isinstance(data, DenseDataset):
        raise ValueError(f"model must classify images; got {model.config}, which predicts every pixel")
    if isinstance(data, DenseDataset) and not model.dense:
        families = " or ".join(kind for kind, network in NETWORKS.items() if getattr(network, "dense", False))
        raise ValueError(
            f"model must predict at every point, as data {data.name!r} has a target there: {families}; got "
            f"{model.config}, which classifies whole images"
        )


def _check_targets(model: Network, data: DenseDataset, first: Tensor, recipe: Recipe) -> None:
    """Check that a prediction has the points of a target, and that relative losses have something to divide by."""
    if recipe.whitening:
        raise ValueError(f"whitening is for classifiers of images; data {data.name!r} has a target at every point")
    with evaluating(model), torch.no_grad():
        points = tuple(model(first).shape[2:])
    if points != (grid := tuple(data.train_inputs.shape[2:])):
        raise ValueError(f"model must predict at all points of the targets, {grid}; {model.config} gives {points}")
    if data.is_regression and recipe.loss in (AUTO, L2, H1):
        for part in ("train", "test"):
            if zeros := zero_targets(getattr(data, f"{part}_targets")):
                raise ValueError(
                    f"{part}_targets must not be zero everywhere for a loss relative to their norm; sample {zeros[0]} "
                    f"is, and {len(zeros)} in all: loss='mse' takes them"
                )


def _check_step(model: Network, image: Tensor, recipe: Recipe, ranks: int) -> None:
    """Check that a step changes a weight, and that every batch norm sees more than one value per channel."""
    if recipe.whitening and not hasattr(model.stem, "conv"):
        raise ValueError(f"whitening sets the weights of the stem, and {model.config.notation} has none")
    stem = model.get_parameter("stem.conv.weight") if recipe.whitening else None
    if stem is not None and not stem.requires_grad:
        raise ValueError("whitening sets the weights of the stem, and model.stem.conv.weight is frozen")
    weights = [w for w in model.parameters() if w.requires_grad and w is not stem]
    with evaluating(model), _single_values(model) as single, torch.enable_grad():
        scores = model(image).sum()
        used = weights and scores.requires_grad
        gradients = torch.autograd.grad(scores, weights, allow_unused=True) if used else ()
    if all(gradient is None for gradient in gradients):
        which = "its scores depend on none of them" if weights else "all others are frozen, by requires_grad or freeze"
        found = f"{counted(len(weights), 'trained parameter')}, {which}"
        raise ValueError(f"model must have a weight to train; it has {found}")
    if single and recipe.batch == ranks * recipe.grad_accum:
        raise ValueError(
            f"batch must be at least {2 * recipe.batch}, two images for each of {ranks} processes times "
            f"grad_accum {recipe.grad_accum}, since the batch norm {single[0]} sees one value per channel of an image; "
            f"got {recipe.batch}"
        )


@contextmanager
def _single_values(model: Network) -> Iterator[list[str]]:
    """List the batch norms that see one value per channel of an image while the network runs."""
    found: list[str] = []
    names = {module: name for name, module in model.named_modules()}

    def seen(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        if inputs[0][0, 0].numel() == 1:
            found.append(names[norm])

    hooks = [norm.register_forward_pre_hook(seen) for norm in trained_norms(model)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def usable_device(device: str | torch.device) -> torch.device:
    if not isinstance(device, str | torch.device):
        raise TypeError(f"device must be a name or a torch.device; got {device!r}")
    try:
        there = torch.zeros(1, device=device)
        there.item()  # "meta" holds no numbers
        return there.device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {str(device)!r} cannot be used here: {str(error).splitlines()[0]}") from error
