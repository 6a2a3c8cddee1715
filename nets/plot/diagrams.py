"""Block diagrams: the operations of a network's steps on a grid, or of a module of one's own, from top to bottom."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import fx, nn

from nets.common.location import locate
from nets.inspect.steps import steps as trace_steps
from nets.inspect.trace import KERNELS
from nets.models.base import Network
from nets.plot.network import LETTERS
from nets.plot.style import GREY, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIGNS = {"add": "+", "sub": "−", "mul": "×", "truediv": "/", "div": "/", "cat": "concatenate"}
"""Operations between maps, by their names in torch, which may end in an underscore."""
WIDTH, HEIGHT, ROW, TRACK = 1.5, 0.3, 0.52, 0.22
"""Inches: a box, from row to row, and from line to line beside the boxes."""


class Box(NamedTuple):
    """One operation: its name in the graph, the boxes that it takes values from, in order, and what it does.

    `does` is the name of a module, a sign, another function, "input" or "output"; `constants` are numbers and names of
    tensors that it takes besides. A kernel that is used more than once is `shared`.
    """

    name: str
    inputs: tuple[str, ...]
    does: str
    constants: tuple[Any, ...] = ()
    text: str = ""
    colour: str = GREY
    shared: bool = False


def boxes(model: nn.Module, level: int = 0) -> list[Box]:
    """The operations of `nets.inspect.steps.steps` in the order in which they run, and the inputs that they take."""
    traced = trace_steps(model, level)
    uses = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    numbers: dict[str, count[int]] = {}
    nodes = [node for node in traced.graph.nodes if node.op != "get_attr" and (node.users or node.op != "placeholder")]
    return [_box(model, traced, node, uses, numbers) for node in nodes]


def _box(model: nn.Module, traced: fx.GraphModule, node: fx.Node, uses: Counter[Any], numbers: Any) -> Box:
    taken: list[fx.Node] = []
    fx.node.map_arg((node.args, node.kwargs), taken.append)
    inputs = tuple(value.name for value in taken if value.op != "get_attr")
    does = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "function")
    if node.op in ("placeholder", "output"):
        does, text = ("input", node.name) if node.op == "placeholder" else ("output", "")
        return Box(node.name, inputs, does, text=text)
    if node.op == "call_module":
        module = traced.get_submodule(does)
        shared = uses[does] > 1 and isinstance(module, KERNELS)
        text, colour = _label(model, module, does, shared, numbers)
        return Box(node.name, inputs, does, (), text, colour, shared)
    does = SIGNS.get(does.rstrip("_"), does)
    arguments: dict[Any, Any] = {**dict(enumerate(node.args)), **node.kwargs}
    given = {k: v for k, v in arguments.items() if type(v) in (int, float) and does != "concatenate"}
    tensors = [str(value.target) for value in taken if value.op == "get_attr"]
    words = [_tensor(model, traced, name) for name in tensors]
    words += [f"{k}={v:g}" if isinstance(k, str) else f"{v:g}" for k, v in given.items()]
    first = next(iter(arguments.values()), None)
    after = isinstance(first, fx.Node) and first.name in inputs  # "− 1", and "1 −" for 1 - x
    text = " ".join([does, *words] if after else [*words, does])
    return Box(node.name, inputs, does, (*tensors, *given.values()), text)


def _label(model: nn.Module, module: nn.Module, name: str, shared: bool, numbers: Any) -> tuple[str, str]:
    """The text and the colour of a module's box: a kernel's letter, its level, its number where it has its own."""
    kind = re.sub(r"\d+d$", "", type(module).__name__)
    if not isinstance(model, Network):
        return f"{name}: {kind}", GREY
    where, last = locate(name), name.rpartition(".")[2]
    part = last if last in LETTERS else where.part
    if part not in LETTERS or where.level is None or not isinstance(module, KERNELS):
        return kind, GREY
    letter, colour, _ = LETTERS[part]
    index = str(where.level + 1)
    if not shared and len(re.findall(r"\.\d+", name)) > 1:
        index += f",{next(numbers.setdefault(part, count(1)))}"
    size = "×".join(map(str, getattr(module, "kernel_size", ())))
    return f"{letter}$^{{{index}}}$   {size}".rstrip(), colour


def _tensor(model: nn.Module, traced: fx.GraphModule, name: str) -> str:
    if name.startswith("_tensor_constant"):
        tensor = getattr(traced, name)
        return f"{tensor.item():.3g}" if tensor.numel() == 1 else "constant"
    return name.partition(".")[0] if isinstance(model, Network) else name


def steps(models: nn.Module | Mapping[str, nn.Module], path: str | PathLike[str], level: int = 0) -> None:
    """Draw what a network does on a grid, operation by operation, into a file of any format that matplotlib writes.

    The way runs from top to bottom; lines beside it carry a value to where it is used later. A kernel has its letter
    and the number of its grid, and of its step where it is its own: A^1, B^{1,2}. Filled boxes of one name share their
    weights. The diagram is a trace, `nets.inspect.steps.steps`, not a drawing by hand.

    Args:
        models: a network, or another module, which is drawn whole; or several by their titles, side by side.
        level: of the networks, as in `model.levels`; 0 is the finest.

    Raises:
        TypeError, ValueError: as `nets.inspect.steps.steps`, or where the format is unknown, or there is no step.
    """
    columns = models if isinstance(models, Mapping) else {_title(models): models}
    if not columns:
        raise ValueError("models must hold at least one network; got an empty mapping")
    diagrams = {str(title): _Diagram(boxes(model, level)) for title, model in columns.items()}
    for title, diagram in diagrams.items():
        if all(box.does in ("input", "output") for box in diagram.boxes):
            raise ValueError(f"level {level} of {title} has no steps to draw; give another level")
    width = height = 0.0
    for title, diagram in diagrams.items():
        half = 0.045 * len(title) + 0.1  # inches of a title
        diagram.x = width + max(diagram.left, half)
        width = diagram.x + max(diagram.right, half)
        height = max(height, ROW * (diagram.rows - 1) - HEIGHT / 2 + 0.1)
    filled = any(box.shared for diagram in diagrams.values() for box in diagram.boxes)
    picture = figure(width, height + 0.5 + 0.25 * filled)
    picture.set_layout_engine("none")
    axes = picture.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(-height - 0.25 * filled, 0.5))
    axes.set_axis_off()
    for title, diagram in diagrams.items():
        axes.text(diagram.x, 0.33, title, ha="center", va="center", fontsize=10, weight="bold")
        diagram.draw(axes)
    if filled:
        axes.text(0.15, -height - 0.1, "filled: the same weights again", va="center", fontsize=8, color=GREY)
    picture.savefig(path)


def _title(model: nn.Module) -> str:
    return model.config.notation if isinstance(model, Network) else type(model).__name__


class _Diagram:
    """Boxes in a column, and beside them the lines of values that a later box takes; `x` is the middle of the column.

    Inputs that the first operation does not take stand to the left, with their lines.
    """

    x = 0.0

    def __init__(self, found: Sequence[Box]) -> None:
        first = next(box for box in found if box.does != "input")
        self.boxes = found
        self.others = {box.name for box in found if box.does == "input" and box.name not in first.inputs[-1:]}
        column = [box for box in found if box.name not in self.others]
        self.rows = len(column)
        self.row = {**dict.fromkeys(self.others, 0), **{box.name: row for row, box in enumerate(column)}}
        self.half = {box.name: 0.13 if _is_sum(box) or box.does == "input" else HEIGHT / 2 for box in found}
        lines: dict[str, int] = {}
        for box in column:
            lines |= {name: self.row[box.name] for name in box.inputs if self._by_line(box, name)}
        self.track: dict[str, int] = {}
        for name in sorted(lines, key=lambda name: lines[name] - self.row[name]):
            self.track[name] = self._free(lines, name)
        self.left, self.right = (
            WIDTH / 2
            + TRACK * (0.7 + max([t + 0.5 for n, t in self.track.items() if (n in self.others) is side] or [0]))
            for side in (True, False)
        )

    def _free(self, lines: Mapping[str, int], name: str) -> int:
        """The innermost track that no line on the same side occupies between the same rows."""
        taken = {
            track
            for other, track in self.track.items()
            if (other in self.others) is (name in self.others)
            and self.row[other] < lines[name]
            and self.row[name] < lines[other]
        }
        return next(track for track in count() if track not in taken)

    def draw(self, axes: Axes) -> None:
        for box in self.boxes:
            lines = sorted((name for name in set(box.inputs) if self._by_line(box, name)), key=self.track.__getitem__)
            for number, name in enumerate(box.inputs):
                minus = _is_sum(box) and box.does == "−" and number == 1
                if name in lines:
                    self._line(axes, box, name, lines.index(name), len(lines), minus)
                else:
                    self._step(axes, box, name, minus)
            if box.does != "output":
                self._draw_box(axes, box)

    def _by_line(self, box: Box, name: str) -> bool:
        """Whether the box takes the value by a line beside the boxes, and not from the box above."""
        return name in self.others or self.row[box.name] - self.row[name] > 1

    def _step(self, axes: Axes, box: Box, name: str, minus: bool) -> None:
        """The arrow from the box above."""
        top = -ROW * self.row[box.name] + self.half[box.name]
        _arrow(axes, (self.x, -ROW * self.row[name] - self.half[name]), (self.x, top))
        if minus:
            _write(axes, self.x + 0.1, top + 0.08, "−", GREY)

    def _line(self, axes: Axes, box: Box, name: str, number: int, count: int, minus: bool) -> None:
        """The line beside the boxes; several of them end one below the other, the outermost last: they do not cross."""
        beside, gap = name in self.others, min(0.13, 0.24 / count)
        y = -ROW * self.row[box.name] + gap * ((count - 1) / 2 - number)
        end = self.x + (-1 if beside else 1) * (0.12 if _is_sum(box) else WIDTH / 2)
        x, start = self._x(name), -ROW * self.row[name] - self.half[name]
        way = [(x, start)]
        if not beside:
            way = [(self.x, start), (self.x, -ROW * (self.row[name] + 0.5)), (x, -ROW * (self.row[name] + 0.5))]
        if box.does == "output":
            end, y = x, -ROW * self.row[box.name] + HEIGHT / 2
            _arrow(axes, (x, y + HEIGHT / 2), (x, y))
        else:
            _arrow(axes, (x, y), (end, y))
        axes.plot(*zip(*way, (x, y), strict=True), color=GREY, lw=1, zorder=1)
        if minus:
            _write(axes, end + (-0.1 if beside else 0.12), y + (0.08 if number == 0 else -0.08), "−", GREY)

    def _x(self, name: str) -> float:
        """The place across of the line of a value."""
        return self.x + (-1 if name in self.others else 1) * (WIDTH / 2 + TRACK * (self.track[name] + 0.7))

    def _draw_box(self, axes: Axes, box: Box) -> None:
        from matplotlib.patches import Circle, FancyBboxPatch

        x, y = self.x, -ROW * self.row[box.name]
        if box.does == "input":
            _write(axes, self._x(box.name) if box.name in self.others else x, y, box.text, "black", 10)
            return
        style: dict[str, Any] = {"edgecolor": box.colour, "facecolor": box.colour if box.shared else "white", "lw": 1.2}
        if _is_sum(box):
            axes.add_patch(Circle((x, y), self.half[box.name], zorder=3, **style))
            _write(axes, x, y, "+", box.colour)
        else:
            corner = (x - WIDTH / 2, y - HEIGHT / 2)
            axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, "round,pad=0,rounding_size=0.06", zorder=3, **style))
            size = min(9.0, 9 * 22 / len(box.text))
            _write(axes, x, y, box.text, "white" if box.shared else box.colour, size)


def _is_sum(box: Box) -> bool:
    """Whether it is a circle: a sum, or a difference, whose second term has the sign."""
    return box.does in ("+", "−") and not box.constants


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    line = {"arrowstyle": "-|>", "color": GREY, "lw": 1.0, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9, "zorder": 1}
    axes.annotate("", end, start, arrowprops=line)


def _write(axes: Axes, x: float, y: float, text: str, colour: str, size: float = 9.0) -> None:
    axes.text(x, y, text, ha="center", va="center_baseline", fontsize=size, color=colour, zorder=4)
