"""python -m nets list | summary | theorems | tables"""

from __future__ import annotations

import argparse
from inspect import signature

from nets.common.paths import make_folder_of
from nets.naming.grammar import begin

SWEEPS = 2000
"""Of all grids of a network that is summed up: the network runs once, about 10 ms a sweep."""


def list_models(options: argparse.Namespace) -> None:
    import nets

    names = nets.list_models(options.pattern)
    if not names:
        raise ValueError(f'pattern: no name matches {options.pattern!r}; "python -m nets list" prints all of them')
    print(*names, sep="\n")


def summarise(options: argparse.Namespace) -> None:
    import nets

    _check_sweeps(options.name)
    known = signature(nets.create_model).parameters.keys() - {"name"}
    given = {name: value for name, value in vars(options).items() if name in known}
    model = nets.create_model(options.name, **given)
    config = model.config
    size = (config.in_channels, *_size(options.size or ("224" if config.input == "imagenet" else "32"), config.dims))
    table = nets.summary(model, size)
    pictures = {name: path for name in ("plot", "steps") if (path := getattr(options, name)) is not None}
    if len(set(pictures.values())) < len(pictures):
        raise ValueError(f"steps: {options.steps} is the file of --plot already")
    if pictures:
        from nets import plot
        from nets.plot.style import check_format

        for name, path in pictures.items():
            check_format(f"the ending of {name}", path.suffix[1:])
        for name, path in pictures.items():
            make_folder_of(name, path)
            plot.cycle(model, path, size) if name == "plot" else plot.steps(model, path)
    print(table)
    for path in pictures.values():
        print(f"written: {path}")


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


def check_theorems(options: argparse.Namespace) -> None:
    from nets import theorems

    if options.seeds < 1:
        raise ValueError(f"seeds must be an integer >= 1; got {options.seeds}")
    if not 0 <= options.seed < 2**62:
        raise ValueError(f"seed must be an integer, 0 <= seed < 2^62; got {options.seed}")
    theorems.run(options.seeds, options.seed)


def print_tables(options: argparse.Namespace) -> None:
    from nets.papers import tables

    tables.run()
