"""Stores past the cache, which only large grids make: the same numbers, wherever an array begins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pde
from pde.backends.numba import level_data

GUARD, VALUE = 40, 2.0**99


def solver(shape, dtype, streamed):
    with pytest.MonkeyPatch.context() as patch:
        if streamed:
            patch.setattr(level_data, "STREAMED", 0)
        mg = pde.Multigrid(pde.Poisson(shape), dtype=dtype, kernels="numba")
        mg.cycle(np.ones(shape, dtype))  # makes the tables
    assert bool(mg.backend.kernels.executor.packed.records["streamed"][0]) == streamed
    return mg


def at(offset, size, dtype):
    """Numbers that begin `offset` bytes behind a line of the cache, and those around them, which are to stay."""
    whole = np.zeros((size + 2 * GUARD) * np.dtype(dtype).itemsize + 128, np.int8)
    begin = -whole.__array_interface__["data"][0] % 64 + offset
    numbers = whole[begin:][: (size + 2 * GUARD) * np.dtype(dtype).itemsize].view(dtype)
    numbers[:] = VALUE
    return numbers[GUARD:-GUARD], (numbers[:GUARD], numbers[-GUARD:])


@settings(max_examples=20, deadline=None)
@given(
    shape=st.one_of(
        st.tuples(st.integers(9, 70), st.integers(9, 150)),
        st.tuples(st.integers(9, 20), st.integers(9, 20), st.integers(9, 80)),
    ),
    dtype=st.sampled_from(["float64", "float32"]),
    offset=st.sampled_from([0, 4, 8, 20, 56, 60]),
    seed=st.integers(0, 99),
)
def test_streamed_numbers_are_those_of_the_cache(shape, dtype, offset, seed):
    f = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    results = []
    for streamed in (False, True):
        mg = solver(shape, dtype, streamed)
        out, guards = at(offset, f.size, dtype)
        u = mg.full_multigrid(f, out=out.reshape(shape)).copy()
        assert all(np.all(guard == VALUE) for guard in guards)
        results.append((u, mg.cycle(f, u.copy())))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)
