"""Multi-step and Chebyshev iterations of a network: constraints by construction, and what they reduce to."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets.models.iterations import MultiStep
from tests.nets.networks import EPS, images, network, norm

SEEDS = st.integers(0, 2**16)


@given(st.integers(1, 6), SEEDS, st.floats(0, 30))
def test_trained_multi_step_weights_are_convex(nu, seed, size):
    torch.manual_seed(seed)
    iteration = MultiStep(nu).double()
    for logits in iteration.parameters():
        torch.nn.init.normal_(logits, std=size)
    with torch.no_grad():
        rows = iteration.weights()
    assert [len(row) for row in rows] == list(range(1, nu + 1))
    for row in rows:
        assert all(a >= 0 for a in row)
        assert abs(float(sum(row)) - 1) <= 2 * len(row) * EPS


@pytest.mark.parametrize(
    ("iteration", "given_weights"),
    [("chebyshev", "chebyshev:1,1,1"), ("multi-step", "multi-step:1;0.5,0.5;%r,%r,%r" % ((1 / 3,) * 3))],
)
def test_start_of_trained_weights(iteration, given_weights):
    """Trained weights start as the single step (Chebyshev) and as the mean (multi-step)."""
    trained, fixed = (
        nets.create_model("MgNet[3,2]-[4]-B^{l,i}", iteration=i).double() for i in (iteration, given_weights)
    )
    state = {name: w for name, w in trained.state_dict().items() if not name.startswith("iteration")}
    fixed.load_state_dict(state)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(fixed.eval()(x), trained.eval()(x))


@pytest.mark.parametrize("iteration", ["chebyshev:1,1,1", "multi-step:1;0,1;0,0,1"])
@torch.no_grad()
def test_weights_of_the_last_iterate_alone_are_the_single_step(iteration):
    single = network(nets.MgNetConfig((3, 2), (4, 4), (4, 4), "constant", batch_norm=False))
    other = nets.MgNet(nets.MgNetConfig((3, 2), (4, 4), (4, 4), "constant", batch_norm=False, iteration=iteration))
    other = other.double().eval()
    other.load_state_dict(single.state_dict(), strict=False)
    x = images(single.config)
    assert norm(other(x) - single(x)) <= 100 * EPS * norm(single(x))


def test_uses_of_the_multi_step():
    """Sweep i has i extractors B_j^i, each use with its own batch norm: (6.8)."""
    model = nets.create_model("MgNet[3,1]-[2]-B^{l,i}", iteration="multi-step")
    assert [len(B) for B in model.B] == [6, 1]
    assert [len(norms) for norms in model.norm_u] == [6, 1]
    assert [len(B) for B in nets.create_model("MgNet[3,1]-[2]-B^l", iteration="multi-step").B] == [1, 1]
    assert [len(logits) for logits in model.iteration[0].logits] == [2, 3]


@pytest.mark.parametrize("iteration", ["multi-step", "chebyshev"])
def test_trained_weights_have_gradients(iteration):
    model = nets.create_model("MgNet[3,2]-[4]-B^l", iteration=iteration)
    model(torch.randn(4, 3, 8, 8)).square().sum().backward()
    weights = [p for name, p in model.named_parameters() if name.startswith("iteration")]
    assert weights
    assert all(p.grad.abs().max() > 0 for p in weights)


SCHEMES = ("K", "K.sigma", "sigma.K", "sigma.K.sigma")


@pytest.mark.parametrize("A", SCHEMES)
@pytest.mark.parametrize("B", SCHEMES)
def test_the_16_schemes(A, B):
    """One batch norm after each use of a convolution by default; transitions have no activation."""
    model = nets.create_model(f"GDFI[2,1]-[4,6]-A:{A}-B:{B}")
    assert str(model.config) == f"GDFI[2,1]-[4,6]-A:{A}-B:{B}"
    assert not model.config.transfer_activation
    assert sum(isinstance(m, torch.nn.Conv2d) for m in model.modules()) == 1 + 2 + 3 + 2
    # A is used for u^0, u^1, u^2 on the finer grid and u^0 on the coarser
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules()) == 1 + 4 + 3 + 2
    y = model(torch.randn(4, 3, 8, 8))
    y.square().sum().backward()
    assert torch.isfinite(y).all()
