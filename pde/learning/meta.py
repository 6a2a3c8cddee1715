"""One small network that gives the stencils of a cycle for a whole family of problems: after Meta-MgNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import pairwise
from math import cos, pi, sin
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.functional import softplus

from mgcore import Level, stencils
from pde.common.arguments import count, number
from pde.common.progress import say
from pde.learning.family import Family
from pde.learning.levels import LevelParts, make_levels, symmetric_parts
from pde.learning.stencils import centre, galerkin
from pde.learning.symbols import noise_factor, white_noise
from pde.learning.trainable import OMEGA, TrainableMultigrid, jacobi
from pde.learning.transfers import CORNERS
from pde.problem.poisson import Poisson

Pair: TypeAlias = tuple[float, float]
"""(angle in degrees, ratio): see `rotated`."""

LEVELS = 8
"""With stencils of their own; below, where they hardly change, levels share the last."""

DIVERGED = 3.0
"""A loss so much above the first one, 20 times the cycles, ends a training."""

TURNS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda K: K,
    lambda K: K.flip(-1),
    lambda K: K.mT,
    lambda K: K.mT.flip(-1),
)
"""Reflections and turns of stencils that are the same turned by 180 degrees; each is its own inverse."""

SIGNS = [1.0, -1.0, 1.0, -1.0]
"""Of the free number of P under each."""


def rotated(angle: float, ratio: float) -> np.ndarray:
    """The tensor with the value 1 along the direction at `angle` degrees from the first axis, `ratio` across it.

    >>> rotated(90, 0.5).round(12)
    array([[0.5, 0. ],
           [0. , 1. ]])
    """
    c, s = cos(pi * number("angle", angle, finite=True) / 180), sin(pi * angle / 180)
    if number("ratio", ratio, finite=True) <= 0:
        raise ValueError(f"ratio must be positive, got {ratio!r}")
    mixed = (1 - ratio) * c * s
    return np.array([[c**2 + ratio * s**2, mixed], [mixed, s**2 + ratio * c**2]])


class MetaMultigrid(nn.Module):
    """A network from the operator of each level to the smoothers and the prolongation of that level.

    Meta-MgNet (Chen, Dong and Xu, J. Comput. Phys. 455, 2022) infers the smoothers of MgNet from the parameters of the
    equation. The rest is our own: the network reads the 3 x 3 stencil of a level, R A P of those above, over its
    centre, so that one network serves every level, any number of them and any spacing; it gives the kernels of that
    level, and the one free number of P. Where the operator is reflected or turned by 90 degrees, so are the kernels:
    the mean over the four is taken. It starts at damped Jacobi and bilinear transfers.

    Args:
        kernel: points of a smoother along an axis, odd.
        sweeps: (before, after).
        width: of the two hidden layers.
        cycle: "V", "W", "F" or "backslash".
        symmetric: whether the sweeps after are adjoint to those before, which makes the cycle a preconditioner.
        seed: of the first weights.
    """

    def __init__(
        self,
        *,
        kernel: int = 3,
        sweeps: tuple[int, int] = (1, 1),
        width: int = 48,
        cycle: str = "V",
        symmetric: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self._options: dict[str, Any] = {"kernel": kernel, "sweeps": sweeps, "cycle": cycle, "symmetric": symmetric}
        self._options["omega"] = OMEGA
        plain = TrainableMultigrid(Poisson((7, 7)), levels=1, **self._options)  # it checks the options
        self.cycle, self._kernels = plain.cycle, [0 if K is None else K.shape[1] for K in (plain.before, plain.after)]
        outputs = sum(self._kernels) * kernel**2 + 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(count("seed", seed, least=0))
            sizes = [7, *[count("width", width, least=1)] * 2, outputs]
            layers = [nn.Linear(a, b, dtype=torch.float64) for a, b in pairwise(sizes)]
        nn.init.zeros_(layers[2].weight), nn.init.zeros_(layers[2].bias)
        self.network = nn.Sequential(layers[0], nn.SiLU(), layers[1], nn.SiLU(), layers[2])

    def part(self, A: Tensor) -> LevelParts:
        """The stencils of the level with this operator, a 3 x 3 stencil that is the same turned by 180 degrees."""
        given = torch.stack([features(turn(A)) for turn in TURNS])
        made = self.network(given.to(next(self.parameters()))).to(A)
        k, kernels = self._options["kernel"], sum(self._kernels)
        K = made[:, :-1].reshape(4, kernels, k, k)
        K = torch.stack([turn(one) for turn, one in zip(TURNS, K + K.flip(-2, -1), strict=True)]).mean(0)
        K = K + jacobi(1, kernels, k, 2)[0]
        corners = (made[:, -1] * made.new_tensor(SIGNS)).mean()
        P = A.new_tensor(stencils.BILINEAR) + corners * A.new_tensor(CORNERS)
        before, after = K.split(self._kernels)
        part = LevelParts(before, after, P, P / 4)
        return symmetric_parts(part) if self._options["symmetric"] else part

    def parts(self, problem: Poisson | Pair, levels: int = LEVELS) -> list[LevelParts]:
        """The stencils of each level for a problem, or for an (angle, ratio) with equal spacing."""
        return self._parts(_stencil(problem), count("levels", levels, least=1))

    def _parts(self, A: Tensor, levels: int) -> list[LevelParts]:
        made = list[LevelParts]()
        for _ in range(levels):
            made.append(self.part(A))
            A = galerkin(A, made[-1].P, made[-1].R)
        return made

    def levels(self, problem: Poisson | Pair, shape: Sequence[int]) -> list[Level]:
        """The levels for a grid of this shape, as `mgcore` runs them, on tensors."""
        A = _stencil(problem, shape)
        return make_levels(A, self._parts(A, LEVELS), shape)

    def to_trainable(self, problem: Poisson | Pair, levels: int = LEVELS) -> TrainableMultigrid:
        """The cycle for one problem, with parameters that start at these stencils."""
        parts = self.parts(problem, levels)
        made = TrainableMultigrid(_problem(problem), transfer="symmetric", levels=levels, **self._options)
        stencils = {"before": torch.stack([part.before for part in parts])}
        if made.after is not None:
            stencils["after"] = torch.stack([part.after for part in parts])
        stencils["P.weights"] = torch.stack([4 * part.P[:1, 0] - 1 for part in parts])
        made.load_state_dict({**made.state_dict(), **stencils})
        return made

    def measure_factor(self, problem: Poisson | Pair, shape: Sequence[int], cycles: int = 30, seed: int = 20) -> float:
        """The asymptotic error reduction per cycle on a grid of this shape; see `TrainableMultigrid.measure_factor`."""
        return self.to_trainable(_problem(problem, shape)).measure_factor(shape, cycles, seed)

    def fit(
        self,
        *,
        steps: int = 600,
        batch: int = 16,
        rate: float = 3e-3,
        ratios: tuple[float, float] = (0.01, 1.0),
        problems: int = 256,
        grids: int = 5,
        frequencies: int = 4,
        seed: int = 0,
        progress: bool = False,
    ) -> list[float]:
        """Train on tensors of all angles by symbols: no grid is needed, and no solution.

        The loss is the mean over a batch of the log of the number of cycles per digit, -log(-log(factor)), with the
        factor of `noise_factor`, so that hard problems weigh as much as easy ones. Adam, the rate falling to zero.

        Args:
            ratios: the range, (least, largest); their logs are spread evenly.
            problems: tensors to draw batches from.
            grids, frequencies: of `noise_factor`; a second, shorter training with 7 and 2 suits large grids.
            progress: show a bar.

        Returns:
            The loss of each step. Where it is not finite or rises far above the first one, training ends with the
            parameters of the least loss, and says so.
        """
        for name, value, least in (
            ("steps", steps, 1),
            ("batch", batch, 1),
            ("problems", problems, 1),
            ("grids", grids, 2),
            ("frequencies", frequencies, 1),
            ("seed", seed, 0),
        ):
            count(name, value, least)
        number("rate", rate, least=0.0, finite=True)
        with torch.inference_mode(False), torch.enable_grad():
            return self._descend(steps, batch, rate, draw(problems, ratios, seed), (grids, frequencies), seed, progress)

    def _descend(
        self, steps: int, batch: int, rate: float, drawn: list[Pair], sizes: tuple[int, int], seed: int, progress: bool
    ) -> list[float]:
        from tqdm import tqdm

        generator, (grids, frequencies) = torch.Generator().manual_seed(seed), sizes
        stencils = torch.stack([_stencil(pair) for pair in drawn])
        optimiser = torch.optim.Adam(self.parameters(), lr=rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
        losses, best = list[float](), deepcopy(self.state_dict())
        for _ in tqdm(range(steps), desc="fit", unit="step", disable=not progress):
            chosen = torch.randperm(len(drawn), generator=generator)[:batch]
            loss = self._loss(stencils[chosen], white_noise(2, grids, frequencies, generator=generator), frequencies)
            losses.append(float(loss.detach()))
            if not losses[-1] < losses[0] + DIVERGED:
                self.load_state_dict(best)
                say(f"fit: training diverged after {len(losses)} steps; the parameters of the least loss are kept")
                break
            if losses[-1] == min(losses):
                best = deepcopy(self.state_dict())
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        return losses

    def _loss(self, A: Tensor, noise: Tensor, frequencies: int) -> Tensor:
        def factor(A: Tensor) -> Tensor:
            grids = noise.shape[-2].bit_length()
            return noise_factor(A, self._parts(A, grids - 1), noise, cycle=self.cycle, frequencies=frequencies)

        return -softplus(-vmap(factor)(A).log(), beta=10.0).log().mean()  # as -log(-log), and finite above 1


def draw(number: int, ratios: tuple[float, float], seed: int) -> list[Pair]:
    """(angle, ratio) pairs, spread evenly over all angles and the logs of `ratios`, (least, largest)."""
    if not isinstance(ratios, Sequence) or len(ratios) != 2:
        raise ValueError(f"ratios must be (least, largest), got {ratios!r}")
    least, largest = ratios
    if not 0 < least <= largest <= 1:
        raise ValueError(f"ratios must be 0 < least <= largest <= 1, got {ratios!r}")
    points = torch.quasirandom.SobolEngine(2, scramble=True, seed=seed).draw(number).tolist()
    return [(180 * a, least ** (1 - b) * largest**b) for a, b in points]


def features(A: Tensor) -> Tensor:
    """The network's input: the entries of A beside its centre, over it; and of its tensor, with angle a and ratio r,
    (1 - r) / (1 + r) times cos 2a and sin 2a, and log(4 r / (1 + r)^2) / 2.
    """
    around = torch.stack([A[0, 1], A[1, 0], A[0, 0], A[0, 2]]) / centre(A)
    first, second, mixed = A[0].sum(), A[:, 0].sum(), A[0, 0] - A[0, 2]
    trace = first + second
    product = 4 * (first * second - mixed**2) / trace**2
    tensor = torch.stack([(first - second) / trace, 2 * mixed / trace, product.clamp(min=1e-6).log() / 2])
    return torch.cat([4 * around, tensor])


def _problem(problem: Poisson | Pair, shape: Sequence[int] | None = None) -> Poisson:
    """Checked, and on a grid of this shape where one is given."""
    if not isinstance(problem, Poisson):
        if not isinstance(problem, Sequence) or len(problem) != 2:
            raise TypeError(f"problem must be a pde.Poisson or (angle, ratio), got {problem!r}")
        problem = Poisson((7, 7), coefficient=rotated(*problem))
    family = Family(problem)
    if family.ndim != 2:
        raise ValueError(f"problem: a meta network is for two dimensions; got one in {family.ndim}")
    return problem if shape is None else family.on(shape)


def _stencil(problem: Poisson | Pair, shape: Sequence[int] | None = None) -> Tensor:
    given = _problem(problem, shape)
    return torch.as_tensor(Family(given).stencil(given.shape))
