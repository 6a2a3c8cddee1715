"""Problems for tests on ranks, and the comparison of a solve on ranks with one on a single process."""

import numpy as np
from hypothesis import strategies as st

from pde import Multigrid, Poisson
from pde.backends.mpi import overlap, slabs

SIDES = ("dirichlet", "neumann", ("robin", 2.0))


@st.composite
def boxes(draw, ranks=6):
    """Keywords of a `Poisson` in two or three dimensions, of every side and centering; axis 0 can be divided."""
    ndim = draw(st.integers(2, 3))
    most = 40 if ndim == 3 else 150
    centering = draw(st.sampled_from(["vertex", "cell"]))
    shape, boundary = [], []
    for axis in range(ndim):
        n = draw(st.integers(max(17, 2 * ranks) if axis == 0 else 13, most if axis == 0 else most // 2))
        kind = draw(st.sampled_from(["periodic", "sides", "sides"]))
        if kind == "periodic":
            boundary.append("periodic")
            n += n % 2 if axis == 0 else 0
        else:
            boundary.append((draw(st.sampled_from(SIDES)), draw(st.sampled_from(SIDES))))
        shape.append(n)
    extent = [draw(st.sampled_from([1.0, 1.0, 0.75])) for _ in shape]
    return {"shape": tuple(shape), "boundary": boundary, "centering": centering, "extent": extent}


def rough(shape, seed):
    """Random numbers of zero mean."""
    f = np.random.default_rng(seed).standard_normal(shape)
    return f - f.mean()


def all_agree(comm, condition):
    """Whether a condition holds on all ranks."""
    return comm.allreduce(int(bool(condition))) == comm.size


class SmallLevels:
    """A context in which levels are divided among ranks down to few unknowns, and passes in parts of few planes."""

    def __init__(self, unknowns=200, long=2):
        self.unknowns, self.long = unknowns, long

    def __enter__(self):
        self.before = slabs.WHOLE, overlap.LONG
        slabs.WHOLE, overlap.LONG = self.unknowns, self.long

    def __exit__(self, *_):
        slabs.WHOLE, overlap.LONG = self.before


def assert_same(comm, problem, f, options=None, **solve):
    """Solve on one process and on all ranks: the numbers are the same to the last bit.

    Returns:
        The solver on ranks and its solution.
    """
    options = options or {}
    alone = Multigrid(Poisson(**problem), kernels="numba", threads=1, **options)
    one = alone.solve(f, **solve)
    with SmallLevels():
        mg = Multigrid(Poisson(**problem), threads=1, comm=comm, **options)
        here = mg.owned
        blocks = {name: solve[name][..., *here] for name in ("u0",) if isinstance(solve.get(name), np.ndarray)}
        many = mg.solve(f[..., *here] if isinstance(f, np.ndarray) else f, **{**solve, **blocks})
    assert many.residual_norms == one.residual_norms
    assert (many.cycles, many.reason, many.removed) == (one.cycles, one.reason, one.removed)
    assert all_agree(comm, np.array_equal(many.u, one.u[..., *here]))
    return mg, many
