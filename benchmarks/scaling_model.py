"""A model of cycles on many ranks: work, halos, messages and gathers, in slabs, pencils and blocks.

Slabs are counted by `slab_counts`, which is what the program does. Pencils and blocks are not built; they are here for
comparison, with the same widths of halos and one message for each face of a leg.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import slab_counts
from matplotlib.figure import Figure

NU = (1, 1)
WHOLE = 1 << 14
LEAST_BOX = 8
"""Unknowns along each side of a box at least; a level that leaves fewer goes to fewer ranks."""

COLOURS = {"slabs": "#2a6f97", "pencils": "#d9741a", "blocks": "#3a7d44", "blocks, 2-D": "#d9741a"}


@dataclass(frozen=True)
class Machine:
    """A rank and its network.

    Args:
        work: seconds per unknown of a V-cycle on one rank, all levels together.
        step: seconds that a leg of a cycle costs beside its work.
        latency: seconds of a message. bandwidth: bytes per second of a rank.
    """

    work: float
    step: float
    latency: float
    bandwidth: float

    def message(self, count: float, size: float) -> float:
        """Seconds of so many messages with so many bytes in all."""
        return count * self.latency + size / self.bandwidth

    def gather(self, ranks: int, size: float) -> float:
        """Seconds in which all ranks get an array of so many bytes, of which each has a part."""
        return math.ceil(math.log2(ranks)) * self.latency + size / self.bandwidth if ranks > 1 else 0.0


@dataclass(frozen=True)
class Costs:
    """Seconds of one cycle: sweeps of own unknowns, of halos, steps, messages, gathers, levels made by every rank."""

    work: float = 0.0
    halos: float = 0.0
    steps: float = 0.0
    messages: float = 0.0
    gathers: float = 0.0
    whole: float = 0.0

    @property
    def total(self) -> float:
        return self.work + self.halos + self.steps + self.messages + self.gathers + self.whole


def slabs(shape: Sequence[int], ranks: int, machine: Machine, top: int = 0) -> Costs:
    """A V-cycle in slabs, from level `top` on, of a rank in the middle."""
    levels = slab_counts.levels_of(shape, ranks, whole=WHOLE)
    count = len(levels) - 1
    rank = ranks // 2
    rate = machine.work * (1 - 2.0 ** -len(shape))
    rest = _unknowns_from(levels[-1].n * levels[-1].plane, len(shape))
    if ranks == 1 or top >= count:
        size = levels[min(top, count)].n * levels[min(top, count)].plane
        legs = 2 * (math.log2(max(2, size)) / len(shape))
        return Costs(work=machine.work * size, steps=machine.step * legs)
    idle = max(ranks // int(np.count_nonzero(np.diff(level.cuts))) for level in levels[top:count])
    strides = {2**k for k in range(int(math.log2(max(1, idle))) + 1)}  # neighbours are further where ranks are idle
    near = (
        sorted({sign * k * stride for stride in strides for k in range(1, 5) for sign in (-1, 1)}) if ranks > 64 else ()
    )
    sent = slab_counts.cycle(levels, NU, rank, top=top, near=near)
    work = halos = 0.0
    for level, coarse in pairwise(levels[top : count + 1]):
        own = level.cuts[rank + 1] - level.cuts[rank]
        down, up = (x[rank, 1] - x[rank, 0] for x in (level.down(coarse, NU[0]), level.wider(level.made, 2 * NU[1])))
        work += rate * level.plane * own
        halos += rate * level.plane * ((down - own) / 2 + (up - own) / 2) / 2  # each colour one plane less
    last = levels[count]
    gathers = machine.gather(ranks, 8 * last.n * last.plane) + machine.gather(ranks, 8 * levels[top].n)
    legs = 2 * (count - top) + 2 * math.log2(max(2, last.n))
    return Costs(work, halos, machine.step * legs, machine.message(sent.messages, sent.sent), gathers, rate * rest)


def boxes(shape: Sequence[int], split: Sequence[int], machine: Machine, top: int = 0) -> Costs:
    """A V-cycle in boxes, `split` along each axis, from level `top` on: pencils, where the last axis is not split."""
    n, p, ndim = [x / 2**top for x in shape], list(split), len(shape)
    rate = machine.work * (1 - 2.0**-ndim)
    work = halos = steps = messages = gathers = 0.0
    while math.prod(n) > WHOLE and max(p) > 1:
        before = math.prod(p)
        p = [min(q, max(1, int(x // LEAST_BOX))) for x, q in zip(n, p, strict=True)]
        box = [x / q for x, q in zip(n, p, strict=True)]
        if math.prod(p) < before:  # the right-hand side there, and u back
            messages += machine.message(2 * before / math.prod(p), 16 * math.prod(box))
        if max(p) == 1:
            break
        down = _halo(box, p, 2 * NU[0] + 1.75)
        up, beside = _halo(box, p, 2 * NU[1]), _halo([x / 2 for x in box], p, NU[1] + 0.5)
        work += rate * math.prod(box)
        halos += rate * (down + up) / 4
        faces = 2 * sum(q > 1 for q in p)
        messages += machine.message(2 * faces, 8 * (down * (2 if steps == 0 and top == 0 else 1) + up + beside))
        steps += 2 * machine.step
        n = [x / 2 for x in n]
    rest, ranks = math.prod(n), math.prod(split)
    if ranks > 1:
        gathers = machine.gather(ranks, 8 * rest) + machine.gather(ranks, 8)
    steps += machine.step * 2 * math.log2(max(2.0, rest)) / ndim
    return Costs(work, halos, steps, messages, gathers, rate * _unknowns_from(rest, ndim))


def full_multigrid(shape: Sequence[int], split: Sequence[int], machine: Machine) -> float:
    """Seconds of one pass of full multigrid: a V-cycle from each level on."""
    total, top, size = 0.0, 0, math.prod(shape)
    while size > WHOLE:
        one = slabs(shape, split[0], machine, top) if max(split[1:]) == 1 else boxes(shape, split, machine, top)
        total, top, size = total + one.total, top + 1, size / 2 ** len(shape)
    return total


def _halo(box: Sequence[float], split: Sequence[int], width: float) -> float:
    """Unknowns around a box, so many planes wide on both sides of each axis that is split."""
    return math.prod(x + 2 * width * (q > 1) for x, q in zip(box, split, strict=True)) - math.prod(box)


def _unknowns_from(size: float, ndim: int) -> float:
    """The unknowns of a level and all coarser ones."""
    return size / (1 - 2.0**-ndim)


def splits(ranks: int, ndim: int) -> dict[str, tuple[int, ...]]:
    """The boxes of so many ranks, a power of two, by their names."""
    k = int(math.log2(ranks))

    def shared(axes: int) -> tuple[int, ...]:
        return tuple(2 ** ((k + a) // axes) for a in reversed(range(axes)))

    if ndim == 2:
        return {"slabs": (ranks, 1), "blocks, 2-D": shared(2)}
    return {"slabs": (ranks, 1, 1), "pencils": (*shared(2), 1), "blocks": shared(3)}


HPGMG = (  # June 2016, fourth order, hpgmg.org: ranks, unknowns per second, and of 1/8 and 1/64 of the problem
    ("Mira", 49152, 5.00e11),
    ("Titan", 16384, 4.40e11),
    ("Edison", 10648, 2.96e11),
    ("Piz Daint", 4096, 1.53e11),
)
HPGMG_SMALLER = (("Titan, 1/8", 16384, 1.63e11), ("Titan, 1/64", 16384, 3.9e10))
WEAK, STRONG = {2: 2048, 3: 160}, {2: 65536, 3: 2048}
"""Unknowns along a side: of a square or cube for each rank, and for all ranks together."""


def curve(ndim: int, name: str, weak: bool, machine: Machine, most: int) -> list[tuple[int, float]]:
    """(ranks, unknowns per second) of full multigrid, as far as there are boxes of `LEAST_BOX` unknowns a side."""
    found = []
    for k in range(0, int(math.log2(most)) + 1):
        ranks = 2**k
        split = splits(ranks, ndim).get(name, (1,) * ndim)
        shape = [STRONG[ndim]] * ndim
        if weak:
            shape = [WEAK[ndim] * 2 ** ((k + a) // ndim) for a in reversed(range(ndim))]
        least = slab_counts.LEAST if name == "slabs" else LEAST_BOX
        if all(n >= least * q for n, q in zip(shape, split, strict=True)):
            found.append((ranks, math.prod(shape) / full_multigrid(shape, split, machine)))
    return found


def draw(path: Path, machine: Machine, most: int = 1 << 17) -> Path:
    """Draw unknowns per second against ranks: weak and strong scaling in two and three dimensions."""
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    for row, weak in zip(figure.subplots(2, 2, sharex=True), (True, False), strict=True):
        for axes, ndim in zip(row, (2, 3), strict=True):
            names = list(splits(1, ndim))
            for name in names:
                points = curve(ndim, name, weak, machine, most)
                label = name.removesuffix(", 2-D")
                axes.loglog(*zip(*points, strict=True), "o-", ms=3, color=COLOURS[name], label=label)
            first = points[0][1]
            axes.loglog([1, most], [first, first * most], "--", lw=0.8, color="#999999", label="ideal")
            if ndim == 3:
                for which, ranks, speed in HPGMG if weak else HPGMG_SMALLER:
                    axes.plot(ranks, speed, "kx", ms=5)
                    axes.annotate(which, (ranks, speed), (4, -9), textcoords="offset points", fontsize=7)
            size = f"{WEAK[ndim]}{'²³'[ndim - 2]} on each rank" if weak else f"{STRONG[ndim]}{'²³'[ndim - 2]}"
            axes.set_title(f"{'weak' if weak else 'strong'} scaling, {ndim}-D, {size}", fontsize=10)
            axes.grid(alpha=0.25)
            axes.legend(frameon=False, fontsize=8)
        row[0].set_ylabel("unknowns per second, one FMG pass")
    for axes in figure.axes[2:]:
        axes.set_xlabel("ranks")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    return path
