"""Geometric multigrid for `Poisson`: builds the levels, and runs the cycles of `mgcore` on a backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np

import mgcore
from mgcore import CYCLES, Iteration, Progress, Solution, SolveError
from pde.common.arguments import choose, count
from pde.common.keywords import suggesting
from pde.common.progress import ProgressBar
from pde.problem.boundary import BoundaryData
from pde.problem.grid import Array
from pde.problem.nonlinear import NonlinearPoisson
from pde.problem.poisson import Poisson
from pde.solver.batch import delivered, with_complex_members, with_removed
from pde.solver.factor import measured_factor
from pde.solver.inputs import QUIET, Inputs, read_limits, read_share
from pde.solver.obstacles import METHODS, Obstacles
from pde.solver.open_sides import solve_open
from pde.solver.preconditioner import Preconditioner
from pde.solver.restored import Restored
from pde.solver.setup import SOLVES, Setup, on_all_ranks
from pde.solver.trace import Trace, Verbose


class Multigrid(Setup, kind=Poisson):
    """Multigrid for a `Poisson` or `NonlinearPoisson` problem; see `solve`, `full_multigrid`, `cycle` and `print(mg)`.

    Args:
        problem: what to solve; of a `NonlinearPoisson` by the full approximation scheme, in NumPy, with the smoothers
            "sor" (omega falls where the reaction is strong) and "red-black".
        smoother: "auto" ("sor"; on stretched axes, and where the strong axis of a tensor coefficient is one here and
            another there, "zebra", or in three dimensions up to half a million unknowns planes, if spacings vary by
            more than five), "jacobi" (5.6), "two-step jacobi" (5.7), "chebyshev" (nu Jacobi sweeps combined by (3.23)),
            "red-black" (Gauss-Seidel), "sor" (red-black with over-relaxation), "gauss-seidel" (in C order; SOR with
            omega), "zebra 0", "zebra 1", "zebra 2" (lines along that axis), "zebra" (lines along each axis in turn),
            "planes 0", "planes 1" or "planes 2" (planes across that axis, which alone is coarsened).
        omega: relaxation parameter in (0, 2); None takes what suits the smoother and the dimension.
        nu: (before, after), sweeps on either side of the coarse-grid correction. "auto" is (2, 1) for "sor" on an
            isotropic grid in three dimensions with rediscretised coarse operators of second order, where the third
            sweep gains more than it costs, else (1, 1); symmetric cycles (`accel`, `as_preconditioner`) then have the
            larger number twice. `omega` None follows nu.
        coarse: "rediscretised" or "galerkin", R A P (5.11); "auto" is the first, and the second where the coefficient
            is rough (it changes by a factor of two between neighbours, or would by 2.5 on grids of thousands of
            unknowns), the reaction or a beta jumps by half of its largest value, the reaction is negative by 0.4 of
            what keeps the problem definite (a bound from a and the Dirichlet sides), lines in two dimensions or planes
            in three are relaxed on stretched axes (rediscretised cycles take up to 0.9 there), or transfer is
            "operator".
        transfer: "bilinear", "linear" (4.14) in two dimensions, or "operator", which follows the coefficient (Dendy);
            "auto" is the last where the coefficient is rough or a beta jumps, else the first.
        levels: the number of levels at most, which coarsen as far as it goes; None ends at a grid whose direct solution
            is cheap: where a is constant some 50 unknowns along each of two axes, 17 of three; where transfers follow
            the coefficient 10,000 unknowns, and 32,000 where lines or planes are relaxed. Where smoother, omega, nu,
            coarse, transfer and levels are all left to the solver and a is constant, full multigrid is a direct
            solution up to some 128 unknowns along each of two axes or 34 of three, and begins with one on a coarser
            grid of 64 or 20; any of these arguments asks for cycles.
        threads: for the compiled kernels; None takes the cores that this process may use.
        device: "cpu", or "cuda" ("cuda:1", ...) for the same cycles on torch tensors of a GPU. Not GPU-tested.
        dtype: "float64", "float32", or "mixed": float32 cycles inside a float64 residual, which reaches what float64
            does, or float64 alone where a reaction or Robin side is too weak for float32 to show. "auto" is float64
            on the CPU and mixed on a GPU.
        kernels: "numba" runs cycles with red-black sweeps, closed faces and Galerkin operators in 1-D apart, on
            compiled kernels, several sweeps and transfers in one pass over a grid; "numpy" never does; "torch" runs
            them on tensors, "torch compiled" with the moves of each level compiled by torch.compile. "auto" is torch on
            a GPU, and elsewhere Numba from `SMALLEST` unknowns on (1-D apart), those of all members of a batch where a
            grid has 8,192 at most. The iterates agree to rounding; `print(mg)` tells what is used for one member.
            Ask for "numba" where a process solves on a small grid hundreds of times: a solve is one compiled call then,
            some ten times as fast as NumPy, after a second for the first one in a process. Kernels are compiled once on
            a machine, in some ten seconds of one core: "numba" does it first, and so does "auto" on large grids; else
            "auto" solves on NumPy while a child process compiles. See `pde.compile_kernels` and PDE_COMPILE in the
            tutorial.
        comm: an mpi4py communicator, whose ranks divide the planes of axis 0 among them: f, u0 and u are the block of
            this rank, `owned`; boundary data stay whole. The numbers are those of one process, to the last bit, on any
            number of ranks. All ranks make every call together. See docs/machines.md.

    f, g, u0 and out may be torch tensors on `device`: the result is one too then, and otherwise an array. On the CPU
    they share their memory with the arrays that the cycles work on; of cycles on a GPU norms alone come to the host.

    The unknowns 2, 4, ... of an axis make the next coarser one, whatever their number; an axis with weak coupling
    waits until the others have caught up (semicoarsening).

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> mg = Multigrid(Poisson((63, 63)))
    >>> solution = mg.solve(1.0)
    >>> solution.converged, solution.u.shape
    (True, (63, 63))
    """

    methods: ClassVar[tuple[str, ...]] = ("auto",)
    """The methods of a solve."""

    bounded_methods: ClassVar[dict[str, Any]] = METHODS
    """The methods of a solve with bounds."""

    @suggesting
    def __init__(
        self,
        problem: Poisson | NonlinearPoisson,
        *,
        smoother: str = "auto",
        omega: float | None = None,
        nu: tuple[int, int] | str = "auto",
        coarse: str = "auto",
        transfer: str = "auto",
        levels: int | None = None,
        threads: int | None = None,
        device: str = "cpu",
        dtype: str | np.dtype = "auto",
        kernels: str = "auto",
        comm: Any = None,
    ) -> None:
        backend = kernels, device, dtype, threads
        super().__init__(problem, smoother, omega, nu, coarse, transfer, levels, backend, comm)

    @on_all_ranks
    def cycle(self, f: Any, u: Any = None, cycle: str = "V", verbose: Verbose = False) -> Array:
        """One cycle for A u = f with zero boundary values from the first guess u (None: zero); arrays (..., *shape).

        `verbose` as in `solve`.
        """
        trace = Trace(verbose)
        choose("cycle", cycle, CYCLES)
        inputs = self._reader.right_hand_side(f, u)
        self.backend.prepare()
        with np.errstate(**QUIET), self.backend.device.without_gradients():
            data, u = inputs.nodal_data(self.backend), inputs.guess
            backend = trace.watch(self.backend, lambda: self.backend.norms(data.rhs))
            u, _ = backend.cycle(cycle, data, None if u is None else backend.vector(u))
            return inputs.deliver(backend.array(u))

    @suggesting
    @on_all_ranks
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

        Raises:
            ArithmeticError: of a nonlinear problem, the pass raises the residual tenfold or is not finite; `solve` then
                takes shorter steps.
        """
        incompatible, trace = read_share(incompatible), Trace(verbose)
        inputs = self._reader.inputs(f, g, out=out)
        if callable(verbose):
            inputs = inputs.protected()
        inputs.incompatible_share(self.backend, incompatible)
        self.backend.prepare()
        with np.errstate(**QUIET), self.backend.device.without_gradients():
            if self.problem.open:
                u, _ = self.backend.full_multigrid(inputs.nodal_data(self.backend))
                inputs = inputs.with_far_field(self.backend.array(u))
            reduced = self._reduction(inputs.members, inputs.sides) if self._reduction.lifts_always else None
            data = inputs.nodal_data(self.backend) if reduced is None else reduced.data.each(self.backend.vector)
            backend = trace.watch(self.backend, lambda: self.backend.norms(self.backend.fold(data.rhs, data.sides)))
            if not backend.measures(data):
                inputs.check_finite()
            u, norms = backend.full_multigrid(data, out=inputs.work_space, measure="iterate")
            u = backend.array(backend.project(u, out=u))
            if reduced is not None:
                u = self._reduction.mean_free(reduced.restored(u))
        if norms is None:  # else u is finite, and so is f
            inputs.check_finite()
        return inputs.deliver(u)

    @suggesting
    @on_all_ranks
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
        lower: Any = None,
        upper: Any = None,
        method: str = "auto",
    ) -> Solution:
        """Solve to ||r|| <= max(rtol scale, atol), where r is the true residual.

        scale is the size of what the data determine: max(||f||, ||f - A w||) with a lifting w of g, which is subtracted
        from u before the cycles and added after them (g folded into f counts in its place where it is no larger than
        ten times that). Neither g / h^2 nor u0 nor a constant makes the tolerance trivial: with f = 0 and g = 0 u is 0,
        and g that a lifting has as it is, constants, linear functions, x^2 - y^2, costs f none of its accuracy.

        Of a nonlinear problem scale is the smaller of ||f - A(w)|| and ||f - A(0)||.

        The norm is the root mean square over the box, every unknown counting by its control volume. A singular problem
        (see `Poisson`) has a solution where the integral of f, with what g brings in, is zero; a small part of it, as
        discretising f leaves it, is removed and told as `Solution.removed`, and u gets zero mean.

        Args:
            f: nodal values (..., *shape), a number for all of them, or a callable of the coordinates. Leading axes are
                a batch: its members are solved together, each until it ends as it would alone. `Solution.members` has a
                Solution for each, in C order of the leading axes.
            g: boundary data: a scalar, a callable of all coordinates, or {(axis, side): scalar, array, callable}. On a
                domain they are those of its walls too, which have the key "walls"; an array of the problem's shape
                holds the values at the points outside, and is interpolated to the walls of a level set. Open sides take
                none: their values come from a first solve with boundary values 0, to the same tolerance.
            u0: first guess (..., *shape), or a number; None is zero.
            out: where to write u: a tensor where f is one, else an array, with the shape of f and the dtype of the
                solver, which u has whatever the dtype of f.
            rtol, atol: the residual to stop at. In float32 rounding keeps it above 1e-8, near 1e-4 on 255^2 unknowns,
                and such a solve ends with reason "rounding": give a larger rtol, or take dtype="mixed".
            max_cycles: how many cycles, or iterations of conjugate gradients, at most.
            cycle: "fmg" (one full multigrid pass, then V-cycles; V-cycles alone where u0 is given), "V", "W", "F" or
                "backslash". On small grids the pass may be a direct solution; see `levels` of `Multigrid`.
            accel: "cg", conjugate gradients with one symmetric V- or W-cycle per iteration; its post-smoothing is
                adjoint to its pre-smoothing, so that nu must be "auto" or (n, n). `cycle` "fmg" means "V" here; "F" and
                "backslash" are not symmetric and are refused. "none" is cycles alone. None is "cg" with closed faces
                or insulated walls, and where a negative reaction may make the problem indefinite, if the cycle is
                symmetric and there are two levels or more, else "none"; "auto" is "cg" also where the coefficient is
                rough (see `coarse` of `Multigrid`) or a full tensor. With a reaction near minus the least eigenvalue
                cycles alone need many times as many; beyond it they may diverge, and "cg" ends as "indefinite" where it
                meets negative curvature.
            callback: called with a `Progress` after each cycle; a true result stops. Of a batch it tells the largest
                residual, and the u of all members, those that have ended among them. It may write into f, which the
                solve has copied; u is a read-only array, or a copy where it is a tensor.
            progress: show a progress bar on stderr.
            strict: raise `SolveError` where the solve does not converge, instead of saying so in the result.
            incompatible: of a singular problem, the largest |integral of f| relative to the integral of |f|, both with
                g, that is removed; None is max(1e-2, 10 h^2), h from the axes with more than eight unknowns. With open
                sides the largest |f| beside a side relative to the largest of all; None is 1e-4.
            verbose: True prints every move on every level with the residual (relative to scale) before and after it; a
                stream takes the lines; a function is called with each `mgcore.Event`. The iterates stay the same,
                to rounding where compiled kernels make them else, and to the last bit elsewhere. A cycle costs about
                three times as much as one on NumPy.
            lower, upper: bounds of u, each a number, an array (..., *shape) or a callable of the coordinates, infinite
                where there is none. u is then the solution of the obstacle problem: lower <= u <= upper, and with
                r = f - A u r <= 0 where u = lower, r >= 0 where u = upper, r = 0 between; it has the least energy of
                all u between the bounds. `Solution.contact` tells where it meets them, and the residual is that of
                complementarity, D (clip(u + r / D) - u) with the diagonal D of A: r itself away from the bounds. scale
                is at least 8 (sum_i a_i / L_i^2) times the norm of what the bounds take w off, L the extent; of f
                that presses w on bounds nearby only D times the way there counts. For second order and real numbers;
                not for open sides, full tensors, closed faces, and complex data.
            method: with bounds "active set" (primal-dual active sets, each solved on truncated levels), "truncated
                newton" (truncated nonsmooth Newton multigrid, whose energy never rises), "fascd" (cycles of the full
                approximation scheme whose iterates never leave the bounds; the method of nonlinear problems) or "auto",
                the first. They begin on coarser grids where `cycle` is "fmg". Without bounds "auto" alone of a linear
                problem, and of a nonlinear one "fas" (the full approximation scheme), "newton" (each cycle is a step of
                Newton's method, by GMRES around cycles), or "auto": "fas" until a cycle raises the residual or two in a
                row leave more than 0.4 of it, then "newton"; on a domain "newton" alone.

        Returns:
            A `Solution`; `converged` and `reason` say how it ended, `seconds` how long it took once kernels were ready.

        Raises:
            ValueError, TypeError: naming the argument, what came and what is allowed; f where it does not fit a
                singular problem.
        """
        choose("cycle", cycle, SOLVES)
        bounded = lower is not None or upper is not None
        choose("method", method, self.bounded_methods if bounded else self.methods)
        given, accel = accel, None if bounded else self.acceleration(accel, cycle)
        limits = read_limits(rtol, atol, max_cycles, callback)
        if self._ranks is not None:
            callback = self._agree({**limits, "cycle": cycle, "accel": accel, "bounds": bounded}, callback)
        incompatible, trace = read_share(incompatible), Trace(verbose)
        plain = g is None and u0 is None and callback is None and accel is None and not (progress or trace.watches)
        plain = plain and not bounded
        if plain and self._at_once is not None:
            self.backend.prepare(progress)
            solved = self._at_once(f, out, cycle, limits["rtol"], limits["atol"], limits["max_cycles"])
            if solved is not None:
                return solved
        inputs = self._reader.inputs(f, g, u0, out)
        if callback is not None or callable(verbose):  # functions of the user, which may write into f
            inputs = inputs.protected()
        removed = None if bounded else inputs.incompatible_share(self.backend, incompatible)
        cycle = cycle if accel is None else "W" if cycle == "W" else "V"

        start: Callable[..., Iteration] = partial(self._start, cycle=cycle, accel=accel, trace=trace, method=method)
        if bounded:
            start = obstacles = Obstacles.read(self, inputs, lower, upper, given, cycle, trace, method)
        rule: dict[str, Any] = {
            **limits,
            "work_units": None
            if bounded
            else partial(self.work_units, "V" if cycle == "fmg" and u0 is not None else cycle, accel=accel),
            "patience": 20 if bounded or accel is not None else 5,  # with bounds it is the energy that falls
            "doubt": self._doubtful,
        }
        self.backend.prepare(progress)
        progress = progress and (self._ranks is None or self._ranks.rank == 0)
        with np.errstate(**QUIET), self.backend.device.without_gradients(), ProgressBar(progress, rtol) as bar:
            callback = bar.wrap(trace.wrap(inputs.showing(callback)))
            if self.problem.open:
                solution = solve_open(inputs, start, rule, callback)
            else:  # the only solve, in this frame
                solution = mgcore.solve_batch(start(inputs, again=callback is not None), **rule, callback=callback)
        if any(member.reason == "non-finite" for member in solution.members):
            inputs.check_finite()
        if bounded:
            solution = obstacles.with_contact(solution)
        if removed is not None:
            solution = with_removed(solution, removed)
        if inputs.is_complex:
            solution = with_complex_members(solution)
        solution = delivered(solution, inputs.deliver(solution.u), self.problem.ndim)
        if bounded:
            solution = solution.changed(contact=solution.contact.reshape(tuple(solution.u.shape)))
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
        if self._ranks is not None:
            raise ValueError("comm: SciPy's solvers know no ranks, and so there is no preconditioner for them")
        self.backend.prepare()
        A, domain = self.levels[0].info.operator, self.problem.domain
        return Preconditioner(self.backend.symmetric(), cycle, A.volumes, None if domain is None else domain.inside)

    def predict(self, cycle: str = "V", grids: int | None = None, accel: str | None = None) -> float:
        """The asymptotic error reduction per cycle by local Fourier analysis, before any run; see `measure_factor`.

        Boundaries, and the seams of sizes that do not halve, are left out. See `pde.analysis.fourier.Analysis`.

        Args:
            cycle: "V", "W", "F" or "backslash".
            grids: how many grids take part; 2 is the classical two-grid factor, None takes enough, at most as many
                as there are levels.
            accel: as in `solve`; "cg" predicts the reduction per iteration of conjugate gradients, at worst.

        Raises:
            ValueError: stretched axes, cells, coefficients that vary: Fourier modes do not decouple there.
        """
        from pde.analysis.fourier import Analysis

        if self.problem.terms.domain is not None:
            raise ValueError("a domain, or closed faces, have no Fourier modes to predict from; see measure_factor")
        if self.acceleration(accel, cycle) is None:
            return Analysis(self).factor(cycle, grids)
        return Analysis(self, symmetric=True).conjugate_gradients_factor(cycle, grids)

    @on_all_ranks
    def measure_factor(self, cycle: str = "V", cycles: int = 30, seed: int = 20) -> float:
        """The asymptotic error reduction per cycle: power iteration on A u = 0 from random values.

        The geometric mean over the last third of the cycles, in the root mean square norm of the error.
        """
        choose("cycle", cycle, CYCLES)
        cycles, seed = count("cycles", cycles, least=1), count("seed", seed, least=0)
        self.backend.prepare()
        return measured_factor(self.backend, cycle, cycles, seed)

    def _start(
        self, inputs: Inputs, cycle: str, accel: str | None, trace: Trace, method: str, again: bool
    ) -> Iteration:
        """The iteration of a solve; `again`: its iterates are asked for before the last one, and may be kept."""
        reduced = self._reduction(inputs.members, inputs.sides, inputs.guess)
        backend = self.backend if accel is None else self.backend.symmetric()
        backend = trace.watch(backend, lambda: reduced.data.sizes)
        out = None if again else inputs.work_space  # the result is written over an iterate in it
        iteration = backend.start(cycle, accel, reduced.data, reduced.guess, out)
        if reduced.unit is None and reduced.w is None:
            return iteration
        return Restored(iteration, reduced, self._reduction.mean_free, again)
