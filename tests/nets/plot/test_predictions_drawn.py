"""predictions.png: what is drawn of a sample is said, and classes have their names."""

import pytest
import torch

from nets.plot import dense
from nets.training.dense_evaluation import DenseEvaluation


@pytest.fixture
def drawn(monkeypatch):
    """The figure of an evaluation, instead of a file."""
    figures = []
    monkeypatch.setattr(dense, "save", lambda figure, path: figures.append(figure))

    def draw(targets, names=()):
        dense.predictions(DenseEvaluation(targets, targets, names), "predictions.png")
        return figures.pop()

    return draw


def test_names_of_classes(drawn):
    line = drawn(torch.tensor([[0, 1, 1, 0]]), ("$a", "b"))
    values, errors = line.axes
    assert [label.get_text() for label in values.get_yticklabels()] == ["$a", "b"]
    assert [label.get_text() for label in errors.get_yticklabels()] == ["right", "wrong"]
    bar = drawn(torch.eye(4, dtype=torch.long)[None], ("$a", "b")).axes[-1]
    assert [label.get_text() for label in bar.get_yticklabels()] == ["$a", "b"]
    bar = drawn(torch.eye(4, dtype=torch.long)[None], tuple(map(str, range(dense.CLASSES + 1)))).axes[-1]
    assert bar.get_yticklabels() == []


def test_parts_of_samples_are_said(drawn):
    words = "channel 1 of 2, point 2 of 3 of the first axis; numbers are of whole samples"
    assert drawn(torch.rand(1, 2, 3, 4, 5)).get_suptitle() == words
    assert drawn(torch.rand(1, 1, 4, 5)).get_suptitle() == ""


def test_pixels_of_long_maps_are_no_squares(drawn):
    assert drawn(torch.rand(1, 1, 4, 17)).axes[0].get_aspect() == "auto"
    assert drawn(torch.rand(1, 1, 4, 16)).axes[0].get_aspect() == 1
