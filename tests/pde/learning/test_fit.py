"""Training: the factor falls, the same for a seed; it ends early, diverges and refuses as it says."""

import math

import pytest
import torch

from pde.learning import TrainableMultigrid
from pde.learning.training import default_shapes
from tests.pde.learning.modules import module, problem
from tests.pde.refusals import ids, refused

QUICK = {"shapes": [(7, 7), (15, 15)], "steps": 12, "batch": 2}
FEW = {**QUICK, "steps": 3}


def fresh(**options):
    return TrainableMultigrid(problem((15, 15), True), omega=0.8, transfer="symmetric", **options)


def state(made):
    return {name: value.clone() for name, value in made.state_dict().items()}


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cycle": "W", "kernel": 5, "coarse": "rediscretised", "restriction": "trained"},
        {"cycle": "F", "sweeps": (2, 1), "per_level": False},
        {"cycle": "backslash", "levels": 2},
        {"symmetric": True},
    ],
    ids=["default", "W", "F", "backslash", "symmetric"],
)
def test_the_factor_falls(options):
    made = fresh(**options)
    history = made.fit(**QUICK)
    assert history.reason == "steps"
    assert history.after < history.before
    assert len(history.losses) == 12
    assert history.shapes == ((7, 7), (15, 15))
    assert history.after == max(made.measure_factor(shape, 15) for shape in history.shapes)
    assert f"{history.after:.3g} after 12 steps on 7x7, 15x15" in repr(history)


def test_seeds_are_kept():
    one, two, other = fresh(), fresh(), fresh()
    assert one.fit(**FEW, seed=3).losses == two.fit(**FEW, seed=3).losses
    other.fit(**FEW, seed=4)
    assert same(state(one), state(two))
    assert not same(state(one), state(other))


def test_one_cycle_is_as_good_as_the_history_says():
    """Of one step the loss is the mean over vectors of the growth in three cycles after two."""
    made, told = fresh(), []
    levels = made.levels((15, 15))
    made.fit(shapes=[(15, 15)], steps=1, batch=400, callback=told.append)
    assert len(levels) == 4
    assert abs(math.log(told[0].factor / fresh().measure_factor((15, 15), 5))) < 0.2
    assert told[0].shape == (15, 15)
    assert told[0].step == 0


def test_divergence_takes_the_best_parameters_and_says_so():
    made = fresh()
    with pytest.warns(RuntimeWarning, match=r"fit: the loss diverged at step \d+.*learning_rate"):
        history = made.fit(**{**QUICK, "steps": 50}, learning_rate=30.0)
    assert history.reason == "diverged"
    assert made.measure_factor((15, 15), 15) <= history.after <= history.before
    assert len(history.losses) < 50


def test_a_training_that_gains_nothing_changes_nothing():
    made = fresh()
    before = state(made)
    history = made.fit(**FEW, learning_rate=0.0)
    assert history.reason == "steps"
    assert same(state(made), before)
    made.before.data[0, 0, 0, 1] += float("nan")
    with pytest.warns(RuntimeWarning, match="diverged at step 0.*omega"):
        assert made.fit(**QUICK).reason == "diverged"


def test_an_interrupt_keeps_the_best_so_far():
    def interrupt(told):
        if told.step == 8:
            raise KeyboardInterrupt

    made = fresh()
    history = made.fit(**QUICK, callback=interrupt)
    assert history.reason == "interrupted"
    assert len(history.losses) == 9
    assert made.measure_factor((15, 15), 15) <= history.after < history.before


def test_a_callback_and_a_limit_of_time_end_it():
    assert fresh().fit(**QUICK, callback=lambda told: told.step == 2).reason == "callback"
    history = fresh().fit(**QUICK, seconds=0.0)
    assert history.reason == "seconds"
    assert history.losses == ()
    assert history.after == history.before


def test_a_bar_is_shown(capsys):
    fresh().fit(**FEW, progress=True)
    shown = capsys.readouterr().err
    assert "fit" in shown
    assert "3/3" in shown
    fresh().fit(**FEW)
    assert capsys.readouterr().err == ""


def test_cycles_from_coarser_levels_are_trained_where_they_are_asked_for():
    factors = []
    for asked in (None, 0.2):
        made = fresh()
        made.before.data[1] *= 2.5  # on the second level, on which a cycle from there diverges
        made.after.data[1] *= 2.5
        made.fit(shapes=[(15, 15)], steps=12, batch=2, coarse_factor=asked)
        factors.append(made.to_multigrid(problem((15, 15), True))._factor_from(1))
    assert factors[1] < 0.6 * factors[0]


def test_symbols_are_a_loss_and_a_prediction():
    symbols = pytest.importorskip("pde.learning.symbols")
    made = TrainableMultigrid(problem((15, 15)), levels=2, omega=0.8)
    history = made.fit(shapes=[(15, 15), (31, 31)], steps=15, loss="symbols")
    assert history.after < history.before
    A = torch.as_tensor(made.family.stencil((15, 15)))
    factor = float(symbols.cycle_factor(A, made.parts(), grids=3).detach())
    assert made.to_multigrid().predict(grids=3) == factor
    assert abs(math.log(factor / made.measure_factor((15, 15)))) < 0.5
    symmetric = fresh(symmetric=True).to_multigrid()
    refused(ValueError, ("accel must be None",), symmetric.predict, accel="cg")


def test_single_precision_is_trained():
    assert fresh().float().fit(**FEW).reason == "steps"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((63, 63), [(31, 31), (63, 63), (127, 127)]),
        ((1000, 500), [(63, 31), (127, 63), (255, 127)]),
        ((3, 3), [(31, 31), (63, 63), (127, 127)]),
        ((15, 15, 15), [(7, 7, 7), (15, 15, 15), (31, 31, 31)]),
        ((100,), [(1023,), (2047,), (4095,)]),
    ],
)
def test_grids_of_a_training(shape, expected):
    assert default_shapes(shape) == expected


def test_gradients_are_there_whatever_surrounds_a_training():
    expected = fresh().fit(**FEW).losses
    made, inner = fresh(), fresh()
    symbols = pytest.importorskip("pde.learning.symbols")
    symbols._phases.cache_clear()
    with torch.no_grad():
        assert made.fit(**FEW).losses == expected
    with torch.inference_mode():
        assert inner.fit(**FEW).losses == expected
        symbols.cycle_factor(torch.as_tensor(inner.family.stencil((15, 15))), inner.parts(), grids=2, frequencies=8)
        kept = fresh()
    assert fresh(levels=1).fit(shapes=[(7, 7)], steps=1, loss="symbols").reason != "diverged"  # with the symbols kept
    for nothing in (kept, fresh().requires_grad_(False)):
        refused(ValueError, ("fit", "requires_grad=True"), nothing.fit, **FEW)


def test_parameters_that_are_not_to_be_trained_stay():
    made = fresh()
    made.before.requires_grad_(False)
    before = state(made)
    made.fit(**FEW)
    assert torch.equal(made.before, before["before"])
    assert not torch.equal(made.after, before["after"])


@pytest.mark.parametrize(("shape", "kernel"), [((15, 15), 7), ((7, 7, 7), 5)])
def test_large_kernels_take_smaller_steps(shape, kernel):
    """At a rate of 0.05 both diverge at once."""
    made = TrainableMultigrid(problem(shape), kernel=kernel, omega=0.8)
    history = made.fit(shapes=[shape], steps=4, batch=2)
    assert history.reason == "steps"
    assert history.after < history.before


def test_symbols_are_affordable_in_three_dimensions():
    symbols = pytest.importorskip("pde.learning.symbols")
    made = TrainableMultigrid(problem((15, 15, 15)), omega=0.8)
    assert [symbols.affordable_grids(ndim, 9) for ndim in (1, 2, 3)] == [4, 4, 3]
    refused(ValueError, ("grids, frequencies", "512"), made.to_multigrid().predict, grids=4)


BAD = [
    (ValueError, ("shapes", "none"), {"shapes": []}),
    (TypeError, ("shapes must be a list", "15"), {"shapes": 15}),
    (TypeError, ("callback must be callable", "3"), {"callback": 3}),
    (ValueError, ("shape must be 2 numbers", "15"), {"shapes": [15]}),
    (ValueError, ("shape must be 2 numbers", "(15,)"), {"shapes": [(15,)]}),
    (ValueError, ("shape", "odd", "(16, 16)"), {"shapes": [(15, 15), (16, 16)]}),
    (ValueError, ("shapes", "(2, 2)", "solved directly"), {"shapes": [(2, 2)]}),
    (ValueError, ("steps", "0"), {"steps": 0}),
    (ValueError, ("batch", "0"), {"batch": 0}),
    (ValueError, ("loss must be one of", "'smoothing'"), {"loss": "smoothing"}),
    (ValueError, ("learning_rate", "-1"), {"learning_rate": -1.0}),
    (TypeError, ("seed",), {"seed": 1.5}),
    (ValueError, ("seconds", "-1"), {"seconds": -1}),
    (ValueError, ("coarse_factor must lie in (0, 1)", "1.0"), {"coarse_factor": 1.0}),
]


@pytest.mark.parametrize(("kind", "named", "options"), BAD, ids=ids(BAD))
def test_bad_input(kind, named, options):
    refused(kind, named, module(problem((15, 15))).fit, **options)


@pytest.mark.slow
def test_poisson_reaches_what_is_promised():
    made = TrainableMultigrid(problem((63, 63)))
    made.fit()
    assert made.measure_factor((63, 63)) <= 0.06
    assert made.measure_factor((1023, 1023), 20) <= 0.07
