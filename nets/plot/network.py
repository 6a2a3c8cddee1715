"""A network drawn as a cycle over its levels: every use of a kernel in the order in which it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import nn

from nets.common.places import BETWEEN, place
from nets.inspect.summary import Summary, summary
from nets.inspect.trace import Call, trace
from nets.models.base import Network
from nets.models.data_level import HistoryLevel
from nets.plot.style import BLUE, GREEN, GREY, ORANGE, PURPLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LETTERS = {
    "A": ("A", BLUE, "maps features to data"),
    "eta": ("η", BLUE, "first half of A"),
    "xi": ("ξ", BLUE, "second half of A"),
    "B": ("B", ORANGE, "extracts features"),
    "B_0": ("B⁰", ORANGE, "the first B, strided"),
    "B_post": ("B′", ORANGE, "extracts features on the way up"),
    "theta": ("θ", ORANGE, "reads what came before"),
    "chi": ("χ", ORANGE, "convolution"),
    "widen": ("W", GREEN, "widens the data beside B and A"),
    "R": ("R", GREEN, "restricts data"),
    "Pi": ("Π", PURPLE, "restricts features"),
    "P": ("P", PURPLE, "prolongs features"),
}
"""Kernels by the name of their list: letter, colour, meaning."""
ENDS = ("B", "B_post", "theta", "chi")
"""Kernels with which a step ends; in the ResNets, where B comes first, it is A."""
GAP = 0.95
"""Length of an arrow between steps."""
SHOWN = 4
"""Steps of a row that are drawn one by one; of more than that the first two and the last."""


class Kernel(NamedTuple):
    """One use of a kernel: its list ("A", "eta", "B_post", ...) and how its weights come about.

    `weights` is "own" where it is used once, "fixed" where nothing is trained, or the number of the shared kernel among
    those of its list on the level, from 0.
    """

    part: str
    weights: str | int


@dataclass
class Row:
    """What runs on one level: steps of kernels on the way down and up, and the kernels that lead to it."""

    down: list[list[Kernel]] = field(default_factory=list)
    up: list[list[Kernel]] = field(default_factory=list)
    from_finer: list[Kernel] = field(default_factory=list)
    from_coarser: list[Kernel] = field(default_factory=list)


def rows(model: Network, calls: Sequence[Call]) -> list[Row]:
    """The uses of kernels, level by level, finest first."""
    table, rising = [Row() for _ in model.config.nu], False
    last = "A" if hasattr(model, "A") and not hasattr(model, "norm_f") else None  # ResNets: B first, then A
    for call, kernel in _kernels(model, calls):
        where = place(call.name)
        if where.level is None:
            continue
        row = table[where.level]
        if where.part == "P":
            rising = True
            row.from_coarser.append(kernel)
        elif where.part in BETWEEN:
            row.from_finer.append(kernel)
        else:
            _append(row.up if rising else row.down, kernel, (last,) if last else ENDS)
    for row in table[1:]:
        row.from_finer = row.from_finer or [Kernel("R", "fixed")]  # pooling
    return table


def _kernels(model: Network, calls: Sequence[Call]) -> Iterator[tuple[Call, Kernel]]:
    uses, shared = Counter(call.name for call in calls), Counter[Any]()
    numbers: dict[str, int] = {}
    for call in calls:
        part, *rest = call.name.split(".")
        part = rest[-1] if rest and rest[-1] in LETTERS else part
        weights: str | int = "own"
        if not any(True for _ in model.get_submodule(call.name).parameters()):
            weights = "fixed"
        elif uses[call.name] > 1:
            if call.name not in numbers:
                numbers[call.name] = shared[part, place(call.name).level]
                shared[part, place(call.name).level] += 1
            weights = numbers[call.name]
        yield call, Kernel(part, weights)


def _append(steps: list[list[Kernel]], kernel: Kernel, ends: Sequence[str | None]) -> None:
    """To the step that is not at its end yet, unless it begins with the same kernel, or to a new one."""
    step = steps[-1] if steps else []
    ended = not step or (step[-1].part in ends and kernel.part != step[-1].part) or step[0].part == kernel.part
    if ended and not (step and step[-1].part == kernel.part and kernel.part in ("B", "B_post")):
        steps.append([kernel])
    else:
        step.append(kernel)


def cycle(
    model: Network, path: str | PathLike[str], input_size: Sequence[int] | None = None, *, title: str | None = None
) -> None:
    """Draw a network as a cycle over its levels, into a file of any format that matplotlib writes (.png, .pdf, .svg).

    A row is a level, the finest at the top. A square is one use of a kernel; squares of one letter in a row share their
    weights where they are filled, in one shade, and are fixed where they are dashed. An arch is what a step adds to, in
    a DenseNet what it reads.

    Args:
        input_size: (channels, n, ...) of an image; None takes 32 pixels per axis, or 224 for input="imagenet".
        title: None takes the name of the network.

    Raises:
        TypeError, ValueError: where input_size does not fit the network, or the format is unknown.
    """
    from matplotlib.figure import Figure

    if not isinstance(model, Network):
        raise TypeError(f"model must be a nets.Network; got {type(model).__name__}")
    config = model.config
    if input_size is None:
        input_size = (config.in_channels, *(224 if config.input == "imagenet" else 32,) * config.dims)
    table, costs = rows(model, trace(model, input_size)), summary(model, input_size)
    picture = _Picture()
    picture.network(model, table)
    left, right = -LABELS, max(picture.right + COSTS, 22.0)
    legend = _legend(table, left + MARGIN, right - MARGIN)
    bottom = -PITCH * (len(table) - 0.5) - 0.6 - max(line for _, line, _, _ in legend) * LINE
    top = PITCH / 2 + 1.3
    figure = Figure(figsize=(UNIT * (right - left), UNIT * (top - bottom + 0.4)), dpi=200)
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom - 0.4, top), aspect="equal")
    axes.set_axis_off()
    _labels(axes, costs, left, right, config.notation if title is None else title)
    picture.draw(axes)
    for x, line, kernel, text in legend:
        y = -PITCH * (len(table) - 0.5) - 0.75 - LINE * (line - 1)
        _square(axes, x + 0.5, y, kernel)
        axes.text(x + 1.2, y, text, fontsize=8, va="center_baseline", color=GREY)
    figure.savefig(path)


TURN = 0.45
"""From the end of a row to where the way to another one begins."""
UNIT = 0.29
"""Inches per unit; a square is one unit wide."""
PITCH = 3.1
"""From row to row."""
LABELS, COSTS, MARGIN = 5.2, 5.6, 0.4
"""Room on the left, on the right, and at the edge."""
LINE = 1.2
"""From line to line of the legend."""


class _Picture:
    """Squares, plates, arrows and arches, put down along the way through the network."""

    def __init__(self) -> None:
        self.squares: list[tuple[float, float, Kernel]] = []
        self.plates: list[tuple[float, float, str]] = []
        self.arrows: list[tuple[tuple[float, float], tuple[float, float], str]] = []
        self.arches: list[tuple[float, float, float]] = []
        self.dots: list[tuple[float, float]] = []
        self.notes: list[tuple[float, float, str]] = []
        self.starts: list[float] = []
        self.right = 0.0

    def network(self, model: Network, table: Sequence[Row]) -> None:
        from nets.models.vmgnet import VMgNet

        way_up, history = isinstance(model, VMgNet), _history(model)
        x, ends = self.plate(0.0, 0.0, "stem"), []
        for l, row in enumerate(table):
            y, steps = -PITCH * l, row.down
            if l > 0:
                x, steps = self.descent(x, y + PITCH, y, row.from_finer, steps)
            x = self.steps(x, y, steps, history)
            ends.append(x)
            if hasattr(model, "theta") and l + 1 < len(table):  # R of a DenseNet reads all that its steps have read
                self.arches += [(start, x + TURN, y) for start in self.starts]
        for l in reversed(range(len(table) - 1)) if way_up else ():
            y = -PITCH * l
            x = self.transition((x, y - PITCH), y, [(kernel, 0.0, x + 2.3) for kernel in table[l].from_coarser])
            self.arrows.append(((ends[l], y), (x, y), "skip"))
            self.notes.append(((ends[l] + x) / 2, y + 0.35, "u, f"))
            x = self.steps(x, y, table[l].up, history)
        y = 0.0 if way_up else -PITCH * (len(table) - 1)
        self.right = x
        if not isinstance(model.head, nn.Identity):
            self.arrows.append(((x, y), (x + GAP, y), "flow"))
            self.right = self.plate(x + GAP, y, "head")

    def plate(self, x: float, y: float, text: str) -> float:
        self.plates.append((x, y, text))
        return x + 2.2

    def steps(self, x: float, y: float, steps: Sequence[Sequence[Kernel]], history: int) -> float:
        """The steps one after the other from x, each after an arrow; returns where they end.

        A step adds to, and where it ends in theta reads, as many states as `history` says. `starts` is where they are.
        """
        shown: list[Sequence[Kernel] | None] = list(steps)
        if len(steps) > SHOWN + 1:
            last = 1 if len(steps[-1]) > 1 else 2
            shown = [*steps[:2], None, *steps[-last:]]
        self.starts = starts = []
        for step in shown:
            self.arrows.append(((x, y), (x + GAP, y), "flow"))
            starts.append(x + GAP / 2)
            x += GAP
            if step is None:
                self.notes += [(x + 0.8, y, "···"), (x + 0.8, y - 0.8, f"{len(steps) - len(shown) + 1} more")]
                x += 1.6
                continue
            for kernel in step:
                self.squares.append((x + 0.5, y, kernel))
                x += 1.08
            x -= 0.08
            if step[-1].part == "theta":
                self.arches += [(start, x - 0.5, y) for start in starts[:-1]]
            elif step[-1].part not in ("A", "eta", "xi", "chi") or (len(step) > 1 and step[0].part in ("B", "widen")):
                self.arches += [(start, x + GAP / 2, y) for start in starts[-history:]]
        return x

    def descent(
        self, x: float, y: float, target: float, kernels: Sequence[Kernel], steps: list[list[Kernel]]
    ) -> tuple[float, list[list[Kernel]]]:
        """From the end of a row to the beginning of the next one, where what R gives is added to what A gives.

        Returns where that is, and the steps that are left to draw.
        """
        others, R = [k for k in kernels if k.part != "R"], [k for k in kernels if k.part == "R"]
        alone = steps[0] if steps and others and all(k.part in ("A", "eta", "xi") for k in steps[0]) else []
        if not alone:
            side = 0.75 if len(kernels) > 1 else 0.0
            paths = [(k, side, x + 2.9) for k in R] + [(k, -side, x + 2.9) for k in others]
            return self.transition((x, y), target, paths), steps
        left = x + 2.3
        right = left + 1.08 * len(alone) + 0.9
        self.transition((x, y), target, [(others[0], -0.4, left), (R[0], 1.15, right)])
        for i, kernel in enumerate(alone):
            self.squares.append((left + 0.55 + 1.08 * i, target, kernel))
        self.arrows.append(((left + 1.08 * len(alone), target), (right, target), "line"))
        return right, steps[1:]

    def transition(
        self, start: tuple[float, float], target: float, paths: Sequence[tuple[Kernel, float, float]]
    ) -> float:
        """Paths (kernel, shift to the right, end) from a row to another one; returns the last end."""
        x, y = start
        self.arrows.append(((x, y), (x + TURN, y), "line"))
        self.dots.append((x + TURN, y))
        for kernel, shift, end in paths:
            middle = ((x + TURN + end) / 2 + shift, (y + target) / 2)
            self.squares.append((*middle, kernel))
            self.arrows += [((x + TURN, y), middle, "line"), (middle, (end, target), "flow")]
        self.dots.append((paths[-1][2], target))
        return paths[-1][2]

    def draw(self, axes: Axes) -> None:
        from matplotlib.patches import Arc, Circle, FancyArrowPatch, FancyBboxPatch

        styles: dict[str, dict[str, Any]] = {
            "flow": {"arrowstyle": "-|>", "color": GREY},
            "line": {"arrowstyle": "-", "color": GREY},
            "skip": {"arrowstyle": "-|>", "color": "#9a9a9a", "linestyle": (0, (4, 2.5))},
        }
        for a, b, kind in self.arrows:
            style = {"mutation_scale": 7, "shrinkA": 0, "shrinkB": 0.5, "lw": 1.0, "zorder": 1, **styles[kind]}
            axes.add_patch(FancyArrowPatch(a, b, **style))
        for left, right, y in self.arches:
            width = right - left
            arc = Arc((left + width / 2, y), width, 2.1 + 0.08 * width, theta2=180, color=GREY, lw=0.9, zorder=1)
            axes.add_patch(arc)
        for x, y in self.dots:
            axes.add_patch(Circle((x, y), 0.13, color=GREY, lw=0, zorder=2))
        for x, y, text in self.plates:
            style = {"facecolor": "#ececec", "edgecolor": GREY, "lw": 1.0, "zorder": 3}
            axes.add_patch(FancyBboxPatch((x, y - 0.44), 2.2, 0.88, "round,pad=0,rounding_size=0.2", **style))
            axes.text(x + 1.1, y - 0.02, text, ha="center", va="center_baseline", fontsize=8, zorder=4)
        for x, y, text in self.notes:
            axes.text(x, y, text, ha="center", va="center", fontsize=12 if text == "···" else 7, color=GREY)
        for x, y, kernel in self.squares:
            _square(axes, x, y, kernel)


def _history(model: Network) -> int:
    """How many of the last states a step reads."""
    level = model.levels[0]
    return (level.keep or 10**6) if isinstance(level, HistoryLevel) else 1


def _square(axes: Axes, x: float, y: float, kernel: Kernel) -> None:
    from matplotlib.patches import FancyBboxPatch

    letter, colour, _ = LETTERS.get(kernel.part, (kernel.part[:1], GREY, kernel.part))
    shared = isinstance(kernel.weights, int)
    style: dict[str, Any] = {"facecolor": _shade(colour, kernel.weights) if shared else "white", "edgecolor": colour}
    style |= {"lw": 1.3, "linestyle": "--" if kernel.weights == "fixed" else "-", "zorder": 3}
    axes.add_patch(FancyBboxPatch((x - 0.44, y - 0.44), 0.88, 0.88, "round,pad=0,rounding_size=0.16", **style))
    axes.text(
        x, y, letter, ha="center", va="center_baseline", fontsize=9, color="white" if shared else colour, zorder=4
    )


def _shade(colour: str, number: Any) -> tuple[float, ...]:
    """The colour itself, then lighter ones."""
    from matplotlib.colors import to_rgb

    light = min(0.22 * number, 0.6)
    return tuple(c + (1 - c) * light for c in to_rgb(colour))


def _labels(axes: Axes, costs: Summary, left: float, right: float, title: str) -> None:
    """Title, bands, what a level holds, and what it costs."""
    from matplotlib.patches import Rectangle

    start, end, top = left + MARGIN, right - MARGIN, PITCH / 2 + 0.62
    grey: dict[str, Any] = {"fontsize": 8, "va": "center", "ha": "right", "color": GREY}
    axes.text(start, top, title, fontsize=11, weight="bold", va="center")
    total = f"{costs.parameters:,} parameters, {_short(costs.multiply_adds, 4)} multiply-adds"
    axes.text(end, top, total, **grey)
    for l, row in enumerate(costs.rows[1:-1]):
        y = -PITCH * l
        if l % 2 == 0:
            axes.add_patch(Rectangle((left, y - PITCH / 2), right - left, PITCH, color="#f6f6f6", lw=0, zorder=0))
        pixels = " × ".join(map(str, row.shape)) + (" pixels" if len(row.shape) == 1 else "")
        axes.text(start, y + 0.68, f"grid {l + 1}", fontsize=9, weight="bold", va="center")
        axes.text(start, y - 0.04, pixels, fontsize=8, va="center")
        axes.text(start, y - 0.7, f"{row.channels} channels", fontsize=8, va="center")
        axes.text(end, y + 0.32, f"{_short(row.parameters)} parameters", **grey)
        axes.text(end, y - 0.34, f"{_short(row.multiply_adds)} multiply-adds", **grey)


def _short(number: int, digits: int = 3) -> str:
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.{digits}g} {letter}"
    return str(number)


def _legend(table: Sequence[Row], left: float, right: float) -> list[tuple[float, int, Kernel, str]]:
    """(x, line from 1, square, meaning) of everything that is drawn, from left to right."""
    groups = [kernels for row in table for kernels in (*row.down, *row.up, row.from_finer, row.from_coarser)]
    drawn = {kernel for group in groups for kernel in group}
    shared = sorted({kernel for kernel in drawn if isinstance(kernel.weights, int)}, key=lambda k: (k.weights, k.part))
    fixed = sorted(kernel for kernel in drawn if kernel.weights == "fixed")
    entries = [(Kernel(p, "own"), meaning) for p, (_, _, meaning) in LETTERS.items() if any(k.part == p for k in drawn)]
    entries += [(shared[0], "filled: the same weights again")] if shared else []
    entries += [(fixed[0], "dashed: fixed, not trained")] if fixed else []
    placed, x, line = [], left, 1
    for kernel, text in entries:
        width = 2.0 + 0.205 * len(text)
        if x > left and x + width > right:
            x, line = left, line + 1
        placed.append((x, line, kernel, text))
        x += width
    return placed
