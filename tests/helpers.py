"""Random hierarchies of operators from one crossed table of backends, for tests of the loop.

A `Hierarchy` is lists of plain callables, index 0 the finest grid. Tests hand them to `mgcore.Level`, and to loops
that they write out from the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.signal
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from mgcore import Level

EPS = float(np.finfo(float).eps)
B_NORM = 1 / 8
PI_KINDS = ("none", "nodal", "transposed P", "random")


def norm(v: Any) -> float:
    return float(v.norm()) if isinstance(v, torch.Tensor) else float(np.linalg.norm(v))


@dataclass
class Grid:
    """The random operators of one grid; those of `down` and `up` lead to and from the next coarser one."""

    A: Callable
    extractor: Callable[[], Callable]  # a new linear B, data -> features, on each call
    data: Callable[[], Any]  # a new random f
    features: Callable[[], Any]  # a new random u
    R: Callable | None = None
    P: Callable | None = None  # P(e, like)
    Pi: dict[str, Callable | None] | None = None
    interpolate: Callable | None = None  # features, upwards: another P
    restrict_data: Callable | None = None  # data, downwards: another R


@dataclass(repr=False)
class Hierarchy:
    """The operators of a cycle as lists over the grids, `None` where a grid has none."""

    grids: list[Grid]
    A: list[Callable]
    B: list[list[Callable]]
    B_post: list[list[Callable]]
    Pi: list[Callable | None]
    length: int  # of the longest inner product in any operator
    description: str

    def __repr__(self) -> str:
        return self.description

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.description)

    @property
    def R(self) -> list[Callable | None]:
        return [grid.R for grid in self.grids]

    @property
    def P(self) -> list[Callable | None]:
        return [grid.P for grid in self.grids]

    def zero(self, l: int) -> Any:
        return 0 * self.grids[l].features()

    def levels(self, make: Callable[..., Level] = Level, **options: Any) -> list[Level]:
        parts = zip(self.A, self.B, self.R, self.Pi, self.P, self.B_post, strict=True)
        return [make(A, B, R, Pi, P, B_post, **options) for A, B, R, Pi, P, B_post in parts]

    def tolerance(self, visits: int = 1) -> float:
        """A bound on rounding in a cycle in which every grid is visited `visits` times as often as the finer one.

        |A|, |R|, |Pi|, |P| <= 1 and |B| <= 1/8, so that a sweep multiplies earlier errors by at most 9/8 and a change
        of grid by at most 4 (R, A, Pi and a sum); every application of an operator adds at most length * eps. Results
        are smaller than the bounds by a factor of 10 or so for each operator on the way to the coarsest grid.
        """
        times = [visits**l for l in range(len(self.A))]
        sweeps = sum(t * (len(B) + len(C)) for t, B, C in zip(times, self.B, self.B_post, strict=True))
        growth = (1 + B_NORM) ** sweeps * 4 ** (2 * len(times) - 2)
        return 8 * self.length * EPS * (2 * sweeps + 6 * sum(times)) * growth


# ---- numpy: dense matrices of any sizes, n_u != n_f ----------------------------------------------------------------


def dense(rng: np.random.Generator, count: int) -> tuple[list[Grid], int]:
    n_u, n_f = rng.integers(3, 9, count), rng.integers(3, 9, count)

    def matrix(rows: int, columns: int, size: float = 1) -> np.ndarray:
        M = rng.standard_normal((rows, columns))
        return M * (size / np.linalg.norm(M, 2))

    def grid(l: int) -> Grid:
        result = Grid(
            matrix(n_f[l], n_u[l]).__matmul__,
            lambda: matrix(n_u[l], n_f[l], B_NORM).__matmul__,
            lambda: rng.standard_normal(n_f[l]),
            lambda: rng.standard_normal(n_u[l]),
        )
        if l + 1 < count:
            P, chosen = matrix(n_u[l], n_u[l + 1]), rng.permutation(np.resize(np.arange(n_u[l]), n_u[l + 1]))
            result.R = matrix(n_f[l + 1], n_f[l]).__matmul__
            result.P = lambda e, like: P @ e
            result.Pi = {
                "none": None,
                "nodal": lambda u: u[chosen] / 2,  # a node may be chosen more than once
                "transposed P": P.T.__matmul__,
                "random": matrix(n_u[l + 1], n_u[l]).__matmul__,
            }
            result.interpolate = matrix(n_u[l], n_u[l + 1]).__matmul__
            result.restrict_data = matrix(n_f[l + 1], n_f[l]).__matmul__
        return result

    return [grid(l) for l in range(count)], 8


# ---- numpy and scipy: zero-padded 3 x 3 convolutions of one channel ------------------------------------------------


def correlate(K: Any, g: np.ndarray, stride: int = 1) -> np.ndarray:
    """(K * g)_ij = sum_pq K_pq g_{i+p, j+q} with zero padding, (3.7); from the first point with a stride, (3.13)."""
    return scipy.signal.correlate2d(g, np.asarray(K, float), mode="same")[::stride, ::stride]


def correlate_transposed(K: Any, e: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The transpose of `correlate` with stride 2 from the grid of `like`."""
    spread = np.zeros(like.shape)
    spread[::2, ::2] = e
    return scipy.signal.convolve2d(spread, np.asarray(K, float), mode="same")


def convolution(rng: np.random.Generator, count: int) -> tuple[list[Grid], int]:
    shapes = halved(rng.integers(5, 10, 2), count)

    def kernel(size: float = 1) -> np.ndarray:
        K = rng.standard_normal((3, 3))
        return K * (size / np.abs(K).sum())

    def grid(l: int) -> Grid:
        draw = partial(rng.standard_normal, shapes[l])
        result = Grid(partial(correlate, kernel()), lambda: partial(correlate, kernel(B_NORM)), draw, draw)
        if l + 1 < count:
            K, K_interpolate = kernel(), kernel()
            result.R = partial(correlate, kernel(), stride=2)
            result.P = partial(correlate_transposed, K)
            result.Pi = {
                "none": None,
                "nodal": lambda u: u[::2, ::2],
                "transposed P": partial(correlate, K, stride=2),
                "random": partial(correlate, kernel(), stride=2),
            }
            result.interpolate = lambda u: correlate_transposed(K_interpolate, u, np.empty(shapes[l]))
            result.restrict_data = partial(correlate, kernel(), stride=2)
        return result

    return [grid(l) for l in range(count)], 9


# ---- torch: convolutions of several channels, c_u != c_f -----------------------------------------------------------


def torch_convolution(rng: np.random.Generator, count: int) -> tuple[list[Grid], int]:
    shapes = halved(rng.integers(5, 10, 2), count)
    c_u, c_f = rng.integers(2, 4, count), rng.integers(2, 4, count)
    c_f[0] = 5 - c_u[0]

    def kernel(outputs: int, inputs: int, size: float = 1) -> torch.Tensor:
        K = rng.standard_normal((outputs, inputs, 3, 3))
        rows, columns = np.abs(K).sum((1, 2, 3)).max(), np.abs(K).sum((0, 2, 3)).max()
        return torch.from_numpy(K * (size / np.sqrt(rows * columns)))  # Schur's bound on the operator norm

    def conv(K: torch.Tensor, stride: int = 1) -> Callable:
        return lambda x: F.conv2d(x, K, stride=stride, padding=1)

    def conv_transposed(K: torch.Tensor, e: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        padding = [n - 2 * m + 1 for n, m in zip(shape, e.shape[-2:], strict=True)]
        return F.conv_transpose2d(e, K, stride=2, padding=1, output_padding=padding)

    def grid(l: int) -> Grid:
        def draw(channels: int) -> torch.Tensor:
            return torch.from_numpy(rng.standard_normal((2, channels, *shapes[l])))

        result = Grid(
            conv(kernel(c_f[l], c_u[l])),
            lambda: conv(kernel(c_u[l], c_f[l], B_NORM)),
            lambda: draw(c_f[l]),
            lambda: draw(c_u[l]),
        )
        if l + 1 < count:
            K, K_interpolate = kernel(c_u[l + 1], c_u[l]), kernel(c_u[l + 1], c_u[l])
            channels = torch.arange(int(c_u[l + 1])) % int(c_u[l])
            result.R = conv(kernel(c_f[l + 1], c_f[l]), 2)
            result.P = lambda e, like: conv_transposed(K, e, like.shape[-2:])
            result.Pi = {
                "none": None,
                "nodal": lambda u: u[:, channels, ::2, ::2] / 2,
                "transposed P": conv(K, 2),
                "random": conv(kernel(c_u[l + 1], c_u[l]), 2),
            }
            result.interpolate = lambda u: conv_transposed(K_interpolate, u, shapes[l])
            result.restrict_data = conv(kernel(c_f[l + 1], c_f[l]), 2)
        return result

    return [grid(l) for l in range(count)], 27


def halved(shape: Any, count: int) -> list[tuple[int, int]]:
    shapes = [(int(shape[0]), int(shape[1]))]
    for _ in range(count - 1):
        shapes.append(((shapes[-1][0] + 1) // 2, (shapes[-1][1] + 1) // 2))
    return shapes


BACKENDS = {"dense": dense, "convolution": convolution, "torch": torch_convolution}


# ---- nonlinear parts -----------------------------------------------------------------------------------------------


def relu(v: Any) -> Any:
    return v.clamp(min=0) if isinstance(v, torch.Tensor) else np.maximum(v, 0)


def nonlinear_extractor(gamma: Callable) -> Callable:
    """sigma . gamma . sigma of (3.19), and a linear part so that it does not vanish for negative data."""
    return lambda r: (relu(gamma(relu(r))) + gamma(r)) / 2


def nonlinear_map(xi: Callable) -> Callable:
    """A nonlinear A with A(0) = 0 and Lipschitz constant 1, linear in no neighbourhood."""
    return lambda u: xi(u + (torch.sin if isinstance(u, torch.Tensor) else np.sin)(4 * u) / 4) / 2


# ---- strategies ----------------------------------------------------------------------------------------------------

SEEDS = st.integers(0, 2**32 - 1)
SHARING = st.sampled_from(["constant", "scaled", "variable"])


@st.composite
def hierarchies(
    draw: Callable,
    backend: str,
    max_levels: int = 4,
    max_sweeps: int = 3,
    min_sweeps: int = 0,
    pi: Sequence[str] = PI_KINDS,
    post: bool = False,
    nonlinear_B: bool | None = False,
    nonlinear_A: bool = False,
) -> Hierarchy:
    """Random levels: their number, sweeps, sharing and Pi are drawn; the entries of operators follow a seed.

    `nonlinear_B` and `nonlinear_A`: None lets it be drawn.
    """
    count = draw(st.integers(1, max_levels))
    rng = np.random.default_rng(draw(SEEDS))
    grids, length = BACKENDS[backend](rng, count)
    sweeps = st.lists(st.integers(min_sweeps, max_sweeps), min_size=count, max_size=count)
    sharing = draw(SHARING)
    bent = draw(st.booleans()) if nonlinear_B is None else nonlinear_B
    kind = draw(st.sampled_from(list(pi)))
    nu, nu_post = draw(sweeps), draw(sweeps) if post else [0] * count

    def extractors(grid: Grid, sweeps: int) -> list[Callable]:
        def one() -> Callable:
            return nonlinear_extractor(grid.extractor()) if bent else grid.extractor()

        if sharing == "variable":
            return [one() for _ in range(sweeps)]
        B = one()
        factors = rng.uniform(0.25, 1, sweeps) if sharing == "scaled" else np.ones(sweeps)
        return [lambda r, a=float(a): a * B(r) for a in factors]

    return Hierarchy(
        grids,
        [nonlinear_map(grid.A) if nonlinear_A else grid.A for grid in grids],
        [extractors(grid, n) for grid, n in zip(grids, nu, strict=True)],
        [extractors(grid, n) for grid, n in zip(grids, nu_post, strict=True)],
        [None if grid.Pi is None else grid.Pi[kind] for grid in grids],
        length,
        f"{backend}: nu = {nu}, nu' = {nu_post}, {sharing} {'nonlinear' if bent else 'linear'} B, Pi {kind}",
    )


class Counted:
    """A callable that counts its calls and refuses None."""

    def __init__(self, operator: Callable) -> None:
        self.operator, self.count = operator, 0

    def __call__(self, v: Any) -> Any:
        assert v is not None
        self.count += 1
        return self.operator(v)
