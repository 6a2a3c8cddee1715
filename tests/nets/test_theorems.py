"""Theorems 6.1 and 8.1 on a network's own levels. Both need A linear, and nothing of B, R and Pi."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mgcore import checks
from nets import MgNetConfig
from tests.nets.networks import configs, images, network, norm, tolerance

SEEDS = st.integers(0, 2**16)
LINEAR = configs(activation="identity", batch_norm=False, form="feature", transfers="trained", pi="1")
CHECKS = (checks.theorem_6_1, checks.theorem_8_1)

# Deviations are relative to the norms of vectors that may have lost digits to cancellation: three digits for that.
CANCELLATION = 1e3


@pytest.mark.parametrize("theorem", CHECKS)
@given(st.one_of(LINEAR, configs(form="feature")), SEEDS)
@torch.no_grad()
def test_theorems(theorem, config, seed):
    """6.1: MgNet is MG0 shifted by u^0, whatever Pi is. 8.1: carrying the residual along gives the same u and f."""
    model = network(config, seed)
    f = model.stem(images(config))
    assert theorem(model.levels, f, norm) <= CANCELLATION * tolerance(config)


@pytest.mark.parametrize("theorem", CHECKS)
@torch.no_grad()
def test_theorems_fail_for_nonlinear_A(theorem):
    """They are refused for a level that is not linear, and false for one that says so wrongly."""
    config = MgNetConfig((2, 2), (4, 4), (4, 4), batch_norm=False, form="feature")
    model = network(config, seed=1)
    model.A[1] = nn.Sequential(model.A[1], nn.Softplus())
    f = model.stem(images(config))
    with pytest.raises(ValueError, match="linear"):
        theorem(model.levels, f, norm)
    assert theorem([replace(level, linear=True, zero=None) for level in model.levels], f, norm) > 1e-3
