"""Each error names the argument, what came and what is allowed, before any work."""

import pytest
import torch

import nets
from nets import DenseNetConfig, MgNetConfig, PlainConfig, ResNetConfig

GOOD = {"nu": (2, 2), "channels_u": (4, 4), "channels_f": (4, 4)}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"nu": ()}, ValueError, "nu must hold at least one grid"),
        ({"nu": 2}, TypeError, "nu must be a sequence"),
        ({"nu": "22"}, TypeError, "nu must be a sequence"),
        ({"nu": (2, -1)}, ValueError, r"nu\[1\] must be an integer >= 0; got -1"),
        ({"nu": (2, 1.5)}, TypeError, r"nu\[1\] must be an integer >= 0; got 1.5"),
        ({"nu": (2, True)}, TypeError, r"nu\[1\] must be an integer"),
        ({"nu": (0, 2)}, ValueError, r"nu\[0\] must be at least 1"),
        ({"nu": (2, 0), "pi": "0"}, ValueError, r"nu\[1\] must be at least 1"),
        ({"channels_u": (4,)}, ValueError, "channels_u must hold 2 widths"),
        ({"channels_f": (4, 4, 4)}, ValueError, "channels_f must hold 2 widths"),
        ({"channels_f": (4, 0)}, ValueError, r"channels_f\[1\] must be an integer >= 1; got 0"),
        ({"extractor": "B"}, ValueError, "extractor must be 'constant' or 'scaled' or 'variable'; got 'B'"),
        ({"pi": 1}, ValueError, "pi must be '0' or '1' or '2' or 'nodal'.*; got 1"),
        ({"pi": "2", "channels_u": (4, 8)}, ValueError, "channels_u must be equal on all grids for Pi_2"),
        ({"transfers": "cubic"}, ValueError, "transfers must be 'trained'"),
        ({"transfers": "bilinear", "pi": "2"}, ValueError, 'pi="2" trains it'),
        ({"transfers": "bilinear", "channels_u": (4, 8)}, ValueError, "channels_u must be equal"),
        ({"transfers": "bilinear", "channels_f": (4, 8)}, ValueError, "channels_f must be equal"),
        ({"transfers": "linear", "dims": 3}, ValueError, "transfers must be"),
        ({"transfer_activation": 1}, ValueError, "transfer_activation must be True or False; got 1"),
        ({"activation": "tan"}, ValueError, "activation must be 'relu', 'prelu', .* or 'hat.*'; got 'tan'"),
        ({"activation": 3}, TypeError, "activation must be a string"),
        ({"activation": "hat:5,0"}, ValueError, "supports of a hat must be numbers from 0.01 to 10000.*got 'hat:5,0'"),
        ({"activation": "hat:5,nan"}, ValueError, "must be numbers from 0.01 to 10000"),
        ({"activation": "hat:1e-40"}, ValueError, "must be numbers from 0.01 to 10000"),
        ({"activation": "hat-trained:1e300"}, ValueError, "must be numbers from 0.01 to 10000"),
        ({"activation": "hat:"}, ValueError, "must be numbers from 0.01 to 10000"),
        ({"activation": "hat:1,2,3"}, ValueError, "1 or 2 supports, one per grid; got 3"),
        ({"activation": "hat-wide"}, ValueError, "activation must be"),
        ({"iteration": "Chebyshev"}, ValueError, "iteration must be 'single', 'multi-step.*got 'Chebyshev'"),
        ({"iteration": "single:1"}, ValueError, "iteration must be 'single'"),
        ({"iteration": 1}, TypeError, "iteration must be a string"),
        ({"iteration": "chebyshev:1"}, ValueError, r"must give 2 weights.*nu=\(2, 2\); got 'chebyshev:1'"),
        ({"iteration": "chebyshev:2,1"}, ValueError, r"iteration: weights\[0\] must be 1"),
        ({"iteration": "chebyshev:1,x"}, ValueError, "'1,x' is no list of numbers"),
        ({"iteration": "chebyshev:1,nan"}, ValueError, "iteration: weights must be finite"),
        ({"iteration": "chebyshev:1,inf"}, ValueError, "iteration: weights must be finite"),
        ({"iteration": "multi-step:1"}, ValueError, "must give 2 rows"),
        ({"iteration": "multi-step:1;1,1"}, ValueError, r"iteration: weights\[1\] must be non-negative with sum 1"),
        ({"iteration": "multi-step:1;1"}, ValueError, r"iteration: weights\[1\] must hold 2"),
        ({"form": "data"}, ValueError, "form must be 'auto' or 'residual' or 'feature'; got 'data'"),
        ({"A": "xi.sigma.eta", "form": "residual"}, ValueError, 'form must be "auto" or "feature"'),
        ({"A": "K.sigma"}, ValueError, "A must be 'K' or 'xi.sigma.eta' in the family \"MgNet\"; got 'K.sigma'"),
        ({"B": "K"}, ValueError, "B must be 'sigma.K.sigma' in the family"),
        ({"norm": "after"}, ValueError, "norm must be 'inside' in the family"),
        ({"family": "GDFI"}, ValueError, "extractor must be 'variable' in the family"),
        ({"family": "GDFI", "extractor": "variable", "A": "xi.sigma.eta"}, ValueError, "A must be 'K'"),
        ({"family": "GDFI", "extractor": "variable", "pi": "0"}, ValueError, "pi must be '1'"),
        ({"family": "FDGI"}, ValueError, "family must be 'MgNet' or .*; got 'FDGI'"),
        (
            {"family": "V-MgNet", "transfers": "bilinear", "pi": "0", "channels_u": (4, 8)},
            ValueError,
            "channels_u must",
        ),
        (
            {"family": "V-MgNet", "nu_post": (1, 1)},
            ValueError,
            r"nu_post must be 1 number,.*but the coarsest.*\(1, 1\)",
        ),
        ({"family": "V-MgNet", "nu_post": (-1,)}, ValueError, r"nu_post\[0\] must be an integer >= 0; got -1"),
        ({"nu_post": (1,)}, ValueError, "nu_post must be empty or None, in the family"),
        ({"family": "V-MgNet", "input": "imagenet"}, ValueError, "input must be 'cifar' in the family"),
        ({"input": "mnist"}, ValueError, "input must be 'cifar' or 'imagenet'; got 'mnist'"),
        ({"dims": 4}, ValueError, "dims must be 1 or 2 or 3; got 4"),
        ({"in_channels": 0}, ValueError, "in_channels must be an integer >= 1; got 0"),
        ({"num_classes": -1}, ValueError, "num_classes must be an integer >= 0; got -1"),
        ({"num_classes": "10"}, TypeError, "num_classes must be an integer >= 0; got '10'"),
        ({"sharing": "tables"}, ValueError, "sharing must be 'literal'; got 'tables'"),
    ],
)
def test_configurations(changes, error, words):
    with pytest.raises(error, match=words):
        MgNetConfig(**{**GOOD, **changes})
    if set(changes) <= {"activation", "iteration", "form", "input", "dims", "num_classes", "sharing"}:
        with pytest.raises(error, match=words):
            nets.create_model("MgNet[2,2]-[4]-B^l", **changes)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"nu": ()}, ValueError, "nu must hold at least one grid"),
        ({"nu": (2, 0)}, ValueError, r"nu\[1\] must be an integer >= 1; got 0"),
        ({"channels": (4,)}, ValueError, "channels must hold 2 widths"),
        ({"channels": 4}, TypeError, "channels must be a sequence"),
        ({"kind": "WideResNet", "B": "B^l"}, ValueError, "B must be 'B.{l,i}' in the kind 'WideResNet'"),
        ({"kind": "DenseNet"}, ValueError, "kind must be 'ResNet' or .*got 'DenseNet'"),
        ({"kind": "Mg-ResNet"}, ValueError, "A must be 'A.l' in the kind 'Mg-ResNet'"),
        ({"A": "A"}, ValueError, "A must be"),
        ({"B": "A^l"}, ValueError, "B must be"),
        ({"sharing": "printed"}, ValueError, "sharing must be 'literal' or 'tables'; got 'printed'"),
        ({"activation": "hat:1,2,3"}, ValueError, "1 or 2 supports"),
        ({"dims": 0}, ValueError, "dims must be 1 or 2 or 3; got 0"),
        ({"num_classes": -1}, ValueError, "num_classes must be an integer >= 0"),
    ],
)
def test_configurations_of_resnets(changes, error, words):
    with pytest.raises(error, match=words):
        ResNetConfig(**{"nu": (2, 2), "channels": (4, 4), **changes})


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"nu": ()}, ValueError, "nu must hold at least one grid, as in DenseNet"),
        ({"growth": (4,)}, ValueError, "growth must hold 2 widths"),
        ({"growth": (4, 0)}, ValueError, r"growth\[1\] must be an integer >= 1; got 0"),
        ({"channels": 3}, TypeError, "channels must be a sequence"),
        ({"activation": "hat:1,2,3"}, ValueError, "1 or 2 supports"),
        ({"dims": 4}, ValueError, "dims must be 1 or 2 or 3"),
    ],
)
def test_configurations_of_densenets(changes, error, words):
    with pytest.raises(error, match=words):
        DenseNetConfig(**{"nu": (2, 2), "channels": (4, 4), "growth": (2, 2), **changes})


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"kind": "VGG19"}, ValueError, "kind must be 'LeNet-5' or 'AlexNet' or 'VGG'; got 'VGG19'"),
        ({"kind": "VGG"}, ValueError, "nu must hold at least one grid"),
        ({"kind": "VGG", "nu": (1, 2), "channels": (3,)}, ValueError, "channels must hold 2 widths"),
        ({"kind": "AlexNet", "nu": (1, 2), "channels": (3, 3)}, ValueError, r"must be empty for AlexNet; got \(1, 2\)"),
        ({"kind": "LeNet-5", "input": "imagenet"}, ValueError, 'input must be "cifar" for LeNet-5'),
        ({"kind": "LeNet-5", "input": "mnist"}, ValueError, "input must be 'cifar' or 'imagenet'"),
        ({"kind": "AlexNet", "batch_norm": 1}, ValueError, "batch_norm must be True or False; got 1"),
    ],
)
def test_configurations_of_plain_networks(changes, error, words):
    with pytest.raises(error, match=words):
        PlainConfig(**changes)


@pytest.mark.parametrize("name", ["ResNet18", "DenseNet[2]-[3]", "VGG19", "WideResNet28*10", "LM-ResNet18"])
@pytest.mark.parametrize(
    "setting",
    [{"iteration": "multi-step"}, {"transfers": "bilinear"}, {"form": "feature"}, {"transfer_activation": True}],
)
def test_settings_of_mgnet_do_not_apply_in_data_space(name, setting):
    with pytest.raises(ValueError, match=f"{next(iter(setting))} is a setting of MgNet"):
        nets.create_model(name, **setting)


@pytest.mark.parametrize("name", ["DenseNet[2]-[3]", "VGG19"])
def test_sharing_is_a_setting_of_mgnet_and_resnets(name):
    with pytest.raises(ValueError, match="sharing is a setting of MgNet and ResNets"):
        nets.create_model(name, sharing="tables")


def test_a_family_parses_its_own_names():
    with pytest.raises(ValueError, match="name must be that of an MgNet, V-MgNet or GDFI; got 'ResNet18'"):
        MgNetConfig.parse("ResNet18")
    with pytest.raises(ValueError, match="name must be that of a ResNet"):
        ResNetConfig.parse("MgNet[2]-[8]-B^l")


def f32(*shape):
    return torch.zeros(*shape)


@pytest.mark.parametrize("form", ["residual", "feature"])
@pytest.mark.parametrize(
    ("dims", "x", "error", "words"),
    [
        (2, [[1.0]], TypeError, "x must be a torch.Tensor; got list"),
        (2, f32(3, 8, 8), ValueError, r"x must have shape \(N, 3, n, n\).*got \(3, 8, 8\)"),
        (1, f32(2, 3, 8, 8), ValueError, r"x must have shape \(N, 3, n\)"),
        (3, f32(2, 3, 8, 8), ValueError, r"x must have shape \(N, 3, n, n, n\)"),
        (2, f32(2, 1, 8, 8), ValueError, "in_channels=3"),
        (2, f32(2, 8, 8, 3), ValueError, "in_channels=3"),
        (2, f32(2, 3, 1, 1), ValueError, "grid 1 of 3 would have 1x1 pixels"),
        (2, f32(2, 3, 2, 2), ValueError, "grid 2 of 3 would have 1x1 pixels"),
        (3, f32(2, 3, 2, 1, 2), ValueError, "grid 2 of 3 would have 1x1x1 pixels"),
        (2, f32(2, 3, 0, 8), ValueError, "x is too small"),
        (2, f32(2, 3, 8, 8).int(), TypeError, "floating-point"),
        (2, f32(2, 3, 8, 8).double(), TypeError, "x has torch.float64, stem.conv.weight has torch.float32"),
        (2, f32(2, 3, 8, 8).half(), TypeError, "x has torch.float16"),
        (2, f32(2, 3, 8, 8).to("meta"), TypeError, "x is on meta, stem.conv.weight on cpu"),
    ],
)
def test_images(dims, form, x, error, words):
    model = nets.create_model("MgNet[1,1,1]-[2]-B^l", dims=dims, form=form)
    model.stem.register_forward_pre_hook(lambda *_: pytest.fail("work before the error"))
    with pytest.raises(error, match=words):
        model(x)


@pytest.mark.parametrize("shape", [(2, 3, 3, 3), (2, 3, 3, 1), (1, 3, 1, 3)])
def test_smallest_images(shape):
    assert nets.create_model("MgNet[1,1,1]-[2]-B^l").eval()(f32(*shape)).shape == (shape[0], 10)


def test_imagenet_stem_halves_twice():
    model = nets.create_model("MgNet[1,1]-[2]-B^l", input="imagenet").eval()
    assert model(f32(1, 3, 5, 5)).shape == (1, 10)
    with pytest.raises(ValueError, match="grid 1 of 2 would have 1x1"):
        model(f32(1, 3, 4, 4))


@pytest.mark.parametrize("part", ["A", "B", "R", "head"])
def test_mixed_weights(part):
    model = nets.create_model("MgNet[1,1]-[2]-B^l")
    (model.head if part == "head" else getattr(model, part)[0]).double()
    with pytest.raises(TypeError, match=rf"{part}\..*has torch.float64"):
        model(f32(2, 3, 8, 8))
