"""Readers of the published files: right files are read right, wrong ones are refused by name."""

import gzip
import os
import pickle
import pickletools
import struct
import tarfile
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets.data import sets
from nets.data.idx import read_idx
from nets.data.published import CIFAR10, CIFAR100, FASHION_MNIST, MNIST, PUBLISHED
from nets.data.unpickle import read_pickle
from tests.nets.data_files import SMALL, archive, cifar_files, idx, published, small, write, write_mnist

PLACES = [Path(p) for p in (os.environ.get("MGNET_DATA"), "data") if p]


@pytest.fixture(autouse=True)
def few_images(monkeypatch, tmp_path):
    """Published sets with few images; no folder of the machine is searched."""
    for name, known in SMALL.items():
        monkeypatch.setitem(PUBLISHED, name, known)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MGNET_DATA", raising=False)


def assert_holds(data, parts):
    for part, images, labels in (
        ("train", data.train_images, data.train_labels),
        ("test", data.test_images, data.test_labels),
    ):
        assert images.dtype == torch.uint8
        assert labels.dtype == torch.int64
        expected = parts[part][0].reshape(tuple(images.shape))
        assert np.array_equal(images.numpy(), expected)
        assert np.array_equal(labels.numpy(), parts[part][1])
    seen = data.normalise(data.train_images).double()
    axes = (0, *range(2, seen.ndim))
    # pixels of at most 1 / std in size are rounded twice, and the mean takes off what they have in common
    bound = 4 * torch.finfo(torch.float32).eps / min(data.std)
    assert seen.mean(axes).abs().max() < bound
    assert (seen.std(axes, correction=0) - 1).abs().max() < bound


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
@pytest.mark.filterwarnings("ignore:.*not the published files")
def test_mnist(tmp_path, compressed, dotted):
    parts = write_mnist(tmp_path / "data" / "mnist", compressed, dotted)
    data = nets.data.load("mnist")
    assert_holds(data, parts)
    assert data.class_names == tuple("0123456789")
    assert [file.images for file in data.source] == [50, 0, 10, 0]
    assert [file.as_published for file in data.source] == [False] * 4


@pytest.mark.parametrize("name", ["cifar-10", "cifar-100"])
@pytest.mark.parametrize("form", ["binary", "pickle"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.filterwarnings("ignore:.*not the published files")
def test_cifar(tmp_path, name, form, packed):
    classes = int(name.removeprefix("cifar-"))
    files, parts = cifar_files(classes, form)
    folder = tmp_path / "data" / name
    if packed:
        write(folder, {f"{name}-{'binary' if form == 'binary' else 'python'}.tar.gz": archive(files)})
    else:
        write(folder, files)
    data = nets.data.load(name)
    assert_holds(data, parts)
    assert len(data.class_names) == classes
    assert sum(file.images for file in data.source) == 60


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol(protocol):
    files, _ = cifar_files(10, "pickle", protocol)
    content = files["test_batch"]
    batch, expected = read_pickle(content, "test_batch"), pickle.loads(content, encoding="bytes")
    assert batch.keys() == expected.keys()
    assert np.array_equal(batch[b"data"], expected[b"data"])
    assert batch[b"labels"] == expected[b"labels"]


class Touch:
    """A pickle that touches a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_cannot_run_code(tmp_path, protocol):
    mark = tmp_path / "ran"
    content = pickle.dumps({b"data": Touch(mark)}, protocol)
    pickle.loads(content)
    assert mark.exists()  # the attack works where it is let through
    mark.rmdir()
    files, _ = cifar_files(10, "pickle")
    write(tmp_path / "data" / "cifar-10", files | {"data_batch_3": content})
    with pytest.raises(ValueError, match=r"data_batch_3 is refused: a data file has no use for \w+\.mkdir"):
        nets.data.load("cifar-10")
    assert not mark.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "os system",
        "numpy load",
        "numpy.core.multiarray scalar",
        "nets.data load",
        "copyreg _reconstructor",
    ],
)
def test_names_a_pickle_may_not_ask_for(name):
    module, attribute = name.split()
    content = f"c{module}\n{attribute}\n.".encode()
    assert [code.name for code, _, _ in pickletools.genops(content)] == ["GLOBAL", "STOP"]
    with pytest.raises(ValueError, match=rf"x is refused: a data file has no use for {module}\.{attribute}"):
        read_pickle(content, "x")


def test_arrays_of_objects_are_refused():
    content = pickle.dumps({b"data": np.array([print, None], dtype=object)}, 2)
    with pytest.raises(ValueError, match="x is refused"):
        read_pickle(content, "x")


@given(st.binary(max_size=60))
def test_noise_is_no_pickle_that_runs(content):
    with suppress(ValueError):  # the only error there is
        read_pickle(content, "noise")


def wrong_mnist(folder):
    """Changes of one file, and what the error says of it."""
    images, labels = folder / "t10k-images-idx3-ubyte", folder / "t10k-labels-idx1-ubyte"
    content, text = images.read_bytes(), labels.read_bytes()
    return {
        "truncated": (images, content[:-1], "holds 7,855 bytes, expected 7,856: truncated or damaged"),
        "longer": (images, content + b"\0", "holds 7,857 bytes, expected 7,856"),
        "magic": (images, b"\x89PNG" + content[4:], r"begins with 89 50 4e 47, expected 00 00 08 03"),
        "empty": (images, b"", "begins with nothing"),
        "header": (images, content[:9], "must hold 10 x 28 x 28 bytes; its header says nothing"),
        "count": (images, struct.pack(">4B3I", 0, 0, 8, 3, 9, 28, 28) + content[16:], "its header says 9 x 28 x 28"),
        "swapped": (images, text, "no IDX file of bytes with 3 axes"),
        "label": (labels, text[:-2] + b"\x0a\0", "record 8 has label 10, and labels run from 0 to 9; 1 such records"),
        "gz": (
            images.with_name(images.name + ".gz"),
            gzip.compress(content)[:-20],
            "truncated, damaged or no .gz file",
        ),
    }


@pytest.mark.parametrize(
    "damage", ["truncated", "longer", "magic", "empty", "header", "count", "swapped", "label", "gz"]
)
def test_wrong_mnist_files_are_named(damage):
    folder = Path("data") / "mnist"
    write_mnist(folder, compressed=False)
    path, content, words = wrong_mnist(folder)[damage]
    if damage == "gz":
        path.with_suffix("").unlink()
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        nets.data.load("mnist")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("data_batch_2.bin", lambda old: old[:-5], r"holds 30,725 bytes, expected 30,730 \(10 records of 3073\)"),
        ("data_batch_2.bin", lambda old: b"\x0b" + old[1:], "record 0 has label 11, and labels run from 0 to 9"),
        ("test_batch.bin", lambda old: b"", "holds 0 bytes"),
    ],
)
def test_wrong_cifar_files_are_named(tmp_path, name, content, words):
    files, _ = cifar_files()
    write(tmp_path / "data" / "cifar-10", files | {name: content(files[name])})
    with pytest.raises(ValueError, match=words) as caught:
        nets.data.load("cifar-10")
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({b"labels": [0] * 10}, r"must hold 'data', bytes \(10, 3072\); found nothing"),
        ({b"data": np.zeros((10, 3071), np.uint8), b"labels": [0] * 10}, r"found uint8 of shape \(10, 3071\)"),
        ({b"data": np.zeros((10, 3072), np.uint8), b"labels": [0] * 9}, "a list of 10 integers; found a list of 9"),
        ({b"data": np.zeros((10, 3072), np.uint8), b"fine_labels": [0] * 10}, "'labels'.*; found nothing"),
        ({b"data": np.zeros((10, 3072), np.uint8), b"labels": [0] * 9 + [-1]}, "record 9 has label -1"),
        ([1, 2], "must hold 'data'"),
    ],
)
def test_wrong_batches_are_named(tmp_path, batch, words):
    files, _ = cifar_files(10, "pickle")
    write(tmp_path / "data" / "cifar-10", files | {"data_batch_4": pickle.dumps(batch, 2)})
    with pytest.raises(ValueError, match=f"data_batch_4.*{words}"):
        nets.data.load("cifar-10")


def test_truncated_archive_and_missing_files(tmp_path):
    files, _ = cifar_files()
    folder = tmp_path / "data" / "cifar-10"
    write(folder, {"cifar-10-binary.tar.gz": archive(files)[:-3000]})
    with pytest.raises(ValueError, match=r"cifar-10-binary\.tar\.gz is truncated, damaged"):
        nets.data.load("cifar-10")
    del files["data_batch_5.bin"]
    write(folder, files)
    with pytest.raises(FileNotFoundError, match=r"cifar-10 lacks data_batch_5\.bin"):
        nets.data.load("cifar-10")


def test_search_order_and_missing_sets(tmp_path, monkeypatch):
    with pytest.raises(
        FileNotFoundError, match=r"'mnist' was not found \(looked in data/mnist, .*cache/mgnet/mnist\)"
    ) as caught:
        nets.data.load("mnist")
    for words in ("--download", "train-images-idx3-ubyte.gz", "yann.lecun.com", "--data-dir", "$MGNET_DATA"):
        assert words in str(caught.value)
    places = ["cache/mgnet/mnist", "data/mnist", "named/MNIST/raw", "given"]
    for place in places:
        write_mnist(tmp_path / place, compressed=place != "given")
        if place.startswith("named"):
            monkeypatch.setenv("MGNET_DATA", str(tmp_path / "named"))
        found = sets.find_files(PUBLISHED["mnist"], tmp_path / "given" if place == "given" else None)
        assert found.where.resolve() == (tmp_path / place).resolve()
    with pytest.raises(ValueError, match="data_dir must be a folder; there is none at nowhere"):
        nets.data.load("mnist", data_dir="nowhere")
    with pytest.raises(TypeError, match="data_dir must be the path of a folder; got int"):
        nets.data.load("mnist", data_dir=5)


def test_checksums_are_compared_and_recorded(tmp_path, monkeypatch):
    files, _ = cifar_files()
    write(tmp_path / "data" / "cifar-10", files)
    right = {name: published(name, content).md5 for name, content in files.items()}
    monkeypatch.setitem(PUBLISHED, "cifar-10", small(CIFAR10, checksums=right))
    data = nets.data.load("cifar-10")  # without a warning
    assert all(file.as_published for file in data.source)
    assert [file.md5 for file in data.source] == list(right.values())
    monkeypatch.setitem(PUBLISHED, "cifar-10", small(CIFAR10, checksums=right | {"data_batch_2.bin": "0" * 40}))
    with pytest.warns(UserWarning, match=r"'cifar-10': data_batch_2\.bin are not the published files"):
        data = nets.data.load("cifar-10")
    assert [file.as_published for file in data.source] == [True, False, True, True, True, True]


def test_the_files_of_another_set_are_refused(tmp_path, monkeypatch):
    parts = write_mnist(tmp_path / "data" / "fashion-mnist")
    sums = {"train-images-idx3-ubyte": published("", idx(parts["train"][0])).md5}
    monkeypatch.setitem(PUBLISHED, "mnist", small(MNIST, checksums=sums))
    monkeypatch.setitem(PUBLISHED, "fashion-mnist", small(FASHION_MNIST))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz belongs to 'mnist', not to 'fashion-mnist'"):
        nets.data.load("fashion-mnist")


@pytest.mark.filterwarnings("ignore:.*not the published files")
def test_images_that_a_file_excludes(tmp_path):
    files, parts = cifar_files()
    write(tmp_path / "data" / "cifar-10", files)
    (tmp_path / "list.txt").write_text(
        "# bad ones\ndata_batch_1.bin 3 3\n\ndata_batch_5.bin 0  # no label\ntest_batch.bin 9 9\n"
    )
    data = nets.data.load("cifar-10", exclude=tmp_path / "list.txt")
    kept = np.delete(np.arange(50), [3, 40])
    assert np.array_equal(data.train_images.numpy(), parts["train"][0][kept])
    assert np.array_equal(data.test_labels.numpy(), parts["test"][1][:9])
    whole = nets.data.load("cifar-10")
    assert data.mean == whole.mean
    assert data.checksums() != whole.checksums()
    for line, words in (
        ("data_batch_1.bin", "must be a file name, a record"),
        ("data_batch_1.bin 10", "run from 0 to 9"),
        ("data_batch_6.bin 1", "was read from data_batch_1, "),
        ("data_batch_1.bin 3 4", "the label of this record is 3"),
    ):
        (tmp_path / "list.txt").write_text(f"\n{line}\n")
        with pytest.raises(ValueError, match=f"list.txt, line 2 .*{words}"):
            nets.data.load("cifar-10", exclude=tmp_path / "list.txt")
    with pytest.raises(ValueError, match="test must hold indices from 0 to 9; got 10"):
        whole.without(test=[10])


@pytest.mark.parametrize(
    ("name", "meant"), [("cifar10", "cifar-10"), ("Fashion_MNIST", "fashion-mnist"), ("minst", "mnist")]
)
def test_the_nearest_names_are_suggested(name, meant):
    with pytest.raises(ValueError, match=f"data must be one of 'digits'.*; got {name!r}; did you mean '{meant}'"):
        nets.data.load(name)
    with pytest.raises(ValueError, match=r"got 'zzz'$"):
        nets.data.load("zzz")
    with pytest.raises(ValueError, match="size must be None"):
        nets.data.load("digits", size=8)


def test_class_names():
    for known in (MNIST, FASHION_MNIST, CIFAR10, CIFAR100):
        names = known.class_names
        assert len(set(names)) == len(names) == (100 if known.name == "cifar-100" else 10)
    assert list(CIFAR100.class_names) == sorted(CIFAR100.class_names)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=3).map(tuple), st.data())
def test_idx_round_trip(shape, data):
    count = int(np.prod(shape))
    array = np.frombuffer(data.draw(st.binary(min_size=count, max_size=count)), np.uint8).reshape(shape)
    assert np.array_equal(read_idx(idx(array), "x", shape), array)


REAL = {
    "mnist": ((60000, 1, 28, 28), (0.1307,), (0.3081,), True),
    "fashion-mnist": ((60000, 1, 28, 28), (0.2860,), (0.3530,), True),
    "cifar-10": ((50000, 3, 32, 32), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), None),
}


@pytest.mark.parametrize("name", REAL)
def test_the_real_files(name, monkeypatch, request):
    place = next((request.config.rootpath / p for p in PLACES if (request.config.rootpath / p / name).is_dir()), None)
    if place is None:
        pytest.skip(f"no folder {name} in {', '.join(map(str, PLACES))}: set MGNET_DATA to a folder of data sets")
    if name in SMALL:
        monkeypatch.setitem(PUBLISHED, name, {"mnist": MNIST, "cifar-10": CIFAR10}[name])
    shape, mean, std, as_published = REAL[name]
    with pytest.warns(UserWarning, match="not the published") if as_published is None else nullcontext():
        data = nets.data.load(name, data_dir=place)
    assert tuple(data.train_images.shape) == shape
    assert len(data.test_images) == 10000
    counts = torch.bincount(data.test_labels)
    assert counts.tolist() == (
        [1000] * 10 if name != "mnist" else [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    )
    assert tuple(round(m, 4) for m in data.mean) == mean
    assert tuple(round(s, 4) for s in data.std) == std
    assert all(file.as_published for file in data.source) == bool(as_published)


def test_what_unpacks_to_more_than_the_published_files_is_not_unpacked(tmp_path):
    folder = tmp_path / "data" / "mnist"
    write_mnist(folder)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(2**24)))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz unpacks to more than 104,752 bytes"):
        nets.data.load("mnist")
    path.unlink()
    with open(path.with_suffix(""), "wb") as file:
        file.truncate(2**32)  # a hole: no bytes on the disk
    with pytest.raises(ValueError, match=r"holds 4,294,967,296 bytes, expected at most 39,216"):
        nets.data.load("mnist")
    head = tarfile.TarInfo("cifar-10-batches-bin/film.avi")
    head.size = 2**31
    write(tmp_path / "data" / "cifar-10", {"cifar-10-binary.tar.gz": gzip.compress(head.tobuf())})
    with pytest.raises(ValueError, match=r"unpacks to more than 268,435,456 bytes, .*film\.avi"):
        nets.data.load("cifar-10")
