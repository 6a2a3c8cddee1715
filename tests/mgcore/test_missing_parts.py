"""Errors for levels without a transfer, for no levels, and for maps that do not fit them."""

import numpy as np
import pytest

from mgcore import Level, descend, full_multigrid, mg0, mgnet
from tests.mgcore.choices import CYCLES, every_cycle, every_form


def identity(v, like=None):
    return v


@every_form
@every_cycle
def test_missing_transfers_are_named(form, cycle):
    f = np.ones(3)
    coarse = Level(identity, [identity])
    with pytest.raises(ValueError, match=r"^R: .* got None"):
        cycle(form([Level(identity, [identity], None, None, identity), coarse]), f)
    with pytest.raises(ValueError, match=r"^P: .* got None"):
        cycle(form([Level(identity, [identity], identity, None, None), coarse]), f)
    with pytest.raises(ValueError, match=r"^R: .* got None"):
        descend(form([Level(identity, [identity]), coarse]), f)
    assert len(descend(form([Level(identity, [identity], identity), coarse]), f)) == 2  # a descent needs no P


every_run = pytest.mark.parametrize(
    "run",
    [
        *CYCLES.values(),
        descend,
        mg0,
        mgnet,
        lambda levels, f: full_multigrid(levels, f, interpolate=[], restrict_data=[]),
    ],
)


@every_run
def test_levels_are_a_sequence(run):
    for levels in (None, Level(identity, [identity]), iter([])):
        with pytest.raises(TypeError, match=f"levels must be a sequence.*got {type(levels).__name__}"):
            run(levels, np.ones(3))


@every_run
def test_no_levels(run):
    with pytest.raises(ValueError, match="at least one level"):
        run([], np.ones(3))


@pytest.mark.parametrize(
    ("interpolate", "restrict_data", "message"),
    [([], [identity], "interpolate must hold 1"), ([identity], [identity] * 2, "restrict_data must hold 1")],
)
def test_full_multigrid_needs_a_map_per_pair(interpolate, restrict_data, message):
    levels = [Level(identity, [identity], identity, None, identity), Level(identity, [identity])]
    with pytest.raises(ValueError, match=message):
        full_multigrid(levels, np.ones(3), interpolate=interpolate, restrict_data=restrict_data)
