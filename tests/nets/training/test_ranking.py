"""The area under the ROC curve against scikit-learn and against its pairs, and where it is said."""

import json
from statistics import mean, stdev

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

import nets
from nets import plot
from nets.__main__ import main
from nets.runs import directory, records, report
from nets.training.ranking import average_precision, roc_auc, roc_curve
from tests.nets.training.test_evaluation import Table, numbered

EPS = float(np.finfo(float).eps)
ranked = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=30)  # many are equal


@given(ranked)
def test_area_and_curve(pairs):
    scores, truth = torch.tensor([score for score, _ in pairs]), torch.tensor([label for _, label in pairs])
    with_label, without = scores[truth], scores[~truth]
    if not (len(with_label) and len(without)):
        assert roc_auc(scores, truth) is roc_curve(scores, truth) is None
        return
    difference = with_label[:, None] - without
    won = int((difference > 0).sum()) + int((difference == 0).sum()) / 2
    assert roc_auc(scores, truth) == won / difference.numel()
    # a trapezoid for each of at most 9 different scores, with some roundings of numbers up to 1 each
    assert roc_auc(scores, truth) == pytest.approx(metrics.roc_auc_score(truth, scores), abs=9 * 8 * EPS)
    curve = np.column_stack(metrics.roc_curve(truth, scores, drop_intermediate=False)[:2])
    np.testing.assert_allclose(roc_curve(scores, truth), curve, rtol=2 * EPS)


@given(ranked)
def test_an_evaluation_of_two_classes(pairs):
    """Margins of 60 and more have the probability 1 in float32, and are told apart all the same."""
    margins = torch.tensor([60.0 * score for score, _ in pairs])
    labels = torch.tensor([int(label) for _, label in pairs])
    scores = torch.stack((3 - margins / 2, 3 + margins / 2), dim=1)
    found = nets.evaluate(Table(scores), (numbered(len(pairs), 2, 0)[0], labels), batch=7)
    assert found.auc == roc_auc(margins, labels == 1)
    if found.auc is not None:
        torch.testing.assert_close(found.roc, roc_curve(margins, labels == 1), rtol=0, atol=0)
    if len(pairs) > 1:
        assert found.without([0]).auc == roc_auc(margins[1:], labels[1:] == 1)


def test_three_classes_have_none():
    images, labels, scores = numbered(20, 3, 1)
    found = nets.evaluate(Table(scores), (images, labels))
    assert found.auc is found.roc is found.margins is None
    for curve, got in ((found.confusion, r"\(3, 3\)"), (found.roc, "NoneType")):
        with pytest.raises(ValueError, match=rf"curve must have shape \(n, 2\), as Evaluation\.roc .*; got {got}"):
            plot.roc(curve, "roc.png")


@pytest.mark.parametrize("function", [average_precision, roc_auc, roc_curve])
def test_bad_scores_and_labels(function):
    scores, truth = torch.tensor([0.9, 0.8, 0.1]), torch.tensor([True, False, True])
    bad = {"some of them nan": [0.9, torch.nan, 0.1], r"shape \(0,\)": [], r"shape \(1, 1\)": [[0.9]]}
    for got, wrong in bad.items():
        with pytest.raises(ValueError, match=f"scores must be numbers .*; got {got}"):
            function(torch.tensor(wrong), truth)
    for labels in (truth.int(), truth[:2]):  # of integers, ~ is no negation
        with pytest.raises(ValueError, match=r"truth must be bool \(3,\), as scores; got"):
            function(scores, labels)


def test_runs_say_it(tmp_path, capsys, monkeypatch):
    """Signals of two classes: record, card, report, the command and its pictures."""
    monkeypatch.setattr(directory, "draw_history", None)  # pictures take longer than the runs
    for picture in ("calibration", "confusion_matrix", "misclassified"):
        monkeypatch.setattr(plot, picture, lambda *arguments: None)
    labels = np.arange(80) % 2
    signals = np.random.default_rng(0).standard_normal((80, 1, 16)) + 0.5 * labels[:, None, None]
    path, runs = tmp_path / "signals.npz", tmp_path / "runs"
    np.savez(
        path, train_images=signals[40:], train_labels=labels[40:], test_images=signals[:40], test_labels=labels[:40]
    )
    data = nets.data.load(path)
    settings = {"epochs": 1, "batch": 8, "progress": False}
    found = [nets.train("MgNet[1]-[4]-B^l", data, seed=s, output=runs / str(s), **settings) for s in (0, 1)]
    areas = [result.evaluation.auc for result in found]
    assert [json.loads((runs / f"{s}/record.json").read_text())["result"]["auc"] for s in (0, 1)] == areas
    assert f"(AUC): {100 * areas[1]:.2f} %." in (runs / "1" / "model_card.md").read_text()
    (group,) = records.runs([runs])
    percent = [100 * area for area in areas]
    assert group.auc == mean(percent)
    assert f", AUC {mean(percent):.2f} ± {stdev(percent):.2f} (n = 2)" in report.table([group])
    assert json.loads(report.table([group], "json"))[0]["auc"] == group.auc
    assert main(["evaluate", str(runs / "1"), "--output", str(tmp_path / "pictures")]) == 0
    assert f"of 40 images, AUC {100 * areas[1]:.2f} %" in capsys.readouterr().out
    assert (tmp_path / "pictures" / "roc.png").stat().st_size > 0
    assert main(["evaluate", str(runs / "1"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["auc"] == areas[1]
    record = json.loads((runs / "0" / "record.json").read_text())
    del record["result"]["auc"]  # as in records of earlier versions
    (runs / "0" / "record.json").write_text(json.dumps(record))
    (group,) = records.runs([runs])
    assert "AUC" not in report.table([group])
    assert json.loads(report.table([group], "json"))[0]["auc"] is None
