"""Reading a name from left to right, with errors that point at the part that fails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from nets.names import nearest

EXAMPLE = "MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}"


class Scanner:
    """A name and the position up to which it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self._skip()

    def take(self, token: str) -> bool:
        """Whether the token stands here, spaces apart; if so, go past it."""
        start = self.position
        for character in token:
            if not self.text.startswith(character, self.position):
                self.position = start
                return False
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

    def end(self) -> None:
        if self.position < len(self.text):
            self.fail("the end of the name")

    def fail(self, expected: str, position: int | None = None) -> NoReturn:
        at = self.position if position is None else position
        found = f'"{self.text[at:]}"' if at < len(self.text) else "the end"
        near = "; did you mean " + " or ".join(names) + "?" if (names := nearest(self.text)) else ""
        raise ValueError(
            f"name: {expected} is expected at position {at + 1} of {self.text!r}, where {found} stands; "
            f"a correct example is {EXAMPLE}{near}\n  {self.text}\n  {' ' * at}^"
        )

    def _skip(self) -> None:
        while self.text.startswith(" ", self.position):
            self.position += 1
