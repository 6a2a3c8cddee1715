"""`Multigrid.update`: the hierarchy of the new coefficients, and what is kept of the old one."""

import itertools

import numpy as np
import pytest

import pde
from tests.pde.media import blocks


def test_update_is_a_new_hierarchy_for_the_new_coefficients():
    rng = np.random.default_rng(0)
    shape, f = (33, 20), rng.standard_normal((33, 20))
    mg = pde.Multigrid(pde.Poisson(shape))
    for coefficient, reaction in itertools.product((None, 2.0, blocks(shape, 6)), (None, 100.0)):
        updated = mg.update(coefficient=coefficient, reaction=reaction)
        assert updated is mg
        fresh = pde.Poisson(shape, coefficient=mg.problem.terms.diffusion, reaction=mg.problem.terms.reaction)
        expected = pde.Multigrid(fresh).solve(f, accel="cg")
        np.testing.assert_array_equal(mg.solve(f, accel="cg").u, expected.u)
    assert mg.transfer == "operator"
    mg.update(coefficient=1.0, reaction=0.0)
    assert mg.transfer == "bilinear"
    np.testing.assert_array_equal(mg.solve(f).u, pde.Multigrid(pde.Poisson(shape)).solve(f).u)


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann", "periodic", ("robin", 1.0)])
@pytest.mark.parametrize("centering", ["vertex", "cell"])
@pytest.mark.parametrize("shape", [(40,), (33, 20), (9, 12, 7)])
def test_update_keeps_what_does_not_depend_on_the_coefficient(shape, centering, boundary):
    mg = pde.Multigrid(pde.Poisson(shape, boundary=boundary, centering=centering, reaction=1.0), levels=64)
    before, tables = [level.info for level in mg.levels], list(mg.hierarchy.interpolations)
    f = np.random.default_rng(0).standard_normal(shape)
    for coefficient, reaction in ((2.0, 5.0), (lambda *x: 1 + x[0] ** 2, 3.0)):
        after = [level.info for level in mg.update(coefficient=coefficient, reaction=reaction).levels]
        assert len(after) == len(before) > 1
        for old, new in zip(before, after, strict=True):
            assert old.grid == new.grid
            assert all(a is b for a, b in zip(old.grid.axes, new.grid.axes, strict=True))
            assert old.operator is not new.operator
            if not (centering == "cell" and boundary == ("robin", 1.0)):  # those obey a du/dn = -beta u
                assert old.to_coarse is new.to_coarse
        assert all(a is b for a, b in zip(tables, mg.hierarchy.interpolations, strict=True))
        fresh = pde.Poisson(shape, boundary=boundary, centering=centering, coefficient=coefficient, reaction=reaction)
        np.testing.assert_array_equal(mg.solve(f).u, pde.Multigrid(fresh, levels=64).solve(f).u)


def test_update_keeps_the_interpolations_of_a_rough_problem():
    shape = (90, 80)
    mg = pde.Multigrid(pde.Poisson(shape, coefficient=blocks(shape, 6)), levels=9)
    interpolations = list(mg.hierarchy.interpolations)
    mg.update(coefficient=blocks(shape, 9))
    assert mg.transfer == "operator"
    assert len(interpolations) == len(mg.hierarchy.interpolations) > 0
    assert all(a is b for a, b in zip(interpolations, mg.hierarchy.interpolations, strict=True))


@pytest.mark.parametrize(
    ("bad", "dtype"),
    [({"coefficient": -1.0}, "float64"), ({"reaction": np.ones(3)}, "float64"), ({"coefficient": 1e60}, "float32")],
)
def test_an_update_that_raises_leaves_the_solver_as_it_was(bad, dtype):
    shape = (33, 20)
    mg = pde.Multigrid(pde.Poisson(shape, coefficient=blocks(shape, 6)), dtype=dtype)
    before = dict(mg.__dict__)
    with pytest.raises(ValueError, match=r"coefficient|reaction"):
        mg.update(**bad)
    assert all(mg.__dict__[name] is value for name, value in before.items())
