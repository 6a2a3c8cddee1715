"""Bounds on what rounding may change, from eps, the size of what is added and the condition of the problem."""

import numpy as np

import mgcore

EPS = float(np.finfo(float).eps)


def roundings(mg, nu):
    """Four deviations of the sum of all roundings, independent of each other, in an entry of one level's data.

    They come from its sweeps, residual and transfers, and each is at most eps / 2.
    """
    return 2 * float(np.finfo(mg.dtype).eps) * ((2 * mg.problem.ndim + 3) * (sum(nu) + 2)) ** 0.5


def largest(mg):
    """The largest diagonal of A, half of a bound on |A|."""
    return float(np.max(mg.levels[0].info.operator.diagonal))


def of_a_cycle(mg, f, *us, levels=None):
    """The most that rounding changes u in a cycle or a pass of full multigrid.

    A rounding on a level is a change of its data by eps (|f| + |A| |u|); the cycle from there on says by how much that
    changes u. `us`: iterates and boundary data, each with all that is added to it.
    """
    levels = mg.levels if levels is None else levels
    u = max((float(np.max(np.abs(v))) for v in us if np.size(v)), default=0.0)
    size, signs = float(np.max(np.abs(f))) + 2 * largest(mg) * u, np.random.default_rng(0)
    made = 0.0
    for l, level in enumerate(levels):
        change = signs.choice([-1.0, 1.0], level.info.grid.shape).astype(mg.dtype)
        made += float(np.max(np.abs(mgcore.v_cycle(levels[l:], change))))
    return roundings(mg, mg.nu) * (size * made + u)


def of_a_residual(mg, f, *us):
    """The most that rounding changes an entry of f - A u, for all of these u and boundary data."""
    size = float(np.max(np.abs(f))) + 2 * largest(mg) * max(float(np.max(np.abs(u))) for u in us)
    return roundings(mg, (0, 0)) * size
