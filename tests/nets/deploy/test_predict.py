"""Image files through the test transform of a checkpoint, against the same images as tensors."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

import nets
from nets import Transform
from nets.__main__ import main
from nets.data import Dataset
from nets.data.decode import ImageFileError

NAMES = tuple("abcdefg")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of one epoch on grey images of 6 x 8 pixels in seven classes."""
    folder = tmp_path_factory.mktemp("run") / "run"
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(256, (40, 1, 6, 8), dtype=torch.uint8, generator=generator)
    labels = torch.arange(40) % 7
    data = Dataset("noise", images[8:], labels[8:], images[:8], labels[:8], NAMES, mean=(0.4,), std=(0.3,))
    nets.train("MgNet[1,1]-[4]-B^l", data, recipe=nets.Recipe(epochs=1, batch=16), output=folder, progress=False)
    return folder


def transform(channels, **other):
    return Transform("noise", (channels, 6, 8), (0.4,) * channels, (0.3,) * channels, NAMES, **other)


def save(path, pixels, mode="L"):
    """An image file of a tensor (height, width) or (height, width, channels) of bytes."""
    Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.numpy().tobytes()).save(path)
    return path


def noise(*shape, seed=0):
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_files_are_classified_as_their_pixels(run, tmp_path):
    model, pixels = nets.load(run), noise(3, 6, 8)
    paths = [save(tmp_path / f"{i}.png", image) for i, image in enumerate(pixels)]
    with torch.no_grad():
        chances = model((pixels[:, None].float() / 255 - 0.4) / 0.3).softmax(1)
    for path, row, prediction in zip(paths, chances, nets.predict(model, paths, top=9), strict=True):
        assert prediction.path == path
        assert prediction.changes == ()
        assert [name for name, _ in prediction.classes] == [NAMES[k] for k in row.argsort(descending=True)]
        # rounding in two summations of at most 9 * 4 products each, in float32
        expected = row.sort(descending=True).values.tolist()
        assert [chance for _, chance in prediction.classes] == pytest.approx(expected, abs=200 * 2**-23)


def test_a_checkpoint_brings_its_transform(run):
    assert nets.load(run).transform == transform(1)


def test_more_images_than_a_batch_keep_their_order(run, tmp_path, monkeypatch):
    monkeypatch.setattr("nets.deploy.predict.BATCH", 2)
    paths = [save(tmp_path / f"{i}.png", image) for i, image in enumerate(noise(5, 6, 8))]
    paths.insert(2, tmp_path / "missing.png")
    model = nets.load(run)
    together = list(nets.predict(model, paths))
    assert [prediction.path for prediction in together] == paths
    assert "there is no such file" in together[2].error
    for path, prediction in zip(paths, together, strict=True):
        alone = next(nets.predict(model, [path]))
        assert [name for name, _ in alone.classes] == [name for name, _ in prediction.classes]


def test_grey_and_colour(tmp_path):
    colour = save(tmp_path / "colour.png", noise(6, 8, 3), "RGB")
    grey = save(tmp_path / "grey.png", noise(6, 8))
    picture = transform(1).read(colour)
    assert picture.changes == ("colour to grey",)
    weights = torch.tensor([0.299, 0.587, 0.114])  # of ITU-R 601-2; Pillow rounds to whole bytes
    expected = noise(6, 8, 3).float() @ weights
    assert float((255 * picture.pixels[0] - expected).abs().max()) <= 1
    picture = transform(3).read(grey)
    assert picture.changes == ("grey to colour",)
    assert all(torch.equal(channel, noise(6, 8).float() / 255) for channel in picture.pixels)


def test_invert_and_sixteen_bits(tmp_path):
    pixels = noise(6, 8)
    path = save(tmp_path / "a.png", pixels)
    plain, inverted = transform(1).read(path), transform(1).read(path, invert=True)
    assert torch.equal(inverted.pixels, 1 - plain.pixels)
    assert inverted.changes == ("inverted",)
    wide = (pixels.numpy().astype("uint16") * 257).tobytes()
    Image.frombytes("I;16", (8, 6), wide).save(tmp_path / "b.png")
    assert torch.equal(transform(1).read(tmp_path / "b.png").pixels, plain.pixels)


def test_what_is_transparent_becomes_white(tmp_path):
    pixels = noise(6, 8, 4)
    pixels[..., 3] = 255
    pixels[0, :, 3] = 0
    picture = transform(3).read(save(tmp_path / "a.png", pixels, "RGBA"))
    assert picture.changes == ("transparent to white",)
    assert picture.pixels[:, 0].min() == 1
    assert torch.equal(picture.pixels[:, 1:], pixels[1:, :, :3].permute(2, 0, 1).float() / 255)


@pytest.mark.parametrize(("height", "width"), [(12, 16), (30, 16), (12, 50), (3, 4), (1, 1)])
@pytest.mark.parametrize("resize", [None, 7])
def test_sizes_are_fitted(tmp_path, height, width, resize):
    path = save(tmp_path / "a.png", torch.full((height, width), 77, dtype=torch.uint8))
    picture = transform(1, resize=resize).read(path)
    assert picture.pixels.shape == (1, 6, 8)
    assert torch.equal(picture.pixels, torch.full((1, 6, 8), 77 / 255))  # a constant stays one
    assert picture.changes[0].startswith("resized")
    assert f"from {width} x {height} to 8 x 6" in picture.changes[0]


def test_an_image_of_the_right_size_is_enlarged_and_cut_like_any_other(tmp_path):
    path = save(tmp_path / "a.png", noise(6, 8))
    with Image.open(path) as image:
        expected = image.resize((9, 7), Image.Resampling.BILINEAR).crop((0, 0, 8, 6))
    assert transform(1, resize=7).read(path).pixels.mul(255).round().flatten().tolist() == list(expected.tobytes())


def test_the_middle_is_cut_out(tmp_path):
    pixels = noise(6, 20)
    path = save(tmp_path / "a.png", pixels)
    assert torch.equal(transform(1).read(path).pixels[0], pixels[:, 6:14].float() / 255)


def test_white_of_floats(tmp_path):
    """Digits have values from 0 to 16: a white pixel of a file is 16 there."""
    path = save(tmp_path / "a.png", torch.full((6, 8), 255, dtype=torch.uint8))
    digits = replace(transform(1), white=16.0, mean=(5.0,), std=(6.0,))
    assert float(digits.normalise(digits.read(path).pixels[None]).unique()) == pytest.approx(11 / 6)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_image_is_named(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(ImageFileError, match=r"bad\.png is damaged or no image"):
        transform(1).read(tmp_path / "bad.png")


def test_a_truncated_image_is_named(tmp_path):
    path = save(tmp_path / "a.png", noise(60, 80))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ImageFileError, match=r"a\.png is damaged"):
        transform(1).read(path)


def test_one_path_is_not_the_letters_of_its_name(run, tmp_path):
    model, path = nets.load(run), save(tmp_path / "a.png", noise(6, 8))
    (one,) = nets.predict(model, [path])
    for paths in (path, str(path), tmp_path, str(tmp_path)):
        assert list(nets.predict(model, paths)) == [one]
    for paths, got in ((None, "NoneType"), (b"a.png", "int"), ([path, None], "NoneType"), (noise(1, 6, 8), "Tensor")):
        with pytest.raises(TypeError, match=f"paths must be the path of an image file .* got {got}"):
            nets.predict(model, paths)


def test_bad_arguments(run):
    with pytest.raises(TypeError, match="model must be"):
        nets.predict(torch.nn.Identity(), [])
    with pytest.raises(ValueError, match=r"read it with nets\.load"):
        nets.predict(nets.create_model("MgNet[1]-[4]-B^l"), [])
    with pytest.raises(ValueError, match="top"):
        nets.predict(nets.load(run), [], top=0)
    with pytest.raises(ValueError, match="image files have 1 or 3 channels"):
        transform(5).read("a.png")


def test_command(run, tmp_path, capsys):
    good, bad = save(tmp_path / "good.png", noise(12, 16)), tmp_path / "bad.png"
    bad.write_text("no image")
    assert main(["predict", str(run), str(good)]) == 0
    assert "resized from 16 x 12 to 8 x 6" in capsys.readouterr().out
    assert main(["predict", str(run), str(bad), str(good), "--json", "--top", "3"]) == 2
    captured = capsys.readouterr()
    rows = json.loads(captured.out)
    assert [row["image"] for row in rows] == [str(bad), str(good)]
    assert [len(row["classes"]) for row in rows] == [0, 3]
    assert "bad.png" in rows[0]["error"]
    assert captured.err.count("\n") == 1
    assert "1 of 2 images could not be read" in captured.err


def test_a_folder_stands_for_the_images_in_it(run, tmp_path, capsys):
    (tmp_path / "some" / "more").mkdir(parents=True)
    (tmp_path / "some" / "notes.txt").write_text("no image")
    for name in ("b.png", "a.png", "more/c.png"):
        save(tmp_path / "some" / name, noise(6, 8))
    alone = save(tmp_path / "d.png", noise(6, 8))
    paths = [tmp_path / "some" / name for name in ("a.png", "b.png", "more/c.png")]
    found = nets.predict(nets.load(run), [tmp_path / "some", alone])
    assert [prediction.path for prediction in found] == [*paths, alone]
    (tmp_path / "none").mkdir()
    assert main(["predict", str(run), str(tmp_path / "none"), str(alone)]) == 2
    assert "none must hold images" in capsys.readouterr().err
    with pytest.raises(ImageFileError, match="none is a folder, not an image file"):
        transform(1).read(tmp_path / "none")
