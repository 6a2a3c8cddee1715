"""The files that a solve writes: checked before it begins, written when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgcore import Solution
from pde.cli.fields import NAMES
from pde.common.npy_files import beside
from pde.problem.boundary import BoundaryData, closed_points
from pde.problem.poisson import Poisson

PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg")
ENDINGS = {"output": (".npy", ".npz")}


def check_targets(targets: Mapping[str, str], force: bool) -> dict[str, Path]:
    """The files to write, by option; each can be written, and none is there yet unless `force`.

    Raises:
        ValueError: naming the option and the file.
    """
    found: dict[str, Path] = {}
    for option, name in targets.items():
        path, flag = Path(name), f"--{option.replace('_', '-')}"
        endings = ENDINGS.get(option, PICTURES)
        if path.suffix.lower() not in endings:
            raise ValueError(f"{flag}: {_shown(path)} must end with {', '.join(endings)}")
        try:
            problem = _problem(path, force, list(found.values()))
        except OSError as error:
            problem = f"cannot be written: {error.strerror}"
        except ValueError as error:  # a name with a NUL
            problem = f"cannot be written: {error}"
        if problem:
            raise ValueError(f"{flag}: {_shown(path)} {problem}")
        found[option] = path
    return found


def _problem(path: Path, force: bool, others: Sequence[Path]) -> str | None:
    """Why a file cannot be written, or None; its folder is made."""
    if path.is_dir():
        return "is a folder"
    if path.exists() and not force:
        return "is there already; give --force to overwrite it, or another name"
    if path.resolve() in [other.resolve() for other in others]:
        return "is to be written twice"
    path.parent.mkdir(parents=True, exist_ok=True)
    beside(path).touch()
    beside(path).unlink()
    return None


def _shown(path: Path) -> str:
    """A path as an error shows it: in one line, without its middle where it is long."""
    text = str(path) if str(path).isprintable() else repr(str(path))
    return text if len(text) <= 200 else f"{text[:97]}...{text[-97:]}"


def write_arrays(path: Path, problem: Poisson, solution: Solution, g: BoundaryData) -> None:
    """u as .npy; as .npz also its coordinates, u with its boundary points, and how the solve went."""
    if path.suffix.lower() == ".npy":
        return _write(path, lambda stream: np.save(stream, solution.u))
    arrays = {
        "u": solution.u,
        "u_with_boundary": problem.embed(solution.u, g),
        "residual_norms": np.array(solution.residual_norms),
        "converged": np.array(solution.converged),
        "reason": np.array(solution.reason),
    }
    for name, axis in zip(NAMES, problem.grid.axes, strict=False):
        arrays |= {name: axis.points, f"{name}_with_boundary": closed_points(axis)}
    return _write(path, lambda stream: np.savez(stream, **arrays))


def _write(path: Path, save: Callable[[Any], None]) -> None:
    """Under another name first, so that a write that fails leaves what was there."""
    partial = beside(path)
    try:
        with partial.open("wb") as stream:
            save(stream)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
