"""Pi by name, u >= 0, the average as a grid, and shifts of periodic images."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets import theorems
from nets.naming.grammar import PI
from tests.nets.families import FAMILIES, create
from tests.nets.networks import EPS, configs, images, network, tolerance

SEEDS = st.integers(0, 2**16)
FIXED = ("nodal", "average", "bilinear", "maximum")
SMALL = 1e3  # relative to the largest value on any grid: states are bounded by norms, values may be smaller by much


def with_fixed_pi(data, **settings):
    """A configuration with Pi_nodal, ..., Pi_maximum and any padding, with as many features on all grids."""
    config = data.draw(configs(pi="1", transfers="trained", **settings))
    padding, pi = data.draw(st.sampled_from(("zeros", "reflect", "circular"))), data.draw(st.sampled_from(FIXED))
    return replace(config, pi=pi, channels_u=config.channels_u[:1] * len(config.nu), padding=padding)


@given(st.data(), SEEDS)
@torch.no_grad()
def test_theorem_6_1_for_every_fixed_pi(data, seed):
    """Also for the maximum, which is not linear: A alone must be."""
    config = with_fixed_pi(data, form="feature")
    # the reflected norm of a mean is at most 1, and images leave the coarsest of three grids two pixels
    assert theorems.theorem_6_1(network(config, seed), images(config)) <= SMALL * tolerance(config)


@given(st.data(), SEEDS)
@torch.no_grad()
def test_a_fixed_pi_keeps_constants_and_u_not_negative(data, seed):
    config = with_fixed_pi(data, transfer_activation=False, activation="relu", iteration="single")
    model = network(config, seed)
    assert theorems.constants_kept(model, images(config)) <= 2 * 3**config.dims * EPS
    assert theorems.negative_features(model, images(config)) == 0


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_constants_and_padding(dims):
    """K_R / 2^dims as Pi_1 loses a quarter at each low side between zeros, and nothing between reflections."""
    name, x = "MgNet[1,1,1]-[2]-B^l", torch.zeros(1, 3, *(8, 12, 8)[:dims])
    lost = {
        padding: theorems.constants_kept(nets.create_model(name, dims=dims, transfers="bilinear", padding=padding), x)
        for padding in ("zeros", "reflect", "circular")
    }
    assert lost == {"zeros": 1 - 0.75**dims, "reflect": 0, "circular": 0}


@torch.no_grad()
def test_u_may_be_negative_without_s_around_a_trained_pi():
    x = torch.randn(2, 3, 16, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for pi, around in ((pi, around) for pi in PI for around in (True, False)):
        model = theorems.random_network(f"MgNet[2,2,2]-[4]-B^{{l,i}}-{pi}", 0, transfer_activation=around)
        assert (theorems.negative_features(model, x) > 0.01) == (pi in ("Pi_1", "Pi_2") and not around)


@given(configs(), st.sampled_from(("zeros", "reflect", "circular")), SEEDS)
@torch.no_grad()
def test_the_average_is_a_grid(config, padding, seed):
    """Means of at most 7 * 8 * 9 values, and a head of at most 4 terms; the descent is the same, but for its form."""
    config = replace(config, padding=padding, num_classes=3)
    assert theorems.average_is_a_grid(network(config, seed), images(config)) <= SMALL * tolerance(config)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_circular_padding_commutes_with_shifts(family):
    """All values are the same sums in the same order, but where an implementation splits them by their position."""
    torch.manual_seed(0)
    model = create(family, padding="circular").double().eval()
    x = torch.randn(1, 3, 8, 12, dtype=torch.float64)
    assert theorems.circular_shifts(model, x) <= 1e-12  # some 20 operations of 100 terms each
    other = create(family, padding="reflect").double().eval()
    other.load_state_dict(dict(model.state_dict()))
    other.config = model.config  # padded by reflection all the same
    assert theorems.circular_shifts(other, x) > 1e-4


def test_bad_arguments():
    x = torch.zeros(1, 3, 8, 12)
    with pytest.raises(ValueError, match=r"\(3.9\) needs padding='circular'; got 'zeros' in MgNet"):
        theorems.circular_shifts(nets.create_model("MgNet[1,1]-[2]-B^l"), x)
    with pytest.raises(ValueError, match=r"x must have a multiple of 8 pixels along every axis; got .1, 3, 8, 12."):
        theorems.circular_shifts(nets.create_model("MgNet[1,1,1,1]-[2]-B^l", padding="circular"), x)
    with pytest.raises(ValueError, match=r"\(1.2\) needs an MgNet; got ResNet"):
        theorems.negative_features(nets.create_model("ResNet[1]-[2]"), x)
    with pytest.raises(ValueError, match=r"section 9.1 needs a linear A; got MgNet"):
        theorems.average_is_a_grid(nets.create_model("MgNet[1]-[2]-B^l-A:xi.sigma.eta"), x)
    with pytest.raises(ValueError, match=r"section 9.1 needs family='MgNet' or 'GDFI'; got 'V-MgNet'"):
        theorems.average_is_a_grid(nets.create_model("V-MgNet[1,1]-[2]-B^l"), x)
