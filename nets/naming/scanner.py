"""Reading a name from left to right, with errors that point at the part that fails."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

from nets.naming.names import nearest

EXAMPLE = "MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}"
GREEK = {"sigma": "σ", "Pi": "Π", "xi": "ξ", "eta": "η", ".": "∘"}
"""Letters that the papers print for parts of a token."""


class Scanner:
    """A name and the position up to which it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self._skip()

    def take(self, token: str) -> bool:
        """Go past the token if it stands here, spaces apart, in letters or in Greek; tell whether it does."""
        start = self.position
        while token:
            names = [name for name in GREEK if token.startswith(name)]
            greek = next((name for name in names if self.text.startswith(GREEK[name], self.position)), None)
            if greek is None and not self.text.startswith(token[0], self.position):
                self.position = start
                return False
            token = token[len(greek or token[0]) :]
            self.position += 1
            self._skip()
        return True

    def expect(self, token: str, what: str = "") -> None:
        if not self.take(token):
            self.fail(what or f'"{token}"')

    def choice(self, tokens: Iterable[str]) -> str:
        """The longest of the tokens that stands here; go past it."""
        found = next((token for token in sorted(tokens, key=len, reverse=True) if self.take(token)), None)
        return found or self.fail("one of " + ", ".join(sorted(tokens)))

    def integer(self, what: str, least: int) -> int:
        start = end = self.position
        while end < len(self.text) and self.text[end] in "0123456789":
            end += 1
        if end == start or end - start > 9 or int(self.text[start:end]) < least:
            self.fail(f"{what}, an integer from {least} to 999999999,")
        self.position = end
        self._skip()
        return int(self.text[start:end])

    def matched(self, pattern: re.Pattern[str]) -> str:
        """Match a pattern here, "" where it does not, and go past it."""
        found = pattern.match(self.text, self.position)
        if found is None:
            return ""
        self.position = found.end()
        self._skip()
        return found.group()

    @property
    def ended(self) -> bool:
        return self.position == len(self.text)

    def end(self) -> None:
        if not self.ended:
            self.fail("the end of the name (settings behind it are for create_model)")

    def fail(self, expected: str, position: int | None = None, near: str | None = None) -> NoReturn:
        """An error at the position; `near` is a suggestion, None suggests the name of a network."""
        at = self.position if position is None else position
        found = f'"{self.text[at:]}"' if at < len(self.text) else "the end"
        if near is None:
            near = "; did you mean " + " or ".join(names) + "?" if (names := nearest(self.text)) else ""
        raise ValueError(
            f"name: {expected} is expected at position {at + 1} of {self.text!r}, where {found} stands; "
            f"a correct example is {EXAMPLE}{near}\n  {self.text}\n  {' ' * at}^"
        )

    def _skip(self) -> None:
        while self.text.startswith(" ", self.position):
            self.position += 1
