"""python -m nets train: train a network."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from typing import Any

import torch

from nets.cli.evaluate import draw_evaluation, print_result
from nets.cli.options import DATA_OPTIONS, NETWORK, settings
from nets.data import DenseDataset
from nets.training import RECIPES, Evaluation, Recipe
from nets.training.checks import network_for
from nets.training.objective import said
from nets.training.recipes import SOURCES, recipe_for

MODEL, DENSE_MODEL = "MgNet[2,2]-[32]-B^{l,i}", "V-MgNet[2,2,2]-[32]-B^{l,i}"
"""Networks where none is asked for: for images of classes, and for targets at every point."""


def run(options: argparse.Namespace) -> None:
    if options.list_recipes:
        _list_recipes()
        return
    given = settings(options)
    threads = given.pop("threads", None)
    if threads is not None:
        most = max(64, 4 * (os.cpu_count() or 1))  # a system without that many to give ends the process
        if not 1 <= threads <= most:
            raise ValueError(f"threads must be an integer from 1 to {most}; got {threads}")
        torch.set_num_threads(threads)
    _run(given)


def _run(given: dict[str, Any]) -> None:
    import nets

    name, seed = given.pop("model", None), given.pop("seed", 0)
    network = {key: given.pop(key) for key in NETWORK if key in given}
    source = {key: given.pop(key) for key in DATA_OPTIONS if key in given}
    data = nets.data.load(given.pop("data", "digits"), seed, **source)
    overrides = {key: given[key] for key in asdict(Recipe()) if key in given}
    dense = isinstance(data, DenseDataset)
    name = (DENSE_MODEL if dense else MODEL) if name is None else name
    recipe = recipe_for(data, given.get("recipe"), overrides)
    model = network_for(name, data, seed, recipe.initialization, **network)
    result = nets.train(model, data, seed=seed, **given)
    if os.environ.get("RANK", "0") != "0":  # torchrun's other processes have nothing to add
        return
    if result.reason:
        print(result.reason)
    if result.validation is not None:
        figures = ", ".join(said(*figure) for figure in result.validation.figures.items())
        print(f"validation {figures} of {result.validation.count} {'samples' if dense else 'images'}")
    print_result(result.evaluation, data.class_names)
    if "output" in given:
        if isinstance(result.evaluation, Evaluation):  # else its run has a picture already
            draw_evaluation(result.evaluation, data, given["output"])
        print(f"written: {given['output']}")


def _list_recipes() -> None:
    """Each recipe with its source and what it sets otherwise than the default recipe."""
    default = asdict(Recipe())
    print("defaults: " + _settings(default))
    for name, recipe in RECIPES.items():
        own = {key: value for key, value in asdict(recipe).items() if value != default[key]}
        print(f"\n{name}: {SOURCES[name]}\n  {_settings(own)}")


def _settings(values: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
