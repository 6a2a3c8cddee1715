"""The coefficients of -div(a grad u) + c u on a grid, and the three-point stencil of each axis."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from pde.common.arrays import is_tensor, like, namespace
from pde.common.caching import once_per_axis
from pde.problem.grid import ENDS, Array, Axis, Grid, window
from pde.problem.slab_field import plane_sums
from pde.problem.tensor import FullTensor
from pde.problem.walls import Wall

ROUGH, STEEP = 2.0, 2.5
"""A coefficient is rough where neighbours on the finest grid differ by more than the first factor, and too steep for a
coarse grid where they differ by more than the second.

Up to there V(1,1) with rediscretised operators took at most 0.14 per cycle, 0.2 between cells. It takes 0.2 and more
where neighbours differ by 7, and diverges in the end: bilinear interpolation knows nothing of the coefficient.
"""

TURNING = 10.0
"""Where the ratio of two axes' diffusions varies by more than this, lines along every axis are relaxed.

Red-black V(1,1) takes 0.4 per cycle where it varies by 16, and 0.9 by 10^4; alternating zebra 0.1.
"""


Betas = dict[tuple[int, int], Array]
"""By (axis, side) the beta of the Robin sides along which it varies, of the side's shape."""


@dataclass(frozen=True, eq=False)
class DomainTerms:
    """The part of the equation that a domain makes.

    Args:
        inside: a boolean array of the grid's shape, True at unknowns.
        walls: the faces around it.
        weights: of each wall, in the order of its faces: data g add weight * g to the equation beside a face, and a
            Dirichlet wall adds weight * u to its left side.
        closed: whether faces inside the box are closed; `Terms.resistances` are infinite there.
        held: the coefficient of u that Dirichlet walls add to the box with its faces open, or as `closed` tells; 0 or
            an array of the grid's shape.
        fraction: the open share of each control volume; None: all of it.
        ends: the open shares of sides of the box that walls cut or hide, {(axis, side): array of the side's shape}.
        box: the coefficients without the domain, where control volumes are cut.
    """

    inside: Array
    walls: tuple[Wall, ...] = ()
    weights: tuple[Array, ...] = ()
    closed: bool = False
    held: Array | float = 0.0
    fraction: Array | None = None
    ends: dict[tuple[int, int], Array] = field(default_factory=dict)
    box: Terms | None = None


@dataclass(frozen=True, eq=False)
class Terms:
    """Coefficients: the diffusion a > 0 of each axis and the reaction c, numbers or arrays of the grid's shape.

    `resistances` holds the integral of dx/a between neighbours and to both ends, n + 1 along an axis, where it does not
    follow from a: on coarse grids for each axis along which a varies (None elsewhere), and of coefficients of faces.
    Where a Robin side has an entry in `betas`, that replaces the beta of the axis, which is its mean. `tensor` is a
    full tensor, and the diffusion its diagonal.
    """

    diffusion: tuple[float | Array, ...]
    reaction: float | Array = 0.0
    resistances: tuple[Array | None, ...] = ()
    betas: Betas = field(default_factory=dict)
    domain: DomainTerms | None = None
    tensor: FullTensor | None = None

    def __repr__(self) -> str:
        values = [*self.diffusion, self.reaction]
        return f"Terms({', '.join(str(v) if isinstance(v, float) else 'varies' for v in values)})"

    @property
    def has_reaction(self) -> bool:
        return bool(np.any(np.asarray(self.reaction) != 0))

    @property
    def least_reaction(self) -> float:
        return float(np.min(self.reaction))

    @cached_property
    def typical(self) -> tuple[float, ...]:
        """One number per axis for the diffusion: its geometric mean."""
        means = {id(a): _geometric_mean(a) for a in self._fields()}
        return tuple(a if isinstance(a, float) else means[id(a)] for a in self.diffusion)

    def beside(self, axis: int, side: int) -> Any:
        """The diffusion across a side at the unknowns beside it: a number, or an array of the side's shape."""
        a = self.diffusion[axis]
        return a if isinstance(a, float) else a[window(axis, a.ndim, ENDS[side])].squeeze(axis)

    def at_sides(self, axis: int) -> tuple[float, float]:
        """One number for the diffusion across each of the two sides of an axis: its geometric mean there."""
        low, high = (self.beside(axis, side) for side in (0, 1))
        return (low, high) if isinstance(low, float) else (_geometric_mean(low), _geometric_mean(high))

    def mean_reaction(self, grid: Grid) -> float:
        """The mean of |c| over the box."""
        c = self.reaction
        return abs(c) if isinstance(c, float) else math.fsum(plane_sums(np.abs(c) * volume_shares(grid)))

    @property
    def varies(self) -> bool:
        return any(not isinstance(a, float) for a in self.diffusion) or any(r is not None for r in self.resistances)

    @property
    def closed(self) -> bool:
        """Whether faces inside the box are closed."""
        return self.domain is not None and self.domain.closed

    @property
    def held(self) -> Array | float:
        """The coefficient of u from Dirichlet walls, where faces are closed."""
        return self.domain.held if self.domain is not None and self.domain.closed else 0.0

    @property
    def fraction(self) -> Array | None:
        return None if self.domain is None else self.domain.fraction

    @property
    def inside(self) -> Array | None:
        """Where unknowns are; None: everywhere."""
        return None if self.domain is None else self.domain.inside

    def of_u(self, grid: Grid, axis: int, side: int) -> Any:
        """The coefficient of u in the condition of a side, `Side.of_u`, or an array of the side's shape."""
        return self.betas.get((axis, side), grid.axes[axis].sides[side].of_u)

    def across_side(self, grid: Grid, axis: int, side: int) -> tuple[Array, Array | None, Any]:
        """As `axis_first`, right beside one side at least."""
        return axis_first(grid, self, axis)

    def resistances_along(self, grid: Grid, axis: int) -> Any:
        """As `grid_resistances`."""
        return grid_resistances(grid, self, axis)

    def betas_of(self, axis: int) -> Any:
        """(low, high): beta where it varies along that side, None elsewhere; None where it varies along neither."""
        pair = self.betas.get((axis, 0)), self.betas.get((axis, 1))
        return None if pair[0] is None and pair[1] is None else pair

    def largest_ratio(self, grid: Grid) -> float:
        """The largest ratio of a at two neighbours."""
        return float(np.exp(max((largest_jump(np.log(a), grid) for a in self._fields()), default=0.0)))

    def reaction_jumps(self, grid: Grid) -> bool:
        """Whether the reaction changes between neighbours by more than half of its largest value."""
        c = self.reaction
        return not isinstance(c, float) and largest_jump(c, grid) > np.abs(c).max() / 2

    def betas_jump(self, grid: Grid) -> bool:
        """Whether a beta changes along its side by half of its largest value from point to point.

        A beta that resists the flux less than the box does, below a / L, does not count.
        """
        for (a, _), beta in self.betas.items():
            side, largest = Grid(grid.axes[:a] + grid.axes[a + 1 :]), float(beta.max())
            if largest * grid.axes[a].length > self.typical[a] and largest_jump(beta, side) > largest / 2:
                return True
        return False

    def strong_axis_turns(self, grid: Grid) -> bool:
        """Whether the strong coupling lies along different axes in parts of the grid: no one order of coarsening suits.

        The ratio of two axes varies by more than `TURNING` there.
        """
        axes = [a for a, n in enumerate(grid.shape) if n > 1]
        pairs = [(self.diffusion[a], self.diffusion[b]) for a, b in combinations(axes, 2)]
        return any(float(np.ptp(np.log(a) - np.log(b))) > np.log(TURNING) for a, b in pairs if a is not b)

    def _fields(self) -> list[Array]:
        """The diffusions that vary, each once."""
        return list({id(a): a for a in self.diffusion if not isinstance(a, float)}.values())


def _geometric_mean(a: Array) -> float:
    logs = np.log(np.ascontiguousarray(a))
    return float(np.exp(math.fsum(plane_sums(logs if logs.ndim > 1 else logs.reshape(1, -1))) / logs.size))


def volume_shares(grid: Grid, planes: slice = slice(None)) -> Array:
    """The control volumes of the unknowns of some planes, in shares of the box."""
    shares = np.ones(())
    for a, axis in enumerate(grid.axes):
        shares = np.multiply.outer(shares, (axis.width / axis.width.sum())[planes if a == 0 else slice(None)])
    return shares


def largest_jump(values: Array, grid: Grid) -> float:
    """The largest change between neighbours, around periodic axes too."""
    largest = 0.0
    for a, axis in enumerate(grid.axes):
        if axis.n > 1:
            largest = max(largest, float(np.abs(np.diff(values, axis=a)).max()))
            if axis.periodic:
                largest = max(largest, float(np.abs(np.take(values, 0, a) - np.take(values, -1, a)).max()))
    return largest


class AxisCoefficients(NamedTuple):
    """centre u_i - lower u_{i-1} - upper u_{i+1}, plus boundary data: low g_low, high g_high.

    Arrays (n,), or (n, ...) with the other axes behind where a varies. lower[0] and upper[-1] lead around a periodic
    axis; on others nothing reads them.
    """

    lower: Array
    centre: Array
    upper: Array
    low: float | Array
    high: float | Array


def axis_coefficients(axis: Axis, a: Any = 1.0, resistance: Array | None = None, betas: Any = None) -> AxisCoefficients:
    """-d/dx (a d/dx) by finite volumes along one axis, with its ends; a varies over (n, ...) or is one number.

    Between two unknowns a is their harmonic mean, which keeps the flux right where a jumps midway; or the `resistance`
    there, (n + 1, ...), replaces it; `betas` as `Terms.betas_of`.
    """
    if not is_tensor(a):
        a = np.broadcast_to(np.asarray(a, dtype=float), (axis.n, *np.shape(a)[1:]))
    xp: Any = namespace(a)
    w, flux = _column(axis.width, a), _fluxes(axis, a, resistance, betas)
    if axis.periodic:
        lower, upper = flux[:-1] / w, flux[1:] / w
        return AxisCoefficients(lower, lower + upper, upper, 0.0, 0.0)
    inner = flux[1:-1]
    beside = xp.concatenate((inner[:1], inner, inner[-1:])) if len(inner) else xp.zeros_like(flux)
    low, high = (_data_weight(axis, side, a, resistance, betas) for side in (0, 1))
    return AxisCoefficients(beside[:-1] / w, (flux[:-1] + flux[1:]) / w, beside[1:] / w, low, high)


def grid_coefficients(grid: Grid, terms: Terms, axis: int) -> AxisCoefficients:
    """The coefficients along one axis of a grid; where a varies, of the grid's shape, `low` and `high` of a side's."""
    a = terms.diffusion[axis]
    known = terms.resistances[axis] if terms.resistances else None
    if isinstance(a, float) and known is None and terms.betas_of(axis) is None:
        return _constant_coefficients(grid.axes[axis], a)
    xp: Any = namespace(a)
    c = axis_coefficients(grid.axes[axis], *axis_first(grid, terms, axis))
    low, high = _open_ends(terms, axis)
    c = c._replace(low=c.low * low, high=c.high * high)
    return c._replace(**{name: xp.moveaxis(getattr(c, name), 0, axis) for name in ("lower", "centre", "upper")})


_constant_coefficients = once_per_axis(axis_coefficients)


def side_weights(grid: Grid, terms: Terms, axis: int, side: int) -> Any:
    """`low` or `high` of `grid_coefficients`, without the others: a number, or an array of the side's shape."""
    weight = _data_weight(grid.axes[axis], side, *terms.across_side(grid, axis, side))
    if terms.domain is not None and (axis, side) in terms.domain.ends:
        weight = weight * terms.domain.ends[axis, side]
    return weight if terms.fraction is None else weight / np.take(terms.fraction, -side, axis)


def grid_fluxes(grid: Grid, terms: Terms, axis: int) -> Array:
    """a/h at the faces across one axis, its two ends among them; times the difference of u (0 outside) it is the flux.

    (n + 1,), or where a varies of the grid's shape with one more along the axis.
    """
    flux = _fluxes(grid.axes[axis], *axis_first(grid, terms, axis))
    if flux.ndim == 1:
        return flux
    if terms.fraction is not None:
        for side, share in enumerate(_open_ends(terms, axis)):
            flux[-side] *= share
    moved: Array = namespace(flux).moveaxis(flux, 0, axis)
    return moved


def _open_ends(terms: Terms, axis: int) -> tuple[Any, Any]:
    """The open shares of both sides of an axis where walls cut control volumes, else 1."""
    if terms.domain is None or terms.fraction is None:
        return 1.0, 1.0
    low, high = (terms.domain.ends.get((axis, side), 1.0) for side in (0, 1))
    return low, high


def grid_resistances(grid: Grid, terms: Terms, axis: int) -> Array:
    """The integral of dx/a between neighbours along an axis where a varies, and to both ends; see `Terms`.

    Around a periodic axis the first and the last are the same.
    """
    if terms.resistances and (known := terms.resistances[axis]) is not None:
        return known
    line, a = grid.axes[axis], np.moveaxis(np.broadcast_to(terms.diffusion[axis], grid.shape), axis, 0)
    inner = 1 / _conductances(line, a)
    ends = (inner[-1:], inner[:0]) if line.periodic else [d / a[-side][None] for side, d in enumerate(line.ends)]
    return np.moveaxis(np.concatenate((ends[0], inner, ends[1])), 0, axis)


def axis_first(grid: Grid, terms: Terms, axis: int) -> tuple[Array, Array | None, Any]:
    """The diffusion and the resistances along an axis, that axis first, and the betas of its sides."""
    a, resistance = terms.diffusion[axis], terms.resistances[axis] if terms.resistances else None
    betas = terms.betas_of(axis)
    if isinstance(a, float):
        a = np.full(grid.axes[axis].n if betas is None and resistance is None else grid.shape, a)
    a = namespace(a).moveaxis(a, axis, 0) if a.ndim > 1 else a
    return a, None if resistance is None else np.moveaxis(resistance, axis, 0), betas


def _fluxes(axis: Axis, a: Array, resistance: Array | None, betas: Any) -> Array:
    """a/h at the n + 1 faces across an axis; around a periodic one the first and the last are the same."""
    inner = _conductances(axis, a, resistance)
    if axis.periodic:
        return namespace(a).concatenate((inner[-1:], inner)) * (axis.n > 1)  # alone it is its own neighbour
    low, high = (_end(axis, side, a, resistance, betas)[0] for side in (0, 1))
    return namespace(a).concatenate((low[None], inner, high[None]))


def _data_weight(axis: Axis, side: int, a: Array, resistance: Array | None, betas: Any) -> Array:
    """Boundary data g of a side add this times g to the equations beside it."""
    return _end(axis, side, a, resistance, betas)[1] / float(axis.width[-side])


def _conductances(axis: Axis, a: Array, resistance: Array | None = None) -> Array:
    """a/h between neighbours, from the resistances of the two halves of the way."""
    if resistance is not None:
        return 1 / (resistance[1:] if axis.periodic else resistance[1:-1])
    after = axis.width / 2 if axis.cell else np.append(axis.gaps, 1.0)[: axis.n] / 2
    behind = np.roll(after, -1) if axis.cell else after
    flux = 1 / (_column(after, a) / a + _column(behind, a) / namespace(a).roll(a, -1, 0))
    return flux if axis.periodic else flux[:-1]


def _end(axis: Axis, side: int, field: Array, resistance: Array | None, betas: Any) -> tuple[Array, Array]:
    """(k, m): the flux through an end is k u - m g, out of the outermost control volume."""
    kind, d = axis.sides[side].kind, axis.ends[side]
    varying = None if betas is None else betas[side]
    beta: Any = axis.sides[side].beta if varying is None else like(varying, field)
    a = field[-side] if resistance is None or d == 0 else d / resistance[-side]  # between the end and the unknown
    if kind == "dirichlet":
        return a / d, a / d
    if kind == "neumann":
        return namespace(a).zeros_like(a), namespace(a).ones_like(a)
    with np.errstate(divide="ignore"):  # a closed end
        share = 1 / (1 + beta * d / a)  # a (u_b - u) / d = g - beta u_b, solved for u_b
    return beta * share, share


def _column(values: Array, a: Array) -> Array:
    return like(values.reshape((-1,) + (1,) * (a.ndim - 1)), a)
