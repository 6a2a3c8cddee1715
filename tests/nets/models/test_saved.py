"""A network in a .safetensors file is the same network again, and other files are refused by name."""

import json

import pytest
import torch
from torch import nn

import nets
from nets import CheckpointError, Transform
from nets.common import safetensors_file
from nets.data import DenseTransform
from tests.nets.families import FAMILIES, create

NAME = "MgNet[1,1]-[4]-B^l"
TRANSFORM = Transform("folder:/home/me/pets", (3, 9, 8), (4.0,) * 3, (6.0,) * 3, ("cat", "dög"), white=16.0, resize=10)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_there_and_back(family, tmp_path):
    model = create(family, num_classes=3).double()
    model.load_state_dict({k: w + 1 if w.is_floating_point() else w for k, w in model.state_dict().items()})
    again = nets.load(nets.save(model, tmp_path / "net.safetensors"))
    assert again.config == model.config
    assert not again.training
    for name, weight in model.state_dict().items():
        found = again.state_dict()[name]
        assert found.dtype == weight.dtype
        assert torch.equal(found, weight)


@pytest.mark.parametrize(
    "transform",
    [
        TRANSFORM,
        DenseTransform("/home/me/flow.npz", (3, 8, 8), (0.0,) * 3, (1.0,) * 3, (), (2.0,), (3.0,)),
        DenseTransform("cells", (3, 8, 8), (0.0,) * 3, (1.0,) * 3, ("in", "out")),
    ],
)
def test_classes_and_normalisation_without_paths(transform, tmp_path):
    model, path = nets.create_model(NAME, num_classes=2), tmp_path / "net.safetensors"
    model.transform = transform
    found = nets.load(nets.save(model, path)).transform
    assert vars(found) | {"data": ""} == vars(transform) | {"data": ""}
    assert found.data == {"folder:/home/me/pets": "folder:pets", "/home/me/flow.npz": "flow.npz"}.get(
        transform.data, transform.data
    )
    assert b"/home" not in path.read_bytes()


def test_half_precision_is_read_into_float32(tmp_path):
    model = nets.create_model(NAME)
    again = nets.load(nets.save(model.half(), tmp_path / "net.safetensors"))
    assert again.head.weight.dtype == torch.float32
    assert torch.equal(again.head.weight, model.float().head.weight)


def test_a_run_starts_from_it_and_says_so(tmp_path):
    model, path = nets.create_model(NAME, in_channels=1), tmp_path / "net.safetensors"
    nets.save(model, path)
    found = nets.create_model(NAME, in_channels=1, weights=path)
    assert torch.equal(found.A[0].weight, model.A[0].weight)
    assert found.origin["from"] == str(path)
    with pytest.raises(CheckpointError, match=r"weights: .*net\.safetensors holds a network with activation='relu'"):
        nets.create_model(NAME, in_channels=1, activation="gelu", weights=path)


def test_weights_of_other_programs_need_a_network(tmp_path):
    model, path = nets.create_model(NAME), tmp_path / "model.safetensors"
    model.transform = TRANSFORM
    safetensors_file.write(
        path, {f"module.{name}": w + 1 for name, w in nets.create_model(NAME).state_dict().items()}, {}
    )
    with pytest.raises(CheckpointError, match="does not say which network its weights are of; make it, and give it as"):
        nets.load(path)
    assert nets.load(path, into=model) is model
    assert model.transform is TRANSFORM  # the file has none
    assert torch.equal(model.stem.norm.running_mean, torch.ones(4))


def test_replaced_modules_need_a_network(tmp_path):
    model, again = nets.create_model(NAME), nets.create_model(NAME)
    model.s[0] = again.s[0] = nn.SiLU()
    path = nets.save(model, tmp_path / "net.safetensors")
    with pytest.raises(CheckpointError, match=r"with other modules than that name builds: s\.0 is SiLU"):
        nets.load(path)
    assert torch.equal(nets.load(path, into=again).head.weight, model.head.weight)
    with pytest.raises(CheckpointError, match=r"a network in which s\.0 is SiLU"):
        nets.load(path, into=nets.create_model(NAME))


def test_bad_arguments(tmp_path):
    model, path = nets.create_model(NAME), tmp_path / "net.safetensors"
    for wrong, name, error, words in (
        (nn.Linear(1, 1), path, TypeError, "model must be a nets.Network; got Linear"),
        (model, 3, TypeError, "path must be the path of a file; got int"),
        (model, tmp_path / "net.pt", ValueError, r"path must end in \.safetensors"),
    ):
        with pytest.raises(error, match=words):
            nets.save(wrong, name)
    nets.save(model, path)
    with pytest.raises(ValueError, match="exists already; choose another name, or overwrite=True"):
        nets.save(model, path)
    nets.save(model, path, overwrite=True)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"checkpoint: .*net\.safetensors is truncated, damaged"):
        nets.load(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "other 1"}, r"was not written by mgnet-multigrid in this version"),
        ({"network": {"notation": NAME}}, r"does not describe a network \(KeyError: 'settings'\)"),
        ({"network": {"notation": "resnet50", "settings": {}, "modules": {}}}, "does not describe .*ValueError: name"),
        ({"data": {"name": "pets"}}, r"does not describe a network \(KeyError: 'shape'\)"),
    ],
)
def test_texts_that_are_not_understood(change, words, tmp_path):
    path = nets.save(nets.create_model(NAME), tmp_path / "net.safetensors")
    tensors, texts = safetensors_file.read(path)
    text = json.dumps(json.loads(texts["mgnet-multigrid"]) | change)
    safetensors_file.write(path, tensors, {"mgnet-multigrid": text})
    with pytest.raises(CheckpointError, match=words):
        nets.load(path)
