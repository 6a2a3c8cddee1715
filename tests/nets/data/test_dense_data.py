"""Inputs and targets on grids: what is taken, in which units, and what is refused."""

import inspect

import numpy as np
import pytest
import torch

import nets
from nets.data import DenseDataset, DenseTransform, load, load_dense, validation_split
from nets.training.dense_losses import relative_h1, relative_l2
from tests.nets.dense_data import denoising, save, segmentation
from tests.test_examples_in_docstrings import run_examples

X, Y = torch.arange(24.0).reshape(3, 2, 4), torch.arange(12.0).reshape(3, 1, 4) + 1
CLASSES = torch.tensor([[0, 1, 2, 0]] * 3)


def made(**changes):
    given = {"train_inputs": X, "train_targets": Y, "test_inputs": X[:1], "test_targets": Y[:1], **changes}
    return DenseDataset("fields", **given)


def test_statistics_are_those_of_the_training_part_per_channel():
    data, x, y = made(), X.double().numpy(), Y.double().numpy()
    assert data.mean == tuple(x.mean((0, 2))) and data.std == tuple(x.std((0, 2)))  # noqa: PT018
    assert data.target_mean == tuple(y.mean((0, 2))) and data.target_std == tuple(y.std((0, 2)))  # noqa: PT018
    normal = data.normalise(X).double()
    eps = torch.finfo(torch.float32).eps
    assert normal.mean((0, 2)).abs().max() <= 4 * eps
    transform = DenseTransform.of(data)
    back = transform.predictions((Y - data.target_mean[0]) / data.target_std[0])
    assert (back - Y).abs().max() <= 4 * eps * Y.abs().max()
    assert (data.outputs, data.in_channels, data.kind) == (1, 2, "regression")


def test_bytes_are_pixels():
    x = torch.tensor([[[0, 255, 51, 0]]] * 3, dtype=torch.uint8)
    data = made(train_inputs=x, test_inputs=x[:1])
    assert data.mean == pytest.approx((0.3,), abs=1e-15)  # (0 + 1 + 0.2 + 0) / 4, to some roundings of 1
    assert torch.equal(data.normalise(x), (x.float() - 255 * data.mean[0]) / (255 * data.std[0]))


def test_classes():
    data = made(train_targets=CLASSES, test_targets=CLASSES[:1].numpy())
    assert (data.class_names, data.outputs, data.kind) == (("0", "1", "2"), 3, "segmentation")
    assert data.test_targets.dtype == torch.int64
    assert made(train_targets=CLASSES, test_targets=CLASSES[:1], num_classes=5).outputs == 5
    mask = made(train_targets=CLASSES > 0, test_targets=CLASSES[:1] > 0, class_names=["no", "yes"])
    assert mask.class_names == ("no", "yes")


def test_tensors_of_a_graph_and_statistics_in_arrays():
    data = made(train_inputs=X.clone().requires_grad_(), train_targets=Y.clone().requires_grad_(), mean=np.zeros(2))
    assert not any(values.requires_grad for values in (data.train_inputs, data.train_targets))
    assert (data.mean, data.std) == ((0.0, 0.0), made().std)
    x = X.clone().requires_grad_()
    data.normalise(x).sum().backward()  # inputs have gradients through what a network learned
    assert torch.allclose(x.grad, 1 / torch.tensor(data.std)[:, None].expand_as(x))


def test_parts():
    data = denoising()
    left = data.without(train=[0, 2], test=[1])
    assert torch.equal(left.train_inputs, data.train_inputs[[1, *range(3, 45)]])
    assert (left.mean, left.target_std) == (data.mean, data.target_std)
    split = validation_split(data, 0.2, seed=3)
    assert (len(split.train_inputs), len(split.test_inputs)) == (36, 9)
    both = torch.cat([split.train_targets, split.test_targets]).flatten(1)
    assert torch.equal(both.unique(dim=0), data.train_targets.flatten(1).unique(dim=0))
    assert torch.equal(split.test_inputs, validation_split(data, 0.2, seed=3).test_inputs)
    assert not torch.equal(split.test_inputs, validation_split(data, 0.2, seed=4).test_inputs)


@pytest.mark.parametrize("make", [denoising, segmentation])
def test_a_file_holds_the_same(tmp_path, make, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = make()
    save("fields.npz", data, **({} if data.is_regression else {"class_names": np.array(["-", "+"])}))
    for read in (load_dense("fields.npz"), load("fields.npz"), load("fields.npz", data_dir=tmp_path)):
        assert read.checksums() == data.checksums()
        assert (read.name, read.class_names, read.source[0].images) == ("fields.npz", data.class_names, 60)


def test_names_in_bytes_and_paths(tmp_path):
    save(tmp_path / "signs.npz", segmentation(), class_names=np.array([b"no", b"yes"]))
    assert load(tmp_path / "signs.npz").class_names == ("no", "yes")
    save(tmp_path / "signs.npz", segmentation(), class_names=np.array([b"no", b"\xff"]))
    with pytest.raises(ValueError, match=r"signs\.npz: .*ascii"):
        load(tmp_path / "signs.npz")


NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_inputs": X.tolist()}, "train_inputs must be a torch.Tensor or an array of numbers; got list"),
        ({"train_inputs": X.long()}, r"train_inputs must be uint8 or floats .* got torch.int64"),
        ({"train_inputs": X[:, 0]}, r"train_inputs must be uint8 or floats of shape \(N, channels, n, ...\)"),
        ({"train_inputs": X[:, :, :, None, None, None]}, "must have 1, 2 or 3 axes behind"),
        ({"train_targets": Y[:, 0]}, r"floats \(N, d, 4\).*; train_targets\[:, None\] has a channel axis"),
        ({"train_targets": Y.long()}, r"or integers \(N, 4\), classes; got torch.int64 of shape \(3, 1, 4\)"),
        ({"train_targets": Y.to(torch.complex64)}, "array of real numbers; got Tensor of torch.complex64"),
        ({"train_targets": Y[:2]}, "train_targets must be 3, one per input; got 2"),
        ({"train_targets": Y.where(Y != 6, NAN)}, "train_targets must be finite; sample 1 is not, and 1 in all"),
        ({"train_inputs": X.where(X != 6, NAN)}, "train_inputs must be finite; sample 0 is not"),
        ({"test_targets": CLASSES[:1]}, "test_targets must be torch.float32"),
        ({"test_inputs": X[:1, :, :3], "test_targets": Y[:1, :, :3]}, r"test_inputs must be .*\('N', 2, 4\), as train"),
        ({"class_names": ("a",)}, r"class_names goes with integer targets \(N, n, ...\); these are torch.float32"),
        ({"num_classes": 2}, "num_classes goes with integer targets"),
        ({"std": (1.0, 0.0)}, "std must hold numbers > 0"),
        ({"target_mean": (1.0, 0.0)}, "target_mean must hold 1 finite numbers, one per channel"),
        ({"target_mean": 0.0}, r"target_mean must be a tuple of numbers, one per channel; got 0\.0"),
        ({"std": ("a", "b")}, "std must be a tuple of numbers"),
        ({"train_inputs": np.ma.masked_array(X.numpy(), X > 3)}, "array of numbers; got MaskedArray of float32"),
        ({"train_targets": Y.numpy().astype(object)}, "array of real numbers; got ndarray of object"),
    ],
)
def test_bad_values(changes, words):
    with pytest.raises((ValueError, TypeError), match=words):
        made(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_classes": 2}, r"train_targets must lie in 0 ... 1; got 0 ... 2"),
        ({"num_classes": 4, "class_names": ("a", "b", "c")}, "class_names must be 4, as num_classes; got 3"),
        ({"test_targets": CLASSES[:1] - 1}, r"test_targets must lie in 0 ... 2; got -1 ... 1"),
        ({"target_std": (1.0,)}, "target_mean and target_std must be empty"),
        ({"train_targets": 127 * CLASSES}, r"numbered from 0; got 0, 1, 2, 127, 254, 5 of 255: .* num_classes=255"),
        ({"train_targets": 0 * CLASSES, "test_targets": 0 * CLASSES[:1]}, "num_classes must be given, 2 or more"),
        ({"num_classes": 1}, "num_classes must be an integer >= 2; got 1"),
        ({"class_names": ("a", "b", "a")}, "class_names must differ"),
    ],
)
def test_bad_classes(changes, words):
    with pytest.raises(ValueError, match=words):
        made(**{"train_targets": CLASSES, "test_targets": CLASSES[:1], **changes})


def test_bad_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.npz"):
        load(f"{tmp_path}/none.npz")
    path = tmp_path / "bad.npz"
    for write, words in (
        (lambda: path.write_bytes(b"no zip"), "must be a file of numpy.savez without Python objects"),
        (lambda: np.save(path.open("wb"), np.zeros(3)), "it holds one array"),
        (lambda: np.savez(path, train_inputs=np.array([None])), "without Python objects"),
        (lambda: np.savez(path, train_inputs=np.zeros((2, 1, 4))), "it lacks train_targets, test_inputs, test_targets"),
        (lambda: np.savez(path, x=[0], y=[1]), "test_inputs, test_targets, and has x, y"),
    ):
        write()
        with pytest.raises(ValueError, match=words):
            load_dense(path)
    save(path, denoising(), test_input=[])
    with pytest.warns(UserWarning, match="test_input is not read"):
        load_dense(path)
    values = np.zeros((2, 1, 4))
    values[1, 0, 2] = NAN
    np.savez(path, train_inputs=values, train_targets=values, test_inputs=values, test_targets=values)
    with pytest.raises(ValueError, match=r"bad\.npz: train_inputs must be finite; sample 1 is not"):
        load_dense(path)
    for argument in ({"exclude": "list.txt"}, {"size": 8}):
        with pytest.raises(ValueError, match=f"{next(iter(argument))} must be None"):
            nets.data.load(str(path), **argument)


@pytest.mark.parametrize("documented", [DenseDataset, DenseTransform, load_dense, relative_l2, relative_h1])
def test_examples_in_docstrings(documented):
    run_examples(documented.__name__, documented, vars(inspect.getmodule(documented)) | {"nets": nets})
