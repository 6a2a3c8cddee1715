"""Calibration: the expected calibration error and the likelihood, counted by NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets import plot
from nets.training.calibration import reliability
from tests.nets.training.test_evaluation import Table, numbered

EPS = torch.finfo(torch.float32).eps


def ece_by_numpy(confidences, right):
    """Guo et al. (2017), 15 bins ((m - 1) / 15, m / 15], bin by bin."""
    total = 0.0
    for m in range(1, 16):
        inside = (confidences > (m - 1) / 15) & (confidences <= m / 15)
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidences[inside].mean())
    return total / len(confidences)


@given(st.integers(1, 40), st.integers(2, 9), st.booleans(), st.integers(0, 2**32))
def test_an_evaluation_against_numpy(count, classes, flip, seed):
    images, labels, scores = numbered(count, classes, seed)
    found = nets.evaluate(Table(scores), (images, labels), batch=7, flip=flip)
    seen = ((scores + scores.roll(-1, 0)) / 2 if flip else scores).double().numpy()
    chances = np.exp(seen) / np.exp(seen).sum(1, keepdims=True)
    right = chances.argmax(1) == labels.numpy()
    np.testing.assert_allclose(found.confidences, chances.max(1), rtol=16 * EPS)
    assert found.nll == pytest.approx(-np.log(chances[np.arange(count), labels]).mean(), rel=16 * EPS)
    assert found.ece == pytest.approx(ece_by_numpy(found.confidences.numpy(), right), abs=16 * EPS)
    if count > 1:
        rest = found.without([0])
        assert rest.ece == pytest.approx(ece_by_numpy(found.confidences.numpy()[1:], right[1:]), abs=16 * EPS)
        assert rest.nll == pytest.approx(found.losses[1:].double().mean().item())


@given(st.lists(st.tuples(st.integers(0, 15), st.booleans()), min_size=1, max_size=40))
def test_the_edge_of_a_bin_belongs_to_the_bin_below(pairs):
    confidences = torch.tensor([k / 15 for k, _ in pairs], dtype=torch.float64)
    right = torch.tensor([hit for _, hit in pairs])
    bins = reliability(confidences, right)
    for m in range(15):
        inside = [hit for k, hit in pairs if max(k, 1) == m + 1]
        expected = [len(inside) / len(pairs), sum(inside) / max(len(inside), 1)]
        assert bins[m, [0, 2]].tolist() == pytest.approx(expected)


def test_who_is_always_sure_and_half_of_the_time_right():
    scores = torch.tensor([[100.0, 0.0]] * 8)
    found = nets.evaluate(Table(scores), (numbered(8, 2, 0)[0], torch.tensor([0, 1] * 4)))
    assert (found.ece, found.nll) == (0.5, 50.0)
    without = nets.Evaluation(found.predictions, found.labels, None, 2)
    assert without.ece is without.nll is without.reliability is None


def test_the_picture(tmp_path):
    bins = reliability(torch.tensor([0.5, 0.9, 0.95]), torch.tensor([True, False, True]))
    plot.calibration(bins, tmp_path / "calibration.png")
    assert (tmp_path / "calibration.png").stat().st_size > 0
    with pytest.raises(ValueError, match=r"bins must have shape \(bins, 3\).*; got \(15, 2\)"):
        plot.calibration(bins[:, :2], tmp_path / "other.png")
