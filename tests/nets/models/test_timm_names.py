"""timm's names do what they do there."""

import pytest
import torch
from torch import nn

import nets
from tests.nets.families import FAMILIES, create

NAME = "MgNet[1,1]-[4,6]-B^l"
every_family = pytest.mark.parametrize("family", FAMILIES)
X = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(1))


@every_family
def test_names_of_the_head(family):
    model = create(family, num_classes=5)
    assert model.num_classes == 5
    assert model.get_classifier() is model.head
    features = model.eval().forward_features(X)
    assert model.num_features == features.shape[1]
    pooled = model.forward_head(features, pre_logits=True)
    assert torch.equal(model.head(pooled), model(X))
    model.reset_classifier(0)
    assert model.num_classes == 0
    assert isinstance(model.get_classifier(), nn.Identity)
    assert torch.equal(model(X), pooled)


@every_family
def test_intermediates_are_the_features_of_every_grid(family):
    model = create(family).eval()
    levels = model.forward_levels(X)
    features, all_of_them = model.forward_intermediates(X)
    assert torch.equal(features, model.forward_features(X))
    for indices, expected in ((None, levels), (1, levels[-1:]), ([0, -1], [levels[0], levels[-1]])):
        found = model.forward_intermediates(X, indices, intermediates_only=True)
        assert len(found) == len(expected)
        assert all(map(torch.equal, found, expected))
    assert len(all_of_them) == len(levels)
    for wrong in (0, len(levels) + 1, True, [len(levels)], "ab", [0.0]):
        with pytest.raises(ValueError, match="indices must be an integer from 1 to"):
            model.forward_intermediates(X, wrong)


@every_family
def test_features_only(family, tmp_path):
    model, path = create(family), tmp_path / "weights.pt"
    torch.save(model.state_dict(), path)
    name, settings = FAMILIES[family]
    backbone = nets.create_model(name, **settings, num_classes=7, features_only=True, weights=path)  # without a warning
    features = backbone(X)
    assert [u.shape[1] for u in features] == backbone.feature_info.channels()
    assert backbone.feature_info.reduction() == [info.stride for info in model.feature_info]
    assert all(map(torch.equal, features, model.forward_levels(X)))
    sum(u.square().sum() for u in features).backward()
    unused = [parameter for parameter, w in backbone.network.named_parameters() if w.grad is None]
    # A of a coarsest grid with a single sweep cancels (docs/networks.md)
    assert all(parameter.startswith("A.") for parameter in unused)


def test_arguments_of_timm():
    assert nets.create_model(NAME, in_chans=1, pretrained=False).config.in_channels == 1
    assert isinstance(nets.create_model(NAME, features_only=True), nets.FeatureNet)
    for settings, error, words in (
        ({"pretrained": True}, ValueError, "pretrained must be False or name weights that come"),
        ({"in_chans": 1, "in_channels": 3}, ValueError, "in_chans is in_channels, given twice: 1 and 3"),
        ({"in_chans": "1"}, TypeError, "in_channels must be an integer"),
        ({"lr": 0.1}, TypeError, "no argument 'lr'; 'learning_rate' is an argument of train"),
        ({"batch_size": 8}, TypeError, "no argument 'batch_size'; 'batch' is an argument of .*train"),
    ):
        with pytest.raises(error, match=words):
            nets.create_model(NAME, **settings)
    with pytest.raises(ValueError, match="in_channels is given twice"):
        nets.create_model(f"{NAME}, in_channels=2", in_chans=1)


def test_is_model():
    assert all(map(nets.is_model, nets.list_models("mgnet*")))
    assert nets.is_model(f"{NAME}, activation=gelu")
    for name in ("resnet50", "", NAME[:-1], f"{NAME}, activation=none"):
        assert not nets.is_model(name)
    with pytest.raises(TypeError, match="name must be a string"):
        nets.is_model(3)


def test_checkpointing_and_version():
    model = nets.create_model(NAME)
    model.set_grad_checkpointing()
    assert model.activation_checkpointing
    model.set_grad_checkpointing(False)
    assert not model.activation_checkpointing
    assert nets.__version__[0].isdigit()
