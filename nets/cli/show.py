"""python -m nets list | summary | theorems | tables"""

from __future__ import annotations

import argparse
from inspect import signature
from typing import Any

from nets.cli.data import path
from nets.cli.settings import add_network_options
from nets.common.paths import make_folder_of
from nets.naming.grammar import begin
from nets.naming.scanner import EXAMPLE

THEOREMS = "Check the theorems: both sides on random networks, and the largest deviation. Docs: docs/papers.md."
SWEEPS = 2000
"""Of all grids of a network that is summed up: the network runs once, about 10 ms a sweep."""


def add_list(commands: Any) -> None:
    command = commands.add_parser("list", help="names of networks", description="Names of networks of the papers.")
    command.add_argument("pattern", nargs="?", default="*", help='a shell pattern, for example "MgNet*B^l"')
    command.set_defaults(run=_list)


def add_summary(commands: Any) -> None:
    description = "Print what each level of a network holds and costs, and which weights it uses more than once."
    command = commands.add_parser("summary", help="table and drawing of a network", description=description)
    command.add_argument("name", help=f"such as {EXAMPLE}, settings and all: '..., activation=gelu'")
    command.add_argument("--size", help='pixels of an image: 32, or 32,48 (default: 32, for --input "imagenet" 224)')
    counts = {"dims": "space dimensions, 1, 2 or 3 (2)", "in-channels": "channels of the image (3)"}
    for name, text in (counts | {"num-classes": "0 leaves the head out (10)"}).items():
        command.add_argument(f"--{name}", type=int, default=argparse.SUPPRESS, metavar="N", help=text)
    add_network_options(command)
    command.add_argument("--plot", type=path, help="draw the network as a cycle into this file (.png, .pdf, .svg)")
    command.set_defaults(run=_summary)


def add_theorems(commands: Any) -> None:
    command = commands.add_parser("theorems", help="check the theorems", description=THEOREMS)
    command.add_argument("--seeds", type=int, default=5, help="random cases per theorem (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="of the first random case (default: %(default)s)")
    command.set_defaults(run=_theorems)


def add_tables(commands: Any) -> None:
    description = "The papers' parameter tables beside our counts, with a verdict on every row."
    command = commands.add_parser("tables", help="published parameter counts", description=description)
    command.set_defaults(run=_tables)


def _list(options: argparse.Namespace) -> None:
    import nets

    names = nets.list_models(options.pattern)
    if not names:
        raise ValueError(f'pattern: no name matches {options.pattern!r}; "python -m nets list" prints all of them')
    print(*names, sep="\n")


def _summary(options: argparse.Namespace) -> None:
    import nets

    _check_sweeps(options.name)
    known = signature(nets.create_model).parameters.keys() - {"name"}
    given = {name: value for name, value in vars(options).items() if name in known}
    model = nets.create_model(options.name, **given)
    config = model.config
    size = (config.in_channels, *_size(options.size or ("224" if config.input == "imagenet" else "32"), config.dims))
    table = nets.summary(model, size)
    if options.plot is not None:
        from nets import plot
        from nets.plot.style import check_format

        check_format("the ending of plot", options.plot.suffix[1:])
        plot.cycle(model, make_folder_of("plot", options.plot), size)
    print(table)
    if options.plot is not None:
        print(f"written: {options.plot}")


def _check_sweeps(name: str) -> None:
    """Refuse a network of which the table would take more than minutes."""
    architecture, _ = begin(name)
    sweeps = sum(architecture.nu) + sum(getattr(architecture, "nu_post", ()))
    if sweeps > SWEEPS:
        raise ValueError(f"name must be that of a network with at most {SWEEPS:,} sweeps in all; got {sweeps:,}")


def _size(text: str, dims: int) -> tuple[int, ...]:
    numbers = text.split(",")
    if len(numbers) not in (1, dims) or not all(n.strip().isdecimal() and int(n) > 0 for n in numbers):
        each = f"1 or {dims} positive integers, such as 32 or {','.join(['32'] * dims)}"
        need = each if dims > 1 else "1 positive integer, since the network has dims=1"
        raise ValueError(f"size must be {need}; got {text!r}")
    return tuple(map(int, numbers)) * (dims if len(numbers) == 1 else 1)


def _theorems(options: argparse.Namespace) -> None:
    from nets import theorems

    if options.seeds < 1:
        raise ValueError(f"seeds must be an integer >= 1; got {options.seeds}")
    if not 0 <= options.seed < 2**62:
        raise ValueError(f"seed must be an integer, 0 <= seed < 2^62; got {options.seed}")
    theorems.run(options.seeds, options.seed)


def _tables(options: argparse.Namespace) -> None:
    from nets.papers import tables

    tables.run()
