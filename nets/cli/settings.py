"""The options of `python -m nets train`: on the command line and, under the same names, in a TOML file."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from inspect import getdoc
from pathlib import Path
from typing import Any

from mgcore.command_line import add_options, read_file, read_options
from nets.cli import data
from nets.cli.data import path
from nets.common.checks import OTHER_NAMES
from nets.data import DATA, Augmentation
from nets.naming.scanner import EXAMPLE
from nets.training import RECIPES, Recipe

RUN: dict[str, dict[str, Any]] = {
    "model": {"metavar": "NAME", "help": f"such as {EXAMPLE} (MgNet[2,2]-[32]-B^{{l,i}})"},
    "data": {"metavar": "NAME", "help": f"one of {', '.join(DATA)} (digits)"},
    **data.OPTIONS,
    "recipe": {"metavar": "NAME", "help": f"one of {', '.join(RECIPES)}; see --list-recipes (the one for the data)"},
    "seed": {"type": int, "metavar": "N", "help": "of the split and of every random choice (0)"},
    "output": {"type": path, "metavar": "FOLDER", "help": "folder for checkpoint, history and pictures"},
    "resume": {"action": argparse.BooleanOptionalAction, "help": "go on with the run in --output"},
    "checkpoint_every": {"metavar": "WHEN", "help": "such as 10 min, 500 steps or 2 epochs (1 epoch, 5 min)"},
    "init_from": {"type": path, "metavar": "FILE", "help": "start from these weights: a checkpoint, run or state_dict"},
    "evaluate_every": {"type": int, "metavar": "N", "help": "epochs between two evaluations (1)"},
    "tensorboard": {"action": argparse.BooleanOptionalAction, "help": "write events for TensorBoard into --output"},
    "device": {"metavar": "NAME", "help": "cpu, cuda, cuda:1, ...; under torchrun cuda is one GPU per process (cpu)"},
    "threads": {"type": int, "metavar": "N", "help": "threads of torch; one is best for digits on a busy machine"},
    "progress": {
        "action": argparse.BooleanOptionalAction,
        "help": "lines on stderr, and on a terminal a bar (yes)",
    },
}
NETWORK: dict[str, dict[str, Any]] = {
    "activation": {"metavar": "NAME", "help": "relu, prelu, gelu, identity, hat:5,10, hat-trained, ... (relu)"},
    "input": {
        "choices": ("cifar", "imagenet"),
        "help": "the stem (cifar; imagenet where the data are)",
    },
    "iteration": {"metavar": "NAME", "help": "of MgNet: single, multi-step or chebyshev (single)"},
    "transfers": {"metavar": "NAME", "help": "of MgNet: trained, bilinear or linear (trained)"},
    "transfer_activation": {
        "action": argparse.BooleanOptionalAction,
        "help": "of MgNet: an activation after R and Pi (yes; GDFI no)",
    },
    "batch_norm": {"action": argparse.BooleanOptionalAction, "help": "(as the network's paper has it)"},
    "norm": {"choices": ("inside", "after"), "help": "of GDFI: batch norm in the activation, or after K (after)"},
    "form": {"choices": ("auto", "residual", "feature"), "help": "of MgNet (auto)"},
    "sharing": {"choices": ("literal", "tables"), "help": "of ResNets (literal)"},
    "activation_checkpointing": {
        "action": argparse.BooleanOptionalAction,
        "help": "compute levels again in the backward pass: less memory",
    },
}


def recipe_options() -> dict[str, dict[str, Any]]:
    """One option per setting of a recipe; its help is the setting's own documentation."""
    help_texts = {**_documented(Recipe), **_documented(Augmentation)}  # the recipe only refers to the latter
    options: dict[str, dict[str, Any]] = {}
    for field in fields(Recipe):
        kind: dict[str, Any] = {"type": type(field.default), "metavar": "X"}
        if isinstance(field.default, bool):
            kind = {"action": argparse.BooleanOptionalAction}
        options[field.name] = {**kind, "help": help_texts[field.name].replace("%", "%%")}
    return options


def _documented(kind: type) -> dict[str, str]:
    """Read from the "Args" of a docstring what it says of each name."""
    text = (getdoc(kind) or "").partition("Args:\n")[2]
    found: dict[str, str] = {}
    for names, body in re.findall(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", text, re.MULTILINE):
        words = " ".join(body.split()).replace("`", "")
        found |= {name.strip(): words for name in names.split(",") if name.strip() not in found}
    return found


GROUPS = {"run": RUN, "network": NETWORK, "recipe (each instead of the recipe's own)": recipe_options()}
ALL = {name: options for group in GROUPS.values() for name, options in group.items()}


def add_network_options(group: Any) -> None:
    """Add the options of a network that is drawn or counted; create_model checks the choices."""
    for name, options in NETWORK.items():
        if name != "activation_checkpointing":
            choices = {"metavar": "|".join(options["choices"])} if "choices" in options else {}
            add_options(group, {name: {k: v for k, v in options.items() if k != "choices"} | choices})


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Read the options of the file, if there is one, and of the command line, which wins."""
    file = {} if options.config is None else read_file(options.config, ALL, _value, OTHER_NAMES, "config: ")
    return {**file, **read_options(options, ALL)}


def _value(file: Path, key: str, value: Any) -> Any:
    """A value of the file; the names of files and folders start from its folder."""
    option = ALL[key]
    kind = bool if "action" in option else option.get("type", str)
    if kind is path and isinstance(value, str) and value:
        return file.parent / value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        names = {bool: "true or false", int: "an integer", float: "a number", path: "a path"}
        raise ValueError(f"config: {file}: {key} must be {names.get(kind, 'a string')}; got {value!r}")
    if "choices" in option and value not in option["choices"]:
        raise ValueError(f"config: {file}: {key} must be one of {', '.join(option['choices'])}; got {value!r}")
    return value
