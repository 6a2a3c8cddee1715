"""Recipes by name, and single settings over them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from nets.common.checks import suggesting, suggestion
from nets.data import Data, DenseDataset
from nets.training.recipe import Recipe

PAPER = Recipe(
    batch=128, schedule="step", warmup=0.0, nesterov=False, weight_decay=0.0, decay_norms=True, label_smoothing=0.0
)
"""The common part of all papers: momentum 0.9, a learning rate of 0.1 that is divided by 10, Kaiming's weights."""
STANDARD: dict[str, Any] = {"crop_padding": 4, "flip": "random"}
"""The standard augmentation of CIFAR. A19 and N23 do not say more than "standard", or nothing."""
IMAGENET: dict[str, Any] = {"resized_crop": 0.08, "flip": "random"}
"""The standard augmentation of ImageNet."""

_A19 = replace(PAPER, epochs=120, weight_decay=1e-4)
_A19_34 = replace(_A19, weight_decay=1e-3)
_N23 = replace(PAPER, epochs=150, weight_decay=5e-4)
_CODE = replace(PAPER, epochs=300, step_epochs=50, weight_decay=5e-4, initialization="default")

_S19 = "S19 section 9.2: CIFAR-10 and -100, momentum (9.5)-(9.6), no weight decay"
_A = "A19 section 5.1: "
_MNIST = Recipe(epochs=7, batch=128, shift=2.0, rotation=10.0, scaling=0.1, label_smoothing=0.05, channels_last=True)
_FAST = Recipe(
    epochs=45,
    batch=512,
    learning_rate=0.4,
    schedule="linear",
    **{**STANDARD, "flip": "alternating", "crop_fill": "reflect", "cutout": 8},
    drop_last=True,
    averaging=0.998,
    norm_batches=48,
    precision="bf16",
    channels_last=True,
    compile=True,
)
_DENSE = Recipe(
    epochs=100,
    batch=16,
    learning_rate=2e-3,
    warmup=0.1,
    weight_decay=1e-4,
    label_smoothing=0.0,
    optimizer="adamw",
)
_LARGE = {"batch": 256, "step_epochs": 40, **IMAGENET}
_SILENT = "; the paper names no augmentation, crop and flip are those of the authors' code"
_CODE_SAYS = ", torch's initialization; but the last epoch, not the best, counts"
_NAMED = (
    ("s19-cifar", replace(PAPER, epochs=120, momentum_form="S19", **STANDARD), f"{_S19}{_SILENT}"),
    ("a19-mnist", replace(_A19, epochs=60), f"{_A}MNIST, networks with 18 layers"),
    (
        "a19-cifar",
        replace(_A19, **STANDARD),
        _A + 'CIFAR-10 and -100, 18 layers; "standard" augmentation is crop and flip',
    ),
    ("a19-imagenet", replace(_A19, **_LARGE), f"{_A}ImageNet, 18 layers"),
    ("a19-mnist-34", replace(_A19_34, epochs=60), f"{_A}MNIST, networks with 34 layers"),
    ("a19-cifar-34", replace(_A19_34, **STANDARD), f"{_A}CIFAR-10 and -100, 34 layers"),
    ("a19-imagenet-34", replace(_A19_34, **_LARGE), f"{_A}ImageNet, 34 layers"),
    ("n23-mnist", replace(_N23, epochs=60, step_epochs=50), "N23 section 5: MNIST"),
    ("n23-cifar", replace(_N23, **STANDARD), f"N23 section 5: CIFAR-10 and -100{_SILENT}"),
    ("n23-imagenet", replace(_N23, batch=256, weight_decay=1e-4, **IMAGENET), "N23 section 5: ImageNet"),
    ("code-mnist", _CODE, f"the authors' public code: MNIST{_CODE_SAYS}"),
    ("code-cifar", replace(_CODE, **STANDARD), f"the authors' public code: CIFAR{_CODE_SAYS}"),
    ("digits", Recipe(epochs=30, shift=1.0), "ours: the digits of scikit-learn, on a CPU"),
    ("mnist", _MNIST, "ours: MNIST and Fashion-MNIST with a small MgNet, on a CPU"),
    ("fast", _FAST, "ours: CIFAR-10 and -100, on a GPU"),
    ("dense", _DENSE, "ours: a target at every point of a grid: regression, denoising, segmentation"),
)
RECIPES = {name: recipe for name, recipe, _ in _NAMED}
"""Recipes by name."""
SOURCES = {name: source for name, _, source in _NAMED}
"""The source of each recipe, in one line."""

FOR_DATA = {
    "digits": "digits",
    "mnist": "mnist",
    "fashion-mnist": "mnist",
    "cifar-10": "n23-cifar",
    "cifar-100": "n23-cifar",
    "imagenet": "n23-imagenet",
}
"""The recipe of a data set where none is asked for."""
FOR_DENSE = "dense"
"""The recipe of every `DenseDataset`."""


def recipe_for(data: Data | str, recipe: Recipe | str | None, overrides: dict[str, Any]) -> Recipe:
    """Find a recipe by its name, or the one for the data or its name, and replace single settings by `overrides`."""
    if isinstance(recipe, str) and recipe not in RECIPES:
        names, hint = ", ".join(map(repr, RECIPES)), suggestion(recipe, RECIPES)
        raise ValueError(f"recipe must be one of {names}, or a nets.Recipe; got {recipe!r}{hint}")
    if recipe is None:
        name = data if isinstance(data, str) else data.name
        known = FOR_DENSE if isinstance(data, DenseDataset) else FOR_DATA.get(name)
        recipe = RECIPES[known] if known else Recipe()
    elif isinstance(recipe, str):
        recipe = RECIPES[recipe]
    elif not isinstance(recipe, Recipe):
        raise TypeError(f"recipe must be a nets.Recipe or a name; got {type(recipe).__name__}")
    settings = [field.name for field in fields(Recipe)]
    for name in overrides:
        if name not in settings:
            hint = suggesting.hint(name, {*settings, *suggesting.arguments.get("train", ())})
            raise TypeError(f"train has no setting {name!r}{hint}; the recipe's are {', '.join(settings)}")
    return replace(recipe, **overrides)


def name_of(recipe: Recipe) -> str | None:
    """The name in `RECIPES` of an equal recipe, or None."""
    return next((name for name, known in RECIPES.items() if known == recipe), None)
