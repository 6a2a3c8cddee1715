"""The table of a network adds up, and names the weights that are used more than once."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nets
from nets.__main__ import main
from nets.models import registry
from tests.nets.networks import all_configs, configs, densenets, plains, resnets


@settings(max_examples=15)
@given(st.one_of(all_configs(), resnets(), configs(family="V-MgNet"), densenets(), plains(("LeNet-5", "VGG"))))
def test_rows_add_up(config):
    """To counts that are made in another way."""
    model = registry.network(config)
    size = (config.in_channels, 22, 17)
    table = nets.summary(model, size)
    assert [row.name for row in table.rows] == ["stem", *(f"grid {l + 1}" for l in range(len(config.nu))), "head"]
    assert table.parameters == nets.parameters(model)
    assert table.multiply_adds == nets.multiply_adds(model, size)
    assert model.training
    assert all(not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(("input", "pixels"), [("cifar", [32, 32, 16, 8, 4]), ("imagenet", [8, 8, 4, 2, 1])])
def test_shapes_and_shared_weights(input, pixels):
    table = nets.summary(nets.create_model("MgNet[2,2,2,2]-[8]-B^l", input=input), (3, 32, 32))
    assert [row.shape for row in table.rows[:-1]] == [(n, n) for n in pixels]
    assert [row.shared for row in table.rows[1:5]] == [
        *({f"A.{l}": 2, f"B.{l}.0": 2} for l in range(3)),
        {"B.3.0": 2},  # the last A d of the coarsest grid does not run
    ]
    resnet = nets.summary(nets.create_model("ResNet18-A^l-B^{l,i}"), (3, 32, 32))
    assert [row.shared for row in resnet.rows[1:5]] == [{f"A.{l}.0": 2} for l in range(4)]
    text = str(table)
    assert text.startswith("MgNet[2,2,2,2]-[8]-B^l" + (", input=imagenet\n" if input == "imagenet" else "\n"))
    assert f"{table.parameters:,}" in text.splitlines()[-1]


def test_columns_are_apart_however_long_the_numbers():
    model = nets.create_model("MgNet[1,1]-[(100,200)]-B^l", dims=3)
    table = nets.summary(model, (3, 1024, 1024, 10240))
    for line, row in zip(str(table).splitlines()[2:], table.rows, strict=False):
        pixels, numbers = "x".join(map(str, row.shape)), (f"{row.parameters:,}", f"{row.multiply_adds:,}")
        cells = [*row.name.split(), *pixels.split(), row.channels, *numbers]
        assert line.split()[: len(cells)] == cells


@pytest.mark.parametrize(
    "name", ["MgNet[2,1]-[4]-B^l", "V-MgNet[2,1]-[4]-B^l", "GDFI[1,1]-[4]-A:K-B:K", "MgNet[2,2]-[4]-B^l"]
)
@pytest.mark.parametrize("form", ["auto", "feature"])
def test_kernels_without_use_are_those_without_gradient(name, form):
    model = nets.create_model(name, form=form)
    model(torch.randn(2, 3, 8, 8)).square().sum().backward()
    unused = {kernel for row in nets.summary(model, (3, 8, 8)).rows for kernel in row.unused}
    assert {f"{kernel}.weight" for kernel in unused} == {n for n, p in model.named_parameters() if p.grad is None}
    assert ("A.1 never" in str(nets.summary(model, (3, 8, 8)))) == ("A.1" in unused)
    assert unused == ({"A.1"} if model.config.form == "residual" and model.config.nu[-1] == 1 else set())


def test_the_command_takes_the_settings_of_create_model(capsys):
    arguments = ["--activation", "gelu", "--iteration", "chebyshev", "--dims", "1", "--no-batch-norm", "--size", "20"]
    assert main(["summary", "MgNet[2,2]-[8]-B^l", *arguments, "--transfers", "bilinear"]) == 0
    title = "MgNet[2,2]-[8]-B^l, activation=gelu, batch_norm=False, dims=1, transfers=bilinear, iteration=chebyshev"
    text = capsys.readouterr().out
    assert text.splitlines()[0] == title
    assert main(["summary", title, "--size", "20"]) == 0
    assert capsys.readouterr().out == text
    assert main(["summary", title, "--size", "20,20"]) == 2
    assert "size must be 1 positive integer, since the network has dims=1; got '20,20'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["MgNet[100000,2]-[4]-B^l", "DenseNet[1999,2]-[4]", "ResNet[2001]-[4]-A^l-B^l"])
def test_the_command_refuses_what_would_take_hours(name, capsys):
    assert main(["summary", name]) == 2
    assert "name must be that of a network with at most 2,000 sweeps in all; got " in capsys.readouterr().err
