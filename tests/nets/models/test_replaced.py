"""A network whose modules were replaced is never taken for the one that its name builds."""

import copy
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

import nets
from nets import CheckpointError
from nets.models.checkpoint import read
from nets.models.replaced import replaced_modules
from nets.runs import records
from tests.nets.families import FAMILIES, create
from tests.nets.training.test_training import NAME, RECIPE, assert_same, blobs, stop_after


def other(module):
    """A module of another function and, but for the last kind, the same names and shapes of weights."""
    new = copy.deepcopy(module)
    if isinstance(module, _BatchNorm):
        new.eps = 0.5
    elif isinstance(module, _ConvNd):
        new.dilation = tuple(d + 1 for d in module.dilation)
    elif isinstance(module, nn.Linear):
        new = nn.utils.parametrizations.weight_norm(new)
    else:
        new = nn.SiLU()
    return new


@pytest.mark.parametrize("family", FAMILIES)
def test_every_replaced_module_is_seen(family):
    model = create(family)
    leaves = [name for name, m in model.named_modules() if not list(m.children()) and not isinstance(m, nn.ModuleList)]
    assert replaced_modules(model) == {}
    for change in (lambda: model.train(), lambda: model.reset_classifier(3), lambda: model.double()):
        change()
        assert replaced_modules(model) == {}
    for weight in model.parameters():
        weight.data.normal_()
    assert replaced_modules(model) == {}
    torch.manual_seed(5)
    state = torch.get_rng_state()

    @settings(max_examples=10)
    @given(st.sampled_from(leaves))
    def check(name):
        changed = copy.deepcopy(model)
        changed.set_submodule(name, other(changed.get_submodule(name)))
        found = replaced_modules(changed)
        assert name in found
        assert all(key == name or key.startswith(f"{name}.") for key in found)
        kept = copy.deepcopy(model.state_dict())
        for one, another in ((model, changed), (changed, model)):
            if name.partition(".")[0] != "head":
                with pytest.raises(RuntimeError, match="state_dict does not fit"):
                    one.load_state_dict(another.state_dict())
        assert changed.load_state_dict(copy.deepcopy(changed).state_dict())
        assert all(torch.equal(value, kept[key]) for key, value in model.state_dict().items())

    check()
    assert torch.equal(torch.get_rng_state(), state)


def test_what_changes_no_function_is_not_a_replacement():
    model = nets.create_model(NAME)
    model.set_activation_checkpointing()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = None
        if isinstance(module, nn.ReLU):
            module.inplace = True
    assert replaced_modules(model) == {}


class Mine(nets.MgNet):
    """A class of its own."""


def test_a_class_of_its_own_is_another_network():
    config = nets.create_model(NAME).config
    assert replaced_modules(Mine(config)) == {"": "Mine(features=4)"}


def with_silu(model):
    model.s[1] = nn.SiLU()
    return model


def with_larger_kernels(model):
    """Other shapes of weights."""
    model.B[0][0] = nn.Conv2d(4, 4, 5, padding=2, bias=False)
    return model


def with_more_modules(model):
    model.B[1][0] = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.SiLU(), nn.Conv2d(4, 4, 1))
    return model


CHANGES = (with_silu, with_larger_kernels, with_more_modules)


def fresh():
    torch.manual_seed(0)
    return nets.create_model(NAME, num_classes=3, in_channels=1)


def train(change, folder, **settings):
    return nets.train(change(fresh()), blobs(), **{"recipe": RECIPE, "output": folder, "progress": False, **settings})


@pytest.mark.parametrize(("change", "averaging"), list(zip(CHANGES, (0.9, 0.0, 0.9), strict=True)))
def test_a_run_with_replaced_modules(change, averaging, tmp_path, monkeypatch):
    folder, name = tmp_path / "run", next(iter(replaced_modules(change(fresh()))))
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(change, folder, averaging=averaging)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="output holds a run with another model: modules is"):
        train(lambda model: model, folder, averaging=averaging, resume=True)
    result = train(change, folder, averaging=averaging, resume=True)
    train(change, tmp_path / "whole", averaging=averaging)
    assert_same(tmp_path / "whole", folder)

    with pytest.raises(CheckpointError, match=rf"with other modules than that name builds: {name} is .*into=model"):
        nets.load(folder)
    into = change(fresh())
    model = nets.load(folder, into=into)
    assert model is into
    assert not model.training
    assert model.transform.class_names == ("a", "b", "c")
    assert torch.equal(nets.evaluate(model, blobs()).predictions, result.evaluation.predictions)
    for wrong in (fresh(), *(c(fresh()) for c in CHANGES if c is not change)):
        before = copy.deepcopy(wrong.state_dict())
        with pytest.raises(CheckpointError, match=r"holds a network in which .* in the model it is"):
            nets.load(folder, into=wrong)
        assert all(torch.equal(value, before[key]) for key, value in wrong.state_dict().items())
    with pytest.raises(CheckpointError, match="holds a network in which"):
        nets.create_model(NAME, num_classes=3, in_channels=1, weights=folder)

    record = json.loads((folder / "record.json").read_text())
    assert record["modules"] == read(folder)["model"]["modules"] == replaced_modules(into)
    assert f"| replaced modules | {name} is " in (folder / "model_card.md").read_text()
    assert f"{name} is" in records.read(folder / "record.json").network
    assert record["parameters"] == nets.parameters(into)


def test_into_takes_the_network_of_a_name_too(tmp_path):
    result = train(lambda model: model, tmp_path / "run", epochs=1)
    model = nets.load(tmp_path / "run", into=fresh())
    assert torch.equal(nets.evaluate(model, blobs()).predictions, result.evaluation.predictions)
    with pytest.raises(TypeError, match=r"into must be a nets\.Network or None; got str"):
        nets.load(tmp_path / "run", into=NAME)
    for other_one, words in (
        (nets.create_model("MgNet[1,1]-[4]-B^l", in_channels=1, num_classes=3), r"holds .*-a_iB\^l, the model is"),
        (nets.create_model(NAME, in_channels=1), r"does not fit into .*head\.weight has shape"),
    ):
        with pytest.raises(CheckpointError, match=words):
            nets.load(tmp_path / "run", into=other_one)


def test_files_of_earlier_versions_name_no_modules(tmp_path):
    """They load into the network of their name, and resume."""
    train(lambda model: model, tmp_path / "run", epochs=2)
    from nets.models import checkpoint as checkpoints

    record = read(tmp_path / "run")
    del record["model"]["modules"]
    for key in ("frozen", "initial", "averaging", "folder"):
        del record[key]
    record.pop("format")
    checkpoints.save(tmp_path / "run", record)
    assert isinstance(nets.load(tmp_path / "run"), nets.MgNet)
    with pytest.warns(UserWarning, match=r"resume: the run began with another average; it goes on with min\("):
        train(lambda model: model, tmp_path / "run", epochs=2, resume=True)
    assert nets.create_model(NAME, num_classes=3, in_channels=1, weights=tmp_path / "run")
