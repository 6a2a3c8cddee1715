"""Recover a diffusion coefficient from noisy measurements: gradients through the solver, by the implicit adjoint.

-div(a grad u) = f with u = 0 on the boundary is measured for a few sources f, every value with some noise. a = exp(m)
minimises the misfit plus a total variation, sum |grad m|, that keeps edges sharp and noise out. L-BFGS takes the steps;
each of its gradients is one solve and one adjoint solve of all sources together.

    python examples/recover_coefficient.py [--n 31] [--sources 6] [--noise 0.002] [--steps 40] [--seed 0] [--output out]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from matplotlib.figure import Figure
from tqdm import tqdm

import pde

RANGE = 2.5
"""m stays within plus and minus this number, so that a line search cannot leave what the solver is made for."""


def truth(n: int) -> torch.Tensor:
    """The coefficient to be found, (n, n): 1, with a smooth hill and a plate that conducts worse."""
    x = torch.linspace(0, 1, n, dtype=torch.float64)
    x, y = torch.meshgrid(x, x, indexing="ij")
    hill = 2.5 * torch.exp(-((x - 0.32) ** 2 + (y - 0.65) ** 2) / 0.025)
    plate = ((x - 0.7).abs() < 0.14) & ((y - 0.35).abs() < 0.2)
    return torch.where(plate, 0.45, 1 + hill)


def sources(n: int, count: int) -> torch.Tensor:
    """Right-hand sides (count, n, n): products of sines, each with its own frequencies."""
    x = torch.arange(1, n + 1, dtype=torch.float64) / (n + 1)
    pairs = [(k, l) for total in range(2, 2 + count) for k in range(1, total) for l in [total - k]][:count]
    return torch.stack([torch.outer(torch.sin(k * torch.pi * x), torch.sin(l * torch.pi * x)) for k, l in pairs])


def variation(m: torch.Tensor) -> torch.Tensor:
    """The mean of |grad m|, rounded off below a hundredth of the usual slope."""
    across, along = m.diff(dim=0)[:, :-1], m.diff(dim=1)[:-1]
    return (across**2 + along**2 + 1e-5).sqrt().mean()


def recover(
    f: torch.Tensor, measured: torch.Tensor, steps: int = 40, weight: float = 1e-3
) -> tuple[torch.Tensor, list[float]]:
    """The coefficient (n, n) for measurements of u, both (sources, n, n), and the objective at each evaluation."""
    m = torch.zeros(f.shape[1:], dtype=f.dtype, requires_grad=True)
    scale = measured.std(dim=(1, 2), keepdim=True)
    options = {"max_iter": steps, "history_size": 20, "tolerance_grad": 0, "tolerance_change": 0}
    optimiser = torch.optim.LBFGS([m], line_search_fn="strong_wolfe", **options)
    history: list[float] = []
    bar = tqdm(desc="recover", unit="gradient")

    def objective() -> torch.Tensor:
        optimiser.zero_grad()
        a = torch.exp(RANGE * torch.tanh(m / RANGE))
        u = pde.solve_poisson(f, f.shape[1:], coefficient=a, coarse="rediscretised", rtol=1e-9, strict=True).u
        misfit = ((u - measured) / scale).square().mean()
        total = f.numel() * (misfit + weight * variation(m))  # L-BFGS takes curvatures below 1e-10 for rounding
        total.backward()
        history.append(float(total.detach()))
        bar.update()
        return total.detach()

    with bar:
        optimiser.step(objective)
    return torch.exp(RANGE * torch.tanh(m.detach() / RANGE)), history


def draw(exact: torch.Tensor, found: torch.Tensor, measured: torch.Tensor, history: list[float], path: Path) -> None:
    """Draw the measurements, the true and the recovered coefficient, and the objective."""
    figure = Figure(figsize=(15, 3.6), layout="constrained")
    axes = figure.subplots(1, 4)
    limits = float(exact.min()), float(exact.max())
    for ax, image, title in zip(
        axes, (measured, exact, found), ("measured u", "coefficient", "recovered"), strict=False
    ):
        limited = {} if title.startswith("measured") else dict(zip(("vmin", "vmax"), limits, strict=True))
        shown = ax.imshow(image.T.numpy(), origin="lower", extent=(0, 1, 0, 1), **limited)
        figure.colorbar(shown, ax=ax)
        ax.set_title(title)
    axes[3].semilogy(range(1, len(history) + 1), history)
    axes[3].set(title="objective", xlabel="solve and adjoint solve")
    figure.savefig(path, dpi=150)


def run(
    n: int = 31, count: int = 6, noise: float = 0.002, steps: int = 40, seed: int = 0, output: str | Path = "out"
) -> dict[str, float]:
    """Measure, recover, draw recover_coefficient.png; returns the relative errors of a = 1 and of what was found."""
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    exact, f = truth(n), sources(n, count)
    u = pde.solve_poisson(f, (n, n), coefficient=exact, rtol=1e-10, strict=True).u
    noisy = torch.randn(u.shape, generator=torch.Generator().manual_seed(seed), dtype=u.dtype)
    measured = u + noise * u.std(dim=(1, 2), keepdim=True) * noisy
    found, history = recover(f, measured, steps)
    errors = {
        name: float((a - exact).norm() / exact.norm())
        for name, a in (("a = 1", torch.ones_like(exact)), ("found", found))
    }
    draw(exact, found, measured[0], history, output / "recover_coefficient.png")
    print(f"relative error of the coefficient: {errors['a = 1']:.1%} to begin with, {errors['found']:.1%} recovered")
    return errors


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=31, help="unknowns per axis")
    parser.add_argument("--sources", type=int, default=6, help="right-hand sides that are measured")
    parser.add_argument("--noise", type=float, default=0.002, help="standard deviation, relative to that of each u")
    parser.add_argument("--steps", type=int, default=40, help="steps of L-BFGS")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--output", default="out", help="folder for the picture")
    given = parser.parse_args()
    run(given.n, given.sources, given.noise, given.steps, given.seed, given.output)
