"""Exported files give the network's scores, and nothing is left where they do not."""

import importlib.util
import json
import os
import re

import pytest
import torch

import nets
from nets import ExportError, Transform
from nets.__main__ import main
from nets.deploy import export as exporting
from tests.nets.training.test_training import NAME, blobs

NEEDED = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
needs_onnx = pytest.mark.skipif(bool(NEEDED), reason=f"{', '.join(NEEDED)} not installed (the extra [onnx])")
SETTINGS = {"in_channels": 2, "num_classes": 4}
TRANSFORM = Transform("noise", (2, 9, 8), (4.0, 5.0), (6.0, 7.0), tuple("abcd"), white=16.0)


def network(name="MgNet[1,1]-[4]-B^l"):
    """A network whose batch norms are not the identity."""
    torch.manual_seed(1)
    model = nets.create_model(name, **SETTINGS)
    model(torch.randn(8, 2, 9, 8))
    model.transform = TRANSFORM
    return model.eval()


def scores_of(path, images):
    if path.suffix == ".pt2":
        return torch.export.load(path).module()(images)
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def check(model, path, to):
    done = nets.export(model, path, to)
    assert 0 <= done.deviation <= done.allowed
    assert list(path.parent.iterdir()) == [path]
    for count in (1, 2, 7):
        pixels = torch.rand(count, 2, 9, 8)
        with torch.no_grad():
            difference = scores_of(path, pixels) - model(TRANSFORM.normalise(pixels))
        assert float(difference.abs().max()) <= done.allowed


def test_torch_file_normalises_and_takes_any_number_of_images(tmp_path):
    check(network(), tmp_path / "model.pt2", "torch")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet[1,1]-[4,8]-A^l-B^l", "DenseNet[1,1]-[4]", "MgNet[1]-[(3,4)]-a_iB^l"])
def test_other_families(tmp_path, name):
    check(network(name), tmp_path / "model.pt2", "torch")


@needs_onnx
@pytest.mark.parametrize(
    "name",
    [
        "MgNet[1,1]-[4]-B^l",
        pytest.param("ResNet[1,1]-[4,8]-A^l-B^l, norm_layer=group:2, bias=True", marks=pytest.mark.slow),
        pytest.param("MgNet[1,1]-[4]-B^l, norm_layer=layer, stem=linear, activation=mish", marks=pytest.mark.slow),
    ],
)
def test_onnx_file(tmp_path, name):
    check(network(name), tmp_path / "model.onnx", "onnx")


def class_names_of(path):
    if path.suffix == ".pt2":
        texts = {"class_names": ""}
        torch.export.load(path, extra_files=texts)
        return json.loads(texts["class_names"])
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return json.loads(session.get_modelmeta().custom_metadata_map["class_names"])


@pytest.mark.parametrize("to", ["torch", pytest.param("onnx", marks=needs_onnx)])
def test_a_file_holds_the_class_names(to, tmp_path):
    path = tmp_path / f"model.{'pt2' if to == 'torch' else to}"
    nets.export(network(), path, to)
    assert class_names_of(path) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ((2, None, None), TypeError),
        ("abc", TypeError),
        (288, TypeError),
        ((2, 9.0, 8), TypeError),
        ((2, True, 8), TypeError),
        ((2, 9), ValueError),
        ((2, 9, 8, 8), ValueError),
        ((3, 9, 8), ValueError),
        ((2, 0, 8), ValueError),
        ((2, -9, 8), ValueError),
    ],
)
@pytest.mark.parametrize("to", ["torch", "onnx"])
def test_bad_shapes(shape, error, to, tmp_path):
    with pytest.raises(error, match=rf"shape must be the 3 integers \(2, n, n\).*; got {re.escape(repr(shape))}"):
        nets.export(network(), tmp_path / "a.pt2", to, shape=shape, normalise=False)
    with pytest.raises(ValueError, match="shape is too small: grid 1 of 2"):
        nets.export(network(), tmp_path / "a.pt2", to, shape=(2, 1, 1), normalise=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("to", "kind"), [("torch", "bfloat16"), ("torch", "float16"), ("onnx", "bfloat16"), ("onnx", "float64")]
)
def test_precisions_that_a_file_cannot_have(to, kind, tmp_path):
    model = network().to(getattr(torch, kind))
    with pytest.raises(ValueError, match=rf"model must have weights that are all float32.*'{to}'.*; got torch\.{kind}"):
        nets.export(model, tmp_path / "a.pt2", to)
    mixed = network()
    mixed.head.to(getattr(torch, kind))
    with pytest.raises(ValueError, match=rf"; got torch\.{min(kind, 'float32')}, torch\.{max(kind, 'float32')}"):
        nets.export(mixed, tmp_path / "a.pt2", to)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_double_precision(tmp_path):
    model, pixels = network().double(), torch.rand(3, 2, 9, 8, dtype=torch.float64)
    done = nets.export(model, tmp_path / "model.pt2")
    scores = scores_of(done.path, pixels)
    assert scores.dtype == torch.float64
    with torch.no_grad():
        difference = scores - model(TRANSFORM.normalise(pixels))
    assert float(difference.abs().max()) <= done.allowed < 1e-10


@pytest.mark.skipif(not NEEDED, reason="onnx is installed")
def test_onnx_says_what_it_needs(tmp_path):
    with pytest.raises(ImportError, match=r"pip install mgnet-multigrid\[onnx\]"):
        nets.export(network(), tmp_path / "model.onnx", "onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [1e-2, float("nan")])
def test_a_file_with_other_scores_is_not_kept(tmp_path, monkeypatch, error):
    def wrong(wrapped, images, file):
        file.write_bytes(b"x")
        return lambda x: wrapped(x) + error

    monkeypatch.setitem(exporting.WRITERS, "torch", wrong)
    model = network().train()
    (tmp_path / "kept.pt2").write_bytes(b"kept")
    for name, overwrite in (("new.pt2", False), ("kept.pt2", True)):
        with pytest.raises(ExportError, match="other scores than the network"):
            nets.export(model, tmp_path / name, overwrite=overwrite)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("kept.pt2", b"kept")]
    assert model.training


def test_rounding_is_allowed_for(tmp_path, monkeypatch):
    def near(wrapped, images, file):
        file.write_bytes(b"x")
        return lambda x: wrapped(x) * (1 + 4 * torch.finfo(torch.float32).eps)

    monkeypatch.setitem(exporting.WRITERS, "torch", near)
    done = nets.export(network(), tmp_path / "model.pt2", shape=(2, 5, 5), normalise=False)
    assert 0 < done.deviation <= done.allowed
    assert os.stat(done.path).st_mode & 0o444 == 0o444 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_bad_arguments(tmp_path):
    model = network()
    with pytest.raises(TypeError, match="model must be"):
        nets.export(torch.nn.Identity(), tmp_path / "a.pt2")
    with pytest.raises(ValueError, match="to must be one of 'torch', 'onnx'; got 'caffe'"):
        nets.export(model, tmp_path / "a.pt2", "caffe")
    (tmp_path / "a.pt2").write_text("mine")
    with pytest.raises(ValueError, match="exists already"):
        nets.export(model, tmp_path / "a.pt2")
    model.transform = None
    with pytest.raises(ValueError, match="model must know its transform"):
        nets.export(model, tmp_path / "b.pt2")
    assert (tmp_path / "a.pt2").read_text() == "mine"


def test_command(tmp_path, capsys, monkeypatch):
    def written(wrapped, images, file):
        file.write_bytes(b"x")
        return wrapped

    nets.train(NAME, blobs(), epochs=1, batch=16, output=tmp_path / "run", progress=False)
    monkeypatch.setitem(exporting.WRITERS, "torch", written)
    assert main(["export", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "images: N x 1x6x6, pixels in [0, 1]; scores: N x 3" in out
    assert "largest deviation of a score 0" in out
    assert (tmp_path / "run" / "model.pt2").exists()
    assert main(["export", str(tmp_path / "run")]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "run"), "--output", str(tmp_path / "new" / "folder" / "a.pt2")]) == 0
    assert (tmp_path / "new" / "folder" / "a.pt2").exists()
    assert main(["export", str(tmp_path / "run"), "--output", str(tmp_path / "run" / "record.json" / "a.pt2")]) == 2
    assert "record.json is a file" in capsys.readouterr().err
