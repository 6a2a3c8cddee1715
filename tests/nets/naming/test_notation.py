"""The papers' names: they parse, print back, and say what is wrong with them."""

import re
from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets import Architecture, MgNOArchitecture, parse
from nets.__main__ import main
from nets.naming import lookup
from nets.naming.grammar import PLAIN, RESNETS
from tests.nets.families import FAMILIES, create
from tests.nets.networks import all_configs, configs, densenets, mgnos, plains, resnets


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MgNet[2,2]-[64,128]-B^{l,i}", Architecture((2, 2), (64, 128), (64, 128), "variable", "1")),
        ("MgNet[2,2,2]-[256]-B^l", Architecture((2, 2, 2), (256,) * 3, (256,) * 3, "constant", "1")),
        ("MgNet[2]-[8]-B^l-A:xi.sigma.eta", Architecture((2,), (8,), (8,), A="xi.sigma.eta")),
        ("MgNet[2]-[8]-B^l-Pi_0-A:xi.sigma.eta", Architecture((2,), (8,), (8,), pi="0", A="xi.sigma.eta")),
        (
            "GDFI[2,2]-[8,16]-A:sigma.K-B:K.sigma",
            Architecture((2, 2), (8, 16), (8, 16), "variable", "1", "GDFI", "sigma.K", "K.sigma"),
        ),
        (
            "V-MgNet[2,2,2;1,0]-[8]-B^l",
            Architecture((2, 2, 2), (8,) * 3, (8,) * 3, family="V-MgNet", nu_post=(1, 0)),
        ),
        ("V-MgNet[2,1]-[8]-B^l", Architecture((2, 1), (8, 8), (8, 8), family="V-MgNet", nu_post=(2,))),
        ("MgNO[1,1,2]-[24]", MgNOArchitecture((1, 1, 2), (24,) * 3, (0, 0))),
        ("MgNO [1,2; 1] - [8,16]", MgNOArchitecture((1, 2), (8, 16), (1,))),
        ("V-MgNet[2]-[8]-B^l-Pi_0", Architecture((2,), (8,), (8,), pi="0", family="V-MgNet")),
        ("MgNet[2,2]-[256]-B^{l}", Architecture((2, 2), (256,) * 2, (256,) * 2, "constant", "1")),
        ("MgNet[2,2]-[(8,16),(8,16)]-B^l-Pi_2", Architecture((2, 2), (8, 8), (16, 16), "constant", "2")),
        ("MgNet[2,0]-[(8,16)]-a_iB^l-Pi_1", Architecture((2, 0), (8, 8), (16, 16), "scaled", "1")),
        (" MgNet [2, 2] - [8, (4, 2)] - a_iB^{l} - Pi_0 ", Architecture((2, 2), (8, 4), (8, 2), "scaled", "0")),
    ],
)
def test_names_of_the_papers(name, expected):
    assert parse(name) == expected


NUMBER = st.floats(1e-3, 1e3).map(repr)
TEXTS = {
    "activation": st.builds("hat{}:{}".format, st.sampled_from(("", "-height", "-trained")), NUMBER),
    "iteration": st.builds("chebyshev:1,{},{}".format, NUMBER, NUMBER),
    "input": st.sampled_from(("cifar", "imagenet")),
    "form": st.sampled_from(("auto", "residual", "feature")),
    "dims": st.sampled_from((1, 2, 3)),
    "num_classes": st.integers(0, 10**9 - 1),
}


@st.composite
def every_setting(draw):
    """Configurations of every family, with any of their settings as far as they allow each other."""
    config = draw(st.one_of(all_configs(), resnets(), configs(family="V-MgNet"), mgnos(), densenets(), plains()))
    for name in draw(st.lists(st.sampled_from(sorted(TEXTS)), unique=True)):
        if hasattr(config, name):
            with suppress(ValueError):
                config = replace(config, **{name: draw(TEXTS[name])})
    return config


@given(every_setting())
def test_round_trip(config):
    assert parse(config.notation) == config.architecture
    assert lookup.configuration(config.notation, **config.settings()) == config
    assert type(config).parse(str(config)) == lookup.configuration(str(config)) == config


@given(every_setting())
def test_default_settings_are_not_printed(config):
    """Every setting that is printed is needed."""
    said = re.split(r", (?=\w+=)", str(config))
    assert said[0] == config.notation
    for left_out in said[1:]:
        rest = ", ".join(part for part in said if part != left_out)
        with suppress(ValueError):  # where the rest contradicts itself without it
            assert lookup.configuration(rest) != config


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_from_what_another_one_prints(family):
    model = create(family, num_classes=3, in_channels=1)
    other = nets.create_model(str(model.config))
    assert str(model.config).endswith("num_classes=3") or "in_channels=1, num_classes=3, " in str(model.config)
    assert other.config == model.config
    assert other.load_state_dict(model.state_dict())


@pytest.mark.parametrize(
    ("name", "settings", "printed"),
    [
        ("MgNet[2]-[8]-B^l,dims=1 , activation = hat: 5", {}, "MgNet[2]-[8]-B^l, activation=hat:5, dims=1"),
        ("MgNet[2]-[8]-B^l, num_classes=10", {}, "MgNet[2]-[8]-B^l"),
        ("MgNet[2]-[8]-B^l, num_classes=7", {"num_classes": 7}, "MgNet[2]-[8]-B^l, num_classes=7"),
        ("MgNet[2]-[8]-B^l", {"iteration": "chebyshev: 1, 1.5"}, "MgNet[2]-[8]-B^l, iteration=chebyshev:1,1.5"),
        ("MgNet[2]-[8]-B^l, form=residual", {}, "MgNet[2]-[8]-B^l"),
        ("GDFI[1]-[8]-A:K-B:K, norm=inside", {}, "GDFI[1]-[8]-A:K-B:K, norm=inside"),
        ("GDFI[1]-[8]-A:K-B:K", {"norm": "after", "form": "feature"}, "GDFI[1]-[8]-A:K-B:K"),
        ("MgNO[1,2;0]-[8]", {"layers": 4, "activation": "gelu"}, "MgNO[1,2]-[8]"),
        ("MgNO[1,2]-[8], layers=2", {"form": "published"}, "MgNO[1,2]-[8], layers=2, form=published"),
        ("VGG[1]-[8], input=imagenet, batch_norm=False", {}, "VGG[1]-[8], input=imagenet"),
        ("VGG[1]-[8]", {"batch_norm": False}, "VGG[1]-[8], batch_norm=False"),
        ("LeNet-5, batch_norm=true", {}, "LeNet-5, batch_norm=True"),
    ],
)
def test_settings_behind_a_name(name, settings, printed):
    config = lookup.configuration(name, **settings)
    assert str(config) == printed
    if "VGG[1]-[8], input" not in name:  # its fully connected layers take 100 million weights
        assert str(nets.create_model(name, **settings).config) == printed


@pytest.mark.parametrize(
    ("tail", "settings", "words"),
    [
        (", activaton=gelu", {}, r"one of activation, batch_norm, .*, norm, the settings of an MgNet.*'activation'"),
        (" activation=gelu", {}, r'the end of the name, or "," and a setting'),
        (",", {}, "one of activation"),
        (", dims", {}, r'"=" and a value of dims is expected at position 25'),
        (", dims=", {}, "an integer from 0 to 999999999 for dims"),
        (", dims=x", {}, 'an integer from 0 to 999999999 for dims is expected at position 26 .* "x" stands'),
        (", dims=4", {}, "dims must be 1 or 2 or 3; got 4"),
        (", dims=1, dims=1", {}, "one value of dims alone"),
        (", batch_norm=no", {}, "True or False for batch_norm"),
        (", activation=", {}, "a value of activation"),
        (", activation=a=b", {}, "a value of activation"),
        (", activation=Smish", {}, "activation must be 'relu', .*; got 'Smish'; did you mean 'mish'"),
        (", sharing=tables", {}, "sharing must be 'literal'; got 'tables'"),
        (", nu=2", {}, "one of activation"),
        (", weights=a.pt", {}, "one of activation"),
        (", dims=1", {"dims": 3}, "dims is given twice: 1 in 'MgNet.*', and 3"),
        (", dims=1", {"dims": 2}, "dims is given twice: 1 in 'MgNet.*', and 2"),  # though 2 is the default
        (", activation=gelu", {"activation": "relu"}, "activation is given twice: 'gelu' in 'MgNet.*', and 'relu'"),
        (", batch_norm=False", {"batch_norm": True}, "batch_norm is given twice: False in 'MgNet.*', and True"),
    ],
)
def test_settings_that_do_not_parse(tail, settings, words):
    with pytest.raises(ValueError, match=words):
        nets.create_model("MgNet[2,2]-[8]-B^l" + tail, **settings)


@pytest.mark.parametrize("command", ["summary", "train --limit-batches 1 --epochs 1 --model"])
def test_an_option_that_the_name_contradicts_is_refused_though_it_is_the_default(command, capsys):
    name = "MgNet[1,1]-[4]-B^l, activation=gelu"
    assert main([*command.split(), name, "--activation", "relu"]) == 2
    assert "activation is given twice: 'gelu' in" in capsys.readouterr().err


def test_settings_of_another_family():
    with pytest.raises(ValueError, match="the settings of a ResNet, is expected at position 11"):
        nets.create_model("ResNet18, iteration=single")
    with pytest.raises(ValueError, match="settings behind it are for create_model"):
        parse("ResNet18, dims=1")


@pytest.mark.parametrize(
    ("greek", "name"),
    [
        ("σ-ResNet18", "sigma-ResNet18-A^{l,i}-B^{l,i}"),
        ("MgNet[2,2]-[8]-B^l-Π_0", "MgNet[2,2]-[8]-B^l-Pi_0"),
        ("MgNet[2,2]-[8]-B^l-A: ξ∘σ ∘ η", "MgNet[2,2]-[8]-B^l-A:xi.sigma.eta"),
        ("FB-ResNet[2,2]-[8]-A:K∘σ-B:σ∘K.sigma", "GDFI[2,2]-[8]-A:K.sigma-B:sigma.K.sigma"),
    ],
)
def test_as_the_papers_print_them(greek, name):
    assert str(parse(greek)) == name


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("ResNet-18", "ResNet18-A^{l,i}-B^{l,i}"),
        ("ResNet18-A^l-B^{l}", "ResNet18-A^l-B^l"),
        ("ResNet34-B^l", "ResNet34-A^{l,i}-B^l"),
        ("iResNet18-A^l", "pre-act ResNet18-A^l-B^{l,i}"),
        (" pre-act ResNet 34 - A^{l} - B^{l,i}", "pre-act ResNet34-A^l-B^{l,i}"),
        ("Mg-iResNet18", "Mg-iResNet18-A^l-B^{l,i}"),
        ("Mg-ResNet-34-B^l", "Mg-ResNet34-A^l-B^l"),
        ("sigma-ResNet[2,2]-[8]", "sigma-ResNet[2,2]-[8,8]-A^{l,i}-B^{l,i}"),
        ("ResNet[2,2,2,2]-[64,128,256,512]", "ResNet18-A^{l,i}-B^{l,i}"),
        ("LM-ResNet34-B^l", "LM-ResNet34-A^{l,i}-B^l"),
        ("WideResNet28*10", "WideResNet28*10"),
        ("WideResNet[1,1,1]-[32,64,128]", "WideResNet10*2"),
        ("WideResNet[1,2]-[8]", "WideResNet[1,2]-[8,8]"),
        ("VGG[2,2,4,4,4]-[64,128,256,512,512]", "VGG19"),
        ("VGG[1,2]-[8]", "VGG[1,2]-[8,8]"),
        ("DenseNet[2,2]-[(8,4),(8,4)]", "DenseNet[2,2]-[(8,4)]"),
        ("DenseNet[2,2]-[8]", "DenseNet[2,2]-[8]"),
        (" LeNet - 5", "LeNet-5"),
    ],
)
def test_names_in_data_space(name, printed):
    assert str(parse(name)) == printed


@given(all_configs(), st.data())
def test_spaces_do_not_matter(config, data):
    name = config.notation
    at = data.draw(st.sampled_from([i for i, c in enumerate(name) if c in "[],()"]))
    assert parse(name[:at] + " " + name[at:]) == config.architecture


@given(st.integers(0, 18), st.text(max_size=20))
def test_any_text_parses_or_is_refused_with_an_example(length, tail):
    name = "MgNet[2,2]-[8]-B^l"[:length] + tail
    try:
        architecture = parse(name)
    except ValueError as error:
        message = str(error)
    else:
        assert parse(str(architecture)) == architecture
        return
    assert "a correct example is MgNet[2,2,2,2]" in message


@pytest.mark.parametrize(
    ("name", "position", "expected"),
    [
        (
            "",
            1,
            "one of AlexNet, Bottleneck, DenseNet, FB-ResNet, GDFI, LM-ResNet, LeNet-5, Mg-ResNet, Mg-iResNet, MgNO",
        ),
        ("ResNext50", 1, "one of AlexNet"),
        ("ResNet77", 7, r'18, 34, 50, 101, 152 or "\["'),
        ("WideResNet27*10", 11, r"6 n \+ 4 layers"),
        ("WideResNet28-10", 13, r'"\*"'),
        ("WideResNet28*0", 14, "a widening factor"),
        ("WideResNet28*10-A^l", 16, "the end"),
        ("VGG20", 4, r'11, 13, 16, 19 or "\['),
        ("VGG19-B^l", 6, "the end"),
        ("LeNet", 1, "one of"),
        ("DenseNet[2]", 12, '"-"'),
        ("DenseNet[2]-[(8,)]", 17, "k, an integer"),
        ("ResNet18-A^l-A^l", 14, "one of B"),
        ("ResNet18-C^l", 10, "one of A"),
        ("Mg-ResNet18-A^{l,i}", 13, "one of A"),
        ("ResNet[2,2]-[8,8,8]", 13, "1 or 2 widths"),
        ("ResNet[2,0]-[8,8]", 10, "nu, an integer from 1"),
        ("GDFI[2]-[8]-B:K", 13, '"A:"'),
        ("GDFI[2]-[8]-A:K-B:xi", 19, "one of K, K.sigma, sigma.K, sigma.K.sigma"),
        ("MgNet[2]-[8]-B^l-A:K", 18, "one of Pi_0"),
        ("MgNet", 6, r'"\["'),
        ("MgNet[2,x]-[8]-B^l", 9, "nu, an integer"),
        ("MgNet[-1,2]-[8]-B^l", 7, "nu, an integer from 0"),
        ("V-MgNet[2,2;1,1]-[8]-B^l", 12, "1 number of sweeps on the way up, one per grid but the coarsest, not 2"),
        ("V-MgNet[2,2:1]-[8]-B^l", 12, '",", ";" or "]"'),
        ("MgNet[2;2]-[8]-B^l", 8, '"," or "]"'),
        ("MgNO[1,2]", 10, r'"-", as in "-\[24\]".*did you mean MgNO\[1,2\]-\[24\]\?'),
        ("MgNO[1,2;1,1]-[8]", 9, "1 number of sweeps on the way up, one per grid but the coarsest, not 2"),
        ("MgNO[1]-[(8,9)]", 10, "a channel count"),
        ("MgNO[1]-[8]-B^l", 12, "the end"),
        ("MgNet[2,2]-[64,0]-B^l", 16, "a channel count"),
        ("MgNet[2,2]-[64,x]-B^l", 16, "a channel count"),
        ("MgNet[2,2]-[(8,),8]-B^l", 16, "c_f, an integer"),
        ("MgNet[2,2,2]-[64,128]-B^l", 14, "1 or 3 widths"),
        ("MgNet[2,2]-[64]", 16, '"-"'),
        ("MgNet[2,2]-[64]-C^l", 17, "one of B"),
        ("MgNet[2,2]-[64]-B^l-Pi_3", 21, "one of Pi_0, Pi_1, Pi_2"),
        ("MgNet[2,2]-[64]-B^l-Pi_1-x", 25, "the end"),
        ("MgNet[2,2]-[²]-B^l", 13, "a channel count"),
    ],
)
def test_errors_show_the_part_that_fails(name, position, expected):
    with pytest.raises(ValueError, match=expected) as caught:
        nets.create_model(name)
    message = str(caught.value)
    assert f"position {position} of {name!r}" in message
    assert message.splitlines()[-1] == "  " + " " * (position - 1) + "^"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Resnet18", "ResNet18"),
        ("preact-ResNet34", "pre-act ResNet34"),
        ("Alexnet", "AlexNet"),
        ("LeNet5", "LeNet-5"),
        ("VGG15", "VGG1[0-9]"),
        ("WideResNet28-10", r"WideResNet28\*10"),
        ("MgNet[2,2,2,2],256,B^l", r"MgNet\[2,2,2,2\]-\[256\]-B\^l"),
    ],
)
def test_a_near_name_is_proposed(name, near):
    with pytest.raises(ValueError, match=rf"did you mean [^?]*\b{near}[^?]*\?"):
        parse(name)


def test_nothing_is_proposed_for_what_is_far():
    with pytest.raises(ValueError, match="a correct example is") as caught:
        parse("transformer")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("name", [None, 3, ["MgNet[2]-[8]-B^l"], torch.zeros(1)])
def test_a_name_is_a_string(name):
    with pytest.raises(TypeError, match="name must be a string"):
        nets.create_model(name)


def test_list_models():
    assert nets.list_models()
    assert len(nets.list_models("ResNet*")) == 3 + len(nets.list_models("pre-act ResNet*")) == 3 + 8
    for family in ("MgNet", "V-MgNet", "GDFI", "DenseNet", *PLAIN, *RESNETS):
        assert nets.list_models(f"{family}*"), family
    assert nets.list_models("VGG*") == ["VGG11", "VGG13", "VGG16", "VGG19"]
    assert nets.list_models("MgNet[2,2,2,2]-[256]-B^l") == ["MgNet[2,2,2,2]-[256]-B^l"]
    assert all(str(parse(name)) == name for name in nets.list_models())
