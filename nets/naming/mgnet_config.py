"""An MgNet, V-MgNet or GDFI as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nets.common.checks import check_choices
from nets.naming.grammar import NONLINEAR, PI, SCHEMES, Architecture
from nets.naming.scanner import EXAMPLE
from nets.naming.settings import Settings, check_settings, settle_grids, settle_post, settle_text
from nets.naming.values import check_iteration

CHOICES: dict[str, tuple[Any, ...]] = {
    "extractor": ("constant", "scaled", "variable"),
    "pi": tuple(PI.values()),
    "transfers": ("trained", "bilinear", "linear", "average", "maximum"),
    "transfer_activation": (True, False),
    "norm": ("inside", "after"),
    "family": ("MgNet", "GDFI", "V-MgNet"),
    "A": (*SCHEMES, NONLINEAR),
    "B": SCHEMES,
    "form": ("auto", "residual", "feature"),
    "sharing": ("literal",),
}
_MGNET: dict[str, tuple[str, ...]] = {"A": ("K", NONLINEAR), "B": ("sigma.K.sigma",), "norm": ("inside",)}
ALLOWED: dict[str, dict[str, tuple[str, ...]]] = {
    "MgNet": _MGNET,
    "V-MgNet": _MGNET | {"input": ("cifar",), "transfers": ("trained", "bilinear", "linear")},
    "GDFI": {"A": SCHEMES, "extractor": ("variable",), "pi": ("1",)},
}
"""Settings that a family leaves open."""
DEFAULTS: dict[str, dict[str, Any]] = {
    "MgNet": {},
    "V-MgNet": {},
    "GDFI": {"transfer_activation": False, "norm": "after"},
}
"""Settings of a family that differ from the defaults of `MgNetConfig`."""


@dataclass(frozen=True)
class MgNetConfig(Settings):
    """An MgNet (Algorithm 3) as plain values; `notation` is the papers' name of its architecture.

    Args:
        nu: sweeps per grid, finest first.
        nu_post: sweeps per grid on the way up of V-MgNet (6.16), the coarsest grid left out; None is as many as down.
        channels_u, channels_f: channels c_u of the features and c_f of the data, per grid.
        extractor: "constant" B^l, "scaled" alpha_i B^l with trained scalars alpha_i, "variable" B^{l,i} (section 6.5).
        pi: "0" Pi = 0, "1" a trained convolution, "2" one kernel for all channels (section 9.1); or fixed: "nodal"
            values (4.17), means "average" (4.15) and "bilinear", "maximum" (4.16), which keep constants and u >= 0 and
            have no batch norm.
        transfers: R and Pi_1 "trained", or fixed: the kernels "bilinear" (4.13), "linear" (4.14), "average" (4.15), or
            "maximum" (4.16), not in V-MgNet, as the last two are no transpose of an interpolation.
        transfer_activation: whether s follows R and Pi; the papers write them without, practice has it. u >= 0 holds on
            every grid with it, with Pi_0, and with such a fixed Pi.
        norm: "inside", sigma is s after batch norm, or "after", batch norm follows every convolution.
        family: "MgNet"; "V-MgNet", Algorithm 4, with the way back up; or "GDFI", where A and B are any of 16 schemes.
        A: "K" a convolution; "K.sigma", "sigma.K", "sigma.K.sigma" in GDFI; "xi.sigma.eta" in MgNet, nonlinear, with
            eta: c_u -> c_f and xi: c_f -> c_f. A batch norm in A is one per iterate u^{l,i}.
        B: "sigma.K.sigma" (section 6.5); in GDFI also the other schemes.
        iteration: "single" (6.7), "multi-step" (6.8) or "chebyshev" (6.9), see `nets.naming.values`.
        form: "residual" (8.1), for linear A, or "feature", Algorithm 3 to the letter; the same function to rounding.
            "auto" becomes "residual" where A is linear, else "feature".
        sharing: "literal", as Algorithm 3 says.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> MgNetConfig(nu=(2, 1), channels_u=(8, 8), channels_f=(8, 8)).notation
    'MgNet[2,1]-[8]-B^l'
    """

    Architecture: ClassVar[Any] = Architecture
    title: ClassVar[str] = "an MgNet, V-MgNet or GDFI"
    settled: ClassVar[tuple[str, ...]] = ("form",)

    nu: tuple[int, ...]
    channels_u: tuple[int, ...]
    channels_f: tuple[int, ...]
    extractor: str = "constant"
    pi: str = "1"
    transfers: str = "trained"
    transfer_activation: bool = True
    iteration: str = "single"
    form: str = "auto"
    sharing: str = "literal"
    norm: str = "inside"
    family: str = "MgNet"
    A: str = "K"
    B: str = "sigma.K.sigma"
    nu_post: tuple[int, ...] = None  # type: ignore[assignment]  # settled in __post_init__

    def __post_init__(self) -> None:
        settle_grids(self, EXAMPLE, "channels_u", "channels_f", least=0)
        check_choices(self, CHOICES)
        settle_post(self, self.nu[:-1] if self.family == "V-MgNet" else ())
        _check_sweeps(self)
        _check_transfers(self)
        _check_family(self)
        check_settings(self)
        settle_text(self, "iteration")
        check_iteration(self.iteration, self.nu, self.nu_post)
        _settle_form(self)

    @classmethod
    def defaults(cls, architecture: Architecture) -> dict[str, Any]:
        """The defaults of its family."""
        return DEFAULTS[architecture.family]

    @property
    def normed_everywhere(self) -> bool:
        """Tell whether a norm follows every convolution that could have a bias; no norm follows B: K inside GDFI."""
        return super().normed_everywhere and (self.norm == "after" or self.B.startswith("sigma"))

    @property
    def linear(self) -> bool:
        """Tell whether A is a linear map: a convolution alone."""
        return self.A == "K" and not (self.batch_norm and self.norm == "after")


def _check_sweeps(config: MgNetConfig) -> None:
    """A network without a sweep before its output would be zero, or Pi would act on zero alone."""
    name, sweeps = (f"nu[{len(config.nu) - 1}]", config.nu[-1]) if config.pi == "0" else ("nu[0]", config.nu[0])
    if sweeps == 0:
        raise ValueError(f'{name} must be at least 1 where pi="{config.pi}", since u is zero before it; got 0')


def _check_family(config: MgNetConfig) -> None:
    for name, values in ALLOWED[config.family].items():
        if getattr(config, name) not in values:
            choices = " or ".join(map(repr, values))
            raise ValueError(f'{name} must be {choices} in the family "{config.family}"; got {getattr(config, name)!r}')


def _settle_form(config: MgNetConfig) -> None:
    if config.form == "auto":
        object.__setattr__(config, "form", "residual" if config.linear else "feature")
    if config.form == "residual" and not config.linear:
        raise ValueError(
            f'form must be "auto" or "feature" where A={config.A!r}, batch_norm={config.batch_norm} and '
            f'norm="{config.norm}", since the residual form needs a linear A; got "residual"'
        )


def _check_transfers(config: MgNetConfig) -> None:
    fixed, kind = config.transfers != "trained", f'transfers="{config.transfers}"'
    fixed_pi = config.pi not in ("0", "1", "2")
    if fixed and config.pi == "2":
        raise ValueError(f'{kind} fixes Pi, and pi="2" trains it: use pi="0" or "1", or transfers="trained"')
    if config.transfers == "linear" and config.dims != 2:
        raise ValueError(f'transfers must be "trained" or "bilinear" where dims={config.dims}; got "linear", (4.14)')
    if config.pi == "2" or fixed_pi or (fixed and (config.pi == "1" or config.family == "V-MgNet")):
        _check_constant("channels_u", config.channels_u, kind if config.pi in "01" else f"Pi_{config.pi}")
    if fixed:
        _check_constant("channels_f", config.channels_f, kind)


def _check_constant(name: str, channels: tuple[int, ...], why: str) -> None:
    if len(set(channels)) > 1:
        raise ValueError(f"{name} must be equal on all grids for {why}, which keeps the channels; got {channels}")
