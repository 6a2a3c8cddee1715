"""One network for a family of tensors against cycles that are trained for each tensor alone, on tensors held out.

python benchmarks/learned/meta.py [--budget SECONDS] [--seed SEED] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import torch

import pde
from mgcore import CYCLES
from pde.learning.meta import MetaMultigrid, rotated
from pde.learning.symbols import noise_factor, white_noise
from pde.learning.trainable import TrainableMultigrid

HELD_OUT = ((12.0, 0.3), (30.0, 0.1), (45.0, 0.01), (77.0, 0.03), (112.0, 0.15), (158.0, 0.05))
"""(angle in degrees, ratio), fixed before any training: none is among the tensors that the network is trained on."""

SIZES = (63, 255)
"""Points per axis; no grid is used in training."""

RTOL, MOST = 1e-8, 400
"""The reduction of the error that cycles are counted to, and the most that are made."""

NOMINAL = 960.0
"""Seconds on one core of the numbers of steps below; another budget scales them."""

META = ({"steps": 600, "grids": 5}, {"steps": 200, "grids": 7, "frequencies": 2, "rate": 1e-3})
ALONE, ALONE_GRIDS, ALONE_RATE = 400, 7, 0.02


def run(seed: int = 0, budget: float = NOMINAL) -> dict[str, Any]:
    """Train both; a row per tensor and size: factors, cycles to 1e-8, and the ratio of the logs of the factors."""
    torch.set_num_threads(1)
    share = budget / NOMINAL
    start = time.process_time()
    network = MetaMultigrid(seed=seed)
    for stage, options in enumerate(META):
        steps = max(1, round(options["steps"] * share))
        network.fit(**{**options, "steps": steps, "seed": seed + stage})
    seconds, rows = time.process_time() - start, []
    for pair in HELD_OUT:
        alone, alone_seconds = trained_alone(pair, max(1, round(ALONE * share)), seed)
        rows += [row(pair, n, network.to_trainable(pair), alone, alone_seconds) for n in SIZES]
    return {"seed": seed, "budget": budget, "meta_seconds": seconds, "rows": rows}


def trained_alone(pair: tuple[float, float], steps: int, seed: int) -> tuple[TrainableMultigrid, float]:
    """Free kernels and the free number of P of each level for one tensor, by the same loss; and CPU seconds."""
    start, generator = time.process_time(), torch.Generator().manual_seed(seed)
    problem = pde.Poisson((SIZES[-1],) * 2, coefficient=rotated(*pair))
    model = TrainableMultigrid(problem, transfer="symmetric", levels=ALONE_GRIDS - 1)
    A = torch.as_tensor(model.family.stencil(problem.shape))
    optimiser = torch.optim.Adam(model.parameters(), lr=ALONE_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        loss = noise_factor(A, model.parts(), white_noise(2, ALONE_GRIDS, generator=generator)).log()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model, time.process_time() - start


def row(
    pair: tuple[float, float], n: int, meta: TrainableMultigrid, alone: TrainableMultigrid, alone_seconds: float
) -> dict[str, Any]:
    factors = [model.measure_factor((n, n)) for model in (meta, alone)]
    cycles = [count_cycles(model, n) for model in (meta, alone)]
    logs = [math.log(factor) if factor < 1 else -0.0 for factor in factors]
    return {
        "angle": pair[0],
        "ratio": pair[1],
        "n": n,
        "factor": factors,
        "cycles": cycles,
        "relative": logs[1] / logs[0] if logs[0] else math.inf,
        "alone_seconds": alone_seconds,
    }


@torch.no_grad()
def count_cycles(model: TrainableMultigrid, n: int) -> int | None:
    """Cycles until a random error has lost `RTOL`; None where `MOST` are too few."""
    levels, run_cycle = model.levels((n, n)), CYCLES[model.cycle]
    e = torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(21))
    zero, target = torch.zeros_like(e), RTOL * e.norm()
    for cycle in range(1, MOST + 1):
        e = run_cycle(levels, zero, e)
        if e.norm() <= target:
            return cycle
    return None


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    header = ("angle, ratio", "grid", "factor: network", "alone", "cycles to 1e-8: network", "alone", "relative cycles")
    lines = [header, ("---",) * len(header)]
    for r in result["rows"]:
        pair, grid = f"{r['angle']:g}°, {r['ratio']:g}", f"{r['n']}x{r['n']}"
        factors = (f"{f:.3f}" for f in r["factor"])
        cycles = (f"over {MOST}" if c is None else c for c in r["cycles"])
        lines.append((pair, grid, *factors, *cycles, f"{r['relative']:.2f}"))
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=NOMINAL, help="seconds on one core, about")
    parser.add_argument("--seed", type=int, default=0, help="of the network, the tensors and the noise")
    parser.add_argument("--output", type=Path, help="a JSON file for the result")
    options = parser.parse_args()
    result = run(options.seed, options.budget)
    if options.output is not None:
        options.output.write_text(json.dumps(result, indent=1))
    print(table(result))
    alone = sum(r["alone_seconds"] for r in result["rows"]) / len(SIZES)
    print(f"\nCPU seconds of training: network {result['meta_seconds']:.0f}, all alone {alone:.0f}")


if __name__ == "__main__":
    main()
