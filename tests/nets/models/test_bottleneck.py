"""Bottleneck ResNets: the counts of the literature, and the forward pass against code that shares nothing."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import mgcore
import nets
from tests.nets import by_hand

COUNTS = {  # of torchvision, timm and the papers, with 1000 classes
    "ResNet50": 25_557_032,
    "ResNet101": 44_549_160,
    "ResNet152": 60_192_808,
    "WideResNet50*2": 68_883_240,
    "WideResNet101*2": 126_886_696,
}


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_counts_of_the_literature(name, count):
    with torch.device("meta"):
        model = nets.create_model(name, num_classes=1000, input="imagenet")
    assert nets.parameters(model) == count
    assert model.config.notation == name
    assert model.feature_info.channels() == [256, 512, 1024, 2048]
    assert model.feature_info.reduction() == [4, 8, 16, 32]


def test_multiply_adds_of_the_literature():
    """4.09 G of ResNet50 with the stride in the 3 x 3 convolution; 3.86 G with it in the 1 x 1."""
    with torch.device("meta"):
        model = nets.create_model("ResNet50", num_classes=1000, input="imagenet")
    assert nets.multiply_adds(model, (3, 224, 224)) == 4_089_184_256


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Bottleneck[2,1,2]-[3,4,2]", {}),
        ("Bottleneck[1,2]-[2,4]*3", {"norm_layer": "layer", "bias": True, "activation": "silu"}),
        ("Bottleneck[2,2]-[3,4]", {"stem": "identity", "batch_norm": False, "bias": True}),
    ],
)
@torch.no_grad()
def test_network_is_that_by_hand(name, settings):
    torch.manual_seed(1)
    model = nets.create_model(name, **settings).double().eval()
    for key, weight in [*model.named_parameters(), *model.named_buffers()]:
        if "norm" in key or key.endswith("bias"):
            weight.uniform_(0.2, 1.5) if weight.is_floating_point() else None
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    config, weights = model.config, model.state_dict()
    s = F.silu if settings.get("activation") == "silu" else F.relu
    r = by_hand.stem(config, weights, x, s)

    def normed(norm, conv, v, stride=1):
        return by_hand.norm(config, weights, norm, by_hand.conv(weights, conv, v, stride))

    for l, (nu, visit) in enumerate(zip(config.nu, model.visits(x), strict=True)):
        for i in range(nu):
            stride = 2 if l > 0 and i == 0 else 1
            b = s(normed(f"norm_1.{l}.{i}", f"B.{l}.{i}", r))
            c = s(normed(f"norm_2.{l}.{i}", f"C.{l}.{i}", b, stride))
            if i == 0:
                n = ("norm_widen.0", "widen.0") if l == 0 else (f"norm_R.{l - 1}", f"R.{l - 1}")
                r = normed(*n, r, stride)
            r = s(r + normed(f"norm_3.{l}.{i}", f"A.{l}.{i}", c))
        torch.testing.assert_close(visit.u, r, rtol=1e-9, atol=1e-9)
    f = x if config.stem == "identity" else s(model.stem(x))
    assert torch.equal(model(x), model.head(mgcore.descend(model.levels, f)[-1].u.mean((2, 3))))
    assert sum(isinstance(m, nn.Conv2d) and m.bias is not None for m in model.modules()) == (
        3 * sum(config.nu) + (config.stem != "identity") if config.bias else 0
    )


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("ResNet-50", "ResNet50"),
        ("WideResNet-50*2", "WideResNet50*2"),
        ("WideResNet50*1", "ResNet50"),
        ("Bottleneck[3,4,6,3]-[64,128,256,512]", "ResNet50"),
        ("Bottleneck[1,2]-[8] * 2, num_classes=3", "Bottleneck[1,2]-[8,8]*2, num_classes=3"),
    ],
)
def test_names(name, printed):
    assert str(nets.naming.lookup.configuration(name)) == printed


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nets.parse("ResNet77"), r'18, 34, 50, 101, 152 or "\[" is expected at position 7'),
        (lambda: nets.parse("pre-act ResNet50"), r"18, 34, 50.* is expected"),
        (lambda: nets.parse("WideResNet50"), r'"\*" is expected at position 13'),
        (lambda: nets.parse("ResNet50-A^l"), "the end of the name"),
        (lambda: nets.parse("Bottleneck50"), r'"\[" is expected at position 11'),
        (lambda: nets.BottleneckConfig((1,), (4,), 0), "widened must be an integer >= 1; got 0"),
        (lambda: nets.BottleneckConfig((1, 0), (4, 4)), r"nu\[1\] must be an integer >= 1; got 0"),
        (lambda: nets.create_model("ResNet50", bias=True), "bias must be False where a batch norm"),
    ],
)
def test_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
