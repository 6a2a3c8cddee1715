"""The whole story of a training in one file: data, network, schedule, loop, test. Plain torch on handwritten digits.

    python examples/train_minimal.py [--epochs 8] [--seed 0]

`nets.train` does the same with checkpoints, records, recipes and several devices.
"""

from __future__ import annotations

import argparse

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import nets

# ---- settings: all of them -----------------------------------------------------------------------------------------

MODEL = "MgNet[2,2]-[16]-B^l"  # two grids, two sweeps on each, 16 channels, one extractor B per grid
BATCH = 64
RATE = 0.1  # the largest learning rate
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
SMOOTHING = 0.1  # of labels


# ---- data: 1797 images of 8 x 8, every fifth for the test -----------------------------------------------------------


def load() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images (N, 1, 8, 8), normalised by the training images, and labels (N,), for training and for the test."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8)
    labels = torch.tensor(labels)
    test = torch.arange(len(images)) % 5 == 0
    mean, std = images[~test].mean(), images[~test].std()
    images = (images - mean) / std
    return images[~test], labels[~test], images[test], labels[test]


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image moved by up to one pixel along both axes: new examples in every epoch."""
    size, low = images.shape[-1], float(images.min())
    padded = functional.pad(images, (1, 1, 1, 1), value=low)
    offsets = torch.randint(0, 3, (len(images), 2), generator=generator)
    moved = [p[:, i : i + size, j : j + size] for p, (i, j) in zip(padded, offsets.tolist(), strict=True)]
    return torch.stack(moved)


# ---- training ------------------------------------------------------------------------------------------------------


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    """Nesterov momentum; weights of convolutions and of the head decay, weights of batch norms do not."""
    decayed = [w for w in model.parameters() if w.ndim > 1]
    others = [w for w in model.parameters() if w.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=RATE, momentum=MOMENTUM, nesterov=True)


def rate(step: int, steps: int) -> float:
    """The learning rate: up during the first fifth of the steps, then down to zero, linearly."""
    peak = steps / 5
    return RATE * min((step + 1) / peak, (steps - step) / (steps - peak))


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images that the model reads right."""
    model.eval()
    with torch.no_grad():
        return float((model(images).argmax(1) == labels).float().mean())


def run(epochs: int = 8, seed: int = 0) -> float:
    """Train and test; returns the accuracy on the test images."""
    if epochs < 1:
        raise ValueError(f"epochs must be an integer >= 1; got {epochs}")
    torch.set_num_threads(1)  # images of 8 x 8 are too small to share out
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    images, labels, test_images, test_labels = load()
    model = nets.create_model(MODEL, in_channels=1)
    optimizer = optimizer_of(model)
    per_epoch = len(images) // BATCH
    print(f"{MODEL}: {nets.parameters(model):,} parameters, {epochs} epochs of {per_epoch} steps")

    for epoch in range(epochs):
        model.train()
        order, total = torch.randperm(len(images), generator=generator), 0.0
        for i in range(per_epoch):
            batch = order[i * BATCH : (i + 1) * BATCH]
            for group in optimizer.param_groups:
                group["lr"] = rate(epoch * per_epoch + i, epochs * per_epoch)
            scores = model(shifted(images[batch], generator))
            loss = functional.cross_entropy(scores, labels[batch], label_smoothing=SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
        found = accuracy(model, test_images, test_labels)
        print(f"epoch {epoch + 1}: loss {total / per_epoch:.3f}, test accuracy {100 * found:.1f} %", flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8, help="passes over the training images (default 8)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and shifts (default 0)")
    arguments = parser.parse_args()
    run(arguments.epochs, arguments.seed)
