"""The part of a solver that stays as it is between solves: options, levels and backend."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, ClassVar, ParamSpec, Self, TypeVar

import numpy as np

from mgcore.cycle import CYCLES, work_units
from pde.backends.base import Backend
from pde.backends.choice import largest_direct, make, makers, read_options
from pde.common.arguments import choose, count, read_nu, read_omega
from pde.common.ranks import Ranks
from pde.levels.defaults import automatic, automatic_sweeps, is_rough, may_be_indefinite
from pde.levels.hierarchy import Choices, Hierarchy, build_hierarchy
from pde.levels.smoothers import SMOOTHERS, SWEEPS_PER_STEP
from pde.levels.transfers import TRANSFERS
from pde.problem.grid import Array
from pde.problem.poisson import Poisson
from pde.solver.at_once import LARGEST, AtOnce
from pde.solver.inputs import Reader
from pde.solver.reduced import Reduction
from pde.solver.summary import table

P = ParamSpec("P")
T = TypeVar("T")

SOLVES = ("fmg", *CYCLES)
"""The cycles of a solve by their names."""


def on_all_ranks(method: Callable[P, T]) -> Callable[P, T]:
    """A method that all ranks of a solver call together: an error of one is an error of all."""

    @wraps(method)
    def call(*arguments: P.args, **keywords: P.kwargs) -> T:
        ranks = arguments[0]._ranks  # type: ignore[attr-defined]
        if ranks is None:
            return method(*arguments, **keywords)
        with ranks.together(communicates=True):
            return method(*arguments, **keywords)

    return call


class Setup:
    """The levels and the backend of a problem; arguments as of `pde.Multigrid`, with those of `read_options` in one.

    Attributes:
        problem: what is solved.
        smoother, coarse, transfer, nu: the choices, where "auto" is replaced by what suits.
        levels: NumPy's, finest first, and `hierarchy` with what belongs to them.
        backend: runs the cycles.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """

    kinds: ClassVar[dict[type, type[Setup]]] = {}
    """The solvers of each kind of problem; a subclass registers its own by `kind`."""

    def __init_subclass__(cls, kind: type | None = None) -> None:
        if kind is not None:
            Setup.kinds[kind] = cls

    def __new__(cls, problem: Any = None, *_: Any, **__: Any) -> Self:
        solver: Any = next((Setup.kinds[kind] for kind in type(problem).__mro__ if kind in Setup.kinds), cls)
        made: Self = object.__new__(solver if issubclass(solver, cls) else cls)
        return made

    _at_once: AtOnce | None = None
    """Solves in one call, where there are such."""

    backend: Backend
    _planes: slice
    _ranks: Ranks | None = None
    """The ranks that a grid is divided among."""

    def __init__(
        self,
        problem: Any,
        smoother: Any,
        omega: Any,
        nu: Any,
        coarse: Any,
        transfer: Any,
        levels: Any,
        backend: Any,
        comm: Any = None,
    ) -> None:
        known: Any = tuple(Setup.kinds)
        if not isinstance(problem, known):
            allowed = " or a ".join(f"pde.{kind.__name__}" for kind in Setup.kinds)
            raise TypeError(f"problem must be a {allowed}, got {type(problem).__name__}")
        self._wanted = {
            "smoother": choose("smoother", smoother, SMOOTHERS, auto="auto"),
            "coarse": choose("coarse", coarse, ("rediscretised", "galerkin"), auto="auto"),
            "transfer": choose("transfer", transfer, (*TRANSFERS, "operator"), auto="auto"),
        }
        every = (smoother, nu, coarse, transfer) == ("auto",) * 4
        self._automatic = every and omega is None and levels is None
        self._sweeps = None if isinstance(nu, str) and nu == "auto" else read_nu(nu, "'auto' or ")
        self.omega = read_omega(omega)
        self._limit = None if levels is None else count("levels", levels, least=1)
        self._options, self._mixed = read_options(*backend)
        self.dtype = self._options.dtype
        self._ranks = None
        if comm is None and getattr(problem, "ranks", None) is None:
            self._build(problem)
        else:
            self._divide(problem, comm, {"nu": nu, "omega": omega, "levels": levels, "dtype": str(backend[2])})

    def _divide(self, problem: Any, comm: Any, given: dict[str, Any]) -> None:
        """Build the levels of a problem whose grid is divided among ranks."""
        from pde.solver.distributed import only_here, same_ranks

        ranks = same_ranks(problem, comm)
        with ranks.together(communicates=True):
            tensors = self._options.device.on_tensors or self._options.kernels in ("numpy", "torch", "torch compiled")
            only_here(problem, {f"kernels={self._options.kernels!r}, device={self._options.device.name!r}": tensors})
            ranks.agree({"problem": repr(problem), **self._wanted, **given, "kernels": self._options.kernels})
            if self._options.threads is None:
                threads = max(1, self._options.cores // ranks.ranks_here)
                self._options = replace(self._options, threads=threads)
            self._ranks = ranks
            self._build(problem.divided(ranks))

    def _build(self, problem: Poisson, before: Hierarchy | None = None) -> None:
        """Take `problem` and its levels, all of it or, where something raises, nothing.

        Transfers are taken from the hierarchy before where they stay.
        """
        single = np.dtype("float32")
        for dtype in {self.dtype, single if self._mixed else self.dtype}:
            problem.check_fits(dtype)
        wanted = dict(self._wanted)
        if problem.order == 4 and wanted["coarse"] == "auto":
            wanted["coarse"] = "rediscretised"  # also for a negative reaction: there are no products
        names = automatic(problem.grid, problem.terms, **wanted)
        nu = self._sweeps or automatic_sweeps(problem.grid, problem.terms, *names[:2], problem.order)
        choices = Choices(
            *(names[0], self.omega, nu, *names[1:], self.dtype),
            singular=problem.singular,
            largest_direct=largest_direct(self._options.device),
            order=problem.order,
            automatic=self._automatic,
        )
        if self._ranks is not None:
            from pde.solver.distributed import check_choices

            check_choices(choices)
        hierarchy = self._hierarchy(problem, choices, before)
        mixed = self._mixed and (problem.singular or problem.is_held(single))
        if self._ranks is not None:
            self._take_blocks(problem, hierarchy, mixed)
        else:
            backend = make(hierarchy, self._options, mixed)
            self._reader = Reader(problem, backend.device, self.dtype)
            self._reduction = Reduction(problem, hierarchy.levels, backend)
            self.backend = backend
        backend = self.backend
        self.problem, self.hierarchy, self.levels = problem, hierarchy, hierarchy.levels
        (self.smoother, self.coarse, self.transfer), self.nu = names, nu
        self._may_be_indefinite = problem.terms.closed or may_be_indefinite(problem.grid, problem.terms)
        self._doubtful = not problem.singular and not problem.is_held(self.dtype)
        self._work_units: dict[tuple[str, int, bool], float] = {}
        plain = not (problem.singular or problem.open or self._doubtful or self._reduction.lifts_always)
        at_once = plain and problem.order == 2 and problem.grid.size <= LARGEST and self._ranks is None
        self._at_once = AtOnce(self._reader, backend, self.work_units) if at_once else None

    def _hierarchy(self, problem: Poisson, choices: Choices, before: Hierarchy | None) -> Hierarchy:
        """The levels of NumPy."""
        made = makers(problem.grid, self._options)
        return build_hierarchy(problem.grid, problem.terms, choices, self._limit, before, makers=made)

    def _take_blocks(self, problem: Poisson, hierarchy: Hierarchy, mixed: bool) -> None:
        """Take a backend on the ranks of a communicator, each of which holds its planes of the finest grid."""
        from pde.backends.mpi.choice import make
        from pde.solver.distributed import BlockReader, Local, SlabReduction

        assert self._ranks is not None
        backend = make(hierarchy, self._options, self._ranks, mixed)
        self.backend, self._planes = backend, slice(backend.begin, backend.end)
        self._reader = BlockReader(Local(problem, backend), backend)
        self._reduction = SlabReduction(problem, hierarchy.levels, backend)

    def _agree(self, given: dict[str, Any], callback: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
        """Check that all ranks want the same solve; the callback ends it on all ranks where it does on one."""
        ranks = self._ranks
        assert ranks is not None
        ranks.agree({**given, "callback": callback is not None})
        if given["bounds"]:
            raise ValueError("lower, upper: bounds are not for problems that are divided among ranks; leave them None")
        return None if callback is None else lambda progress: ranks.any(callback(progress))

    @property
    def owned(self) -> tuple[slice, ...]:
        """The block of this rank in the whole grid; all of it where there is no communicator."""
        planes = slice(0, self.problem.shape[0]) if self._ranks is None else self._planes
        return (planes, *(slice(0, n) for n in self.problem.shape[1:]))

    def gather(self, u: Array) -> Array:
        """The whole array (..., *shape) of the blocks of all ranks, on each of them."""
        if self._ranks is None:
            return u
        axis = u.ndim - self.problem.ndim
        return np.moveaxis(self._ranks.joined(np.moveaxis(u, axis, 0)), 0, axis)

    def update(
        self, coefficient: Any = None, reaction: Any = None, boundary: Any = None, face_coefficients: Any = None
    ) -> Self:
        """Take other coefficients, for instance of the next implicit time step; None keeps the one there is.

        `boundary` has sides of the same kinds as before, with another beta of Robin sides.

        Grids, bilinear transfers and the interpolations of full multigrid are re-used; operators, smoothers and the
        factors of the coarsest level are new. New too are transfers that follow the coefficient: "operator", and
        bilinear ones of cells beside a Robin side where a changes there. Where it raises, the solver stays as it was.

        Returns:
            The object itself.

        Raises:
            TypeError, ValueError: as `Poisson` for these arguments.
        """
        self._build(self.problem.with_terms(coefficient, reaction, boundary, face_coefficients), self.hierarchy)
        return self

    def acceleration(self, accel: str | None, cycle: str = "fmg") -> str | None:
        """The `accel` of a solve with these cycles, None or "cg", where "auto" is replaced by what suits.

        Raises:
            ValueError: "cg" around a cycle that is not symmetric.
        """
        needed = self._may_be_indefinite
        if accel == "none" or (accel is None and not needed):
            return None
        grid, terms = self.problem.grid, self.problem.terms
        if accel is not None and choose("accel", accel, ("cg", "auto", "none")) == "cg":
            self._check_symmetric(cycle)
            return "cg"
        symmetric = cycle not in ("F", "backslash") and self._symmetric_nu()
        if len(self.levels) == 1 or not symmetric:
            return None
        return "cg" if needed or terms.tensor is not None or is_rough(grid, terms) else None

    def _check_symmetric(self, cycle: str) -> None:
        if cycle in ("F", "backslash"):
            raise ValueError(
                f"cycle must be 'V' or 'W' for conjugate gradients, which need a symmetric one; got {cycle!r}"
            )
        if not self._symmetric_nu():
            raise ValueError(
                f"nu must be 'auto' or (n, n) for conjugate gradients, which need symmetric cycles; got {self.nu}"
            )

    def _symmetric_nu(self) -> bool:
        """Whether symmetric cycles have nu sweeps; of "auto" they have the larger number of them twice."""
        return self._sweeps is None or self.nu[0] == self.nu[1]

    def work_units(self, cycle: str = "V", cycles: int = 1, accel: str | None = None) -> float:
        """Cost of so many cycles in evaluations of the finest residual; of "fmg", the first is the nested pass.

        A sweep, a residual and a pair of transfers count as one evaluation each on their level. With `accel` "cg" the
        cycles are the symmetric ones.
        """
        choose("cycle", cycle, SOLVES)
        key = cycle, count("cycles", cycles, least=0), accel == "cg"
        if key not in self._work_units:
            self._work_units[key] = self._cost(*key)
        return self._work_units[key]

    def _cost(self, cycle: str, cycles: int, symmetric: bool) -> float:
        sweeps = self.problem.ndim if self.smoother == "zebra" else SWEEPS_PER_STEP.get(self.smoother, 1)
        nonzeros = tuple(level.info.operator.nonzeros for level in self.levels)
        cycles += self.problem.order == 4 and cycle == "fmg" and cycles > 0  # two of them on the finest grid
        pre, post = (max(self.nu),) * 2 if symmetric else self.nu
        return work_units(nonzeros, (sweeps * pre, sweeps * post), cycle, cycles)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # torch cannot copy sparse tensors, and pickles them
        copied: Self = pickle.loads(pickle.dumps(self))
        return copied

    def __repr__(self) -> str:
        return f"Multigrid({self.problem!r}, smoother={self.smoother!r}, nu={self.nu}, {len(self.levels)} levels)"

    def __str__(self) -> str:
        backend = self.backend
        return (
            f"Multigrid for {self.problem!r}\n"
            f"{table(self.levels, self.hierarchy.interpolations, backend.runs_in, backend.held())}\n"
            f"{self.coarse} coarse operators, {self.transfer} transfers, {backend.precision}, {backend.describe()}"
        )
