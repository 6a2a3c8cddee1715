"""A multigrid cycle whose smoothers and transfers are parameters; `mgcore` runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log2
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mgcore import CYCLES, Level
from pde.common.arguments import choose, count, described, number, read_nu
from pde.learning.family import Family
from pde.learning.levels import LevelParts, make_levels, symmetric_parts
from pde.learning.stencils import centre
from pde.learning.training import LOSSES, FitProgress, History, Training, default_shapes
from pde.learning.transfers import TRANSFERS, Prolongation
from pde.problem.poisson import Poisson

if TYPE_CHECKING:
    from pde.learning.solver import TrainedMultigrid

OMEGA = 0.8
"""Damping of Jacobi sweeps where none is asked for or found."""

RATE = 0.05
"""Of the first step of a training, for kernels of 27 points or fewer."""

OWN = 3
"""Levels with stencils of their own at most, if no number is asked for: the smoothers of the last one meet grids of
several sizes in training, and hold on larger ones. With five, 45 degrees and 0.01, cycles diverge at 511^2."""


class TrainableMultigrid(nn.Module):
    """Multigrid for a constant-coefficient `Poisson`, with trained stencils in mgcore's own cycles.

    Parameters start at damped Jacobi and bilinear transfers, and `fit` trains them. The fixed point of the cycle is the
    discrete solution whatever they are. They are float64; `.float()` and `.to(device)` change that. Trained smoothers
    by random vectors: Katrutsa, Daulbaev and Oseledets, J. Comput. Appl. Math. 368 (2020).

    Args:
        problem: constant coefficients, a full tensor too, at points between Dirichlet sides.
        kernel: points of a smoother along an axis, odd: 1 is Jacobi with a trained damping.
        sweeps: (before, after), each with a kernel of its own.
        per_level: whether each level has smoothers and transfers of its own, down to `levels`; deeper ones share.
        transfer: "bilinear", fixed; "symmetric", P with one free number, in two dimensions: it keeps constants, and is
            the same turned by 180 degrees; "free": P keeps constants.
        restriction: "transpose", R = P^T / 2^ndim, or "trained", another one of the same kind.
        cycle: "V", "W", "F" or "backslash".
        coarse: "galerkin", R A P within the graph, or "rediscretised".
        symmetric: whether the sweeps after are adjoint to those before, which makes the cycle a preconditioner.
        levels: levels with parameters of their own; None takes three, or fewer where the grid of `problem` has fewer.
        omega: damping of the Jacobi sweeps at first; None takes the best of some for this stencil and cycle, measured
            on the smallest grid of `fit`, or 127 points.

    Attributes:
        omega: that damping.
        before, after: the smoothers, parameters (levels, sweeps, kernel, ..., kernel); `after` None where symmetric.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> mg = TrainableMultigrid(Poisson((31, 31)))
    >>> history = mg.fit(shapes=[(15, 15)], steps=20)
    >>> history.after < history.before
    True
    """

    def __init__(
        self,
        problem: Poisson,
        *,
        kernel: int = 3,
        sweeps: tuple[int, int] = (1, 1),
        per_level: bool = True,
        transfer: str = "bilinear",
        restriction: str = "transpose",
        cycle: str = "V",
        coarse: str = "galerkin",
        symmetric: bool = False,
        levels: int | None = None,
        omega: float | None = None,
    ) -> None:
        super().__init__()
        self.family = Family(problem)
        ndim = self.family.ndim
        for name, value in (("symmetric", symmetric), ("per_level", per_level)):
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False; got {described(value)}")
        self.cycle, self.symmetric = choose("cycle", cycle, CYCLES), symmetric
        self.coarse = choose("coarse", coarse, ("galerkin", "rediscretised"))
        choose("transfer", transfer, TRANSFERS)
        choose("restriction", restriction, ("transpose", "trained"))
        if count("kernel", kernel, least=1) % 2 == 0:
            raise ValueError(f"kernel must be odd, for a point in the middle; got {kernel}")
        try:
            nu = read_nu(sweeps)
        except ValueError as error:
            raise ValueError(str(error).replace("nu must", "sweeps must")) from None
        if symmetric:
            _check_symmetric(nu, self.cycle, restriction)
        depth = max(1, int(log2(min(problem.shape) + 1)) - 1)
        depth = min(OWN, depth) if levels is None else count("levels", levels, least=1)
        own = depth if per_level else 1
        self.before = nn.Parameter(jacobi(own, nu[0], kernel, ndim))
        self.after = None if symmetric else nn.Parameter(jacobi(own, nu[1], kernel, ndim))
        self.P = Prolongation(transfer, own, ndim)
        self.R = Prolongation(transfer, own, ndim) if restriction == "trained" else None
        self.omega = self._best_omega() if omega is None else number("omega", omega, finite=True)
        self._damp(self.omega)

    def extra_repr(self) -> str:
        sweeps = len(self.before[0]), len((self.before if self.after is None else self.after)[0])
        told = f"kernel={self.before.shape[2]}, sweeps={sweeps}, levels={len(self.before)}, cycle={self.cycle!r}"
        return f"{self.family.problem!r}, {told}, coarse={self.coarse!r}, symmetric={self.symmetric}"

    def parts(self) -> list[LevelParts]:
        """The stencils of each level with parameters of its own."""
        made = []
        for l, (before, P) in enumerate(zip(self.before, self.P(), strict=True)):
            R = P if self.R is None else self.R()[l]
            after = before if self.after is None else self.after[l]
            part = LevelParts(before, after, P, R / 2**P.ndim)
            made.append(symmetric_parts(part) if self.symmetric else part)
        return made

    def levels(self, shape: Sequence[int]) -> list[Level]:
        """The levels for a grid of this shape, as `mgcore` runs them, on tensors.

        Raises:
            TypeError: parameters are neither float64 nor float32.
            ValueError: the shape has other axes than the problem, or an axis that cannot be halved; see `make_levels`.
        """
        if self.before.dtype not in (torch.float64, torch.float32):
            raise TypeError(f"parameters must be float64 or float32; got {self.before.dtype}")
        A = torch.as_tensor(self.family.stencil(self._shape(shape))).to(self.before)
        if not (torch.isfinite(A).all() and torch.isfinite(1 / centre(A))):
            raise ValueError(f"problem: a/h^2 leaves the range of {A.dtype} on a grid of shape {tuple(shape)}")
        return make_levels(A, self.parts(), shape, rediscretised=self.coarse == "rediscretised")

    def forward(self, f: Tensor, u: Tensor | None = None) -> Tensor:
        """One cycle for A u = f from u (None: zero), differentiable in f, u and the parameters.

        Args:
            f, u: tensors (..., *shape) with the dtype and device of the parameters; axes of 2^k m - 1 points.

        Raises:
            TypeError, ValueError: naming the argument, what came and what is allowed.
        """
        self._check("f", f)
        if u is not None:
            self._check("u", u)
            if u.shape[-self.family.ndim :] != f.shape[-self.family.ndim :]:
                raise ValueError(f"u must be on the grid of f, of shape {tuple(f.shape)}; got {tuple(u.shape)}")
            if any(1 not in (m, n) and m != n for m, n in zip(u.shape[::-1], f.shape[::-1], strict=False)):
                raise ValueError(f"u must have the batch axes of f, of shape {tuple(f.shape)}; got {tuple(u.shape)}")
        made: Tensor = CYCLES[self.cycle](self.levels(f.shape[f.ndim - self.family.ndim :]), f, u)
        return made

    @torch.no_grad()
    def measure_factor(self, shape: Sequence[int], cycles: int = 30, seed: int = 20) -> float:
        """The asymptotic error reduction per cycle on a grid of this shape, by power iteration on A u = 0.

        The geometric mean over the last third of the cycles.
        """
        levels, run = self.levels(shape), CYCLES[self.cycle]
        generator = torch.Generator().manual_seed(count("seed", seed, least=0))
        e = torch.randn(tuple(shape), generator=generator, dtype=torch.float64).to(self.before)
        zero, factors = torch.zeros_like(e), list[Tensor]()
        for _ in range(count("cycles", cycles, least=1)):
            e = run(levels, zero, e / e.norm())
            factors.append(e.norm())
            if not 0 < factors[-1] < torch.inf:  # a direct solver, or a cycle that overflows
                return float(factors[-1])
        last = torch.stack(factors[-max(1, cycles // 3) :])
        return float(last.log().mean().exp())

    def fit(
        self,
        shapes: Sequence[Sequence[int]] | None = None,
        *,
        steps: int = 240,
        batch: int = 8,
        loss: str = "random vectors",
        learning_rate: float | None = None,
        seed: int = 0,
        progress: bool = False,
        seconds: float | None = None,
        callback: Callable[[FitProgress], Any] | None = None,
        coarse_factor: float | None = None,
    ) -> History:
        """Train the parameters by Adam for the asymptotic factor of the cycle; the rate falls to zero as a cosine.

        Ctrl-C ends it with the best parameters so far, a loss that is not finite or shows tenfold growth with these
        and a warning; where the factor is no smaller afterwards, the parameters are those before.

        Args:
            shapes: of grids that take turns. Cycles that are trained on small grids alone may diverge on large ones.
                None takes three that each double the one before, in two dimensions from 31 x 31 for a square.
            steps: of Adam.
            batch: random vectors on the smallest grid; larger ones have fewer.
            loss: "random vectors": the reduction of the error by three cycles after two others (Gelfand's formula);
                "symbols": the factor of up to four grids by local Fourier analysis, without boundaries.
            learning_rate: of the first step. None takes 0.05, and less for smoothers of more than 27 points, whose
                sum would change too much at once.
            seed: of the random vectors; on one thread the result is the same each time.
            progress: show a bar on stderr.
            seconds: to stop after; the rate falls with them.
            callback: called with a `FitProgress` before each step; a true result ends, with the best parameters.
            coarse_factor: that cycles which begin on coarser levels are to have too, such as 0.3, as random vectors
                show it: `full_multigrid` needs them. None trains coarse levels for the finest one alone, which makes
                its factor smaller, by up to a half where the tensor is rotated, and theirs more than 1 at times.

        Raises:
            TypeError, ValueError: naming the argument, what came and what is allowed.
        """
        if shapes is not None and not np.iterable(shapes):
            raise TypeError(f"shapes must be a list of shapes of grids, or None; got {described(shapes)}")
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable, or None; got {described(callback)}")
        if not any(one.requires_grad and not one.is_inference() for one in self.parameters()):
            text = "requires_grad=True, and be made outside of torch.inference_mode, to be trained"
            raise ValueError(f"fit: at least one parameter must have {text}; none is so")
        grids = [
            self._shape(shape) for shape in (default_shapes(self.family.problem.shape) if shapes is None else shapes)
        ]
        if not grids:
            raise ValueError("shapes: at least one grid is needed, got none")
        for shape in grids:
            if len(self.levels(shape)) < 2:
                raise ValueError(f"shapes: a grid of shape {shape} is solved directly, and trains nothing")
        training = Training(
            self,
            grids,
            count("steps", steps, least=1),
            count("batch", batch, least=1),
            choose("loss", loss, LOSSES),
            self._rate() if learning_rate is None else number("learning_rate", learning_rate, least=0.0, finite=True),
            count("seed", seed, least=0),
            None if seconds is None else number("seconds", seconds, least=0.0),
            None if coarse_factor is None else _share("coarse_factor", coarse_factor),
        )
        with torch.inference_mode(False), torch.enable_grad():
            return training.run(progress, callback)

    def to_multigrid(self, problem: Poisson | None = None, dtype: str = "float64") -> TrainedMultigrid:
        """A solver in NumPy with these stencils, for the same equation on any grid; None takes `problem` itself.

        Later training does not change it. Its methods are those of `pde.Multigrid`; conjugate gradients and
        `as_preconditioner` are there where `symmetric` was trained. The factor is that of training where the ratio of
        spacings is; see `measure_factor`.

        Raises:
            ValueError: another equation; a P that does not keep constants; parameters that are not finite.
        """
        from pde.learning.solver import TrainedMultigrid

        return TrainedMultigrid(self, self.family.problem if problem is None else problem, dtype)

    def _rate(self) -> float:
        return RATE * min(1.0, 27 / self.before.shape[2] ** self.family.ndim)

    def _check(self, name: str, x: Any) -> None:
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(x).__name__}; see to_multigrid for arrays")
        here = self.before
        if x.dtype != here.dtype or x.device != here.device:
            wanted = f"{here.dtype} on {here.device}, as the parameters are"
            raise TypeError(f"{name} must be {wanted}; got {x.dtype} on {x.device}")
        if x.ndim < self.family.ndim:
            raise ValueError(f"{name} must have {self.family.ndim} axes or more, got shape {tuple(x.shape)}")

    def _shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        ndim = self.family.ndim
        if not np.iterable(shape) or len(shape) != ndim:
            raise ValueError(f"shape must be {ndim} numbers of points, as problem has; got {described(shape)}")
        return tuple(count("shape", n, least=1) for n in shape)

    def _best_omega(self) -> float:
        """The best of a row of dampings below 2 over the largest eigenvalue of the Jacobi matrix, on a small grid."""
        shape = default_shapes(self.family.problem.shape)[0]
        shape = shape if len(shape) > 1 else (127,)  # a W-cycle visits the coarsest grid n / 8 times
        A = self.family.stencil(shape)
        largest = np.abs(np.fft.fftn(A, (32,) * A.ndim, range(A.ndim))).max() / A.max()

        def factor(omega: float) -> float:
            self._damp(omega)
            return self.measure_factor(shape, cycles=9)

        return min((round(share * 2 / largest, 3) for share in np.arange(0.5, 1.01, 0.05)), key=factor)

    @torch.no_grad()
    def _damp(self, omega: float) -> None:
        for K in (self.before, self.after):
            if K is not None:
                K.copy_(jacobi(K.shape[0], K.shape[1], K.shape[2], K.ndim - 2, omega))


def jacobi(levels: int, sweeps: int, kernel: int, ndim: int, omega: float = OMEGA) -> Tensor:
    """Damped Jacobi as stencils (levels, sweeps, kernel, ..., kernel)."""
    K = torch.zeros((levels, sweeps) + (kernel,) * ndim, dtype=torch.float64)
    K[(slice(None),) * 2 + (kernel // 2,) * ndim] = omega
    return K


def _share(name: str, value: Any) -> float:
    if not 0 < number(name, value) < 1:
        raise ValueError(f"{name} must lie in (0, 1), got {value!r}")
    return float(value)


def _check_symmetric(nu: tuple[int, int], cycle: str, restriction: str) -> None:
    wrong = {
        f"sweeps (n, n), got {nu}": nu[0] != nu[1],
        f"cycle 'V' or 'W', got {cycle!r}": cycle in ("F", "backslash"),
        f"restriction 'transpose', got {restriction!r}": restriction != "transpose",
    }
    for wanted, there in wrong.items():
        if there:
            raise ValueError(f"symmetric=True needs {wanted}")
