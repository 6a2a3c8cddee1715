"""python -m nets data: the data sets and where they are; options about data for other commands."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mgcore.command_line import add_options, read_options
from nets.data import DATA, Dataset, is_known


def path(text: str) -> Path:
    """Make a path of an option; an empty one, as of a variable that is not set, would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("must be a path; got ''")
    return Path(text)


DESCRIPTION = """The data sets and where each was found. With a name: read it, verify it and say what it holds."""
OPTIONS: dict[str, dict[str, Any]] = {
    "data_dir": {"type": path, "metavar": "FOLDER", "help": "where the data are ($MGNET_DATA, ./data, ~/.cache/mgnet)"},
    "download": {
        "action": argparse.BooleanOptionalAction,
        "help": "fetch and verify the data where they are not found",
    },
    "exclude": {"type": path, "metavar": "FILE", "help": "images to leave out, a line for each: file and number in it"},
    "size": {"type": int, "metavar": "N", "help": "pixels per side, to which images of a folder are resized and cut"},
}
"""Keyword arguments of `nets.data.load`, as options."""


def add_data(commands: Any) -> None:
    command = commands.add_parser("data", help="data sets, and where they are", description=DESCRIPTION)
    command.add_argument("name", nargs="?", help=f"one of {', '.join(DATA)}")
    command.add_argument("--seed", type=int, default=0, help="of the split, where the set is split by one (default: 0)")
    add_options(command, OPTIONS)
    command.set_defaults(run=_data)


def _data(options: argparse.Namespace) -> None:
    import nets

    given = read_options(options, OPTIONS)
    if options.name is not None:
        _describe(nets.data.load(options.name, options.seed, **given))
        return
    for name in ("download", "exclude", "size"):
        if name in given:
            raise ValueError(f"--{name} needs the name of a data set; got none")
    width = max(map(len, DATA))
    for name, title in DATA.items():
        found = nets.data.found_in(name, given.get("data_dir")) if is_known(name) else None
        print(f"{name:<{width}}  {title}")
        if found is not None:
            print(f"{'':<{width}}  found: {found}")


def _describe(data: Dataset) -> None:
    shape = " x ".join(map(str, data.train_images.shape[1:]))
    counts = f"{len(data.train_labels):,} images for training, {len(data.test_labels):,} for testing"
    more = ", ..." if len(data.class_names) > 10 else ""
    print(f"{data.name}: {counts}, {shape}")
    print(f"{len(data.class_names)} classes: {', '.join(data.class_names[:10])}{more}")
    for what in ("mean", "std"):
        print(f"{what} per channel: {', '.join(f'{value:.4f}' for value in getattr(data, what))}")
    verdicts = {True: "as published", False: "NOT the published file", None: "no published checksum"}
    for file in data.source:
        print(f"  {file.name}: {file.bytes:,} bytes, MD5 {file.md5}, {verdicts[file.as_published]}")
