"""Augmentation: what each choice does, and that it belongs to the image."""

from math import cos, radians, sin

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from nets.data import Augmentation, Batches, Dataset
from nets.data.augment import ACROSS, COLUMNS, CROP, CUTOUT, DOWN, FLIP, ROTATION, SCALING, _choice, _reflected

EPS = torch.finfo(torch.float32).eps


def pictures(count=12, channels=3, size=(9, 7), kind=torch.uint8, seed=0):
    """A data set of random pictures, of which every pixel is different from 0."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(1, 256, (count, channels, *size), generator=generator).to(kind)
    labels = torch.arange(count) % 3
    return Dataset(
        "pictures", images, labels, images[:2], labels[:2], ("a", "b", "c"), (0.2,) * channels, (0.5,) * channels
    )


settings = st.builds(
    Augmentation,
    crop_padding=st.integers(0, 4),
    crop_fill=st.sampled_from(("zero", "reflect")),
    flip=st.sampled_from(("none", "random", "alternating")),
    shift=st.sampled_from((0.0, 1.5)),
    rotation=st.sampled_from((0.0, 20.0)),
    scaling=st.sampled_from((0.0, 0.2)),
    cutout=st.integers(0, 5),
)


@given(settings, st.permutations(range(12)), st.integers(1, 12), st.integers(0, 5), st.integers(0, 3))
def test_what_happens_to_an_image_does_not_depend_on_the_batch(augmentation, order, size, epoch, seed):
    """Any order, any batches, any share of a process: the same image comes out, to rounding of the interpolation."""
    batches = Batches(pictures(), augmentation=augmentation, seed=seed)
    ((whole, labels),) = batches.epoch(epoch, [torch.arange(12)])
    exact = not (augmentation.shift or augmentation.rotation or augmentation.scaling)
    for index in torch.tensor(order).split(size):
        ((images, theirs),) = batches.epoch(epoch, [index])
        assert torch.equal(theirs, labels[index])
        torch.testing.assert_close(images, whole[index], rtol=0, atol=0 if exact else 64 * EPS)


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
@pytest.mark.parametrize("fill", ["zero", "reflect"])
@pytest.mark.parametrize("flip", ["none", "random"])
def test_crop_and_flip_against_padding_and_slicing(kind, fill, flip):
    data = pictures(40, kind=kind)
    augmentation = Augmentation(crop_padding=3, crop_fill=fill, flip=flip)
    numbers = augmentation.numbers(seed=5, epoch=2, count=40)
    seen = set()
    for image, row, result in zip(
        data.train_images, numbers, augmentation(data.train_images, numbers, data), strict=True
    ):
        down, across = ((row[CROP] + 1) / 2 * 7).long().tolist()
        mode = {"zero": "constant", "reflect": "reflect"}[fill]
        padded = functional.pad(image[None].float(), (3, 3, 3, 3), mode=mode)[0]
        crop = padded[:, down : down + 9, across : across + 7]
        crop = crop.flip(2) if flip == "random" and row[FLIP] < 0 else crop
        assert torch.equal(result, data.normalise(crop[None].to(kind))[0])
        seen |= {("down", down), ("across", across), ("flip", bool(row[FLIP] < 0))}
    assert len(seen) == 7 + 7 + 2  # every offset and both directions were among them


@given(st.integers(-30, 30), st.integers(1, 9))
def test_reflection(index, extent):
    reflected = int(_reflected(torch.tensor(index), extent))
    assert 0 <= reflected < extent
    if 0 <= index < extent:
        assert reflected == index
    elif -extent < index < 0:
        assert reflected == -index
    elif extent <= index < 2 * extent - 1:
        assert reflected == 2 * (extent - 1) - index


def test_the_largest_number_is_the_last_choice():
    """It is the float32 below 1; times 9 it rounds to 9."""
    numbers = torch.tensor([-1.0, 0.0, 1 - 2**-23])
    assert _choice(numbers, 9).tolist() == [0, 4, 8]
    assert _choice(numbers, 1).tolist() == [0, 0, 0]


def test_cutout_sets_one_square_to_the_mean():
    data = pictures(200)
    augmentation = Augmentation(cutout=4)
    numbers = augmentation.numbers(1, 0, 200)
    result, plain = augmentation(data.train_images, numbers, data), data.normalise(data.train_images)
    hidden = (result == 0).all(1)
    assert torch.equal(torch.where(hidden[:, None], 0, plain), result)
    for mask, row in zip(hidden, numbers, strict=True):
        y, x = ((row[CUTOUT] + 1) / 2 * torch.tensor([9, 7])).long().tolist()
        square = torch.zeros(9, 7, dtype=torch.bool)
        square[max(y - 2, 0) : y + 2, max(x - 2, 0) : x + 2] = True
        assert torch.equal(mask, square)


def test_alternating_flip():
    augmentation = Augmentation(flip="alternating")
    data = pictures(300)
    flips = [augmentation.numbers(4, epoch, 300)[:, FLIP] < 0 for epoch in range(4)]
    assert 100 < int(flips[0].sum()) < 200  # 3.8 standard deviations of 300 fair coins on either side
    assert torch.equal(flips[1], ~flips[0])
    assert torch.equal(flips[2], flips[0])
    assert torch.equal(flips[3], flips[1])
    result = augmentation(data.train_images, augmentation.numbers(4, 1, 300), data)
    plain = data.normalise(data.train_images)
    assert torch.equal(result, torch.where(flips[1][:, None, None, None], plain.flip(3), plain))


def test_shift_by_whole_pixels_moves_the_picture():
    data = pictures(1)
    numbers = torch.zeros(1, COLUMNS)
    numbers[0, 0] = 1
    moved, plain = Augmentation(shift=1.0)(data.train_images, numbers, data), data.normalise(data.train_images)
    # coordinates near 1 are rounded, times the width, times the step from one pixel to the next, below 2
    torch.testing.assert_close(moved[..., :-1], plain[..., 1:], rtol=0, atol=4 * 7 * 2 * EPS)


UNIT = st.floats(-1, 1)


@given(UNIT, UNIT, UNIT, UNIT)
def test_rotation_scaling_and_shift_of_a_plane(rotation, scaling, across, down):
    """Bilinear interpolation is exact for x and y themselves: every pixel tells the place that it comes from."""
    y, x = torch.meshgrid(torch.arange(-4.0, 5).double(), torch.arange(-3.0, 4).double(), indexing="ij")
    image, label = torch.stack((x, y))[None], torch.zeros(1, dtype=torch.int64)
    data = Dataset("plane", image, label, image, label, ("a",))
    numbers = torch.zeros(1, COLUMNS, dtype=torch.float64)
    numbers[0, [ROTATION, SCALING, ACROSS, DOWN]] = torch.tensor([rotation, scaling, across, down]).double()
    result = Augmentation(rotation=30.0, scaling=0.3, shift=2.0)(image, numbers, data)[0]
    angle, size = radians(30 * float(numbers[0, ROTATION])), 1 + 0.3 * float(numbers[0, SCALING])
    c, s = size * cos(angle), size * sin(angle)
    from_x, from_y = c * x - s * y + 2 * numbers[0, ACROSS], s * x + c * y + 2 * numbers[0, DOWN]
    expected = torch.stack((from_x.clamp(-3, 3), from_y.clamp(-4, 4)))  # beyond the edge, the nearest pixel
    # some ten roundings of coordinates below 8
    torch.testing.assert_close(result, expected, rtol=0, atol=80 * torch.finfo(torch.float64).eps)


def test_nothing_is_changed_where_nothing_is_asked_for():
    data = pictures()
    ((images, labels),) = Batches(data, augmentation=Augmentation()).epoch(3, [torch.arange(12)])
    ((same, _),) = Batches(data).in_order([torch.arange(12)])
    assert torch.equal(images, data.normalise(data.train_images))
    assert torch.equal(images, same)
    assert torch.equal(labels, data.train_labels)


def test_epochs_and_seeds_differ():
    augmentation = Augmentation(shift=1.0)
    numbers = augmentation.numbers(3, 5, 6)
    assert numbers.shape == (6, COLUMNS)
    assert not torch.equal(numbers, augmentation.numbers(3, 6, 6))
    assert not torch.equal(numbers, augmentation.numbers(4, 5, 6))


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"crop_padding": -1}, ValueError, "crop_padding must be an integer >= 0; got -1"),
        ({"crop_padding": 1.0}, TypeError, "crop_padding must be an integer"),
        ({"crop_fill": "grey"}, ValueError, "crop_fill must be 'zero' or 'reflect'; got 'grey'"),
        ({"flip": True}, ValueError, "flip must be 'none' or 'random' or 'alternating'; got True"),
        ({"cutout": -3}, ValueError, "cutout must be"),
        ({"shift": -1}, ValueError, "shift must be a number >= 0; got -1"),
        ({"rotation": "a"}, TypeError, "rotation must be a number"),
        ({"scaling": 1.0}, ValueError, r"scaling must be a number in \[0, 1\)"),
        ({"shift": float("inf")}, ValueError, "shift must be a number"),
    ],
)
def test_bad_settings(wrong, error, words):
    with pytest.raises(error, match=words):
        Augmentation(**wrong)


def test_settings_that_do_not_fit_the_images():
    for wrong, words in (
        ({"crop_padding": 7, "crop_fill": "reflect"}, "crop_padding must be at most 6"),
        ({"cutout": 19}, "cutout must be at most 18"),
    ):
        with pytest.raises(ValueError, match=words):
            Batches(pictures(), augmentation=Augmentation(**wrong))
    with pytest.raises(ValueError, match="flip must change nothing: images of 1 dimensions"):
        Batches(pictures(size=(8,)), augmentation=Augmentation(flip="random"))
    with pytest.raises(ValueError, match="part must be 'train' or 'test'; got 'all'"):
        Batches(pictures(), "all")
    with pytest.raises(ValueError, match="augmentation must be None for the part 'test'"):
        Batches(pictures(), "test", augmentation=Augmentation())
