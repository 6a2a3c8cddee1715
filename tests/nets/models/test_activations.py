"""Activations: the hat's two scalings, its trained support, and state per grid in every network."""

from math import log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import nets
from nets.models.activations import Hat, create_activations
from nets.naming import values as names
from nets.naming.values import LARGEST, LEAST
from tests.nets.networks import ACTIVATIONS, EPS, all_configs, network

POINTS = torch.linspace(-3, 12, 301, dtype=torch.float64)


@given(st.floats(0.1, 10))
def test_hat_of_unit_slope_is_relu_up_to_half_its_support(support):
    y = Hat(support)(POINTS)
    half = support / 2
    assert torch.equal(y[half >= POINTS], torch.relu(POINTS[half >= POINTS]))
    assert not y[support <= POINTS].any()
    assert float(y.max()) <= half
    # symmetric about half the support, where both arguments are rounded once
    torch.testing.assert_close(Hat(support)(support - POINTS), y, rtol=0, atol=4 * EPS * 12)


@given(st.floats(0.1, 10))
def test_hat_of_unit_height_is_the_scaled_hat(support):
    """phi(x / s), with phi(t) = 2 t on [0, 1/2] and 2 (1 - t) on [1/2, 1]."""
    t = POINTS / support
    phi = torch.where(t < 0.5, 2 * t, 2 - 2 * t).clamp(min=0) * (t > 0)
    got = Hat(support, unit_height=True)(POINTS)
    torch.testing.assert_close(got, phi, rtol=0, atol=8 * EPS * (1 + float(t.max())))
    assert float(Hat(support, unit_height=True)(torch.tensor(support / 2))) == pytest.approx(1)


@pytest.mark.parametrize("unit_height", [False, True])
def test_support_is_trained_and_stays_positive(unit_height):
    hat = Hat(3.0, unit_height=unit_height, trained=True).double()
    x = torch.tensor([0.3, 1.1, 1.9, 2.7], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda s: torch.func.functional_call(hat, {"log_support": s}, (x,)),
        (torch.tensor(log(3.0), dtype=torch.float64, requires_grad=True),),
    )
    optimizer = torch.optim.SGD(hat.parameters(), lr=0.1)
    for _ in range(20):
        hat(x).sum().backward()
        optimizer.step()
    assert float(hat.support.detach()) > 0


OF_SEVERAL_VALUES = {"GLU", "Softmax", "Softmin", "LogSoftmax", "Softmax2d"}
WITH_ARGUMENTS, BY_CHANCE = {"Threshold", "MultiheadAttention"}, {"RReLU"}


def test_every_activation_of_torch_that_can_have_a_name_has_one():
    x = torch.randn(4, 6, dtype=torch.float64)
    for name in names.ACTIVATIONS:
        module = create_activations(name, 1)[0].double()
        assert type(module).__module__.startswith("torch.nn")
        assert type(module).__name__.lower() == name
        torch.testing.assert_close(module.train()(x)[1:2, 2:3], module(x[1:2, 2:3]))
    without = OF_SEVERAL_VALUES | WITH_ARGUMENTS | BY_CHANCE
    assert {name.lower() for name in {*nn.modules.activation.__all__} - without} == {*names.ACTIVATIONS} - {"identity"}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("SiLU", "silu"),
        ("leaky_relu", "leakyrelu"),
        ("Hard-Swish", "hardswish"),
        ("swish", "silu"),
        ("LogSigmoid",) * 2,
    ],
)
def test_spellings(written, name):
    model = nets.create_model("MgNet[1]-[2]-B^l", activation=written)
    assert model.config.activation == name.lower()
    assert nets.create_model(f"MgNet[1]-[2]-B^l, activation={written}").config == model.config


@pytest.mark.parametrize("written", ["softmax", "rrelu", "glu", "leakyrelu:0.1", "torch.nn.SiLU", "", "hats"])
def test_names_that_are_none(written):
    with pytest.raises(ValueError, match=r"activation must be 'relu', .*got"):
        nets.MgNetConfig((1,), (2,), (2,), activation=written)


@pytest.mark.parametrize("name", names.ACTIVATIONS)
def test_a_network_trains_with_every_activation(name):
    model = nets.create_model("ResNet[1,1]-[3,4]", activation=name)
    model(torch.randn(4, 3, 6, 6)).square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for key, p in model.named_parameters() if "norm" not in key)


def test_names():
    assert [a.support for a in create_activations("hat", 3)] == [5, 10, 15]
    assert [a.support for a in create_activations("hat:7", 3)] == [7, 7, 7]
    assert [a.support for a in create_activations("hat-height:20,15,10,5", 4)] == [20, 15, 10, 5]
    trained = create_activations("hat-trained:5,10", 2)
    assert [round(float(a.support.detach()), 4) for a in trained] == [5, 10]


@pytest.mark.parametrize(
    ("activation", "extra"), [("relu", 0), ("prelu", 4), ("hat:5,10,15,20", 0), ("hat-trained", 4)]
)
def test_a_trained_activation_has_one_parameter_per_grid(activation, extra):
    name = "MgNet[1,1,1,1]-[2]-B^l"
    assert nets.parameters(nets.create_model(name, activation=activation)) == extra + nets.parameters(
        nets.create_model(name)
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_train(activation):
    model = nets.create_model("MgNet[1,1]-[4]-B^l", activation=activation)
    model(torch.randn(4, 3, 8, 8)).square().sum().backward()
    without = {name for name, p in model.named_parameters() if p.grad is None}
    assert without == {"A.1.weight"}  # the last A d is never computed


@given(all_configs())
@torch.no_grad()
def test_activations_stand_per_grid(config):
    """Replacing the activation of the coarsest grid leaves the finer ones alone."""
    model = network(config)
    x = torch.randn(1, config.in_channels, 6, 7, dtype=torch.float64)
    before = model.visits(x)
    model.s[-1] = torch.nn.Tanh()
    after = model.visits(x)
    for a, b in list(zip(before, after, strict=True))[:-1]:
        assert (a.u is None and b.u is None) or torch.equal(a.u, b.u)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("support", [LEAST, LARGEST])
@pytest.mark.parametrize("trained", [False, True])
def test_every_support_that_is_allowed_works_in_every_precision(dtype, support, trained):
    """Values and gradients are finite, and the peak of unit height is 1 up to the roundings of its few operations."""
    hat = Hat(support, unit_height=True, trained=trained).to(dtype)
    x = (torch.linspace(0, 1, 65) * support).to(dtype).requires_grad_()
    y = hat(x)
    y.mean().backward()
    assert y.isfinite().all()
    assert all(v.grad.isfinite().all() for v in (x, *hat.parameters()))
    exponent = 1 + abs(log(support))  # exp of a rounded logarithm
    rounding = 4 * exponent * torch.finfo(dtype).eps
    assert float(y.max().detach()) == pytest.approx(1, abs=rounding)
