"""Modules that a function of the same name hides from their package."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


def show_module(function: Any, name: str) -> None:
    """Give a function the public names of the module that it hides, as attributes, those of later imports too.

    So `import package.name.part` and `package.name.part.thing` work though `package.name` is the function.

    Args:
        name: the full name of the module, which has been imported.
    """
    module = sys.modules[name]

    class Shown(ModuleType):
        """The hidden module; what is set in it is set on the function too, as importing a part of it does."""

        def __setattr__(self, key: str, value: Any) -> None:
            super().__setattr__(key, value)
            if not key.startswith("__"):
                setattr(function, key, value)

    module.__class__ = Shown
    for key, value in list(vars(module).items()):
        if not key.startswith("__"):
            setattr(function, key, value)
