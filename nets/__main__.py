"""python -m nets list | summary | train | evaluate | theorems | tables"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import torch

from nets.data import DATA, Dataset
from nets.scanner import EXAMPLE
from nets.train import RECIPES, Evaluation, Recipe, TrainingError, held_out
from nets.train.fit import network_for

THEOREMS = "What connects the networks: both sides on random networks, and the largest deviation. Docs: docs/papers.md."
TITLE = "MgNet: image classifiers that are multigrid cycles with trained convolutions."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors of the user are one line and exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, TypeError, ImportError, OSError, TrainingError) as error:
        print(f"python -m nets {options.command}: error: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"python -m nets {options.command}: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nets", description=TITLE)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("list", help="names of networks", description="Names of networks of the papers.")
    command.add_argument("pattern", nargs="?", default="*", help='a shell pattern, for example "MgNet*B^l"')
    command.set_defaults(run=_list)

    description = "What each level of a network holds and costs, and which weights it uses more than once."
    command = commands.add_parser("summary", help="table and drawing of a network", description=description)
    command.add_argument("name", help=f"such as {EXAMPLE}")
    command.add_argument("--size", help='pixels of an image: 32, or 32,48 (default: 32, for --input "imagenet" 224)')
    command.add_argument("--dims", type=int, default=2, help="space dimensions, 1, 2 or 3 (default: %(default)s)")
    command.add_argument("--in-channels", type=int, default=3, help="channels of the image (default: %(default)s)")
    command.add_argument("--num-classes", type=int, default=10, help="0 leaves the head out (default: %(default)s)")
    command.add_argument("--input", default="cifar", help='"cifar" or "imagenet", the stem (default: %(default)s)')
    command.add_argument("--form", default="auto", help='of MgNet: "residual" or "feature" (default: %(default)s)')
    command.add_argument(
        "--sharing", default="literal", help='of ResNets: "literal" or "tables" (default: %(default)s)'
    )
    command.add_argument("--plot", type=Path, help="draw the network as a cycle into this file (.png, .pdf, .svg)")
    command.set_defaults(run=_summary)

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

    command = commands.add_parser("evaluate", help="accuracy of a checkpoint", description="Accuracy of a checkpoint.")
    command.add_argument("checkpoint", type=Path, help="a checkpoint, or the folder of a run")
    command.set_defaults(run=_evaluate)

    command = commands.add_parser("theorems", help="what is the same", description=THEOREMS)
    command.add_argument("--seeds", type=int, default=5, help="random cases per theorem (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="of the first random case (default: %(default)s)")
    command.set_defaults(run=_theorems)

    description = "The papers' parameter tables beside our counts, with a verdict on every row."
    command = commands.add_parser("tables", help="published parameter counts", description=description)
    command.set_defaults(run=_tables)
    return parser


def _tables(options: argparse.Namespace) -> None:
    from nets import tables

    tables.run()


def _theorems(options: argparse.Namespace) -> None:
    from nets import theorems

    if options.seeds < 1:
        raise ValueError(f"seeds must be an integer >= 1; got {options.seeds}")
    if not 0 <= options.seed < 2**62:
        raise ValueError(f"seed must be an integer, 0 <= seed < 2^62; got {options.seed}")
    theorems.run(options.seeds, options.seed)


def _list(options: argparse.Namespace) -> None:
    import nets

    names = nets.list_models(options.pattern)
    if not names:
        raise ValueError(f'pattern: no name matches {options.pattern!r}; "python -m nets list" prints all of them')
    print(*names, sep="\n")


def _summary(options: argparse.Namespace) -> None:
    import nets

    names = ("dims", "in_channels", "num_classes", "input", "form", "sharing")
    model = nets.create_model(options.name, **{name: getattr(options, name) for name in names})
    size = (options.in_channels, *_size(options.size or ("224" if options.input == "imagenet" else "32"), options.dims))
    print(nets.summary(model, size))
    if options.plot is not None:
        from nets import plot

        plot.cycle(model, options.plot, size)
        print(f"written: {options.plot}")


def _size(text: str, dims: int) -> tuple[int, ...]:
    numbers = text.split(",")
    if len(numbers) not in (1, dims) or not all(n.strip().isdecimal() and int(n) > 0 for n in numbers):
        raise ValueError(
            f"size must be 1 or {dims} positive integers, such as 32 or {','.join(['32'] * dims)}; got {text!r}"
        )
    return tuple(map(int, numbers)) * (dims if len(numbers) == 1 else 1)


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
    _report(result.evaluation, data.class_names)
    if options.output is not None:
        _draw(result.evaluation, data, options.output)
        print(f"written: {options.output}")


def _evaluate(options: argparse.Namespace) -> None:
    import nets

    data = held_out(options.checkpoint)
    _report(nets.evaluate(nets.load(options.checkpoint), data), data.class_names)


def _draw(evaluation: Evaluation, data: Dataset, folder: Path) -> None:
    from nets import plot

    plot.confusion_matrix(evaluation.confusion, data.class_names, folder / "confusion_matrix.png")
    predictions, path = evaluation.predictions, folder / "misclassified.png"
    plot.misclassified(data.test_images, data.test_labels, predictions, path, data.class_names)


def _report(evaluation: Evaluation, names: Sequence[str]) -> None:
    count = int(evaluation.confusion.sum())
    print(f"held-out accuracy {100 * evaluation.accuracy:.2f} % of {count} images")
    width = max(len(str(int(evaluation.confusion.max()))), *map(len, names)) + 1
    print("truth \\ predicted".ljust(18) + "".join(name.rjust(width) for name in names))
    for name, row in zip(names, evaluation.confusion.tolist(), strict=True):
        print(name.rjust(18) + "".join((str(n) if n else ".").rjust(width) for n in row))


if __name__ == "__main__":
    sys.exit(main())
