"""Write docs/recipes.md from the recipes and from the docstrings of their settings: python docs/recipes.py."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nets.cli.options import recipe_options
from nets.training import RECIPES, Recipe
from nets.training.recipes import FOR_DATA, FOR_DENSE, SOURCES

PAGE = Path(__file__).with_name("recipes.md")
HEAD = """# Recipes

A recipe is everything about a run that is neither model nor data nor seed. `nets.train(..., recipe="mnist", epochs=3)`
takes one by its name and replaces single settings; so does `python -m nets train --recipe mnist --epochs 3`. Without a
name it is the one for the data. `nets.Recipe(epochs=10)` makes one of your own. Symbols and numbers of equations are
those of the [papers](papers.md). This page is written from the code by `python docs/recipes.py`.
"""
SETTINGS = "With their values where a recipe does not say otherwise.\n"


def page() -> str:
    """Return the text of the page."""
    default = asdict(Recipe())
    meanings = {name: option["help"].replace("%%", "%") for name, option in recipe_options().items()}
    settings = [f"`{name}` = {_said(value)}: {_ended(meanings[name])}" for name, value in default.items()]
    recipes = []
    for name, recipe in RECIPES.items():
        own = {key: value for key, value in asdict(recipe).items() if value != default[key]}
        for_data = [f"`{data}`" for data, its in FOR_DATA.items() if its == name]
        for_data += ["every target at every point"] if name == FOR_DENSE else []
        use = f" The default for {', '.join(for_data)}." if for_data else ""
        sets = ", ".join(f"{key}={_said(value)}" for key, value in own.items())
        recipes.append(f"**`{name}`**: {_ended(SOURCES[name])}{use} It sets {sets}.")
    lines = [HEAD, "## By name\n", *map(_item, recipes), "\n## Settings\n", SETTINGS, *map(_item, settings)]
    return "\n".join(lines) + "\n"


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _said(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _item(text: str) -> str:
    text = text.replace(" + ", "\u00a0+\u00a0").replace(" - ", "\u00a0-\u00a0")  # a line begins no list by them
    indents = {"initial_indent": "- ", "subsequent_indent": "  "}
    return textwrap.fill(text, 120, **indents, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
