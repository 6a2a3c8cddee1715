"""Read boundaries and fields of a command line or a file as arguments of `Poisson` and `solve`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pde.common.npy_files import open_npy as load
from pde.problem.expression import Expression

NAMES = ("x", "y", "z")
SIDES = {f"{name}-{end}": (axis, side) for axis, name in enumerate(NAMES) for side, end in enumerate(("low", "high"))}
"""How the sides of the box are called: x-low, x-high, y-low, ..."""


def read_field(label: str, given: Any, ndim: int) -> Any:
    """A number, the array of a .npy file, or an `Expression` of the coordinates."""
    if not isinstance(given, str):
        return given
    if is_file(given):
        return load(label, given)
    return Expression(given, NAMES[:ndim], label)


def read_laws(given: Mapping[str, Any], ndim: int) -> dict[str, Any]:
    """Numbers and formulas of a nonlinear problem, by argument; none where no formula has its unknown, u or s."""
    found, unknowns = {}, {"coefficient": "u", "reaction": "u", "gradient_coefficient": "s"}
    nonlinear = "gradient_coefficient" in given
    for label, unknown in unknowns.items():
        entries = given[label] if isinstance(given.get(label), list) else [given.get(label)]
        texts = [text for text in entries if isinstance(text, str) and not is_file(text)]
        if any(Expression(text, (unknown, *NAMES[:ndim]), label).uses(unknown) for text in texts):
            nonlinear = True
            if len(entries) > 1:
                raise ValueError(f"{label} must be one formula where it has {unknown} in it, got {len(entries)}")
        if label in given:
            found[label] = entries[0] if len(entries) == 1 else given[label]
    return {label: _number_or_text(label, value) for label, value in found.items()} if nonlinear else {}


def _number_or_text(label: str, given: Any) -> Any:
    if is_file(given):
        return load(label, given)
    try:
        return float(given) if isinstance(given, str) and label == "coefficient" else given
    except ValueError:
        return given


def is_file(given: Any) -> bool:
    return isinstance(given, str) and given.strip().lower().endswith((".npy", ".npz"))


def read_coefficient(label: str, given: Any, ndim: int) -> Any:
    """One field, one per axis, or the rows of a full tensor, one after the other."""
    if isinstance(given, list) and any(isinstance(row, list) for row in given):
        rows = enumerate(row if isinstance(row, list) else [row] for row in given)
        return [[read_field(f"{label}[{i}][{j}]", value, ndim) for j, value in enumerate(row)] for i, row in rows]
    if isinstance(given, list) and len(given) == ndim**2 > 1:
        return read_coefficient(label, [given[i : i + ndim] for i in range(0, len(given), ndim)], ndim)
    if isinstance(given, list) and len(given) > 1:
        return [read_field(f"{label}[{axis}]", value, ndim) for axis, value in enumerate(given)]
    return read_field(label, given[0] if isinstance(given, list) else given, ndim)


def read_domain(label: str, given: Any, ndim: int) -> Any:
    """A mask: a .npy file, a picture that is white at unknowns, a condition, or a formula that is negative inside."""
    if isinstance(given, str) and given.strip().lower().endswith(".png"):
        return _read_picture(label, given, ndim)
    field = read_field(label, given, ndim)
    if isinstance(field, Expression) and field.is_condition:
        return lambda *points: np.asarray(field(*points)) > 0
    return field


def read_walls(label: str, given: Any, ndim: int) -> Any:
    """A word, or a mask of the points that hold values."""
    is_word = isinstance(given, str) and given.isidentifier() and given not in NAMES
    return given if is_word else read_domain(label, given, ndim)


def _read_picture(label: str, path: str, ndim: int) -> np.ndarray:
    """The bright pixels of a picture as [x, y], y upwards; transparent ones are not bright."""
    from matplotlib.image import imread

    if ndim != 2:
        raise ValueError(f"{label}: a picture has two dimensions, and the problem {ndim}; give a .npy file")
    try:
        pixels = imread(path)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{label}: {path} cannot be read as a picture: {error}") from None
    bright = pixels[..., :3].mean(axis=-1) * pixels[..., 3:].prod(axis=-1) if pixels.ndim == 3 else pixels
    return np.ascontiguousarray(bright[::-1].T > 0.5)


def read_faces(label: str, given: Any, ndim: int) -> Any:
    """Per axis the array of a .npy file."""
    return [load(f"{label}[{axis}]", path) for axis, path in enumerate(given)]


def read_coordinates(label: str, given: Any, ndim: int) -> Any:
    """Per axis the nodes in a .npy file, or None for "uniform"."""
    result: list[Any] = []
    for axis, entry in enumerate(given if isinstance(given, list) else [given]):
        if isinstance(entry, str) and entry != "uniform":
            if not is_file(entry):
                raise ValueError(f"{label}[{axis}] must be a .npy file or 'uniform', got {entry!r}")
            entry = load(f"{label}[{axis}]", entry)
        result.append(None if isinstance(entry, str) else entry)
    return result


def read_boundary(label: str, given: Any, ndim: int) -> Any:
    """Words such as "periodic" and "robin:1+x" and pairs "dirichlet,neumann" as `Poisson` takes them; one for all."""
    boundary = _read_sides(given, ndim)
    if isinstance(boundary, list) and len(boundary) == 1:
        boundary = boundary[0]
    is_pair = isinstance(boundary, tuple) and boundary[:1] != ("robin",)
    return [boundary] * ndim if is_pair else boundary


def _read_sides(given: Any, ndim: int) -> Any:
    if isinstance(given, str):
        return _read_word(given, ndim)
    if isinstance(given, list) and (given[:1] != ["robin"] or len(given) == 1):
        return [_read_sides(entry, ndim) for entry in given]
    return tuple(given) if isinstance(given, list) else given


def _read_word(word: str, ndim: int) -> Any:
    if "," in word:
        low, _, high = word.partition(",")
        return (_read_word(low, ndim), _read_word(high, ndim))
    kind, colon, beta = word.strip().partition(":")
    if kind == "robin" and not colon:
        raise ValueError("boundary: robin needs its number or formula, such as robin:2.5")
    if not colon:
        return kind
    try:
        return (kind, float(beta))
    except ValueError:
        return (kind, read_field("boundary: beta", beta, ndim))


def read_boundary_data(label: str, given: Any, ndim: int) -> Any:
    """One field for all sides, or per side: ["x-low=1", "y-high=sin(x)"] or {"x-low": 1, ...}."""
    if isinstance(given, Sequence) and not isinstance(given, str):
        given = _by_side(given)
    if not isinstance(given, Mapping):
        return read_field(label, given, ndim)
    sides = {}
    for name, value in given.items():
        if name != "walls" and (name not in SIDES or SIDES[name][0] >= ndim):
            known = ", ".join(side for side, (axis, _) in SIDES.items() if axis < ndim)
            raise ValueError(f"g: unknown side {name!r}; there are {known}, and walls of a domain")
        sides[SIDES.get(name, name)] = read_field(f"{label} of {name}", value, ndim)
    return sides


def _by_side(entries: Sequence[Any]) -> Any:
    """{side: field} from entries "side=field"; the one entry that names no side is for all."""
    found: dict[str, str] = {}
    for entry in entries:
        match = re.match(r"\s*([a-z]+-(?:low|high)|walls)\s*=(?!=)(.*)", str(entry), flags=re.DOTALL)
        if match is None:
            if len(entries) == 1:
                return entry
            raise ValueError(
                f"g: where there is more than one entry, each names its side, such as x-low=1; got {entry!r}"
            )
        if match[1] in found:
            raise ValueError(f"g: the side {match[1]} is given twice")
        found[match[1]] = match[2]
    return found


READERS: dict[str, Callable[[str, Any, int], Any]] = {
    **dict.fromkeys(("f", "u0", "lower", "upper", "exact", "reaction"), read_field),
    "g": read_boundary_data,
    "coefficient": read_coefficient,
    "coordinates": read_coordinates,
    "boundary": read_boundary,
    "domain": read_domain,
    "walls": read_walls,
    "face_coefficients": read_faces,
}
"""(name, what was given, number of axes) -> an argument of `Poisson` or `Multigrid.solve`."""


def resolve(value: Any, folder: Path) -> Any:
    """Names of .npy files, in lists and tables too, taken relative to a folder."""
    if isinstance(value, list):
        return [resolve(entry, folder) for entry in value]
    if isinstance(value, dict):
        return {key: resolve(entry, folder) for key, entry in value.items()}
    is_path = is_file(value) or (isinstance(value, str) and value.strip().lower().endswith(".png"))
    return str(folder / value) if is_path else value
