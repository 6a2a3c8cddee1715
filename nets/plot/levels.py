"""Inside a network: features and residuals of one image on every grid, and the learned kernels."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from nets.common.checks import check_integer
from nets.common.location import locate
from nets.models.base import Network
from nets.models.modes import evaluating
from nets.models.operators import CONVOLUTION, TRANSPOSED, SharedKernel
from nets.plot.network import LETTERS
from nets.plot.style import GREY, figure, photograph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TILE = 0.9
"""Inches of an image of one channel; every grid shows the whole image, so all tiles have this size."""
BLOCKS = 8
"""Kernels of a level that are drawn."""
ON_FEATURES = ("features $u^l$, channels of largest norm", "residual $r^l = f^l - A^l u^l$")
ON_DATA = ("data in which a grid starts, channels of largest norm", "data after the last step of a grid")
"""Headings of the two blocks."""


class Grid(NamedTuple):
    """One image on one grid, on the CPU.

    Attributes:
        first: (c, n, ...) features u^l; in networks that work on data alone r^{l,0}, the data in which the grid starts.
        second: (c, n, ...) the residual r^l = f^l - A^l u^l; in networks on data alone r^l after the last step.
    """

    first: Tensor
    second: Tensor


def on_grids(model: Network, image: Tensor) -> list[Grid]:
    """Features and residuals of one image on every grid, finest first, in evaluation mode.

    Args:
        image: (channels, n, ...), normalised as in training.

    Raises:
        TypeError, ValueError: where the image does not fit the network.
    """
    if not isinstance(model, Network):
        raise TypeError(f"model must be a nets.Network; got {type(model).__name__}")
    if not isinstance(image, Tensor) or image.ndim != model.config.dims + 1:
        shape = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise ValueError(f"image must be one image (channels, {'n, ' * model.config.dims}...); got {shape}")
    weight = next(model.parameters())
    with evaluating(model), torch.no_grad():
        levels = model.levels
        visits = model.visits(image[None].to(weight.device, weight.dtype))
        return [Grid(*(part[0].cpu() for part in _pair(l, v))) for l, v in zip(levels, visits, strict=True)]


def _pair(level: Any, visit: Any) -> tuple[Tensor, Tensor]:
    if not hasattr(level, "residual"):  # the state is the data alone
        return visit.u0, visit.u
    residual = level.residual(level.start(visit.f, visit.u))
    return torch.zeros_like(residual) if visit.u is None else visit.u, residual


def features(
    model: Network,
    image: Tensor,
    path: str | PathLike[str],
    *,
    channels: int = 6,
    picture: Tensor | None = None,
    title: str | None = None,
) -> None:
    """Draw u^l and r^l = f^l - A^l u^l of one image: a row per grid, the channels of the largest norm.

    All tiles have one size, as every grid holds the whole image. Features and residuals of a grid have a colour scale
    each, the same for all their channels: white is 0, dark grey is large; of both signs, red is positive and blue is
    negative. In networks that work on data alone, such as the ResNets, it is r^{l,0} and r^l.

    Args:
        image: (c, height, width), normalised as in training.
        channels: at most so many of u^l, and of r^l.
        picture: (1 or 3, height, width), the image as it is to be seen; None shows `image`.
        title: None takes the name of the network.

    Raises:
        TypeError, ValueError: where the image does not fit the network, or has other than two dimensions.
    """
    check_integer("channels", channels, 1)
    grids = on_grids(model, image)
    if image.ndim != 3:
        raise ValueError(f"image must be 2-dimensional to be drawn; got the shape {tuple(image.shape)}")
    data_alone = not hasattr(model.levels[0], "residual")
    names = ("r^{%d,0}", "r^{%d}") if data_alone else ("u^{%d}", "r^{%d}")
    shown = min(channels, max(len(part) for grid in grids for part in grid))
    height = TILE * float(image.shape[1] / image.shape[2])
    sheet = figure((2 * shown + 1) * TILE + 3.0, len(grids) * (height + 0.35) + 0.8)
    sheet.suptitle(model.config.notation if title is None else title, x=0.01, ha="left", fontsize=11, weight="bold")
    parts: Any = sheet.subfigures(1, 3, width_ratios=[TILE + 0.8, *(2 * [shown * TILE + 1.1])])
    for l, axes in enumerate(parts[0].subplots(len(grids), 1, squeeze=False).flat):
        sides = " × ".join(map(str, grids[l].first.shape[1:]))
        photograph(axes, (image if picture is None else picture) if l == 0 else torch.ones(1, *image.shape[1:]))
        axes.set_ylabel(f"grid {l + 1}\n{sides}", rotation=0, ha="right", va="center", fontsize=8)
        _frame(axes, visible=l == 0)
    headings = ON_DATA if data_alone else ON_FEATURES
    for block, name, part, words in zip(parts[1:], names, zip(*grids, strict=True), headings, strict=True):
        block.suptitle(words, fontsize=9)
        for l, row in enumerate(block.subplots(len(grids), shown, squeeze=False)):
            _channels(block, row, part[l], f"${name % (l + 1)}$")
    sheet.savefig(path)


def _frame(axes: Axes, visible: bool = True) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(linewidth=0.4, color=GREY, visible=visible)


def _channels(block: Any, row: Sequence[Axes], part: Tensor, name: str) -> None:
    """Draw the channels of the largest norm in one row, by their numbers, and the colour scale that they share."""
    norms = part.flatten(1).norm(dim=1)
    chosen = sorted(norms.topk(min(len(row), len(part))).indices.tolist())
    signed = bool((part[chosen] < 0).any())
    limit = max(float(part[chosen].abs().max()), 1e-12)
    style: dict[str, Any] = {"cmap": "RdBu_r" if signed else "Greys", "vmin": -limit if signed else 0, "vmax": limit}
    for axes in row[len(chosen) :]:
        axes.set_axis_off()
    for axes, channel in zip(row, chosen, strict=False):
        drawn = axes.imshow(part[channel].numpy(), **style)
        axes.set_title(str(channel), loc="right", fontsize=6, pad=2)
        _frame(axes)
    row[0].set_title(name, loc="left", fontsize=9, pad=2)
    ticks = [-limit, 0, limit] if signed else [0, limit]
    scale = block.colorbar(drawn, ax=list(row), ticks=ticks, format="%.2g", fraction=0.05, pad=0.01, aspect=12)
    scale.ax.tick_params(labelsize=6, length=2, pad=1)
    scale.outline.set_linewidth(0.4)


def kernels(model: Network, path: str | PathLike[str], *, count: int = 8, levels: Sequence[int] | None = None) -> None:
    """Draw the learned kernels A, B, R, Pi, ... of the levels: a row per level, a block per kernel.

    A block has a small image per pair of channels, a row for each of the first outputs, a column for each of the first
    inputs. All blocks share one colour scale, red positive and blue negative, which ends at the 99.5th percentile.

    Args:
        count: at most so many outputs, and inputs, of a kernel.
        levels: which, 1 the finest; None takes all.

    Raises:
        TypeError, ValueError: where a level does not exist, or the kernels have other than two dimensions.
    """
    check_integer("count", count, 1)
    if not isinstance(model, Network):
        raise TypeError(f"model must be a nets.Network; got {type(model).__name__}")
    if model.config.dims != 2:
        raise ValueError(f"model must be 2-dimensional to be drawn; {model.config} has dims={model.config.dims}")
    rows = _by_level(model)
    numbers = list(rows) if levels is None else list(levels)
    if not numbers or not all(number in rows for number in numbers):
        raise ValueError(f"levels must be some of {', '.join(map(str, rows))}; got {levels}")
    blocks = {number: [(name, _mosaic(weight, count)) for name, weight in rows[number]] for number in numbers}
    everything = torch.cat([part[part.isfinite()].abs() for row in blocks.values() for _, part in row])
    limit = max(float(everything.quantile(0.995)), 1e-12)
    columns = max(min(len(row), BLOCKS) for row in blocks.values())
    sheet = figure(1.75 * columns + 1.8, 2.0 * len(blocks) + 0.5)
    most = max(max(weight.shape[:2]) for number in numbers for _, weight in rows[number])
    which = f" of the first {count} channels" if count < most else ""
    title = f"{model.config.notation}: kernels{which}"
    sheet.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold")
    cells = sheet.subplots(len(blocks), columns, squeeze=False)
    for cell in cells.flat:
        cell.set_axis_off()
    for cell_row, (number, row) in zip(cells, blocks.items(), strict=True):
        more = f"\n{len(row) - BLOCKS} more" if len(row) > BLOCKS else ""
        for axes, (name, mosaic) in zip(cell_row, row, strict=False):
            axes.set_axis_on()
            axes.set_facecolor("#b8b8b8")
            drawn = axes.imshow(mosaic.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
            axes.set_title(name, loc="left", fontsize=8)
            _frame(axes)
        cell_row[0].set_ylabel(f"grid {number}{more}", rotation=0, ha="right", va="center", fontsize=9)
    scale = sheet.colorbar(drawn, ax=cells, shrink=1 / len(blocks), anchor=(0, 1), fraction=0.03, pad=0.01)
    scale.ax.tick_params(labelsize=7, length=2)
    sheet.savefig(path)


def _by_level(model: Network) -> dict[int, list[tuple[str, Tensor]]]:
    """Name and weight (outputs, inputs, height, width) of the kernels of each level, 1 the finest.

    R, Pi and what else leads to a level are with it.
    """
    kinds: Any = (*CONVOLUTION.values(), *TRANSPOSED.values(), SharedKernel)
    rows: dict[int, list[tuple[str, Tensor]]] = {l + 1: [] for l in range(len(model.config.nu))}
    for name, module in model.named_modules():
        where = locate(name)
        if where.level is None or not isinstance(module, kinds):
            continue
        weight: Any = module.weight
        weight = weight.detach().float().cpu()
        if isinstance(module, tuple(TRANSPOSED.values())):
            weight = weight.transpose(0, 1)
        elif weight.ndim == 2:  # one kernel for all channels
            weight = weight[None, None]
        rows[where.level + 1].append((_name(name, weight), weight))
    return rows


def _name(name: str, weight: Tensor) -> str:
    """ "B 2, 32 to 32" of the module "B.0.1"."""
    part, _, *number = name.split(".")
    letter = LETTERS.get(part, (part, "", ""))[0]
    count = f" {int(number[0]) + 1}" if number and number[0].isdigit() else ""
    inner = f" {LETTERS.get(number[0], (number[0], '', ''))[0]}" if number and not number[0].isdigit() else ""
    return f"{letter}{count}{inner}   {weight.shape[1]} → {weight.shape[0]}"


def _mosaic(weight: Tensor, count: int) -> Tensor:
    """Kernels side by side, an empty line of NaN between them."""
    part = nn.functional.pad(weight[:count, :count], (0, 1, 0, 1), value=torch.nan)
    outputs, inputs, height, width = part.shape
    return part.permute(0, 2, 1, 3).reshape(outputs * height, inputs * width)[:-1, :-1]
