"""Solvers that there are compiled kernels for, and their cycles against those of plain levels."""

import numpy as np
import pytest
from hypothesis import strategies as st

import pde
from pde.backends.numba import level_data as tables
from pde.backends.numba import recording
from pde.backends.numba.kernels import Kernels
from pde.backends.numba.variants import variant_of
from tests.pde import rounding
from tests.pde.problems import ENDS


def constant(draw, shape):
    return {
        "coefficient": [draw(st.sampled_from([0.5, 1.0, 2.0])) for _ in shape],
        "reaction": draw(st.sampled_from([0.5, 3.0])),
    }


def varying(draw, shape):
    """Coefficients that change from point to point, as far as the operators of coarse grids are rediscretised."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    one, two, three = (1 + 0.5 * rng.random(shape) for _ in range(3))
    return {
        "coefficient": draw(st.sampled_from([one, [one, two, three][: len(shape)], [2.0, one, two][: len(shape)]])),
        "reaction": draw(st.sampled_from([0.5, three])),
    }


def reacting(draw, shape):
    return {"reaction": 1 + 0.5 * np.random.default_rng(draw(st.integers(0, 99))).random(shape)}


@st.composite
def solvers(draw, every=False, least=1):
    """A solver on plain levels, of a problem that there are kernels for.

    Kernels for coefficients that vary are compiled for two dimensions and float64 alone, but for `every`: each other
    kind takes some twenty seconds. `least`: dimensions.
    """
    kind = draw(st.sampled_from([constant, constant, varying, varying, reacting]))
    all_kinds = every or kind is constant
    ndim = draw(st.sampled_from([n for n in ([1, 2, 2, 3] if all_kinds else [1, 2]) if n >= least]))
    axes, shape = [], []
    for _ in range(ndim):
        around = draw(st.integers(0, 3)) == 0
        axes.append("periodic" if around else (draw(st.sampled_from(ENDS)), draw(st.sampled_from(ENDS))))
        most = {1: 200, 2: 40, 3: 16}[ndim]
        shape.append(draw(st.integers(3, 16 if around else most)))
    problem = pde.Poisson(
        shape,
        extent=[draw(st.sampled_from([0.5, 1.0, 3.0])) for _ in shape],
        boundary=axes,
        centering=draw(st.sampled_from(["vertex", "cell"])),
        **kind(draw, shape),
    )
    return pde.Multigrid(
        problem,
        smoother=draw(st.sampled_from(["sor", "red-black"])),
        nu=draw(st.sampled_from([(1, 1), (2, 1), (0, 2), (1, 0)])),
        dtype=draw(st.sampled_from(["float64", "float64", "float32"])) if all_kinds else "float64",
        levels=draw(st.sampled_from([None, 64])),
        kernels="numpy",
    )


def fused(mg, levels, threads, singular=False):
    variant = variant_of(levels, mg.dtype)
    assert not isinstance(variant, str), variant
    return Kernels(levels, variant, threads, singular)


def check_every_cycle(mg, threads, shares, streamed, seed, tile=1 << 20):
    if len(mg.levels) == 1:
        return
    rng = np.random.default_rng(seed)
    shape = mg.problem.shape
    f, u = (rng.standard_normal(shape).astype(mg.dtype) for _ in range(2))
    f.flags.writeable = False
    A, W = mg.levels[0].A, mg.levels[0].info.operator.volumes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "SHARES", shares)
        patch.setattr(recording, "PARALLEL", 1)
        patch.setattr(recording, "TILE", tile)
        patch.setattr(recording, "LEAST_ROWS", 3)
        patch.setattr(tables, "STREAMED", streamed)
        mine = fused(mg, mg.levels, threads)
        for cycle, guess in (("V", None), ("V", u), ("W", u), ("F", u), ("backslash", None)):
            expected = mg.cycle(f, guess, cycle)
            out = np.full(shape, np.nan, mg.dtype)
            norm = mine.cycle(cycle, f, guess, out)
            iterates = (expected,) if guess is None else (expected, guess)
            assert np.max(np.abs(out - expected)) <= rounding.of_a_cycle(mg, f, *iterates)
            r = f.astype(float) - A(out.astype(float))
            assert norm == pytest.approx(np.sqrt(np.sum(W * r**2) / np.sum(W)), abs=rounding.of_a_residual(mg, f, out))
        expected, out = mg.full_multigrid(f), np.empty(shape, mg.dtype)
        size = mine.full_multigrid(f, out, "iterate")
        assert np.max(np.abs(out - expected)) <= rounding.of_a_cycle(mg, f, expected)
        assert size == pytest.approx(
            np.sqrt(np.sum(W * out.astype(float) ** 2) / np.sum(W)),
            rel=float(16 * np.finfo(mg.dtype).eps) + rounding.EPS * out.size,
        )
        in_place = u.copy()
        mine.cycle("V", f, in_place, in_place)
        fresh = np.empty_like(u)
        mine.cycle("V", f, u, fresh)
        np.testing.assert_array_equal(in_place, fresh)
