"""python -m pde predict"""

from __future__ import annotations

import argparse
import math
from typing import Any

from pde.cli import files
from pde.cli.options import read_sweeps
from pde.problem.poisson import Poisson
from pde.solver.multigrid import Multigrid

INTERVALS = {"periodic": 0, "dirichlet": 1, "neumann": -1}
"""Intervals along an axis beside its unknowns."""


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
        nu=read_sweeps(options.nu),
        coarse=options.coarse,
        transfer=options.transfer,
        levels=64,
    )


def _read_omega(omega: Any) -> float | None:
    try:
        return None if omega in (None, "best") else float(omega)
    except ValueError:
        raise ValueError(f"--omega must be a number or 'best', got {omega!r}") from None
