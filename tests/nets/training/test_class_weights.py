"""Weights of classes: those of scikit-learn, in the loss of torch, whatever the parts of a batch."""

import json
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

import nets
from nets import Recipe, plot
from nets.__main__ import main
from nets.cli.options import settings
from nets.common import randomness
from nets.runs import directory
from nets.training.class_weights import class_weights
from nets.training.distributed import Ranks
from nets.training.objective import Classification, Segmentation, objective_for
from nets.training.state import Training
from tests.nets.dense_data import denoising, segmentation
from tests.nets.training.test_training import blobs

WEIGHTS = (0.5, 2.0, 0.25)
RECIPE = Recipe(epochs=2, batch=16, schedule="constant", warmup=0.0, class_weights=WEIGHTS)
EPS = torch.finfo(torch.float64).eps


def unbalanced(count=80):
    """Of class 0 a half, of class 1 a sixteenth."""
    return blobs(count).without(train=[i for i in range(60) if i % 3 == 2 and i % 4])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 99))
def test_balanced_weights_are_those_of_scikit_learn(more, seed):
    labels = torch.tensor([0, 1, 2, 3, *more])
    x = torch.zeros(len(labels), 1, 2, 2)
    data = nets.data.Dataset("d", x, labels, x, labels, ("a", "b", "c", "d"))
    expected = compute_class_weight("balanced", classes=np.arange(4), y=labels.numpy())
    assert class_weights(data, "balanced") == pytest.approx(expected.tolist(), rel=4 * EPS)


@given(st.integers(1, 12), st.integers(1, 4), st.sampled_from([0.0, 0.1]), st.booleans(), st.integers(0, 99))
def test_the_mean_is_that_of_torch_for_any_parts(count, parts, smoothing, dense, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (count, 4, 3) if dense else (count,)
    labels = torch.randint(3, shape, generator=generator)
    scores = torch.randn((count, 3, *shape[1:]), generator=generator, dtype=torch.float64)
    objective = Segmentation(3, smoothing, WEIGHTS) if dense else Classification(smoothing, WEIGHTS)
    whole = functional.cross_entropy(scores, labels, torch.tensor(WEIGHTS).double(), label_smoothing=smoothing)
    pairs = zip(scores.tensor_split(parts), labels.tensor_split(parts), strict=True)
    sums = sum(objective.loss(*pair) for pair in pairs if len(pair[0]))
    torch.testing.assert_close(sums / objective.divisor(labels), whole, rtol=100 * EPS, atol=0)


def test_a_mixed_image_that_is_all_of_one_class_is_that_class():
    labels, scores = torch.tensor([0, 2, 1]), torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    objective, shares = Classification(0.1, WEIGHTS), functional.one_hot(labels, 3).float()
    torch.testing.assert_close(objective.loss(scores, shares), objective.loss(scores, labels))
    assert objective.divisor(shares) == objective.divisor(labels) == 0.5 + 0.25 + 2
    assert objective.score(scores, shares) == objective.score(scores, labels)
    halves = torch.tensor([[0.5, 0.5, 0.0]])
    assert objective.divisor(halves) == 1.25


def test_a_batch_of_classes_without_weight_changes_nothing():
    objective, scores = Classification(0.0, (0.0, 1.0)), torch.randn(2, 2, requires_grad=True)
    labels = torch.zeros(2, dtype=torch.long)
    (objective.loss(scores, labels) / objective.divisor(labels)).backward()
    assert torch.equal(scores.grad, torch.zeros(2, 2))


def model():
    torch.manual_seed(3)
    return nets.create_model("MgNet[1,2]-[4]-B^l", num_classes=3, in_channels=1, batch_norm=False).double()


def by_hand(data, targets, loss_of):
    """Torch's SGD, the loss of each epoch as the mean over its images."""
    net = model().train()
    decay = [[p for p in net.parameters() if (p.ndim > 1) == many] for many in (True, False)]
    groups = [{"params": decay[0], "weight_decay": RECIPE.weight_decay}, {"params": decay[1], "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=RECIPE.learning_rate, momentum=0.9, nesterov=True)
    losses = []
    for epoch in range(RECIPE.epochs):
        order, total = randomness.order(0, epoch, len(targets)), 0.0
        for batch in order.split(RECIPE.batch):
            optimizer.zero_grad()
            loss = loss_of(net(data.train_images[batch].double()), targets[batch])
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        losses.append(total / len(targets))
    return net.state_dict(), losses


@pytest.mark.parametrize("accumulated", [1, 4])
def test_training_is_that_of_plain_torch(accumulated):
    data = unbalanced()
    weights = torch.tensor(WEIGHTS).double()
    expected, losses = by_hand(
        data, data.train_labels, lambda x, y: functional.cross_entropy(x, y, weights, label_smoothing=0.1)
    )
    result = nets.train(model(), data, recipe=replace(RECIPE, grad_accum=accumulated), progress=False)
    for name, value in result.model.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e4 * EPS)
    assert [row["loss"] for row in result.history] == pytest.approx(losses, rel=1e4 * EPS)


def test_balanced_by_the_images_that_are_learned():
    """A validation part is no part of the training."""
    data = unbalanced()
    recipe = replace(RECIPE, class_weights="balanced", val_fraction=0.5)
    training = Training.start(model(), data, recipe, 0, Ranks())
    expected = compute_class_weight("balanced", classes=np.arange(3), y=training.data.train_labels.numpy())
    assert training.objective.weights == pytest.approx(expected.tolist())


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("even", ValueError, "class_weights must be 'none', 'balanced', or finite numbers >= 0.*; got 'even'"),
        ("1,,2", ValueError, "got '1,,2'"),
        ((1, -1), ValueError, r"got \(1, -1\)"),
        ((0, 0), ValueError, "not all 0"),
        ((), ValueError, r"got \(\)"),
        ((1, float("nan")), ValueError, "finite"),
        (None, TypeError, "got None"),
        (2.0, TypeError, "got 2.0"),
        ((1, 10**400), ValueError, "finite"),
        ({0: 1.0, 1: 2.0}, TypeError, "got {0: 1.0, 1: 2.0}"),
        ({1.0, 2.0}, TypeError, "got {1.0, 2.0}"),
    ],
)
def test_weights_that_are_none(value, kind, words):
    with pytest.raises(kind, match=words):
        Recipe(class_weights=value)


def test_weights_of_other_data():
    assert Recipe(class_weights="1, 2,0.5") == Recipe(class_weights=[1, 2, 0.5]) == Recipe(class_weights=(1, 2, 0.5))
    for array in (torch.tensor([1.0, 2.0]), np.array([1.0, 2.0])):  # compute_class_weight gives the latter
        assert Recipe(class_weights=array).class_weights == (1.0, 2.0)
    with pytest.raises(ValueError, match="class_weights must be 3 numbers, one per class of data 'blobs'; got 2"):
        nets.train(model(), blobs(), class_weights=(1, 2), progress=False)
    with pytest.raises(ValueError, match=r"class_weights must not be 'balanced'.*'blobs' have no 'b'$"):
        nets.train(model(), blobs().without(train=range(2, 60, 3)), class_weights="balanced", progress=False)
    with pytest.raises(ValueError, match="class_weights must be 'none': the targets of data 'waves' are floats"):
        objective_for(denoising(), Recipe(class_weights="balanced"))
    with pytest.raises(ValueError, match="sampling must be 'uniform' where class_weights are 'balanced'"):
        Recipe(sampling="balanced", class_weights="balanced")
    counts = torch.bincount(segmentation().train_targets.flatten()).double()
    found = objective_for(segmentation(), Recipe(class_weights="balanced")).weights
    assert found == pytest.approx((counts.sum() / 2 / counts).tolist())


def test_a_file_of_options_may_have_lists(tmp_path):
    (tmp_path / "run.toml").write_text('class-weights = [1, 2.5]\nfreeze = ["stem", "level 1"]\n')
    found = settings(Namespace(config=tmp_path / "run.toml"))
    assert Recipe(**found) == Recipe(class_weights=(1, 2.5), freeze="stem, level 1")
    (tmp_path / "run.toml").write_text('schedule = ["cosine"]\n')
    with pytest.raises(ValueError, match=r"schedule must be a string; got \['cosine'\]"):
        settings(Namespace(config=tmp_path / "run.toml"))


def test_command(tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "draw_history", None)  # pictures take longer than the run
    for picture in ("confusion_matrix", "misclassified"):
        monkeypatch.setattr(plot, picture, lambda *arguments: None)
    arguments = ["--data", "digits", "--model", "MgNet[1]-[4]-B^l", "--epochs", "1", "--limit-batches", "1"]
    weights = ",".join(map(str, range(1, 11)))
    settings = ["--class-weights", weights, "--sampling", "balanced", "--mixup", "0.2", "--cutmix", "1"]
    assert main(["train", *arguments, *settings, "--no-progress", "--output", str(tmp_path / "run")]) == 0
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["recipe"]["class_weights"] == list(range(1, 11))
    assert [record["recipe"][name] for name in ("sampling", "mixup", "cutmix")] == ["balanced", 0.2, 1.0]
    assert 0 <= record["result"]["ece"] <= 1
    assert "Expected calibration error" in (tmp_path / "run" / "model_card.md").read_text()
    assert (tmp_path / "run" / "calibration.png").is_file()
