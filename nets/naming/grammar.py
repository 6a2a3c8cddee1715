"""The papers' names of networks.

    model     = name { "," setting } ;                  what `create_model` takes and str(model.config) prints
    setting   = key "=" value ;        a setting of the network's configuration that is not its default: "dims=1"
    name      = mgnet | gdfi | mgno | resnet | wide | bottleneck | densenet | plain ;
    mgnet     = ( "MgNet" nu | "V-MgNet" v_nu ) "-" channels "-" extractor [ "-" pi ] [ "-A:xi.sigma.eta" ] ;
    gdfi      = ( "GDFI" | "FB-ResNet" ) nu "-" channels "-A:" scheme "-B:" scheme ;
    mgno      = "MgNO" v_nu "-" channels ;            a width is an integer; up, no sweeps where none are given
    nu        = "[" integer { "," integer } "]" ;
    v_nu      = "[" integer { "," integer } [ ";" integer { "," integer } ] "]" ;
                                        down; and up, the coarsest grid left out, where it is not as on the way down
    channels  = "[" width { "," width } "]" ;          one width alone stands for every grid
    width     = integer | "(" integer "," integer ")" ;           c_u = c_f, or (c_u, c_f)
    extractor = "B^l" | "B^{l}" | "a_iB^l" | "a_iB^{l}" | "B^{l,i}" ;   constant, scaled, variable
    pi        = "Pi_0" | "Pi_1" | "Pi_2" | fixed_pi ;                   Pi_1 where none is named
    fixed_pi  = "Pi_nodal" | "Pi_average" | "Pi_bilinear" | "Pi_maximum" ;
    scheme    = "K" | "K.sigma" | "sigma.K" | "sigma.K.sigma" ;         K.sigma applies sigma first
    resnet    = kind ( depth | nu "-" channels ) [ "-" A ] [ "-" B ] ;   A^{l,i}, B^{l,i} where none is named; in the
                                                                        kinds "Mg-...", A^l
    kind      = "ResNet" | "pre-act ResNet" | "iResNet" | "sigma-ResNet" | "Mg-ResNet" | "Mg-iResNet" | "LM-ResNet" ;
    depth     = [ "-" ] ( "18" | "34" ) ;
    A         = "A^l" | "A^{l}" | "A^{l,i}" ;
    B         = "B^l" | "B^{l}" | "B^{l,i}" ;
    wide      = "WideResNet" ( layers "*" factor | nu "-" channels ) ;   layers = 6 n + 4: n blocks on each of 3 grids;
                                                                         16, 32, 64 times factor channels
    bottleneck = "ResNet" deep | "WideResNet" deep "*" factor | "Bottleneck" nu "-" channels [ "*" factor ] ;
    deep      = [ "-" ] ( "50" | "101" | "152" ) ;      blocks of 1 x 1, 3 x 3, 1 x 1; factor times the channels inside
    densenet  = "DenseNet" nu "-" channels ;            a width (k_0, k): of f^{l,0}, and of every f^{l,i} that follows,
                                                        or (k_0, k_1, ..., k_nu)
    plain     = "LeNet-5" | "AlexNet" | "VGG" ( "11" | "13" | "16" | "19" | nu "-" channels ) ;

iResNet is pre-act ResNet, FB-ResNet is GDFI. The channels of ResNets, with bottlenecks too, and VGG are integers, not
pairs. Spaces may stand anywhere but inside an integer. For "sigma", "Pi", "xi", "eta" and "." the papers' "σ", "Π",
"ξ", "η" and "∘" will do: "σ-ResNet18", "GDFI[2]-[8]-A:K-B:σ∘K". A value is as in the keyword of that name, "hat:5,10"
or "False", without "=".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from nets.common.formatting import counted
from nets.naming.scanner import EXAMPLE, Scanner

EXTRACTORS = {
    "B^{l,i}": "variable",
    "a_iB^{l}": "scaled",
    "a_iB^l": "scaled",
    "B^{l}": "constant",
    "B^l": "constant",
}
GRIDS = {"MgNet": "MgNet", "V-MgNet": "V-MgNet", "GDFI": "GDFI", "FB-ResNet": "GDFI"}
PI = {f"Pi_{pi}": pi for pi in ("0", "1", "2", "nodal", "average", "bilinear", "maximum")}
SCHEMES = ("K", "K.sigma", "sigma.K", "sigma.K.sigma")
NONLINEAR = "xi.sigma.eta"

RESNETS = ("ResNet", "pre-act ResNet", "sigma-ResNet", "Mg-ResNet", "Mg-iResNet", "LM-ResNet", "WideResNet")
KINDS = {**{kind.replace(" ", ""): kind for kind in RESNETS}, "iResNet": "pre-act ResNet"}
Depths = dict[str, tuple[int, ...]]
DEPTHS: Depths = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3)}
BOTTLENECK = "Bottleneck"
DEEP: Depths = {"50": (3, 4, 6, 3), "101": (3, 4, 23, 3), "152": (3, 8, 36, 3)}
SHARED_A = {"A^{l,i}": "A^{l,i}", "A^{l}": "A^l", "A^l": "A^l"}
SHARED_B = {"B^{l,i}": "B^{l,i}", "B^{l}": "B^l", "B^l": "B^l"}
WIDTHS = (64, 128, 256, 512)
WIDE = (16, 32, 64)
PLAIN = ("LeNet-5", "AlexNet", "VGG")
VGG_DEPTHS: Depths = {"11": (1, 1, 2, 2, 2), "13": (2, 2, 2, 2, 2), "16": (2, 2, 3, 3, 3), "19": (2, 2, 4, 4, 4)}
VGG_WIDTHS = (64, 128, 256, 512, 512)
Item = TypeVar("Item")


class Architecture(NamedTuple):
    """An MgNet, V-MgNet or GDFI: sweeps and (c_u, c_f) per grid, finest first, the kinds of extractor, Pi, A and B.

    >>> architecture = parse("MgNet[2,1]-[(8,16)]-B^{l,i}")
    >>> architecture.nu, architecture.channels_u, architecture.channels_f, architecture.extractor
    ((2, 1), (8, 8), (16, 16), 'variable')
    """

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
        post = "" if self.nu_post in ((), self.nu[:-1]) else f";{_joined(self.nu_post)}"
        start = f"{self.family}[{_joined(self.nu)}{post}]-[{_pairs(self.channels_u, self.channels_f)}]"
        if self.family == "GDFI":
            return f"{start}-A:{self.A}-B:{self.B}"
        extractor = {"constant": "B^l", "scaled": "a_iB^l", "variable": "B^{l,i}"}[self.extractor]
        pi = "" if self.pi == "1" else f"-Pi_{self.pi}"
        return f"{start}-{extractor}{pi}" + ("" if self.A == "K" else f"-A:{self.A}")


class ResNetArchitecture(NamedTuple):
    """A ResNet: blocks and channels per grid, the kind of step, and what is shared.

    >>> parse("ResNet[2,2]-[16,32]")
    ResNetArchitecture(nu=(2, 2), channels=(16, 32), kind='ResNet', A='A^{l,i}', B='B^{l,i}')
    """

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    kind: str = "ResNet"
    A: str = "A^{l,i}"
    B: str = "B^{l,i}"

    def __str__(self) -> str:
        grids = f"[{_joined(self.nu)}]-[{_joined(self.channels)}]"
        if self.kind == "WideResNet":
            n, factor = self.nu[0], self.channels[0] // WIDE[0]
            named = self.nu == (n,) * 3 and factor > 0 and self.channels == tuple(factor * c for c in WIDE)
            return self.kind + (f"{6 * n + 4}*{factor}" if named else grids)
        return f"{self.kind}{_depth_name(self.nu, self.channels, DEPTHS, WIDTHS) or grids}-{self.A}-{self.B}"


class BottleneckArchitecture(NamedTuple):
    """A bottleneck ResNet: blocks and channels per grid, and the factor of the channels inside of a block.

    >>> parse("WideResNet50*2")
    BottleneckArchitecture(nu=(3, 4, 6, 3), channels=(64, 128, 256, 512), widened=2)
    """

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    widened: int = 1

    def __str__(self) -> str:
        depth = _depth_name(self.nu, self.channels, DEEP, WIDTHS)
        factor = f"*{self.widened}" if self.widened > 1 else ""
        if depth is None:
            return f"{BOTTLENECK}[{_joined(self.nu)}]-[{_joined(self.channels)}]{factor}"
        return f"{'WideResNet' if factor else 'ResNet'}{depth}{factor}"


class DenseNetArchitecture(NamedTuple):
    """A DenseNet: steps per grid, channels k_0 of f^{l,0} and k of every other f^{l,i}, or k_1, ..., k_nu of each.

    >>> parse("DenseNet[2,2]-[(16,12)]")
    DenseNetArchitecture(nu=(2, 2), channels=(16, 16), growth=(12, 12))
    """

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    growth: tuple[int | tuple[int, ...], ...]

    def __str__(self) -> str:
        return f"DenseNet[{_joined(self.nu)}]-[{_pairs(self.channels, self.growth)}]"


class MgNOArchitecture(NamedTuple):
    """An MgNO: sweeps and channels per grid, finest first, and sweeps on the way up, the coarsest grid left out.

    >>> parse("MgNO[1,1,2]-[24]")
    MgNOArchitecture(nu=(1, 1, 2), channels=(24, 24, 24), nu_post=(0, 0))
    """

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    nu_post: tuple[int, ...]

    def __str__(self) -> str:
        post = f";{_joined(self.nu_post)}" if any(self.nu_post) else ""
        return f"MgNO[{_joined(self.nu)}{post}]-[{_pairs(self.channels, self.channels)}]"


class PlainArchitecture(NamedTuple):
    """A plain network: LeNet-5, AlexNet, or VGG with layers and channels per grid.

    >>> parse("VGG[2,2]-[16,32]")
    PlainArchitecture(kind='VGG', nu=(2, 2), channels=(16, 32))
    """

    kind: str
    nu: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.kind != "VGG":
            return self.kind
        depth = _depth_name(self.nu, self.channels, VGG_DEPTHS, VGG_WIDTHS)
        return f"VGG{depth or f'[{_joined(self.nu)}]-[{_joined(self.channels)}]'}"


AnyArchitecture = (
    Architecture
    | MgNOArchitecture
    | ResNetArchitecture
    | BottleneckArchitecture
    | DenseNetArchitecture
    | PlainArchitecture
)


def parse(name: str) -> AnyArchitecture:
    """The architecture of a name such as "MgNet[2,2]-[256]-B^l", "GDFI[2]-[8]-A:K-B:K.sigma" or "ResNet18-A^l-B^l".

    Raises:
        TypeError: where `name` is not a string.
        ValueError: where it does not parse, or settings follow; the message shows the part that fails and a correct
            example.

    >>> parse("MgNet[2,1]-[8]-B^l").nu
    (2, 1)
    """
    architecture, text = begin(name)
    text.end()
    return architecture


def begin(name: str) -> tuple[AnyArchitecture, Scanner]:
    """The architecture with which a name begins, and the name, read up to there."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string such as {EXAMPLE!r}; got {type(name).__name__}")
    text = Scanner(name)
    return _architecture(text, text.choice((*GRIDS, "MgNO", "DenseNet", BOTTLENECK, *PLAIN, *KINDS))), text


def _architecture(text: Scanner, family: str) -> AnyArchitecture:
    if family in KINDS:
        return _resnet(text, KINDS[family])
    if family == BOTTLENECK:
        return BottleneckArchitecture(*_depth(text, {}, ()), _factor(text) if text.take("*") else 1)
    if family in PLAIN:
        return PlainArchitecture(family, *(_depth(text, VGG_DEPTHS, VGG_WIDTHS) if family == "VGG" else ()))
    if family == "DenseNet":
        nu = _numbers(text, "nu", least=1)
        text.expect("-")
        widths = _per_grid(text, nu, lambda: _growing(text))
        return DenseNetArchitecture(nu, *zip(*widths, strict=True))
    if family == "MgNO":
        nu, nu_post = _sweeps(text, family)
        _go_on(text, "-[24]")
        return MgNOArchitecture(nu, _per_grid(text, nu, lambda: text.integer("a channel count", 1)), nu_post)
    return _grids(text, GRIDS[family])


def _joined(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def _pairs(first: tuple[int, ...], second: tuple[int | tuple[int, ...], ...]) -> str:
    """Widths as in a name: "8", "(8,16)" or "(8,16,4)" per grid, one alone where all are equal."""
    widths = list(zip(first, second, strict=True))
    widths = widths[:1] if len(set(widths)) == 1 else widths
    return ",".join(str(a) if a == b else f"({a},{_joined(b) if isinstance(b, tuple) else b})" for a, b in widths)


def _depth_name(nu: tuple[int, ...], channels: tuple[int, ...], depths: Depths, widths: tuple[int, ...]) -> str | None:
    return next((depth for depth, layers in depths.items() if layers == nu and channels == widths), None)


def _grids(text: Scanner, family: str) -> Architecture:
    nu, nu_post = _sweeps(text, family)
    tail = "-A:K-B:sigma.K.sigma" if family == "GDFI" else "-B^l"
    _go_on(text, "-[32]" + tail)
    u, f = _channels(text, nu)
    _go_on(text, tail)
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


def _go_on(text: Scanner, tail: str) -> None:
    """Go past "-"; a name that ends here lacks `tail`, which is suggested."""
    if text.ended or re.match(r",\s*\w+\s*=", text.text[text.position :]):
        head, rest = text.text[: text.position].rstrip(), text.text[text.position :]
        text.fail(f'"-", as in "{tail}",', near=f"; did you mean {head}{tail}{rest}?")
    text.expect("-")


def _channels(text: Scanner, nu: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """c_u and c_f of every grid."""
    return tuple(zip(*_per_grid(text, nu, lambda: _width(text)), strict=True))


def _per_grid(text: Scanner, nu: tuple[int, ...], read: Callable[[], Item]) -> tuple[Item, ...]:
    """One item per grid; one alone stands for all of them."""
    start = text.position
    items = _bracketed(text, read)
    if len(items) not in (1, len(nu)):
        allowed = "1 width" if len(nu) == 1 else f"1 or {len(nu)} widths"
        text.fail(f"{allowed}, one per grid of nu = {list(nu)}, not {len(items)},", start)
    return items * len(nu) if len(items) == 1 else items


def _sweeps(text: Scanner, family: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """nu, and the sweeps on the way up, () where there is none."""
    if family not in ("V-MgNet", "MgNO"):
        return _numbers(text, "nu", least=0), ()
    text.expect("[")
    nu = _list(text, lambda: text.integer("nu", 0))
    start = text.position
    nu_post = _list(text, lambda: text.integer("nu_post", 0)) if text.take(";") else None
    if nu_post is None:
        nu_post = nu[:-1] if family == "V-MgNet" else (0,) * (len(nu) - 1)
    if len(nu_post) != len(nu) - 1:
        count = counted(len(nu) - 1, "number")
        text.fail(f"{count} of sweeps on the way up, one per grid but the coarsest, not {len(nu_post)},", start)
    text.expect("]", '",", ";" or "]"')
    return nu, nu_post


def _resnet(text: Scanner, kind: str) -> ResNetArchitecture | BottleneckArchitecture:
    start, wide = text.position, kind == "WideResNet"
    text.take("-")
    deep = next((depth for depth in DEEP if kind in ("ResNet", "WideResNet") and text.take(depth)), None)
    if deep is not None:
        if wide:
            text.expect("*")
        return BottleneckArchitecture(DEEP[deep], WIDTHS, _factor(text) if wide else 1)
    if wide:
        text.position = start
        return ResNetArchitecture(*_wide(text), kind)
    nu, channels = _depth(text, DEPTHS, WIDTHS)
    allowed = SHARED_A if not kind.startswith("Mg-") else {token: A for token, A in SHARED_A.items() if A == "A^l"}
    A, B = ("A^l" if kind.startswith("Mg-") else "A^{l,i}"), "B^{l,i}"
    if text.take("-"):
        token = text.choice((*allowed, *SHARED_B))
        A, B = allowed.get(token, A), SHARED_B.get(token, B)
        if token in allowed and text.take("-"):
            B = SHARED_B[text.choice(SHARED_B)]
    return ResNetArchitecture(nu, channels, kind, A, B)


def _wide(text: Scanner) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Blocks and channels per grid of 28*10, or [2,2]-[8,16]."""
    if text.text.startswith("[", text.position):
        return _depth(text, {}, ())
    start = text.position
    layers = text.integer("a number of layers", 10)
    if layers % 6 != 4:
        text.fail("6 n + 4 layers (10, 16, 22, 28, ...)", start)
    text.expect("*")
    factor = _factor(text)
    return ((layers - 4) // 6,) * 3, tuple(factor * c for c in WIDE)


def _factor(text: Scanner) -> int:
    return text.integer("a widening factor", 1)


def _depth(text: Scanner, depths: Depths, widths: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Layers and channels per grid of one of the depths, or of [2,2]-[8,16]."""
    depth = next((depth for depth in depths if text.take(depth)), None)
    if depth is not None:
        return depths[depth], widths
    if not text.text.startswith("[", text.position):
        known = (*depths, *(DEEP if depths is DEPTHS else ()))
        text.fail(f'{", ".join(known)} or "["' if known else '"["')
    nu = _numbers(text, "nu", least=1)
    text.expect("-")
    return nu, _per_grid(text, nu, lambda: text.integer("a channel count", 1))


def _numbers(text: Scanner, what: str, least: int) -> tuple[int, ...]:
    return _bracketed(text, lambda: text.integer(what, least))


def _bracketed(text: Scanner, read: Callable[[], Item]) -> tuple[Item, ...]:
    text.expect("[")
    items = _list(text, read)
    text.expect("]", '"," or "]"')
    return items


def _list(text: Scanner, read: Callable[[], Item]) -> tuple[Item, ...]:
    items = [read()]
    while text.take(","):
        items.append(read())
    return tuple(items)


def _width(text: Scanner) -> tuple[int, int]:
    if not text.take("("):
        c = text.integer("a channel count", 1)
        return c, c
    first = text.integer("c_u", 1)
    text.expect(",")
    second = text.integer("c_f", 1)
    text.expect(")")
    return first, second


def _growing(text: Scanner) -> tuple[int, int | tuple[int, ...]]:
    """k_0 and k of a DenseNet, or k_0 and (k_1, ..., k_nu)."""
    if not text.take("("):
        c = text.integer("a channel count", 1)
        return c, c
    first = text.integer("k_0", 1)
    text.expect(",")
    others = _list(text, lambda: text.integer("k", 1))
    text.expect(")")
    return first, others[0] if len(others) == 1 else others
