"""The options of `python -m pde solve`: on the command line and, under the same names, in a TOML file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mgcore import CYCLES
from mgcore.command_line import read_file, read_options
from pde.cli.fields import resolve
from pde.levels.smoothers import SMOOTHERS
from pde.levels.transfers import TRANSFERS

PROBLEM: dict[str, dict[str, Any]] = {
    "shape": {
        "type": int,
        "nargs": "+",
        "metavar": "N",
        "help": "unknowns per axis (default: the shape of the array f)",
    },
    "dims": {"type": int, "choices": (1, 2, 3), "help": "dimensions, where --shape is one number for all axes"},
    "extent": {"type": float, "nargs": "+", "metavar": "L", "help": "length of the box, one or one per axis (1)"},
    "boundary": {
        "nargs": "+",
        "metavar": "KIND",
        "help": "dirichlet (u = g), neumann (a du/dn = g), robin:BETA (a du/dn + BETA u = g) or periodic; one for all "
        "sides or one per axis; LOW,HIGH where the two ends differ (dirichlet)",
    },
    "centering": {"choices": ("vertex", "cell"), "help": "where the unknowns lie (vertex)"},
    "coefficient": {"nargs": "+", "metavar": "A", "help": "FIELD a > 0, one or one per axis (1)"},
    "reaction": {"metavar": "C", "help": "FIELD c >= 0 (0)"},
    "coordinates": {
        "nargs": "+",
        "metavar": "FILE",
        "help": "per axis a .npy file of its nodes with both ends (of its edges, of cells), or 'uniform'",
    },
    "f": {"metavar": "F", "help": "FIELD: right-hand side; an array may have leading batch axes (0)"},
    "g": {
        "nargs": "+",
        "metavar": "G",
        "help": "FIELD: boundary data of all sides, or SIDE=FIELD, SIDE being x-low, x-high, y-low, ... (0)",
    },
    "u0": {"metavar": "U", "help": "FIELD: first guess (0)"},
    "exact": {"metavar": "U", "help": "FIELD: a known solution; the maximum error is printed"},
}
SOLVER: dict[str, dict[str, Any]] = {
    "smoother": {"choices": ("auto", *SMOOTHERS), "help": "(auto)"},
    "omega": {"type": float, "metavar": "W", "help": "relaxation parameter in (0, 2) (what suits the smoother)"},
    "nu": {"type": int, "nargs": 2, "metavar": "NU", "help": "sweeps before and after the correction (1 1)"},
    "coarse": {"choices": ("auto", "rediscretised", "galerkin"), "help": "coarse operators (auto)"},
    "transfer": {"choices": ("auto", *TRANSFERS, "operator"), "help": "restriction and prolongation (auto)"},
    "levels": {"type": int, "metavar": "J", "help": "levels at most (as far as it goes)"},
    "dtype": {
        "choices": ("float64", "float32", "mixed"),
        "help": "mixed is float32 cycles inside a float64 residual (float64)",
    },
}
SOLVE: dict[str, dict[str, Any]] = {
    "cycle": {"choices": ("fmg", *CYCLES), "help": "fmg is one full multigrid pass, then V-cycles (fmg)"},
    "accel": {
        "choices": ("none", "cg", "auto"),
        "help": "conjugate gradients around a symmetric cycle; auto: where the coefficient is rough (none)",
    },
    "rtol": {"type": float, "metavar": "T", "help": "residual to stop at, relative to the data (1e-8)"},
    "atol": {"type": float, "metavar": "T", "help": "absolute residual to stop at (0)"},
    "max_cycles": {"type": int, "metavar": "K", "help": "give up after so many cycles (50)"},
    "incompatible": {
        "type": float,
        "metavar": "S",
        "help": "of a singular problem (all sides Neumann or periodic, no reaction): the mean of f, relative to that "
        "of |f|, that may be removed (max(1e-2, 10 h^2))",
    },
}
OUTPUT: dict[str, dict[str, Any]] = {
    "output": {
        "metavar": "FILE",
        "help": "u.npy: u at the unknowns; u.npz: also their coordinates x, y, z, u and coordinates with the boundary "
        "points, the residual norms",
    },
    "plot": {"metavar": "FILE", "help": "picture of u, such as u.png"},
    "plot_history": {
        "metavar": "FILE",
        "help": "picture of the residuals, beside the predicted line where there is one",
    },
    "plot_smoothing": {"metavar": "FILE", "help": "picture of what smoothing leaves of a random error, on every level"},
    "force": {"action": "store_true", "help": "overwrite files that exist"},
    "verbose": {"action": "store_true", "help": "print the levels, and every move on every level with its residual"},
    "progress": {
        "action": argparse.BooleanOptionalAction,
        "help": "progress bar on stderr (where stderr is a terminal, unless --verbose)",
    },
}
GROUPS = {"problem": PROBLEM, "solver": SOLVER, "stopping": SOLVE, "output": OUTPUT}
ALL = {name: options for group in GROUPS.values() for name, options in group.items()}
INPUTS = ("coefficient", "reaction", "coordinates", "f", "g", "u0", "exact")
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


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Read the options of the file, if there is one, and of the command line, which wins."""
    file = {} if options.file is None else read_file(options.file, ALL, _from_file, {}, "")
    return {**file, **read_options(options, ALL)}


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
