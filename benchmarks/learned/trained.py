"""Learned cycles: trained by `pde.learning`, measured in NumPy like the classical ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.learned.classical import Candidate, measured_on, operations, prediction
from benchmarks.learned.families import SIZES, problem
from benchmarks.learned.operations import work_of_module
from benchmarks.runner import Clock, Result

TRAINING, STEPS = (31, 63, 127), 400
"""Unknowns per axis of the grids that take turns in training, and steps; fixed before any run."""


@dataclass(frozen=True)
class Entry:
    """A learned cycle; arguments as of `pde.learning.TrainableMultigrid`."""

    family: str
    kernel: int = 3
    transfer: str = "bilinear"
    sweeps: tuple[int, int] = (1, 1)
    symmetric: bool = False
    seed: int = 0

    @property
    def candidate(self) -> Candidate:
        """The cycle as the table names it."""
        corners = ", learned corners" if self.transfer == "symmetric" else ""
        name = f"learned {self.kernel}x{self.kernel}{corners}"
        return Candidate(name, self.sweeps, accel="cg" if self.symmetric else None)

    @property
    def name(self) -> str:
        """The experiment without its family."""
        words = [f"{self.kernel}x{self.kernel}", "V{}{}".format(*self.sweeps)]
        words += ["corners"] * (self.transfer == "symmetric") + ["cg"] * self.symmetric
        return "-".join([*words, f"seed{self.seed}"])


def train(entry: Entry, clock: Clock) -> Result:
    """Train a cycle and measure it on all sizes; training ends early where half of the CPU seconds are used."""
    import torch

    from pde.learning import TrainableMultigrid

    torch.set_num_threads(1)
    options = {"kernel": entry.kernel, "sweeps": entry.sweeps, "transfer": entry.transfer, "symmetric": entry.symmetric}
    module = TrainableMultigrid(problem(entry.family, TRAINING[-1]), **options)
    shapes = [(n, n) for n in TRAINING]
    history = module.fit(shapes, steps=STEPS, seed=entry.seed, callback=lambda told: clock.left < clock.limit / 2)
    fit = {"fit_seconds": round(clock.used, 1), "before": history.before, "after": history.after, "why": history.reason}
    row = measure(module, entry, clock)
    return {"kind": "learned", "family": entry.family, **fit, "measured": [row]}


def measure(module: Any, entry: Entry, clock: Clock, sizes: tuple[int, ...] = SIZES) -> Result:
    """The row of a trained cycle, on sizes that time allows."""
    candidate, on_sizes, predicted = entry.candidate, {}, None
    work = work_of_module(module, (255, 255))
    for n in sizes:
        began = clock.used
        mg = module.to_multigrid(problem(entry.family, n))
        try:
            on_sizes[str(n)] = measured_on(mg, candidate, n)
        except ValueError:  # not definite: it is refused as a preconditioner
            on_sizes[str(n)] = {"factor": None, "iterations": None, "seconds": float("nan")}
        if n == 255:
            predicted = predicted_or_none(mg, candidate)
        if 5 * (clock.used - began) > clock.left:
            break
    count = operations(work, candidate.cycle, candidate.accel)
    about = {"role": f"seed {entry.seed}", "omega": None, "predicted": predicted, "operations": count}
    return {**asdict(candidate), **about, "sizes": on_sizes}


def predicted_or_none(mg: Any, candidate: Candidate) -> float | None:
    """The Fourier prediction, where there is one for such a cycle."""
    try:
        return prediction(mg, candidate)
    except (ValueError, ImportError):
        return None
