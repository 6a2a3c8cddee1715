"""Trained cycles as a solver in NumPy, for every size of grid."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
import torch
from scipy.linalg import eigvalsh_tridiagonal

from mgcore import Level
from mgcore.cycle import work_units
from pde.backends.data import Data
from pde.learning.array_levels import StencilSmoother, StencilTransfer, constant_operator, galerkin_operator
from pde.learning.family import Family
from pde.learning.levels import LevelParts, check_constants, wider
from pde.learning.stencils import galerkin
from pde.levels.cubic_interpolation import CubicInterpolation
from pde.levels.direct import direct_solver
from pde.levels.hierarchy import COARSEST_SIZE, Choices, Hierarchy, LevelInfo
from pde.problem.finest import finest_operator
from pde.problem.inner_product import Volumes
from pde.problem.poisson import Poisson
from pde.solver.multigrid import Multigrid

LANCZOS = 30
"""Steps by which the definiteness of a cycle is checked."""


OTHER_SPACINGS = 0.1
"""Logarithm of the ratio of spacings at most, relative to the trained one, without a warning."""


NESTED, NESTED_CYCLES = 0.8, 8
"""The factor at most of cycles from coarser levels for full multigrid, and cycles that it is measured by."""


class TrainedHierarchy(Hierarchy):
    """Levels whose sweeps stay as they are trained."""

    def symmetric(self) -> Hierarchy:
        """The same: symmetric cycles are those that were trained so."""
        return self


class TrainedMultigrid(Multigrid):
    """`pde.Multigrid` with the stencils of a `TrainableMultigrid`; see its `to_multigrid`.

    Attributes:
        trained: the cycle that was trained; `cycle` and `solve` take "V" unless told.
    """

    def __init__(self, module: Any, problem: Poisson, dtype: str = "float64") -> None:
        self.family = Family(problem)
        module.family.check_same_equation(self.family)
        _warn_of_other_spacings(module.family.problem, problem)
        parts = self._parts = [_checked(part) for part in module.parts()]
        self._adjoint, self.trained, self._rediscretised = module.symmetric, module.cycle, module.coarse != "galerkin"
        self._eigenvalues: dict[str, float] = {}
        nu = len(parts[0].before), len(parts[0].after)
        super().__init__(
            problem,
            smoother="jacobi",
            nu=nu,
            coarse="galerkin",
            transfer="bilinear",
            dtype=dtype,
            kernels="numpy",
        )
        self.smoother, self.coarse, self.transfer = "trained", module.coarse, "trained"

    @cached_property
    def nests(self) -> bool:
        """Whether cycles from coarser levels reduce errors too, so that full multigrid may begin there."""
        return all(self._factor_from(level) <= NESTED for level in range(1, len(self.levels) - 1))

    def full_multigrid(self, f: Any, *arguments: Any, **options: Any) -> Any:
        """One pass of nested iteration, as of `pde.Multigrid`.

        `solve` makes V-cycles alone where there is none.

        Raises:
            ValueError: cycles from coarser levels do not converge well; see `coarse_factor` of `fit`.
        """
        if not self.nests:
            raise ValueError(
                "full_multigrid needs cycles that begin on coarser levels, and these were trained for the finest one "
                "alone; train with fit(coarse_factor=0.3), or use solve"
            )
        return super().full_multigrid(f, *arguments, **options)

    def _factor_from(self, level: int) -> float:
        """The factor of V-cycles that begin on a level."""
        e = np.random.default_rng(0).standard_normal((1, *self.levels[level].info.grid.shape)).astype(self.dtype)
        zero = np.zeros_like(e)
        for _ in range(NESTED_CYCLES):
            e = self.backend.cycle("V", Data(zero), e / np.linalg.norm(e), level=level)[0]
        return float(np.linalg.norm(e))

    def _start(self, inputs: Any, cycle: str, *arguments: Any, **options: Any) -> Any:
        return super()._start(inputs, self._nested(cycle), *arguments, **options)

    def _nested(self, cycle: str) -> str:
        return "V" if cycle == "fmg" and not self.nests else cycle

    def predict(self, cycle: str = "V", grids: int | None = None, accel: str | None = None) -> float:
        """The asymptotic error reduction per cycle by local Fourier analysis.

        Args:
            cycle: "V", "W", "F" or "backslash".
            grids: that take part; None takes four or fewer, in three dimensions three.
            accel: None.

        Raises:
            ValueError: `accel` is "cg", for which there is no prediction.
        """
        from pde.learning.symbols import affordable_grids, cycle_factor

        if self.acceleration(accel, cycle) is not None:
            raise ValueError("accel must be None here: trained cycles within conjugate gradients are not predicted")
        A = torch.as_tensor(self.family.stencil(self.problem.shape))
        options = {"cycle": cycle, "rediscretised": self._rediscretised, "frequencies": 16 if A.ndim < 3 else 8}
        options["grids"] = affordable_grids(A.ndim, len(self.levels)) if grids is None else grids
        return float(cycle_factor(A, self._parts, **options))

    def update(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: stencils are trained for one equation.

        Raises:
            ValueError: always.
        """
        raise ValueError("update: these stencils are trained for one equation; train a TrainableMultigrid for another")

    def acceleration(self, accel: str | None, cycle: str = "fmg") -> str | None:
        chosen = super().acceleration(accel, cycle)
        return chosen if accel == "cg" or chosen is None or self._least("W" if cycle == "W" else "V") > 0 else None

    def _check_symmetric(self, cycle: str) -> None:
        if cycle in ("F", "backslash") or not self._adjoint:
            why = f"got cycle={cycle!r}" if self._adjoint else "this one was trained with symmetric=False"
            raise ValueError(f"cycle: a preconditioner is a V- or W-cycle that was trained with symmetric=True; {why}")
        kind = "W" if cycle == "W" else "V"
        if not self._least(kind) > 0:
            raise ValueError(
                f"cycle: the trained {kind}-cycle on {self.problem.shape} is not positive definite (B A has an "
                f"eigenvalue {self._least(kind):.2g}), and no preconditioner; train it longer, or on larger grids"
            )

    def _least(self, cycle: str) -> float:
        """The smallest eigenvalue of B A, looked for once."""
        if cycle not in self._eigenvalues:
            self._eigenvalues[cycle] = smallest_eigenvalue(self, cycle)
        return self._eigenvalues[cycle]

    def _symmetric_nu(self) -> bool:
        return self._adjoint

    def _cost(self, cycle: str, cycles: int, symmetric: bool) -> float:
        """A sweep costs a residual, and its own points."""
        nonzeros = tuple(level.info.operator.nonzeros for level in self.levels)
        points = self._parts[0].before[0].numel() if self.nu[0] else self._parts[0].after[0].numel()
        share = 1 + points * self.levels[0].info.grid.size / nonzeros[0]
        sweeps: Any = tuple(share * n for n in self.nu)
        return work_units(nonzeros, sweeps, self._nested(cycle), cycles)

    def _hierarchy(self, problem: Poisson, choices: Choices, before: Hierarchy | None) -> Hierarchy:
        return trained_hierarchy(self.family, self._parts, self._rediscretised, choices)


def trained_hierarchy(
    family: Family, parts: list[LevelParts], rediscretised: bool, choices: Choices
) -> TrainedHierarchy:
    """The levels of trained stencils, which halve all axes as `make_levels` does, of an even number of points too.

    Raises:
        ValueError: an even number of points where operators are rediscretised.
    """
    problem = family.problem
    A: Any = finest_operator(problem.grid, choices.dtype, problem.terms)
    K: Any = torch.as_tensor(family.stencil(problem.shape))  # None where A has others beside a side
    made = TrainedHierarchy([], [], [], [Volumes(problem.grid)], choices)
    volume = float(problem.grid.volumes().flat[0])
    while A.grid.size > COARSEST_SIZE and min(A.grid.shape) >= 3:
        part = parts[min(len(made.levels), len(parts) - 1)]
        transfer = StencilTransfer(A.grid, part.P.numpy(), part.R.numpy(), choices.dtype)
        made.levels.append(_level(A, part, transfer))
        made.interpolations.append(CubicInterpolation(A.grid, transfer.which, choices.dtype, rediscretised=False))
        volume *= 2**problem.ndim
        if any(n % 2 == 0 for n in A.grid.shape):
            K = None
        if K is not None:
            K = wider(K) if rediscretised else galerkin(K, part.P, part.R)
            coarse = constant_operator(K.numpy(), transfer.coarse, A.terms, volume)
        elif rediscretised:
            raise ValueError(
                "problem: with coarse='rediscretised' axes halve, and need 2^k m - 1 points; got a grid of shape "
                f"{A.grid.shape} among the levels of {problem.shape}"
            )
        else:
            coarse = galerkin_operator(A.to(None, np.dtype(float)), transfer, A.terms, volume)
        A = coarse.to(None, choices.dtype)
        made.volumes.append(Volumes(A.volumes))
    info = LevelInfo(A.grid, A, "stencil", "direct", None)
    made.levels.append(Level(A, [direct_solver(A, singular=False)], info=info))
    return made


def _checked(part: LevelParts) -> LevelParts:
    """The stencils in float64 on the host."""
    for name, K in part._asdict().items():
        if not torch.isfinite(K).all():
            raise ValueError(f"{name}: the trained stencils must be finite, and are not")
    check_constants(part.P)
    return LevelParts(*(K.detach().double().cpu() for K in part))


def _warn_of_other_spacings(trained: Poisson, problem: Poisson) -> None:
    one, two = (
        np.divide([axis.spacing[0] for axis in each.grid.axes], each.grid.axes[0].spacing[0])
        for each in (trained, problem)
    )
    if np.abs(np.log(one / two)).max() > OTHER_SPACINGS:
        text = f"problem: the ratio of its spacings is {two.round(3).tolist()}, and stencils were trained for"
        warnings.warn(f"{text} {one.round(3).tolist()}; cycles may diverge, see measure_factor", stacklevel=4)


def _level(A: Any, part: LevelParts, transfer: StencilTransfer) -> Level:
    before, after = ([StencilSmoother.of(K.numpy(), A.diagonal) for K in sweeps] for sweeps in part[:2])
    kernel = "x".join(map(str, (part.before if len(before) else part.after).shape[1:]))
    told = f"trained {kernel} ({len(before)},{len(after)})"
    info = LevelInfo(A.grid, A, "stencil", told, transfer)  # type: ignore[arg-type]
    return Level(A, before, R=transfer.adjoint(), P=transfer, B_post=after, info=info)


def smallest_eigenvalue(mg: TrainedMultigrid, cycle: str) -> float:
    """The smallest eigenvalue of B A, B one cycle, by Lanczos in the inner product of A: positive where B is definite.

    An estimate from above, after `LANCZOS` steps from random values.
    """
    A = mg.levels[0].A
    v = np.random.default_rng(0).standard_normal(mg.problem.shape).astype(mg.dtype)
    diagonal, beside = list[float](), list[float]()
    before, size = np.zeros_like(v), 0.0
    Av = A(v)
    for _ in range(LANCZOS):
        norm = float(np.sqrt(np.vdot(v, Av)))
        if diagonal and not norm > np.sqrt(np.finfo(mg.dtype).eps):
            break
        v, Av, size = v / norm, Av / norm, norm if diagonal else 0.0
        beside.append(size)
        w = mg.cycle(Av, cycle=cycle)
        diagonal.append(float(np.vdot(w, Av)))
        before, v = v, w - diagonal[-1] * v - size * before
        Av = A(v)
    return float(eigvalsh_tridiagonal(diagonal, beside[1:])[0])
