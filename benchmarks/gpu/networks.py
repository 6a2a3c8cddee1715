"""Images per second of MgNet-256 in training: float32, bf16 with channels_last, and bf16 compiled.

python benchmarks/gpu/networks.py [--device cuda] [--quick] [--output FOLDER]
"""

from __future__ import annotations

from dataclasses import replace

import torch
from common import Table, parse, parser_of, timed

import nets
from nets.training.step import gradient

FLOAT32 = nets.Recipe()
BF16 = replace(FLOAT32, precision="bf16", channels_last=True)
WAYS = {"float32": FLOAT32, "bf16, channels_last": BF16, "bf16, channels_last, compiled": replace(BF16, compile=True)}


def main() -> None:
    given = parse(parser_of(__doc__))
    name, batch = ("MgNet[1,1]-[8]-B^l", 8) if given.quick else ("MgNet[2,2,2,2]-[256]-B^l", 512)
    table = Table("gpu_networks", f"Training steps of {name}", ("way", "images", "images/s", "ms per step"), given)
    images = torch.randn(batch, 3, 32, 32, device=given.device)
    labels = torch.zeros(batch, dtype=torch.long, device=given.device)
    for way, recipe in WAYS.items():
        model = nets.create_model(name).to(given.device)
        if recipe.channels_last:
            model.to(memory_format=torch.channels_last)
        stepped = torch.compile(model) if recipe.compile else model

        def step(model: torch.nn.Module = stepped, recipe: nets.Recipe = recipe) -> None:
            model.zero_grad(set_to_none=True)
            gradient(model, [(images, labels)], batch, recipe)

        seconds = timed(step, given)
        table.add(way, batch, f"{batch / seconds:.0f}", f"{1e3 * seconds:.2f}")


if __name__ == "__main__":
    main()
