"""The table of a network adds up, and names the weights that are used more than once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nets
from nets import zoo
from tests.nets.networks import all_configs, configs, densenets, plains, resnets


@settings(max_examples=15)
@given(st.one_of(all_configs(), resnets(), configs(family="V-MgNet"), densenets(), plains(("LeNet-5", "VGG"))))
def test_rows_add_up(config):
    """To counts that are made in another way."""
    model = zoo.network(config)
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
