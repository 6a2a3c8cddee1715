"""The trained networks that come with the package: trains them, writes the files, and measures what is in the files.

python benchmarks/pretrained.py [digits mnist fashion-mnist] [--data-dir DIR] [--measure]

Networks, recipes, epochs and the seed were chosen before the first run, and the last epoch counts. After an
interruption the same command goes on. The accuracy in the table is that of the file: half-precision weights, read by
`nets.create_model(name, pretrained=...)`, on the whole test part.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import report
import torch

import nets
from nets.common.formatting import threads
from nets.models import pretrained
from nets.runs.records import FILE

SEED = 0


class Plan(NamedTuple):
    """A network and its training."""

    model: str
    recipe: str
    epochs: int
    licence: str


PLANS = {
    "digits": Plan(
        "MgNet[2,2]-[16]-B^l", "digits", 30, "digits (UCI, E. Alpaydin and C. Kaynak), CC BY 4.0; scikit-learn is BSD"
    ),
    "mnist": Plan(
        "MgNet[1,1,2]-[8,16,32]-B^l", "mnist", 7, "MNIST (LeCun, Cortes, Burges), usually given as CC BY-SA 3.0"
    ),
    "fashion-mnist": Plan("MgNet[1,1,2]-[8,16,32]-B^l", "mnist", 10, "Fashion-MNIST (Zalando), MIT"),
}


def train(name: str, data: nets.data.Dataset, output: Path) -> None:
    """Train a network, or go on, and write its file and its entry."""
    plan, folder = PLANS[name], output / name
    settings = {"recipe": plan.recipe, "epochs": plan.epochs, "seed": SEED}
    done = (folder / FILE).exists()
    result = nets.train(plan.model, data, output=folder, resume=done, **settings)
    model = nets.load(folder).half()
    nets.save(model, pretrained.path_of(name), overwrite=True)
    entry = {"model": plan.model, "in_channels": data.in_channels, "data": plan.licence, **settings}
    entries = {**pretrained.entries(), name: {**entry, "float32_accuracy": result.accuracy}}
    pretrained.INDEX.write_text(json.dumps({n: entries[n] for n in PLANS if n in entries}, indent=2) + "\n")
    pretrained.entries.cache_clear()


def measured(name: str, data: nets.data.Dataset) -> list[str]:
    """A row of the table: the accuracy of the file."""
    entry = pretrained.entries()[name]
    model = nets.create_model(entry["model"], pretrained=name)
    size = pretrained.path_of(name).stat().st_size
    found = nets.evaluate(model, data)
    figures = [f"{100 * entry['float32_accuracy']:.2f}", f"{100 * found.accuracy:.2f}", str(found.count)]
    return [name, f"`{entry['model']}`", f"{nets.parameters(model):,}", f"{size:,}", *figures, entry["data"]]


HEADER = ["pretrained", "network", "parameters", "bytes", "float32 %", "file %", "test images", "data and its licence"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PLANS)} (all)")
    parser.add_argument("--data-dir", type=Path, help="where MNIST is ($MGNET_DATA, ./data, ~/.cache/mgnet)")
    parser.add_argument("--measure", action="store_true", help="train nothing, measure the files that are there")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    parser.add_argument("--output", type=Path, default=Path("out/pretrained"), help="folder of the runs")
    options = parser.parse_args()
    if strange := set(options.names) - PLANS.keys():
        parser.error(f"names must be of {', '.join(PLANS)}; got {', '.join(sorted(strange))}")
    torch.set_num_threads(options.threads)
    rows = []
    for name in options.names or PLANS:
        data = nets.data.load(name, SEED, data_dir=None if name == "digits" else options.data_dir)
        if not options.measure:
            train(name, data, options.output)
        rows.append(measured(name, data))
    notes = (
        f"Seed {SEED}, last epoch, full test part, no test-time augmentation; torch with "
        f"{threads(torch.get_num_threads())}. The files hold half-precision weights, the networks compute in float32."
    )
    report.write("pretrained", "Trained networks in the package", f"{report.table(HEADER, rows)}\n\n{notes}")


if __name__ == "__main__":
    main()
