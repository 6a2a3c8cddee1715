"""Runs that leave parts of a network as they are, or train its body more slowly than its head."""

import json
import sys

import pytest
import torch
from torch import nn

import nets
from nets import CheckpointError, Recipe
from nets.__main__ import main
from nets.models import checkpoint as checkpoints
from nets.models.checkpoint import read
from nets.runs import records
from nets.runs.model_card import model_card
from nets.training.optimizer import create_optimizer
from nets.training.step import update
from tests.nets.training.test_training import NAME, RECIPE, blobs, stop_after, train

SETTINGS = {"recipe": RECIPE, "epochs": 2, "progress": False}


def network(dropout=None):
    """A network; `dropout` puts modules into its stem whose results depend on the mode."""
    torch.manual_seed(3)
    model = nets.create_model(NAME, num_classes=3, in_channels=1)
    if dropout is not None:
        model.stem.add_module("plain", nn.BatchNorm2d(4, affine=False))
        model.stem.add_module("dropout", nn.Dropout(dropout))
    return model


def assert_equal(a, b, names=None):
    a, b = a.state_dict(), b.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in names or a)


@pytest.mark.parametrize("parts", ["stem", ["level 2", "A.*"], "all but head"])
def test_freeze_is_requires_grad_for_one_run(parts):
    by_hand, by_name = network(), network()
    names = nets.freeze(by_hand, parts)
    nets.train(by_hand, blobs(), **SETTINGS)
    result = nets.train(by_name, blobs(), freeze=parts, **SETTINGS)
    assert_equal(by_hand, by_name)
    assert_equal(network(), by_name, names)
    assert result.model is by_name
    assert all(weight.requires_grad for weight in by_name.parameters())
    assert [name for name, weight in by_hand.named_parameters() if not weight.requires_grad] == names
    moved = [
        n for n, w in by_name.named_parameters() if n not in names and not torch.equal(w, network().state_dict()[n])
    ]
    assert moved


def test_dropout_and_plain_batch_norms_of_a_frozen_part_stay(monkeypatch):
    """A run with them ends with the weights of a run without them, as they are the identity in evaluation mode."""
    loop, seen, update = sys.modules["nets.training.loop"], set(), sys.modules["nets.training.loop"].update
    models = {}

    def followed(*arguments):
        seen.add(tuple(module.training for module in models["now"].stem.modules()))
        update(*arguments)

    monkeypatch.setattr(loop, "update", followed)
    for freeze in ("stem", ""):
        for dropout in (0.0, 0.5):
            models["now"] = models[freeze, dropout] = network(dropout)
            nets.train(models["now"], blobs(), freeze=freeze, **SETTINGS)
        assert seen == {(not freeze,) * 5}
        seen.clear()
    assert_equal(models["stem", 0.0], models["stem", 0.5])
    assert_equal(models["stem", 0.5].stem, network(0.5).stem)
    assert not torch.equal(models["", 0.0].head.weight, models["", 0.5].head.weight)


def test_what_a_run_froze_is_kept(tmp_path, capsys):
    result = train(tmp_path, epochs=1, freeze=["all but  head"], progress=True)
    names = nets.freeze(network(), "all but head")
    total = len(list(network().parameters()))
    assert f"\n{total - 2} of {total} parameters frozen\n" in capsys.readouterr().err
    record = json.loads((tmp_path / "record.json").read_text())
    assert read(tmp_path)["frozen"] == record["frozen"] == names
    assert record["recipe"]["freeze"] == record["overrides"]["freeze"] == "all but head"
    card = (tmp_path / "model_card.md").read_text()
    assert f"| frozen parameters | {total - 2}, freeze = all but head |" in card
    assert "| freeze | all but head |" in card
    record["recipe"]["freeze"] = ""
    assert f"| frozen parameters | {total - 2}, from stem.conv.weight to {names[-1]} |" in model_card(record)
    words = records.read(tmp_path / "record.json").recipe
    assert words.endswith(f", epochs=1, freeze=all but head, {total - 2} parameters frozen")
    assert all(weight.requires_grad for weight in result.model.parameters())
    assert all(weight.requires_grad for weight in nets.load(tmp_path).parameters())


def test_it_goes_on_with_the_same_bits_and_with_nothing_else(tmp_path, monkeypatch):
    settings = {"freeze": "stem, level 1", "body_rate": 0.25, "clip_grad": 1.0}
    whole = train(tmp_path / "whole", **settings)
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", **settings)
    monkeypatch.undo()
    for changes, words in (
        ({"freeze": "stem"}, "output holds a run with another recipe: freeze is 'stem, level 1' there, 'stem' here"),
        ({"body_rate": 1}, "output holds a run with another recipe: body_rate is 0.25 there, 1 here"),
    ):
        with pytest.raises(CheckpointError, match=words):
            train(tmp_path / "run", resume=True, **{**settings, **changes})
    resumed = train(tmp_path / "run", resume=True, **{**settings, "freeze": ("stem", "level  1")})
    assert_equal(whole.model, resumed.model)


def test_a_run_from_before_these_settings_goes_on(tmp_path, monkeypatch):
    whole = train()
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path)
    monkeypatch.undo()
    content = read(tmp_path)
    assert [group.keys() & {"rate_factor"} for group in content["optimizer"]["param_groups"]] == [set(), set()]
    del content["recipe"]["freeze"], content["recipe"]["body_rate"]
    checkpoints.save(tmp_path, content)
    assert_equal(whole.model, train(tmp_path, resume=True).model)


EPS = torch.finfo(torch.float64).eps
FORMS = [{}, {"momentum_form": "S19"}, {"nesterov": False, "momentum": 0.0}, {"optimizer": "adamw"}]


@pytest.mark.parametrize("clip", [0.0, 0.5])
@pytest.mark.parametrize("form", FORMS)
def test_the_body_has_the_weights_of_a_smaller_rate(form, clip):
    """Gradients are given, so that body and head each move as all weights do at their rate; the sum is clipped."""

    def after(body_rate, rates):
        model, random = network().double(), torch.Generator().manual_seed(0)
        recipe = Recipe(body_rate=body_rate, clip_grad=clip, weight_decay=0.1, **form)
        optimizer = create_optimizer(model, recipe)
        for rate in rates:
            for weight in model.parameters():
                weight.grad = torch.randn(weight.shape, dtype=weight.dtype, generator=random)
            update(optimizer, rate, recipe)
        return dict(model.named_parameters())

    rates = (0.1, 0.1, 0.02)
    both, fast, slow = after(0.5, rates), after(1.0, rates), after(1.0, [rate * 0.5 for rate in rates])
    for name, weight in both.items():
        expected, other = (fast, slow) if name.startswith("head.") else (slow, fast)
        # the norm of all gradients is summed in another order
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=100 * EPS if clip else 0.0)
        assert not torch.equal(weight, other[name]), name


@pytest.mark.parametrize("family", ["MgNO[1,1]-[4]", "WideResNet[1,1]-[4,6]", "V-MgNet[1,1]-[4]-B^l"])
def test_the_head_is_the_classifier(family):
    model = nets.create_model(family)
    groups = create_optimizer(model, Recipe(body_rate=0.5)).param_groups
    head = {id(p) for group in groups if group["rate_factor"] == 1 for p in group["params"]}
    assert head == {id(p) for p in model.get_classifier().parameters()}
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"freeze": "*"}, "model must have a weight to train; it has 0 trained parameters, all others are frozen"),
        ({"freeze": "level 3"}, r"freeze must name .*, the levels 1 to 2; got 'level 3'"),
        ({"freeze": ["stemm"]}, r"freeze must name .*; did you mean 'stem'\?"),
        ({"freeze": 3}, "freeze must be names of parts of the network, such as 'stem, level 1'; got 3"),
        ({"freeze": "stem", "whitening": True}, r"whitening sets .* model\.stem\.conv\.weight is frozen"),
        ({"body_rate": 0}, "body_rate must be a number > 0; got 0; freeze='all but head' trains the head alone"),
        ({"body_rate": -0.5}, r"body_rate must be a number > 0; got -0\.5; freeze="),
        ({"body_rate": float("nan")}, "body_rate must be"),
        ({"freeze_layers": "stem"}, "train has no setting 'freeze_layers'; did you mean 'freeze'"),
        ({"backbone_lr": 0.1}, "train has no setting 'backbone_lr'; did you mean 'body_rate'"),
    ],
)
def test_bad_settings(settings, words, tmp_path):
    model = network()
    with pytest.raises((TypeError, ValueError), match=words):
        nets.train(model, blobs(), output=tmp_path / "run", **{**SETTINGS, **settings})
    assert not (tmp_path / "run").exists()
    assert all(weight.requires_grad for weight in model.parameters())


def test_from_the_shell(tmp_path, monkeypatch, capsys):
    given = {}
    monkeypatch.setattr(nets, "train", lambda *args, **settings: given.update(settings) or 1 / 0)
    (tmp_path / "run.toml").write_text('freeze = "stem, level 1"\nbody_rate = 1\n')
    with pytest.raises(ZeroDivisionError):
        main(["train", "--config", str(tmp_path / "run.toml"), "--body-rate", "0.1", "--model", NAME])
    assert (given["freeze"], given["body_rate"]) == ("stem, level 1", 0.1)
    monkeypatch.undo()
    assert main(["train", "--freeze", "steem", "--model", NAME]) == 2
    assert "did you mean 'stem'?" in capsys.readouterr().err
