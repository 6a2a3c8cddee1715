"""A network drawn as a cycle over its levels: every use of a kernel in the order in which it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import nn

from nets.common.location import BETWEEN, locate
from nets.inspect.summary import Summary, summary
from nets.inspect.trace import Call, trace
from nets.models.base import Network
from nets.models.data_level import HistoryLevel
from nets.models.mgno import MgNO
from nets.plot.style import BLUE, GREEN, GREY, ORANGE, PURPLE, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LETTERS = {
    "A": ("A", BLUE, "maps features to data"),
    "eta": ("η", BLUE, "first half of A"),
    "xi": ("ξ", BLUE, "second half of A"),
    "B": ("B", ORANGE, "extracts features"),
    "B_0": ("B⁰", ORANGE, "the first B, strided"),
    "C": ("C", PURPLE, "between B and A"),
    "B_post": ("B′", ORANGE, "extracts features on the way up"),
    "theta": ("θ", ORANGE, "reads what came before"),
    "chi": ("χ", ORANGE, "convolution"),
    "widen": ("W", GREEN, "widens the data beside B and A"),
    "R": ("R", GREEN, "restricts data"),
    "Pi": ("Π", PURPLE, "restricts features"),
    "P": ("P", PURPLE, "prolongs features"),
    "K": ("K", GREEN, "maps every pixel of the layer's data"),
}
"""Kernels by the name of their list: letter, colour, meaning."""
ENDS = ("B", "B_post", "theta", "chi")
"""Kernels with which a step ends; in the ResNets, where B comes first, it is A."""
UNIT, PITCH = 0.29, 3.1
"""Inches of a square, and squares from row to row."""
GAP, TURN = 0.95, 0.45
"""Length of an arrow between steps, and of the line from the end of a row to where it leads to another one."""
SHOWN = 4
"""Steps of a row that are drawn one by one; of more than that the first two and the last."""


class Kernel(NamedTuple):
    """One use of a kernel: its list ("A", "eta", "B_post", ...) and how its weights come about.

    `weights` is "own" where it is used once, "fixed" where nothing is trained, or the number of the shared kernel in
    its list on the level, from 0.
    """

    part: str
    weights: str | int


@dataclass
class Row:
    """One level: steps of kernels on the way down and up, and the kernels that lead to it."""

    down: list[list[Kernel]] = field(default_factory=list)
    up: list[list[Kernel]] = field(default_factory=list)
    from_finer: list[Kernel] = field(default_factory=list)
    from_coarser: list[Kernel] = field(default_factory=list)


def rows(model: Network, calls: Sequence[Call]) -> list[Row]:
    """The uses of kernels, level by level, finest first."""
    table, rising = [Row() for _ in model.config.nu], False
    last = "A" if hasattr(model, "A") and not hasattr(model, "norm_f") else None  # ResNets: B first, then A
    for call, kernel in _kernels(model, calls):
        where = locate(call.name)
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


def _one_cycle(model: Network, calls: Sequence[Call]) -> Sequence[Call]:
    """The calls of the last layer of an MgNO, whose layers have the same cycle; all those of another network."""
    if not isinstance(model, MgNO):
        return calls
    last = str(len(model.W) - 1)
    return [call for call in calls if call.name.split(".")[:2] in (["W", last], ["K", last])]


def _kernels(model: Network, calls: Sequence[Call]) -> Iterator[tuple[Call, Kernel]]:
    uses, shared = Counter(call.name for call in calls), Counter[Any]()
    numbers: dict[str, int] = {}
    for call in calls:
        last = call.name.rpartition(".")[2]
        part = last if last in LETTERS else locate(call.name).part
        weights: str | int = "own"
        if not any(True for _ in model.get_submodule(call.name).parameters()):
            weights = "fixed"
        elif uses[call.name] > 1:
            if call.name not in numbers:
                numbers[call.name] = shared[part, locate(call.name).level]
                shared[part, locate(call.name).level] += 1
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
        title: None takes the name of the network, for an MgNO, of which the last layer is drawn, with their number.

    Raises:
        TypeError, ValueError: where input_size does not fit the network, or the format is unknown.
    """
    if not isinstance(model, Network):
        raise TypeError(f"model must be a nets.Network; got {type(model).__name__}")
    config = model.config
    if input_size is None:
        input_size = (config.in_channels, *(224 if config.input == "imagenet" else 32,) * config.dims)
    table, costs = rows(model, _one_cycle(model, trace(model, input_size))), summary(model, input_size)
    picture = figure(1, 1)
    axes = picture.subplots()
    way = _Way(axes)
    way.network(model, table)
    legend = _legend(table)
    width = UNIT * max(way.x + 1, 16) + 2.6  # with the names of the rows and their costs
    columns = max(1, int(width / 2.3))
    picture.set_size_inches(width, UNIT * PITCH * len(table) + 0.8 + 0.22 * -(-len(legend) // columns))
    axes.set(xlim=(-1, max(way.x + 1, 16)), ylim=(-PITCH * (len(table) - 0.5), PITCH / 2))
    _label(axes, costs)
    layers = f", the last of {config.layers} layers" if isinstance(model, MgNO) else ""
    axes.set_title(config.notation + layers if title is None else title, loc="left", fontsize=11, weight="bold")
    picture.legend(handles=legend, loc="outside lower left", ncols=columns, fontsize=8, frameon=False, labelcolor=GREY)
    picture.savefig(path)


class _Way:
    """The way through a network as it is drawn; `x` is how far it has come."""

    def __init__(self, axes: Axes) -> None:
        self.axes, self.x = axes, 0.0

    def network(self, model: Network, table: Sequence[Row]) -> None:
        level = model.levels[0]
        history = (level.keep or 10**6) if isinstance(level, HistoryLevel) else 1  # states that a step reads
        ends: list[float] = []
        self.plate(0.0, "v" if isinstance(model, MgNO) else "stem")
        for l, row in enumerate(table):
            y, steps = -PITCH * l, row.down
            if l > 0:
                R, others = ([k for k in row.from_finer if (k.part == "R") is flag] for flag in (True, False))
                if others and steps and all(k.part in ("A", "eta", "xi") for k in steps[0]):  # A Pi u is added to R r
                    others, steps = [*others, *steps[0]], steps[1:]
                self.move(y + PITCH, y, [path for path in (others, R) if path])
            starts = self.steps(y, steps, history)
            ends.append(self.x)
            if hasattr(model, "theta") and l + 1 < len(table):  # R of a DenseNet reads all that its steps have read
                self.arches(starts, self.x + TURN, y)
        for l in reversed(range(len(table) - 1)) if model.dense else ():
            y = -PITCH * l
            self.move(y - PITCH, y, [table[l].from_coarser])
            self.arrow((ends[l], y), (self.x, y), color="#9a9a9a", linestyle=(0, (4, 2.5)))
            self.axes.text((ends[l] + self.x) / 2, y + 0.35, "u, f", ha="center", va="center", fontsize=7, color=GREY)
            self.steps(y, table[l].up, history)
        if not isinstance(model.head, nn.Identity):
            self.forward(y)
            self.plate(y, "head")

    def steps(self, y: float, steps: Sequence[Sequence[Kernel]], history: int) -> list[float]:
        """Draw steps one after the other, each after an arrow; returns where they start.

        A step adds to, and where it ends in theta reads, as many states as `history` says.
        """
        shown: list[Sequence[Kernel] | None] = list(steps)
        if len(steps) > SHOWN + 1:
            last = 1 if len(steps[-1]) > 1 else 2
            shown = [*steps[:2], None, *steps[-last:]]
        starts: list[float] = []
        for step in shown:
            starts.append(self.x + GAP / 2)
            self.forward(y)
            if step is None:
                words = f"···\n{len(steps) - len(shown) + 1} more"
                self.axes.text(self.x + 0.8, y, words, ha="center", va="center", fontsize=7, color=GREY)
                self.x += 1.6
                continue
            for i, kernel in enumerate(step):
                self.square(self.x + 0.5 + 1.08 * i, y, kernel)
            self.x += 1.08 * len(step) - 0.08
            if step[-1].part == "theta":
                self.arches(starts[:-1], self.x - 0.5, y)
            elif step[-1].part not in ("A", "eta", "xi", "chi") or (len(step) > 1 and step[0].part in ("B", "widen")):
                self.arches(starts[-history:], self.x + GAP / 2, y)
        return starts

    def move(self, y: float, target: float, paths: Sequence[Sequence[Kernel]]) -> None:
        """Draw paths of kernels side by side from the row at y to that at `target`."""
        longest = max(map(len, paths))
        start, end = self.x + TURN, self.x + 2.4 + 0.5 * len(paths) * longest
        self.arrow((self.x, y), (start, y), "-")
        self.axes.plot([start, end], [y, target], "o", color=GREY, ms=5, mew=0)
        for number, path in enumerate(paths):
            shift = (number - (len(paths) - 1) / 2) * (0.9 + 0.6 * longest)
            shares = [(i + 1) / (len(path) + 1) for i in range(len(path))]
            points = [(start + t * (end - start) + shift, y + t * (target - y)) for t in shares]
            for a, b in pairwise([(start, y), *points, (end, target)]):
                self.arrow(a, b)
            for point, kernel in zip(points, path, strict=True):
                self.square(*point, kernel)
        self.x = end

    def forward(self, y: float) -> None:
        self.arrow((self.x, y), (self.x + GAP, y))
        self.x += GAP

    def arrow(self, a: tuple[float, float], b: tuple[float, float], style: str = "-|>", **line: Any) -> None:
        line = {"arrowstyle": style, "color": GREY, "lw": 1.0, "shrinkA": 0, "shrinkB": 0.5, "zorder": 1, **line}
        self.axes.annotate("", b, a, arrowprops=line)

    def arches(self, starts: Sequence[float], end: float, y: float) -> None:
        from matplotlib.patches import Arc

        for start in starts:
            width = end - start
            arc = Arc((start + width / 2, y), width, 2.1 + 0.08 * width, theta2=180, color=GREY, lw=0.9, zorder=1)
            self.axes.add_patch(arc)

    def plate(self, y: float, text: str) -> None:
        self.box(self.x, y, 2.2, text, fontsize=8, facecolor="#ececec", edgecolor=GREY)
        self.x += 2.2

    def square(self, x: float, y: float, kernel: Kernel) -> None:
        from matplotlib.colors import to_rgb

        letter, colour, _ = LETTERS.get(kernel.part, (kernel.part[:1], GREY, kernel.part))
        dashes, ink = "--" if kernel.weights == "fixed" else "-", colour
        face: tuple[float, ...] = to_rgb("white")
        if isinstance(kernel.weights, int):  # shared: the colour itself, then lighter ones
            light = min(0.22 * kernel.weights, 0.6)
            face, ink = tuple(c + (1 - c) * light for c in to_rgb(colour)), "white"
        self.box(x - 0.44, y, 0.88, letter, 9, ink, facecolor=face, edgecolor=colour, linestyle=dashes)

    def box(
        self, x: float, y: float, width: float, text: str, fontsize: int, color: str = "black", **style: Any
    ) -> None:
        """Draw a box from x on, with text in its middle."""
        from matplotlib.patches import FancyBboxPatch

        shape = FancyBboxPatch((x, y - 0.44), width, 0.88, "round,pad=0,rounding_size=0.18", lw=1.2, zorder=3, **style)
        self.axes.add_patch(shape)
        words: dict[str, Any] = {"ha": "center", "va": "center_baseline", "zorder": 4}
        self.axes.text(x + width / 2, y - 0.02, text, fontsize=fontsize, color=color, **words)


def _label(axes: Axes, costs: Summary) -> None:
    """Label every row with what it holds and what it costs, on a band of its own, and the whole below."""
    levels = costs.rows[1:-1]
    ticks = [-PITCH * l for l in range(len(levels))]
    left, right = [], []
    for l, row in enumerate(levels):
        pixels = " × ".join(map(str, row.shape)) + (" pixels" if len(row.shape) == 1 else "")
        left.append(f"grid {l + 1}\n{pixels}\n{row.channels} channels")
        right.append(f"{_short(row.parameters)} parameters\n{_short(row.multiply_adds)} multiply-adds")
        if l % 2 == 0:
            axes.axhspan(ticks[l] - PITCH / 2, ticks[l] + PITCH / 2, color="#f6f6f6", lw=0, zorder=0)
    costs_axis = axes.secondary_yaxis("right")
    for axis, labels in ((axes, left), (costs_axis, right)):
        axis.set_yticks(ticks, labels, fontsize=8)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    axes.set_xticks([])
    total = f"{costs.parameters:,} parameters, {_short(costs.multiply_adds, 4)} multiply-adds"
    axes.set_xlabel(total, loc="right", fontsize=8, color=GREY)


def _short(number: int, digits: int = 3) -> str:
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.{digits}g} {letter}"
    return str(number)


def _legend(table: Sequence[Row]) -> list[Any]:
    """The meaning of everything that is drawn."""
    from matplotlib.patches import Patch

    groups = [kernels for row in table for kernels in (*row.down, *row.up, row.from_finer, row.from_coarser)]
    drawn = [kernel for group in groups for kernel in group]
    parts = {kernel.part for kernel in drawn}
    legend = [
        Patch(facecolor="white", edgecolor=colour, lw=1.2, label=f"{letter}  {meaning}")
        for part, (letter, colour, meaning) in LETTERS.items()
        if part in parts
    ]
    if any(isinstance(kernel.weights, int) for kernel in drawn):
        legend.append(Patch(color=BLUE, label="filled: the same weights again"))
    if any(kernel.weights == "fixed" for kernel in drawn):
        legend.append(Patch(facecolor="white", edgecolor=GREY, linestyle="--", label="dashed: fixed, not trained"))
    return legend
