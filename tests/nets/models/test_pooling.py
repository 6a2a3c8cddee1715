"""Appendix A of the 2019 constrained-linear paper: the pooling block of ResNet against restriction."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nets import theorems
from nets.models.create import create_model
from tests.nets.networks import CONVOLUTIONS, EPS, network, resnets

SEEDS = st.integers(0, 2**16)
SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=3)


def random_convolution(dims, c_in, c_out, size, **options):
    return CONVOLUTIONS[dims - 1](c_in, c_out, size, bias=False, **options).double()


@given(SIZES, st.integers(1, 3), st.integers(1, 3), st.sampled_from((1, 3, 5)), SEEDS)
@torch.no_grad()
def test_a_stride_is_subsampling(sizes, c_in, c_out, kernel, seed):
    """(6.7); both sides are the same sums, perhaps in another order."""
    torch.manual_seed(seed)
    K = random_convolution(len(sizes), c_in, c_out, kernel, stride=2, padding=kernel // 2)
    r = torch.randn(2, c_in, *sizes, dtype=torch.float64)
    bound = EPS * K.weight[0].numel() * float(r.abs().max() * K.weight.abs().flatten(1).sum(1).max())
    assert theorems.strided_is_subsampled(K, r) * float(K(r).abs().max()) <= 2 * bound


@given(SIZES, st.integers(1, 3), st.integers(1, 3), st.sampled_from((1, 3)), SEEDS)
@torch.no_grad()
def test_restriction_and_then_a_convolution_is_one_with_holes(sizes, c, c_coarse, kernel, seed):
    """(6.8)"""
    torch.manual_seed(seed)
    R = random_convolution(len(sizes), c, c_coarse, 1, stride=2)
    B = random_convolution(len(sizes), c_coarse, 2, kernel, padding=kernel // 2)
    r = torch.randn(2, c, *sizes, dtype=torch.float64)
    largest = [float(K.weight.abs().flatten(1).sum(1).max()) for K in (R, B)]
    bound = EPS * (B.weight[0].numel() + c + c_coarse) * float(r.abs().max()) * largest[0] * largest[1]
    assert theorems.restricted_is_dilated(B, R, r) * float(B(R(r)).abs().max()) <= 2 * bound


@given(resnets(B="B^l", sharing="tables", activation="relu").filter(lambda c: len(c.nu) > 1), SEEDS)
@torch.no_grad()
def test_restriction_by_1x1_is_blind_between_coarse_points(config, seed):
    """Three pixels of four change nothing on the next grid; with batch norm in evaluation mode.

    What is zero in exact arithmetic differs by the rounding of sums of 9 c terms of size at most 1 + 1/2, in two
    convolutions and as many batch norms, which may depend on the place in a batch.
    """
    model = network(config, seed)
    for l in range(len(config.nu) - 1):
        change = theorems.responses(model, l, 5)
        change[::2, ::2] = 0
        assert float(change.max()) <= 4 * EPS * (9 * max(config.channels) + 4) * 3


@pytest.mark.parametrize("kind", ["pre-act ResNet", "ResNet", "sigma-ResNet"])
@torch.no_grad()
def test_the_pooling_block_sees_every_pixel(kind):
    """The same network with B^{l,0}: a pixel anywhere changes the next grid, unless its weights there are zero."""
    model = theorems.random_network(f"{kind}[2,2]-[4,6]-A^{{l,i}}-B^l", 0, batch_norm=False)
    assert theorems.appendix_a(model) > 0.01
    assert (theorems.responses(model, 0, 6) > 0).all()
    blind = theorems.random_network(f"{kind}[2,2]-[4,6]-A^{{l,i}}-B^l", 0, batch_norm=False, sharing="tables")
    assert theorems.appendix_a(blind) <= 100 * EPS
    model.B_0[0].weight[..., ::2, ::2] = 0  # the corners see the pixels between four coarse points
    change = theorems.responses(model, 0, 6)
    assert float(change[1::2, 1::2].max()) <= 100 * EPS
    assert (change[::2] > 0).all()


@torch.no_grad()
def test_the_restriction_of_mgnet_sees_every_pixel():
    """R of MgNet is 3 x 3: the one-pixel example of the appendix is restricted to something."""
    R = create_model("MgNet[1,1]-[4]-B^l").R[0]
    for place in ((1, 1), (2, 1), (1, 2)):
        pixel = torch.zeros(1, 4, 6, 6)
        pixel[..., place[0], place[1]] = 1
        assert R(pixel).any()


MODEL = theorems.random_network("pre-act ResNet[2,2]-[4,6]", 0)
R = torch.zeros(1, 4, 4, 4, dtype=torch.float64)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: theorems.responses(MODEL, 1, 4), r"l must be a grid with a coarser one, 0 \.\.\. 0; got 1"),
        (lambda: theorems.restricted_is_dilated(MODEL.B[1][0], MODEL.B_0[0], R), "R must be a 1 x 1 convolution"),
        (lambda: theorems.restricted_is_dilated(nn.Identity(), MODEL.R[0], R), "without bias; got Identity"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_training_mode_is_refused():
    """The statistics of a batch depend on every pixel."""
    model = theorems.random_network("pre-act ResNet[2,2]-[4,6]", 0).train()
    with pytest.raises(ValueError, match="evaluation mode"):
        theorems.appendix_a(model)
