"""The options of `python -m nets` (`commands.toml`), and how `train` reads them from a TOML file."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from inspect import getdoc
from pathlib import Path
from typing import Any

from mgcore.common.command_line import path, read_commands, read_file, read_options
from nets.common.checks import OTHER_NAMES
from nets.data import DATA, Augmentation
from nets.naming.scanner import EXAMPLE
from nets.runs.report import FORMS
from nets.training import RECIPES, Recipe


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


COMMANDS = read_commands("nets.cli", {"DATA": DATA, "RECIPES": RECIPES, "FORMS": FORMS, "EXAMPLE": [EXAMPLE]})
COMMANDS["train"]["recipe (each instead of the recipe's own)"] = recipe_options()
DATA_OPTIONS, NETWORK = COMMANDS["data"]["data"], COMMANDS["train"]["network"]
LISTS = ("class_weights", "freeze")
"""Settings that a file may write as a list; their text has commas."""
ALL = {**COMMANDS["train"]["run"], **NETWORK, **recipe_options()}


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Read the options of the file, if there is one, and of the command line, which wins."""
    file = {} if options.config is None else read_file(options.config, ALL, _value, OTHER_NAMES, "config: ")
    return {**file, **read_options(options, ALL)}


def _value(file: Path, key: str, value: Any) -> Any:
    """A value of the file; the names of files and folders start from its folder."""
    kind = bool if "action" in ALL[key] else ALL[key].get("type", str)
    if kind is path and isinstance(value, str) and value:
        return file.parent / value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if key in LISTS and isinstance(value, list):
        value = ",".join(map(str, value))
    if type(value) is not kind:
        names = {bool: "true or false", int: "an integer", float: "a number", path: "a path"}
        raise ValueError(f"config: {file}: {key} must be {names.get(kind, 'a string')}; got {value!r}")
    if value not in (choices := ALL[key].get("choices", [value])):
        raise ValueError(f"config: {file}: {key} must be one of {', '.join(choices)}; got {value!r}")
    return value
