"""Mixup and CutMix: what timm does with a single image, with a partner from the whole set."""

from math import sqrt

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets.common import randomness
from nets.data import Augmentation, Batches, Dataset
from nets.data.mixing import mixing
from tests.nets.data.test_augmentation import pictures
from tests.nets.dense_data import segmentation

STANDARD_ERRORS = 5
alphas = st.sampled_from([(0.3, 0.0), (0.0, 1.0), (0.3, 1.0)])


@given(alphas, st.permutations(range(12)), st.integers(1, 12), st.integers(0, 3))
def test_an_image_is_mixed_in_the_same_way_in_any_batch(pair, order, size, epoch):
    augmentation = Augmentation(flip="random", crop_padding=1, mixup=pair[0], cutmix=pair[1])
    batches = Batches(pictures(), augmentation=augmentation, seed=3)
    ((whole, labels),) = batches.epoch(epoch, [torch.arange(12)])
    for index in torch.tensor(order).split(size):
        ((images, theirs),) = batches.epoch(epoch, [index])
        assert torch.equal(images, whole[index])
        assert torch.equal(theirs, labels[index])


@given(alphas, st.integers(0, 20))
def test_image_by_image(pair, epoch):
    """Sums and boxes of the augmented images, by loops; labels by the share of the pixels, or lambda."""
    data, changes = pictures(), {"flip": "random", "crop_padding": 1}
    both = Augmentation(**changes, mixup=pair[0], cutmix=pair[1])
    ((alone, classes),) = Batches(data, augmentation=Augmentation(**changes)).epoch(epoch, [torch.arange(12)])
    ((images, labels),) = Batches(data, augmentation=both).epoch(epoch, [torch.arange(12)])
    plan = both.mixing(0, epoch, 12, (9, 7))
    assert sorted(plan.partners.tolist()) == list(range(12))
    for i, j in enumerate(plan.partners.tolist()):
        share = float(plan.shares[i])
        if plan.cut[i]:
            top, bottom, left, right = plan.boxes[i].tolist()
            expected = alone[i].clone()
            expected[:, top:bottom, left:right] = alone[j][:, top:bottom, left:right]
            assert share == 1 - (bottom - top) * (right - left) / 63
            assert torch.equal(images[i], expected)
        else:
            torch.testing.assert_close(images[i], share * alone[i] + (1 - share) * alone[j])
        row = torch.zeros(3)
        row[classes[i]] += share
        row[classes[j]] += 1 - share
        torch.testing.assert_close(labels[i], row)


def boxes_of_timm(share, height, width):
    """Every box of timm.data.mixup.rand_bbox for this lambda, one for each centre."""
    ratio = sqrt(1 - share)
    cut_h, cut_w = int(height * ratio), int(width * ratio)
    for cy in range(height):
        for cx in range(width):
            yl, yh = max(cy - cut_h // 2, 0), min(cy + cut_h // 2, height)
            xl, xh = max(cx - cut_w // 2, 0), min(cx + cut_w // 2, width)
            yield yl, yh, xl, xh


def test_boxes_are_those_of_timm():
    plan = mixing(0.0, 1.0, 7, 2, 2000, (4, 3))
    shares, seen = randomness.beta(7, 2, 2000, 1.0, "cutmix").tolist(), set()
    for share, box in zip(shares, plan.boxes.tolist(), strict=True):
        possible = set(boxes_of_timm(share, 4, 3))
        assert tuple(box) in possible
        seen.add(tuple(box))
    assert seen >= set(boxes_of_timm(0.3, 4, 3))  # all centres occur


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_lambda_has_the_moments_of_a_beta_distribution(alpha):
    """Mean 1/2 and variance 1 / (4 (2 alpha + 1)), to the errors of so many numbers."""
    count, variance = 20000, 1 / (4 * (2 * alpha + 1))
    shares = mixing(alpha, 0.0, 1, 0, count, (4, 4)).shares
    assert abs(float(shares.mean()) - 0.5) < STANDARD_ERRORS * sqrt(variance / count)
    fourth = float((shares - 0.5).pow(4).mean())
    assert abs(float((shares - 0.5).square().mean()) - variance) < STANDARD_ERRORS * sqrt(fourth / count)


def test_of_both_each_image_takes_one():
    count = 4000
    cut = mixing(0.2, 1.0, 0, 0, count, (4, 4)).cut
    assert abs(int(cut.sum()) - count / 2) < STANDARD_ERRORS * sqrt(count / 4)
    assert not mixing(0.2, 0.0, 0, 0, count, (4, 4)).cut.any()
    assert mixing(0.0, 0.2, 0, 0, count, (4, 4)).cut.all()
    assert not torch.equal(cut, mixing(0.2, 1.0, 0, 1, count, (4, 4)).cut)


def test_what_cannot_be_mixed():
    with pytest.raises(ValueError, match="mixup must be"):
        Augmentation(mixup=-1)
    with pytest.raises(TypeError, match="cutmix must be"):
        Augmentation(cutmix="1")
    with pytest.raises(ValueError, match="mixup, cutmix must change nothing: data 'signs' has a target at every point"):
        Augmentation(mixup=0.2, cutmix=1.0).check(segmentation())
    x, y = torch.rand(6, 2, 5), torch.arange(6) % 2
    lines = Dataset("lines", x, y, x, y, ("a", "b"))
    with pytest.raises(ValueError, match="cutmix must change nothing: images of 1 dimensions"):
        Augmentation(mixup=0.2, cutmix=1.0).check(lines)
    ((images, labels),) = Batches(lines, augmentation=Augmentation(mixup=0.2)).epoch(0, [torch.arange(6)])
    plan = mixing(0.2, 0.0, 0, 0, 6, (5,))
    share = plan.shares.float()[:, None, None]
    torch.testing.assert_close(images, share * x + (1 - share) * x[plan.partners])
    torch.testing.assert_close(labels.sum(1), torch.ones(6))
