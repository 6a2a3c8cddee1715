"""A seeded generator of problems whose coefficient jumps; see `rough_coefficients.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

import pde

SIZES = {2: (70, 160), 3: (20, 31)}
LARGEST_JUMP = 6.0  # powers of ten
NOISE = "white noise"

Shape = tuple[int, ...]
Field = Callable[[Shape, np.random.Generator], np.ndarray]
"""Makes numbers from 0 to 1 for every unknown: a is the jump to that power."""


def centres(shape: Shape) -> list[np.ndarray]:
    return np.meshgrid(*((np.arange(n) + 0.5) / n for n in shape), indexing="ij")


def balls(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """One to twelve balls of radius 1/20 to 1/3 of the box."""
    x, inside = centres(shape), np.zeros(shape)
    for _ in range(rng.integers(1, 13)):
        centre, radius = rng.random(len(shape)), rng.uniform(0.05, 0.33)
        inside[sum((x_a - c) ** 2 for x_a, c in zip(x, centre, strict=True)) < radius**2] = 1.0
    return inside


def boxes(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Up to twenty boxes of two unknowns to a third of the axis, each with its own value."""
    values = np.zeros(shape)
    for _ in range(rng.integers(1, 21)):
        low = [int(rng.integers(0, n)) for n in shape]
        values[tuple(slice(i, i + int(rng.integers(2, n // 3))) for i, n in zip(low, shape, strict=True))] = (
            rng.random()
        )
    return values


def layers(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Layers across one axis, each of 4 unknowns to a quarter of the axis, with its own value."""
    axis = int(rng.integers(len(shape)))
    values: list[float] = []
    while len(values) < shape[axis]:
        values += [rng.random()] * int(rng.integers(4, max(5, shape[axis] // 4)))
    return np.array(values)[np.indices(shape)[axis]]


def thin_layers(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Up to eight sheets of one to three unknowns across any axis: barriers, or good conductors."""
    values = np.zeros(shape)
    for _ in range(rng.integers(1, 9)):
        axis = int(rng.integers(len(shape)))
        low = int(rng.integers(0, shape[axis]))
        np.moveaxis(values, axis, 0)[low : low + int(rng.integers(1, 4))] = 1.0
    return values


def channels(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Up to five winding channels of two to six unknowns."""
    values = np.zeros(shape)
    for _ in range(rng.integers(1, 6)):
        along = int(rng.integers(len(shape)))
        index = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
        t, width, distance = index[along] / shape[along], rng.uniform(2, 6), np.zeros(shape)
        for a in set(range(len(shape))) - {along}:
            middle = rng.random() + rng.uniform(0, 0.25) * np.sin(2 * np.pi * (rng.integers(0, 3) * t + rng.random()))
            distance += (index[a] - shape[a] * middle) ** 2
        values[distance < (width / 2) ** 2] = 1.0
    return values


def checkerboard(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Blocks of four unknowns to a third of the axis."""
    size = rng.integers(4, np.maximum(5, np.array(shape) // 3))
    index = np.meshgrid(*(np.arange(n) for n in shape + rng.integers(size)), indexing="ij")
    return np.asarray(sum(i // s for i, s in zip(index, size, strict=True)) % 2, dtype=float)[tuple(map(slice, shape))]


def grains(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Voronoi cells of up to sixty random points, each with its own value."""
    x = np.stack([x_a.ravel() for x_a in centres(shape)])
    points = rng.random((int(rng.integers(2, 61)), len(shape)))
    nearest = np.argmin([((x - p[:, None]) ** 2).sum(axis=0) for p in points], axis=0)
    return rng.random(len(points))[nearest].reshape(shape)


def gaussian(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """A Gaussian random field, of a correlation length from four unknowns to a quarter of the longest axis."""
    length = rng.uniform(4, max(shape) / 4)
    return gaussian_filter(rng.standard_normal(shape), length / 2, mode="wrap")


def lognormal(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    field = gaussian(shape, rng)
    return (field - field.min()) / np.ptp(field)


def binary(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    return np.where(gaussian(shape, rng) > 0, 1.0, 0.0)


def white_noise(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    field = rng.random(shape)
    return field if rng.random() < 0.5 else np.round(field)


KINDS: dict[str, Field] = {
    "balls": balls,
    "boxes": boxes,
    "layers": layers,
    "thin layers": thin_layers,
    "channels": channels,
    "checkerboard": checkerboard,
    "grains": grains,
    "lognormal": lognormal,
    "binary": binary,
    NOISE: white_noise,
}


def sides(rng: np.random.Generator) -> Any:
    """Draw the kinds of the two ends of an axis."""
    if rng.random() < 0.2:
        return "periodic"
    one = lambda: ("dirichlet", "neumann", ("robin", float(10 ** rng.uniform(-2, 3))))[rng.integers(3)]  # noqa: E731
    return one(), one()


def nodes(rng: np.random.Generator, n: int, boundary: Any, cell: bool, length: float) -> np.ndarray:
    """Coordinates that crowd at an end, at both or in the middle; the spacing varies by up to thirty."""
    intervals = n if cell or boundary == "periodic" else n - 1 + sum(side == "dirichlet" for side in boundary)
    t, ratio = np.linspace(-1, 1, intervals), np.log(rng.uniform(1.5, 30))
    spacing = (np.exp(ratio * t / 2), np.exp(ratio * t**2), np.exp(-ratio * t**2))[rng.integers(3)]
    nodes = np.concatenate(([0.0], np.cumsum(spacing)))
    return nodes * (length / nodes[-1])


@dataclass(frozen=True)
class Made:
    """A problem, its right-hand side, the kind of its coefficient and what else it has."""

    problem: pde.Poisson
    f: np.ndarray
    kind: str
    traits: tuple[str, ...]


def make(seed: int, number: int, kinds: Sequence[str] = ()) -> Made:
    """Problem `number` of a seed; of these kinds alone, by words in their names, or of any."""
    rng = np.random.default_rng((seed, number))
    ndim = 2 if rng.random() < 0.65 else 3
    shape = tuple(int(n) for n in rng.integers(*SIZES[ndim], ndim, endpoint=True))
    centering = ("vertex", "cell")[rng.integers(2)]
    boundary = [sides(rng) for _ in shape]
    lengths = 10 ** rng.uniform(-1, 1, ndim) if rng.random() < 0.4 else np.ones(ndim)
    traits = [f"{ndim}-D", centering, *(["unequal extents"] if np.ptp(lengths) else [])]
    traits += ["periodic"] * ("periodic" in boundary)
    coordinates: list[Any] = [None] * ndim
    if rng.random() < 0.25:
        traits.append("stretched")
        stretched = [rng.random() < 0.6 for _ in shape]
        coordinates = [
            nodes(rng, n, b, centering == "cell", L) if chosen else None
            for n, b, L, chosen in zip(shape, boundary, lengths, stretched, strict=True)
        ]
    names = [name for name in KINDS if not kinds or any(word in name for word in kinds)]
    kind = names[rng.integers(len(names))]
    jump = 10 ** (rng.choice((-1, 1)) * min(LARGEST_JUMP, rng.uniform(0.5, LARGEST_JUMP + 2)))
    coefficient: Any = jump ** KINDS[kind](shape, rng)
    if rng.random() < 0.2:
        traits.append("tensor")
        coefficient = tensor(coefficient, lambda: jump ** KINDS[kind](shape, rng), rng)
    reaction: Any = 0.0
    if rng.random() < 0.25:
        traits.append("reaction")
        reaction = 10 ** rng.uniform(-2, 5) * (balls(shape, rng) if rng.random() < 0.5 else 1.0)
    problem = pde.Poisson(shape, tuple(lengths), boundary, centering, coefficient, reaction, coordinates)
    f = rng.standard_normal(shape)
    if problem.singular:
        traits.append("singular")
        W = problem.control_volumes()
        f -= np.sum(W * f) / W.sum()
    return Made(problem, f, kind, tuple(traits))


def tensor(a: np.ndarray, another: Callable[[], np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """One diffusion per axis: multiples of one field by up to thirty either way, or unrelated fields."""
    ratios, alike = 10 ** rng.uniform(-1.5, 1.5, a.ndim), rng.random() < 0.5
    return [ratio * (a if alike or axis == 0 else another()) for axis, ratio in enumerate(ratios)]
