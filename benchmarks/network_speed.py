"""Multiply-adds and wall time of MgNet in both forms beside ResNet-18, and what activation checkpointing costs.

python benchmarks/network_speed.py [--device cuda] [--batch 8] [--rounds 7] [--threads N] [--quick]
    [--output FOLDER] [--precisions]

On a CPU in float32; on CUDA in bfloat16 (autocast), channels_last and compiled, where it has not been tried yet. The
networks take turns in every round, so that a change of the machine's speed meets all of them. --precisions times steps
of wide and narrow networks in the precisions of a recipe instead, as the trial of precision="auto" does.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import report
import torch

import nets
from nets.training.precision import FLAGS, ROUNDS, fastest, processor_flags, trial

NETWORKS = {
    "MgNet, residual form": ("MgNet[2,2,2,2]-[256]-B^l", {"form": "residual"}),
    "MgNet, feature form": ("MgNet[2,2,2,2]-[256]-B^l", {"form": "feature"}),
    "ResNet-18": ("ResNet18", {}),
}
QUICK = {"MgNet[2,2,2,2]-[256]-B^l": "MgNet[2,2,2,2]-[16]-B^l", "ResNet18": "ResNet[2,2,2,2]-[8,16,32,64]"}

PRECISIONS = {
    "MgNet[2,2,2,2]-[256]-B^l": (2, 3, 32),
    "MgNet[2,2,2,2]-[64]-B^l": (16, 3, 32),
    "ResNet18": (8, 3, 32),
    "MgNet[2,2]-[32]-B^{l,i}": (64, 1, 28),
}
"""Images per step of --precisions, their channels and their size."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--batch", type=int, help="images of 3 x 32 x 32 (default: 8, on CUDA 512)")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each; the median counts (default: 7)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="narrow networks and one round; written to out/")
    parser.add_argument("--output", type=Path, help="folder for the table (default benchmarks/results; --quick: out)")
    parser.add_argument("--precisions", action="store_true", help="compare the precisions of a recipe, on a CPU")
    options = parser.parse_args()
    options.batch = options.batch or (512 if options.device == "cuda" else 8)
    torch.set_num_threads(options.threads)
    options.rounds = 1 if options.quick else options.rounds
    name = "network_speed" + ("_cuda" if options.device == "cuda" else "")
    folder = options.output or (Path("out") if options.quick else report.RESULTS)
    if options.precisions:
        report.write("network_precision", "Precisions of a training step on a CPU", precisions(options.quick), folder)
        return
    report.write(name, "Speed of MgNet and ResNet-18", speed(options), folder)


def precisions(quick: bool) -> str:
    """Steps in float32, without and with channels_last, and in bf16 with it."""
    float32 = nets.Recipe()
    recipes = [float32, replace(float32, channels_last=True), replace(float32, channels_last=True, precision="bf16")]
    header = ["network", "images", "float32", "float32, channels_last", "bf16, channels_last"]
    rows = []
    for name, (batch, channels, size) in PRECISIONS.items():
        model = nets.create_model(QUICK.get(name, name) if quick else name, in_channels=channels)
        images, labels = torch.randn(batch, channels, size, size), torch.zeros(batch, dtype=torch.long)
        count, seconds = trial(model, images, labels, recipes)
        chosen = header[2:][fastest(seconds)]
        times = [f"{1e3 * s / count:.2f}" for s in seconds]
        rows.append([model.config.notation, count, *times, f"{seconds[0] / seconds[-1]:.2f}", chosen])
    flags = ", ".join(flag for flag in FLAGS if flag in processor_flags()) or "neither AMX nor AVX512-BF16"
    note = f"Milliseconds per image, forward and backward pass, {torch.get_num_threads()} threads of torch,\n"
    note += f"shortest of {ROUNDS} in turns. The processor reports: {flags}."
    return report.table([*header, "float32 / bf16", "auto takes"], rows) + "\n\n" + note


def create(network: str, options: argparse.Namespace, checkpointing: bool = False) -> Any:
    name, settings = NETWORKS[network]
    model = nets.create_model(QUICK[name] if options.quick else name, **settings)
    model.set_activation_checkpointing(checkpointing)
    return model


def placed(model: Any, options: argparse.Namespace) -> Any:
    """On the device; on CUDA in channels_last and compiled."""
    model = model.to(options.device)
    if options.device == "cuda":
        model = model.to(memory_format=torch.channels_last)
        model.compile(fullgraph=True)
    return model


def images(options: argparse.Namespace) -> torch.Tensor:
    last = torch.channels_last if options.device == "cuda" else torch.contiguous_format
    return torch.randn(options.batch, 3, 32, 32, device=options.device).to(memory_format=last)


def precision(options: argparse.Namespace) -> Any:
    return torch.autocast("cuda", torch.bfloat16) if options.device == "cuda" else contextlib.nullcontext()


def forward(model: Any, x: torch.Tensor, options: argparse.Namespace) -> Callable[[], None]:
    """Inference: evaluation mode, no gradients."""

    def run() -> None:
        model.eval()
        with torch.no_grad(), precision(options):
            model(x)

    return run


def step(model: Any, x: torch.Tensor, options: argparse.Namespace) -> Callable[[], None]:
    """Forward and backward pass in training mode."""
    labels = torch.zeros(len(x), dtype=torch.int64, device=x.device)

    def run() -> None:
        model.train()
        model.zero_grad(set_to_none=True)
        with precision(options):
            loss = torch.nn.functional.cross_entropy(model(x), labels)
        loss.backward()

    return run


def speed(options: argparse.Namespace) -> str:
    x = images(options)
    runs, costs = {}, {}
    for network in NETWORKS:
        model = create(network, options)
        costs[network] = nets.multiply_adds(model, (3, 32, 32))
        model = placed(model, options)
        runs[network, "forward"] = forward(model, x, options)
        runs[network, "step"] = step(model, x, options)
        checkpointing = placed(create(network, options, checkpointing=True), options)
        runs[network, "checkpointing"] = step(checkpointing, x, options)
    seconds = interleaved(runs, options.rounds, options.device)
    base = next(iter(NETWORKS))
    rows = []
    for network in NETWORKS:
        row = [network, f"{costs[network] / 1e9:.3f}"]
        for kind in ("forward", "step", "checkpointing"):
            median = statistics.median(seconds[network, kind])
            beside = (network, "step") if kind == "checkpointing" else (base, kind)
            ratio = median / statistics.median(seconds[beside])
            row += [f"{1e3 * median / options.batch:.2f}", spread(seconds[network, kind]), f"{ratio:.2f}"]
        rate = costs[network] * options.batch / statistics.median(seconds[network, "forward"])
        rows.append([*row, f"{rate / 1e9:.0f}"])
    header = ["network", "1e9 multiply-adds", "forward, ms per image", "spread", "to the first"]
    header += ["forward and backward", "spread", "to the first"]
    header += ["with activation checkpointing", "spread", "to that without", "1e9 multiply-adds per second, forward"]
    if options.device == "cuda":
        how = f"{torch.cuda.get_device_name()}, bfloat16 by autocast, channels_last, compiled"
    else:
        how = f"float32, {options.threads} threads of torch"
    note = f"{options.batch} images of 3 x 32 x 32; {how}. Medians over {options.rounds} round(s); the networks take\n"
    note += (
        "turns after a warm-up; the spread is the largest deviation from the median. Forward is in evaluation mode\n"
    )
    note += "without gradients, forward and backward in training mode without the optimiser's step."
    return report.table(header, rows) + "\n\n" + note


def interleaved(
    runs: dict[tuple[str, str], Callable[[], None]], rounds: int, device: str
) -> dict[tuple[str, str], list[float]]:
    """Seconds of every run, in turns, after one run of each that does not count."""
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for turn in range(rounds + 1):
        for key, run in runs.items():
            synchronise(device)
            began = time.perf_counter()
            run()
            synchronise(device)
            if turn > 0:
                seconds[key].append(time.perf_counter() - began)
    return seconds


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def spread(seconds: list[float]) -> str:
    median = statistics.median(seconds)
    return f"{100 * max(abs(s - median) for s in seconds) / median:.0f} %"


if __name__ == "__main__":
    main()
