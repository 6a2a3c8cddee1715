"""Train an MgNet on the handwritten digits that ship with scikit-learn.

python examples/train_digits.py [--seed 0] [--output out]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

import nets
from nets import plot

MODEL = "MgNet[2,2]-[32]-B^{l,i}"


def run(seed: int = 0, output: str | Path = "out", **settings: float) -> nets.TrainingResult:
    """One training run with pictures; `settings` override the recipe, for instance epochs=2."""
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # images of 8 x 8 are too small to share out, least of all on a busy machine
    data = nets.data.digits(seed)
    model = nets.create_model(MODEL, in_channels=1)
    print(f"{model.config}: {nets.parameters(model):,} parameters, ", end="")
    print(f"{nets.multiply_adds(model, (1, 8, 8)):,} multiply-adds per image", flush=True)
    began = time.perf_counter()
    result = nets.train(MODEL, data, seed=seed, **settings)
    seconds, evaluation = time.perf_counter() - began, result.evaluation

    print(f"\nconfusion matrix of the {len(data.test_labels)} held-out images (rows: truth, columns: prediction)")
    print("     " + "".join(f"{name:>4}" for name in data.class_names))
    for name, row in zip(data.class_names, evaluation.confusion.tolist(), strict=True):
        print(f"{name:>4} " + "".join(f"{n or '.':>4}" for n in row))
    print(f"held-out accuracy {100 * result.accuracy:.2f} % after the last epoch, trained in {seconds:.0f} s")

    plot.learning_curve(result.history, output / "learning_curve.png")
    plot.confusion_matrix(evaluation.confusion, data.class_names, output / "confusion_matrix.png")
    images, truth = data.test_images, data.test_labels
    plot.misclassified(images, truth, evaluation.predictions, output / "misclassified.png", data.class_names)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="of the split and of every random choice (default 0)")
    parser.add_argument("--output", default="out", help="folder for the pictures (default out)")
    arguments = parser.parse_args()
    run(arguments.seed, arguments.output)
