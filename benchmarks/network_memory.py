"""Peak memory of a training step of MgNet and ResNet-18, with activation checkpointing and without.

python benchmarks/network_memory.py [--batches 16 64] [--quick] [--output FOLDER]

On the CPU in float32: the tensors that live, which are the same on every machine, and the memory of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import network_speed
import report
import torch

import nets

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    **network_speed.NETWORKS,
    "MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}": ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}", {}),
}
NOTE = """Above what is there before the step: weights, running statistics and images are left out, gradients are not.
"Live": tensors, counted without running anything (`nets.training_memory`). "Resident": memory of a process that makes
one step after a small one, with the work space of the convolutions; freed memory goes back to the system at once
(`MALLOC_MMAP_THRESHOLD_`). Each resident value is from a process of its own, with one thread. 3 x 32 x 32 images,
float32."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 64], help="images per step (default: 16 64)")
    parser.add_argument("--quick", action="store_true", help="narrow networks and 4 images; written to out/")
    parser.add_argument("--output", type=Path, help="folder for the table (default benchmarks/results; --quick: out)")
    parser.add_argument("--resident-of", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.resident_of:
        network, checkpointing, batch = options.resident_of
        print(json.dumps(resident(create(network, checkpointing == "True", options.quick), int(batch))))
        return
    folder = options.output or (Path("out") if options.quick else report.RESULTS)
    body = memory([4] if options.quick else options.batches, options.quick)
    report.write("network_memory", "Peak memory of a training step", body + "\n\n" + NOTE, folder)


def create(network: str, checkpointing: bool, quick: bool) -> nets.Network:
    name, settings = NETWORKS[network]
    if quick:
        name = network_speed.QUICK.get(name, name)
    return nets.create_model(name, **settings, activation_checkpointing=checkpointing)


def memory(batches: list[int], quick: bool) -> str:
    rows = []
    for network in NETWORKS:
        for batch in batches:
            live = [nets.training_memory(create(network, c, quick), (3, 32, 32), batch).peak for c in (False, True)]
            held = [ask(network, c, batch, quick) for c in (False, True)]
            rows.append([network, batch, *cells(live), *cells(held)])
    kinds = ("live, MiB", "with checkpointing", "ratio", "resident, MiB", "with checkpointing", "ratio")
    return report.table(["network", "images", *kinds], rows)


def cells(peaks: list[int]) -> list[str]:
    return [*(f"{peak / 2**20:.0f}" for peak in peaks), f"{peaks[1] / peaks[0]:.2f}"]


def ask(network: str, checkpointing: bool, batch: int, quick: bool) -> int:
    """`resident` in a fresh process."""
    command = [sys.executable, __file__, "--resident-of", network, str(checkpointing), str(batch)]
    command += ["--quick"] if quick else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if run.returncode:
        raise RuntimeError(f"{network}, checkpointing {checkpointing}: {run.stderr.strip()}")
    return int(json.loads(run.stdout.splitlines()[-1]))


def resident(model: nets.Network, batch: int) -> int:
    """Bytes of this process at the peak of a training step above those before it."""
    x = torch.randn(batch, 3, 32, 32)
    step(model, x[:2])  # loads what the first step loads
    model.zero_grad(set_to_none=True)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = status("VmRSS")
    step(model, x)
    return status("VmHWM") - before


def step(model: nets.Network, x: torch.Tensor) -> None:
    model.train()
    torch.nn.functional.cross_entropy(model(x), torch.zeros(len(x), dtype=torch.int64)).backward()


def status(name: str) -> int:
    """A number of bytes from Linux's record of this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main()
