"""A step and its batch: parts, clipping, precision, compilation, whitening, validation, reading of losses."""

import copy
import json
import sys
import warnings
from dataclasses import replace

import pytest
import torch
from torch.nn import functional
from torch.optim.swa_utils import update_bn

import nets
from nets import Recipe, TrainingError
from nets.data import validation_split
from nets.training.distributed import Ranks
from nets.training.metrics import NotFiniteError, Sums, Tally
from nets.training.state import Training
from nets.training.step import gradient, update
from nets.training.whitening import EPSILON, whiten
from tests.nets.training.test_training import NAME, RECIPE, blobs, stop_after

EPS = torch.finfo(torch.float64).eps
PLAIN = Recipe(label_smoothing=0.0)


def model_and_images(batch_norm=False, count=12):
    torch.manual_seed(1)
    model = nets.create_model("MgNet[1,1]-[4]-B^l", in_channels=1, num_classes=3, batch_norm=batch_norm).double()
    return model.train(), torch.randn(count, 1, 6, 6, dtype=torch.float64), torch.arange(count) % 3


def gradients(model):
    found = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return found


@pytest.mark.parametrize(("parts", "smoothing"), [(1, 0.0), (3, 0.3), (5, 0.1)])
def test_parts_of_a_batch_have_the_gradient_of_the_whole(parts, smoothing):
    model, images, labels = model_and_images()
    functional.cross_entropy(model(images), labels, label_smoothing=smoothing).backward()
    whole = gradients(model)
    pieces = list(zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True))
    loss, hits = gradient(model, pieces, 12, Recipe(label_smoothing=smoothing))
    for ours, theirs in zip(gradients(model), whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e3 * EPS)
    scores = model(images)
    mean = functional.cross_entropy(scores, labels, label_smoothing=smoothing).item()
    assert float(loss) == pytest.approx(12 * mean, rel=1e-13)
    assert int(hits) == int((scores.argmax(1) == labels).sum())


@pytest.mark.parametrize("largest", [0.0, 1e-3, 1e3])
def test_clipping(largest):
    weight = torch.nn.Parameter(torch.zeros(3, 3))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    weight.grad = torch.ones(3, 3)
    update(optimizer, 0.5, replace(PLAIN, clip_grad=largest))
    length = 3.0 if largest in (0.0, 1e3) else largest
    assert float(weight.detach().norm()) == pytest.approx(0.5 * length, rel=1e-5)
    assert weight.grad is None


def test_reads_see_every_step_once():
    """With the window that GPUs have, the sums are those of reading every step."""
    losses = torch.rand(47, dtype=torch.float64) * 10
    sums = []
    for every in (1, 20):
        tally = Tally(Sums(), Ranks(), torch.device("cpu"), every)
        for number, loss in enumerate(losses, 1):
            tally.add(loss, torch.tensor(number % 4), 8, stop=number == 30)
            known = tally.read(at_once=number == 47)
            assert known == (every == 1 or number in (20, 40, 47))
            assert tally.stop == (number == 30 if every == 1 else number in range(40, 47))
        sums.append(tally.sums)
    assert (sums[0].steps, sums[0].images, sums[0].correct) == (sums[1].steps, sums[1].images, sums[1].correct)
    assert sums[0].steps == 47
    assert sums[0].loss == pytest.approx(sums[1].loss, rel=1e-14)


def test_a_late_read_names_the_step():
    tally = Tally(Sums(steps=100), Ranks(), torch.device("cpu"), 20)
    for number in range(7):
        tally.add(torch.tensor(float("inf") if number == 4 else 1.0), torch.tensor(0), 8)
    with pytest.raises(NotFiniteError) as caught:
        tally.read(at_once=True)
    assert caught.value.step == 105


def test_a_loss_that_is_seen_late_writes_no_checkpoint(tmp_path, monkeypatch):
    """As on a GPU: some steps go on with weights that are not finite, and none of them is kept."""
    loop = sys.modules["nets.training.loop"]
    tally, step = loop.Tally, loop._step
    monkeypatch.setattr(loop, "Tally", lambda sums, ranks, device, every: tally(sums, ranks, device, 20))
    monkeypatch.setattr(loop, "_step", lambda run, *rest: (float("nan"), 0) if run.step == 5 else step(run, *rest))
    with pytest.raises(TrainingError, match=r"step 6 \(epoch 2\); the last checkpoint is .* \(epoch 1, step 4\)"):
        nets.train(NAME, blobs(), recipe=RECIPE, output=tmp_path, progress=False)
    assert json.loads((tmp_path / "record.json").read_text())["status"] == "diverged"


@pytest.mark.parametrize("settings", [{"precision": "bf16"}, {"channels_last": True}, {"drop_last": True, "cutout": 2}])
def test_other_ways_to_compute_learn_as_well(settings):
    plain, other = (
        nets.train(NAME, blobs(), recipe=replace(RECIPE, **more), progress=False).history for more in ({}, settings)
    )
    assert other[-1]["loss"] < plain[0]["loss"]
    assert abs(other[-1]["loss"] - plain[-1]["loss"]) < 0.3


@pytest.mark.parametrize("bf16", [True, False])
@pytest.mark.parametrize("last", [True, False])
def test_precision_and_layout_are_those_of_the_recipe(bf16, last):
    model = nets.create_model("MgNet[1,1]-[4]-B^l", in_channels=2, num_classes=3)
    seen = []
    model.register_forward_hook(lambda _, inputs, scores: seen.append((scores.dtype, inputs[0].stride())))
    recipe = Recipe(precision="bf16" if bf16 else "float32", channels_last=last)
    loss, _ = gradient(model, [(torch.randn(6, 2, 5, 5), torch.arange(6) % 3)], 6, recipe)
    assert seen == [(torch.bfloat16 if bf16 else torch.float32, (50, 1, 10, 2) if last else (50, 25, 5, 1))]
    assert {loss.dtype, *(g.dtype for g in gradients(model))} == {torch.float32}


@pytest.mark.slow
def test_compiled_steps():
    recipe = replace(RECIPE, compile=True, drop_last=True, precision="bf16", epochs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's compiler
        compiled = nets.train(NAME, blobs(), recipe=recipe, progress=False)
    eager = nets.train(NAME, blobs(), recipe=replace(recipe, compile=False), progress=False)
    for a, b in zip(compiled.history, eager.history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=0.05)


def test_whitened_patches_are_white():
    torch.manual_seed(2)
    model = nets.create_model("MgNet[1]-[30]-B^l", in_channels=1)
    images = torch.randn(400, 1, 8, 8) @ torch.randn(8, 8)
    whiten(model, images)
    conv = model.stem.conv
    assert not conv.weight.requires_grad
    patches = functional.unfold(images, 3).transpose(0, 1).flatten(1).double()
    rows = conv.weight.flatten(1).double()
    outputs = rows @ torch.cov(patches) @ rows.T
    values = torch.linalg.eigvalsh(torch.cov(patches)).flip(0)
    expected = values / (values + EPSILON)
    torch.testing.assert_close(outputs.diagonal()[0:18:2], expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(rows[1:18:2], -rows[0:18:2])
    assert (outputs[0:18:2, 0:18:2] - outputs[0:18:2, 0:18:2].diag().diag()).abs().max() < 1e-4
    assert float((outputs.diagonal() - 1).abs().max()) < 1.001  # random directions: at most 1


def test_whitening_and_averaging_with_new_statistics():
    recipe = replace(RECIPE, whitening=True, averaging=0.8, norm_batches=3)
    result = nets.train(NAME, blobs(), recipe=recipe, progress=False)
    assert all(weight.requires_grad for weight in result.model.parameters())
    assert result.history[-1]["test_accuracy"] == result.accuracy
    run = Training.start(nets.create_model(NAME, num_classes=3, in_channels=1), blobs(), recipe, 0, Ranks())
    fresh = run.model.stem.conv.weight
    torch.testing.assert_close(result.model.stem.conv.weight, fresh)  # frozen: as it was before the first step
    run.epoch = recipe.epochs - 1
    expected = copy.deepcopy(result.model)
    for buffer in expected.buffers():
        buffer.zero_()
    update_bn((images for images, _ in run.parts(run.batches()[:3])), expected)
    for ours, theirs in zip(result.model.buffers(), expected.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("averaging", [0.1, 0.25, 0.9999])
def test_averaged_weights_follow_their_recursion(averaging, monkeypatch):
    """The decay warms up: min(averaging, (1 + t) / (10 + t)) after t steps."""
    loop = sys.modules["nets.training.loop"]
    model, seen, change = nets.create_model(NAME, num_classes=3, in_channels=1), [], loop.update

    def recorded(*arguments):
        change(*arguments)
        seen.append({name: w.detach().clone() for name, w in model.named_parameters()})

    monkeypatch.setattr(loop, "update", recorded)
    result = nets.train(model, blobs(), recipe=replace(RECIPE, epochs=2, averaging=averaging), progress=False)
    expected = seen[0]
    for t, weights in enumerate(seen[1:], 1):
        d = min(averaging, (1 + t) / (10 + t))
        expected = {name: d * average + (1 - d) * weights[name] for name, average in expected.items()}
    assert len(seen) == 8
    for name, weight in result.model.named_parameters():
        # two products and a sum a step, of numbers no larger than the largest weight on the way
        largest = max(float(weights[name].abs().max()) for weights in seen)
        bound = 4 * len(seen) * torch.finfo(torch.float32).eps * largest
        torch.testing.assert_close(weight.detach(), expected[name], rtol=0, atol=bound)


@pytest.mark.parametrize("fraction", [0.72, 0.9])
def test_a_batch_is_at_most_what_a_validation_split_leaves(fraction):
    data = blobs(81)  # 21, 20 and 20 images: 0.72 of each, rounded, is 43 in all, and of 61 it is 44
    left = len(validation_split(data, fraction, 0).train_labels)
    settings = {"recipe": replace(RECIPE, epochs=1, limit_batches=1, val_fraction=fraction), "progress": False}
    nets.train(NAME, data, batch=left, **settings)
    words = f"batch must be at most {left}, the 61 training images, less the {61 - left} that val_fraction {fraction}"
    with pytest.raises(ValueError, match=words):
        nets.train(NAME, data, batch=left + 1, **settings)


def test_validation_split():
    data = blobs(200)
    part = validation_split(data, 0.25, 3)
    assert len(part.train_labels) + len(part.test_labels) == 180
    assert torch.bincount(part.test_labels).tolist() == [15, 15, 15]
    both = torch.cat([part.train_images, part.test_images]).flatten(1)
    assert torch.equal(both.unique(dim=0), data.train_images.flatten(1).unique(dim=0))
    assert torch.equal(validation_split(data, 0.25, 3).test_images, part.test_images)
    assert not torch.equal(validation_split(data, 0.25, 4).test_images, part.test_images)
    with pytest.raises(
        ValueError, match=r"val_fraction must hold out an image of 180 and leave one; 0\.001 holds out 0"
    ):
        validation_split(data, 0.001, 3)
    with pytest.raises(ValueError, match=r"val_fraction must .* leave one; 0\.999 holds out 180"):
        nets.train(NAME, data, recipe=RECIPE, val_fraction=0.999)


@pytest.mark.parametrize(
    ("settings", "validated", "tested"),
    [
        ({}, [], [3]),
        ({"test_every": 2}, [], [2, 3]),
        ({"val_fraction": 0.25}, [1, 2, 3], [3]),
        ({"val_fraction": 0.25, "evaluate_every": 2}, [2, 3], [3]),
        ({"val_fraction": 0.25, "evaluate_every": 3, "test_every": 1}, [3], [1, 2, 3]),
    ],
)
def test_the_test_part_is_seen_where_it_is_asked_for(settings, validated, tested, monkeypatch):
    loop = sys.modules["nets.training.loop"]
    seen, evaluate = [], loop.evaluate
    monkeypatch.setattr(loop, "evaluate", lambda model, data: seen.append(data) or evaluate(model, data))
    data = blobs(200)
    result = nets.train(NAME, data, recipe=RECIPE, progress=False, **settings)
    assert sum(part is data for part in seen) == len(tested)
    assert len(seen) == len(tested) + len(validated) + bool(validated)
    for part, epochs in (("validation", validated), ("test", tested)):
        rows = [row["epoch"] for row in result.history if row.get(f"{part}_accuracy") is not None]
        assert rows == epochs
    assert result.accuracy == result.history[-1]["test_accuracy"]
    assert ("validation_accuracy" in result.history[0]) == bool(validated)
    if validated:
        assert result.validation.accuracy == result.history[-1]["validation_accuracy"]


def test_starting_from_weights(tmp_path):
    first = nets.train(NAME, blobs(), recipe=RECIPE, output=tmp_path / "first", progress=False)
    settings = {"recipe": replace(RECIPE, epochs=1, learning_rate=1e-12, averaging=0.0), "progress": False}
    again = nets.train(NAME, blobs(), init_from=tmp_path / "first", **settings)
    torch.testing.assert_close(again.model.head.weight, first.model.head.weight, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"evaluate_every": 0}, ValueError, "evaluate_every must be an integer >= 1"),
        ({"evaluate_every": 2}, ValueError, "evaluate_every must be 1 where val_fraction is 0, .*; got 2: test_every"),
        ({"test_every": -1}, ValueError, "test_every must be an integer >= 0; got -1"),
        ({"on_epoch": 3}, TypeError, "on_epoch must be a function of a row and a network, or None; got int"),
        ({"stop_after": 3}, TypeError, "stop_after must be a time > 0 such as '50m', .*; got 3"),
        ({"stop_after": "0 s"}, ValueError, "stop_after must be a time > 0 such as '50m', .*; got '0 s'"),
        ({"stop_after": "50 d"}, ValueError, "stop_after must be"),
        ({"patience": 3}, ValueError, "patience must be 0 where val_fraction is 0; got 3"),
        ({"patience": 1.0, "val_fraction": 0.2}, TypeError, "patience must be an integer >= 0; got 1.0"),
        ({"keep": "best"}, ValueError, "keep must be 'last' where val_fraction is 0; got 'best'"),
        ({"keep": "first", "val_fraction": 0.2}, ValueError, "keep must be 'last' or 'best'; got 'first'"),
        ({"tensorboard": True}, ValueError, "tensorboard needs output"),
        ({"whitening": True, "initialization": 3}, ValueError, "initialization must be"),
        ({"init_from": "nowhere.pt", "batch": 16}, ValueError, "there is no file nowhere.pt"),
        ({"grad_accum": 16, "batch": 15}, ValueError, "grad_accum must divide batch"),
    ],
)
def test_bad_arguments(settings, error, words):
    with pytest.raises(error, match=words):
        nets.train(NAME, blobs(), progress=False, **settings)


def test_missing_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["nets.runs.tensorboard"], "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'mgnet-multigrid\[tensorboard\]'"):
        nets.train(NAME, blobs(), tensorboard=True, output=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_tensorboard_reads_the_history_of_a_resumed_run(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = {"recipe": RECIPE, "tensorboard": True, "output": tmp_path, "progress": False, "val_fraction": 0.2}
    stop_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        nets.train(NAME, blobs(), **settings)
    monkeypatch.undo()
    history = nets.train(NAME, blobs(), **settings, resume=True).history
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) == set(history[0]) - {"epoch"}
    for tag, epochs in (("loss", 3), ("accuracy", 3), ("validation_accuracy", 3), ("test_accuracy", 1)):
        rows = history[-epochs:]
        assert [event.step for event in events.Scalars(tag)] == [row["epoch"] for row in rows]
        # events hold float32
        assert [event.value for event in events.Scalars(tag)] == pytest.approx([row[tag] for row in rows], rel=1e-7)


def test_torch_s_initialization_is_another_and_seeded():
    fit = sys.modules["nets.training.checks"]
    weights = [fit.network_for(NAME, blobs(), 5, kind).stem.conv.weight for kind in ("kaiming", "default", "default")]
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[0], weights[1])
    assert float(weights[1].detach().abs().max()) <= 1 / 3  # uniform in +- 1 / sqrt(fan in)
