"""The values of the settings `activation` and `iteration`, from text.

    activation = "relu" | "silu" | "leakyrelu" | ... | "identity" | hat ;
    hat        = "hat" [ "-height" ] [ "-trained" ] [ ":" support { "," support } ] ;
    iteration  = "single" | "multi-step" [ ":" row { ";" row } ] | "chebyshev" [ ":" row ] ;
    row        = number { "," number } ;

The names are those of the activations of torch.nn that act value by value and need no arguments, in any case, with
"_" or "-" or without: "LeakyReLU", "leaky_relu". "swish" is SiLU.

A support is from 0.01 to 10000. One alone stands for every grid; where none is given it is 5 l on grid l (5, 10, 15, 20
in the 2023 lectures).

The weights of an iteration without numbers are trained, per grid. Numbers are fixed weights, for every grid: multi-step
needs one row per sweep (i numbers for sweep i), Chebyshev one number per sweep, both as many as the grid with most
sweeps.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import NamedTuple

import mgcore
from nets.common.checks import suggestion
from nets.common.formatting import counted

ACTIVATIONS = (
    *("relu", "prelu", "gelu", "identity", "silu", "mish", "elu", "celu", "selu", "leakyrelu", "relu6", "hardswish"),
    *("hardsigmoid", "hardtanh", "hardshrink", "softshrink", "tanhshrink", "softplus", "softsign", "sigmoid", "tanh"),
    "logsigmoid",
)
"""Names of modules of torch.nn in lower case; tests hold them to torch."""
LEAST, LARGEST = 1e-2, 1e4
"""Supports with which the hat and its derivatives, as large as 2 / support^2, are finite in half precision."""
_HAT = re.compile(r"hat(?P<height>-height)?(?P<trained>-trained)?(?::(?P<supports>.*))?")

KINDS = ("single", "multi-step", "chebyshev")
Rows = tuple[tuple[float, ...], ...]


class HatSettings(NamedTuple):
    """The support of a hat, and whether it has unit height and a trained support."""

    support: float
    unit_height: bool
    trained: bool


def activation_name(text: str) -> str:
    """The one spelling of an activation: "leakyrelu" for "LeakyReLU" and "leaky_relu"; others as they are."""
    plain = re.sub("[_-]", "", text.lower())
    plain = "silu" if plain == "swish" else plain
    return plain if plain in ACTIVATIONS else text


def parse_activation(name: str, grids: int) -> list[str | HatSettings]:
    """Read an activation: one of `ACTIVATIONS` or the settings of a hat, per grid."""
    if not isinstance(name, str):
        raise TypeError(f"activation must be a string such as 'relu' or 'hat:5,10'; got {name!r}")
    if name in ACTIVATIONS:
        return [name] * grids
    found = _HAT.fullmatch(name)
    if found is None:
        allowed, meant = ", ".join(map(repr, ACTIVATIONS)), suggestion(activation_name(name), (*ACTIVATIONS, "hat"))
        raise ValueError(f"activation must be {allowed} or 'hat[-height][-trained][:support,...]'; got {name!r}{meant}")
    height, trained = found["height"] is not None, found["trained"] is not None
    return [HatSettings(support, height, trained) for support in _supports(name, found["supports"], grids)]


def _supports(name: str, text: str | None, grids: int) -> list[float]:
    if text is None:
        return [5.0 * (l + 1) for l in range(grids)]
    try:
        supports = [float(number) for number in text.split(",")]
    except ValueError:
        supports = []
    if not supports or not all(LEAST <= support <= LARGEST for support in supports):
        need = f"numbers from {LEAST:g} to {LARGEST:g}, as in 'hat:5,10'"
        raise ValueError(f"activation: the supports of a hat must be {need}; got {name!r}")
    if len(supports) not in (1, grids):
        allowed = "1 support" if grids == 1 else f"1 or {grids} supports"
        raise ValueError(f"activation must give {allowed}, one per grid; got {len(supports)} in {name!r}")
    return supports * grids if len(supports) == 1 else supports


def parse_iteration(name: str) -> tuple[str, Rows | None]:
    """Read the kind of an iteration, and its rows of weights, None where they are trained."""
    if not isinstance(name, str):
        raise TypeError(f"iteration must be a string such as 'multi-step'; got {name!r}")
    kind, colon, text = name.partition(":")
    if kind not in KINDS or (kind == "single" and colon):
        raise ValueError(f"iteration must be 'single', 'multi-step[:rows]' or 'chebyshev[:weights]'; got {name!r}")
    if not colon:
        return kind, None
    try:
        return kind, tuple(tuple(float(number) for number in row.split(",")) for row in text.split(";"))
    except ValueError:
        example = "as in 'multi-step:1;0.5,0.5'"
        raise ValueError(f"iteration: {text!r} is no list of numbers, {example}; got {name!r}") from None


def check_iteration(name: str, nu: tuple[int, ...], nu_post: tuple[int, ...] = ()) -> None:
    """Refuse a name outside the grammar, and weights that do not fit the sweeps on the way down and up."""
    kind, rows = parse_iteration(name)
    if rows is None:
        return
    sweeps = max(nu + nu_post, default=0)
    count, what = (len(rows), "row") if kind == "multi-step" else (len(rows[0]), "weight")
    if count != sweeps or (kind == "chebyshev" and len(rows) != 1):
        which = f"nu={nu} and nu_post={nu_post}" if nu_post else f"nu={nu}"
        need = f"{counted(sweeps, what)}, one per sweep of the grid with most in {which}"
        raise ValueError(f"iteration must give {need}; got {name!r}")
    if not all(isfinite(weight) for row in rows for weight in row):
        raise ValueError(f"iteration: weights must be finite; got {name!r}")
    try:
        mgcore.multi_step(rows) if kind == "multi-step" else mgcore.chebyshev(rows[0])
    except ValueError as error:
        raise ValueError(f"iteration: {error}, in {name!r}") from error
