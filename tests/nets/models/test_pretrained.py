"""The trained networks in the package do what their card says, and no other network gets their weights."""

import pickle
import warnings

import pytest
import torch

import nets
from nets.common import safetensors_file
from nets.models import pretrained

MODEL = "MgNet[2,2]-[16]-B^l"
DIGITS = {"pretrained": "digits"}
every_entry = pytest.mark.parametrize("name", pretrained.entries())


def test_the_digits_are_recognised_as_measured():
    pytest.importorskip("sklearn")
    model = nets.create_model(MODEL, **DIGITS)
    accuracy = nets.evaluate(model, nets.data.digits(pretrained.entries()["digits"]["seed"])).accuracy
    assert accuracy == 1.0  # benchmarks/results/pretrained.md
    assert model.transform.class_names == tuple("0123456789")


@every_entry
def test_every_file_is_half_precision_and_its_network_float32(name):
    tensors, _ = safetensors_file.read(pretrained.path_of(name))
    assert {w.dtype for w in tensors.values()} <= {torch.float16, torch.int64}
    entry = pretrained.entries()[name]
    model = nets.create_model(entry["model"], pretrained=name)
    assert {w.dtype for w in model.parameters()} == {torch.float32}
    assert all(torch.equal(w.to(tensors[key].dtype), tensors[key]) for key, w in model.state_dict().items())
    assert len(model.transform.class_names) == 10
    assert model.transform.data == name
    assert model.origin["from"] == f"pretrained={name!r}"
    assert pickle.loads(pickle.dumps(model)).origin == model.origin


def test_a_picture_is_classified_at_once(tmp_path):
    image, pytest_images = pytest.importorskip("PIL.Image"), pytest.importorskip("sklearn")
    assert pytest_images
    data = nets.data.digits(0)
    first = data.test_images[0, 0].numpy()
    image.fromarray((first / data.white * 255).astype("uint8")).save(tmp_path / "digit.png")
    (found,) = nets.predict(nets.create_model(MODEL, **DIGITS), tmp_path / "digit.png", top=1)
    assert found.classes[0][0] == str(int(data.test_labels[0]))


def test_another_head_is_left_out_with_a_warning():
    whole = nets.create_model(MODEL, **DIGITS)
    with pytest.warns(UserWarning, match="the head in .* is left out"):
        model = nets.create_model(MODEL, num_classes=3, **DIGITS)
    assert model.transform is None
    assert torch.equal(model.stem.conv.weight, whole.stem.conv.weight)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backbone = nets.create_model(MODEL, features_only=True, **DIGITS)
    x = torch.randn(2, 1, 8, 8)
    for one, other in zip(backbone.eval()(x), whole.eval().forward_levels(x), strict=True):
        assert torch.equal(one, other)


def test_true_takes_the_only_weights_and_spelling_does_not_matter():
    one = nets.create_model(f"{MODEL}, num_classes=10, in_channels=1", pretrained=True)
    assert torch.equal(one.head.weight, nets.create_model(MODEL, **DIGITS).head.weight)
    assert MODEL in nets.list_models(pretrained=True)
    assert nets.list_models("VGG*", pretrained=True) == []


@pytest.mark.parametrize(
    ("name", "settings", "kind", "message"),
    [
        (
            "MgNet[1]-[4]-B^l",
            DIGITS,
            ValueError,
            r"'digits' of MgNet\[2,2\]-\[16\]-B\^l.*; got 'digits' for 'MgNet\[1\]",
        ),
        (MODEL, {"pretrained": "digit"}, ValueError, "pretrained must be .*; got 'digit' .*did you mean 'digits'"),
        ("MgNet[1]-[4]-B^l", {"pretrained": True}, ValueError, "pretrained must be False or name weights"),
        ("MgNet[1,1,2]-[8,16,32]-B^l", {"pretrained": True}, ValueError, "got True .*, of which there are 2: name one"),
        (MODEL, {"pretrained": 1}, TypeError, "pretrained must be False or name weights.*; got 1"),
        (MODEL, {**DIGITS, "weights": "a.pt"}, ValueError, "pretrained and weights both name weights"),
        (MODEL, {**DIGITS, "in_channels": 3}, nets.CheckpointError, "pretrained: .* holds .*in_channels"),
        (MODEL, {**DIGITS, "activation": "gelu"}, nets.CheckpointError, "pretrained: .*activation"),
    ],
)
def test_bad_arguments(name, settings, kind, message):
    with pytest.raises(kind, match=message):
        nets.create_model(name, **settings)
    with pytest.raises(TypeError, match="pretrained must be True or False; got 'yes'"):
        nets.list_models(pretrained="yes")
