"""The whole story of MgNet in one file: a multigrid cycle whose operators are trained to read handwritten digits.

    python examples/train_minimal.py [--epochs 8] [--seed 0]

An image f lives on a grid. Multigrid would seek u with A u = f: improve u by u <- u + B (f - A u), take what is left
to a coarser grid, go on there. MgNet does just that, except that A, B and the transfers are convolutions, which learn.
The features u of the coarsest grid tell the digit. `mgcore.descend` is the loop; `pde` solves equations by it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import mgcore
import nets

# ---- settings: all of them -------------------------------------------------------------------------------------------

GRIDS = 2  # of 8 x 8 and 4 x 4 pixels
SWEEPS = 2  # steps u <- u + B (f - A u) on each grid
CHANNELS = 16  # of u and f, on every grid
CLASSES = 10
BATCH = 64
RATE = 0.1  # the largest learning rate
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
SMOOTHING = 0.1  # of labels


# ---- data: 1797 images of 8 x 8, every fifth for the test ------------------------------------------------------------


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


# ---- the network: levels of convolutions, and the loop of multigrid --------------------------------------------------


def convolution(channels: int, stride: int = 1) -> nn.Conv2d:
    """A 3 x 3 convolution to CHANNELS channels; with stride 2 it leads to the next coarser grid."""
    made = nn.Conv2d(channels, CHANNELS, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(made.weight, mode="fan_out")
    return made


def norms(count: int) -> nn.ModuleList:
    return nn.ModuleList(nn.BatchNorm2d(CHANNELS) for _ in range(count))


class MgNet(nn.Module):
    """MgNet[2,2]-[16]-B^l of He and Xu, with the convolutions A, B on every grid and R, Pi between them.

    The names of its parts are those of `nets.MgNet`, so that the weights fit there.
    """

    def __init__(self) -> None:
        super().__init__()
        between = GRIDS - 1
        self.stem = nn.Sequential()
        self.stem.add_module("conv", convolution(1))
        self.stem.add_module("norm", nn.BatchNorm2d(CHANNELS))
        self.A = nn.ModuleList(convolution(CHANNELS) for _ in range(GRIDS))
        # one B for all sweeps of a grid; each sweep has batch norms of its own
        self.B = nn.ModuleList(nn.ModuleList([convolution(CHANNELS)]) for _ in range(GRIDS))
        self.norm_f = nn.ModuleList(norms(SWEEPS) for _ in range(GRIDS))
        self.norm_u = nn.ModuleList(norms(SWEEPS) for _ in range(GRIDS))
        self.R = nn.ModuleList(convolution(CHANNELS, stride=2) for _ in range(between))
        self.Pi = nn.ModuleList(convolution(CHANNELS, stride=2) for _ in range(between))
        self.norm_R, self.norm_Pi = norms(between), norms(between)
        self.head = nn.Linear(CHANNELS, CLASSES)

    def level(self, l: int) -> mgcore.Level:
        """The operators of grid l, as the loop wants them."""
        last = l + 1 == GRIDS
        return mgcore.Level(
            A=self.A[l],
            B=[self.extractor(l, sweep) for sweep in range(SWEEPS)],
            R=None if last else lambda r: functional.relu(self.norm_R[l](self.R[l](r))),
            Pi=None if last else lambda u: functional.relu(self.norm_Pi[l](self.Pi[l](u))),
        )

    def extractor(self, l: int, sweep: int) -> Callable[[Tensor], Tensor]:
        """The smoother of multigrid, made nonlinear: r -> relu(norm(B * relu(norm(r)))), which is >= 0."""
        B, before, after = self.B[l][0], self.norm_f[l][sweep], self.norm_u[l][sweep]
        return lambda r: functional.relu(after(B(functional.relu(before(r)))))

    def forward(self, images: Tensor) -> Tensor:
        """Scores (N, 10) of images (N, 1, 8, 8)."""
        f = functional.relu(self.stem(images))
        # from u = 0: on each grid SWEEPS times u <- u + B (f - A u), then u <- Pi u, f <- R (f - A u) + A u
        visits = mgcore.descend([self.level(l) for l in range(GRIDS)], f)
        u = visits[-1].u
        return self.head(u.mean(dim=(2, 3)))


# ---- training: stochastic gradient descent ---------------------------------------------------------------------------


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


def train(model: nn.Module, epochs: int, seed: int) -> float:
    """Train and, after every epoch, test; returns the last accuracy on the test images."""
    generator = torch.Generator().manual_seed(seed)
    images, labels, test_images, test_labels = load()
    optimizer, per_epoch, found = optimizer_of(model), len(images) // BATCH, 0.0
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


def run(epochs: int = 8, seed: int = 0) -> float:
    """The story: a network, its training, and the same network by its name; returns the test accuracy."""
    if epochs < 1:
        raise ValueError(f"epochs must be an integer >= 1; got {epochs}")
    torch.set_num_threads(1)  # images of 8 x 8 are too small to share out
    torch.manual_seed(seed)
    model = MgNet()
    print(f"{nets.parameters(model):,} parameters, {epochs} epochs")
    found = train(model, epochs, seed)

    # `nets` has this network by its name: the trained weights fit, and the scores are equal to the bit
    named = nets.create_model("MgNet[2,2]-[16]-B^l", in_channels=1, form="feature").eval()
    named.load_state_dict(model.state_dict())
    images = load()[2]
    with torch.no_grad():
        same = torch.equal(model(images), named(images))
    print(f"{named.config.notation} of nets, with these weights, gives the same scores: {same}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8, help="passes over the training images (default 8)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and shifts (default 0)")
    arguments = parser.parse_args()
    run(arguments.epochs, arguments.seed)
