"""python -m pde predict"""

from __future__ import annotations

import argparse
import math
from typing import Any

from mgcore import CYCLES
from pde.cli import files
from pde.levels.smoothers import SMOOTHERS
from pde.levels.transfers import TRANSFERS
from pde.problem.boundary_conditions import BOUNDARIES
from pde.problem.poisson import Poisson
from pde.solver.multigrid import Multigrid

DESCRIPTION = (
    """How much a multigrid cycle reduces the error, predicted by local Fourier analysis on an infinite grid."""
)
EXAMPLES = """examples:
  python -m pde predict --dims 2
  python -m pde predict --dims 3 --smoother red-black --cycle W --measure
  python -m pde predict --dims 2 --aspect 1 10 --nu 2 1 --plot symbol.png
  python -m pde predict --dims 3 --omega best
"""
INTERVALS = {"periodic": 0, "dirichlet": 1, "neumann": -1}
"""Intervals along an axis beside its unknowns."""


def add_predict(commands: Any) -> None:
    command = commands.add_parser(
        "predict",
        help="the convergence factor of a cycle, before any run",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("--dims", type=int, choices=(1, 2, 3), help="dimensions (default: 2, or as many as --shape has)")
    add("--shape", type=int, nargs="+", metavar="N", help="unknowns per axis (default: 64, in three dimensions 32)")
    add("--aspect", type=float, nargs="+", metavar="H", help="grid spacing of each axis, such as 1 10 (default: equal)")
    add("--coefficient", type=float, nargs="+", metavar="A", help="a, one number or one per axis (default: 1)")
    add("--reaction", type=float, default=0.0, metavar="C", help="c >= 0, for the spacings of --aspect (default: 0)")
    add("--boundary", choices=BOUNDARIES, default="periodic", help="of the solver to measure (default: %(default)s)")
    add("--smoother", choices=("auto", *SMOOTHERS), default="auto", help="(default: %(default)s)")
    add("--omega", metavar="W", help="relaxation parameter, or 'best' to search for it (default: the solver's choice)")
    add("--nu", type=int, nargs=2, default=(1, 1), metavar="NU", help="sweeps before and after (default: 1 1)")
    add("--cycle", choices=tuple(CYCLES), default="V", help="(default: %(default)s)")
    add("--coarse", choices=("rediscretised", "galerkin"), default="rediscretised", help="(default: %(default)s)")
    add("--transfer", choices=tuple(TRANSFERS), default="bilinear", help="(default: %(default)s)")
    add("--coarsen", type=int, nargs="+", metavar="AXIS", help="axes to halve, from 0 (default: the strongly coupled)")
    add("--grids", type=int, metavar="K", help="grids of the cycle (default: 8, 7, 5 in 1, 2, 3 dimensions)")
    add("--frequencies", type=int, metavar="N", help="base frequencies per axis (default: enough)")
    add("--measure", action="store_true", help="measure the factor too, by power iteration on the grid of --shape")
    add("--accel", choices=("none", "cg"), default="none", help="cg: conjugate gradients too (default: %(default)s)")
    add("--plot", metavar="FILE", help="write a picture: what a cycle leaves of each Fourier mode")
    add("--force", action="store_true", help="overwrite a picture that exists")
    command.set_defaults(run=predict)


def predict(options: argparse.Namespace) -> int:
    from pde.analysis.fourier import Analysis

    if options.measure and options.coarsen is not None:
        raise ValueError("--measure: the solver chooses the axes to halve by itself; leave out --coarsen")
    if options.accel == "cg" and options.coarsen is not None:
        raise ValueError("--accel: conjugate gradients take the axes that the solver halves; leave out --coarsen")
    targets = {} if options.plot is None else {"plot": options.plot}
    paths = files.check_targets(targets, options.force)
    mg = _solver(options)
    sampling = {"grids": options.grids, "frequencies": options.frequencies}
    if options.omega == "best":
        options.omega = Analysis(mg, options.coarsen).best_omega(options.cycle, **sampling).omega
        mg = _solver(options)
        print(f"best omega           {mg.omega:.3f}")
    analysis = Analysis(mg, options.coarsen)
    factor = analysis.factor(options.cycle, **sampling)
    print(f"smoothing factor     {analysis.smoothing_factor():.4f}")
    print(f"two-grid factor      {analysis.two_grid_factor():.4f}")
    grids = analysis.grids(options.grids)
    print(f"{f'{options.cycle}-cycle, {grids} grids':20} {factor:.4f}{_cycles(factor)}")
    if options.accel == "cg":
        accelerated = mg.predict(options.cycle, options.grids, accel="cg")
        print(f"{'conjugate gradients':20} {accelerated:.4f}{_cycles(accelerated)}")
    if options.measure:
        print(f"{'measured':20} {mg.measure_factor(options.cycle, cycles=40):.4f}  ({mg!r})")
    for path in paths.values():
        from pde import plot

        theta, size = analysis.error_symbol(options.cycle, options.grids, options.frequencies)
        title = f"{options.cycle}{mg.nu} {mg.smoother}"
        print(f"written: {plot.symbol(theta, size, path, title, analysis.halved)}")
    return 0


def _cycles(factor: float) -> str:
    """Say in how many cycles the error loses eight digits."""
    if factor >= 1:
        return "  (does not converge)"
    cycles = math.ceil(-8 / math.log10(factor)) if factor > 1e-8 else 1
    return f"  ({cycles} cycle{'s' * (cycles > 1)} for eight digits)"


def _solver(options: argparse.Namespace) -> Multigrid:
    """The solver that the options describe; the spacings are --aspect, the smallest being 1."""
    dims = options.dims or len(options.shape or (1, 1))
    shape = options.shape or [32 if dims == 3 else 64] * dims
    if len(shape) == 1:
        shape = shape * dims
    if len(shape) != dims:
        raise ValueError(f"--shape must hold one number or {dims}, one per dimension; got {len(shape)}")
    spacing = options.aspect or [1.0] * dims
    if len(spacing) != dims or not all(0 < h < math.inf for h in spacing):
        raise ValueError(f"--aspect must hold {dims} positive numbers, one per axis; got {spacing}")
    extent = [max(1, n + INTERVALS[options.boundary]) * h / min(spacing) for n, h in zip(shape, spacing, strict=True)]
    coefficient = options.coefficient
    return Multigrid(
        Poisson(shape, extent, options.boundary, coefficient=coefficient, reaction=options.reaction),
        smoother=options.smoother,
        omega=_read_omega(options.omega),
        nu=options.nu,
        coarse=options.coarse,
        transfer=options.transfer,
        levels=64,
    )


def _read_omega(omega: Any) -> float | None:
    try:
        return None if omega in (None, "best") else float(omega)
    except ValueError:
        raise ValueError(f"--omega must be a number or 'best', got {omega!r}") from None
