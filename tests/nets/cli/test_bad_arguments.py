"""Wrong arguments of all kinds: every error names the argument, what came and what is allowed."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

import nets
from nets.__main__ import main
from nets.data import Dataset
from tests.nets.families import FAMILIES, create

NAN = float("nan")
every_family = pytest.mark.parametrize("family", FAMILIES)


def f32(*shape):
    return torch.zeros(*shape)


@every_family
@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        ([[1.0]], TypeError, "x must be a torch.Tensor; got list"),
        (None, TypeError, "x must be a torch.Tensor; got NoneType"),
        (f32(3, 8, 8), ValueError, r"x must have shape \(N, 3, n, n\).*got \(3, 8, 8\)"),
        (f32(2, 8, 8, 3), ValueError, r"in_channels=3 and dims=2; got \(2, 8, 8, 3\)"),
        (f32(2, 3, 0, 8), ValueError, "x is too small: grid 1"),
        (f32(2, 3, 1, 1), ValueError, "x is too small: grid"),
        (f32(2, 3, 8, 8).int(), TypeError, "floating-point tensor; got torch.int32"),
        (f32(2, 3, 8, 8).bool(), TypeError, "floating-point tensor; got torch.bool"),
        (f32(2, 3, 8, 8).to(torch.complex64), TypeError, "floating-point tensor; got torch.complex64"),
        (f32(2, 3, 8, 8).double(), TypeError, "x has torch.float64"),
        (f32(2, 3, 8, 8).to_sparse(), TypeError, "x must be a dense tensor; got torch.sparse_coo"),
    ],
)
def test_images(family, x, error, words):
    model = create(family)
    model.stem.register_forward_pre_hook(lambda *_: pytest.fail("work before the error"))
    for run in (model, model.forward_levels):
        with pytest.raises(error, match=words):
            run(x)


@every_family
def test_features(family):
    model = create(family).eval()
    u = model.forward_features(f32(2, 3, 8, 8))
    for wrong, error in ((None, TypeError), (u[:, 1:], ValueError), (u.flatten(1), ValueError)):
        with pytest.raises(error, match="u must be"):
            model.forward_head(wrong)


@every_family
def test_views_and_empty_batches(family):
    model = create(family).eval()
    x = torch.randn(2, 3, 9, 8)
    torch.testing.assert_close(model(x.transpose(2, 3)), model(x.transpose(2, 3).contiguous()))
    assert model(x[:0]).shape[0] == 0
    kept = x.clone()
    x.requires_grad_()
    model(x).sum().backward()
    assert torch.equal(x.detach(), kept)


@pytest.mark.parametrize("state", [None, 5, "weights.pt", [1.0], {1: f32(1)}])
def test_no_state_dict(state):
    with pytest.raises(TypeError, match="state_dict must map names to tensors; got"):
        create("MgNet").load_state_dict(state)


def test_a_state_dict_of_numbers():
    model = create("MgNet")
    with pytest.raises(TypeError, match=r"map names to tensors; A\.0\.weight is a int"):
        model.load_state_dict({**model.state_dict(), "A.0.weight": 5})


@pytest.mark.parametrize("function", [nets.parameters, lambda m: nets.summary(m, (3, 8, 8))])
def test_no_network(function):
    with pytest.raises(TypeError, match=r"model must be a .*; got str"):
        function("MgNet[2]-[4]-B^l")


@pytest.mark.parametrize("function", [nets.summary, nets.multiply_adds])
@pytest.mark.parametrize("size", [(3, 8), (1, 8, 8), (3, 8, 8, 8)])
def test_sizes(function, size):
    with pytest.raises(ValueError, match=r"input_size must be \(3, n, n\), the shape of an image of MgNet.*got"):
        function(create("MgNet"), size)


def test_patterns_and_paths():
    with pytest.raises(TypeError, match="pattern must be a string"):
        nets.list_models(5)
    with pytest.raises(TypeError, match="checkpoint must be the path of a file; got int"):
        nets.load(5)


def blobs(**changes):
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(20, 1, 6, 6, generator=generator), torch.arange(20) % 3
    data = Dataset("blobs", images[:12], labels[:12], images[12:], labels[12:], ("a", "b", "c"))
    return replace(data, **changes)


def broken(part):
    images = getattr(blobs(), part).clone()
    images[3, 0, 2, 2] = NAN
    images[5] = float("inf")
    return images


@pytest.mark.parametrize("part", ["train_images", "test_images"])
def test_data_sets(part):
    with pytest.raises(ValueError, match=f"{part} must be finite; image 3 is not, and 2 in all"):
        blobs(**{part: broken(part)})
    with pytest.raises(TypeError, match=rf"{part} must be a torch\.Tensor or an array of numbers; got list"):
        blobs(**{part: [[1.0]]})
    with pytest.raises(ValueError, match=f"{part} must be uint8 or floats"):
        blobs(**{part: f32(12, 1, 6, 6).int()})


def test_names_of_data_sets():
    assert blobs(class_names=["a", "b", "c"]).class_names == ("a", "b", "c")
    for names in ("abc", (0, 1, 2), None):
        with pytest.raises(TypeError, match="class_names must be strings, one per class"):
            blobs(class_names=names)
    with pytest.raises(TypeError, match="name must be a string; got None"):
        blobs(name=None)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"data": None}, TypeError, r"data must be a nets.data.Dataset or DenseDataset, a name, .*; got NoneType"),
        ({"data": (f32(1), f32(1))}, ValueError, r"^x must be uint8 or floats of shape \(N, channels, n, \.\.\.\)"),
        ({"data": "digit"}, ValueError, "data must be one of 'digits', .*; got 'digit'; did you mean 'digits'"),
        ({"data": "digits", "seed": -1}, ValueError, "seed must be an integer from 0"),
        ({"model": None}, TypeError, "model must be a nets.Network or a name; got NoneType"),
        ({"model": nn.Linear(2, 2)}, TypeError, "model must be a nets.Network or a name; got Linear"),
        ({"seed": None}, TypeError, "seed must be an integer; got None"),
        ({"seed": "a"}, TypeError, "seed must be an integer; got 'a'"),
        ({"output": 5}, TypeError, "output must be the path of a folder; got int"),
        ({"resume": 1}, TypeError, "resume must be True or False; got 1"),
        ({"progress": "yes"}, TypeError, "progress must be None, True or False; got 'yes'"),
        ({"device": None}, TypeError, "device must be a name or a torch.device; got None"),
        ({"device": "gpu"}, ValueError, "device 'gpu' cannot be used here"),
        ({"device": "meta"}, ValueError, "device 'meta' cannot be used here"),
    ],
)
def test_training(settings, error, words):
    with pytest.raises(error, match=words):
        nets.train(**{"model": "MgNet[1]-[2]-B^l", "data": blobs(), "epochs": 1, "batch": 4, **settings})


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"data": None}, TypeError, "data must be a nets.data.Dataset, a pair of tensors"),
        (
            {"data": "digits"},
            TypeError,
            r"pair of tensors or arrays \(images, labels\), .*; got 'digits'; nets\.data",
        ),
        ({"data": (f32(2, 1, 6, 6), f32(2))}, ValueError, "integer labels .*; got torch.float32"),
        ({"data": (f32(2, 1, 6, 6), torch.tensor([0, -1]))}, ValueError, "integer labels"),
        ({"data": (f32(2, 1, 6, 6), torch.tensor([0]))}, ValueError, "as many labels as images"),
        ({"data": (f32(0, 1, 6, 6), torch.tensor([]).long())}, ValueError, "at least one"),
        ({"data": (f32(2, 1, 6, 6), torch.tensor([0, 3]))}, ValueError, "tells 3 classes apart"),
        ({"data": (torch.full((2, 1, 6, 6), NAN), torch.tensor([0, 1]))}, ValueError, "not finite, first for image 0"),
        ({"batch": 0}, ValueError, "batch must be an integer >= 1; got 0"),
        ({"model": "MgNet"}, TypeError, "model must be a network; got str"),
    ],
)
def test_evaluation(arguments, error, words):
    model = nets.create_model("MgNet[1]-[2]-B^l", in_channels=1, num_classes=3)
    with pytest.raises(error, match=words):
        nets.evaluate(**{"model": model, "data": blobs(), **arguments})


def test_evaluation_of_what_classifies_nothing():
    for name, classes, words in (
        ("V-MgNet[1]-[2]-B^l", 3, r"must classify images.*it gives \(8, 3, 6, 6\)"),
        ("MgNet[1]-[4]-B^l", 0, r"model must have a head; MgNet\[1\]-\[4\]-B\^l has num_classes=0"),
    ):
        with pytest.raises(ValueError, match=words):
            nets.evaluate(nets.create_model(name, in_channels=1, num_classes=classes), blobs())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--model", "MgNet[2,2]"], "name:"),
        (["train", "--data", "digit"], "data must be one of 'digits'"),
        (["train", "--seed", "-1"], "seed must be an integer from 0"),
        (["train", "--epochs", "0"], "epochs must be an integer >= 1"),
        (["train", "--device", "gpu", "--epochs", "1"], "device 'gpu' cannot be used here"),
        (["train", "--device", "meta", "--epochs", "1"], "device 'meta' cannot be used here"),
        (["train", "--output", "x" * 300], "output must be a folder; x"),
        (["train", "--output", "a\0b"], "output must be a folder; a"),
        (["evaluate", "/nowhere"], "there is no file /nowhere"),
        (["summary", "MgNet[2,2]-[8]-B^l", "--size", "1"], "input_size is too small: grid 1 of 2"),
        (["summary", "MgNet[2,2]-[8]-B^l", "--plot", "/dev/null/x.png"], "plot must be a file in a folder; /dev/null"),
    ],
)
def test_command_line(arguments, words, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"python -m nets {arguments[0]}: error: ")
    assert words in error
    assert error.count("\n") == 1


def test_a_reader_that_leaves():
    """As `| head` does: no traceback, no word, and the status that shells give a program that SIGPIPE ends."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "nets", "list"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@every_family
def test_features_without_pixels(family):
    model = create(family)
    u = model.forward_features(f32(2, 3, 8, 8))
    with pytest.raises(ValueError, match="u must have a pixel or more"):
        model.forward_head(u[..., :0])


def test_given_weights_of_a_way_up():
    with pytest.raises(ValueError, match=r"3 weights, one per sweep .* nu=\(2, 1\) and nu_post=\(3,"):
        nets.create_model("V-MgNet[2,1;3]-[8]-B^l", iteration="chebyshev:1,1.5")
    assert nets.create_model("V-MgNet[2,1;3]-[8]-B^l", iteration="chebyshev:1,1.5,1.2")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: nets.create_model("MgNet[1]-[2]-B^l", num_clases=3),
            "create_model has no argument 'num_clases'; did .*'num_classes'",
        ),
        (lambda: nets.create_model("MgNet[1]-[2]-B^l", num_channels=3), "did you mean 'in_channels'"),
        (
            lambda: nets.train("MgNet[1]-[2]-B^l", blobs(), lr=0.1),
            "train has no setting 'lr'; did you mean 'learning_rate'",
        ),
        (lambda: nets.train("MgNet[1]-[2]-B^l", blobs(), batch_size=4), "did you mean 'batch'"),
        (lambda: nets.train("MgNet[1]-[2]-B^l", blobs(), norm_batchs=4), "did you mean 'norm_batches'"),
        (lambda: nets.train("MgNet[1]-[2]-B^l", blobs(), outptu=""), "did you mean 'output'"),
        (
            lambda: nets.train("MgNet[1]-[2]-B^l", blobs(), num_clases=3),
            "train has no setting 'num_clases'; 'num_classes' is an argument of create_model; ",
        ),
        (
            lambda: nets.evaluate(None, None, batch_size=4),
            "evaluate has no argument 'batch_size'; did you mean 'batch'",
        ),
        (lambda: nets.predict(None, [], topk=4), "predict has no argument 'topk'; did you mean 'top'"),
        (lambda: nets.data.load("digits", image_size=4), "load has no argument 'image_size'; did you mean 'size'"),
    ],
)
def test_keywords_that_there_are_not(call, words):
    with pytest.raises(TypeError, match=words):
        call()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--lr", "0.1"], "did you mean --learning-rate?"),
        (["train", "--batch-size", "8"], "did you mean --batch?"),
        (["train", "--learning_rate=1"], "did you mean --learning-rate?"),
        (["evaluate", "run", "--devise", "cpu"], "did you mean --device?"),
        (["list", "a", "b"], "unrecognized arguments: b"),
    ],
)
def test_options_that_there_are_not(arguments, words, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MgNet[2,2]-[16]", "MgNet[2,2]-[16]-B^l"),
        ("MgNet[2,1] ", "MgNet[2,1]-[32]-B^l"),
        ("V-MgNet[2,1;1]-[(4,8)]", "V-MgNet[2,1;1]-[(4,8)]-B^l"),
        ("GDFI[2]-[8]", "GDFI[2]-[8]-A:K-B:sigma.K.sigma"),
        ("MgNet[2,2]-[16], num_classes=3", "MgNet[2,2]-[16]-B^l, num_classes=3"),
    ],
)
def test_a_name_that_ends_too_early_is_completed(name, meant):
    with pytest.raises(ValueError, match=re.escape(f"did you mean {meant}?")):
        nets.create_model(name)
    nets.create_model(meant)


def test_patterns_in_any_case():
    assert nets.list_models("mgnet*") == nets.list_models("MgNet*") != []
    assert nets.list_models("*[2,2]-[32]*b^{L,i}") == ["MgNet[2,2]-[32]-B^{l,i}"]
