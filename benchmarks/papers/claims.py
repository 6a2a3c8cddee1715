"""The claims, the networks that they compare, and what the papers print; chosen before the first run."""

from __future__ import annotations

from typing import NamedTuple


class Claim(NamedTuple):
    """`a` against `b`, both names of networks; `printed` are accuracies of the source, of a and of b, by data set."""

    text: str
    source: str
    kind: str
    a: str
    b: str
    printed: str


RESNET = "ResNet[2,2,2,2]-[8,16,32,64]"
"""ResNet18 at an eighth of its widths."""
SHARED, GROWING = "MgNet[2,2,2,2]-[16]-B^l", "MgNet[2,2,2,2]-[4,8,16,32]-B^l"
"""The networks of N23's Table 5 at a sixteenth of their widths."""
SCHEME = "GDFI[2,2,2,2]-[16]-A:K-B:"

CLAIMS = (
    Claim(
        "one A per grid keeps the accuracy of ResNet18",
        "N23 Table 3",
        "as good",
        f"{RESNET}-A^l-B^{{l,i}}",
        f"{RESNET}-A^{{l,i}}-B^{{l,i}}",
        "CIFAR-10 94.34, 94.22; CIFAR-100 76.32, 76.08",
    ),
    Claim(
        "one B per grid loses accuracy, with one A per step",
        "N23 Table 3",
        "better",
        f"{RESNET}-A^{{l,i}}-B^{{l,i}}",
        f"{RESNET}-A^{{l,i}}-B^l",
        "CIFAR-10 94.22, 93.95; CIFAR-100 76.08, 74.23",
    ),
    Claim(
        "one B per grid loses accuracy, with one A per grid",
        "N23 Table 3",
        "better",
        f"{RESNET}-A^l-B^{{l,i}}",
        f"{RESNET}-A^l-B^l",
        "CIFAR-10 94.34, 93.30; CIFAR-100 76.32, 74.85",
    ),
    Claim(
        "a trained Pi (Pi_1) is better than u = 0 on the next grid (Pi_0)",
        "S19 Table 2",
        "better",
        SHARED,
        f"{SHARED}-Pi_0",
        "CIFAR-10 93.04, 92.02; CIFAR-100 72.32, 68.29",
    ),
    Claim(
        "a trained Pi per channel (Pi_2) is better than Pi_0",
        "S19 Table 2",
        "better",
        f"{SHARED}-Pi_2",
        f"{SHARED}-Pi_0",
        "with (256,512): Pi_2 93.53, Pi_1 93.20; CIFAR-100 74.26, 72.42",
    ),
    Claim(
        "the linear A with B = sigma K sigma is better than the all-linear scheme",
        "N23 Table 1",
        "better",
        f"{SCHEME}sigma.K.sigma",
        f"{SCHEME}K",
        "CIFAR-10 94.21, 71.36",
    ),
    Claim(
        "one width on all grids is better than growing widths",
        "N23 Table 5",
        "better",
        SHARED,
        GROWING,
        "CIFAR-100 79.94 (8.3M parameters), 78.06 (printed 12.5M, ours 9.4M)",
    ),
    Claim(
        "4 sweeps on grid 1 are better than 2",
        "N23 Table 7",
        "better",
        "MgNet[4,2,2,2]-[16]-B^l",
        SHARED,
        "CIFAR-100 80.25, 79.94",
    ),
    Claim(
        "B per step is better than B per grid in MgNet",
        "N23 Table 10",
        "better",
        "MgNet[2,2,2,2]-[16]-B^{l,i}",
        SHARED,
        "CIFAR-100 80.12, 79.94",
    ),
    Claim(
        "8 sweeps on grid 1 are better than 2",
        "N23 Table 7",
        "better",
        "MgNet[8,2,2,2]-[16]-B^l",
        SHARED,
        "CIFAR-100 80.32, 79.94",
    ),
)

MODELS = tuple(dict.fromkeys(name for claim in CLAIMS for name in (claim.a, claim.b)))
"""Every network of a claim, once, those of the first claims first."""

ACTIVATED = "MgNet[2,2,2,2]-[16]-B^l"
FORWARD, REVERSED = "5,10,15,20", "20,15,10,5"


def activated(activation: str) -> str:
    """The network of the claims on activations; the slides do not give theirs."""
    return f"{ACTIVATED}, activation={activation}"


HAT_CLAIMS = (
    Claim(
        "fixed supports that grow from grid to grid are better than those that shrink",
        "L23 Table 8",
        "better",
        activated(f"hat:{FORWARD}"),
        activated(f"hat:{REVERSED}"),
        "MNIST 99.68, 99.64; CIFAR-10 93.23, 92.87",
    ),
    Claim(
        "the same of trained supports",
        "L23 Table 9",
        "better",
        activated(f"hat-trained:{FORWARD}"),
        activated(f"hat-trained:{REVERSED}"),
        "CIFAR-10 94.15, 93.99",
    ),
    Claim(
        "trained supports are better than fixed ones",
        "L23 Tables 8, 9",
        "better",
        activated(f"hat-trained:{FORWARD}"),
        activated(f"hat:{FORWARD}"),
        "CIFAR-10 94.15, 93.23",
    ),
    Claim(
        "Hat is better than ReLU",
        "L23 Table 7",
        "better",
        activated(f"hat-trained:{FORWARD}"),
        activated("relu"),
        "CIFAR-10 94.95, 94.74; supports not given",
    ),
)
"""The slides' claims on activations, on MNIST."""

HAT_MODELS = (
    activated("relu"),
    *(activated(f"{kind}:{s}") for kind in ("hat", "hat-trained") for s in (FORWARD, REVERSED)),
)
