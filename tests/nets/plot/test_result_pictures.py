"""Labels of the pictures of an evaluation do not touch, with few and many classes, short and long names."""

from itertools import pairwise

import pytest
import torch

from nets import plot
from nets.plot import results

NAMES = {
    "short": lambda k: f"c{k}",
    "words": lambda k: f"automobile {k}",
    "long": lambda k: f"{k} a class with a very long name of many words",
    "signs": lambda k: f"$a_{k} % {{",
}


def drawn(monkeypatch, draw):
    """The figure that was to be saved, laid out."""
    found = []
    monkeypatch.setattr(results, "save", lambda picture, path: found.append(picture))
    draw()
    found[0].canvas.draw()
    return found[0]


def apart(texts, axis):
    boxes = sorted((getattr(text.get_window_extent(), f"interval{axis}") for text in texts), key=lambda pair: pair[0])
    return all(end <= start for (_, end), (start, _) in pairwise(boxes))


@pytest.mark.parametrize(("kind", "classes"), [*((kind, 20) for kind in NAMES), (next(iter(NAMES)), 2)])
def test_labels_of_a_confusion_matrix(monkeypatch, kind, classes):
    names = [NAMES[kind](k) for k in range(classes)]
    matrix = 10000 * torch.eye(classes, dtype=torch.int64)
    picture = drawn(monkeypatch, lambda: plot.confusion_matrix(matrix, names, "x.png"))
    axes = picture.axes[0]
    title = picture.texts[0].get_window_extent()
    assert 0 <= title.x0 < title.x1 <= picture.bbox.width
    assert apart(axes.get_xticklabels(), "x")
    assert apart(axes.get_yticklabels(), "y")


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("classes", [100])
def test_titles_of_misclassified_images(monkeypatch, kind, classes):
    names = [NAMES[kind](k) for k in range(classes)]
    truth, images = torch.arange(12) % classes, torch.rand(12, 3, 5, 5)
    predicted = (truth + 1) % classes
    picture = drawn(monkeypatch, lambda: plot.misclassified(images, truth, predicted, "x.png", names))
    assert apart([axes.texts[0] for axes in picture.axes[:6]], "x")
    assert apart([picture.axes[k].texts[0] for k in (0, 6)], "y")


@pytest.mark.parametrize(
    ("shape", "drawn_as"),
    [((2, 9), "lines"), ((1, 5, 4, 3), "images"), ((2, 4, 3), "images"), ((4, 4, 3), "images")],
)
def test_misclassified_images_of_any_shape(monkeypatch, shape, drawn_as):
    images = torch.rand(2, *shape).bfloat16()
    truth, predicted = torch.tensor([0, 1]), torch.tensor([1, 1])
    picture = drawn(monkeypatch, lambda: plot.misclassified(images, truth, predicted, "x.png"))
    (shown, *_) = getattr(picture.axes[0], drawn_as)
    values = shown.get_ydata() if len(shape) == 2 else shown.get_array()
    assert values.shape == ((9,) if len(shape) == 2 else (4, 3))
