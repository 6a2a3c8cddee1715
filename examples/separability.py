"""Logistic regression of separable sets with a penalty, after L23: a small one lets it classify every point.

A_1, ..., A_k are linearly separable where the score w_i x + b_i is the largest one at every x of A_i, (4). P(theta) is
the product of the probabilities (6) of all right classes, theta = (W, b); where P > 1/2, every point is classified.
L = -log P has no minimum. L_lambda = L + lambda |theta|^2, (7) without a feature map, has one, theta_lambda, and
Theorem 1 says that it classifies if lambda is small. Its proof gives a lambda: let v of norm 1 have the largest margin
m, by which right scores exceed all others. Then, for t = log(4 N (k - 1)) / m and lambda = (log 2 - 1/4) / t^2,

    L(theta_lambda) < L_lambda(t v) <= N log(1 + (k - 1) exp(-m t)) + lambda t^2 < log 2.

As lambda -> 0, m |theta_lambda| / log(1/lambda) -> 1 and the direction tends to v. The norm counts b, as on the slides,
so v is not the support vector machine (SVM): it prefers lines near the origin. A feature c >> 1 for b makes it one.

    python examples/separability.py [--points 40] [--seed 0] [--output out]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.optimize import minimize, nnls
from scipy.special import logsumexp, softmax

import nets
from mgcore.common.arguments import integer
from nets.common.paths import make_folder

CENTRE = np.array([2.0, 1.0])  # of the square of the points
PENALTIES = 10.0 ** np.arange(2, -9, -1)
SHOWN = {1e1: "tab:orange", 1e0: "tab:green", 1e-6: "tab:blue"}
COLUMNS = {"norm": ".3f", "margin": ".4f", "classified": ".1%", "least p": ".4f", "P": ".2e", "degrees": ".2f"}


def separable_sets(k: int, points: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2), uniform in a square but for strips between the sets, and labels (N,) below k."""
    random = np.random.default_rng(seed)
    angles = 2 * np.pi * (np.arange(k) + random.random()) / k
    x = random.uniform(-1, 1, (50 * points, 2))
    scores = x @ np.stack([np.cos(angles), np.sin(angles)]) + random.uniform(0, 0.6, k)
    second, first = np.sort(scores, axis=1)[:, -2:].T
    chosen = np.flatnonzero(first - second > 0.2)[:points]
    return x[chosen] + CENTRE, scores[chosen].argmax(axis=1)


def differences(x: np.ndarray, labels: np.ndarray, k: int, c: float = 1.0) -> np.ndarray:
    """G, (N, k - 1, k (d + 1)): G theta are right scores less the others, positive in (4).

    theta has the rows of (W, b / c), one after the other, and acts on (x, c).
    """
    x, one = np.column_stack([x, np.full(len(x), c)]), np.eye(k)
    pairs = np.array([[one[i] - one[j] for j in range(k) if j != i] for i in range(k)])
    return np.einsum("njk,nd->njkd", pairs[labels], x).reshape(len(x), k - 1, -1)


def minimiser(G: np.ndarray, penalty: float) -> np.ndarray:
    """theta_lambda up to 1e-6 of its norm: |theta - theta_lambda| <= |grad L_lambda(theta)| / (2 lambda).

    Raises:
        ArithmeticError: where the minimisation does not get there.
    """
    rows = G.reshape(-1, G.shape[-1])

    def value(theta: np.ndarray) -> float:
        return float(losses(G, theta).sum() + penalty * theta @ theta)

    def wrong(theta: np.ndarray) -> np.ndarray:
        return softmax(np.pad(-G @ theta, ((0, 0), (1, 0))), axis=1)[:, 1:]  # probabilities, (N, k - 1)

    def gradient(theta: np.ndarray) -> np.ndarray:
        return 2 * penalty * theta - wrong(theta).ravel() @ rows

    def hessian(theta: np.ndarray) -> np.ndarray:
        q = wrong(theta)
        mean = np.einsum("nj,njp->np", q, G)
        return (rows * q.reshape(-1, 1)).T @ rows - mean.T @ mean + 2 * penalty * np.eye(len(theta))

    options = {"gtol": 2e-6 * penalty, "initial_trust_radius": 10.0}
    found = minimize(value, np.zeros(G.shape[-1]), jac=gradient, hess=hessian, method="trust-exact", options=options)
    theta = found.x
    for _ in range(2):  # values say no more than the root of their rounding; Newton's steps need none
        theta = theta - np.linalg.solve(hessian(theta), gradient(theta))
    if not np.linalg.norm(gradient(theta)) <= 2e-6 * penalty * np.linalg.norm(theta):
        raise ArithmeticError(f"minimisation for lambda = {penalty:g} stopped: {found.message}")
    return np.asarray(theta)


def losses(G: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """-log of the probability (6) of the right class of each point, (N,); L is their sum."""
    return np.asarray(logsumexp(np.pad(-G @ theta, ((0, 0), (1, 0))), axis=1))


def largest_margin(G: np.ndarray) -> tuple[float, np.ndarray]:
    """m and v, the direction of the least theta with G theta >= 1, by non-negative least squares.

    After C. L. Lawson and R. J. Hanson, Solving Least Squares Problems (1974), chapter 23.

    Raises:
        ValueError: where the sets are not linearly separable.
    """
    columns = np.vstack([G.reshape(-1, G.shape[-1]).T, np.ones(G.shape[0] * G.shape[1])])
    target = np.zeros(len(columns))
    target[-1] = 1
    weights, distance = nnls(columns, target, maxiter=50 * len(columns))
    if distance < 1e-9:  # it is m / sqrt(1 + m^2)
        raise ValueError(f"sets must be linearly separable; got sets with a largest margin below {2 * distance:.1g}")
    left = columns @ weights - target
    theta = -left[:-1] / left[-1]
    size = float(np.linalg.norm(theta))
    return 1 / size, theta / size


def safe_penalty(margin: float, N: int, k: int) -> float:
    """A lambda up to which P(theta_lambda) > 1/2, by the proof above, for N points in k sets with a largest margin."""
    return (math.log(2) - 1 / 4) * (margin / math.log(4 * N * (k - 1))) ** 2


def norm_bounds(penalty: float, margin: float, N: int, k: int) -> tuple[float, float]:
    """Bounds of |theta_lambda|; times m / log(1/lambda) both tend to 1.

    Where L_lambda(t v) <= c, lambda |theta_lambda|^2 <= c and log(1 + exp(-m |theta_lambda|)) <= L(theta_lambda) <= c.
    """
    t = max(0.0, math.log(N * (k - 1) / penalty)) / margin
    c = N * math.log1p((k - 1) * math.exp(-margin * t)) + penalty * t**2
    return max(0.0, -(c + math.log(-math.expm1(-c))) / margin), math.sqrt(c / penalty)


def report(G: np.ndarray, theta: np.ndarray, v: np.ndarray) -> dict[str, float]:
    """COLUMNS: |theta|, least G theta over it, share of points classified, least right probability, P, angle to v."""
    least, loss, size = (G @ theta).min(axis=1), losses(G, theta), float(np.linalg.norm(theta))
    angle = math.degrees(2 * math.atan2(np.linalg.norm(theta / size - v), np.linalg.norm(theta / size + v)))
    values = size, float(least.min()) / size, float(np.mean(least > 0)), math.exp(-loss.max()), math.exp(-loss.sum())
    return dict(zip(COLUMNS, (*values, angle), strict=True))


def row(found: dict[str, float]) -> str:
    """A report as a row of the table."""
    return "".join(f"{value:12{COLUMNS[column]}}" for column, value in found.items())


class Sets:
    """Points (N, d) in k sets, their largest margin, and theta_lambda and its report by lambda."""

    def __init__(self, x: np.ndarray, labels: np.ndarray, k: int, penalties: Sequence[float] = PENALTIES) -> None:
        if (found := len(set(labels.tolist()))) != k:
            raise ValueError(f"points must be in {k} sets; got {len(x)} in {found}: give more, or another seed")
        self.x, self.labels, self.k, self.G = x, labels, k, differences(x, labels, k)
        self.margin, self.v = largest_margin(self.G)
        self.safe = safe_penalty(self.margin, len(x), k)
        self.thetas = {penalty: minimiser(self.G, penalty) for penalty in sorted([*penalties, self.safe], reverse=True)}
        self.reports = {penalty: report(self.G, theta, self.v) for penalty, theta in self.thetas.items()}

    def __str__(self) -> str:
        title = (
            f"{len(self.x)} points in {self.k} sets, largest margin {self.margin:.4f}: P > 1/2 up to {self.safe:.2g}"
        )
        rows = [f"{penalty:8.2g}{row(found)}" for penalty, found in self.reports.items()]
        return "\n".join([title, f"{'lambda':>8}" + "".join(f"{column:>12}" for column in COLUMNS), *rows])

    def draw(self, axes: Any) -> None:
        for penalty, colour in SHOWN.items():
            self.separate(axes, self.thetas[penalty], f"$\\lambda$ = {penalty:g}", colour, "-")
        self.separate(axes, self.v, "largest margin", "black", "--")
        svm = largest_margin(differences(self.x, self.labels, self.k, c=100))[1].reshape(self.k, 3) * [1, 1, 100]
        self.separate(axes, svm, "SVM: b is free", "black", ":")
        for i in range(self.k):
            axes.plot(*self.x[self.labels == i].T, "os^"[i], color=f"C{i + 4}", ms=5)
        axes.set(title=f"{self.k} sets", aspect="equal", xticks=[], yticks=[])

    def separate(self, axes: Any, theta: np.ndarray, label: str, colour: str, style: str) -> None:
        """Draw where the scores of two classes are equal, and above the others."""
        x, y = (np.linspace(c - 1.1, c + 1.1, 221) for c in CENTRE)
        scores = np.tensordot(theta.reshape(self.k, 3), [*np.meshgrid(x, y), np.ones((221, 221))], 1)
        for i, j in combinations(range(self.k), 2):
            line = np.where(np.maximum(scores[i], scores[j]) == scores.max(axis=0), scores[i] - scores[j], np.nan)
            axes.contour(x, y, line, [0], colors=colour, linestyles=style)
        axes.plot([], [], style, color=colour, label=label)


def digits() -> tuple[Sets, dict[str, float]]:
    """The features that an MgNet gives its last layer, on the digits of its training; and the report on that layer.

    Weight decay w adds w theta to the gradient of the mean loss, as lambda = N w / 2 does.
    """
    torch.set_num_threads(1)  # images of 8 x 8 are too small to share out
    data = nets.data.digits(0)
    model = nets.create_model("MgNet[2,2]-[16]-B^l", pretrained="digits").eval()
    with torch.no_grad():
        images = (data.train_images - data.mean[0]) / data.std[0]
        features = model.forward_head(model.forward_features(images), pre_logits=True).double().numpy()
        head = torch.column_stack([model.head.weight, model.head.bias]).double().numpy().ravel()
    sets = Sets(features, data.train_labels.numpy(), 10, [len(features) * nets.Recipe().weight_decay / 2])
    return sets, report(sets.G, head, sets.v)


def run(points: int = 40, seed: int = 0, output: str | Path = "out") -> dict[str, Any]:
    """The whole example; returns two and three sets, the digits, and the report on the trained layer."""
    points, seed, folder = integer("points", points, 3), integer("seed", seed, 0), make_folder("output", output)
    planes = [Sets(*separable_sets(k, points, seed), k) for k in (2, 3)]
    features, trained = digits()
    print(*planes, f"digits: {features}\n trained{row(trained)}", sep="\n\n", end="\n\n")
    print(f"picture in {draw(planes, folder / 'separability.png')}")
    return {"planes": planes, "digits": features, "trained": trained}


def draw(sets: list[Sets], path: Path) -> Path:
    """Draw the sets with the lines between them, and norm and angle against lambda."""
    figure = Figure(figsize=(10, 8.6), layout="constrained")
    above, (left, right) = figure.subplots(2, 2, height_ratios=(1.3, 1))
    for axes, plane, colour in zip(above, sets, ("tab:purple", "tab:brown"), strict=True):
        plane.draw(axes)
        bounds = [norm_bounds(penalty, plane.margin, len(plane.x), plane.k) for penalty in plane.reports]
        left.fill_between(list(plane.reports), *np.transpose(bounds), color=colour, alpha=0.15, lw=0)
        for axes, column in ((left, "norm"), (right, "degrees")):
            values = [row[column] for row in plane.reports.values()]
            axes.semilogx(list(plane.reports), values, "o-", ms=3, color=colour, label=f"{plane.k} sets")
            axes.axvline(plane.safe, color=colour, ls=":", label=f"{plane.k} sets, $\\lambda$ of the proof")
    left.set(title="norm of $\\theta_\\lambda$ and its bounds", xlabel="$\\lambda$")
    right.set(title="degrees between $\\theta_\\lambda$ and largest margin", xlabel="$\\lambda$")
    left.legend()
    figure.legend(*above[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    figure.savefig(path, dpi=90)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=40, help="how many, in all sets together (default 40)")
    parser.add_argument("--seed", type=int, default=0, help="of the points (default 0)")
    parser.add_argument("--output", default="out", help="folder for the picture (default out)")
    arguments = parser.parse_args()
    run(arguments.points, arguments.seed, arguments.output)
