"""The training of a cycle for its asymptotic factor."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mgcore import CYCLES, Level

LOSSES = ("random vectors", "symbols")

WARM, COUNTED = 2, 3
"""Cycles before those that the loss counts, without gradient, and these."""

DIVERGED = 10.0
"""Growth of the error per cycle that ends a training."""

MEASURED = 15
"""Cycles by which the factor is measured before and after."""

SMALLEST = 2000
"""Unknowns at most of the smallest grid that training takes by default."""


class FitProgress(NamedTuple):
    """A step of a training, as its callback sees it; `factor` is the error reduction per cycle that its loss shows."""

    step: int
    factor: float
    shape: tuple[int, ...]
    seconds: float


@dataclass(frozen=True)
class History:
    """How a training went.

    Attributes:
        losses: the error reduction per cycle that each step saw, of the grids in turn.
        before, after: the largest asymptotic factor on these grids, measured.
        seconds: wall time.
        seed, shapes: of the training.
        reason: why it ended: "steps", "seconds", "callback", "interrupted", "diverged", or "no gain": the factor was
            no smaller after all steps, and the parameters are those before.
    """

    losses: tuple[float, ...] = field(repr=False)
    before: float
    after: float
    seconds: float
    seed: int
    shapes: tuple[tuple[int, ...], ...]
    reason: str

    def __repr__(self) -> str:
        grids = ", ".join("x".join(map(str, shape)) for shape in self.shapes)
        factors = f"factor {self.before:.3g} before, {self.after:.3g} after"
        return f"<History: {factors} {len(self.losses)} steps on {grids} ({self.seconds:.1f} s), {self.reason!r}>"


@dataclass
class Training:
    """One call of `TrainableMultigrid.fit`, whose arguments these are."""

    module: Any
    shapes: Sequence[tuple[int, ...]]
    steps: int
    batch: int
    loss: str
    learning_rate: float
    seed: int
    seconds: float | None
    coarse_factor: float | None

    def run(self, shown: bool, callback: Callable[[FitProgress], Any] | None) -> History:
        """Train, and keep the parameters that `fit` promises."""
        self.begun, self.losses = time.perf_counter(), list[float]()
        self.noise = torch.Generator().manual_seed(self.seed)
        self.latest = dict.fromkeys(self.shapes, math.inf)
        before, start = self.factor(), self.copied()
        self.lowest, self.best = math.inf, start
        try:
            with bar(shown, self.steps) as show:
                reason = self.descend(show, callback)
        except KeyboardInterrupt:
            reason = "interrupted"
        if reason not in ("steps", "seconds"):
            self.module.load_state_dict(self.best)
        if reason == "diverged":
            text = f"fit: the loss diverged at step {len(self.losses)}, and the best parameters before it are taken"
            hint = "a smaller learning_rate may help" if self.losses else "the cycle itself diverges, see omega"
            warnings.warn(f"{text}; {hint}", RuntimeWarning, stacklevel=3)
        after = self.factor()
        if not after <= before:
            self.module.load_state_dict(start)
            after, reason = before, "no gain" if reason == "steps" else reason
        spent = time.perf_counter() - self.begun
        return History(tuple(self.losses), before, after, spent, self.seed, tuple(self.shapes), reason)

    def descend(self, show: Callable[[FitProgress], Any], callback: Callable[[FitProgress], Any] | None) -> str:
        """Take steps until there is a reason to end."""
        optimizer = torch.optim.Adam(self.module.parameters(), lr=self.learning_rate)
        for step in range(self.steps):
            spent = time.perf_counter() - self.begun
            passed = max(step / self.steps, 0.0 if self.seconds is None else spent / max(self.seconds, 1e-9))
            if passed >= 1:
                return "seconds"
            optimizer.param_groups[0]["lr"] = self.learning_rate * (1 + math.cos(math.pi * passed)) / 2
            shape = self.shapes[step % len(self.shapes)]
            growth, excess = self.growths(shape)
            factor, loss = float(growth.detach().exp()), growth + excess
            if not (factor < DIVERGED and torch.isfinite(loss)):
                return "diverged"
            self.remember(shape, factor, float(loss.detach()))
            told = FitProgress(step, factor, shape, spent)
            show(told)
            if callback is not None and callback(told):
                return "callback"
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return "steps"

    def growths(self, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """The logarithm of the error reduction per cycle, and what one from a coarser level has in excess."""
        if self.loss == "symbols":
            return self.by_symbols(shape), torch.zeros(())
        size, module = math.prod(shape), self.module
        vectors = max(1, round(self.batch * math.sqrt(min(map(math.prod, self.shapes)) / size)))
        levels = module.levels(shape)
        growth = self.growth(levels, vectors, shape)
        coarser = min(len(module.before), len(levels) - 1) - 1
        if self.coarse_factor is None or coarser < 1:
            return growth, torch.zeros_like(growth)
        l = 1 + len(self.losses) // len(self.shapes) % coarser  # one of them in each turn of the grids
        below = self.growth(levels[l:], vectors, tuple(n >> l for n in shape))
        return growth, coarser * torch.relu(below - math.log(self.coarse_factor))

    def growth(self, levels: Sequence[Level], vectors: int, shape: tuple[int, ...]) -> Tensor:
        """The loss of cycles on these levels: the mean over fresh random vectors, by Gelfand's formula."""
        run = CYCLES[self.module.cycle]
        e = torch.randn(vectors, *shape, generator=self.noise, dtype=torch.float64).to(self.module.before)
        zero = torch.zeros_like(e)
        with torch.no_grad():
            for _ in range(WARM):
                e = run(levels, zero, e)
            e = e / norms(e).reshape(-1, *[1] * len(shape))
        for _ in range(COUNTED):
            e = run(levels, zero, e)
        return norms(e).log().mean() / COUNTED

    def by_symbols(self, shape: tuple[int, ...]) -> Tensor:
        """The factor of as many grids as the stencils are for and as is affordable; smooth by a fourth power."""
        from pde.learning.symbols import affordable_grids, cycle_factor

        module = self.module
        A = torch.as_tensor(module.family.stencil(shape)).to(module.before)
        options = {"cycle": module.cycle, "rediscretised": module.coarse == "rediscretised"}
        parts = module.parts()
        grids = affordable_grids(A.ndim, len(parts) + 1)
        return cycle_factor(A, parts, grids=grids, frequencies=8, power=4, **options).log()

    def remember(self, shape: tuple[int, ...], factor: float, loss: float) -> None:
        """Keep the parameters for which the largest loss in a turn of the grids is smallest."""
        self.losses.append(factor)
        self.latest[shape] = loss
        if (worst := max(self.latest.values())) < self.lowest:
            self.lowest, self.best = worst, self.copied()

    def factor(self) -> float:
        return max(self.module.measure_factor(shape, MEASURED) for shape in self.shapes)

    def copied(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.module.state_dict().items()}


def norms(e: Tensor) -> Tensor:
    """The norm of each member."""
    return e.flatten(1).norm(dim=1)


def default_shapes(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Three grids of 2^k - 1 points along each axis in the proportions of `shape`, the first with 2000 at most."""
    powers = [max(2, round(math.log2(n + 1))) for n in shape]
    while math.prod(2**k - 1 for k in powers) > SMALLEST:
        powers = [max(2, k - 1) for k in powers]
    while math.prod(2 ** (k + 1) - 1 for k in powers) <= SMALLEST:
        powers = [k + 1 for k in powers]
    return [tuple(2 ** (k + further) - 1 for k in powers) for further in range(3)]


@contextmanager
def bar(shown: bool, steps: int) -> Iterator[Callable[[FitProgress], Any]]:
    """A progress bar as a callback."""
    if not shown:
        yield lambda told: None
        return
    from tqdm import tqdm

    with tqdm(total=steps, desc="fit", unit="step") as made:

        def show(told: FitProgress) -> None:
            made.set_postfix_str(f"factor {told.factor:.3f}", refresh=False)
            made.update()

        yield show
