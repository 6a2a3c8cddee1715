"""The comparison models: LeNet-5, AlexNet, VGG and WideResNet."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import nets
from tests.nets.networks import EPS, images, network, plains

# parameters of the published networks, from their own papers or reference implementations
COUNTS = [
    ("LeNet-5", {"in_channels": 1}, 61_706),
    ("AlexNet", {}, 2_472_266),
    ("AlexNet", {"num_classes": 100}, 2_495_396),
    ("AlexNet", {"input": "imagenet", "num_classes": 1000}, 60_965_224),
    ("VGG11", {"input": "imagenet", "num_classes": 1000}, 132_863_336),
    ("VGG13", {"input": "imagenet", "num_classes": 1000}, 133_047_848),
    ("VGG16", {"input": "imagenet", "num_classes": 1000}, 138_357_544),
    ("VGG19", {"input": "imagenet", "num_classes": 1000}, 143_667_240),
    ("VGG19", {"input": "imagenet", "num_classes": 1000, "batch_norm": True}, 143_678_248),
    ("VGG19", {}, 20_040_522),
    ("VGG19", {"num_classes": 100}, 20_086_692),
    ("WideResNet28*10", {}, 36_479_194),
    ("WideResNet28*10", {"num_classes": 100}, 36_536_884),
    ("WideResNet28*2", {}, 1_467_610),
    ("WideResNet40*2", {"num_classes": 100}, 2_255_156),
]
SMALL = ["LeNet-5", "VGG[2,1]-[2,3]", "DenseNet[2,1]-[(3,2),(4,1)]", "LM-ResNet[2,3]-[3,4]-A^l", "WideResNet10*1"]


@pytest.mark.parametrize(("name", "settings", "count"), COUNTS)
def test_parameters(name, settings, count):
    with torch.device("meta"):
        assert nets.parameters(nets.create_model(name, **settings)) == count


def sequential(model):
    """The network as torch's own layers one after the other, with the weights of `model`."""
    plan, s = model.config.plan, model.s
    kind, size, stride = plan.pool
    pool = nn.functional.max_pool2d if kind == "max" else nn.functional.avg_pool2d

    def run(x):
        for l, layers in enumerate(plan.grids):
            for i, layer in enumerate(layers):
                conv, norm = (
                    (model.stem.conv, model.stem.norm)
                    if l == i == 0
                    else (model.chi[l][i - (l == 0)], model.norm[l][i - (l == 0)])
                )
                x = nn.functional.conv2d(x, conv.weight, conv.bias, layer.stride, layer.padding, groups=layer.groups)
                x = s[l](norm(x))
            x = pool(x, size, stride, ceil_mode=True)
        x = nn.functional.adaptive_avg_pool2d(x, plan.pixels).flatten(1)
        for linear in model.hidden:
            x = s[-1](linear(x))
        return model.head(x)

    return run


@given(plains(("LeNet-5", "VGG")), st.integers(0, 2**16))
@torch.no_grad()
def test_levels_and_head_are_the_network(config, seed):
    model = network(config, seed)
    x = images(config, 24)
    expected, got = sequential(model)(x), model(x)
    assert float((got - expected).abs().max()) <= 1e3 * EPS * max(1, float(expected.abs().max()))


@torch.no_grad()
def test_alexnet():
    model = network(nets.naming.lookup.configuration("AlexNet"))
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(model(x), sequential(model)(x))


@pytest.mark.parametrize(
    ("name", "input", "size", "pixels", "pooled"),
    [
        ("LeNet-5", "cifar", 32, [28, 10], 5),
        ("AlexNet", "cifar", 32, [8, 4, 2], 1),
        ("AlexNet", "imagenet", 224, [55, 27, 13], 6),
        ("VGG19", "cifar", 32, [32, 16, 8, 4, 2], 1),
        ("VGG19", "imagenet", 224, [224, 112, 56, 28, 14], 7),
    ],
)
def test_at_the_size_of_the_literature_nothing_is_averaged(name, input, size, pixels, pooled):
    with torch.device("meta"):
        model = nets.create_model(name, input=input)
        u = model.forward_features(torch.empty(1, 3, size, size))
        assert model.R[-1](u).shape[2:] == (pooled, pooled)
    assert [n for n, _ in model.grid_sizes((size, size))] == pixels
    assert model.config.plan.pixels == pooled


@given(plains(("LeNet-5", "VGG", "AlexNet")), st.integers(1, 40), st.integers(1, 40))
@torch.no_grad()
def test_any_size_runs_or_is_refused(config, height, width):
    """The sizes that `grid_sizes` says are those of the run."""
    with torch.device("meta"):
        model = nets.models.registry.network(config).eval()
        x = torch.empty(1, config.in_channels, height, width)
        sizes = model.grid_sizes((height, width))
        if min(map(min, sizes)) < 1 or any(max(size) <= 1 for size in sizes[:-1]):
            with pytest.raises(ValueError, match="x is too small: grid"):
                model(x)
            return
        assert [tuple(visit.u.shape[2:]) for visit in model.visits(x)] == sizes
        assert model(x).shape[0] == 1


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("name", [*SMALL, "AlexNet"])
def test_dimensions(name, dims):
    """No storage: AlexNet's first kernel has 11^3 values in three dimensions."""
    with torch.device("meta"):
        model = nets.create_model(name, dims=dims, num_classes=5)
        x = torch.empty(2, 3, *(21 + i for i in range(dims)))
        assert model(x).shape == (2, 5)
        assert [tuple(v.u.shape[2:]) for v in model.visits(x)] == model.grid_sizes(x.shape[2:])


@torch.no_grad()
def test_saved_settings_make_lenet_again():
    model = nets.create_model("LeNet-5", num_classes=3, activation="hat:3").eval()
    again = nets.models.registry.network(
        nets.naming.lookup.configuration(str(model.config), **model.config.settings())
    ).eval()
    again.load_state_dict(model.state_dict())
    x = torch.randn(2, 3, 28, 28)
    assert torch.equal(again(x), model(x))
    again.reset_classifier(0)
    assert again(x).shape == (2, 84)
    assert [(info.channels, info.stride) for info in model.feature_info] == [(6, 1), (16, 2)]


@pytest.mark.parametrize("name", ["VGG[2,1]-[4,4]", "DenseNet[2,2]-[4]", "LM-ResNet[2,2]-[4]", "WideResNet[1,1]-[4]"])
def test_trains(name):
    """Eight steps of gradient descent on one batch lower its loss."""
    torch.manual_seed(0)
    model = nets.create_model(name, num_classes=3, in_channels=1)
    x, y = torch.randn(12, 1, 8, 8), torch.arange(12) % 3
    losses = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(8):
        loss = nn.functional.cross_entropy(model(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]


def test_batch_norm_is_that_of_the_literature_unless_told():
    def norms(name, **settings):
        with torch.device("meta"):
            model = nets.create_model(name, **settings)
        return sum(isinstance(m, nn.BatchNorm2d) for m in model.modules())

    assert norms("VGG19") == 16
    assert norms("VGG19", input="imagenet") == norms("AlexNet") == norms("LeNet-5") == 0
    assert norms("VGG19", batch_norm=False) == 0
    assert norms("AlexNet", batch_norm=True) == 5
