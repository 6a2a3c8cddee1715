"""Labels and images of every dtype, as tensors and as arrays: the same result, or a message that names them."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import nets
from nets.data import Dataset
from nets.training import Evaluation

INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64)
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
every_integer = pytest.mark.parametrize("dtype", [*INTEGERS, torch.bool], ids=str)


class Scores(nn.Module):
    """A network that says the class that the first pixel of an image names."""

    def __init__(self, classes):
        super().__init__()
        self.table = nn.Parameter(torch.eye(classes))

    def forward(self, x):
        return self.table[x[:, 0, 0, 0].long()]


def images_of(labels, kind=torch.float32):
    return labels.reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4).to(kind).contiguous()


@every_integer
@pytest.mark.parametrize("classes", [2, 20, 200])
@pytest.mark.parametrize("given", [torch.as_tensor, lambda t: t.numpy()], ids=["tensor", "array"])
def test_labels_of_every_integer_type_are_counted_alike(dtype, classes, given):
    """Of a perfect classifier and of one that is one class off."""
    largest = 1 if dtype == torch.bool else torch.iinfo(dtype).max
    labels = torch.arange(3 * classes) % min(classes, largest + 1)
    typed = given(labels.to(dtype))
    perfect = nets.evaluate(Scores(classes), (images_of(labels), typed))
    assert perfect.labels.dtype == torch.int64
    assert perfect.per_class == [1.0 if k in labels else None for k in range(classes)]
    assert torch.equal(perfect.confusion, torch.diag(torch.bincount(labels, minlength=classes)))
    shifted = (labels + 1) % classes
    off = nets.evaluate(Scores(classes), (images_of(shifted), typed))
    assert off.accuracy == 0
    assert torch.equal(off.confusion.nonzero(), torch.stack([labels, shifted], 1).unique(dim=0))
    data = Dataset("some", images_of(labels), typed, images_of(labels), typed, tuple(map(str, range(classes))))
    assert torch.equal(data.train_labels, labels)
    assert nets.evaluate(Scores(classes), data).accuracy == 1


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_counts_of_an_evaluation_made_by_hand_do_not_overflow(dtype):
    labels = torch.arange(100).to(dtype)
    evaluation = Evaluation(torch.arange(100), labels, None, 100)
    assert torch.equal(evaluation.confusion, torch.eye(100, dtype=torch.int64))
    assert evaluation.per_class == [1.0] * 100


@pytest.mark.parametrize("dtype", [*FLOATS, torch.complex64], ids=str)
def test_labels_that_are_no_integers_are_refused(dtype):
    labels = torch.zeros(4).to(dtype)
    with pytest.raises(ValueError, match=rf"labels of data must be integer labels \(N,\) from 0; got {dtype}"):
        nets.evaluate(Scores(2), (torch.zeros(4, 1, 2, 2), labels))
    good = torch.zeros(4).long()
    with pytest.raises(ValueError, match=f"train_labels must be integer labels .*{dtype}"):
        Dataset("some", torch.zeros(4, 1, 2, 2), labels, torch.zeros(4, 1, 2, 2), good, ("a", "b"))


def test_labels_beyond_int64_are_refused():
    labels = np.array([0, 2**64 - 1], np.uint64)
    with pytest.raises(ValueError, match="integer labels"):
        nets.evaluate(Scores(2), (torch.zeros(2, 1, 2, 2), labels))


def quarters(kind):
    """Images that every float type holds exactly, with classes that can be told apart."""
    labels = torch.arange(16) % 2
    images = labels.reshape(-1, 1, 1, 1) + torch.arange(16).reshape(1, 1, 4, 4) / 4
    return images.to(kind), labels


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("given", [torch.as_tensor, lambda t: t.numpy()], ids=["tensor", "array"])
def test_floats_of_every_precision_train_alike(dtype, given):
    if dtype == torch.bfloat16 and given is not torch.as_tensor:
        pytest.skip("NumPy has no bfloat16")
    results = []
    for kind in (torch.float32, dtype):
        images, labels = quarters(kind)
        images = given(images)
        data = Dataset("some", images, labels, images, labels, ("a", "b"))
        result = nets.train("MgNet[1]-[4]-B^l", data, epochs=1, batch=8, progress=False)
        scores = nets.evaluate(result.model, (images, labels))
        results.append((result.history[-1]["loss"], scores.predictions.tolist(), data.checksums()))
    assert results[0] == results[1]


@pytest.mark.parametrize("dtype", [k for k in INTEGERS if k != torch.uint8] + [torch.bool, torch.complex64], ids=str)
def test_images_of_other_types_are_refused(dtype):
    images, labels = torch.zeros(4, 1, 4, 4).to(dtype), torch.tensor([0, 1, 0, 1])
    with pytest.raises(ValueError, match=f"train_images must be uint8 or floats .*{dtype}"):
        Dataset("some", images, labels, images, labels, ("a", "b"))
    with pytest.raises(TypeError, match=f"an image of data must be a floating-point tensor; got {dtype}"):
        nets.evaluate(nets.create_model("MgNet[1]-[4]-B^l", in_channels=1, num_classes=2), (images, labels))


def test_raw_images_are_refused_where_the_model_takes_normalised_ones():
    model = nets.create_model("MgNet[1]-[4]-B^l", in_channels=1, num_classes=2)
    images, labels = torch.zeros(4, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"normalised floats; got torch\.uint8: nets\.data\.Dataset normalises"):
        nets.evaluate(model, (images, labels))
    data = Dataset("some", images.numpy(), labels.numpy(), images, labels, ("a", "b"))
    assert nets.evaluate(model, data).count == 4


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_a_network_of_every_precision_evaluates_every_data(dtype):
    images, labels = quarters(torch.float32)
    data = Dataset("some", images, labels, images, labels, ("a", "b"))
    model = nets.create_model("MgNet[1]-[4]-B^l", in_channels=1, num_classes=2).to(dtype)
    for given in (data, (images, labels), (images.double(), labels)):
        assert nets.evaluate(model, given).count == 16


def test_arrays_of_the_other_byte_order_and_with_gaps():
    images, labels = quarters(torch.float32)
    odd = images.numpy().astype(">f4")[::-1]
    data = Dataset("some", odd, labels.numpy().astype(">i2")[::-1], images, labels, ("a", "b"))
    assert torch.equal(data.train_images, images.flip(0))
    assert torch.equal(data.train_labels, labels.flip(0))


def test_images_that_are_too_small_are_called_by_their_name():
    images, labels = torch.zeros(4, 1, 1, 1), torch.tensor([0, 1, 0, 1])
    data = Dataset("some", images, labels, images, labels, ("a", "b"))
    with pytest.raises(ValueError, match=r"^an image of data 'some' is too small: grid 1 of 2"):
        nets.train("MgNet[1,1]-[4]-B^l", data)
    model = nets.create_model("MgNet[1,1]-[4]-B^l", in_channels=1, num_classes=2)
    for given in (data, (images, labels)):
        with pytest.raises(ValueError, match=r"^an image of data is too small"):
            nets.evaluate(model, given)


@pytest.mark.parametrize(
    ("shape", "move"), [((5, 8, 8, 3), "transpose"), ((5, 28, 28, 1), "transpose"), ((5, 8, 8), r"images\[:, None\]")]
)
def test_channels_that_seem_to_be_elsewhere_are_mentioned(shape, move):
    images, labels = np.zeros(shape, np.uint8), np.zeros(5, int)
    with pytest.warns(UserWarning, match=rf"taken as {shape[1]} channels of .*{move}"):
        Dataset("some", images, labels, images, labels, ("one", "two"))


@pytest.mark.parametrize("shape", [(5, 3, 8, 8), (5, 1, 1, 1), (5, 3, 3, 3), (5, 1, 8, 3), (5, 2, 100), (5, 1, 1)])
def test_channels_where_they_belong_are_not(shape):
    images, labels = np.zeros(shape, np.uint8), np.zeros(5, int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = Dataset("some", images, labels, images, labels, ("one", "two"))
    sides = " x ".join(map(str, shape[1:]))
    words = f"'some', 5 images for training, 5 for testing, {sides} torch.uint8, 2 classes"
    assert repr(data) == f"Dataset({words})"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.dtype(">f4")], ids=str)
def test_arrays_are_normalised_as_tensors(dtype):
    images, labels = np.arange(5 * 16).reshape(5, 1, 4, 4).astype(dtype), np.zeros(5, int)
    data = Dataset("some", images, labels, images, labels, ("one", "two"), (0.25,), (0.5,))
    plain = torch.as_tensor(images.astype(images.dtype.newbyteorder("=")))
    assert torch.equal(data.normalise(images), data.normalise(plain))
    with pytest.raises(TypeError, match=r"raw must be a torch\.Tensor or an array of numbers; got list"):
        data.normalise([[[1.0]]])
