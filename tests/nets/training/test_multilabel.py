"""Several labels per image: losses against torch, figures against scikit-learn, and one run from file to prediction."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn import metrics
from torch import nn
from torch.nn import functional

import nets
from nets import MultiLabelEvaluation, Recipe, plot
from nets.__main__ import main
from nets.data import Augmentation, Batches, Dataset, validation_split
from nets.runs import directory
from nets.training.multilabel import MultiLabel
from nets.training.objective import objective_for
from tests.nets.training.test_evaluation import Table, numbered
from tests.nets.training.test_training import NAME, blobs

EPS = torch.finfo(torch.float32).eps
NAMES = ("left", "right", "both")


def labelled(count=80, seed=0, kind=torch.bool):
    """Images with a bright row for each of their labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.rand(count, 3, generator=generator) < torch.tensor([0.5, 0.3, 0.2])
    images = torch.randn(count, 1, 6, 6, generator=generator)
    images[:, 0, ::2] += 3 * labels[:, :, None]
    labels = labels.to(kind)
    return Dataset("labelled", images[20:], labels[20:], images[:20], labels[:20], NAMES)


scores_and_labels = st.integers(1, 25).flatmap(
    lambda count: st.tuples(
        st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=count, max_size=count),
        st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=count, max_size=count),
    )
)


@given(scores_and_labels)
def test_figures_are_those_of_scikit_learn(pair):
    scores, labels = torch.tensor(pair[0], dtype=torch.float32), torch.tensor(pair[1])
    found = nets.evaluate(Table(scores), (numbered(len(scores), 3, 0)[0], labels), batch=4)
    assert isinstance(found, MultiLabelEvaluation)
    torch.testing.assert_close(found.probabilities, torch.sigmoid(scores))
    predicted, truth = (scores > 0).numpy(), labels.numpy()
    assert found.f1 == pytest.approx(metrics.f1_score(truth, predicted, average="samples", zero_division=1))
    assert found.accuracy == found.exact_match == pytest.approx(metrics.accuracy_score(truth, predicted))
    for name, score in (("precision", metrics.precision_score), ("recall", metrics.recall_score)):
        expected = score(truth, predicted, average=None, zero_division=np.nan)
        values = [np.nan if value is None else value for value in getattr(found, name)]
        np.testing.assert_allclose(values, expected)
    expected = [
        metrics.average_precision_score(truth[:, k], found.probabilities[:, k]) if truth[:, k].any() else None
        for k in range(3)
    ]
    assert found.average_precision == pytest.approx(expected)
    known = [value for value in expected if value is not None]
    assert found.mean_average_precision == (pytest.approx(np.mean(known)) if known else None)
    halves = [MultiLabelEvaluation(found.probabilities[part], labels[part]) for part in (slice(1), slice(1, None))]
    totals = sum(MultiLabel().totals(half) for half in halves if half.count)  # as of two processes
    assert MultiLabel().figures_of(totals.tolist()) == pytest.approx(found.figures)
    assert float(MultiLabel().score(scores, labels)) == pytest.approx(found.f1 * found.count)


@given(st.integers(1, 9), st.sampled_from([None, (1.0, 2.0, 0.5)]), st.booleans(), st.integers(0, 99))
def test_the_loss_is_that_of_torch(count, weights, mixed, seed):
    generator = torch.Generator().manual_seed(seed)
    scores, labels = torch.randn(2, count, 3, generator=generator)
    labels = labels.sigmoid() if mixed else labels > 0
    plain = nn.BCEWithLogitsLoss(pos_weight=None if weights is None else torch.tensor(weights))
    objective = MultiLabel(0.0, weights)
    loss = objective.loss(scores, labels) / objective.divisor(labels)
    torch.testing.assert_close(loss, plain(scores, labels.float()))
    smooth = MultiLabel(0.2, weights).loss(scores, labels) / count
    torch.testing.assert_close(smooth, plain(scores, 0.8 * labels.float() + 0.1))


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int64, torch.float32, torch.float64])
def test_labels_of_any_type(kind):
    data = labelled(kind=kind)
    assert data.train_labels.dtype == torch.bool
    assert torch.equal(data.train_labels, labelled().train_labels)
    assert repr(data).endswith("1 x 6 x 6 torch.float32, 3 labels)")


def test_labels_that_are_none():
    data = labelled()
    for labels, words in (
        (data.train_labels.float() / 2, r"train_labels \(N, classes\) must be 0 or 1, .*; got 0.5"),
        (data.train_labels.float() * torch.nan, "must be 0 or 1, .*; got nan"),
        (data.train_labels[:, :2], r"train_labels \(N, classes\) must have 3 columns, one per class name; got 2"),
        (data.train_labels[:5], "train_labels must be 60"),
        (data.train_labels[:, 0], r"test_labels must have as many axes as train_labels, \(60,\); got \(20, 3\)"),
    ):
        with pytest.raises(ValueError, match=words):
            replace(data, train_labels=labels)
    with pytest.raises(ValueError, match=r"loss must be 'auto' or 'binary cross-entropy', .* several labels per image"):
        objective_for(data, Recipe(loss="cross-entropy"))
    with pytest.raises(ValueError, match=r"loss must be 'auto' or 'cross-entropy', .* classes; got 'binary cross-ent"):
        objective_for(blobs(), Recipe(loss="binary cross-entropy"))
    with pytest.raises(ValueError, match="sampling must be 'uniform': data 'labelled' has several labels per image"):
        nets.train(NAME, data, sampling="balanced", batch=16, progress=False)
    pair = data.test_images, data.test_labels[:, :2]
    with pytest.raises(ValueError, match="data has 2 labels per image, and the model tells 3 classes apart"):
        nets.evaluate(nets.create_model(NAME, num_classes=3, in_channels=1), pair)


def test_weights_and_mixing():
    data = labelled()
    counts = data.train_labels.sum(0)
    weights = objective_for(data, Recipe(class_weights="balanced")).weights
    assert weights == pytest.approx(((60 - counts) / counts).tolist(), rel=4 * EPS)
    batches = Batches(data, augmentation=Augmentation(mixup=0.5))
    ((_, labels),) = batches.epoch(0, [torch.arange(60)])
    plan = batches.augmentation.mixing(0, 0, 60, (6, 6))
    truth, share = data.train_labels.float(), plan.shares.float()[:, None]
    torch.testing.assert_close(labels, share * truth + (1 - share) * truth[plan.partners])


def test_a_validation_part_holds_out_images_of_all_labels_together():
    part = validation_split(labelled(), 0.2, seed=1)
    assert (len(part.train_labels), len(part.test_labels)) == (48, 12)
    assert part.train_labels.shape[1] == 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of the command line on a file of arrays, and an image."""
    path, data = tmp_path_factory.mktemp("labels"), labelled()
    names = ("train_images", "train_labels", "test_images", "test_labels")
    np.savez(path / "data.npz", **{name: getattr(data, name).numpy() for name in names}, class_names=np.array(NAMES))
    settings = ["--epochs", "8", "--batch", "12", "--class-weights", "balanced", "--mixup", "0.1", "--no-progress"]
    arguments = ["--data", f"{path}/data.npz", "--model", NAME, "--output", f"{path}/run", *settings]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directory, "draw_history", None)  # it takes longer than the run
        assert main(["train", *arguments]) == 0
    Image.fromarray(np.full((6, 6), 200, np.uint8)).save(path / "a.png")
    return path


def test_a_run_is_evaluated_from_its_folder(folder, capsys, monkeypatch):
    model, data = nets.load(folder / "run"), nets.data.load(folder / "data.npz")
    assert model.transform.multilabel
    found = nets.evaluate(model, data)
    assert found.f1 > nets.evaluate(nets.create_model(NAME, num_classes=3, in_channels=1), data).f1
    record = json.loads((folder / "run" / "record.json").read_text())
    assert record["data"]["targets"] == "multi-label"
    assert {name: record["result"][name] for name in found.figures} == found.figures
    assert record["result"]["per_class"] == found.average_precision
    assert record["history"][-1]["test_f1"] == pytest.approx(found.f1)
    card = (folder / "run" / "model_card.md").read_text()
    assert "A network that finds any number of labels of an image, trained" in card
    assert f"**F1 {100 * found.f1:.2f} %; exact match {100 * found.exact_match:.2f} %** of 20 test images" in card
    assert main(["evaluate", str(folder / "run"), "--json", "--flip"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["per_class"]["both"]["recall"] == found.recall[2]
    assert values["mean_average_precision"] == found.mean_average_precision
    assert main(["evaluate", str(folder / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"held-out F1 {100 * found.f1:.2f} %, exact match ")
    assert [line.split()[0] for line in lines[1:]] == ["label", *NAMES]
    assert main(["evaluate", str(folder / "run"), "--output", str(folder / "none")]) == 2
    assert "output must be None: there is no picture of several labels" in capsys.readouterr().err
    assert not (folder / "none").exists()
    assert main(["report", str(folder / "run"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["figure"] == "f1"
    assert main(["evaluate", str(folder / "run"), "--data", "digits"]) == 2
    assert "data 'digits' must have several labels per image" in capsys.readouterr().err
    assert main(["data", str(folder / "data.npz")]) == 0
    assert "3 labels, any number per image: left, right, both" in capsys.readouterr().out
    titles = []
    monkeypatch.setattr(plot, "features", lambda *_, title, **settings: titles.append(title))
    monkeypatch.setattr(plot, "kernels", lambda *_, **settings: None)
    index = next(i for i, row in enumerate(data.test_labels.tolist()) if row == [True, True, False])
    assert main(["look", str(folder / "run"), "--index", str(index), "--output", str(folder / "look")]) == 0
    taken = [name for name, chance in zip(NAMES, found.probabilities[index], strict=True) if chance > 0.5]
    assert titles[0].endswith(f"data.npz, left and right, taken for {' and '.join(taken) or 'no label'}")


def test_a_prediction_has_a_probability_for_each_label(folder):
    model = nets.load(folder / "run")
    (prediction,) = nets.predict(model, folder / "a.png", invert=True)
    with torch.no_grad():
        pixels = model.transform.read(folder / "a.png", invert=True).pixels
        expected = functional.sigmoid(model(model.transform.normalise(pixels[None])))[0]
    chances = dict(prediction.classes)
    assert [chances[name] for name in NAMES] == pytest.approx(expected.tolist())
    assert sum(chances.values()) != pytest.approx(1)


def test_labels_are_found_by_their_names(folder):
    model, data = nets.load(folder / "run"), nets.data.load(folder / "data.npz")
    order = [2, 0, 1]
    names = tuple(data.class_names[k] for k in order)
    turned = replace(
        data, class_names=names, train_labels=data.train_labels[:, order], test_labels=data.test_labels[:, order]
    )
    assert nets.evaluate(model, turned).figures == nets.evaluate(model, data).figures


def test_a_pair_of_arrays():
    data = labelled()
    pair = data.train_images.numpy(), data.train_labels.numpy()
    split = nets.data.from_arrays(*pair)
    assert (len(split.train_labels), len(split.test_labels), split.class_names) == (48, 12, ("0", "1", "2"))
    assert nets.train(NAME, pair, epochs=1, batch=16, progress=False).model.transform.multilabel
    with pytest.raises(ValueError, match=r"y_test must be of the shape of y, \('N', 3\); got \('N',\)"):
        nets.data.from_arrays(*pair, pair[0], pair[1][:, 0])


def test_labels_of_another_kind_than_in_training_are_refused():
    several, one = labelled(), blobs()
    settings = {"epochs": 1, "batch": 16, "limit_batches": 1, "progress": False}
    model = nets.train(NAME, several, **settings).model
    classes = several.test_labels.int().argmax(1)
    with pytest.raises(ValueError, match=r"data must have several labels .* as 'labelled' has; got labels \(20,\)"):
        nets.evaluate(model, (several.test_images, classes))
    model = nets.train(model, one, **settings).model
    table = functional.one_hot(one.test_labels, 3)
    table[0] = 1
    with pytest.raises(ValueError, match=r"data must have one class per image \(N,\), as"):
        nets.evaluate(model, (one.test_images, table))
    again = nets.train(model, several, **settings)
    assert isinstance(again.evaluation, MultiLabelEvaluation)


def test_a_file_of_images_of_one_class_each(tmp_path):
    data = blobs()
    names = ("train_images", "train_labels", "test_images", "test_labels")
    np.savez(tmp_path / "blobs.npz", **{name: getattr(data, name).numpy() for name in names})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = nets.data.load("blobs.npz", data_dir=tmp_path)
    assert read.class_names == ("0", "1", "2")
    assert torch.equal(read.train_labels, data.train_labels)
    assert read.mean == pytest.approx([float(data.train_images.mean())])
    with pytest.raises(ValueError, match=r"it has images, which nets\.data.load reads"):
        nets.data.load_dense(tmp_path / "blobs.npz")
