"""Norms, biases and stems by setting: against code by hand, in both forms, and where they are refused."""

import copy
import pickle
from dataclasses import replace

import pytest
import torch
from torch import nn

import mgcore
import nets
from nets import theorems
from nets.__main__ import main
from nets.naming import lookup
from tests.nets.models.test_forms import algorithm_3
from tests.nets.models.test_history import densenet
from tests.nets.models.test_resnet import data_space
from tests.nets.models.test_vmgnet import up

NO_NORM = {"batch_norm": False, "bias": True}
MGNETS = [
    ("MgNet[2,1,2]-[(4,6),(6,8),(6,4)]-B^l", {"norm_layer": "group:2", "bias": True}),
    ("MgNet[2,1]-[4]-B^{l,i}-Pi_2", {"norm_layer": "group:2", "iteration": "multi-step"}),
    ("MgNet[2,2]-[(5,3)]-B^l", {"norm_layer": "layer", "bias": True, "transfers": "bilinear"}),
    ("MgNet[2,2]-[(2,3),3]-a_iB^l-Pi_0", NO_NORM),
    ("MgNet[2,1]-[(3,2)]-B^l", {"stem": "linear", "bias": True, "iteration": "chebyshev"}),
    ("MgNet[2,1]-[(2,3)]-B^l", {"stem": "identity"}),
]
OTHERS = [
    ("MgNet[2,2]-[2,4]-B^l-A:xi.sigma.eta", {"norm_layer": "group:1", "bias": True}),
    ("MgNet[2,2]-[2,4]-B^l-A:xi.sigma.eta", NO_NORM),
    ("GDFI[2,2]-[3]-A:sigma.K-B:K", {"norm": "inside", "bias": True}),
    ("GDFI[2,2]-[4]-A:K.sigma-B:K.sigma", {"norm_layer": "group:2", "bias": True}),
    ("V-MgNet[2,1,1]-[4,6,4]-B^l", {"norm_layer": "group:2", "bias": True}),
    ("V-MgNet[1,2;2]-[(2,3)]-B^{l,i}", {"stem": "linear", **NO_NORM}),
    ("ResNet[2,2]-[3,4]-A^l-B^{l,i}", {"norm_layer": "layer", "bias": True}),
    ("ResNet[2,2]-[3,4]-A^{l,i}-B^l", {"sharing": "tables", "stem": "identity", **NO_NORM}),
    ("pre-act ResNet[2,2]-[3,4]", {"bias": True}),
    ("pre-act ResNet[2,2]-[3,4]-A^{l,i}-B^l", {"sharing": "tables", "bias": True}),
    ("sigma-ResNet[2,2]-[3,4]", {"bias": True}),
    ("Mg-ResNet[2,2]-[3,4]", {"bias": True}),
    ("WideResNet[2,1]-[4,6]", {"bias": True}),
    ("sigma-ResNet[2,2]-[4,6]", {"norm_layer": "group:2", "stem": "linear", "bias": True}),
    ("Mg-iResNet[2,2]-[3,4]", NO_NORM),
    ("LM-ResNet[3,2]-[4,6]", {"norm_layer": "group:2", "bias": True}),
    ("WideResNet[2,1]-[4,6]", {"norm_layer": "group:2", "bias": True}),
    ("DenseNet[2,2]-[(6,4),(8,4)]", {"norm_layer": "group:2", "bias": True}),
]
cases = pytest.mark.parametrize(("name", "settings"), [*MGNETS, *OTHERS])


def random_network(name, settings):
    """A float64 network with random biases and norms."""
    torch.manual_seed(2)
    model = nets.create_model(name, **settings).double().eval()
    for key, weight in model.named_parameters():
        if key.endswith("bias") or "norm" in key:
            weight.data.uniform_(-0.7, 0.9)
    for key, buffer in model.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    return model


def images(model, count=2):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, model.config.in_channels, 8, 7, generator=generator, dtype=torch.float64)


def by_hand(model, x):
    """u of every grid where it is left for the last time, in code that shares nothing with the levels."""
    config, weights = model.config, model.state_dict()
    if isinstance(config, nets.ResNetConfig):
        return data_space(config, weights, x)[0]
    return (
        densenet(config, weights, x)
        if isinstance(config, nets.DenseNetConfig)
        else [u for _, u, _ in algorithm_3(config, weights, x)]
    )


@cases
@torch.no_grad()
def test_networks_are_those_by_hand(name, settings):
    model = random_network(name, settings)
    x = images(model)
    got = [visit.u for visit in model.visits(x)]
    for u, expected in zip(got, by_hand(model, x), strict=True):
        torch.testing.assert_close(u, expected, rtol=1e-8, atol=1e-8)
    if name.startswith("V-"):
        torch.testing.assert_close(model.forward_features(x), up(model, model.visits(x)), rtol=1e-8, atol=1e-8)
    f = x if model.config.stem == "identity" else model.stem(x)
    f = model.s[0](f) if model.config.stem == "default" else f
    cycled = mgcore.v_cycle(model.levels, f) if name.startswith("V-") else mgcore.descend(model.levels, f)[-1].u
    assert torch.equal(cycled, model.forward_features(x))


@cases
def test_no_bias_is_in_vain(name, settings):
    """A batch norm behind it would take its gradient away; Pi has none in a V-MgNet with linear A, by Theorem 6.1."""
    model = random_network(name, {**settings, "activation": "silu"}).train()
    model(images(model, count=4)).square().sum().backward()
    biases = [key for key, _ in model.named_parameters() if key.endswith("bias") and "norm" not in key]
    assert model.config.bias == (biases != ["head.bias"])
    for key in biases:
        gradient = float(model.get_parameter(key).grad.abs().max())
        assert (gradient > 1e-4) != (name.startswith("V-") and key.startswith("Pi")), key


@pytest.mark.parametrize(("name", "settings"), MGNETS)
@torch.no_grad()
def test_a_bias_of_A_is_one_of_the_data(name, settings):
    """f - (A u + b) on the finest grid alone: coarser ones have f = R(f - A u) + A u^0. That is why A has none."""
    feature = random_network(name, {**settings, "form": "feature"})
    x, before = images(feature), feature.visits(images(feature))
    b = [torch.randn(A.out_channels, dtype=torch.float64) for A in feature.A]
    for A, bias in zip(feature.A, b, strict=True):
        A.bias = nn.Parameter(bias)
    with_bias, levels = feature.visits(x), random_network(name, {**settings, "form": "feature"}).levels
    shifted = mgcore.descend(levels, before[0].f - b[0][:, None, None], before[0].u0)
    for visit, other in zip(with_bias, shifted, strict=True):
        torch.testing.assert_close(visit.u, other.u, rtol=1e-8, atol=1e-8)
    residual = random_network(name, settings)
    residual.A[0].bias = nn.Parameter(b[0])
    with pytest.raises(ValueError, match="linear"):
        residual(x)  # a bias put into A by hand: not zero for u = 0, which the residual form takes it to be


V = [case for case in OTHERS if case[0].startswith("V-")]


@pytest.mark.parametrize(("name", "settings"), [*MGNETS, *V])
def test_forms_agree_in_training(name, settings):
    """Outputs, gradients and statistics; a gradient that is rounding in feature form is None in residual form."""
    ends = []
    for form in ("feature", "residual"):
        model = random_network(name, {**settings, "form": form}).train()
        y = model(images(model, count=4))
        y.square().sum().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None and p.grad.abs().max() > 1e-8]
        ends.append([y, *gradients, *model.buffers()])
    assert len(ends[0]) == len(ends[1])
    for a, b in zip(*ends, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@cases
@torch.no_grad()
def test_networks_from_their_names_files_and_older_files(name, settings, tmp_path):
    model = nets.create_model(name, **settings).eval()
    x = images(model).float()
    assert nets.create_model(str(model.config)).config == model.config
    again = nets.load(nets.save(model, tmp_path / "net.safetensors"))
    assert again.config == model.config
    assert torch.equal(again(x), model(x))
    new = ("norm_layer", "bias", "stem")
    older = nets.create_model(name, **{key: value for key, value in settings.items() if key not in new})
    description = copy.deepcopy(older.config.description)
    for key in new:  # as files were before there were these settings
        del description["settings"][key], older.config.__dict__[key]
    assert lookup.described(description) == older.config
    read = pickle.loads(pickle.dumps(older.eval()))
    x = images(read).float()
    assert torch.equal(read(x), older(x))
    assert read.config.norm_layer == "batch"


@pytest.mark.parametrize(
    ("name", "settings", "more"),
    [
        ("MgNet[2,1]-[(4,6),(8,6)]-B^l", {"norm_layer": "group:2"}, 0),
        ("MgNet[2,1]-[(4,6),(8,6)]-B^l", {"norm_layer": "layer"}, 0),
        # the stem 6, B 4 and 8, R 6, Pi 8; A has none
        ("MgNet[2,1]-[(4,6),(8,6)]-B^l", {"norm_layer": "layer", "bias": True}, 6 + 4 + 8 + 6 + 8),
        ("MgNet[2,1]-[6]-B^{l,i}-Pi_2", {"norm_layer": "group:2", "bias": True, "transfers": "trained"}, 6 + 3 * 6 + 6),
        # the stem 3, A 3, 3, 4, 4; B, which a batch norm follows, has none
        ("pre-act ResNet[2,2]-[3,4]", {"bias": True}, 3 + 2 * 3 + 2 * 4),
        # the stem 3, A and B 3, 3, 4, 4 with B^{2,0}; R has none
        ("ResNet[2,2]-[3,4]", {"norm_layer": "layer", "bias": True}, 3 + 2 * (2 * 3 + 2 * 4)),
        ("MgNet[1]-[3]-B^l", {"stem": "identity"}, -(27 * 3 + 6)),
        ("MgNet[1]-[3]-B^l", {"stem": "linear"}, -6),
    ],
)
def test_counts(name, settings, more):
    with_settings, plain = (nets.create_model(name, **chosen) for chosen in (settings, {}))
    assert nets.parameters(with_settings) - nets.parameters(plain) == more
    assert nets.summary(with_settings, (3, 8, 8)).parameters == nets.parameters(with_settings)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("MgNet[2]-[8]-B^l", {"norm_layer": "groups"}, "norm_layer must be 'batch', 'layer', .*; got 'groups'"),
        ("MgNet[2]-[8]-B^l", {"norm_layer": "group:0"}, "norm_layer must be 'batch', .*; got 'group:0'"),
        ("MgNet[2]-[8]-B^l", {"norm_layer": "group:04"}, "norm_layer must be 'batch', .*; got 'group:04'"),
        ("MgNet[2]-[8]-B^l", {"norm_layer": "group:\u0664"}, "norm_layer must be 'batch', .*; got 'group:\u0664'"),
        ("MgNet[2]-[8]-B^l", {"norm_layer": None}, "norm_layer must be 'batch', .*; got None"),
        (
            "MgNet[2]-[(8,12)]-B^l",
            {"norm_layer": "group"},
            "such as 'group:6'; got 'group', and the channels of the stem",
        ),
        (
            "MgNet[2,2]-[8,6]-B^l",
            {"norm_layer": "group:4"},
            r"such as 'group:3'; got 'group:4', and channels_u\[1\] = 6",
        ),
        (
            "MgNet[2,2]-[8,4]-B^l",
            {"norm_layer": "group:4"},
            r"such as 'group:2'; got 'group:4', and channels_u\[1\] = 4",
        ),
        (
            "WideResNet[1]-[12]",
            {"norm_layer": "group:6"},
            "'group:8'; got 'group:6', and the channels of the stem = 16",
        ),
        ("VGG[1]-[12]", {"norm_layer": "group:5"}, "got 'group:5', and layer 1 of grid 1 = 12"),
        ("DenseNet[1]-[(4,1)]", {"norm_layer": "layer"}, r"two channels or .* each; got 'layer', and growth\[0\] = 1"),
        (
            "MgNet[2]-[8]-B^l",
            {"norm_layer": "layer", "batch_norm": False},
            "norm_layer must be 'batch' where batch_norm",
        ),
        ("VGG[1]-[8], input=imagenet", {"norm_layer": "layer"}, "norm_layer must be 'batch' where batch_norm=False"),
        ("MgNO[1]-[8]", {"norm_layer": "layer"}, "norm_layer must be 'batch' where batch_norm=False"),
        (
            "MgNet[2]-[8]-B^l",
            {"bias": True},
            r"bias must be False where a batch norm .*batch_norm=False or .*; got True in MgNet",
        ),
        ("ResNet[2]-[8]", {"bias": True}, "bias must be False where a batch norm"),
        ("WideResNet[2]-[8]", {"bias": True, "stem": "linear"}, "bias must be False where a batch norm"),
        ("Bottleneck[2]-[8]", {"bias": True, "stem": "linear"}, "bias must be False where a batch norm"),
        ("GDFI[2]-[8]-A:K-B:K", {"bias": True}, "bias must be False where a batch norm"),
        ("DenseNet[2]-[8]", {"bias": True}, "bias must be False where a batch norm"),
        ("MgNO[1]-[8]", {"bias": True}, "bias must be False in an MgNO, .* linear W; got True"),
        ("VGG[1]-[8]", {"bias": False}, "bias must be True in a LeNet-5, AlexNet or VGG, .*; got False"),
        ("MgNet[2]-[8]-B^l", {"bias": "yes"}, "bias must be True or False; got 'yes'"),
        ("MgNet[2]-[8]-B^l", {"stem": "none"}, "stem must be 'default' or 'linear' or 'identity'; got 'none'"),
        ("MgNet[2]-[(2,8)]-B^l", {"stem": "identity"}, "in_channels must be 8, the channels of grid 1 in .*; got 3"),
        ("WideResNet[1]-[3]", {"stem": "identity"}, "in_channels must be 16, the channels of grid 1"),
        ("ResNet[2]-[8]", {"stem": "linear", "input": "imagenet"}, "stem must be 'default' where input='imagenet'"),
        ("VGG[1]-[8]", {"stem": "linear"}, "stem must be 'default' in a LeNet-5, AlexNet or VGG"),
        ("MgNO[1]-[3]", {"stem": "identity"}, "stem must be 'default' in an MgNO, which has no stem"),
    ],
)
def test_refused(name, settings, words):
    with pytest.raises(ValueError, match=words):
        nets.create_model(name, **settings)


SAID = {"activation": "leakyrelu", "norm_layer": "group:4", "bias": True, "stem": "linear"}


@pytest.mark.parametrize("command", ["summary", "train --model"])
def test_options(command, monkeypatch, capsys):
    def train(model, data, **options):
        print(model.config)
        raise ValueError("stop here")

    monkeypatch.setattr(nets, "train", train)
    options = "--norm-layer group:4 --bias --stem linear --activation Leaky_ReLU"
    assert main([*command.split(), "MgNet[1,1]-[8]-B^l", *options.split()]) == (2 if "train" in command else 0)
    printed = capsys.readouterr().out.splitlines()[0]
    assert SAID.items() <= lookup.configuration(printed).settings().items()


def test_a_run_says_what_it_trained(tmp_path):
    model = nets.create_model("MgNet[1,1]-[8]-B^l", in_channels=1, **SAID)
    nets.train(model, "digits", epochs=1, limit_batches=1, batch=1, output=tmp_path, progress=False)
    again = nets.load(tmp_path)
    assert again.config == model.config
    assert sum(isinstance(module, nn.GroupNorm) for module in again.modules()) == 2 * 2 + 2
    card = (tmp_path / "model_card.md").read_text()
    assert all(f"{key} = {value}" in card for key, value in SAID.items())


@torch.no_grad()
def test_images_do_not_see_each_other():
    """Group and layer norm act image by image, in training too; batch norm does not."""
    for norm_layer, apart in (("group:2", True), ("layer", True), ("batch", False)):
        model = nets.create_model("MgNet[1,1]-[4]-B^l", norm_layer=norm_layer).double().train()
        x = images(model, count=3)
        same = torch.allclose(model(x)[:1], model(x[:1]), rtol=1e-8, atol=1e-8)
        assert same == apart


def test_weights_of_another_norm_are_refused():
    model = nets.create_model("MgNet[1]-[4]-B^l", norm_layer="group:2")
    with pytest.raises(RuntimeError, match="norm_layer='group:2', the model has 'layer'"):
        nets.create_model("MgNet[1]-[4]-B^l", norm_layer="layer").load_state_dict(model.state_dict())
    config = replace(model.config, norm_layer=" group : 2 ")
    assert config == model.config
    both = [nets.create_model("MgNet[1]-[64]-B^l", norm_layer=norm).config for norm in ("group", "group:32")]
    assert both[0] == both[1]


def test_theorems_with_a_bias_and_other_stems():
    x = torch.randn(2, 3, 8, 7, dtype=torch.float64)
    model = random_network("ResNet[2,2]-[3,4]-A^l-B^{l,i}", {"norm_layer": "group:1", "bias": True})
    with torch.no_grad():
        assert theorems.shared_A(model, x) <= 1e-12
        model = random_network("sigma-ResNet[2,2]-[3,4]", NO_NORM)
        assert theorems.lemma_8_2(model, x) <= 1e-12
        model = random_network("MgNet[2,2]-[3,4]-B^l", {"bias": True, "norm_layer": "layer", "stem": "linear"})
        assert theorems.theorem_8_1(model, x) <= 1e-8
        assert theorems.theorem_6_1(model, x) <= 1e-8
    with pytest.raises(ValueError, match=r"Theorem 8\.1 with .* needs bias=False; got True"):
        theorems.iresnet_is_mgnet(random_network("Mg-iResNet[2,2]-[3,4]", NO_NORM), x)
    with pytest.raises(ValueError, match=r"Lemma 8\.2 needs stem='default'; got 'linear'"):
        theorems.lemma_8_2(random_network("sigma-ResNet[2,2]-[3,4]", {**NO_NORM, "stem": "linear"}), x)
