"""The options of `python -m pde` (`commands.toml`), and how `solve` reads them from a TOML file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mgcore import CYCLES
from mgcore.common.command_line import read_commands, read_file, read_options
from pde.backends.numba.compilation import COEFFICIENTS, DIMS, DTYPES
from pde.cli.fields import resolve
from pde.levels.smoothers import SMOOTHERS
from pde.levels.transfers import TRANSFERS
from pde.problem.boundary_conditions import BOUNDARIES

COMMANDS = read_commands(
    "pde.cli",
    {
        **{"BOUNDARIES": BOUNDARIES, "SMOOTHERS": SMOOTHERS, "TRANSFERS": TRANSFERS, "CYCLES": CYCLES},
        **{"DIMS": DIMS, "DTYPES": DTYPES, "COEFFICIENTS": COEFFICIENTS},
    },
)
PROBLEM, SOLVER, STOPPING, OUTPUT = (COMMANDS["solve"][group] for group in ("problem", "solver", "stopping", "output"))
ALL = {**PROBLEM, **SOLVER, **STOPPING, **OUTPUT}
INPUTS = (
    "coefficient",
    "reaction",
    "coordinates",
    "f",
    "g",
    "u0",
    "lower",
    "upper",
    "exact",
    "domain",
    "walls",
    "face_coefficients",
)
TARGETS = ("output", "plot", "plot_history", "plot_smoothing")
FLAGS = ("force", "verbose", "progress")


def join_minus(arguments: list[str]) -> list[str]:
    """--f -x as --f=-x: what follows an option for a formula is a formula, even if it begins with a minus sign."""
    joined: list[str] = []
    for word in arguments:
        formula = bool(joined) and joined[-1] in {f"--{name}" for name in INPUTS}
        if formula and word.startswith("-") and not word.startswith("--") and not _is_number(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_sweeps(nu: Any) -> Any:
    """`nu` of `Multigrid` from the words of the command line, or as a file has it."""
    if not isinstance(nu, list):
        return nu
    numbers = [int(n) if isinstance(n, str) and n.lstrip("-").isdigit() else n for n in nu]
    return numbers[0] if len(numbers) == 1 else numbers


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Read the options of the file, if there is one, and of the command line, which wins."""
    file = {} if options.file is None else read_file(options.file, ALL, _from_file, {}, "")
    found = {**file, **read_options(options, ALL)}
    return {**found, "nu": read_sweeps(found["nu"])} if "nu" in found else found


def _from_file(path: Path, name: str, value: Any) -> Any:
    if name in FLAGS and not isinstance(value, bool):
        raise ValueError(f"{path}: {name} must be true or false, got {value!r}")
    if name in TARGETS:
        if not isinstance(value, str):
            raise ValueError(f"{path}: {name} must be the name of a file, got {value!r}")
        return str(path.parent / value)
    if name not in FLAGS and isinstance(value, bool):
        raise ValueError(f"{path}: {name} cannot be {value!r}")
    return resolve(value, path.parent) if name in INPUTS else value
