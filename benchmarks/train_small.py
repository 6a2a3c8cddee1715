"""Small networks on a CPU: MNIST, Fashion-MNIST, digits, the sixteen schemes of GDFI, and the ladder of the slides.

python benchmarks/train_small.py mnist | fashion | digits | schemes | ladder [--seeds 3] [--epochs 1] [--data-dir DIR]

Every run leaves its folder with record.json under --output (out/train_small), for `python -m nets report`, and
a run that is there is not computed again: after an interruption the same command goes on. Accuracies are those of the
test part after the last epoch. The learning rate of a scheme, 0.1 or 0.01, is the one with the better accuracy on a
validation part, a fifth of the training images of a split of its own (seed 1000), which shares images with the test
parts; the scheme is then trained on all training images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any

import report
import torch

import nets
from nets.common.formatting import threads
from nets.naming.grammar import SCHEMES
from nets.papers.accuracies import all_published
from nets.runs.records import FILE, Group, Record, read

MNIST = "MgNet[1,2,2]-[16,32,64]-B^{l,i}"
DIGITS = {
    "MgNet": "MgNet[2,2]-[32]-B^{l,i}",
    "ResNet, one A per grid": "ResNet[2,2]-[32]-A^l-B^{l,i}",
    "ResNet": "ResNet[2,2]-[32]-A^{l,i}-B^{l,i}",
    "pre-activation ResNet": "pre-act ResNet[2,2]-[32]-A^{l,i}-B^{l,i}",
}
RATES = (0.1, 0.01)
LADDER = {entry.model: entry.accuracy for entry in all_published() if entry.table == "models on MNIST"}
"""Test accuracy in percent on MNIST, as the slides (2023) print it."""


def run(options: argparse.Namespace, model: str, data: nets.data.Dataset, seed: int, **settings: Any) -> Record:
    """One run, or what its folder has of it."""
    if options.epochs:
        settings["epochs"] = options.epochs
    words = "-".join(f"{key}={value}" for key, value in settings.items())
    name = f"{data.name}-{model}-{words}-seed{seed}".replace(" ", "_").replace(":", "=")
    folder = options.output / name
    nets.train(model, data, seed=seed, output=folder, resume=(folder / FILE).exists(), **settings)
    return read(folder / FILE)


def summary(records: Sequence[Record]) -> list[str]:
    """Mean, deviation, number and time of finished runs."""
    group = Group(tuple(records), ())
    spread = "-" if isnan(group.deviation) else f"{group.deviation:.2f}"
    single = ", ".join(f"{accuracy:.2f}" for accuracy in group.accuracies)
    return [f"{group.mean:.2f}", spread, str(group.n), single, f"{group.seconds:.0f}"]


HEADER = ["mean %", "std", "n", "runs", "seconds per run"]


def images(options: argparse.Namespace, name: str) -> None:
    """MNIST or Fashion-MNIST with the recipe "mnist"."""
    data = nets.data.load(name, data_dir=options.data_dir)
    records = [run(options, MNIST, data, seed) for seed in range(options.seeds)]
    rows = [[f"`{MNIST}`", f"{records[0].parameters:,}", *summary(records)]]
    write(options, name, f"{data.name} with a small MgNet on a CPU", ["network", "parameters", *HEADER], rows)


def digits(options: argparse.Namespace) -> None:
    """Networks of one width over five splits."""
    rows = []
    for title, model in DIGITS.items():
        records = [run(options, model, nets.data.digits(seed), seed) for seed in range(options.seeds)]
        rows.append([title, f"`{model}`", f"{records[0].parameters:,}", *summary(records)])
    header = ["", "network", "parameters", *HEADER]
    write(options, "digits_networks", "Digits: networks of one width and recipe, over splits", header, rows)


def schemes(options: argparse.Namespace) -> None:
    """GDFI with every A and B, N23 table 1 in the small."""
    rows = []
    for A in SCHEMES:
        for B in SCHEMES:
            model = f"GDFI[2,2]-[32]-A:{A}-B:{B}"
            tried = {rate: validated(options, model, rate) for rate in RATES}
            rate = max(RATES, key=lambda rate: tried[rate])
            records = [
                run(options, model, nets.data.digits(seed), seed, learning_rate=rate) for seed in range(options.seeds)
            ]
            choice = ", ".join(f"{rate}: {100 * accuracy:.2f}" for rate, accuracy in tried.items())
            rows.append([f"`{A}`", f"`{B}`", str(rate), choice, *summary(records)])
    rows.sort(key=lambda row: -float(row[4]))
    header = ["A", "B", "learning rate", "validation % by rate", *HEADER]
    write(options, "digits_schemes", "Digits: the sixteen schemes of GDFI", header, rows)


def validated(options: argparse.Namespace, model: str, rate: float) -> float:
    """Validation accuracy after the last epoch; a run that diverges has none."""
    try:
        record = run(options, model, nets.data.digits(1000), 1000, learning_rate=rate, val_fraction=0.2)
    except nets.TrainingError:
        return 0.0
    return float(record.history[-1]["validation_accuracy"])


def ladder(options: argparse.Namespace) -> None:
    """The classifiers that the slides set beside networks, by scikit-learn."""
    import sklearn
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC, LinearSVC

    data = nets.data.load("mnist", data_dir=options.data_dir)
    count = options.images or len(data.train_labels)
    train, test = (part.flatten(1).numpy() / 255 for part in (data.train_images[:count], data.test_images))
    labels, truth = data.train_labels[:count].numpy(), data.test_labels.numpy()
    models = {
        "logistic regression": LogisticRegression(max_iter=200),
        "SVM without kernel": LinearSVC(),
        "SVM with polynomial kernel": SVC(kernel="poly", degree=3),
        "one hidden layer of 1000 neurons": MLPClassifier((1000,), batch_size=128, max_iter=30, random_state=0),
    }
    rows = []
    for name, model in models.items():
        began = time.perf_counter()
        accuracy = 100 * model.fit(train, labels).score(test, truth)
        rows.append([name, f"{LADDER[name]:.2f}", f"{accuracy:.2f}", f"{time.perf_counter() - began:.0f}"])
        print(*rows[-1], flush=True)
    title = f"MNIST: the ladder of the slides, {count} training images"
    notes = f"scikit-learn {sklearn.__version__}, pixels divided by 255, its default settings but for sizes and steps."
    write(options, "mnist_ladder", title, ["classifier", "slides %", "here %", "seconds"], rows, notes)


def write(
    options: argparse.Namespace, name: str, title: str, header: list[str], rows: list[list[str]], notes: str = ""
) -> None:
    rehearsal = options.epochs or options.images or options.seeds < SEEDS[options.experiment]
    folder = options.output if rehearsal else report.RESULTS
    notes = notes or f"torch with {threads(torch.get_num_threads())}. Last epoch, no test-time augmentation."
    report.write(name, title, f"{report.table(header, rows)}\n\n{notes} Full test part.", folder)


SEEDS = {"mnist": 3, "fashion": 3, "digits": 5, "schemes": 5, "ladder": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=SEEDS)
    parser.add_argument("--seeds", type=int, help="runs (3 for images, 5 for digits)")
    parser.add_argument("--epochs", type=int, help="fewer, for a rehearsal: the table then goes to --output")
    parser.add_argument("--images", type=int, help="training images of the ladder, for a rehearsal")
    parser.add_argument("--threads", type=int, help="of torch (all cores; for digits 1)")
    parser.add_argument("--data-dir", type=Path, help="where MNIST is ($MGNET_DATA, ./data, ~/.cache/mgnet)")
    parser.add_argument("--output", type=Path, default=Path("out/train_small"), help="folder of the runs")
    options = parser.parse_args()
    options.seeds = options.seeds or SEEDS[options.experiment]
    if options.threads or options.experiment in ("digits", "schemes"):
        torch.set_num_threads(options.threads or 1)
    match options.experiment:
        case "mnist":
            images(options, "mnist")
        case "fashion":
            images(options, "fashion-mnist")
        case "digits":
            digits(options)
        case "schemes":
            schemes(options)
        case "ladder":
            ladder(options)


if __name__ == "__main__":
    main()
