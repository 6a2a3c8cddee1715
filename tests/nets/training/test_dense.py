"""Training on targets at every point: losses and figures beside NumPy, learning, resuming, and what is refused."""

import os
import signal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets import Recipe, TrainingInterrupted, VMgNet
from nets.common import checked_file
from nets.data import DenseDataset
from nets.models.checkpoint import FILE, read
from nets.runs import directory
from nets.training.dense_evaluation import DenseEvaluation
from nets.training.dense_losses import relative_h1, relative_l2
from nets.training.objective import Segmentation, objective_for
from tests.nets.dense_data import NAME, denoising, save, segmentation, waves
from tests.nets.interrupted import during, loop
from tests.nets.training.test_training import TIMES, blobs

EPS = torch.finfo(torch.float64).eps


def norms(values):
    """The squared L2 norm of one sample (d, n, ...), and that of its difference quotients on axes of extent 1."""
    quotients = [np.diff(values, axis=a) * values.shape[a] for a in range(1, values.ndim)]
    return (values**2).sum(), sum((q**2).sum() for q in quotients)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(2, 5), st.integers(0, 2**32))
def test_relative_errors(dims, channels, n, seed):
    generator = torch.Generator().manual_seed(seed)
    p, t = torch.randn(2, 3, channels, *(n + i for i in range(dims)), generator=generator, dtype=torch.float64)
    parts = [[norms(v) for v in (a - b, b)] for a, b in zip(p.numpy(), t.numpy(), strict=True)]
    l2 = [(e[0] / b[0]) ** 0.5 for e, b in parts]
    h1 = [(sum(e) / sum(b)) ** 0.5 for e, b in parts]
    tolerance = 4 * EPS * (dims + 1) * p[0].numel()  # sums of squares, (dims + 1) numel of them
    assert relative_l2(p, t).tolist() == pytest.approx(l2, rel=tolerance)
    assert relative_h1(p, t).tolist() == pytest.approx(h1, rel=tolerance)
    evaluation = DenseEvaluation(p, t)
    assert evaluation.figures == pytest.approx({"relative_l2": np.mean(l2), "relative_h1": np.mean(h1)}, rel=tolerance)


@given(st.integers(2, 5), st.integers(0, 2**32))
def test_figures_of_a_segmentation(classes, seed):
    generator = torch.Generator().manual_seed(seed)
    found, truth = torch.randint(classes, (2, 3, 4, 3), generator=generator)
    evaluation = DenseEvaluation(found, truth, tuple(map(str, range(classes))))
    a, b = found.numpy(), truth.numpy()
    assert evaluation.pixel_accuracy == (a == b).mean()
    shares = []
    for k in range(classes):
        either = ((a == k) | (b == k)).sum()
        shares.append(((a == k) & (b == k)).sum() / either if either else None)
    assert evaluation.iou == shares
    known = [share for share in shares if share is not None]
    assert evaluation.mean_iou == sum(known) / len(known)
    objective = Segmentation(classes)
    two = [DenseEvaluation(found[i], truth[i], evaluation.class_names) for i in (slice(1), slice(1, 3))]
    totals = sum(objective.totals(part) for part in two)  # as two processes add them
    assert objective.figures_of(totals.tolist()) == evaluation.figures


def test_losses_are_in_units_of_the_targets():
    data = denoising(dims=1)
    scores = torch.randn(4, 1, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    targets = data.train_targets[:4]
    p, t = scores * data.target_std[0] + data.target_mean[0], targets.double()
    standard = ((t - data.target_mean[0]) / data.target_std[0] - scores).square().mean((1, 2)).sum()
    for loss, value in (
        ("auto", relative_l2(p, t).sum()),
        ("relative L2", relative_l2(p, t).sum()),
        ("H1", relative_h1(p, t).sum()),
        ("mse", standard),
    ):
        found = objective_for(data, Recipe(loss=loss)).loss(scores, targets)
        assert float(found) == pytest.approx(float(value), rel=100 * EPS)
    assert objective_for(data, Recipe()).score(scores, targets) == pytest.approx(float(relative_l2(p, t).sum()))


@pytest.mark.parametrize("power", [-110, 110])
@pytest.mark.parametrize("loss", ["relative L2", "H1"])
def test_relative_losses_of_any_unit(loss, power):
    """Their squares are out of float32's range, and a power of two changes no bit."""
    targets = denoising(dims=1).train_targets
    scores = torch.randn(targets.shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found = []
    for unit in (1.0, 2.0**power):
        data = DenseDataset("waves", targets, unit * targets, targets, unit * targets)
        objective = objective_for(data, Recipe(loss=loss))
        value = objective.loss(scores, data.train_targets)
        found += [value, *torch.autograd.grad(value, scores), objective.score(scores, data.train_targets)]
    assert all(torch.equal(a, b) for a, b in zip(found[:3], found[3:], strict=True))


def test_a_perfect_prediction_has_a_gradient():
    t = torch.rand(2, 1, 5, 5, requires_grad=True)
    (relative_l2(t, t.detach()) + relative_h1(t, t.detach())).sum().backward()
    assert torch.equal(t.grad, torch.zeros_like(t))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_noise_is_taken_away(dims):
    """The network is better than the noisy waves themselves, and than their mean, which err by 3 / |t| alike."""
    data = denoising(dims=dims, n=8 if dims == 3 else 16)
    result = nets.train(NAME, data, epochs=12, batch=9, learning_rate=0.02, progress=False)
    losses = [row["loss"] for row in result.history]
    assert losses[-1] < losses[0]
    mean = torch.full_like(data.test_targets, data.target_mean[0])
    for other in (data.test_inputs, mean):
        assert result.error < DenseEvaluation(other, data.test_targets).relative_l2
    assert result.history[-1]["test_relative_l2"] == result.evaluation.relative_l2 == result.error
    assert result.history[-1]["test_relative_h1"] == result.evaluation.relative_h1
    assert torch.equal(nets.predict(result.model, data.test_inputs), result.evaluation.predictions)
    array = nets.predict(result.model, data.test_inputs.numpy())
    assert np.array_equal(array, result.evaluation.predictions.numpy())
    clean, noisy = (5 + 3 * part for part in waves(2, dims, 12))  # another grid
    again = nets.evaluate(result.model, (noisy, clean))
    assert torch.equal(again.predictions, nets.predict(result.model, noisy))
    with pytest.raises(AttributeError, match="a regression has no such figure"):
        _ = result.accuracy


def test_signs_are_told():
    data = segmentation()
    result = nets.train(NAME, data, epochs=12, batch=9, learning_rate=0.02, progress=False)
    losses = [row["loss"] for row in result.history]
    assert losses[-1] < losses[0]
    share = float(data.test_targets.double().mean())
    assert result.accuracy > max(share, 1 - share)
    assert result.accuracy > float(((data.test_inputs[:, 0] > 0) == data.test_targets).double().mean())
    last = result.history[-1]
    assert (last["test_pixel_accuracy"], last["test_mean_iou"]) == (result.accuracy, result.evaluation.mean_iou)
    assert nets.predict(result.model, data.test_inputs).shape == data.test_targets.shape


@pytest.fixture
def no_pictures(monkeypatch):
    """Drawing takes longer than these trainings."""
    for name in ("draw_history", "draw_predictions"):
        monkeypatch.setattr(directory, name, None)


def train(output, make=denoising, **settings):
    settings = {"epochs": 3, "batch": 15, "val_fraction": 0.2, "output": output, "progress": False, **settings}
    return nets.train(NAME, make(n=8), **settings)


def tensors(value):
    """All tensors in plain values, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [tensor for part in parts for tensor in tensors(part)]


def assert_same(a, b):
    a, b = read(a), read(b)
    rows = ([{k: v for k, v in row.items() if k not in TIMES} for row in record["history"]] for record in (a, b))
    assert next(rows) == next(rows)
    for key in ("weights", "averaged", "optimizer"):
        pairs = zip(tensors(a[key]), tensors(b[key]), strict=True)
        assert all(torch.equal(x, y) for x, y in pairs), key


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (denoising, {"loss": "H1", "averaging": 0.9, "grad_accum": 3}),
        (denoising, {"optimizer": "sgd", "loss": "mse", "precision": "bf16", "channels_last": True}),
        (segmentation, {"clip_grad": 1.0}),
    ],
)
def test_resumes_to_the_same_bits(tmp_path, make, settings, monkeypatch, no_pictures):
    """In the middle of an epoch of three steps; the history and the validation part too."""
    step = loop._step
    whole = train(tmp_path / "whole", make, **settings)
    during(monkeypatch, 5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(TrainingInterrupted, match="after step 5 of"):
        train(tmp_path / "run", make, **settings)
    monkeypatch.setattr(loop, "_step", step)
    resumed = train(tmp_path / "run", make, resume=True, **settings)
    assert_same(tmp_path / "whole", tmp_path / "run")
    assert whole.evaluation.figures == resumed.evaluation.figures
    if "precision" in settings:  # the run evaluates in bfloat16 too
        return
    loaded = nets.load(tmp_path / "run")
    assert torch.equal(nets.predict(loaded, make(n=8).test_inputs), whole.evaluation.predictions)
    assert nets.evaluate(loaded, make(n=8)).figures == whole.evaluation.figures


def test_runs_of_before_the_losses_are_resumed(tmp_path, no_pictures):
    """Their recipes say neither loss nor optimizer."""
    settings = {"recipe": Recipe(epochs=2, batch=16), "output": tmp_path, "progress": False}
    nets.train("MgNet[1]-[4]-B^l", blobs(), **settings)
    content = read(tmp_path)
    for name in ("loss", "optimizer"):
        del content["recipe"][name]
    checked_file.write(tmp_path / FILE, content)
    again = nets.train("MgNet[1]-[4]-B^l", blobs(), resume=True, **settings)
    assert again.accuracy == content["history"][-1]["test_accuracy"]


def test_what_a_run_leaves(tmp_path):
    train(tmp_path, segmentation)
    header = (tmp_path / "history.csv").read_text().splitlines()[0].split(",")
    assert header[2:6] == ["loss", "pixel_accuracy", "validation_pixel_accuracy", "validation_mean_iou"]
    card = (tmp_path / "model_card.md").read_text()
    assert "A network that tells the class of every point" in card
    assert "Lowest IoU by class: " in card
    assert {"predictions.png", "learning_curve.png"} <= set(os.listdir(tmp_path))


def test_adamw_is_that_of_torch():
    """Of one weight that decays and one that does not, since it has one axis."""
    from nets.training.optimizer import create_optimizer

    model = torch.nn.Linear(3, 2)
    copy = [weight.detach().clone().requires_grad_() for weight in model.parameters()]
    recipe = Recipe(optimizer="adamw", momentum=0.8, weight_decay=0.1, learning_rate=0.01)
    groups = [{"params": copy[:1], "weight_decay": 0.1}, {"params": copy[1:], "weight_decay": 0.0}]
    ours, theirs = create_optimizer(model, recipe), torch.optim.AdamW(groups, lr=0.01, betas=(0.8, 0.999), foreach=True)
    for _ in range(3):
        for a, b in zip(model.parameters(), copy, strict=True):
            a.grad, b.grad = a.detach() ** 2, b.detach() ** 2
        ours.step()
        theirs.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), copy, strict=True))
    with pytest.raises(ValueError, match="momentum_form must be 'torch' for the optimizer 'adamw'"):
        Recipe(optimizer="adamw", momentum_form="S19")


def zeros(part):
    """Waves, one target of which is zero everywhere."""
    data = denoising()
    values = {"train": data.train_targets, "test": data.test_targets}
    values[part] = values[part].index_fill(0, torch.tensor([2]), 0)
    return DenseDataset("zeros", data.train_inputs, values["train"], data.test_inputs, values["test"])


class Half(VMgNet):
    """Predicts at every second point along the last axis."""

    def forward(self, x):
        return super().forward(x)[..., ::2]


def test_a_prediction_has_the_points_of_its_target():
    model = Half(nets.create_model(NAME, in_channels=1, num_classes=1).config)
    with pytest.raises(ValueError, match=r"at all points of the targets, \(16, 16\); V-MgNet.* gives \(16, 8\)"):
        nets.train(model, denoising(), epochs=1, progress=False)


@pytest.mark.parametrize(
    ("model", "make", "settings", "words"),
    [
        ("MgNet[1]-[4]-B^l", denoising, {}, r"at every point, as data 'waves' .*V-MgNet.*; got MgNet.*classifies"),
        (NAME, blobs, {}, "must classify images; got V-MgNet"),
        (NAME, denoising, {"loss": "cross-entropy"}, "loss must be 'auto' or 'relative L2' or 'H1' or 'mse', as"),
        (NAME, segmentation, {"loss": "mse"}, "loss must be 'auto' or 'cross-entropy', as the targets of data 'signs'"),
        (NAME, denoising, {"loss": "l2"}, "loss must be 'auto' or 'cross-entropy'.* got 'l2'"),
        (NAME, denoising, {"optimizer": "adam"}, "optimizer must be 'sgd' or 'adamw'; got 'adam'"),
        (
            NAME,
            denoising,
            {"flip": "random", "cutout": 2},
            "flip, cutout must change nothing: data 'waves' has a target",
        ),
        (NAME, lambda: denoising(dims=1), {"channels_last": True}, "channels_last is for 2-dimensional images"),
        (NAME, lambda: zeros("train"), {}, "train_targets must not be zero everywhere.*sample 2 is, and 1 in all"),
        (NAME, lambda: zeros("test"), {"loss": "H1"}, "test_targets must not be zero everywhere"),
        (f"{NAME}, num_classes=2", denoising, {}, "has num_classes=2, and data 'waves' needs 1"),
        (NAME, denoising, {"val_fraction": 0.001}, "val_fraction must hold out"),
        (NAME, denoising, {"whitening": True}, "whitening is for classifiers of images"),
    ],
)
def test_what_does_not_fit(model, make, settings, words):
    with pytest.raises(ValueError, match=words):
        nets.train(model, make(), epochs=1, progress=False, **settings)


def test_zero_targets_have_a_mean_squared_error():
    result = nets.train(NAME, zeros("test"), epochs=1, loss="mse", progress=False)
    assert result.error == float("inf")  # and no number that looks right
    assert np.isfinite(result.history[0]["loss"])


def test_predictions_and_targets_are_alike():
    values = np.ones((2, 1, 3))
    assert DenseEvaluation(values, 2 * values).relative_l2 == 0.5
    for arguments, words in (
        ((values, values[:, 0]), r"predictions must have the shape of targets, \(2, 3\); got \(2, 1, 3\)"),
        ((values[:0], values[:0]), "must have the shape"),
        ((values.astype(int), values.astype(int)), "class_names must name the classes"),
        ((values.astype(int), values.astype(int), ("a",)), r"predictions must lie in 0 \.\.\. 0; got 1 \.\.\. 1"),
    ):
        with pytest.raises(ValueError, match=words):
            DenseEvaluation(*arguments)


def test_a_path_is_data(tmp_path):
    path = save(tmp_path / "waves.npz", denoising(n=8))
    assert nets.train(NAME, path, epochs=1, limit_batches=1, progress=False).evaluation.count == 15


def test_evaluations_that_do_not_fit():
    model = nets.create_model(NAME, in_channels=1, num_classes=1)
    data = denoising()
    with pytest.raises(ValueError, match="model must know its units to evaluate a pair"):
        nets.evaluate(model, (data.test_inputs, data.test_targets))
    model.transform = nets.data.DenseTransform.of(data)
    with pytest.raises(ValueError, match="flip must be False"):
        nets.evaluate(model, data, flip=True)
    with pytest.raises(ValueError, match="data 'signs' must have the targets of 'waves': floats, for"):
        nets.evaluate(model, segmentation())
    for outputs in (2, 1):  # of three classes
        other = nets.create_model(NAME, in_channels=1, num_classes=outputs)
        with pytest.raises(ValueError, match=rf"must give 3 values at a point.*; it gives \(15, {outputs}, 16, 16\)"):
            nets.evaluate(other, segmentation(class_names=("-", "+", "?")))
    for pair, words in (
        ((data.test_inputs / 0, data.test_targets), "inputs must be finite; sample 0 is not"),
        ((data.test_inputs, data.test_targets / 0), "targets of data must be finite; sample 0 is not"),
    ):
        with pytest.raises(ValueError, match=words):
            nets.evaluate(model, pair)
    half = data.test_inputs.half()
    assert torch.equal(nets.predict(model, half), nets.predict(model, half.float()))
    with pytest.raises(ValueError, match=r"targets of data must be floats, as in 'waves'; got torch\.int64"):
        nets.evaluate(model, (data.test_inputs, data.test_targets.long()))
    with pytest.raises(TypeError, match=r"paths must be inputs \(N, 1, n, ...\), a torch.Tensor or an array"):
        nets.predict(model, "picture.png")
    with pytest.raises(ValueError, match=r"raw must hold images \(N, 1, ...\), as the data 'waves' of the network"):
        nets.predict(model, np.zeros((2, 3, 8, 8)))
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match="model gives values that are not finite, first for sample 0"):
        nets.predict(model, data.test_inputs)
