"""Show the examples of docstrings as code: Markdown takes lines with >>> for quotations. Read by mkdocstrings."""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"(?:^|(?<=\n))( *)>>> .*(?:\n *\S.*)*")


def fenced(text: str) -> str:
    """Put every example, up to the next empty line, between the fences of a block of code."""
    return EXAMPLE.sub(lambda found: f"\n{found[1]}```pycon\n{found[0]}\n{found[1]}```", text)


class Doctests(griffe.Extension):
    """Fence the examples of every docstring."""

    def on_object(self, *, obj: griffe.Object, **others: Any) -> None:
        if obj.docstring is not None and ">>> " in obj.docstring.value:
            obj.docstring.value = fenced(obj.docstring.value)
