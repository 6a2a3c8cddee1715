"""How a network classifies: counted image by image here, in batches there."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import nets
from nets.data import Dataset


class Table(nn.Module):
    """A network that looks up the scores of an image by its first pixel, and of its mirror image by the last."""

    def __init__(self, scores):
        super().__init__()
        self.scores = nn.Parameter(scores)

    def forward(self, x):
        return self.scores[x[:, 0, 0, 0].long()]


def numbered(count, classes, seed):
    """Images whose first pixel is their number and whose last is that of the image after it, labels, and scores."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.zeros(count, 1, 2, 3)
    images[:, 0, 0, 0], images[:, 0, 0, 2] = torch.arange(count), torch.arange(count).roll(-1)
    labels = torch.randint(classes, (count,), generator=generator)
    return images, labels, torch.randn(count, classes, generator=generator)


@given(st.integers(1, 40), st.integers(2, 9), st.integers(1, 45), st.booleans(), st.integers(0, 2**32))
def test_counts_do_not_depend_on_the_batch(count, classes, batch, flip, seed):
    images, labels, scores = numbered(count, classes, seed)
    result = nets.evaluate(Table(scores), (images, labels), batch=batch, flip=flip)
    seen = scores + scores.roll(-1, 0) if flip else scores
    ranks = [sorted(range(classes), key=lambda k, row=row: -row[k]) for row in seen.tolist()]
    assert result.predictions.tolist() == [rank[0] for rank in ranks]
    assert result.accuracy == sum(rank[0] == label for rank, label in zip(ranks, labels.tolist(), strict=True)) / count
    hits5 = sum(label in rank[:5] for rank, label in zip(ranks, labels.tolist(), strict=True))
    assert result.top5 == (hits5 / count if classes > 5 else None)
    assert result.count == int(result.confusion.sum()) == count
    for k, share in enumerate(result.per_class):
        own = [rank[0] == k for rank, label in zip(ranks, labels.tolist(), strict=True) if label == k]
        assert share == (sum(own) / len(own) if own else None)


def test_classes_must_fit():
    images, labels, scores = numbered(6, 3, 0)
    data = Dataset("numbered", images, labels, images, labels, ("a", "b", "c", "d"))
    with pytest.raises(ValueError, match="data 'numbered' has 4 classes, and the model tells 3 classes apart"):
        nets.evaluate(Table(scores), data)


def test_flip_is_true_or_false():
    images, labels, scores = numbered(6, 3, 0)
    with pytest.raises(TypeError, match="flip must be True or False; got 1"):
        nets.evaluate(Table(scores), (images, labels), flip=1)
