"""The papers' names of networks.

    name      = "MgNet" nu "-" channels "-" extractor [ "-" pi ] ;
    nu        = "[" integer { "," integer } "]" ;
    channels  = "[" width { "," width } "]" ;          one width alone stands for every grid
    width     = integer | "(" integer "," integer ")" ;           c_u = c_f, or (c_u, c_f)
    extractor = "B^l" | "B^{l}" | "a_iB^l" | "a_iB^{l}" | "B^{l,i}" ;   constant, scaled, variable
    pi        = "Pi_0" | "Pi_1" | "Pi_2" ;                              Pi_1 where none is named

Spaces are allowed anywhere but inside an integer.
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

EXAMPLE = "MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}"
EXTRACTORS = {
    "B^{l,i}": "variable",
    "a_iB^{l}": "scaled",
    "a_iB^l": "scaled",
    "B^{l}": "constant",
    "B^l": "constant",
}
PI = {"Pi_0": "0", "Pi_1": "1", "Pi_2": "2"}


class Architecture(NamedTuple):
    """What a name says: sweeps and (c_u, c_f) per grid, finest first, the kind of extractor and of Pi."""

    nu: tuple[int, ...]
    channels_u: tuple[int, ...]
    channels_f: tuple[int, ...]
    extractor: str = "constant"
    pi: str = "1"

    def __str__(self) -> str:
        widths = list(zip(self.channels_u, self.channels_f, strict=True))
        widths = widths[:1] if len(set(widths)) == 1 else widths
        channels = ",".join(str(u) if u == f else f"({u},{f})" for u, f in widths)
        extractor = {"constant": "B^l", "scaled": "a_iB^l", "variable": "B^{l,i}"}[self.extractor]
        pi = "" if self.pi == "1" else f"-Pi_{self.pi}"
        return f"MgNet[{','.join(map(str, self.nu))}]-[{channels}]-{extractor}{pi}"


def parse(name: str) -> Architecture:
    """The architecture of a name such as "MgNet[2,2,2,2]-[256]-B^l" or "MgNet[2,2]-[(8,16),(8,16)]-a_iB^l-Pi_2".

    Raises:
        TypeError: where `name` is not a string.
        ValueError: where it does not parse; the message shows the part that fails and a correct example.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string such as {EXAMPLE!r}; got {type(name).__name__}")
    text = _Scanner(name)
    text.expect("MgNet")
    nu = _numbers(text, "nu", least=0)
    text.expect("-")
    start = text.position
    widths = _widths(text)
    if len(widths) not in (1, len(nu)):
        text.fail(f"1 or {len(nu)} widths, one per grid of nu = {list(nu)}, not {len(widths)},", start)
    widths = widths * len(nu) if len(widths) == 1 else widths
    text.expect("-")
    extractor = EXTRACTORS[text.choice(EXTRACTORS)]
    pi = PI[text.choice(PI)] if text.take("-") else "1"
    text.end()
    return Architecture(nu, tuple(u for u, _ in widths), tuple(f for _, f in widths), extractor, pi)


def _numbers(text: _Scanner, what: str, least: int) -> tuple[int, ...]:
    text.expect("[")
    numbers = [text.integer(what, least)]
    while text.take(","):
        numbers.append(text.integer(what, least))
    text.expect("]", '"," or "]"')
    return tuple(numbers)


def _widths(text: _Scanner) -> tuple[tuple[int, int], ...]:
    text.expect("[")
    widths = [_width(text)]
    while text.take(","):
        widths.append(_width(text))
    text.expect("]", '"," or "]"')
    return tuple(widths)


def _width(text: _Scanner) -> tuple[int, int]:
    if not text.take("("):
        c = text.integer("a channel count", 1)
        return c, c
    c_u = text.integer("c_u", 1)
    text.expect(",")
    c_f = text.integer("c_f", 1)
    text.expect(")")
    return c_u, c_f


class _Scanner:
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

    def choice(self, tokens: dict[str, str]) -> str:
        found = next((token for token in tokens if self.take(token)), None)
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
        raise ValueError(
            f"name: {expected} is expected at position {at + 1} of {self.text!r}, where {found} stands; "
            f"a correct example is {EXAMPLE}\n  {self.text}\n  {' ' * at}^"
        )

    def _skip(self) -> None:
        while self.text.startswith(" ", self.position):
            self.position += 1
