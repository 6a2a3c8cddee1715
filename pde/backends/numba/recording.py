"""Record the steps of a cycle: a cycle of `mgcore` runs on levels that only note what is to be done.

Sweeps, correction, residual and restriction that follow each other on a level become one pass over its planes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import mgcore
from mgcore import CYCLES
from pde.backends.numba.boundary_terms import Part, offsets
from pde.backends.numba.buffers import FIRST_BUFFERS, NODAL, OUT, Buffer, F, U
from pde.backends.numba.fused_sweep import CUBIC, NOTHING, PRODUCTS, ZERO
from pde.backends.numba.interpreter import DIRECT, FOLD, HALO, OUTER, PASS, RHS, STEP, SUBTRACT, SUM, Step
from pde.backends.numba.means import SUMS
from pde.backends.numba.states import Interpolated, Packed, Pending, Rows, State, Sweeping
from pde.backends.numba.workspace import of_a_pass, of_direct_solution, of_restricted_data, planes_kept, row_length

PARALLEL = 1 << 14
"""Unknowns from which on a pass is worth more than one thread."""

UNDIVIDED = (DIRECT, FOLD)
"""Steps of one block."""

SHARES, LONG = 4, 16
"""Blocks per thread at most, so that no thread waits long for a slower one, and the planes that each then has at least,
in units of the fewest that a block is made for."""

TILE, LEAST_ROWS = 3 << 19, 8
"""Bytes of the planes of a tile in the work space, which the cache of a core should keep, and rows at least."""


class Recorder:
    """The steps of a plan, with the buffers and the divisions of the work space that they use.

    Args:
        sizes: unknowns of each level. direct_size: numbers that a direct solution works on.
        singular: whether right-hand sides are to have zero mean.
    """

    def __init__(
        self, packed: Packed, sizes: Sequence[int], direct_size: int, threads: int, singular: bool = False
    ) -> None:
        self.records, self.steps = packed.records, list[Step]()
        self.is_2d = packed.is_3d is None
        self.buffers = [
            *FIRST_BUFFERS,
            *(Buffer(f"coefficients {k % 4} of level {k // 4}") for k in range(len(packed.fields))),
        ]
        self.divisions = [of_direct_solution(direct_size)]
        self.singular, self._sizes, self._threads = singular, sizes, threads
        shapes = [*packed.records["n"].tolist(), packed.records["m"][-1].tolist()]
        self.offsets = offsets(shapes, packed.is_3d is not None)
        self._per_sum = 8 // packed.reals.dtype.itemsize
        self._known: dict[tuple[int, ...], int] = {}

    def given(self, name: str) -> int:
        """Return the index of an array that each run is given beside those of `buffers`."""
        return self._index(Buffer(name))

    def rows(self, name: str, level: int) -> Rows:
        """Return the rows of a buffer of a level, which are split by parity."""
        return Rows(self._index(Buffer(f"{name}{level}", self._sizes[level])), True)

    def add(self, step: Step, overwrites: bool = False) -> None:
        """Add a step over its planes in as many blocks as suit it; `overwrites`: it may store u where it comes from."""
        n = self.records[step.level]["n"]
        step = step._replace(tiles=self._tiles(step))
        least = 4 * step.sweeps + 8  # planes: fewer are not worth what a block computes again of its neighbours
        many = int(np.prod(n)) >= PARALLEL and step.op not in UNDIVIDED
        threads = max(1, min(self._threads, step.planes // least)) if many else 1
        blocks = threads * max(1, min(SHARES, step.planes // (LONG * least * threads))) if threads > 1 else 1
        if step.tiles > 1:
            blocks = step.tiles * (1 if threads == 1 or step.tiles % threads == 0 else threads)
        step = step._replace(blocks=blocks, division=self._division(step))
        if overwrites and (self.is_2d or step.op != PASS) and self._needs_halo(step, blocks):
            beside = 2 * step.sweeps + 4 if step.op == PASS else 1
            if step.op == PASS and (more := further(self.records[step.level], 0, step.sweeps)):
                beside = 2 * step.sweeps + 1 + int(self.records[step.level]["span"][0]) + more
            planes = 2 * beside * blocks
            halo = self._index(Buffer(f"halo{step.level}x{planes}", planes * int(n[1] * n[2])))
            step = step._replace(beside=beside, halo=halo)
            self.steps.append(step._replace(op=HALO))
        self.steps.append(step)

    def _needs_halo(self, step: Step, blocks: int) -> bool:
        """Whether planes beside a block are overwritten by another before it reads them."""
        return blocks > 1 or bool(self.records[step.level]["periodic"][0])

    def _tiles(self, step: Step) -> int:
        """Return the number of tiles of a pass: the sums over them, and so their number, are those of any threads."""
        if step.op != PASS or self.is_2d or step.norm == PRODUCTS:
            return 1
        record = self.records[step.level]
        bytes_of_a_row = row_length(record["n"][2]) * record["omega"].itemsize * (2 * planes_kept(step.sweeps) + 2)
        rows = max(LEAST_ROWS, TILE // bytes_of_a_row - 2 * (2 * step.sweeps + 2))
        return -(-int(record["n"][1]) // int(rows))

    def centre(self, level: int, f: Rows, out: Rows) -> None:
        """Add steps that leave f less its mean in `out`."""
        self.add(self.sum(level, f)._replace(op=SUBTRACT, out=out.buffer))

    def sum(self, level: int, f: Rows, out: Rows | None = None) -> Step:
        """Add a step that sums the planes of f, and return it."""
        planes = self._planes(level)
        sums = self._index(Buffer(f"sums{level}", 2 * SUMS * planes * self._per_sum))
        step = Step(SUM, level, f=f.buffer, f_split=f.split, sums=sums, planes=planes)
        self.add(step)
        return step

    def _planes(self, level: int) -> int:
        return int(self.records[level]["n"][0])

    def add_products(self, level: int, f: Rows, out: Rows) -> None:
        """Add a step that leaves f and a sum of products in `out`."""
        planes = int(self.records[level]["n"][0])
        self.add(Step(OUTER, level, f=f.buffer, out=out.buffer, planes=planes))

    def fold(self, level: int, f: Rows) -> None:
        """Add a step that folds the boundary data of a level, not the finest, into its right-hand side."""
        planes = int(self.records[level - 1]["m"][0])
        self.add(Step(FOLD, level - 1, out=f.buffer, terms=self.offsets[Part("fold", level)], planes=planes))

    def program(self, again: int = 0) -> np.ndarray:
        """Return the steps as an array; undivided ones that follow each other go together, but for step `again`."""
        program = np.array(self.steps, STEP)
        undivided = program["blocks"] == 1
        joined = undivided[1:] & undivided[:-1]
        joined[again - 1 : again] = False
        program["blocks"][1:][joined] = 0
        return program

    def _index(self, buffer: Buffer) -> int:
        if buffer not in self.buffers:
            self.buffers.append(buffer)
        return self.buffers.index(buffer)

    def _division(self, step: Step) -> int:
        key = step.op, step.level, step.sweeps, step.tiles
        if step.op in (DIRECT, FOLD, SUM, SUBTRACT):
            return 0
        if key not in self._known:
            record = self.records[step.level]
            n, m, span, rows = record["n"], record["m"], record["span"], None
            if step.op == PASS and not self.is_2d:
                rows = -(-int(n[1]) // step.tiles) + 2 * (2 * step.sweeps + int(span[1]) + 1)
                rows = rows + further(record, 1, step.sweeps) if record["periodic"][1] else min(rows, int(n[1]))
            alone = step.op == PASS and self.is_2d and n[0] == 1
            self._known[key] = len(self.divisions)
            self.divisions.append(
                of_restricted_data(n, m)
                if step.op in (RHS, OUTER)
                else of_a_pass(n, m, int(span[0]), step.sweeps, rows, alone)
            )
        return self._known[key]


class RecordedLevel:
    """The moves of a level that is not the coarsest; it stores u in `u`.

    In two dimensions a pass overwrites u, in three it stores it by turns in `u` and `v`.
    """

    def __init__(self, recorder: Recorder, index: int, sweeping: Sweeping, u: Rows, v: Rows | None = None) -> None:
        self.recorder, self.index, self.sweeping, self.u = recorder, index, sweeping, u
        self.v = self.u if recorder.is_2d else v or recorder.rows("v", index)
        self._stored = self.u
        record = recorder.records[index]
        self.planes, self.planes_coarse = int(record["n"][0]), int(record["m"][0])
        self._has_seams = bool(np.any(record["periodic"] & record["n"]))

    def start(self, f: Rows, u: Any = None) -> State:
        return State(f, u)

    def start_from_residual(self, r: Rows, u: Any) -> State:
        return State(r, u)

    def smooth(self, state: State) -> State:
        return self._sweep(state, self.sweeping.nu, self.sweeping.flip)

    def restrict(self, state: State, coarse: Any) -> State:
        f_coarse = self.recorder.rows("f", coarse.index)
        if state.flip and state.sweeps and self._has_seams:  # a mirrored pass does not restrict
            state = State(state.f, self.stored(state))
        self._stored = self._other(state)
        self.run(state, self._stored, f_coarse)
        return coarse.start_from_residual(f_coarse, None)

    def correct(self, state: State, coarse: Any, before: State, after: State, *, post: bool = True) -> State:
        state = State(state.f, self._stored, coarse.stored(after))
        return self._sweep(state, self.sweeping.nu_post, self.sweeping.flip_post) if post else state

    def feature(self, state: State) -> Pending:
        return Pending(self, state)

    def stored(self, state: State) -> Rows:
        """Store u in the buffer of the level, unless it is there."""
        if isinstance(state.u, Rows) and state.u.split and state.correction is None and not state.sweeps:
            return state.u
        out = self._other(state)
        self.run(state, out)
        return out

    def write(self, state: State, out: Rows, norm: int) -> None:
        """Store u in `out` and sum what `norm` asks for."""
        in_place = isinstance(state.u, Rows) and state.u.buffer == out.buffer
        if in_place and not self.recorder.is_2d:
            self.run(state, self._other(state))
            state = State(state.f, self._other(state))
        self.run(state, out, norm=norm)

    def _other(self, state: State) -> Rows:
        """Return where u is not, in three dimensions."""
        return self.v if state.u == self.u else self.u

    def complete(self, f: Rows) -> Rows:
        """Fold the boundary data of this level into f, and subtract its mean; that of the finest level is complete."""
        if self.index == 0:
            return Rows(F, False)
        self.recorder.fold(self.index, f)
        if self.recorder.singular:
            self.recorder.centre(self.index, f, f)
        return f

    def restrict_data(self, f: Rows, coarse: Any) -> Rows:
        """Restrict the right-hand side of full multigrid to the next coarser grid."""
        out = self.recorder.rows("f", coarse.index)
        self.recorder.add(Step(RHS, self.index, f=f.buffer, f_split=f.split, out=out.buffer, planes=self.planes_coarse))
        return out

    def run(self, state: State, out: Rows, f_coarse: Rows | None = None, norm: int = NOTHING) -> None:
        """Do what is to be done, in one pass that sums the squares that `norm` asks for."""
        step = Step(
            PASS,
            self.index,
            sweeps=state.sweeps,
            flip=state.flip,
            f=state.f.buffer,
            f_split=state.f.split,
            correct=state.correction is not None,
            sink=out.order,
            out=out.buffer,
            norm=norm,
            planes=self.planes,
        )
        coarse = state.correction
        if isinstance(state.u, Interpolated):
            terms = self.recorder.offsets[Part("guess", self.index)]
            step, coarse = step._replace(source=CUBIC, terms=terms), state.u.coarse
        elif state.u is not None:
            step = step._replace(source=state.u.order, u=state.u.buffer)
        if coarse is not None:
            step = step._replace(coarse=coarse.buffer)
        if f_coarse is not None:
            step = step._replace(f_coarse=f_coarse.buffer)
        self.recorder.add(step, overwrites=step.source not in (ZERO, CUBIC))

    def _sweep(self, state: State, count: int, flip: bool) -> State:
        if state.sweeps and count and state.flip != flip:
            state = State(state.f, self.stored(state))
        return replace(state, sweeps=state.sweeps + count, flip=flip if count else state.flip)


class RecordedSolution:
    """The moves of the coarsest level: to smooth it, however often, is to solve it once."""

    def __init__(self, recorder: Recorder, index: int) -> None:
        self.recorder, self.index, self.u = recorder, index, recorder.rows("u", index)

    def start(self, f: Rows, u: Any = None) -> State:
        return State(f, u)

    def start_from_residual(self, r: Rows, u: Any) -> State:
        return State(r, u)

    def smooth(self, state: State) -> State:
        return replace(state, sweeps=1)

    def feature(self, state: State) -> Pending:
        return Pending(self, state)

    def complete(self, f: Rows) -> Rows:
        """Fold the boundary data of this level into f; to solve is to subtract its mean first."""
        self.recorder.fold(self.index, f)
        return f

    def stored(self, state: State) -> Rows:
        if state.sweeps:
            self.recorder.add(Step(DIRECT, f=state.f.buffer, out=self.u.buffer))
        return self.u


class RecordedStart(RecordedSolution):
    """The moves of the level on which full multigrid begins with a direct solution."""

    def __init__(self, recorder: Recorder, level: RecordedLevel) -> None:
        self.recorder, self.index, self.level = recorder, level.index, level

    def complete(self, f: Rows) -> Rows:
        return self.level.complete(f)

    def stored(self, state: State) -> Rows:
        u = self.recorder.rows("u", self.index)
        self._solve(state, u)
        return u

    def write(self, state: State, out: Rows, norm: int) -> None:
        """Store u in `out` and sum what `norm` asks for."""
        if norm == NOTHING:
            self._solve(state, out)
            return
        u = out if self.recorder.is_2d else replace(self.recorder.rows("u", self.index), split=False)
        self._solve(state, u)
        self.level.run(State(state.f, u), out, norm=norm)

    def _solve(self, state: State, u: Rows) -> None:
        self.recorder.add(Step(DIRECT, self.index, f=state.f.buffer, out=u.buffer, start=1))


def further(record: Any, axis: int, sweeps: int) -> int:
    """As `seams.further`."""
    n = int(record["n"][axis])
    return 1 + 2 * sweeps // (n - 1) if record["periodic"][axis] and n % 2 and sweeps else 0


def full_multigrid(levels: Sequence[Any], f: Rows, cycle: Callable[..., Pending]) -> Pending:
    """Record full multigrid with this cycle on each level; f are the nodal values, without boundary data."""
    u: Pending = mgcore.full_multigrid(
        levels,
        f,
        interpolate=[lambda u: Interpolated(u.stored())] * (len(levels) - 1),
        restrict_data=[partial(a.restrict_data, coarse=b) for a, b in pairwise(levels)],
        cycle=lambda levels, f, u: cycle(levels, levels[0].complete(f), u),
    )
    return u


def record(
    kind: str,
    recorder: Recorder,
    start: int,
    count: int,
    sweeping: Sweeping,
    norm: int,
    z: Rows | None = None,
    begin: int | None = None,
) -> None:
    """Record a cycle that begins on level `start` of `count`, or "nested": full multigrid with V-cycles.

    Its finest u is in OUT, split by parity, until that is written, in three dimensions in a buffer of its own; where
    there is z, it begins with zero and ends in z, and f is split too. Full multigrid begins on level `begin`, or on the
    coarsest one.
    """
    own = z or Rows(OUT, True)
    finest = (own,) if recorder.is_2d else (recorder.rows("u", start), own)
    levels: list[Any] = [RecordedLevel(recorder, start, sweeping, *finest)]
    levels += [RecordedLevel(recorder, l, sweeping, recorder.rows("u", l)) for l in range(start + 1, count - 1)]
    levels.append(RecordedSolution(recorder, count - 1))
    f, u, nested = Rows(F, z is not None), None if z else Rows(U, False), kind == "nested"
    first = levels if begin is None else [*levels[:begin], RecordedStart(recorder, levels[begin])]

    def cycle(part: Sequence[Any], f: Rows, u: Any) -> Any:
        return CYCLES["V"](part if part[0].index == begin else levels[part[0].index :], f, u)

    result: Pending = full_multigrid(first, Rows(NODAL, False), cycle) if nested else CYCLES[kind](levels, f, u)
    result.write(z or Rows(OUT, False), norm)


VECTORS: dict[str, Callable[..., Any]] = {
    "sums": Recorder.sum,
    "centre": Recorder.centre,
    "products": Recorder.add_products,
}
"""Plans for vectors, from f to `out`."""
