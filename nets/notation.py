"""The papers' names of networks.

    name      = mgnet | gdfi | resnet ;
    mgnet     = ( "MgNet" nu | "V-MgNet" v_nu ) "-" channels "-" extractor [ "-" pi ] [ "-A:xi.sigma.eta" ] ;
    gdfi      = "GDFI" nu "-" channels "-A:" scheme "-B:" scheme ;
    nu        = "[" integer { "," integer } "]" ;
    v_nu      = "[" integer { "," integer } [ ";" integer { "," integer } ] "]" ;
                                        down; and up, the coarsest grid left out, where it is not as on the way down
    channels  = "[" width { "," width } "]" ;          one width alone stands for every grid
    width     = integer | "(" integer "," integer ")" ;           c_u = c_f, or (c_u, c_f)
    extractor = "B^l" | "B^{l}" | "a_iB^l" | "a_iB^{l}" | "B^{l,i}" ;   constant, scaled, variable
    pi        = "Pi_0" | "Pi_1" | "Pi_2" ;                              Pi_1 where none is named
    scheme    = "K" | "K.sigma" | "sigma.K" | "sigma.K.sigma" ;         K.sigma applies sigma first
    resnet    = kind ( depth | nu "-" channels ) [ "-" A ] [ "-" B ] ;   A^{l,i}, B^{l,i} where none is named; in the
                                                                        kinds "Mg-...", A^l
    kind      = "ResNet" | "pre-act ResNet" | "iResNet" | "sigma-ResNet" | "Mg-ResNet" | "Mg-iResNet" ;
    depth     = [ "-" ] ( "18" | "34" ) ;
    A         = "A^l" | "A^{l}" | "A^{l,i}" ;
    B         = "B^l" | "B^{l}" | "B^{l,i}" ;

iResNet is pre-act ResNet. The channels of a ResNet are integers, not pairs. Spaces are allowed anywhere but inside an
integer.
"""

from __future__ import annotations

from typing import NamedTuple

from nets.scanner import EXAMPLE, Scanner

EXTRACTORS = {
    "B^{l,i}": "variable",
    "a_iB^{l}": "scaled",
    "a_iB^l": "scaled",
    "B^{l}": "constant",
    "B^l": "constant",
}
PI = {"Pi_0": "0", "Pi_1": "1", "Pi_2": "2"}
SCHEMES = ("K", "K.sigma", "sigma.K", "sigma.K.sigma")
NONLINEAR = "xi.sigma.eta"


RESNETS = ("ResNet", "pre-act ResNet", "sigma-ResNet", "Mg-ResNet", "Mg-iResNet")
KINDS = {**{kind.replace(" ", ""): kind for kind in RESNETS}, "iResNet": "pre-act ResNet"}
DEPTHS = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3)}
SHARED_A = {"A^{l,i}": "A^{l,i}", "A^{l}": "A^l", "A^l": "A^l"}
SHARED_B = {"B^{l,i}": "B^{l,i}", "B^{l}": "B^l", "B^l": "B^l"}
WIDTHS = (64, 128, 256, 512)


class Architecture(NamedTuple):
    """What a name says: sweeps and (c_u, c_f) per grid, finest first, the kind of extractor, of Pi, of A and of B."""

    nu: tuple[int, ...]
    channels_u: tuple[int, ...]
    channels_f: tuple[int, ...]
    extractor: str = "constant"
    pi: str = "1"
    family: str = "MgNet"
    A: str = "K"
    B: str = "sigma.K.sigma"
    nu_post: tuple[int, ...] = ()

    def __str__(self) -> str:
        widths = list(zip(self.channels_u, self.channels_f, strict=True))
        widths = widths[:1] if len(set(widths)) == 1 else widths
        channels = ",".join(str(u) if u == f else f"({u},{f})" for u, f in widths)
        post = "" if self.nu_post in ((), self.nu[:-1]) else f";{_joined(self.nu_post)}"
        start = f"{self.family}[{_joined(self.nu)}{post}]-[{channels}]"
        if self.family == "GDFI":
            return f"{start}-A:{self.A}-B:{self.B}"
        extractor = {"constant": "B^l", "scaled": "a_iB^l", "variable": "B^{l,i}"}[self.extractor]
        pi = "" if self.pi == "1" else f"-Pi_{self.pi}"
        return f"{start}-{extractor}{pi}" + ("" if self.A == "K" else f"-A:{self.A}")


class ResNetArchitecture(NamedTuple):
    """What the name of a ResNet says: blocks and channels per grid, the kind of step, and what is shared."""

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    kind: str = "ResNet"
    A: str = "A^{l,i}"
    B: str = "B^{l,i}"

    def __str__(self) -> str:
        depth = next((depth for depth, nu in DEPTHS.items() if nu == self.nu), None)
        if depth is None or self.channels != WIDTHS:
            depth = f"[{_joined(self.nu)}]-[{_joined(self.channels)}]"
        return f"{self.kind}{depth}-{self.A}-{self.B}"


def parse(name: str) -> Architecture | ResNetArchitecture:
    """The architecture of a name such as "MgNet[2,2]-[256]-B^l", "GDFI[2]-[8]-A:K-B:K.sigma" or "ResNet18-A^l-B^l".

    Raises:
        TypeError: where `name` is not a string.
        ValueError: where it does not parse; the message shows the part that fails and a correct example.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string such as {EXAMPLE!r}; got {type(name).__name__}")
    text = Scanner(name)
    family = text.choice(("MgNet", "V-MgNet", "GDFI", *KINDS))
    architecture = _resnet(text, KINDS[family]) if family in KINDS else _grids(text, family)
    text.end()
    return architecture


def _joined(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def _grids(text: Scanner, family: str) -> Architecture:
    nu, nu_post = _sweeps(text, family)
    text.expect("-")
    start = text.position
    widths = _widths(text)
    if len(widths) not in (1, len(nu)):
        text.fail(f"1 or {len(nu)} widths, one per grid of nu = {list(nu)}, not {len(widths)},", start)
    widths = widths * len(nu) if len(widths) == 1 else widths
    u, f = tuple(u for u, _ in widths), tuple(f for _, f in widths)
    text.expect("-")
    if family == "GDFI":
        text.expect("A:")
        A = text.choice(SCHEMES)
        text.expect("-B:")
        return Architecture(nu, u, f, "variable", "1", family, A, text.choice(SCHEMES))
    extractor = EXTRACTORS[text.choice(EXTRACTORS)]
    nonlinear = text.take(f"-A:{NONLINEAR}")
    pi = PI[text.choice(PI)] if not nonlinear and text.take("-") else "1"
    nonlinear = nonlinear or text.take(f"-A:{NONLINEAR}")
    return Architecture(nu, u, f, extractor, pi, family, NONLINEAR if nonlinear else "K", nu_post=nu_post)


def _sweeps(text: Scanner, family: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """nu, and the sweeps on the way up, () where there is none."""
    if family != "V-MgNet":
        return _numbers(text, "nu", least=0), ()
    text.expect("[")
    nu = _list(text, "nu", least=0)
    start = text.position
    nu_post = _list(text, "nu_post", least=0) if text.take(";") else nu[:-1]
    if len(nu_post) != len(nu) - 1:
        text.fail(f"{len(nu) - 1} sweeps on the way up, one per grid but the coarsest, not {len(nu_post)},", start)
    text.expect("]", '",", ";" or "]"')
    return nu, nu_post


def _resnet(text: Scanner, kind: str) -> ResNetArchitecture:
    nu, channels = _depth(text)
    allowed = SHARED_A if not kind.startswith("Mg-") else {token: A for token, A in SHARED_A.items() if A == "A^l"}
    A, B = ("A^l" if kind.startswith("Mg-") else "A^{l,i}"), "B^{l,i}"
    if text.take("-"):
        token = text.choice((*allowed, *SHARED_B))
        A, B = allowed.get(token, A), SHARED_B.get(token, B)
        if token in allowed and text.take("-"):
            B = SHARED_B[text.choice(SHARED_B)]
    return ResNetArchitecture(nu, channels, kind, A, B)


def _depth(text: Scanner) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Blocks and channels per grid of 18, -34, or [2,2]-[8,16]."""
    text.take("-")
    depth = next((depth for depth in DEPTHS if text.take(depth)), None)
    if depth is not None:
        return DEPTHS[depth], WIDTHS
    if not text.text.startswith("[", text.position):
        text.fail('18, 34 or "["')
    nu = _numbers(text, "nu", least=1)
    text.expect("-")
    start = text.position
    channels = _numbers(text, "a channel count", least=1)
    if len(channels) not in (1, len(nu)):
        text.fail(f"1 or {len(nu)} widths, one per grid of nu = {list(nu)}, not {len(channels)},", start)
    return nu, channels * len(nu) if len(channels) == 1 else channels


def _numbers(text: Scanner, what: str, least: int) -> tuple[int, ...]:
    text.expect("[")
    numbers = _list(text, what, least)
    text.expect("]", '"," or "]"')
    return numbers


def _list(text: Scanner, what: str, least: int) -> tuple[int, ...]:
    numbers = [text.integer(what, least)]
    while text.take(","):
        numbers.append(text.integer(what, least))
    return tuple(numbers)


def _widths(text: Scanner) -> tuple[tuple[int, int], ...]:
    text.expect("[")
    widths = [_width(text)]
    while text.take(","):
        widths.append(_width(text))
    text.expect("]", '"," or "]"')
    return tuple(widths)


def _width(text: Scanner) -> tuple[int, int]:
    if not text.take("("):
        c = text.integer("a channel count", 1)
        return c, c
    c_u = text.integer("c_u", 1)
    text.expect(",")
    c_f = text.integer("c_f", 1)
    text.expect(")")
    return c_u, c_f
