"""Data of one's own: arrays, and data sets and loaders of torch, as they are."""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from torch.utils.data import Dataset as TorchDataset

import nets
from nets.data import DenseDataset, from_arrays, loaders
from nets.data.loaders import collect, names_of
from nets.models import checkpoint as checkpoints

MODEL = "MgNet[1]-[4]-B^l"
SETTINGS = {"epochs": 1, "batch": 8, "progress": False}


def images(count=40, kind=np.float32, shape=(1, 6, 6), classes=3):
    """Noise in the units of bytes, brighter from class to class, and the classes."""
    labels = np.arange(count) % classes
    x = np.random.default_rng(0).integers(0, 100, (count, *shape)) + 70 * labels.reshape(-1, *[1] * len(shape))
    return x.astype(kind), labels


def same(one, two):
    """Whether two runs did the same, to the bit."""
    pairs = zip(one.model.state_dict().values(), two.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs) and one.accuracy == two.accuracy


@pytest.mark.parametrize("given", [torch.as_tensor, np.asarray], ids=["tensor", "array"])
def test_arrays_are_split_by_the_seed_class_by_class(given):
    x, y = images(43)
    data = from_arrays(given(x), given(y), seed=5)
    assert torch.bincount(data.train_labels).tolist() == [12, 11, 11]  # of 15, 14 and 14
    assert torch.bincount(data.test_labels).tolist() == [3, 3, 3]
    joined = [(d.tobytes(), int(k)) for d, k in zip(x, y, strict=True)]
    parts = ((data.train_images, data.train_labels), (data.test_images, data.test_labels))
    assert sorted((d.numpy().tobytes(), int(k)) for part in parts for d, k in zip(*part, strict=True)) == sorted(joined)
    assert data.mean == pytest.approx([data.train_images.mean().item()])
    assert data.std == pytest.approx([data.train_images.std(correction=0).item()])
    assert (data.split, data.class_names) == (5, ("0", "1", "2"))
    assert torch.equal(from_arrays(x, y, seed=5).test_images, data.test_images)
    assert not torch.equal(from_arrays(x, y, seed=6).test_images, data.test_images)


def test_a_target_at_every_point_makes_a_dense_set():
    x, _ = images()
    values = from_arrays(x, 2 * x)
    assert isinstance(values, DenseDataset)
    assert values.is_regression
    assert torch.equal(values.test_targets, 2 * values.test_inputs)
    assert len(values.test_inputs) == 8
    classes = from_arrays(x, (x[:, 0] > 90).astype(int), class_names=("dark", "light"))
    assert classes.kind == "segmentation"
    assert classes.class_names == ("dark", "light")
    result = nets.train("V-MgNet[1,1]-[4]-B^l", (x, 2 * x), **SETTINGS)
    assert nets.evaluate(result.model, (values.test_inputs, values.test_targets)).relative_l2 == result.error


def test_zeros_and_ones_are_several_labels_per_image():
    x, y = images()
    several = np.stack([y == 0, y > 0, y == 2], axis=1)
    data = from_arrays(x, several.astype(np.float32))
    assert data.is_multilabel
    assert (len(data.train_labels), len(data.test_labels), data.class_names) == (32, 8, ("0", "1", "2"))
    for image, labels in zip(data.test_images, data.test_labels, strict=True):
        (place,) = [i for i in range(len(x)) if np.array_equal(x[i], image.numpy())]
        assert labels.tolist() == several[place].tolist()
    with pytest.raises(ValueError, match=r"^y_test must be of the shape of y, \('N', 3\); got \('N',\)"):
        from_arrays(x, several, x, y)
    with pytest.raises(ValueError, match=r"^test_labels \(N, classes\) must have 3 columns"):
        from_arrays(x, several, x, several[:, :2])
    with pytest.raises(ValueError, match=r"^y \(N, classes\) must be 0 or 1"):
        from_arrays(x, 2 * several)


def test_a_single_one_in_every_row_seems_to_be_a_class():
    x, y = images()
    with pytest.warns(UserWarning, match=r"^train_labels have a single 1 in every row .* give labels\.argmax\(1\)"):
        assert from_arrays(x, np.eye(3, dtype=int)[y]).is_multilabel


def test_names_of_classes_differ():
    with pytest.raises(ValueError, match="class_names must differ; got 'b' more than once"):
        from_arrays(*images(), class_names=("b", "a", "b"))


@pytest.mark.parametrize("kind", [np.uint8, np.float32], ids=["bytes", "floats"])
def test_every_form_of_the_same_data_trains_alike_and_evaluates_raw(kind, tmp_path):
    x, y = images(kind=kind)
    data = from_arrays(x, y)
    wanted = nets.train(MODEL, data, output=tmp_path / "run", **SETTINGS)
    pairs = TensorDataset(torch.as_tensor(x), torch.as_tensor(y))
    shuffled = DataLoader(pairs, batch_size=7, shuffle=True, drop_last=True)
    collated = DataLoader(pairs, 7, True, collate_fn=lambda items: [torch.stack(p) for p in zip(*items, strict=True)])
    for form in ((x, y), [torch.as_tensor(x), torch.as_tensor(y)], pairs, shuffled, collated):
        assert same(nets.train(MODEL, form, **SETTINGS), wanted)
    # a network without batch averages would hide nothing of the normalisation: scores by hand
    by_hand = wanted.model((torch.as_tensor(x) / (255 if kind == np.uint8 else 1) - data.mean[0]) / data.std[0])
    assert len(by_hand.argmax(1).unique()) > 1
    for model in (wanted.model, nets.load(tmp_path / "run")):
        for form in ((x, y), pairs, shuffled):
            assert torch.equal(nets.evaluate(model, form).predictions, by_hand.argmax(1))
        assert torch.equal(nets.evaluate(model, data).predictions, wanted.evaluation.predictions)


def test_parts_for_training_and_testing():
    (x, y), (u, v) = images(32), images(10)
    parts = [(x, y), (u, v)], [TensorDataset(*map(torch.as_tensor, part)) for part in ((x, y), (u, v))]
    runs = [nets.train(MODEL, form, **SETTINGS) for form in (*parts, list(map(DataLoader, parts[1])))]
    assert all(same(run, runs[0]) for run in runs)
    assert runs[0].evaluation.labels.tolist() == v.tolist()


class Pictures(TorchDataset):
    """Pictures of Pillow with the names of their classes, as torchvision's."""

    classes = ("cat", "dog")

    def __init__(self, mode="RGB", broken=()):
        self.mode, self.broken = mode, broken

    def __len__(self):
        return 10

    def __getitem__(self, index):
        if index in self.broken:
            raise OSError("cut off")
        return Image.new("RGB", (5, 4), (index, 2 * index, 3 * index)).convert(self.mode), index % 2


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_become_bytes_with_the_channels_first(workers):
    data = Pictures() if not workers else DataLoader(Pictures(), num_workers=workers, shuffle=True)
    x, y = collect(data)
    assert (x.shape, x.dtype) == ((10, 3, 4, 5), torch.uint8)
    assert x[:, :, 1, 2].tolist() == [[i, 2 * i, 3 * i] for i in range(10)]
    assert y.tolist() == [0, 1] * 5
    assert collect(Pictures("L"))[0].shape == (10, 1, 4, 5)
    assert names_of(DataLoader(Subset(Pictures(), [1, 2]))) == ("cat", "dog")
    result = nets.train(MODEL, data, epochs=1, batch=4, progress=False)
    assert result.model.transform.class_names == ("cat", "dog")


class Stream(IterableDataset):
    def __iter__(self):
        yield from zip(*map(torch.as_tensor, images(9)), strict=True)


def test_streams_subsets_and_the_callers_random_numbers():
    x, y = map(torch.as_tensor, images(9))
    for stream in (Stream(), DataLoader(Stream(), batch_size=4)):
        found = collect(stream)
        assert torch.equal(found[0], x)
        assert torch.equal(found[1], y)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    few = DataLoader(TensorDataset(x, y), sampler=SubsetRandomSampler([7, 2, 4]))
    assert torch.equal(collect(few)[0], x[[2, 4, 7]])
    assert torch.equal(torch.get_rng_state(), before)


class Items(TorchDataset):
    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


X = torch.zeros(1, 4, 4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Items((X, 0), X), r"item 1 .* must be a pair \(image, target\); got Tensor of torch\.float32"),
        (Items((X, 0), (X, 0, 0)), r"item 1 .*; got 3 values"),
        (Items((X, "cat")), r"item 0 .* a target must be a number, a torch\.Tensor or an array; got str"),
        (Items(("a.png", 0)), r"item 0 .* an image must be .*; got str"),
        (
            Items((X, 0), (X[:, :3], 0)),
            r"item 1 .* has torch\.float32 .*\(1, 3, 4\), and the first .*\(1, 4, 4\)",
        ),
        (Items((X, 0), (X.byte(), 0)), r"item 1 .* has torch\.uint8 .*, and the first torch\.float32"),
        (Items(), r"must hold a pair \(image, target\) or more; got none"),
        (Pictures(broken=[3]), "item 3 cannot be taken: OSError: cut off"),
        (Pictures("RGBA"), r"mode L or RGB; got RGBA: use \.convert\('RGB'\)"),
        (DataLoader(Stream(), batch_size=4, collate_fn=lambda items: items), r"batch 0 .* must be a pair"),
        (DataLoader(Items((X, 0)), sampler=WeightedRandomSampler([1.0], 5)), "draws by WeightedRandomSampler"),
        (DataLoader(Items((X, 0)), batch_sampler=[[0, 0]]), "draws by list: give its data set instead"),
    ],
)
def test_what_is_no_pair_is_named_by_its_place(data, words):
    with pytest.raises((TypeError, ValueError), match=words):
        nets.train(MODEL, data, **SETTINGS)
    with pytest.raises((TypeError, ValueError), match=words):
        nets.evaluate(nets.create_model(MODEL, in_channels=1), data)


def test_more_than_memory_is_said_at_the_first_item(monkeypatch):
    monkeypatch.setattr(loaders, "LARGEST", 4 * 4 * 4 * 5 + 8 * 5)
    assert len(collect(Items(*[(X, 0)] * 5))[0]) == 5
    asked = []

    class Many(Items):
        def __getitem__(self, index):
            asked.append(index)
            return X, 0

    with pytest.raises(ValueError, match=r"fit into 360 bytes of memory; all items have 432: .*'folder:PATH'"):
        collect(Many(*range(6)))
    assert asked == [0]
    with pytest.raises(ValueError, match=r"360 bytes of memory; 3 items have 456"):
        collect(DataLoader(Stream(), batch_size=1))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((X[None].expand(4, -1, -1, -1), torch.arange(4).float()), r"^y must be integer labels \(N,\) from 0"),
        ((np.zeros((4, 1, 2, 2), int), np.zeros(4, int)), "^x must be uint8 or floats"),
        ((np.zeros((4, 1, 2, 2)), np.zeros(3, int)), "^y must be 4, one per image of x; got 3"),
        ((np.zeros((4, 1, 2, 2)), [0, 1, 0, 1]), "^y must be a torch.Tensor or an array of integers; got list"),
        ((np.zeros((4, 1, 2, 2)), np.array([0, 1, 0, 3])), r"y must hold every class from 0 .*got \[0, 1, 3\]"),
        ((np.zeros((4, 1, 2, 2)), np.array([0, 1, 1, 1])), "two entries or more, of each class, .*class 0 has one"),
        ((np.full((4, 1, 2, 2), np.nan), np.array([0, 1, 0, 1])), "^x must be finite; image 0 is not, and 4 in all"),
        ((np.zeros((4, 1, 2, 2)), np.zeros((4, 1, 3, 2))), r"^y must be floats \(N, d, 2, 2\)"),
        (
            (np.zeros((4, 1, 2, 2)), np.zeros(4, int), np.zeros((4, 1, 2, 2))),
            "x_test and y_test go together; got no y",
        ),
        ((np.zeros((4, 2)), np.zeros(4, int)), r"^x must be .* of shape \(N, channels, n, ...\)"),
        (
            (np.zeros((4, 1, 2, 2)), np.zeros(4, int), np.zeros((4, 1, 2, 2)), np.zeros((4, 1, 2, 2))),
            r"y_test must be of the shape of y, \('N',\); got \('N', 1, 2, 2\)",
        ),
    ],
)
def test_wrong_arrays(arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        from_arrays(*arguments)


def test_channels_that_seem_to_be_last_are_mentioned():
    with pytest.warns(UserWarning, match="taken as 8 channels of 8 x 3 points"):
        from_arrays(np.zeros((6, 8, 8, 3)), np.arange(6) % 2)


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (np.zeros((4, 1, 2, 2)), "ndarray of float64"),
        ((np.zeros(4), [1]), r"(ndarray of float64, list)"),
        ((np.zeros(4),) * 3, "(ndarray of float64, ndarray of float64, ndarray of float64)"),
        ({"x": 1}, "dict"),
        (None, "NoneType"),
    ],
)
def test_other_things_are_no_data(data, got):
    words = rf"data must be a nets\.data\.Dataset .*\(x, y\) .* DataLoader.*; got {re.escape(got)}$"
    with pytest.raises(TypeError, match=words):
        nets.train(MODEL, data)
    if not isinstance(data, tuple) or len(data) == 3 or isinstance(data[1], list):
        with pytest.raises(TypeError, match=r"data must be a nets\.data\.Dataset, a pair of"):
            nets.evaluate(nets.create_model(MODEL, in_channels=1), data)


def test_a_run_goes_on_with_its_own_arrays_alone(tmp_path):
    x, y = images()
    settings = {**SETTINGS, "output": tmp_path / "run"}
    whole = nets.train(MODEL, (x, y), **settings)
    assert same(nets.train(MODEL, (x, y), resume=True, **settings), whole)
    others = x.copy()
    others[0] += 1
    moved = y.copy()
    moved[:2] = moved[[1, 0]]
    for other in ((others, y), (x, moved)):
        with pytest.raises(nets.CheckpointError, match="output holds a run with another data"):
            nets.train(MODEL, other, resume=True, **settings)
    with pytest.raises(nets.CheckpointError, match=r"of its own, 'arrays', .*; name the data .*--data.*nets.evaluate"):
        nets.runs.held_out(tmp_path / "run")
    card = (tmp_path / "run" / "model_card.md").read_text()
    assert "nets evaluate ." not in card
    assert "`nets.evaluate(model, (images, labels))` with the test part" in card


def test_checkpoints_from_before_labels_had_checksums_go_on(tmp_path):
    for i in range(8):
        (tmp_path / "images" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 30 * i).save(tmp_path / "images" / "ab"[i % 2] / f"{i}.png")
    data, run = f"folder:{tmp_path / 'images'}", tmp_path / "run"
    settings = {"epochs": 1, "batch": 2, "progress": False, "output": run}
    whole = nets.train(MODEL, data, **settings)
    content = checkpoints.read(whole.checkpoint)
    assert [content["data"].pop(name) for name in ("train_labels", "test_labels")]
    del content["format"]
    checkpoints.save(run, content)
    assert same(nets.train(MODEL, data, resume=True, **settings), whole)
    assert len(nets.runs.held_out(run).test_labels) == 2


class _Stream(IterableDataset):
    def __iter__(self):
        return ((torch.full((1, 4, 4), float(i)), i % 2) for i in range(12))


def test_workers_do_not_repeat_a_stream():
    x, y = collect(DataLoader(_Stream(), 4, num_workers=2))
    assert x[:, 0, 0, 0].tolist() == list(range(12))
    assert y.tolist() == [0, 1] * 6


@pytest.mark.parametrize("settings", [{"replacement": True}, {"num_samples": 5}])
def test_a_sampler_that_draws_again_or_not_all_is_refused(settings):
    items = TensorDataset(torch.rand(12, 1, 4, 4), torch.arange(12) % 2)
    with pytest.raises(TypeError, match="this one draws by RandomSampler"):
        collect(DataLoader(items, 4, sampler=RandomSampler(items, **settings)))


@pytest.mark.parametrize("seed", ["a", 1.5, -1])
def test_the_seed_of_arrays_is_checked(seed):
    with pytest.raises((TypeError, ValueError), match="seed must be an integer >= 0"):
        nets.data.from_arrays(torch.rand(12, 1, 4, 4), torch.arange(12) % 2, seed=seed)


@pytest.mark.parametrize("labels", [np.array(["a", "b"]), np.array([], int)])
def test_labels_of_a_file_that_are_no_integers_are_named(tmp_path, labels):
    x = np.zeros((2, 1, 4, 4), np.uint8)
    np.savez(tmp_path / "a.npz", train_images=x, train_labels=labels, test_images=x, test_labels=np.array([0, 1]))
    with pytest.raises(ValueError, match="train_labels must be integers"):
        nets.data.load(str(tmp_path / "a.npz"))


def test_strings_as_labels_are_named():
    with pytest.raises(TypeError, match="got ndarray of <U1"):
        nets.data.from_arrays(torch.rand(2, 1, 4, 4), np.array(["a", "b"]))


def test_the_seed_of_a_folder_is_checked(tmp_path):
    with pytest.raises(ValueError, match="seed must be an integer >= 0; got -1"):
        nets.data.load(f"folder:{tmp_path}", seed=-1)
