"""Folders of images, in memory and in their files."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import nets
from nets.data import Augmentation, Batches, ImageFiles, folder, image_folder
from nets.data.augment import RESIZED_CROP
from nets.data.decode import open_image
from nets.data.images import RATIO
from nets.runs import provenance


def paint(path, width=12, height=12, colour=None, mode="RGB", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width) if mode == "L" else (height, width, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    pixels = np.broadcast_to(np.uint8(colour), shape) if colour is not None else pixels
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)
    return pixels


def make(root, parts=("",), classes=("cat", "dog", "eel"), count=5, **settings):
    """A folder of images; returns the pixels by path."""
    paths = [root / part / name / f"{i}.png" for part in parts for name in classes for i in range(count)]
    return {str(path): paint(path, seed=i, **settings) for i, path in enumerate(paths)}


def test_a_folder_is_split_by_the_seed_class_by_class(tmp_path):
    pixels = make(tmp_path)
    data = nets.data.load(f"folder:{tmp_path}", seed=3)
    assert data.name == f"folder:{tmp_path}"
    assert data.class_names == ("cat", "dog", "eel")
    assert torch.bincount(data.train_labels).tolist() == [4, 4, 4]
    assert torch.bincount(data.test_labels).tolist() == [1, 1, 1]
    together = torch.cat([data.train_images, data.test_images])
    expected = {array.transpose(2, 0, 1).tobytes() for array in pixels.values()}
    assert {image.numpy().tobytes() for image in together} == expected
    assert torch.equal(nets.data.load(f"folder:{tmp_path}", seed=3).test_images, data.test_images)
    splits = {image_folder(tmp_path, seed).test_images.numpy().tobytes() for seed in range(6)}
    assert len(splits) > 1


@pytest.mark.parametrize("test", ["test", "val"])
def test_parts_in_folders_of_their_own(tmp_path, test):
    pixels = make(tmp_path, ("train", test), mode="L")
    data = image_folder(tmp_path)
    assert data.train_images.shape == data.test_images.shape == (15, 1, 12, 12)
    assert np.array_equal(data.test_images[0, 0].numpy(), pixels[str(tmp_path / test / "cat" / "0.png")])
    assert data.train_labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5


def test_a_folder_trains(tmp_path):
    for i in range(8):
        paint(tmp_path / "dark" / f"{i}.png", colour=20 + i)
        paint(tmp_path / "light" / f"{i}.jpg", colour=220 + i)
    result = nets.train("MgNet[1]-[4]-B^l", f"folder:{tmp_path}", epochs=6, batch=4, progress=False)
    assert result.accuracy == 1


def test_images_of_other_sizes(tmp_path):
    paint(tmp_path / "a" / "0.png", 20, 10, seed=1)
    for name in ("a/1.png", "b/0.png", "b/1.png"):
        paint(tmp_path / name, 12, 12)
    with pytest.raises(ValueError, match=r"images must be of one size: .*\.png has .*; give size \(--size\)"):
        image_folder(tmp_path)
    data = image_folder(tmp_path, size=8)
    assert data.train_images.shape[1:] == (3, 8, 8)
    wide = ImageFiles([str(tmp_path / "a" / "0.png")], 10).read(0)
    with Image.open(tmp_path / "a" / "0.png") as image:
        middle = np.array(image)[:, 5:15]
    assert np.array_equal(wide.numpy(), middle.transpose(2, 0, 1))


def test_a_folder_for_training_alone_is_refused_and_a_class_of_that_name_is_not(tmp_path):
    make(tmp_path / "parts", ("train",), count=2)
    with pytest.raises(
        ValueError, match=r"has a folder train/ of classes, and none for testing \(test, val, .*parts/train'"
    ):
        image_folder(tmp_path / "parts")
    assert image_folder(tmp_path / "parts" / "train").class_names == ("cat", "dog", "eel")
    make(tmp_path / "vehicles", classes=("car", "train"), count=2)
    assert image_folder(tmp_path / "vehicles").class_names == ("car", "train")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("here", "got 'here'; did you mean 'folder:here'?"),
        ("here/there", "got 'here/there'; there is no folder "),
        ("here/a.txt", "a.txt is a file"),
        ("folder:", "did you mean 'folder:PATH'?"),
        ("mnst", "did you mean 'mnist'"),
        ("", "got ''"),
    ],
)
def test_a_path_without_its_prefix_is_no_name(tmp_path, name, words):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.txt").write_text("text")
    with pytest.raises(ValueError, match=re.escape(words)):
        nets.data.load(name, data_dir=tmp_path)


def test_bad_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        nets.data.load(f"folder:{tmp_path / 'nowhere'}")
    paint(tmp_path / "one" / "0.png")
    with pytest.raises(ValueError, match=r"at least two classes, as in .*cat/1\.png and .*; found one$"):
        image_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*onee; did you mean 'one'\?"):
        nets.data.load("folder:onee", data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"one/0\.png is a file, not a folder of images"):
        nets.data.load("folder:one/0.png", data_dir=tmp_path)
    (tmp_path / "two").mkdir()
    with pytest.raises(ValueError, match=r"two must hold images \(.png"):
        image_folder(tmp_path)
    paint(tmp_path / "two" / "0.png")
    with pytest.raises(ValueError, match="class 'one' must hold at least two images to be split"):
        image_folder(tmp_path)
    for name in ("one", "two"):
        paint(tmp_path / name / "1.png")
    whole = (tmp_path / "two" / "1.png").read_bytes()
    for content, words in ((whole[:-60], "1.png is damaged"), (b"text", "1.png is damaged or no image")):
        (tmp_path / "two" / "1.png").write_bytes(content)
        with pytest.raises(ValueError, match=words):
            image_folder(tmp_path)
    make(tmp_path / "parts", ("train", "test"))
    paint(tmp_path / "parts" / "test" / "fox" / "0.png")
    with pytest.raises(ValueError, match=r"must hold the classes of .*; fox is in one of them only"):
        image_folder(tmp_path / "parts")
    for settings, error, words in (
        ({"size": 0}, ValueError, "size must be an integer >= 1; got 0"),
        ({"test_fraction": 1.0}, ValueError, "test_fraction must lie"),
    ):
        with pytest.raises(error, match=words):
            image_folder(tmp_path / "parts", **settings)


def test_images_that_stay_in_their_files_train_as_those_in_memory(tmp_path, monkeypatch):
    make(tmp_path, ("train", "test"))
    memory = image_folder(tmp_path)
    monkeypatch.setattr(folder, "MEMORY", 0)
    files = image_folder(tmp_path)
    assert isinstance(files.train_images, ImageFiles)
    assert files.train_images.shape == memory.train_images.shape
    assert files.checksums() == image_folder(tmp_path).checksums() != files.without(train=[3]).checksums()
    index = torch.tensor([7, 0, 14])
    for augmentation in (None, Augmentation(crop_padding=2, flip="random", mixup=0.5, cutmix=1.0)):
        for workers in (0, 2):
            for data in (memory, files):
                batches = Batches(data, augmentation=augmentation, seed=5, workers=workers)
                ((images, labels),) = batches.epoch(1, [index])
                if data is memory:
                    raw, expected = images * torch.tensor(data.std)[:, None, None], labels
                    raw += torch.tensor(data.mean)[:, None, None]
                else:
                    mean, std = (torch.tensor(v)[:, None, None] for v in (data.mean, data.std))
                    # both are k / 255 up to the rounding of two normalisations
                    torch.testing.assert_close(images * std + mean, raw, rtol=0, atol=1e-6)
                    assert torch.equal(labels, expected)
    assert torch.equal(
        files.without(train=[3]).train_images.read_all(), files.train_images.read_all()[torch.arange(15) != 3]
    )
    settings = {"recipe": nets.Recipe(epochs=1, batch=5), "seed": 1, "progress": False}
    result = nets.train("MgNet[1]-[4]-B^l", files, **settings)
    assert result.evaluation.confusion.sum() == 15


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the picture is to be turned clockwise
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(open_image(tmp_path / "a.png")), np.rot90(pixels, -1))


numbers = st.lists(st.floats(-1, 1, exclude_max=True, width=32), min_size=4, max_size=4)


@given(numbers, st.sampled_from([0.08, 0.5]))
def test_random_crop_of_a_plain_image_is_plain(tmp_path_factory, row, smallest):
    path = tmp_path_factory.mktemp("crop") / "a.png"
    paint(path, 40, 30, colour=(10, 200, 90))
    image = ImageFiles([str(path)], 16).read_crop(0, row, smallest)
    assert image.shape == (3, 16, 16)
    assert torch.equal(image, torch.tensor([10, 200, 90], dtype=torch.uint8)[:, None, None].expand(3, 16, 16))


def test_random_crop_takes_the_piece_that_its_numbers_say(tmp_path):
    """On a ramp, whose bilinear resizing is the ramp: the extremes of a crop tell its place and size."""
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[:, None], (200, 200))
    for axis, pixels in ((0, ramp), (1, ramp.T)):
        Image.fromarray(np.ascontiguousarray(np.stack([pixels] * 3, axis=2))).save(tmp_path / "a.png")
        files = ImageFiles([str(tmp_path / "a.png")], 50)
        # half of the area between 0.25 and 1, square: sides sqrt(0.625) * 200 = 158; then a ratio of 4/3
        for ratio, sides in ((0.0, (158, 158)), (1 - 2**-24, (137, 183))):
            crop = files.read_crop(0, [0.0, ratio, 0.5, -0.5], 0.25)[0].float()
            start = [int(0.75 * (201 - sides[0])), int(0.25 * (201 - sides[1]))][axis]
            line = crop.mean(1 - axis)
            expected = start + (torch.arange(50) + 0.5) * sides[axis] / 50 - 0.5
            assert (line - expected)[2:-2].abs().max() <= 0.51  # whole grey values; at the ends the filter is cut
    assert pytest.approx(4 / 3) == RATIO


@pytest.mark.parametrize("workers", [0, 1])
def test_decoding_leaves_the_callers_stream_alone_and_names_a_bad_file(tmp_path, monkeypatch, workers):
    make(tmp_path, ("train", "test"), count=2)
    monkeypatch.setattr(folder, "MEMORY", 0)
    batches = Batches(image_folder(tmp_path), workers=workers)
    state = torch.get_rng_state()
    assert len(list(batches.in_order(torch.arange(4).split(2)))) == 2
    assert torch.equal(torch.get_rng_state(), state)
    (tmp_path / "train" / "dog" / "1.png").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"^/.*dog/1\.png is damaged or no image that Pillow reads .*$") as caught:
        list(batches.in_order([torch.tensor([3])]))
    assert "\n" not in str(caught.value)


def test_resized_crop_belongs_to_the_image(tmp_path, monkeypatch):
    make(tmp_path, ("train", "test"), width=30, height=20)
    monkeypatch.setattr(folder, "MEMORY", 0)
    data, augmentation = image_folder(tmp_path, size=8), Augmentation(resized_crop=0.2, flip="random")
    batches = Batches(data, augmentation=augmentation, seed=2, workers=0)
    ((whole, _),) = batches.epoch(3, [torch.arange(15)])
    several = torch.cat([images for images, _ in batches.epoch(3, torch.arange(15).flip(0).split(4))])
    assert torch.equal(whole.flip(0), several)
    ((other, _),) = batches.epoch(4, [torch.arange(15)])
    assert not torch.equal(whole, other)
    monkeypatch.undo()
    one = Augmentation(resized_crop=0.2)
    ((crops, _),) = Batches(data, augmentation=one, seed=2, workers=0).epoch(3, [torch.arange(15)])
    numbers = one.numbers(2, 3, 15)[:, RESIZED_CROP].tolist()
    pieces = [data.train_images.read_crop(i, row, 0.2) for i, row in enumerate(numbers)]
    assert torch.equal(crops, data.normalise(torch.stack(pieces)))
    with pytest.raises(ValueError, match=r"resized_crop must be 0: .* in memory"):
        Batches(image_folder(tmp_path, size=8), augmentation=augmentation)
    with pytest.raises(ValueError, match="workers must be an integer >= 0"):
        Batches(data, workers=-1)


def test_imagenet(tmp_path, monkeypatch):
    make(tmp_path / "imagenet", ("train", "val"), count=1, width=40, height=30)
    monkeypatch.delenv("MGNET_DATA", raising=False)
    with pytest.raises(ValueError, match="must hold 1000 folders, one per class; found 3"):
        nets.data.load("imagenet", data_dir=tmp_path)
    monkeypatch.setattr(folder, "IMAGENET_CLASSES", 3)
    for place in (tmp_path, tmp_path / "imagenet"):
        data = nets.data.load("imagenet", data_dir=place)
        assert data.train_images.shape == (3, 3, 224, 224)
        assert data.train_images.resize == 256
    assert isinstance(data.train_images, ImageFiles)
    assert data.normalise(data.test_images[:2]).shape == (2, 3, 224, 224)
    with pytest.raises(FileNotFoundError, match=r"'imagenet' was not found .*image-net\.org"):
        nets.data.load("imagenet", data_dir=tmp_path / "imagenet" / "train")


def test_what_imagenet_of_another_size_was_held_out(tmp_path, monkeypatch):
    make(tmp_path / "imagenet", ("train", "val"), count=1, width=40, height=30)
    monkeypatch.setattr(folder, "IMAGENET_CLASSES", 3)
    data = nets.data.load("imagenet", data_dir=tmp_path, size=32)
    monkeypatch.setattr(provenance, "read", lambda checkpoint: {"data": provenance.describe(data)})
    again = provenance.held_out("checkpoint", tmp_path)
    assert again.test_images.shape == data.test_images.shape == (3, 3, 32, 32)
    assert again.test_images.resize == data.test_images.resize == 37
