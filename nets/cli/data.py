"""python -m nets data: the data sets and where they are; options about data for other commands."""

from __future__ import annotations

import argparse

from mgcore.common.command_line import read_options
from nets.cli.options import DATA_OPTIONS
from nets.data import DATA, Data, DenseDataset, is_known


def run(options: argparse.Namespace) -> None:
    import nets

    given = read_options(options, DATA_OPTIONS)
    if options.name is not None:
        _describe(nets.data.load(options.name, options.seed, **given))
        return
    for name in ("download", "exclude", "size", "skip_damaged"):
        if name in given:
            raise ValueError(f"--{name.replace('_', '-')} needs the name of a data set; got none")
    width = max(map(len, DATA))
    for name, title in DATA.items():
        found = nets.data.found_in(name, given.get("data_dir")) if is_known(name) else None
        print(f"{name:<{width}}  {title}")
        if found is not None:
            print(f"{'':<{width}}  found: {found}")


def _describe(data: Data) -> None:
    shape = " x ".join(map(str, data.train_images.shape[1:]))
    dense = isinstance(data, DenseDataset)
    counts = f"{len(data.train_labels):,} {'samples' if dense else 'images'} for training, {len(data.test_labels):,}"
    more = ", ..." if len(data.class_names) > 10 else ""
    print(f"{data.name}: {counts} for testing, {shape}")
    if data.class_names:
        kind = "labels, any number per image" if data.is_multilabel else "classes"
        print(f"{len(data.class_names)} {kind}: {', '.join(data.class_names[:10])}{more}")
    values = isinstance(data, DenseDataset) and data.is_regression
    if values:
        print(f"targets: {' x '.join(map(str, data.train_labels.shape[1:]))}")
    for what in ("mean", "std", *(("target_mean", "target_std") if values else ())):
        print(f"{what} per channel: {', '.join(f'{value:.4f}' for value in getattr(data, what))}")
    verdicts = {True: "as published", False: "NOT the published file", None: "no published checksum"}
    for file in data.source:
        print(f"  {file.name}: {file.bytes:,} bytes, MD5 {file.md5}, {verdicts[file.as_published]}")
    for reason in data.skipped:
        print(f"  left out: {reason}")
