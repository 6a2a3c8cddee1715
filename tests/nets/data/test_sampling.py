"""Balanced sampling: every class equally often, as a function of (seed, epoch)."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets.data import Augmentation, Batches, Dataset
from nets.data.sampling import balanced_draws
from tests.nets.dense_data import segmentation


def numbered(counts, names=None):
    """Images that hold their number, so many of each class."""
    labels = torch.cat([torch.full((count,), k) for k, count in enumerate(counts)])
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    images = torch.arange(float(len(labels))).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 3).contiguous()
    return Dataset("numbered", images, labels, images, labels, names or tuple(map(str, range(len(counts)))))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(0, 9), st.integers(0, 3))
def test_every_class_and_every_image_of_it_comes_equally_often(counts, seed, epoch):
    labels = numbered(counts).train_labels
    draws = balanced_draws(labels, len(counts), seed, epoch)
    assert torch.equal(draws, balanced_draws(labels, len(counts), seed, epoch))
    assert len(draws) == len(labels)
    each = torch.bincount(labels[draws], minlength=len(counts))
    assert int(each.max() - each.min()) <= 1
    times = torch.bincount(draws, minlength=len(labels))
    for k in range(len(counts)):
        own = times[labels == k]
        assert int(own.max() - own.min()) <= 1


def test_epochs_and_seeds_draw_others():
    labels = numbered([50, 5]).train_labels
    draws = [balanced_draws(labels, 2, seed, epoch).sort().values for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert not any(torch.equal(draws[i], draws[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


@given(st.permutations(range(30)), st.integers(1, 30), st.integers(0, 2), st.booleans())
def test_a_draw_does_not_depend_on_its_batch(order, size, epoch, mixed):
    """An image that is drawn again has another augmentation."""
    augmentation = Augmentation(flip="random", mixup=0.5 if mixed else 0.0)
    batches = Batches(numbered([27, 3]), augmentation=augmentation, sampling="balanced", seed=4)
    ((whole, labels),) = batches.epoch(epoch, [torch.arange(30)])
    for index in torch.tensor(order).split(size):
        ((images, theirs),) = batches.epoch(epoch, [index])
        assert torch.equal(images, whole[index])
        assert torch.equal(theirs, labels[index])
        assert torch.equal(batches.labels_of(epoch, index), theirs)


def test_epochs_of_one_object_are_those_of_fresh_ones():
    """Whichever epoch came before; of every epoch something is new."""
    augmentation = Augmentation(flip="random", mixup=0.5)
    data, index = numbered([20, 10]), torch.arange(30)
    kept, seen = Batches(data, augmentation=augmentation, sampling="balanced"), []
    for epoch in (0, 1, 0, 2):
        fresh = Batches(data, augmentation=augmentation, sampling="balanced")
        ((images, labels),) = kept.epoch(epoch, [index])
        ((others, theirs),) = fresh.epoch(epoch, [index])
        assert torch.equal(images, others)
        assert torch.equal(labels, theirs)
        seen.append(images)
    assert not any(torch.equal(seen[i], seen[j]) for i, j in ((0, 1), (0, 3), (1, 3)))


def test_an_image_that_comes_again_has_another_augmentation():
    data = numbered([27, 3])
    data.train_images.copy_(torch.arange(180.0).reshape(30, 1, 2, 3))
    batches = Batches(data, augmentation=Augmentation(flip="random"), sampling="balanced")
    ((images, labels),) = batches.epoch(0, [torch.arange(30)])
    rare = {tuple(image.flatten().tolist()) for image in images[labels == 1]}
    assert len(rare) == 6  # 3 images, drawn 15 times, as they are and from right to left
    ((plain, theirs),) = Batches(data, sampling="balanced").epoch(0, [torch.arange(30)])
    assert torch.equal(theirs, labels)
    assert torch.equal(plain.sum((1, 2, 3)), images.sum((1, 2, 3)))


def test_data_that_have_no_classes_to_balance():
    with pytest.raises(ValueError, match=r"sampling must not be 'balanced'.*'numbered' have no 'c'$"):
        Batches(numbered([2, 3], ("a", "b", "c")), sampling="balanced")
    with pytest.raises(ValueError, match="sampling must be 'uniform': data 'signs' has a target at every point; got"):
        Batches(segmentation(), sampling="balanced")
    one, ones = torch.zeros(4, 1, 2, 2), torch.ones(4, 2)
    with pytest.raises(ValueError, match="sampling must be 'uniform': data 'm' has several labels per image"):
        Batches(Dataset("m", one, ones, one, ones, ("a", "b")), sampling="balanced")
