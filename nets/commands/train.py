"""python -m nets train: train a network."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from nets.commands.evaluate import draw_evaluation, print_evaluation
from nets.data import DATA
from nets.scanner import EXAMPLE
from nets.train import RECIPES, Recipe
from nets.train.fit import network_for


def add_train(commands: Any) -> None:
    command = commands.add_parser("train", help="train a network", description="Train a network.")
    command.add_argument("--model", default="MgNet[2,2]-[32]-B^{l,i}", help=f"such as {EXAMPLE} (default: %(default)s)")
    command.add_argument("--data", default="digits", help=f"one of {', '.join(DATA)} (default: %(default)s)")
    command.add_argument("--recipe", help=f"one of {', '.join(RECIPES)} (default: the one made for the data)")
    command.add_argument("--seed", type=int, default=0, help="of the split and of every random choice (default: 0)")
    command.add_argument("--output", type=Path, help="folder for checkpoint, history and pictures")
    command.add_argument("--resume", action="store_true", help="go on with the run in --output")
    command.add_argument("--threads", type=int, help="threads of torch; one is best for digits on a busy machine")
    command.add_argument("--device", default="cpu", help="(default: cpu)")
    command.add_argument(
        "--activation-checkpointing", action="store_true", help="compute levels again in the backward pass: less memory"
    )
    for field in fields(Recipe):
        kind = int if isinstance(field.default, int) else float
        command.add_argument(f"--{field.name.replace('_', '-')}", type=kind, help="instead of the recipe's")
    command.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    import nets

    if options.threads is not None and options.threads < 1:
        raise ValueError(f"threads must be an integer >= 1; got {options.threads}")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    overrides = {f.name: value for f in fields(Recipe) if (value := getattr(options, f.name)) is not None}
    data = nets.data.load(options.data, options.seed)
    model = network_for(options.model, data, options.seed)
    model.set_activation_checkpointing(options.activation_checkpointing)
    result = nets.train(
        model,
        data,
        recipe=options.recipe,
        seed=options.seed,
        output=options.output,
        resume=options.resume,
        device=options.device,
        **overrides,
    )
    print_evaluation(result.evaluation, data.class_names)
    if options.output is not None:
        draw_evaluation(result.evaluation, data, options.output)
        print(f"written: {options.output}")
