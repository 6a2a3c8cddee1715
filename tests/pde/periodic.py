"""Solvers on periodic grids, which local Fourier analysis describes exactly."""

from pde import Multigrid, Poisson


def periodic(shape, extent=1.0, reaction=0.0, **options):
    """With as many levels as there can be: of two, a V-cycle is a W-cycle."""
    options = {"levels": 64, **options}
    return Multigrid(Poisson(shape, extent, "periodic", reaction=reaction), **options)


def cube(dims, **options):
    return periodic((32,) * dims, **options)


def own_frequencies(mg, grids=None):
    """The base frequencies of the periodic grid itself, per axis; `grids` of its levels take part."""
    grids = len(mg.levels) if grids is None else grids
    below, last = (mg.levels[l].info.grid.shape for l in (grids - 2, grids - 1))
    return [n if n < m else n // 2 for n, m in zip(last, below, strict=True)]
