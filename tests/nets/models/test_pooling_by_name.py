"""Average and maximum pooling, nodal values and means as R or Pi by name, against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nets
from nets import MgNetConfig
from tests.nets.models.test_padding import PADDINGS, random, windows
from tests.nets.networks import EPS

FIXED = ("nodal", "average", "bilinear", "maximum")


def pooled(kind, x, padding):
    """The formulas on an array; a mean by name is over the pixels there are."""
    if kind == "nodal":
        return x.numpy()[(..., *[slice(None, None, 2)] * (x.ndim - 2))]
    if kind == "maximum":
        return np.max([v for _, v in windows(x, "reflect" if padding == "zeros" else padding, 2)], axis=0)
    line = {"average": (1, 1, 1), "bilinear": (0.5, 1, 0.5)}[kind]
    weights = [np.prod([line[p] for p in offset]) for offset, _ in windows(x, padding, 2)]
    sums, ones = (
        sum(w * v for w, (_, v) in zip(weights, windows(t, padding, 2), strict=True)) for t in (x, torch.ones_like(x))
    )
    return sums / ones


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kind", FIXED)
def test_pi_by_name(kind, padding, dims):
    model = nets.create_model(f"MgNet[1,1]-[2]-B^l-Pi_{kind}", dims=dims, padding=padding).double()
    assert not list(model.Pi.parameters()) + list(model.norm_Pi.parameters())
    x = random(2, 2, *(9, 8, 7)[:dims])
    bound = 4 * 3**dims * EPS * float(x.abs().max())  # two sums of 3^dims products each, divided
    np.testing.assert_allclose(model.Pi[0](x).numpy(), pooled(kind, x, padding), rtol=0, atol=bound)
    assert nets.create_model(str(model.config)).config == model.config
    assert model.config.notation == f"MgNet[1,1]-[2]-B^l-Pi_{kind}"


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("transfers", ["average", "maximum"])
def test_transfers_by_name(transfers, padding):
    """R is (4.15) with this padding, or (4.16); Pi_1 is the same, where it is an average of the pixels there are."""
    model = nets.create_model("MgNet[1,1]-[2]-B^l", transfers=transfers, padding=padding).double()
    assert not list(model.R.parameters()) + list(model.Pi.parameters())
    x = random(2, 2, 9, 8)
    average = sum(v for _, v in windows(x, padding, 2)) / 9
    expected = average if transfers == "average" else pooled("maximum", x, padding)
    bound = 4 * 9 * EPS * float(x.abs().max())
    np.testing.assert_allclose(model.R[0](x).numpy(), expected, rtol=0, atol=bound)
    np.testing.assert_allclose(model.Pi[0](x).numpy(), pooled(transfers, x, padding), rtol=0, atol=bound)
    assert model(random(2, 3, 9, 8)).shape == (2, 10)


def test_names_and_costs():
    model = nets.create_model("MgNet[2,1]-[4]-B^l-Pi_maximum, transfers=average, num_classes=3")
    assert str(model.config) == "MgNet[2,1]-[4]-B^l-Pi_maximum, num_classes=3, transfers=average"
    row = nets.summary(model, (3, 8, 8)).rows[2]
    A_B = 2 * 9 * 4 * 4
    assert row.parameters == A_B + 3 * 2 * 4  # A, B, and the batch norms of R and of one sweep
    assert row.multiply_adds == 4 * 4 * (9 * 4 + 9 * 4 * 4)  # R on every channel, and B: one sweep needs no A


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pi": "mean"}, "pi must be '0' or .* or 'nodal' or 'average' or 'bilinear' or 'maximum'; got 'mean'"),
        ({"pi": "average", "channels_u": (4, 8)}, "channels_u must be equal on all grids for Pi_average, which keeps"),
        (
            {"transfers": "maximum", "channels_f": (4, 8)},
            'channels_f must be equal on all grids for transfers="maximum"',
        ),
        ({"transfers": "average", "pi": "2"}, 'transfers="average" fixes Pi, and pi="2" trains it'),
        ({"transfers": "max"}, "transfers must be 'trained' or .* or 'maximum'; got 'max'"),
        ({"transfers": "average", "family": "V-MgNet"}, "transfers must be 'trained' or 'bilinear' or 'linear' in the"),
        ({"pi": "nodal", "family": "GDFI", "extractor": "variable"}, "pi must be '1' in the family \"GDFI\""),
    ],
)
def test_bad_values(changes, words):
    with pytest.raises(ValueError, match=words):
        MgNetConfig(**{"nu": (1, 1), "channels_u": (4, 4), "channels_f": (4, 4), **changes})
