"""Theorem 8.3, corrected: any given plain network is an MgNet with a fixed xi, and the way back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import nets
from nets import theorems
from tests.nets.networks import BATCH_NORMS, CONVOLUTIONS, EPS

SEEDS = st.integers(0, 2**16)
SIZE = {1: 12, 2: 10, 3: 6}


@st.composite
def chi(draw, dims, c_in):
    """Any convolution: of odd or even size, with any padding, strided, dilated, grouped."""
    groups = 2 if c_in % 2 == 0 and draw(st.booleans()) else 1
    c_out = groups * draw(st.integers(1, 3))
    size = [draw(st.integers(1, 4)) for _ in range(dims)]
    options = {"stride": 1, "padding": [n // 2 for n in size], "dilation": 1, "padding_mode": "zeros"}
    if draw(st.booleans()):
        options["padding"] = draw(st.sampled_from(("same", "valid", [draw(st.integers(0, 3)) for _ in range(dims)])))
        options["dilation"] = [draw(st.integers(1, 2)) for _ in range(dims)]
    elif all(n % 2 for n in size):
        options["padding_mode"] = draw(st.sampled_from(("zeros", "circular", "replicate")))
    if options["padding"] != "same":
        options["stride"] = draw(st.integers(1, 2))
    make = CONVOLUTIONS[dims - 1]
    return make(c_in, c_out, size, groups=groups, bias=draw(st.booleans()), **options)


@st.composite
def plain_networks(draw):
    """Plain networks in either order, of up to four convolutions, with pooling, batch norm and linear layers."""
    dims, c = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    s = draw(st.sampled_from((nn.ReLU, nn.GELU, nn.SiLU, nn.Hardswish)))
    x = torch.zeros(1, c, *[SIZE[dims]] * dims)
    layers = []

    def add(layer):
        """Keep a layer that leaves something of the image."""
        nonlocal x
        try:
            y = nn.Sequential(layer).eval()(x)
        except RuntimeError:
            return False
        if y.numel() == 0 or x.shape[-1] < 3:
            return False
        x = y
        layers.append(layer)
        return True

    first = draw(st.booleans())
    for _ in range(draw(st.integers(1, 4))):
        if first:
            add(s())
        if add(draw(chi(dims, x.shape[1]))) and draw(st.booleans()):
            layers.append(BATCH_NORMS[dims - 1](x.shape[1]))
        if not first:
            add(s())
        pool = draw(st.sampled_from((None, nn.Dropout, "MaxPool", "AvgPool")))
        if isinstance(pool, str):
            add(getattr(nn, f"{pool}{dims}d")(2))
        elif pool is not None:
            layers.append(pool())
    if not any(isinstance(layer, CONVOLUTIONS) for layer in layers):
        layers.append(CONVOLUTIONS[dims - 1](x.shape[1], 2, 1))
        x = torch.zeros(1, 2, *x.shape[2:])
    if draw(st.booleans()):
        pool = getattr(nn, f"AdaptiveAvgPool{dims}d")(draw(st.integers(1, 2)))
        layers += [pool, nn.Flatten(), nn.Linear(pool(x)[0].numel(), 3), s(), nn.Linear(3, 2)]
    half = len(layers) // 2
    return nn.Sequential(nn.Sequential(*layers[:half]), *layers[half:]).double().eval(), c, dims


def bounded(network, seed):
    """Weights with maximum norm 1 for every chi, its batch norm included, and biases of at most 1/2."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
            module.weight.normal_()
            module.weight /= module.weight.abs().flatten(1).sum(1).max()
            if module.bias is not None:
                module.bias.uniform_(-0.5, 0.5)
        if isinstance(module, BATCH_NORMS):
            module.weight.uniform_(-1, 1)
            module.bias.uniform_(-0.5, 0.5)
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(1, 2)


@given(plain_networks(), SEEDS)
@torch.no_grad()
def test_a_given_network_is_an_mgnet_with_fixed_xi_and_back(case, seed):
    """A chi of norm 1 adds at most 3/2 to the size; chi - id has norm 2, and each of its sums n terms with n eps each.

    Slopes of activations are at most 1.5 (Hardswish), their values no larger than their arguments' sizes. The exact
    layers are the same on both sides, so an error only passes the layers after it: each multiplies it by 1.5 at most.
    """
    network, c, dims = case
    bounded(network, seed)
    x = torch.randn(2, c, *[SIZE[dims]] * dims, dtype=torch.float64)
    expected, mgnet = network(x), theorems.as_mgnet(network)
    layers = sum(isinstance(m, (*CONVOLUTIONS, *BATCH_NORMS, nn.Linear)) for m in network.modules())
    terms = max(eta.weight[0].numel() for steps in mgnet.eta for eta in steps)
    size = float(x.abs().max()) + 1.5 * layers
    tolerance = 4 * EPS * (terms + 8) * size * layers * 1.5 ** (2 * layers)
    back = theorems.as_plain_cnn(mgnet)
    for other in (mgnet(x), back(x)):
        assert other.shape == expected.shape
        assert float((other - expected).abs().max()) <= tolerance
    for l, xi in enumerate(mgnet.xi):  # given a priori: it depends on the channels of the grid alone
        assert torch.equal(xi.weight, theorems.fixed_xi(CONVOLUTIONS[dims - 1](n := xi.out_channels, n, 1))[0].weight)
        assert all(eta.in_channels == n for eta in mgnet.eta[l])
    assert not any(weight.requires_grad for weight in mgnet.xi.parameters())


def vgg() -> nn.Sequential:
    """Two grids of two convolutions, in the order of VGG."""
    layers = []
    for c_in, c_out in ((3, 4), (4, 6)):
        layers += [nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU(True), nn.Conv2d(c_out, c_out, 3, padding=1)]
        layers += [nn.ReLU(True), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6 * 3 * 3, 10))


def test_an_image_that_a_window_misses_has_no_pixels_left():
    """Not a negative number of them; and of the coarsest grid one pixel is enough."""
    with pytest.raises(ValueError, match="grid 2 of 2 would have 0x0 pixels, and it needs one or more; got"):
        nets.create_model("LeNet-5")(torch.zeros(2, 3, 8, 8))


@pytest.mark.parametrize(
    ("name", "grids"), [("LeNet-5", [1, 1, 3]), ("VGG[1,2,1]-[4,6,8]", [1, 2, 1, 1]), ("AlexNet", [1, 1, 3, 1])]
)
@torch.no_grad()
def test_named_networks(name, grids):
    """On images of 32 x 32; fully connected layers are the last grid. Widths of AlexNet are those of the literature."""
    model = theorems.random_network(name, 0)
    x = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    mgnet = theorems.as_mgnet(model)
    assert [len(steps) for steps in mgnet.eta] == grids
    y = model(x)
    for other in (theorems.as_sequential(model)(x), mgnet(x)):
        # at most 8 layers, sums of at most 11 * 11 * 384 terms of both signs
        assert float((other - y).abs().max()) <= 1e4 * EPS * float(y.abs().max())


@torch.no_grad()
def test_one_module_in_several_places():
    """One activation, pooling and convolution, used again and again."""
    s, K, pool = nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1).double(), nn.AvgPool2d(2)
    network = nn.Sequential(K, s, K, s, pool, nn.Sequential(K, s, pool), K, s)
    assert [len(steps) for steps in theorems.as_mgnet(network).eta] == [2, 1, 1]
    assert theorems.theorem_8_3(network, torch.randn(2, 3, 12, 12, dtype=torch.float64)) < 1e-14


def test_the_grids_are_those_of_the_network():
    """Convolutions of one size share a grid and its xi; poolings lead to the next; the linear layers have one pixel."""
    mgnet = theorems.as_mgnet(vgg())
    assert [len(steps) for steps in mgnet.eta] == [2, 2, 1]
    assert [xi.out_channels for xi in mgnet.xi] == [4, 6, 54]
    visits = [
        level.smooth(torch.zeros(1, c, 12 // 2**l, 12 // 2**l))
        for l, (level, c) in enumerate(zip(mgnet.levels[:2], (4, 6), strict=True))
    ]
    assert [v.shape for v in visits] == [(1, 4, 12, 12), (1, 6, 6, 6)]
    assert [[after for _, after in steps] for steps in mgnet.activated] == [[True, True], [True, True], [False]]


def test_the_weights_of_the_mgnet_are_its_own():
    """The given network is not changed, and training one does not train the other."""
    network = vgg().double()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    mgnet = theorems.as_mgnet(network)
    mgnet(torch.randn(2, 3, 12, 12, dtype=torch.float64)).sum().backward()
    for weight in mgnet.parameters():
        weight.data += 1
    assert all(torch.equal(before[name], weight) for name, weight in network.state_dict().items())
    assert all(eta.weight.grad is not None for steps in mgnet.eta for eta in steps)


@torch.no_grad()
def test_false_with_the_printed_sum():
    """(8.17) prints s(x) + s(-x) = x, which is |x|: equal signs on the two halves give another network."""
    network = vgg().double()
    mgnet = theorems.as_mgnet(network)
    x = torch.randn(2, 3, 12, 12, dtype=torch.float64)
    for xi in mgnet.xi:
        xi.weight.copy_(-xi.weight.abs())
    assert float((mgnet(x) - network(x)).norm()) > 0.1 * float(network(x).norm())


@torch.no_grad()
def test_false_for_other_activations():
    """s(x) - s(-x) is 2 tanh(x), not x."""
    chi = nn.Conv2d(3, 3, 3, padding=1).double()
    xi, eta = theorems.fixed_xi(chi)
    f = torch.randn(1, 3, 6, 6, dtype=torch.float64)
    assert float((f - xi(torch.relu(eta(f))) - chi(f)).abs().max()) < 1e-13
    assert float((f - xi(torch.tanh(eta(f))) - chi(f)).abs().max()) > 0.1


def test_trained_eta_has_no_way_back():
    """f - xi s(eta f) is one convolution of f only while the halves of eta are opposite."""
    mgnet = theorems.as_mgnet(vgg())
    with torch.no_grad():
        mgnet.eta[1][0].weight[0] += 1
    with pytest.raises(ValueError, match=r"halves of eta\[1\]\[0\] must be opposite"):
        theorems.as_plain_cnn(mgnet)
    mgnet = theorems.as_mgnet(vgg())
    with torch.no_grad():
        mgnet.xi[0].weight.zero_()
    with pytest.raises(ValueError, match=r"xi\[0\] must be -\[id, -id\]"):
        theorems.as_plain_cnn(mgnet)


CONV = nn.Conv2d(3, 3, 3, padding=1)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: theorems.fixed_xi(nn.Linear(3, 3)), ValueError, "chi must be a convolution"),
        (lambda: theorems.fixed_xi(nn.Conv2d(3, 4, 3, padding=1)), ValueError, "keep the channels"),
        (lambda: theorems.fixed_xi(nn.Conv2d(3, 3, 3)), ValueError, "padding that keeps the size"),
        (lambda: theorems.as_mgnet(CONV), TypeError, "got Conv2d: chain its parts in the order of forward"),
        (lambda: theorems.as_mgnet(nn.Sequential()), ValueError, "must have a convolution"),
        (
            lambda: theorems.as_mgnet(nn.Sequential(CONV, nn.Tanh())),
            ValueError,
            r"cnn\.1: a plain CNN has .*; got Tanh",
        ),
        (
            lambda: theorems.as_mgnet(nn.Sequential(nn.Sequential(CONV, nn.ConvTranspose2d(3, 3, 2)))),
            ValueError,
            r"cnn\.0\.1: a plain CNN has .*; got ConvTranspose2d",
        ),
        (
            lambda: theorems.as_mgnet(nn.Sequential(CONV, nn.BatchNorm2d(3))),
            ValueError,
            r"cnn\.1 must be in evaluation",
        ),
        (lambda: theorems.as_mgnet(nn.Sequential(CONV, nn.Dropout())), ValueError, r"cnn\.1 must be in evaluation"),
        (lambda: theorems.as_mgnet(nn.Sequential(CONV, nn.Linear(3, 3))), ValueError, "Flatten must stand before"),
        (lambda: theorems.as_mgnet(nn.Sequential(CONV, nn.Flatten(2))), ValueError, "all axes but the first"),
        (lambda: theorems.as_mgnet(nn.Sequential(CONV, nn.ReLU(), CONV, nn.GELU())), ValueError, "one activation"),
        (lambda: theorems.as_mgnet(nn.Sequential(CONV, nn.Conv2d(4, 3, 1))), ValueError, "3 channels before it"),
        (
            lambda: theorems.as_mgnet(nn.Sequential(nn.Conv2d(3, 3, 3, padding_mode="circular"))),
            ValueError,
            "must keep the size",
        ),
        (lambda: theorems.as_mgnet(vgg())(torch.zeros(3, 12, 12)), ValueError, r"x must have shape \(N, 3, n, m\)"),
        (lambda: theorems.as_mgnet(vgg())(torch.zeros(1, 4, 12, 12)), ValueError, r"got \(1, 4, 12, 12\)"),
        (
            lambda: theorems.as_mgnet(nn.Sequential(nn.Conv2d(3, 3, 5)))(torch.zeros(1, 3, 4, 9)),
            ValueError,
            "images are too small",
        ),
        (lambda: theorems.as_plain_cnn(vgg()), TypeError, "model must be a FixedXiMgNet"),
    ],
)
def test_what_is_no_plain_network_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
