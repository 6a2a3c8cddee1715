"""MgNet-256 on CIFAR-10 with the recipe `fast`, for as many epochs as fit into the time.

python benchmarks/gpu/cifar.py [--device cuda] [--data-dir FOLDER ...] [--seconds 330] [--epochs N] [--seed 0]
    [--runs FOLDER] [--quick] [--output FOLDER]

Trains on those of data_batch_1.bin to data_batch_5.bin that are in the folders, and tests on test_batch.bin or, where
it is not there, on a part held out of the others. A short trial tells how long an epoch takes. A run whose time is over
stops with a checkpoint below --runs, and the same command goes on with it. Its record.json is copied to the output.
--quick trains a small network on a few images, random ones without --data-dir.
"""

from __future__ import annotations

import shutil
import time
from argparse import ArgumentTypeError
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import batch_files
from common import Table, parse, parser_of

import nets
from nets.runs.records import FILE, read
from nets.training.recipes import RECIPES

NAME = "gpu_cifar"
HEADER = ("network", "trained on", "tested on", "epochs", "accuracy %", "images/s", "training, s", "this call, s")
MOST = 200
"""Epochs, where time is left for more."""
SHARE = 0.9
"""Part of the time left that is planned with; a trial is short."""
STEPS = 48
"""Steps of an epoch of the trial: as many as batches that give the batch norms their statistics."""
SHORT = {"learning_rate": 1e-3}
"""The rate of a trial, which must not diverge."""
QUICK = {"batch": 8, "norm_batches": 2}
FEW = 40
"""Images of a file, and of each part, in a rehearsal."""


def main() -> None:
    began = time.monotonic()
    parser = parser_of(__doc__)
    parser.add_argument(
        "--data-dir", type=Path, nargs="+", help="folders with batch files (default: as nets.data.load)"
    )
    parser.add_argument("--seconds", type=float, default=330, help="time from the start on (default: %(default)s)")
    parser.add_argument("--epochs", type=positive, help="instead of as many as fit")
    parser.add_argument("--seed", type=int, default=0, help="of the run")
    parser.add_argument("--runs", type=Path, help=f"folder of checkpoints (default out/{NAME}; --quick: none is kept)")
    given = parse(parser)
    network = "MgNet[1,1]-[8]-B^l" if given.quick else "MgNet[2,2,2,2]-[256]-B^l"
    with TemporaryDirectory() as scratch:
        runs = given.runs or (Path(scratch) if given.quick else Path("out") / NAME)
        try:
            data = load(given, Path(scratch))
        except (OSError, ValueError) as error:
            parser.error(f"--data-dir: {error}")
        folder = runs / f"{data.name}-seed{given.seed}".replace(", ", "-").replace(" ", "-")
        settings = {"device": given.device, "seed": given.seed, "progress": False, "recipe": "fast"}
        settings |= QUICK if given.quick else {}
        if (folder / FILE).exists():  # a run goes on as it was planned
            recipe = read(folder / FILE).content["recipe"]
            settings |= {"compile": recipe["compile"], "epochs": given.epochs or recipe["epochs"]}
        else:
            settings["compile"] = compiles(network, data, settings)
            most, end = 2 if given.quick else MOST, began + given.seconds
            settings["epochs"] = given.epochs or plan(network, data, settings, end, most)
        left = max(began + given.seconds - time.monotonic(), 1e-3)
        try:
            nets.train(
                network,
                data,
                output=folder,
                resume=True,
                checkpoint_every="1 min",
                stop_after=f"{left:.3f} s",
                **settings | {"progress": None},
            )
        except (nets.TrainingInterrupted, nets.TrainingError) as why:
            print(why, flush=True)
        strange = ", ".join(batch_files.unpublished(data))
        note = "Recipe `fast`, the averaged weights after the last epoch."
        note += f" Not the published files, by their checksums: {strange}." if strange else ""
        Table(NAME, f"{network} on CIFAR-10 within minutes", HEADER, given, note).add(
            *row(folder, data, time.monotonic() - began)
        )
        kept = given.output / NAME / folder.name
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / FILE, kept)


def positive(text: str) -> int:
    """A number of epochs; what is none is told before a trial."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"must be an integer of at least 1; got {text}")
    return int(text)


def load(given: Any, scratch: Path) -> nets.data.Dataset:
    """The images; a few of them in a rehearsal."""
    if not given.quick:
        return batch_files.read(given.data_dir or [None])
    if given.data_dir:
        data = batch_files.read(given.data_dir)
    else:
        batch_files.write_random(scratch, FEW)
        data = batch_files.read([scratch], records=FEW)
    return data.without(range(FEW, len(data.train_labels)), range(FEW, len(data.test_labels)))


def compiles(network: str, data: nets.data.Dataset, settings: dict[str, Any]) -> bool:
    """Whether a compiled step works; torch keeps what it has compiled."""
    try:
        nets.train(network, data, **settings | SHORT | {"epochs": 1, "limit_batches": 1, "compile": True})
    except RuntimeError as error:
        print(f"not compiled: {error}", flush=True)
        return False
    return True


def plan(network: str, data: nets.data.Dataset, settings: dict[str, Any], end: float, most: int) -> int:
    """Try two short epochs, and tell how many whole ones are over before `end`."""
    began, seen = time.monotonic(), []

    def note(row: dict[str, Any], model: nets.Network) -> None:
        seen.append((time.monotonic(), row["seconds"]))

    nets.train(network, data, **settings | SHORT | {"epochs": 2, "limit_batches": STEPS}, on_epoch=note)
    (first, _), (second, training) = seen
    steps = len(data.train_labels) // settings.get("batch", RECIPES["fast"].batch)
    epoch = training * steps / min(steps, STEPS) + second - first - training
    rest = time.monotonic() - began - 2 * (second - first)
    epochs = epochs_within(end - time.monotonic() - rest, epoch, most)
    print(f"{epochs} epochs of {epoch:.2f} s, and {rest:.0f} s beside them", flush=True)
    return epochs


def epochs_within(seconds: float, epoch: float, most: int = MOST) -> int:
    """As many epochs as this time is enough for, from 1 to `most`."""
    return min(max(int(SHARE * seconds / epoch), 1), most)


def row(folder: Path, data: nets.data.Dataset, seconds: float) -> tuple[object, ...]:
    """What the run in a folder has reached, after so many seconds with compilation and trial."""
    record = read(folder / FILE)
    done = f"{record.epochs}" if record.finished else f"{len(record.history)} of {record.epochs}, {record.status}"
    accuracy = f"{record.accuracy:.2f}" if record.finished else ""
    rate = f"{median(epoch['images_per_second'] for epoch in record.history):.0f}" if record.history else ""
    times = f"{record.seconds:.0f}", f"{seconds:.0f}"
    return f"`{record.model}`", *batch_files.described(data), done, accuracy, rate, *times


if __name__ == "__main__":
    main()
