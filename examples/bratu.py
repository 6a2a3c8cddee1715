"""Bratu's problem -Lap u = lambda exp(u) on the unit square, u = 0 on the sides: two solutions, or none.

Multigrid finds both for a given lambda, the upper one from a first guess near it. The curve that joins them turns back
at lambda = 6.808, the fold, where the derivative of -Lap u - lambda exp(u) is singular. Continuation goes around it:
lambda becomes an unknown, and the equation that is missing fixes the step along the tangent (pseudo-arclength).

    python examples/bratu.py [--n 31] [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from matplotlib.figure import Figure
from scipy.sparse.linalg import spsolve

import pde

FOLD = 6.808124423  # of the continuous problem
STRENGTH = 7.0  # of lambda beside u in the length of the curve
Point = tuple[np.ndarray, float]  # u and lambda


class Curve:
    """The solutions of A u = lambda exp(u) on n x n points, from u = 0 on."""

    def __init__(self, n: int) -> None:
        self.A = sp.csr_matrix(pde.Poisson((n, n)).matrix())
        self.start: Point = (np.zeros(n * n), 0.0)

    def bordered(self, point: Point, tangent: Point) -> sp.csc_matrix:
        """The derivative of (A u - lambda exp(u), step along the tangent): regular at the fold too."""
        (u, strength), (du, rate) = point, tangent
        last = sp.csr_matrix(np.append(du / u.size, rate / STRENGTH**2))
        first = sp.hstack([self.A - sp.diags(strength * np.exp(u)), -np.exp(u)[:, None]])
        return sp.csc_matrix(sp.vstack([first, last]))

    def tangent(self, point: Point, before: Point) -> Point:
        """The direction of the curve, of length 1, that goes on from `before`."""
        t = solved(self.bordered(point, before), np.append(np.zeros(point[0].size), 1.0))
        t /= np.sqrt(np.mean(t[:-1] ** 2) + (t[-1] / STRENGTH) ** 2)
        return t[:-1], float(t[-1])

    def step(self, point: Point, tangent: Point, length: float) -> Point:
        """The point of the curve that is so far along the tangent, by Newton's method."""
        (u, strength), (du, rate) = point, tangent
        v, value = u + length * du, strength + length * rate
        for _ in range(20):
            missing = length - np.mean(du * (v - u)) - rate * (value - strength) / STRENGTH**2
            r = np.append(value * np.exp(v) - self.A @ v, missing)
            change = solved(self.bordered((v, value), tangent), r)
            v, value = v + change[:-1], value + float(change[-1])
            if abs(change).max() < 1e-10:
                return v, value
        raise ArithmeticError(f"no point of the curve {length} from lambda = {strength:.3f}: take a shorter step")

    def follow(self, length: float, steps: int) -> list[tuple[Point, Point]]:
        """Points of the curve with their tangents."""
        point, tangent = self.start, self.tangent(self.start, (np.zeros_like(self.start[0]), 1.0))
        found = [(point, tangent)]
        for _ in range(steps):
            point = self.step(point, tangent, length)
            tangent = self.tangent(point, tangent)
            found.append((point, tangent))
        return found

    def fold(self, points: list[tuple[Point, Point]]) -> Point:
        """The point where lambda turns back, by secants on its rate along the curve, from the last point before."""
        number = next(k for k, (_, tangent) in enumerate(points) if tangent[1] < 0)
        (point, tangent), (other, after) = points[number - 1 : number + 1]
        low, high = 0.0, np.mean(tangent[0] * (other[0] - point[0])) + tangent[1] * (other[1] - point[1]) / STRENGTH**2
        rates = tangent[1], after[1]
        for _ in range(8):
            low, high = high, high - rates[1] * (high - low) / (rates[1] - rates[0])
            other = self.step(point, tangent, high)
            rates = rates[1], self.tangent(other, tangent)[1]
            if abs(rates[1]) < 1e-6:
                break
        return other


def solved(matrix: sp.csc_matrix, r: np.ndarray) -> np.ndarray:
    """matrix^-1 r, by an order of elimination that takes the full row and column last."""
    return spsolve(matrix, r, "MMD_AT_PLUS_A")


def solve(n: int, strength: float, u0: np.ndarray | None = None) -> pde.Solution:
    """The full approximation scheme for one lambda."""

    def law(u: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return -strength * np.exp(u)

    return pde.Multigrid(pde.NonlinearPoisson((n, n), reaction=law, derivative=law)).solve(0.0, u0=u0, rtol=1e-10)


def run(n: int = 31, output: str | Path = "out") -> dict[str, float]:
    """The whole example; returns the fold by the spacings along an axis, and how far both methods are apart."""
    found, apart = {}, 0.0
    for size in (15, 31, 63):
        curve = Curve(size)
        found[str(size + 1)] = curve.fold(curve.follow(0.25, 8))[1]
    print("fold:", ", ".join(f"{fold:.6f} on {size}^2" for size, fold in found.items()), f"({FOLD:.6f})")
    points = Curve(n).follow(0.05, 60)
    by_multigrid = []
    for (u, strength), (_, rate) in points[8::8]:
        solution = solve(n, strength, None if rate > 0 else 0.98 * u.reshape(n, n))
        by_multigrid.append((strength, solution.u.max()))
        apart = max(apart, abs(solution.u.ravel() - u).max())
        print(f"lambda = {strength:.3f}, {'lower' if rate > 0 else 'upper'} branch: {solution.message}")
    print("lambda = 7.000:", solve(n, 7.0).message)
    path = draw(points, by_multigrid, Path(output) / "bratu.png")
    print(f"multigrid and continuation differ by {apart:.1e}; picture in {path}")
    return {**found, "apart": apart}


def draw(points: list[tuple[Point, Point]], by_multigrid: list[tuple[float, float]], path: Path) -> Path:
    """Draw the largest value of u over lambda."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*((strength, u.max()) for (u, strength), _ in points), strict=True), label="continuation")
    axes.plot(*zip(*by_multigrid, strict=True), "o", label="full approximation scheme")
    axes.axvline(FOLD, color="0.6", linestyle="--", label=f"fold, {FOLD:.3f}")
    axes.set(xlabel="λ", ylabel="largest u", title="−Δu = λ exp(u)", xlim=0, ylim=0)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=31, help="points along each axis of the curve in the picture")
    parser.add_argument("--output", default="out", help="folder for the picture (default out)")
    arguments = parser.parse_args()
    run(arguments.n, arguments.output)
