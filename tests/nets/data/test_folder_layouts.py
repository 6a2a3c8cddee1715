"""Folders of images as people have them: names of parts, hidden and doubled folders, links, endings, damaged files."""

import json
import os
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nets
from nets.__main__ import main
from nets.data import ImageFiles, folder, image_folder
from nets.data.images import NAMED
from nets.data.parts import part_of
from nets.data.tree import endings
from tests.nets.data.test_image_folder import make, paint


def paths(root):
    """The files of both parts, read as they are."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("error")
        patch.setattr(folder, "MEMORY", 0)
        data = image_folder(root)
    assert isinstance(data.train_images, ImageFiles)
    return data, [
        os.path.relpath(path, root) for part in ("train", "test") for path in getattr(data, f"{part}_images").paths
    ]


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("train", "train TRAIN Training trn train_set Trainset training-data train2017 train_images Train"),
        ("test", "test TEST Testing tst test_set Testset test2017 testing_images"),
        ("val", "val VAL Valid validation Validation valset val2017 validation_data"),
        (None, "cat trainer test_tube bullet_train intest valley set data retrain contest valid_ticket"),
    ],
)
def test_names_of_parts(part, names):
    assert {name: part_of(name) for name in names.split()} == dict.fromkeys(names.split(), part)


@pytest.mark.parametrize(
    ("train", "test"), [("Training", "Testing"), ("Train", "Test"), ("TRAIN", "VAL"), ("train_set", "Validation")]
)
@pytest.mark.parametrize("outer", ["", "pets", "archive/pets"])
def test_parts_are_known_by_their_names(tmp_path, train, test, outer):
    make(tmp_path / outer, (train, test), count=2)
    with pytest.warns(UserWarning, match="holds one folder alone") if outer else warnings.catch_warnings():
        data = image_folder(tmp_path)
    assert data.class_names == ("cat", "dog", "eel")
    assert (len(data.train_labels), len(data.test_labels)) == (6, 6)


def test_a_third_part_and_other_folders_are_mentioned(tmp_path):
    make(tmp_path, ("train", "val", "test"), count=2)
    with pytest.warns(UserWarning, match=r"val is passed over, since .*test is held out; val_fraction"):
        data = image_folder(tmp_path)
    assert len(data.test_labels) == 6
    make(tmp_path, ("extra",), count=1)
    with (
        pytest.warns(UserWarning, match="extra is passed over beside train and test"),
        pytest.warns(UserWarning, match="val is passed over"),
    ):
        image_folder(tmp_path)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("train", "Training", "test"), "one folder for the part 'train'; found Training, train"),
        (("Training",), "has a folder Training/ of classes, and none for testing"),
        (("Test",), "has a folder Test/ of classes, and none for training"),
        (("my train", "my other"), "are they parts[?] then name them train and test"),
    ],
)
def test_parts_that_are_missing_or_there_twice(tmp_path, names, words):
    make(tmp_path, names, count=2)
    if len(names) == 1:
        (tmp_path / "notes").mkdir()
    with pytest.raises(ValueError, match=words):
        image_folder(tmp_path)


def test_one_folder_for_both_parts(tmp_path):
    make(tmp_path, ("train",), count=2)
    (tmp_path / "test").symlink_to(tmp_path / "train")
    with pytest.raises(ValueError, match=r"must hold other images than .*; they are one folder"):
        image_folder(tmp_path)


def test_classes_that_hold_the_same_folders_are_mentioned(tmp_path):
    make(tmp_path, ("north", "south"), ("day", "night"), count=2)
    with pytest.warns(UserWarning, match=r"each of north, south holds the folders day, night; .* taken as the classes"):
        assert image_folder(tmp_path).class_names == ("north", "south")


@pytest.mark.parametrize(
    "inner", [("train/train", "test"), ("train", "Test/test/test"), ("Training/train", "val/Valid")]
)
def test_doubled_parts_are_taken_as_they_are_meant(tmp_path, inner):
    make(tmp_path, inner, count=2)
    with pytest.warns(UserWarning, match="holds one folder alone"):
        data = image_folder(tmp_path)
    assert data.class_names == ("cat", "dog", "eel")
    assert (len(data.train_labels), len(data.test_labels)) == (6, 6)


def test_doubled_parts_under_other_names_are_no_classes(tmp_path):
    make(tmp_path, ("seg_train/seg_train", "seg_test/seg_test"), count=2)
    with pytest.raises(ValueError, match="are they parts"):
        image_folder(tmp_path)


def test_a_class_that_is_alone_in_a_part_is_not_opened(tmp_path):
    make(tmp_path, ("train/cat", "test/cat"), ("day", "night"), count=2)
    with pytest.raises(ValueError, match=r"at least two classes, .* found cat"):
        image_folder(tmp_path)


def test_images_beside_the_classes_are_named_as_images(tmp_path):
    make(tmp_path, count=2)
    paint(tmp_path / "alone.png")
    (tmp_path / "notes.txt").write_text("x")
    others = pytest.warns(UserWarning, match=r"1 file passed over, no images by their endings \(1 \.txt\)")
    with others, pytest.warns(UserWarning, match="1 image beside the folders of the classes passed over"):
        image_folder(tmp_path)


def test_a_class_that_is_a_link_to_another_is_refused(tmp_path):
    make(tmp_path, count=2)
    (tmp_path / "bird").symlink_to(tmp_path / "dog")
    with pytest.raises(ValueError, match="the classes bird and dog are one folder"):
        image_folder(tmp_path)


def test_a_copy_of_the_folder_in_itself_is_no_class(tmp_path):
    make(tmp_path / "pets", count=2)
    make(tmp_path / "pets" / "pets", count=2)
    with pytest.warns(UserWarning, match="pets/pets is passed over: it holds the classes of"):
        data = image_folder(tmp_path / "pets")
    assert data.class_names == ("cat", "dog", "eel")
    assert len(data.train_labels) + len(data.test_labels) == 6


def test_hidden_files_and_folders_do_not_count(tmp_path):
    make(tmp_path, ("train", "test"), count=2)
    _, before = paths(tmp_path)
    for place in (
        "",
        ".git",
        "__MACOSX",
        "train/.cache",
        "train/cat/.ipynb_checkpoints",
        "test/dog/a/.b/c",
        "train/__MACOSX/cat",
    ):
        paint(tmp_path / place / ".hidden.png")
        (tmp_path / place / ".DS_Store").write_text("x")
        (tmp_path / place / "Thumbs.db").write_text("x")
        if "." in place or "__" in place:
            paint(tmp_path / place / "1.png")
    assert paths(tmp_path)[1] == before


def test_every_ending_that_pillow_reads_in_any_case(tmp_path):
    known = {".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
    assert known <= endings()
    assert not endings() & {".txt", ".mpg", ".h5", ".pdf", ".eps", ""}
    for place, ending in product(("cat", "dog"), sorted(known)):
        for i, spelled in enumerate((ending, ending.upper())):
            (tmp_path / place).mkdir(exist_ok=True)
            Image.new("L", (4, 4), 9).save(tmp_path / place / f"{i}{spelled}")
    data = image_folder(tmp_path)
    assert len(data.train_labels) + len(data.test_labels) == 4 * len(known)


def test_files_that_are_passed_over_are_counted(tmp_path):
    make(tmp_path, count=2)
    for name in ("notes.txt", "cat/a.heic", "cat/deep/b.HEIC", "dog/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    with pytest.warns(UserWarning, match=r"4 files passed over, .* \(2 \.heic, 1 \.txt, 1 without an ending\)"):
        image_folder(tmp_path)


def test_links_are_followed_once_and_not_in_circles(tmp_path):
    make(tmp_path / "store", classes=("far",), count=3)
    make(tmp_path / "set", classes=("cat", "dog"), count=2)
    (tmp_path / "set" / "eel").symlink_to(tmp_path / "store" / "far")
    (tmp_path / "set" / "cat" / "more").symlink_to(tmp_path / "store")
    (tmp_path / "set" / "cat" / "alone.png").symlink_to(tmp_path / "store" / "far" / "0.png")
    (tmp_path / "set" / "cat" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "cat" / "beside").symlink_to(tmp_path / "set" / "dog")
    (tmp_path / "store" / "far" / "round").symlink_to(tmp_path / "store" / "far")
    (tmp_path / "set" / "dog" / "self").symlink_to("self")
    with pytest.warns(UserWarning, match="1 file passed over"):  # the link to itself
        data = image_folder(tmp_path / "set")
    counts = [int((data.train_labels == k).sum() + (data.test_labels == k).sum()) for k in range(3)]
    assert counts == [3, 2, 3]
    (tmp_path / "circle").mkdir()
    (tmp_path / "circle" / "again").symlink_to(tmp_path / "circle")
    with pytest.raises(ValueError, match="at least two classes"):
        image_folder(tmp_path / "circle")


@pytest.mark.parametrize("where", ["train", "test"])
def test_one_file_of_colour_makes_three_channels_for_every_seed(tmp_path, where):
    make(tmp_path, ("train", "test"), count=3, mode="L")
    assert image_folder(tmp_path).in_channels == 1
    paint(tmp_path / where / "dog" / "1.png")
    assert image_folder(tmp_path).in_channels == 3
    flat = tmp_path / where
    assert {image_folder(flat, seed).in_channels for seed in range(5)} == {3}


@pytest.mark.parametrize("damaged", [1, 3, NAMED + 2])
def test_all_damaged_files_are_named(tmp_path, damaged):
    files = [path for path in make(tmp_path, count=10) if not path.endswith("cat/0.png")]
    for path in files[:damaged]:
        with open(path, "wb") as file:
            file.write(b"no image")
    with pytest.raises(ValueError, match="damaged or no image that Pillow reads") as caught:
        image_folder(tmp_path)
    words = str(caught.value)
    assert sum(path in words for path in files) == min(damaged, NAMED)
    if damaged > 1:
        assert words.startswith(f"{damaged} of 30 image files cannot be read")
    assert ("; and 2 more" in words) == (damaged > NAMED)


def parts_of(data):
    """The bytes of the images of both parts."""
    return [[image.numpy().tobytes() for image in images] for images in (data.train_images, data.test_images)]


@pytest.mark.parametrize("memory", [2**31, 0], ids=["memory", "files"])
def test_damaged_files_are_left_out_where_asked(tmp_path, monkeypatch, memory):
    monkeypatch.setattr(folder, "MEMORY", memory)
    pixels = make(tmp_path, count=10)
    whole = parts_of(image_folder(tmp_path, seed=1))
    bad = [*sorted(pixels)[:5], sorted(pixels)[-1]]
    for path in bad:
        Path(path).write_bytes(b"no image")
    with pytest.warns(UserWarning, match=r"6 of 30 image files cannot be read and are left out: .*; \.\.\.$") as caught:
        data = image_folder(tmp_path, seed=1, skip_damaged=True)
    assert sum(path in str(caught[0].message) for path in bad) == 3
    assert all(path in reason for path, reason in zip(bad, sorted(data.skipped), strict=True))
    lost = {pixels[path].transpose(2, 0, 1).tobytes() for path in bad}
    # the others stay in their part
    assert parts_of(data) == [[image for image in part if image not in lost] for part in whole]
    labels = [*data.train_labels.tolist(), *data.test_labels.tolist()]
    assert [labels.count(k) for k in range(3)] == [5, 10, 9]
    with pytest.raises(TypeError, match="skip_damaged must be True or False; got 1"):
        image_folder(tmp_path, skip_damaged=1)
    for path in sorted(pixels)[:10]:
        Path(path).write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"an image of class 'cat' for training that can be read; 11 cannot: "):
        image_folder(tmp_path, skip_damaged=True)
    for path in pixels:
        Path(path).write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"30 of 30 image files cannot|can be read; 30 cannot"):
        image_folder(tmp_path, skip_damaged=True, size=4)


@pytest.mark.filterwarnings("always")  # which the command line prints
def test_a_run_without_damaged_files_lists_them_and_is_evaluated(tmp_path, capsys):
    bad = [path for path in make(tmp_path / "pets", mode="L") if path.endswith("0.png")]
    for path in bad:
        Path(path).write_bytes(b"no image")
    data, run = ("--data", f"folder:{tmp_path / 'pets'}"), str(tmp_path / "run")
    short = ("--model", "MgNet[1]-[4]-B^l", "--epochs", "1", "--batch", "4", "--no-progress")
    train = ("train", *data, "--skip-damaged", *short, "--output", run)
    for command in (train, ("evaluate", run), ("evaluate", run, *data, "--skip-damaged")):
        assert main([*command]) == 0
        assert "3 of 15 image files cannot be read and are left out" in capsys.readouterr().err
    record = json.loads((tmp_path / "run" / "record.json").read_text())["data"]
    assert record["train"] + record["test"] == 12
    assert main(["data", data[1], "--skip-damaged"]) == 0
    printed = capsys.readouterr().out
    assert all(sum(path in line for line in record["skipped"]) == 1 == printed.count(path) for path in bad)
    assert main(["data", data[1]]) == 2
    assert all(path in capsys.readouterr().err for path in bad[:1])
    assert main(["data", "digits", "--skip-damaged"]) == 2
    assert "skip_damaged must be False: data 'digits' is no folder of images" in capsys.readouterr().err
    assert main(["data", "--skip-damaged"]) == 2
    assert "--skip-damaged needs the name of a data set" in capsys.readouterr().err


def test_names_that_are_not_utf8(tmp_path):
    make(tmp_path / "good", classes=("cat", "Ärger", "猫"), count=2)
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        paint(tmp_path / "good" / "cat" / odd)
    except OSError:
        pytest.skip("this file system has no such names")
    data = image_folder(tmp_path / "good")  # a file may have any name
    assert data.class_names == ("cat", "Ärger", "猫")
    assert data.checksums() == image_folder(tmp_path / "good").checksums()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "MEMORY", 0)
        assert image_folder(tmp_path / "good").checksums()
    make(tmp_path / "bad", classes=("cat", os.fsdecode(b"caf\xe9")), count=2)
    with pytest.raises(ValueError, match=r"caf\\xe9' is not UTF-8; rename it"):
        image_folder(tmp_path / "bad")
    make(tmp_path / os.fsdecode(b"\xff"), count=2)
    with pytest.raises(ValueError, match=r"\\xff' is not UTF-8; rename it"):
        nets.data.load("folder:" + os.fsdecode(b"\xff"), data_dir=tmp_path)


def images_of_16_bits(dtype, low, high):
    return np.linspace(low, high, 48).reshape(6, 8).astype(dtype)


@pytest.mark.parametrize("ending", ["tif", "png"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("high", [0, 4096, 30000, 65535])
def test_sixteen_bits_become_eight(tmp_path, ending, order, high):
    values = images_of_16_bits(np.uint16, 0, high)
    mode = "I;16B" if order == ">" and ending == "tif" else "I;16"
    raw = values.astype(">u2" if mode == "I;16B" else "<u2").tobytes()
    for name in ("a/0", "a/1", "b/0", "b/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.frombytes(mode, (8, 6), raw).save(tmp_path / f"{name}.{ending}")
    data = image_folder(tmp_path)
    assert np.array_equal(data.train_images[0, 0].numpy(), values // 257)
    transform = nets.Transform("some", (1, 6, 8), (0.0,), (1.0,), ("a", "b"))
    assert np.array_equal((transform.read(tmp_path / f"a/0.{ending}").pixels[0] * 255).round().numpy(), values // 257)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (images_of_16_bits(np.uint16, 0, 4095), "grey values from 0 to 4095 in 16 bits or more, where white is 65535"),
        (images_of_16_bits(np.int32, 0, 255), "grey values from 0 to 255"),
        (images_of_16_bits(np.int32, -5, 60000), "grey values from -5 to 60000"),
        (images_of_16_bits(np.int32, 0, 2**20), "grey values from 0 to 1048576"),
        (images_of_16_bits(np.float32, 0, 1), "floating-point numbers"),
    ],
)
def test_values_whose_white_is_unknown_are_refused(tmp_path, values, words):
    make(tmp_path, classes=("cat", "dog"), count=2, mode="L", width=8, height=6)
    Image.fromarray(values).save(tmp_path / "cat" / "1.tif")
    with pytest.raises(ValueError, match=f"cat/1.tif.*{words}"):
        image_folder(tmp_path)


@pytest.mark.parametrize("ending", ["png", "tif", "gif", "bmp", "ppm", "jpg", "webp"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::RuntimeWarning:PIL")
def test_every_kind_of_damage_names_the_file(tmp_path, monkeypatch, ending):
    """Bytes are lost or changed at random: the file is read, or refused by its name."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**4)  # a damaged head may ask for gigabytes
    random = np.random.default_rng(7)
    paint(tmp_path / f"a.{ending}")
    whole = np.fromfile(tmp_path / f"a.{ending}", np.uint8)
    transform = nets.Transform("some", (3, 12, 12), (0.0,) * 3, (1.0,) * 3, ("a", "b"))
    refused = []
    for _ in range(40):
        content = whole.copy()
        content[random.integers(0, len(whole), 3)] = random.integers(0, 256, 3)
        content[: min(len(whole), 200)][random.integers(0, min(len(whole), 200), 4)] = random.integers(0, 256, 4)
        content[: random.integers(1, 2 * len(whole))].tofile(tmp_path / f"b.{ending}")
        try:
            assert transform.read(tmp_path / f"b.{ending}").pixels.shape == (3, 12, 12)
        except ValueError as error:
            refused.append(str(error))
    assert refused
    assert all(str(tmp_path / f"b.{ending}") in words for words in refused)
