"""Boxes with any sides: the finite-volume balance of every control volume, and manufactured solutions.

Nothing here comes from `pde`: the matrix is assembled volume by volume from the fluxes through its faces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

SIDES: dict[str, tuple[Any, Any]] = {
    "D": ("dirichlet", "dirichlet"),
    "N": ("neumann", "neumann"),
    "P": ("periodic", "periodic"),
    "R": (("robin", 2.0), ("robin", 0.5)),
    "DN": ("dirichlet", "neumann"),
    "ND": ("neumann", "dirichlet"),
    "RD": (("robin", 2.0), "dirichlet"),
    "NR": ("neumann", ("robin", 1.5)),
    "R0": (("robin", 0.0), "neumann"),
}
"""The two ends of an axis, by a short name."""


@dataclass
class Line:
    """One axis: n unknowns at `points` in control volumes between `low` and `high` faces; `pair` are its two sides."""

    n: int
    pair: tuple[Any, Any]
    cell: bool = False
    length: float = 1.0
    a: float = 1.0
    nodes: np.ndarray | None = None
    points: np.ndarray = field(init=False)
    width: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        kinds = self.kinds
        dirichlet = kinds.count("dirichlet")
        cell = self.cell or ("periodic" not in kinds and self.n + dirichlet < 2)
        intervals = self.n if cell or "periodic" in kinds else self.n - 1 + dirichlet
        x = np.arange(intervals + 1) * (self.length / intervals) if self.nodes is None else np.asarray(self.nodes)
        middle = (x[1:] + x[:-1]) / 2
        self.ends = x[0], x[-1]
        if cell:
            self.points, self.width = middle, x[1:] - x[:-1]
        elif "periodic" in kinds:
            self.points = x[:-1]
            self.width = middle - np.concatenate(([middle[-1] - (x[-1] - x[0])], middle[:-1]))
        else:
            faces = np.concatenate(([x[0]], middle, [x[-1]]))
            inside = slice(int(kinds[0] == "dirichlet"), len(x) - int(kinds[1] == "dirichlet"))
            self.points, self.width = x[inside], (faces[1:] - faces[:-1])[inside]

    @property
    def kinds(self) -> tuple[str, str]:
        low, high = (side if isinstance(side, str) else side[0] for side in self.pair)
        return low, high

    def balance(self, i: int, a: np.ndarray | None = None) -> tuple[dict[int, float], dict[int, float]]:
        """The flux out of volume i over its width: {unknown: coefficient}, and {side: coefficient of g in the data}.

        `a` along the line may vary: between two unknowns it acts as two resistances in a row.
        """
        a = np.full(self.n, self.a) if a is None else a
        out: dict[int, float] = {}
        data: dict[int, float] = {}

        def add(j: int, value: float) -> None:
            out[j] = out.get(j, 0.0) + value / self.width[i]

        period = self.ends[1] - self.ends[0]
        for side, j in ((0, i - 1), (1, i + 1)):
            if 0 <= j < self.n or self.kinds[0] == "periodic":
                turns, k = divmod(j, self.n)
                distance = abs(self.points[k] + turns * period - self.points[i])
                halves = (self.width[i] / 2, self.width[k] / 2) if self.cell else (distance / 2, distance / 2)
                k_flux = 1 / (halves[0] / a[i] + halves[1] / a[k])
                add(i, k_flux)
                add(k, -k_flux)
                continue
            kind, d = self.kinds[side], abs(self.ends[side] - self.points[i])
            beta = 0.0 if isinstance(self.pair[side], str) else self.pair[side][1]
            if kind == "dirichlet":  # a (u - g) / d leaves
                add(i, a[i] / d)
                data[side] = a[i] / d / self.width[i]
            else:  # with the boundary value b: a (b - u) / d = g - beta b, and beta b - g leaves
                k = np.inf if d == 0 else a[i] / d
                b_u, b_g = (1.0, 0.0) if d == 0 else (k / (k + beta), 1 / (k + beta))
                add(i, beta * b_u)
                data[side] = (1 - beta * b_g) / self.width[i]
        return out, data


@dataclass
class Box:
    """A problem: its lines, its reaction (a number, or an array of the shape), and a where it varies, one per axis."""

    lines: Sequence[Line]
    c: Any = 0.0
    fields: Sequence[np.ndarray] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(line.n for line in self.lines)

    @property
    def ndim(self) -> int:
        return len(self.lines)

    @property
    def singular(self) -> bool:
        free = all(
            kind in ("neumann", "periodic") or (kind == "robin" and side[1] == 0)
            for line in self.lines
            for kind, side in zip(line.kinds, line.pair, strict=True)
        )
        return free and not np.any(self.c)

    @property
    def sides(self) -> list[tuple[int, int]]:
        """The sides that take data."""
        return [(a, s) for a, line in enumerate(self.lines) for s in (0, 1) if line.kinds[s] != "periodic"]

    def arguments(self) -> dict[str, Any]:
        """The same problem in the words of `pde.Poisson`; the reaction as it is."""
        return {
            "shape": self.shape,
            "extent": tuple(line.length for line in self.lines),
            "boundary": tuple(line.pair for line in self.lines),
            "centering": "cell" if self.lines[0].cell else "vertex",
            "coefficient": tuple(self.fields or (line.a for line in self.lines)),
            "reaction": self.c,
            "coordinates": [line.nodes for line in self.lines],
        }

    def coordinates(self) -> list[np.ndarray]:
        return list(np.meshgrid(*(line.points for line in self.lines), indexing="ij"))

    def side_coordinates(self, a: int, side: int) -> list[np.ndarray]:
        points = [np.array([line.ends[side]]) if b == a else line.points for b, line in enumerate(self.lines)]
        return [x.squeeze(a) for x in np.meshgrid(*points, indexing="ij")]

    def volumes(self) -> np.ndarray:
        W = np.ones(())
        for line in self.lines:
            W = np.multiply.outer(W, line.width)
        return W

    def matrix(self) -> sp.csr_matrix:
        """A, volume by volume."""
        number = np.arange(prod(self.shape)).reshape(self.shape)
        c = np.broadcast_to(self.c, self.shape)
        rows, columns, values = [], [], []
        flows = [[line.balance(i) for i in range(line.n)] for line in self.lines]
        for index in np.ndindex(*self.shape):
            rows.append(number[index])
            columns.append(number[index])
            values.append(c[index])
            for a, flow in enumerate(flows):
                out, _ = flow[index[a]] if self.fields is None else self.varying(a, index)
                for j, value in out.items():
                    rows.append(number[index])
                    columns.append(number[(*index[:a], j, *index[a + 1 :])])
                    values.append(value)
        return sp.csr_matrix((values, (rows, columns)), shape=(number.size, number.size))

    def varying(self, axis: int, index: tuple[int, ...]) -> tuple[dict[int, float], dict[int, float]]:
        """The balance of the volume `index` along an axis, with a as it varies along that line."""
        assert self.fields is not None
        along = (*index[:axis], slice(None), *index[axis + 1 :])
        return self.lines[axis].balance(index[axis], self.fields[axis][along])

    def fold(self, f: np.ndarray, g: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
        """f with boundary data, volume by volume along every side."""
        f = np.array(f, dtype=float)
        for (a, side), values in g.items():
            line = self.lines[a]
            i = line.n - 1 if side else 0
            if self.fields is None:
                f[(slice(None),) * a + (i,)] += line.balance(i)[1][side] * values
                continue
            for place in np.ndindex(*values.shape):
                index = (*place[:a], i, *place[a:])
                f[index] += self.varying(a, index)[1][side] * values[place]
        return f

    def solution(self, folded: np.ndarray) -> np.ndarray:
        """By spsolve; of a singular problem, the bordered system: zero weighted mean, f without its own."""
        A, W = self.matrix(), self.volumes().ravel()
        if not self.singular:
            return np.asarray(spsolve(sp.csc_matrix(A), folded.ravel())).reshape(self.shape)
        border = sp.bmat([[A, np.ones((len(W), 1))], [W[None, :], None]])
        return np.asarray(spsolve(sp.csc_matrix(border), np.append(folded.ravel(), 0.0)))[:-1].reshape(self.shape)

    def mean(self, u: np.ndarray) -> float:
        W = self.volumes()
        return float((W * u).sum() / W.sum())


def smooth(s: np.ndarray) -> np.ndarray:
    """A smooth map of [0, 1] onto itself, periodic in its slope: spacings differ by a factor of 4."""
    return s + 0.6 * np.sin(2 * np.pi * s) / (2 * np.pi)


def intervals_to_n(pair: tuple[Any, Any], intervals: int, cell: bool) -> int:
    """How many unknowns an axis of so many intervals has."""
    if cell or pair[0] == "periodic":
        return intervals
    return intervals + 1 - sum(side == "dirichlet" for side in pair)


def make_box(
    kinds: Sequence[str],
    sizes: Sequence[int],
    cell: bool = False,
    *,
    lengths: Sequence[float] | None = None,
    a: Sequence[float] | None = None,
    c: Any = 0.0,
    stretch: Callable[[np.ndarray], np.ndarray] | None = None,
    by_intervals: bool = False,
) -> Box:
    """A box from short names of its axes' ends; `sizes` are unknowns, or intervals."""
    lines = []
    for k, (kind, size) in enumerate(zip(kinds, sizes, strict=True)):
        pair, L = SIDES[kind], 1.0 if lengths is None else lengths[k]
        n = intervals_to_n(pair, size, cell) if by_intervals else size
        dirichlet = sum(side == "dirichlet" for side in pair)
        intervals = n if cell or kind == "P" else max(1, n - 1 + dirichlet)
        nodes = None if stretch is None else L * stretch(np.linspace(0, 1, intervals + 1))
        lines.append(Line(n, pair, cell, L, 1.0 if a is None else a[k], nodes))
    return Box(lines, c)


def quadrature(intervals: Sequence[tuple[float, float]], order: int = 16) -> tuple[list[np.ndarray], np.ndarray]:
    """Coordinates and weights of Gauss-Legendre quadrature on the product of intervals."""
    x, w = np.polynomial.legendre.leggauss(order)
    weights = np.ones(())
    for low, high in intervals:
        weights = np.multiply.outer(weights, w * (high - low) / 2)
    lines = [low + (x + 1) / 2 * (high - low) for low, high in intervals]
    return [np.array(each) for each in np.meshgrid(*lines, indexing="ij")], weights


@dataclass
class Manufactured:
    """u = product of one function per axis, periodic where the axis is, with f and the data of every side."""

    box: Box

    def factor(self, axis: int, x: np.ndarray, derivative: int) -> np.ndarray:
        line = self.box.lines[axis]
        shift = 0.4 + 0.7 * axis
        if line.kinds[0] == "periodic":
            k = 2 * np.pi / line.length
            return k**derivative * np.sin(k * x + shift + derivative * np.pi / 2) + 1.3 * (derivative == 0)
        k = (1.9, 2.3, 1.6)[axis] / line.length
        return k**derivative * np.cos(k * x + shift + derivative * np.pi / 2) + 0.2 * k**derivative * np.exp(k * x)

    def u(self, *x: np.ndarray) -> np.ndarray:
        return prod(self.factor(a, value, 0) for a, value in enumerate(x))

    def derivative(self, axis: int, order: int, *x: np.ndarray) -> np.ndarray:
        return prod(self.factor(a, value, order if a == axis else 0) for a, value in enumerate(x))

    def f(self, *x: np.ndarray) -> np.ndarray:
        diffusion = sum(line.a * self.derivative(a, 2, *x) for a, line in enumerate(self.box.lines))
        return -diffusion + self.box.c * self.u(*x)

    def g(self) -> dict[tuple[int, int], Callable[..., np.ndarray]]:
        return {(a, side): self._on_side(a, side) for a, side in self.box.sides}

    def _on_side(self, a: int, side: int) -> Callable[..., np.ndarray]:
        line = self.box.lines[a]

        def value(*x: np.ndarray) -> np.ndarray:
            if line.kinds[side] == "dirichlet":
                return self.u(*x)
            beta = 0.0 if isinstance(line.pair[side], str) else line.pair[side][1]
            return line.a * (1 if side else -1) * self.derivative(a, 1, *x) + beta * self.u(*x)

        return value
