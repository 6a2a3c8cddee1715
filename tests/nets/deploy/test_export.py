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
    for count, size in ((1, (9, 8)), (2, (16, 31)), (7, (33, 12))):
        pixels = torch.rand(count, 2, *size)
        with torch.no_grad():
            difference = scores_of(path, pixels) - model(TRANSFORM.normalise(pixels))
        assert float(difference.abs().max()) <= done.allowed


def test_torch_file_normalises_and_takes_any_number_of_images_of_any_size(tmp_path):
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


def texts_of(path):
    if path.suffix == ".pt2":
        texts = dict.fromkeys(("class_names", "mean", "std", "input", "shape"), "")
        torch.export.load(path, extra_files=texts)
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        texts = session.get_modelmeta().custom_metadata_map
    return {name: json.loads(text) for name, text in texts.items()}


@pytest.mark.parametrize("to", ["torch", pytest.param("onnx", marks=needs_onnx)])
def test_a_file_says_its_classes_and_its_input(to, tmp_path):
    path = tmp_path / f"model.{'pt2' if to == 'torch' else to}"
    done = nets.export(network(), path, to, shape=(2, None, 8))
    assert done.shape == (2, None, 8)
    texts = texts_of(path)
    assert texts["class_names"] == ["a", "b", "c", "d"]
    assert texts["shape"] == [2, None, 8]
    assert texts["input"] == "pixels in [0, 1]"
    pixels = torch.rand(1, 2, 9, 8)
    mean, std = (torch.tensor(texts[name]).reshape(1, 2, 1, 1) for name in ("mean", "std"))
    # a division more or less, of numbers below one: two roundings each
    assert torch.allclose((pixels - mean) / std, TRANSFORM.normalise(pixels), rtol=0, atol=1e-6)


DENSE = (("V-MgNet[1,1]-[4]-B^l", {}), ("V-MgNet[1,1,1]-[4]-B^l", {"padding": "circular"}))
OTHERS = (
    ("MgNet[1,1]-[4]-B^l", {"dims": 1}),
    ("MgNet[1,1]-[4]-B^l", {"dims": 3, "transfers": "bilinear"}),
    ("V-MgNet[1,1]-[4]-B^l", {"padding": "reflect"}),
    ("MgNO[1,1]-[4]", {"form": "published"}),
    ("LeNet-5", {}),
)


@pytest.mark.parametrize(
    ("name", "settings"), [DENSE[0], *(pytest.param(*case, marks=pytest.mark.slow) for case in (DENSE[1], *OTHERS))]
)
def test_every_family_takes_sizes_of_either_parity(name, settings, tmp_path):
    torch.manual_seed(2)
    model = nets.create_model(name, **SETTINGS, **settings).eval()
    dims = model.config.dims
    done = nets.export(model, tmp_path / "a.pt2", shape=(2, *(None,) * dims), normalise=False)
    program = torch.export.load(done.path).module()
    for size in ((20, 17, 19), (19, 22, 16)):
        images = torch.randn(2, 2, *size[:dims])
        with torch.no_grad():
            assert float((program(images) - model(images)).abs().max()) <= done.allowed


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings"), DENSE)
def test_predictions_at_every_point_as_onnx(name, settings, tmp_path):
    model = nets.create_model(name, **SETTINGS, **settings).eval()
    done = nets.export(model, tmp_path / "a.onnx", "onnx", shape=(2, None, None), normalise=False)
    images = torch.randn(2, 2, 18, 21)
    with torch.no_grad():
        assert float((scores_of(done.path, images) - model(images)).abs().max()) <= done.allowed


def test_sizes_that_cannot_be_open(tmp_path, monkeypatch):
    asked = []

    def written(wrapped, images, file):
        asked.append((wrapped.shape, tuple(images.shape[1:])))
        file.write_bytes(b"x")
        return wrapped

    for to in ("torch", "onnx"):
        monkeypatch.setitem(exporting.WRITERS, to, written)
    deep = network("MgNet[1,1,1,1]-[4]-B^l")
    lenet = nets.create_model("LeNet-5", **SETTINGS).eval()
    lenet.transform = Transform("noise", (2, 32, 30), (4.0, 5.0), (6.0, 7.0), tuple("abcd"), white=16.0)
    deep.transform = Transform("noise", (2, 8, 8), (4.0, 5.0), (6.0, 7.0), tuple("abcd"), white=16.0)
    for model, to, why in ((lenet, "onnx", "to 5x5 pixels"), (deep, "torch", "one pixel on the coarsest grid")):
        with pytest.warns(UserWarning, match=why):
            done = nets.export(model, tmp_path / "a", to, overwrite=True)
        assert done.shape == model.transform.shape
        assert asked[-1] == (done.shape, done.shape)
    with pytest.raises(
        ValueError, match=r"shape must hold integers alone for this network: ONNX.*; got \(2, None, 30\)"
    ):
        nets.export(lenet, tmp_path / "b", "onnx", shape=(2, None, 30))
    small = nets.export(network("MgNet[1,1,1]-[4]-B^l"), tmp_path / "c", shape=(2, None, None))
    assert asked[-1] == (small.shape, (2, 18, 16))  # three pixels or more on the coarsest grid


def test_a_file_that_does_not_take_a_size_is_not_kept(tmp_path, monkeypatch):
    def one_size(wrapped, images, file):
        file.write_bytes(b"x")

        def run(x):
            if x.shape[2:] != images.shape[2:]:
                raise RuntimeError("Guard failed")
            return wrapped(x)

        return run

    monkeypatch.setitem(exporting.WRITERS, "torch", one_size)
    with pytest.raises(
        ExportError, match=r"images \(1, 2, \d+, \d+\) for images of any size.*: RuntimeError: Guard failed"
    ):
        nets.export(network(), tmp_path / "a.pt2")
    assert nets.export(network(), tmp_path / "a.pt2", shape=(2, 9, 8)).shape == (2, 9, 8)

    def untraceable(wrapped, images, file):
        raise RuntimeError("no such operator")

    monkeypatch.setitem(exporting.WRITERS, "torch", untraceable)
    with pytest.raises(ExportError, match=r"cannot be written for images of any size.*: no such operator"):
        nets.export(network(), tmp_path / "b.pt2")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt2"]


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ((2, None, "8"), TypeError),
        ("abc", TypeError),
        (288, TypeError),
        ((2, 9.0, 8), TypeError),
        ((2, True, 8), TypeError),
        ((2, 9), ValueError),
        ((2, 9, 8, 8), ValueError),
        ((3, 9, 8), ValueError),
        ((2, 0, 8), ValueError),
        ((2, -9, 8), ValueError),
        ((2, None, -8), ValueError),
        ((None, 9, 8), ValueError),
    ],
)
@pytest.mark.parametrize("to", ["torch", "onnx"])
def test_bad_shapes(shape, error, to, tmp_path):
    with pytest.raises(
        error, match=rf"shape must be \(2, n, n\), n an integer, or None.*; got {re.escape(repr(shape))}"
    ):
        nets.export(network(), tmp_path / "a", to, shape=shape, normalise=False)
    with pytest.raises(ValueError, match="shape is too small: grid 1 of 2"):
        nets.export(network(), tmp_path / "a", to, shape=(2, 1, 1), normalise=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("to", "kind"), [("torch", "bfloat16"), ("torch", "float16"), ("onnx", "bfloat16"), ("onnx", "float64")]
)
def test_precisions_that_a_file_cannot_have(to, kind, tmp_path):
    model = network().to(getattr(torch, kind))
    with pytest.raises(ValueError, match=rf"model must have weights that are all float32.*'{to}'.*; got torch\.{kind}"):
        nets.export(model, tmp_path / "a", to)
    mixed = network()
    mixed.head.to(getattr(torch, kind))
    with pytest.raises(ValueError, match=rf"; got torch\.{min(kind, 'float32')}, torch\.{max(kind, 'float32')}"):
        nets.export(mixed, tmp_path / "a", to)
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
    assert "images: N x 1xanyxany, pixels in [0, 1]; scores: N x 3" in out
    assert "largest deviation of a score 0" in out
    assert (tmp_path / "run" / "model.pt2").exists()
    assert main(["export", str(tmp_path / "run"), "--fixed-size", "--overwrite"]) == 0
    assert "images: N x 1x6x6, pixels in [0, 1]" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "run"), "--fixed-size", "--to", "safetensors"]) == 2
    assert "fixed-size goes with --to torch or onnx" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "run")]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "run"), "--output", str(tmp_path / "new" / "folder" / "a.pt2")]) == 0
    assert (tmp_path / "new" / "folder" / "a.pt2").exists()
    assert main(["export", str(tmp_path / "run"), "--output", str(tmp_path / "run" / "record.json" / "a.pt2")]) == 2
    assert "record.json is a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"path": None}, TypeError, "path must be the path of a file; got NoneType"),
        ({"path": "a.onnx"}, ValueError, "path must not end in .onnx for a file 'torch': to='onnx' writes those"),
        ({"path": "a.pt2", "to": "onnx"}, ValueError, "path must not end in .pt2 for a file 'onnx'"),
        ({"to": ["onnx"]}, ValueError, r"to must be one of 'torch', 'onnx'; got \['onnx'\]"),
        ({"normalise": "no"}, TypeError, "normalise must be True or False; got 'no'"),
        ({"overwrite": 1}, TypeError, "overwrite must be True or False; got 1"),
        ({"path": "/proc/a.pt2"}, ValueError, r"output: /proc/a.pt2 cannot be written: "),
    ],
)
def test_arguments_that_mean_nothing(arguments, error, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        nets.export(network(), **{"path": "a.pt2", **arguments})
    assert list(tmp_path.iterdir()) == []


def test_class_names_of_another_head_are_not_written(tmp_path):
    model = network()
    model.head = torch.nn.Linear(4, 3)
    with pytest.raises(ValueError, match=r"model.transform must name the 3 outputs .*; got 4 class names: 'a', 'b'"):
        nets.export(model, tmp_path / "a.pt2")
    model.reset_classifier(3)
    assert model.transform is None
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_said_of_the_workings_of_torch(tmp_path, recwarn):
    nets.export(network().to(memory_format=torch.channels_last), tmp_path / "a.pt2")
    assert recwarn.list == []
