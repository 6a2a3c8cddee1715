"""Theorem 6.1 where A is not linear: the part that survives, and where it ends."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given

from nets import theorems
from tests.nets.networks import all_configs, images, network, tolerance
from tests.nets.theorems.test_theorems import CANCELLATION, SEEDS, SMALL


@given(all_configs(), SEEDS)
@torch.no_grad()
def test_the_part_of_theorem_6_1_that_any_A_leaves(config, seed):
    """The first two grids are shifted by u^0 until the second sweep on grid 2; with linear A all of them are."""
    config = replace(config, iteration="single", form="feature", pi=config.pi if config.pi != "0" else "1")
    model = network(config, seed)
    assert theorems.theorem_6_1_nonlinear(model, images(config)) <= SMALL * CANCELLATION * tolerance(config)
    if config.linear:
        assert max(theorems.beyond_theorem_6_1(model, images(config))) <= SMALL * CANCELLATION * tolerance(config)


@torch.no_grad()
def test_theorem_6_1_ends_with_the_second_sweep_on_grid_2():
    x = torch.randn(2, 3, 16, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for nu, differs in (("[2,1,1]", [False, False, True]), ("[2,2,1]", [False, True, True])):
        model = theorems.random_network(f"MgNet{nu}-[(4,6)]-B^{{l,i}}-A:xi.sigma.eta", 0, batch_norm=False)
        assert theorems.theorem_6_1_nonlinear(model, x) <= 1e-13
        gaps = theorems.beyond_theorem_6_1(model, x)
        assert [gap > 1e-3 for gap in gaps] == differs
    resnet = theorems.random_network("ResNet[2,2]-[4]", 0)
    for theorem in (theorems.theorem_6_1_nonlinear, theorems.beyond_theorem_6_1):
        with pytest.raises(ValueError, match="needs an MgNet"):
            theorem(resnet, x)
