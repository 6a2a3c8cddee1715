"""Geometric multigrid for `Poisson`: builds the levels and runs the cycles of `mgcore` on them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mgcore import Progress, Solution, SolveError
from mgcore.cycle import CYCLES, work_units
from pde.backends.base import How, Levels, MixedCycles, run_on
from pde.backends.device import Place, host, read_device
from pde.backends.full_multigrid import NestedIteration
from pde.backends.numba.fast import Chosen
from pde.common.arguments import (
    choose,
    count,
    described,
    finite,
    number,
    read_nu,
    read_omega,
    read_precision,
    real_array,
)
from pde.common.arrays import as_numpy, cast, copied, import_torch, is_tensor
from pde.common.keywords import suggesting
from pde.common.progress import ProgressBar
from pde.levels.defaults import automatic, is_rough
from pde.levels.direct import LARGEST_DENSE
from pde.levels.hierarchy import LARGEST_DIRECT, Choices, Tables, build_hierarchy, symmetric
from pde.levels.smoothers import SMOOTHERS, SWEEPS_PER_STEP
from pde.levels.transfers import TRANSFERS
from pde.problem.boundary import BoundaryData, fold, read_sides
from pde.problem.grid import Array, Sides
from pde.problem.operators import StencilOperator
from pde.problem.poisson import Poisson
from pde.solver.batch import delivered, one_batch_axis, with_shape
from pde.solver.iterate import BatchSolver
from pde.solver.output import check_out, deliver, room_in
from pde.solver.preconditioner import Preconditioner
from pde.solver.reduced import Reduction
from pde.solver.summary import table
from pde.solver.trace import Trace, Verbose

KERNELS = ("numba", "numpy", "torch", "torch compiled", "torch graph", "torch compiled graph")

QUIET: Any = {"over": "ignore", "under": "ignore", "invalid": "ignore"}
"""Infinite values are a reason why a solve ends, not a warning on the way there."""


class Multigrid:
    """Multigrid for a `Poisson` problem; see `solve`, `full_multigrid`, `cycle` and `print(mg)`.

    Args:
        problem: what to solve.
        smoother: "auto" ("sor"; on stretched axes, and where the strong axis of a tensor coefficient is one here and
            another there, "zebra", or in three dimensions up to half a million unknowns planes, if spacings vary by
            more than five), "jacobi" (5.6), "two-step jacobi" (5.7), "chebyshev" (nu Jacobi sweeps combined by (3.23)),
            "red-black" (Gauss-Seidel), "sor" (red-black with over-relaxation), "gauss-seidel" (in C order; SOR with
            omega), "zebra 0", "zebra 1", "zebra 2" (lines along that axis), "zebra" (lines along each axis in turn),
            "planes 0", "planes 1" or "planes 2" (planes across that axis, which alone is coarsened).
        omega: relaxation parameter in (0, 2); None takes what suits the smoother and the dimension.
        nu: sweeps before and after the coarse-grid correction.
        coarse: "rediscretised" or "galerkin", R A P (5.11); "auto" is the first, and the second where the coefficient
            is rough (it changes by a factor of two between neighbours, or would by 2.5 on grids of thousands of
            unknowns), the reaction jumps by half of its largest value, lines in two dimensions or planes in three are
            relaxed on stretched axes (rediscretised cycles take up to 0.9 there), or transfer is "operator".
        transfer: "bilinear", "linear" (4.14) in two dimensions, or "operator", which follows the coefficient (Dendy);
            "auto" is the last where the coefficient is rough, else the first.
        levels: the number of levels at most, which coarsen as far as it goes; None ends at a grid whose direct solution
            is cheap: where a is constant some 50 unknowns along each of two axes, 17 of three; where transfers follow
            the coefficient 10,000 unknowns, and 32,000 where lines or planes are relaxed.
        threads: for the compiled kernels; None takes the cores that this process may use.
        device: "cpu", or "cuda" ("cuda:1", ...) for the same cycles on torch tensors of a GPU. Not GPU-tested.
        dtype: "float64", "float32", or "mixed": float32 cycles inside a float64 residual, which reaches what float64
            does, or float64 alone where a reaction or Robin side is too weak for float32 to show. "auto" is float64
            on the CPU and mixed on a GPU.
        kernels: "numba" runs the cycles of rediscretised operators and red-black sweeps in two and three dimensions on
            compiled kernels, several sweeps and transfers in one pass over a grid; "numpy" never does; "torch" runs
            them on tensors, "torch compiled" with the moves of each level compiled by torch.compile, and "torch graph"
            or "torch compiled graph" each cycle as one CUDA graph (not GPU-tested). "auto" is torch on a GPU, and
            elsewhere Numba from `SMALLEST` unknowns on. The iterates agree to rounding; `print(mg)` tells what is used.
            Ask for "numba" where a process solves on a small grid hundreds of times: a solve is one compiled call then,
            some ten times as fast as NumPy. It is not the default there because the first use costs about a second in
            a process. Kernels are compiled once on a machine, which takes some ten seconds of one core. With "auto" a
            child process does it in the background: solvers made until then run on NumPy, and stay with it, but for
            grids of `background.LARGE` unknowns and more, which compile first, as "numba" does. `pde.compile_kernels`
            does it beforehand, and the environment variable PDE_COMPILE, "off" or "wait", not at all or at once; no
            child is started under pytest, by ranks of MPI and by worker processes.

    f, g, u0 and out may be torch tensors on `device`: the result is one too then, and otherwise an array. On the CPU
    they share their memory with the arrays that the cycles work on; of cycles on a GPU norms alone come to the host.

    The unknowns 2, 4, ... of an axis make the next coarser one, whatever their number; an axis with weak coupling
    waits until the others have caught up (semicoarsening).

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.
    """

    @suggesting
    def __init__(
        self,
        problem: Poisson,
        *,
        smoother: str = "auto",
        omega: float | None = None,
        nu: tuple[int, int] = (1, 1),
        coarse: str = "auto",
        transfer: str = "auto",
        levels: int | None = None,
        threads: int | None = None,
        device: str = "cpu",
        dtype: str | np.dtype = "auto",
        kernels: str = "auto",
    ) -> None:
        if not isinstance(problem, Poisson):
            raise TypeError(f"problem must be a pde.Poisson, got {type(problem).__name__}")
        self._smoother = choose("smoother", smoother, SMOOTHERS, auto="auto")
        self._coarse = choose("coarse", coarse, ("rediscretised", "galerkin"), auto="auto")
        self._transfer = choose("transfer", transfer, (*TRANSFERS, "operator"), auto="auto")
        self.nu = read_nu(nu)
        self.omega = read_omega(omega)
        device = read_device(device)
        self._threads = None if threads is None else count("threads", threads, least=1)
        self._kernels = choose("kernels", kernels, KERNELS, auto="auto")
        if self._kernels.startswith("torch"):
            import_torch(f"kernels={kernels!r}")
        if device != "cpu" and self._kernels in ("numba", "numpy"):
            raise ValueError(f"kernels={kernels!r} run on the host, and device is {device!r}; use 'auto' or 'torch'")
        if device == "cpu" and self._kernels.endswith("graph"):
            instead = self._kernels.removesuffix(" graph")
            raise ValueError(f"kernels={kernels!r} captures cycles of a GPU, and device is 'cpu'; use {instead!r}")
        self._place = Place(device, self._kernels.startswith("torch") or device != "cpu")
        self._limit = None if levels is None else count("levels", levels, least=1)
        self.dtype, self._mixed = read_precision(dtype, "float64" if device == "cpu" else "mixed")
        self._tables, self._chosen = Tables(), Chosen()
        self._build(problem)

    def _build(self, problem: Poisson) -> None:
        """Take `problem` and its levels, all of it or, where something raises, nothing."""
        grid, terms = problem.grid, problem.terms
        for dtype in {self.dtype, np.dtype("float32" if self._mixed else self.dtype)}:
            problem.check_fits(dtype)
        smoother, coarse, transfer = automatic(grid, terms, self._smoother, self._coarse, self._transfer)
        direct = LARGEST_DENSE if self._place.on_tensors else LARGEST_DIRECT
        choices = Choices(smoother, self.omega, self.nu, coarse, transfer, self.dtype, problem.singular, direct)
        tables = Tables(self._tables)
        hierarchy = build_hierarchy(grid, terms, choices, self._limit, tables)
        mixed = self._mixed and (problem.singular or problem.is_held(np.dtype("float32")))
        cycles, here = run_on(self._place, self.dtype, mixed, self._kernels, self._threads, hierarchy, self._chosen)
        tables.close()
        self.problem, self._tables, self._cycles = problem, tables, cycles
        self.smoother, self.coarse, self.transfer = smoother, coarse, transfer
        self.hierarchy, self.levels, self._volumes = hierarchy, hierarchy.levels, here.volumes
        self._nested = NestedIteration(here, transfer == "operator", problem.singular, cycles)
        self._nonzeros = tuple(level.info.operator.nonzeros for level in self.levels)
        reduction = Reduction(grid, terms, self._volumes[0], self._exact_operator, problem.singular, self.dtype)
        self._solver = BatchSolver(problem, self._nested, cycles, self._volumes[0], reduction, self.dtype)

    def cycle(self, f: Any, u: Any = None, cycle: str = "V", verbose: Verbose = False) -> Array:
        """One cycle for A u = f with zero boundary values from the first guess u (None: zero); arrays (..., *shape).

        `verbose` as in `solve`.
        """
        trace, as_tensor = self._trace(verbose), is_tensor(f)
        choose("cycle", cycle, CYCLES)
        f = self._read("f", f, constant=True)
        u = self._read_guess("u", u, f)
        with np.errstate(**QUIET), self._place.without_gradients():
            fused = not trace.watches and self._cycles.ready()
            levels = trace.watch(self._cycles.levels, self._volumes[0].rms(f)) if trace.watches else self._cycles.levels
            return self._place.give(self._cycles(cycle, levels, f, u, How(fused))[0], as_tensor)

    @suggesting
    def full_multigrid(
        self,
        f: Any,
        g: BoundaryData = None,
        out: Array | None = None,
        incompatible: float | None = None,
        verbose: Verbose = False,
    ) -> Array:
        """One pass of nested iteration, to the discretisation error: cubic interpolation, one V-cycle per level.

        It stays above that error where the coefficient jumps beside cell-centred sides with data g; see `solve`.

        Args:
            f: nodal values (..., *shape), a number for all of them, or a callable of the coordinates.
            g: boundary values, as in `solve`.
            out: where to write the result; it has the shape of f and the dtype of the solver.
            incompatible, verbose: as in `solve`.
        """
        incompatible, trace, as_tensor = _read_share(incompatible), self._trace(verbose), is_tensor(f)
        f, sides = self._read_data(f, g)
        check_out(self._place, out, f.shape, self.dtype, as_tensor)
        if callable(verbose):
            f = copied(f)
        fused = not trace.watches and self._cycles.ready()
        measured = fused and self._nested.is_plain(sides)
        if not measured:
            finite("f", f, self.dtype)
        with np.errstate(**QUIET), self._place.without_gradients():
            self._solver.incompatible_share(f, sides, incompatible)
            sides = {key: cast(values, self.dtype) for key, values in sides.items()}
            levels: Levels = self._cycles.levels
            if trace.watches:
                folded = fold(f, sides, self.problem.grid, self.problem.terms)
                levels = trace.watch(levels, self._volumes[0].rms(folded))
            u, norms = self._nested(levels, f, sides, fused, room_in(out, f), of_u=True)
            u = self._solver.reduction.mean_free(u)
            if measured and norms is None:
                finite("f", f, self.dtype)
            return deliver(self._place.give(u, as_tensor), out)

    @suggesting
    def solve(
        self,
        f: Any,
        g: BoundaryData = None,
        u0: Any = None,
        out: Array | None = None,
        rtol: float = 1e-8,
        atol: float = 0.0,
        max_cycles: int = 50,
        cycle: str = "fmg",
        accel: str | None = None,
        callback: Callable[[Progress], Any] | None = None,
        progress: bool = False,
        strict: bool = False,
        incompatible: float | None = None,
        verbose: Verbose = False,
    ) -> Solution:
        """Solve to ||r|| <= max(rtol scale, atol), where r is the true residual.

        scale is the size of what the data determine: max(||f||, ||f - A w||) with a lifting w of g, which is subtracted
        from u before the cycles and added after them (g folded into f counts in its place where it is no larger than
        ten times that). Neither g / h^2 nor u0 nor a constant makes the tolerance trivial: with f = 0 and g = 0 u is 0,
        and g that a lifting has as it is, constants, linear functions, x^2 - y^2, costs f none of its accuracy.

        The norm is the root mean square over the box, every unknown counting by its control volume. A singular problem
        (see `Poisson`) has a solution where the integral of f, with what g brings in, is zero; a small part of it, as
        discretising f leaves it, is removed and told as `Solution.removed`, and u gets zero mean.

        Args:
            f: nodal values (..., *shape), a number for all of them, or a callable of the coordinates. Leading axes are
                a batch: its members are solved together, each until it ends as it would alone. `Solution.members` has a
                Solution for each, in C order of the leading axes.
            g: boundary data: a scalar, a callable of all coordinates, or {(axis, side): scalar, array, callable}.
            u0: first guess (..., *shape); None is zero.
            out: where to write u: a tensor where f is one, else an array, with the shape of f and the dtype of the
                solver, which u has whatever the dtype of f.
            rtol, atol: the residual to stop at. In float32 rounding keeps it above 1e-8, near 1e-4 on 255^2 unknowns,
                and such a solve ends with reason "rounding": give a larger rtol, or take dtype="mixed".
            max_cycles: how many cycles, or iterations of conjugate gradients, at most.
            cycle: "fmg" (one full multigrid pass, then V-cycles; V-cycles alone where u0 is given), "V", "W", "F" or
                "backslash".
            accel: None, or "cg": conjugate gradients with one symmetric V- or W-cycle per iteration; its post-smoothing
                is adjoint to its pre-smoothing, so that nu must be (n, n). `cycle` "fmg" means "V" here; "F" and
                "backslash" are not symmetric and are refused. "auto" is "cg" where the coefficient is rough (see
                `coarse` of `Multigrid`), the cycle is symmetric and there are two levels or more, else None.
            callback: called with a `Progress` after each cycle; a true result stops. Of a batch it tells the largest
                residual, and the u of all members, those that have ended among them. It may write into f, which the
                solve has copied; u is a read-only array, or a copy where it is a tensor.
            progress: show a progress bar on stderr.
            strict: raise `SolveError` where the solve does not converge, instead of saying so in the result.
            incompatible: of a singular problem, the largest |integral of f| relative to the integral of |f|, both with
                g, that is removed; None is max(1e-2, 10 h^2), h from the axes with more than eight unknowns.
            verbose: True prints every move on every level with the residual (relative to scale) before and after it; a
                stream takes the lines; a function is called with each `mgcore.Event`. The iterates stay the same to
                the last bit, a cycle costs about three times as much.

        Returns:
            A `Solution`; `converged` and `reason` say how it ended, `seconds` how long it took once kernels were ready.

        Raises:
            ValueError, TypeError: naming the argument, what came and what is allowed; f where it does not fit a
                singular problem.
        """
        choose("cycle", cycle, ("fmg", *CYCLES))
        accel = self.acceleration(accel, cycle)
        rtol, atol = number("rtol", rtol, least=0), number("atol", atol, least=0)
        max_cycles = count("max_cycles", max_cycles, least=0)
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable or None, got {described(callback)}")
        incompatible, trace, as_tensor = _read_share(incompatible), self._trace(verbose), is_tensor(f)
        callback = self._place.showing(callback, as_tensor)
        f, sides = self._read_data(f, g)
        u0 = self._read_guess("u0", u0, f)
        check_out(self._place, out, f.shape, self.dtype, as_tensor)
        if callback is not None or callable(verbose):  # functions of the user, which may write into f
            f = copied(f)
        with np.errstate(**QUIET):
            removed = self._solver.incompatible_share(f, sides, incompatible)
        if accel is not None:
            cycle = "W" if cycle == "W" else "V"
        nested = cycle == "fmg" and u0 is None
        self._cycles.prepare(progress)
        with np.errstate(**QUIET), self._place.without_gradients(), ProgressBar(progress, rtol) as bar:
            solution = self._solver(
                f.reshape(-1, *self.problem.shape),
                one_batch_axis(sides, self.problem.ndim),
                None if u0 is None else u0.reshape(-1, *self.problem.shape),
                cycle,
                accel,
                removed,
                trace,
                room_in(out, f, u0),
                rtol=rtol,
                atol=atol,
                max_cycles=max_cycles,
                callback=with_shape(bar.wrap(trace.wrap(callback)), f.shape),
                patience=5 if accel is None else 20,
                work_units=partial(self.work_units, "V" if cycle == "fmg" and not nested else cycle),
            )
        u = self._place.give(solution.u.reshape(f.shape), as_tensor)
        if any(member.reason == "non-finite" for member in solution.members):
            finite("f", f, self.dtype)
        solution = delivered(solution, deliver(u, out), self.problem.ndim)
        if strict and not solution.converged:
            raise SolveError(solution)
        return solution

    def as_preconditioner(self, cycle: str = "V") -> Preconditioner:
        """One symmetric cycle as an approximate inverse of `problem.matrix(symmetric=True)`, for SciPy's solvers.

        Symmetric and positive definite; where the problem is singular, on the vectors of zero mean. It acts on
        flattened unknowns, with matvec, rmatvec and matmat; it can be pickled, and an `update` leaves it as it is.
        SciPy's solvers do not tell it their matrix: for the unweighted `problem.matrix()`, which is not symmetric where
        control volumes differ, it is the wrong inverse; there it is to act on W r, W = `problem.control_volumes()`.
        """
        choose("cycle", cycle, CYCLES)
        self._check_symmetric(cycle)
        fused, levels = self._cycles.ready(symmetric=True), symmetric(list(self._cycles.levels))
        apply = partial(copy.copy(self)._precondition, cycle, levels, fused)
        return Preconditioner(apply, self._W.size, cycle, self.dtype)

    def _precondition(self, cycle: str, levels: Levels, fused: bool, y: Array) -> Array:
        """The cycle for W^-1 y, of flattened unknowns (n,) or (n, members)."""
        W = self._W
        y = real_array("y", y)  # a cast would drop imaginary parts
        r = self._place.put((y.T.reshape(-1, *W.shape) / W).astype(self.dtype), self.dtype)
        u = self._solver.symmetric_cycle(cycle, levels, fused, self._solver.reduction.mean_free(r))
        return as_numpy(u).reshape(-1, W.size).T.reshape(y.shape)

    @property
    def _W(self) -> Array:
        return self.levels[0].info.operator.volumes

    def acceleration(self, accel: str | None, cycle: str = "fmg") -> str | None:
        """The `accel` of a solve with these cycles, None or "cg", where "auto" is replaced by what suits.

        Raises:
            ValueError: "cg" around a cycle that is not symmetric.
        """
        if accel is None:
            return None
        if choose("accel", accel, ("cg", "auto")) == "cg":
            self._check_symmetric(cycle)
            return "cg"
        symmetric = cycle not in ("F", "backslash") and self.nu[0] == self.nu[1]
        rough = len(self.levels) > 1 and symmetric and is_rough(self.problem.grid, self.problem.terms)
        return "cg" if rough else None

    def _check_symmetric(self, cycle: str) -> None:
        if cycle in ("F", "backslash"):
            raise ValueError(
                f"cycle must be 'V' or 'W' for conjugate gradients, which need a symmetric one; got {cycle!r}"
            )
        if self.nu[0] != self.nu[1]:
            raise ValueError(f"nu must be (n, n) for conjugate gradients: they need a symmetric cycle; got {self.nu}")

    def update(self, coefficient: Any = None, reaction: Any = None) -> Multigrid:
        """Take other coefficients, for instance of the next implicit time step; None keeps the one there is.

        Grids, bilinear transfers and the interpolations of full multigrid are re-used; operators, smoothers and the
        factors of the coarsest level are new. New too are transfers that follow the coefficient: "operator", and
        bilinear ones of cells beside a Robin side where a changes there. Where it raises, the solver stays as it was.

        Returns:
            The object itself.

        Raises:
            TypeError, ValueError: as `Poisson` for these arguments.
        """
        self._build(self.problem.with_terms(coefficient, reaction))
        return self

    def predict(self, cycle: str = "V", grids: int | None = None, accel: str | None = None) -> float:
        """The asymptotic error reduction per cycle by local Fourier analysis, before any run; see `measure_factor`.

        Boundaries, and the seams of sizes that do not halve, are left out. `pde.analysis.fourier.Analysis(mg)` tells more.

        Args:
            cycle: "V", "W", "F" or "backslash".
            grids: how many grids take part; 2 is the classical two-grid factor, None takes enough, at most as many
                as there are levels.
            accel: as in `solve`; "cg" predicts the reduction per iteration of conjugate gradients, at worst.

        Raises:
            ValueError: stretched axes, cells, coefficients that vary: Fourier modes do not decouple there.
        """
        from pde.analysis.fourier import Analysis

        if self.acceleration(accel, cycle) is None:
            return Analysis(self).factor(cycle, grids)
        return Analysis(self, symmetric=True).conjugate_gradients_factor(cycle, grids)

    def measure_factor(self, cycle: str = "V", cycles: int = 30, seed: int = 20) -> float:
        """The asymptotic error reduction per cycle: power iteration on A u = 0 from random values.

        The geometric mean over the last third of the cycles, in the root mean square norm of the error.
        """
        run = CYCLES[choose("cycle", cycle, CYCLES)]
        seed = count("seed", seed, least=0)
        f = np.zeros(self.problem.shape, dtype=self.dtype)
        u = np.random.default_rng(seed).standard_normal(self.problem.shape).astype(self.dtype)
        factors: list[float] = []
        for _ in range(count("cycles", cycles, least=1)):
            u = self._solver.reduction.mean_free(run(self.levels, f, u))
            factors.append(float(self._volumes[0].rms(u)))
            if factors[-1] == 0:  # a direct solver
                return 0.0
            u = u / factors[-1]
        return float(np.exp(np.mean(np.log(factors[-max(1, cycles // 3) :]))))

    def work_units(self, cycle: str = "V", cycles: int = 1) -> float:
        """Cost of so many cycles in evaluations of the finest residual; of "fmg", the first is the nested pass.

        A sweep, a residual and a pair of transfers count as one evaluation each on their level.
        """
        choose("cycle", cycle, ("fmg", *CYCLES))
        cycles = count("cycles", cycles, least=0)
        sweeps = self.problem.ndim if self.smoother == "zebra" else SWEEPS_PER_STEP.get(self.smoother, 1)
        return work_units(self._nonzeros, (sweeps * self.nu[0], sweeps * self.nu[1]), cycle, cycles)

    def __deepcopy__(self, memo: dict[int, Any]) -> Multigrid:
        # torch cannot copy sparse tensors, and pickles them
        copied: Multigrid = pickle.loads(pickle.dumps(self))
        return copied

    def __repr__(self) -> str:
        return f"Multigrid({self.problem!r}, smoother={self.smoother!r}, nu={self.nu}, {len(self.levels)} levels)"

    def __str__(self) -> str:
        precision = "float32 cycles in a float64 residual" if isinstance(self._cycles, MixedCycles) else self.dtype.name
        runs_in = (
            f"torch {self._place.device}" if self._place.on_tensors else "Numba" if self._cycles.on_kernels() else None
        )
        levels = table(self.levels, self.hierarchy.interpolations, runs_in, self._cycles.held())
        return (
            f"Multigrid for {self.problem!r}\n{levels}\n"
            f"{self.coarse} coarse operators, {self.transfer} transfers, {precision}, {self._cycles.describe()}"
        )

    def _read_data(self, f: Any, g: BoundaryData) -> tuple[Array, Sides]:
        """f, in which a later look will find what is not finite, and g in float64."""
        f, double = self._read("f", f, look=False, constant=True), np.dtype(float)
        g = host(self._place.read("g", g))
        sides = read_sides(g, self.problem.grid, double, tuple(f.shape[: f.ndim - self.problem.ndim]))
        for key, values in sides.items():
            finite(f"g[{key}]", values, self.dtype)
        return f, {key: self._place.put(values, double) for key, values in sides.items()}

    def _exact_operator(self) -> StencilOperator:
        """A in float64 where the cycles run."""
        if self.dtype == np.dtype(float):
            return self._solver.nested.hierarchy.levels[0].A
        return self.problem._operator.to(self._place.where, np.dtype(float))

    def _read(self, name: str, values: Any, look: bool = True, constant: bool = False) -> Array:
        """Nodal values where the cycles run."""
        values = self._place.read(name, values)
        values = self.problem.read(name, values, self.dtype, tensors=True, look=look, constant=constant)
        return self._place.put(values, self.dtype)

    def _trace(self, verbose: Verbose) -> Trace:
        return Trace(verbose, self.levels, self._volumes)

    def _read_guess(self, name: str, u: Any, f: Array) -> Array | None:
        if u is None:
            return None
        u = self._read(name, u)
        if u.shape != f.shape:
            raise ValueError(f"{name} must have the shape of f, {tuple(f.shape)}; got {tuple(u.shape)}")
        return u


def _read_share(incompatible: float | None) -> float | None:
    return None if incompatible is None else number("incompatible", incompatible, least=0)
