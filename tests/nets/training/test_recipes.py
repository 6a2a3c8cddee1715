"""Recipes: what they say, what the optimiser and the schedule make of it, and where their settings come from."""

import importlib.util
import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nets
from nets import Recipe
from nets.__main__ import main
from nets.cli.options import recipe_options
from nets.training.optimizer import create_optimizer
from nets.training.plan import batches, share, steps_per_epoch
from nets.training.recipes import FOR_DATA, RECIPES, SOURCES, name_of, recipe_for

ROOT = Path(__file__).parents[3]
EPS = torch.finfo(torch.float64).eps
MODEL = "MgNet[1,1]-[4]-B^l"


def test_every_recipe_has_a_source_and_is_another():
    assert list(RECIPES) == list(SOURCES)
    assert all(name_of(recipe) == name for name, recipe in RECIPES.items())
    assert set(FOR_DATA.values()) <= set(RECIPES)
    assert set(FOR_DATA) <= set(nets.data.DATA)


@pytest.mark.parametrize(
    ("name", "epochs", "batch", "falls", "decay"),
    [
        ("s19-cifar", 120, 128, [30, 60, 90], 0.0),
        ("a19-mnist", 60, 128, [30], 1e-4),
        ("a19-cifar", 120, 128, [30, 60, 90], 1e-4),
        ("a19-imagenet", 120, 256, [40, 80], 1e-4),
        ("a19-imagenet-34", 120, 256, [40, 80], 1e-3),
        ("n23-mnist", 60, 128, [50], 5e-4),
        ("n23-cifar", 150, 128, [30, 60, 90, 120], 5e-4),
        ("n23-imagenet", 150, 256, [30, 60, 90, 120], 1e-4),
        ("code-cifar", 300, 128, [50, 100, 150, 200, 250], 5e-4),
    ],
)
def test_recipes_of_the_papers(name, epochs, batch, falls, decay):
    recipe = RECIPES[name]
    assert (recipe.epochs, recipe.batch, recipe.weight_decay, recipe.momentum) == (epochs, batch, decay, 0.9)
    rates = [recipe.rate(7 * epoch, 7 * epochs) for epoch in range(epochs)]  # seven steps per epoch
    assert rates[0] == recipe.rate(7 * falls[0] - 1, 7 * epochs) == 0.1
    assert [e for e in range(1, epochs) if rates[e] != rates[e - 1]] == falls
    assert rates[-1] == pytest.approx(0.1 / 10 ** len(falls), rel=4 * EPS)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_one_cycle(schedule):
    recipe = Recipe(learning_rate=0.4, schedule=schedule, warmup=0.25)
    rates = [recipe.rate(step, 100) for step in range(100)]
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)
    assert rates[25] == 0.4
    assert 0 < rates[-1] < 0.02 * 0.4
    if schedule == "linear":
        assert rates[62] + rates[63] == pytest.approx(2 * 0.4 * (1 - 37.5 / 75), rel=1e-12)


def quadratic(form, nesterov, rates, decay=0.0):
    """Weights after steps on |w - 1|^2 / 2, float64."""
    weights = torch.nn.Parameter(torch.linspace(-1, 2, 6, dtype=torch.float64).reshape(2, 3))
    holder = torch.nn.ParameterList([weights])
    recipe = Recipe(momentum_form=form, nesterov=nesterov, weight_decay=decay, decay_norms=True)
    optimizer = create_optimizer(holder, recipe)
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        (weights - 1).square().sum().div(2).backward()
        optimizer.step()
    return weights.detach()


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_of_s19_is_torch_s_at_a_constant_rate(nesterov):
    ours, torchs = (quadratic(form, nesterov, [0.05] * 20, decay=0.01) for form in ("S19", "torch"))
    torch.testing.assert_close(ours, torchs, rtol=0, atol=100 * EPS)


def test_momentum_of_s19_by_hand():
    rates = [0.1, 0.1, 0.01, 0.01]
    w, v = torch.linspace(-1, 2, 6, dtype=torch.float64).reshape(2, 3), torch.zeros(2, 3, dtype=torch.float64)
    for rate in rates:
        v = 0.9 * v - rate * (w - 1)  # (9.5)
        w = w + v  # (9.6)
    torch.testing.assert_close(quadratic("S19", False, rates), w, rtol=0, atol=20 * EPS)
    assert (quadratic("torch", False, rates) - w).abs().max() > 0.01  # they differ where the rate changes


@pytest.mark.parametrize("decay_norms", [True, False])
def test_what_decays(decay_norms):
    model = nets.create_model(MODEL, in_channels=1)
    groups = create_optimizer(model, Recipe(decay_norms=decay_norms, weight_decay=0.1)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.1 if decay_norms else 0.0]
    assert {p.ndim for p in groups[1]["params"]} == {1}
    assert sum(p.numel() for group in groups for p in group["params"]) == nets.parameters(model)


@pytest.mark.parametrize("form", ["torch", "S19"])
def test_decay_alone_shrinks_what_decays(form):
    model = nets.create_model(MODEL, in_channels=1)
    recipe = Recipe(momentum_form=form, learning_rate=0.5, weight_decay=0.125, decay_norms=False)
    before = [w.detach().clone() for w in model.parameters()]
    optimizer = create_optimizer(model, recipe)
    for w in model.parameters():
        w.grad = torch.zeros_like(w)
    optimizer.step()
    for w, old in zip(model.parameters(), before, strict=True):  # Nesterov takes 1 + momentum times the first step
        share = 1 - 0.5 * 0.125 * (1 + recipe.momentum * recipe.nesterov) if w.ndim > 1 else 1.0
        torch.testing.assert_close(w.detach(), share * old, rtol=4 * torch.finfo(w.dtype).eps, atol=0)


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(1, 200),
    size=st.integers(1, 12),
    ranks=st.integers(1, 3),
    accum=st.integers(1, 3),
    last=st.booleans(),
)
def test_every_image_is_learned_once(count, size, ranks, accum, last):
    recipe = Recipe(batch=size * ranks * accum, grad_accum=accum, drop_last=last)
    order = torch.randperm(count)
    found = batches(order, recipe, ranks)
    assert len(found) == steps_per_epoch(count, recipe, ranks)
    parts = [part for b in found for rank in range(ranks) for part in share(b, recipe, rank, ranks)]
    assert torch.equal(torch.cat([*parts, order[:0]]), order[: sum(map(len, parts))])
    rest = count - sum(map(len, parts))
    assert rest < (recipe.batch if last else 2 * ranks * accum)
    assert all(len(part) >= min(2, size) for part in parts)
    assert all(max(sizes) - min(sizes) <= 1 for b in found for sizes in [list(map(len, b.tensor_split(ranks * accum)))])


@pytest.mark.parametrize(
    ("overrides", "error", "words"),
    [
        (
            {"schedule": "cosin"},
            ValueError,
            "schedule must be 'cosine' or 'linear' or 'step' or 'constant'; got 'cosin'",
        ),
        ({"momentum_form": "s19"}, ValueError, "momentum_form must be 'torch' or 'S19'"),
        ({"precision": "fp16"}, ValueError, "precision must be 'float32' or 'bf16'"),
        ({"initialization": "xavier"}, ValueError, "initialization must be"),
        ({"compile": 1}, ValueError, "compile must be True or False; got 1"),
        ({"grad_accum": 3}, ValueError, "grad_accum must divide batch, 64; got 3"),
        ({"clip_grad": -1.0}, ValueError, "clip_grad must be a number >= 0"),
        ({"val_fraction": 1.0}, ValueError, r"val_fraction must be a number in \[0, 1\)"),
        ({"norm_batches": 3}, ValueError, "norm_batches must be 0 where averaging is 0; got 3"),
        ({"step_factor": 0.5}, ValueError, "step_factor must be a number >= 1"),
        ({"flip": "up"}, ValueError, "flip must be"),
        ({"cutout": -1}, ValueError, "cutout must be an integer >= 0"),
        ({"learningrate": 1.0}, TypeError, "no setting 'learningrate'; did you mean 'learning_rate'"),
    ],
)
def test_bad_settings(overrides, error, words):
    with pytest.raises(error, match=words):
        recipe_for("digits", None, overrides)


def test_unknown_recipe_suggests_names():
    with pytest.raises(ValueError, match="got 'n23_cifar'; did you mean 'n23-cifar'"):
        recipe_for("digits", "n23_cifar", {})


def test_a_recipe_changes_images_as_augmentation_does():
    assert Recipe().augmentation == nets.data.Augmentation()
    assert Recipe(cutout=3, flip="random").augmentation == nets.data.Augmentation(cutout=3, flip="random")


def test_every_setting_is_an_option_with_words(capsys):
    options = recipe_options()
    assert list(options) == [field.name for field in fields(Recipe)]
    assert all(len(option["help"]) > 10 for option in options.values())
    assert not any(option["help"].startswith("see ") for option in options.values())
    assert main(["train", "--list-recipes"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{name}: {source}" in printed for name, source in SOURCES.items())
    assert "momentum_form=S19" in printed


def test_toml_file_and_command_line(tmp_path, capsys):
    file = tmp_path / "run.toml"
    file.write_text(
        f'model = "{MODEL}"\ndata = "digits"\nepochs = 3\nlimit-batches = 2\nlearning_rate = 1\nnesterov = false\n'
        'output = "run"\nthreads = 1\nprogress = false\nval-fraction = 0.1\nbatch = 16\n'
    )
    assert main(["train", "--config", str(file), "--epochs", "1", "--grad-accum", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("validation accuracy")
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    got = {key: record["recipe"][key] for key in ("epochs", "learning_rate", "nesterov", "grad_accum", "shift")}
    assert got == {"epochs": 1, "learning_rate": 1.0, "nesterov": False, "grad_accum": 2, "shift": 1.0}
    assert record["recipe"]["name"] == "digits"
    assert record["recipe"]["source"] == SOURCES["digits"]
    assert record["overrides"] == {
        "epochs": 1, "limit_batches": 2, "learning_rate": 1.0, "nesterov": False, "val_fraction": 0.1, "batch": 16,
        "grad_accum": 2,
    }  # fmt: skip
    data = record["data"]
    assert data["train"] + data["validation"] == 1437
    assert abs(data["validation"] - 143.7) <= 5  # half an image per class
    assert data["test"] == 360


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch = 3", "unknown key 'epoch'; did you mean 'epochs'"),
        ('epochs = "3"', "epochs must be an integer; got '3'"),
        ("epochs = true", "epochs must be an integer; got True"),
        ("compile = 1", "compile must be true or false; got 1"),
        ('form = "both"', "form must be one of auto, residual, feature, published; got 'both'"),
        ("epochs = ", "is no TOML file"),
        (None, "there is no file"),
    ],
)
def test_bad_toml(tmp_path, capsys, text, words):
    file = tmp_path / "run.toml"
    if text is not None:
        file.write_text(text)
    assert main(["train", "--config", str(file)]) == 2
    assert words in capsys.readouterr().err


def test_replaced_settings_leave_the_recipe_alone():
    before = asdict(RECIPES["digits"])
    assert recipe_for("digits", "digits", {"epochs": 2}) == replace(RECIPES["digits"], epochs=2)
    assert asdict(RECIPES["digits"]) == before


def test_the_page_of_recipes_is_written_from_them():
    spec = importlib.util.spec_from_file_location("docs_recipes", ROOT / "docs" / "recipes.py")
    recipes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipes)
    written = recipes.PAGE.read_text(encoding="utf-8")
    assert written == recipes.page(), "python docs/recipes.py writes it anew"
    for name in (*(f"**`{name}`**" for name in RECIPES), *(f"`{field.name}` =" for field in fields(Recipe))):
        assert written.count(f"\n- {name}") == 1, name
