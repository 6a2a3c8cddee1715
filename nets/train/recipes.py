"""Recipes by name, and single settings over them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from nets.train.recipe import Recipe

RECIPES = {"digits": Recipe(epochs=30, shift=1.0)}
"""Recipes by the name of the data set they are made for."""


def recipe_for(data: str, recipe: Recipe | str | None, overrides: dict[str, Any]) -> Recipe:
    """The recipe given, by itself or by name, or the one for the data set; single settings replaced by `overrides`."""
    if isinstance(recipe, str) and recipe not in RECIPES:
        raise ValueError(f"recipe must be one of {', '.join(map(repr, RECIPES))}, or a nets.Recipe; got {recipe!r}")
    if recipe is None:
        recipe = RECIPES.get(data, Recipe())
    elif isinstance(recipe, str):
        recipe = RECIPES[recipe]
    elif not isinstance(recipe, Recipe):
        raise TypeError(f"recipe must be a nets.Recipe or a name; got {type(recipe).__name__}")
    settings = {field.name: getattr(recipe, field.name) for field in fields(Recipe)}
    for name in overrides:
        if name not in settings:
            raise TypeError(f"train has no setting {name!r}; the recipe's are {', '.join(settings)}")
    return Recipe(**{**settings, **overrides})
