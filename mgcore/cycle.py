"""Algorithms 1-4 and the other cycles, in the moves of `mgcore.moves`. Levels are ordered from fine to coarse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

from mgcore.level import Level
from mgcore.moves import Moves, Vector, Visit

Levels = Sequence[Moves[Any]]
Cycle = Callable[..., Any]


def descend(levels: Levels, f: Vector, u: Vector | None = None) -> list[Visit]:
    """Go down the levels, MgNet (Algorithm 3); where every Pi is None it is MG0 (Algorithm 1).

    Returns one `Visit` per level, finest first: the first guess u0, the result u and the data f of the level.

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2], R=lambda r: r)
    >>> [(visit.u, visit.f) for visit in descend([level, level], 8.0)]
    [(4.0, 8.0), (2.0, 4.0)]
    """
    _check(levels)
    made: list[Visit] = []
    state = levels[0].start(f, u)
    for index, level in enumerate(levels):
        if index > 0:
            state = levels[index - 1].restrict(state, level)  # (6.5), (6.6)
        u0 = level.feature(state)
        state = level.smooth(state)  # (6.4)
        made.append(Visit(u0, level.feature(state), partial(level.data, state)))
    return made


def mg0(levels: Sequence[Level], f: Vector) -> list[Visit]:
    """Go down by Algorithm 1: every level starts from zero, whatever the Pi of `levels`.

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2], R=lambda r: r, Pi=lambda u: u)
    >>> [visit.u0 for visit in mg0([level, level], 8.0)]
    [None, None]
    """
    _check(levels)
    return descend([replace(level, Pi=None) for level in levels], f)


def mgnet(levels: Levels, f: Vector) -> list[Visit]:
    """Go down by Algorithm 3 from u^{1,0} = 0: level l + 1 starts from Pi u^l.

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2], R=lambda r: r, Pi=lambda u: u)
    >>> [visit.u0 for visit in mgnet([level, level], 8.0)]
    [None, 4.0]
    """
    return descend(levels, f)


def backslash_cycle(levels: Levels, f: Vector, u: Vector | None = None) -> Vector | None:
    """Make a backslash cycle, Algorithm 2: down with smoothing, up with corrections alone (5.13).

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2], R=lambda r: r, P=lambda e, u: e)
    >>> backslash_cycle([level, level], 8.0)
    6.0
    """
    return _run("backslash", levels, f, u)


def v_cycle(levels: Levels, f: Vector, u: Vector | None = None) -> Vector | None:
    """Make a V-cycle; with Pi it is V-MgNet, Algorithm 4.

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2], R=lambda r: r, P=lambda e, u: e)
    >>> v_cycle([level, level], 8.0)
    6.0
    """
    return _run("V", levels, f, u)


def w_cycle(levels: Levels, f: Vector, u: Vector | None = None) -> Vector | None:
    """Make a W-cycle: every level visits the next coarser one twice, the second time from where the first one ended.

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2], R=lambda r: r, P=lambda e, u: e)
    >>> w_cycle([level, level], 8.0)
    7.0
    """
    return _run("W", levels, f, u)


def f_cycle(levels: Levels, f: Vector, u: Vector | None = None) -> Vector | None:
    """Make an F-cycle: every level visits the next coarser one by an F-cycle, then by a V-cycle.

    >>> level = Level(A=lambda u: u, B=[lambda r: r / 2], R=lambda r: r, P=lambda e, u: e)
    >>> f_cycle([level, level], 8.0)
    7.0
    """
    return _run("F", levels, f, u)


CYCLES: dict[str, Cycle] = {"V": v_cycle, "W": w_cycle, "F": f_cycle, "backslash": backslash_cycle}
"""The cycles by name."""

VISITS = {"V": ("V",), "W": ("W", "W"), "F": ("F", "V"), "backslash": ("backslash",)}
"""The cycles by which each of them visits the next coarser level."""


@cache
def visits(cycle: str, l: int) -> int:
    """Count the visits of level l, from 0, in one cycle."""
    return 1 if l == 0 else sum(visits(below, l - 1) for below in VISITS[cycle])


@cache
def work_units(costs: tuple[int, ...], sweeps: tuple[int, int], cycle: str, cycles: int = 1) -> float:
    """The cost of so many cycles in evaluations of the finest residual.

    A sweep, a residual and a pair of transfers cost one evaluation each on their level.

    Args:
        costs: of an evaluation on each level, finest first, such as the nonzeros of its operator.
        sweeps: on the way down and up.
        cycle: one of `CYCLES`, or "fmg": one full multigrid pass of V-cycles, then V-cycles.
    """

    def cost(kind: str, start: int = 0) -> float:
        each = sweeps[0] + (0 if kind == "backslash" else sweeps[1]) + 2
        return sum(visits(kind, l) * each * c for l, c in enumerate(costs[start:])) / costs[0]

    if cycle != "fmg":
        return cycles * cost(cycle)
    return sum(cost("V", start) for start in range(len(costs))) + (cycles - 1) * cost("V") if cycles else 0.0


def full_multigrid(
    levels: Levels,
    f: Vector,
    *,
    interpolate: Sequence[Callable[[Vector], Vector]],
    restrict_data: Sequence[Callable[[Vector], Vector]],
    cycle: Cycle = v_cycle,
) -> Vector:
    """Nested iteration: solve on the coarsest level, then interpolate and make one cycle on each finer one.

    Args:
        interpolate: interpolate[l] takes a solution on levels[l + 1] to a first guess on levels[l]. It is to be of
            higher order than P, or the discretisation error is not reached in one cycle per level.
        restrict_data: restrict_data[l] takes the data of levels[l] to levels[l + 1].
        cycle: cycle(levels, f, u) -> u.

    >>> level, same = Level(A=lambda u: u, B=[lambda r: r / 2], R=lambda r: r, P=lambda e, u: e), [lambda v: v]
    >>> full_multigrid([level, level], 8.0, interpolate=same, restrict_data=same)
    7.0
    """
    _check(levels)
    for name, maps in (("interpolate", interpolate), ("restrict_data", restrict_data)):
        if len(maps) != len(levels) - 1:
            raise ValueError(f"{name} must hold {len(levels) - 1} maps, one per pair of levels; got {len(maps)}")
    data = [f]
    for restrict in restrict_data:
        data.append(restrict(data[-1]))
    u = cycle(levels[-1:], data[-1], None)
    for index in reversed(range(len(levels) - 1)):
        u = cycle(levels[index:], data[index], interpolate[index](u))
    return u


def _run(kind: str, levels: Levels, f: Vector, u: Vector | None) -> Vector | None:
    _check(levels)
    return levels[0].feature(_cycle(kind, levels, levels[0].start(f, u)))


def _cycle(kind: str, levels: Levels, state: Any) -> Any:
    """Make one cycle from `state` on levels[0]."""
    fine, coarser = levels[0], levels[1:]
    state = fine.smooth(state)
    if not coarser:
        return state
    before = after = fine.restrict(state, coarser[0])
    for below in VISITS[kind]:
        after = _cycle(below, coarser, after)
    return fine.correct(state, coarser[0], before, after, post=kind != "backslash")


def _check(levels: Levels) -> None:
    if not isinstance(levels, Sequence):
        raise TypeError(f"levels must be a sequence of levels, finest first; got {type(levels).__name__}")
    if len(levels) == 0:
        raise ValueError("levels: at least one level is needed, got none")
