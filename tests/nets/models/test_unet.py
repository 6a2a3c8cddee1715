"""A U-Net with one convolution per stage is a V-MgNet with Pi = 0."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mgcore
from nets import theorems
from tests.nets.networks import CONVOLUTIONS, EPS, TRANSPOSED

SEEDS = st.integers(0, 2**16)


@st.composite
def unets(draw):
    """U-Nets whose convolutions have maximum norm 1 and biases of at most 1/2, and images of any size."""
    dims = draw(st.integers(1, 3))
    channels = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4 if dims < 3 else 3))
    torch.manual_seed(draw(SEEDS))
    unet = theorems.UNet(channels, draw(st.integers(1, 3)), draw(st.integers(1, 3)), dims).double()
    with torch.no_grad():
        for module in unet.modules():
            if isinstance(module, CONVOLUTIONS):
                module.weight /= module.weight.abs().flatten(1).sum(1).max()
                module.bias.uniform_(-0.5, 0.5)
            if isinstance(module, TRANSPOSED):
                module.weight /= module.weight.abs().transpose(0, 1).flatten(1).sum(1).max()
    least = 2 ** (len(channels) - 1)
    size = [draw(st.integers(least, least + 5)) for _ in range(dims)]
    return unet, torch.randn(2, unet.encode[0].in_channels, *size, dtype=torch.float64)


def tolerance(unet, x):
    """3 J + 1 operators of norm 1, each of which rounds a sum of n terms; values grow by 1/2 at most in each."""
    J, terms = len(unet.channels), 3**unet.dims * 2 * max(*unet.channels, x.shape[1])
    size = float(x.abs().max()) + 0.5 * (3 * J + 1)
    return 2 * EPS * (3 * J + 1) * terms * size


@given(unets())
@torch.no_grad()
def test_a_unet_is_a_v_mgnet(case):
    unet, x = case
    y = unet(x)
    bound = tolerance(unet, x) / float(y.abs().max())
    assert theorems.unet_is_v_mgnet(unet, x) <= bound


@given(unets())
@torch.no_grad()
def test_concatenation_is_a_sum(case):
    """W [a, b] = W_1 a + W_2 b; features of the finest grid are the skip, z and s(z)."""
    unet, x = case
    levels, c = theorems.unet_levels(unet), unet.channels[0]
    f = torch.cat((x, x.new_zeros(2, 3 * c, *x.shape[2:])), 1)
    a, z, o = mgcore.v_cycle(levels, f).split(c, 1)
    bound = tolerance(unet, x)
    assert float((a - torch.relu(unet.encode[0](x))).abs().max()) <= bound
    if len(levels) == 1:
        assert torch.equal(o, a)
        return
    coarse = levels[0].R(levels[0].residual(levels[0].smooth(levels[0].start(f))))
    below = mgcore.v_cycle(levels[1:], coarse)[:, -unet.channels[1] :]
    both = torch.cat((a, unet.up[0](below, output_size=x.shape[2:])), 1)
    assert float((unet.decode[0](both) - z).abs().max()) <= bound
    assert torch.equal(o, torch.relu(z))


def example():
    torch.manual_seed(0)
    unet = theorems.UNet((4, 6, 5)).double()
    x = torch.randn(2, 3, 13, 8, dtype=torch.float64)
    f = torch.cat((x, x.new_zeros(2, 12, 13, 8)), 1)
    return unet, x, theorems.unet_levels(unet), f


@torch.no_grad()
def test_pi_changes_nothing():
    """Theorem 6.1: with a random Pi instead of Pi = 0 the V-cycle ends with the same features."""
    _, _, levels, f = example()
    expected = mgcore.v_cycle(levels, f)
    for l in (0, 1):
        W = torch.randn(3 * (6, 5)[l], 3 * (4, 6)[l], 1, 1, dtype=torch.float64) / 4
        levels[l] = replace(
            levels[l],
            Pi=lambda u, W=W: torch.nn.functional.conv2d(u, W, stride=2)[..., : u.shape[-2] // 2, : u.shape[-1] // 2],
        )
    assert any(v.u0 is not None for v in mgcore.descend(levels, f))
    assert float((mgcore.v_cycle(levels, f) - expected).abs().max()) < 1e-13 * float(expected.abs().max())


@pytest.mark.parametrize("part", ["P", "B_post", "B"])
@torch.no_grad()
def test_every_part_counts(part):
    """Without the correction, the post-smoothing or z <- W_1 a it is another network."""
    unet, x, levels, f = example()
    other = {"P": lambda e, like: 0 * like, "B_post": (), "B": levels[0].B[:1]}[part]
    levels[0] = replace(levels[0], **{part: other})
    y = unet(x)
    assert float((unet.head(mgcore.v_cycle(levels, f)[:, -4:]) - y).abs().max()) > 0.01 * float(y.abs().max())


@pytest.mark.parametrize(
    ("channels", "error", "words"),
    [
        ((), ValueError, "channels must hold at least one grid"),
        ("8", TypeError, "channels must be a sequence of integers"),
        ((8.0, 4), TypeError, r"channels\[0\] must be an integer >= 1; got 8.0"),
        ((8, 0), ValueError, r"channels\[1\] must be an integer >= 1; got 0"),
    ],
)
def test_channels_are_positive_integers(channels, error, words):
    with pytest.raises(error, match=words):
        theorems.UNet(channels)
