"""An MgNO as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from nets.common.checks import check_choices, check_integer
from nets.naming.grammar import MgNOArchitecture
from nets.naming.settings import Settings, check_settings, settle_grids, settle_post

CHOICES: dict[str, tuple[Any, ...]] = {
    "form": ("auto", "residual", "published"),
    "input": ("cifar",),
    "batch_norm": (False,),
}


@dataclass(frozen=True)
class MgNOConfig(Settings):
    """A multigrid neural operator (MgNO) as plain values; `notation` is its name, such as "MgNO[1,1,2]-[24]".

    Args:
        nu: sweeps per grid, finest first, the same in all layers.
        channels: channels of v and of u on the finest grid, and of u and f on the coarser ones.
        nu_post: sweeps per grid on the way up, the coarsest grid left out; None is no sweeps.
        layers: layers v <- s(W v + K v).
        form: of W, "residual", R(f - A u) from u = 0 on every grid, with one A; or "published", R f and Pi u, with an A
            per sweep, a P of 4 pixels per axis and no sweeps on the way up. "auto" is "residual".
        activation: s, the same in all layers.
        batch_norm, bias, stem: False and "default" alone: W is linear, K has a bias, and there is no stem.

    Raises:
        TypeError, ValueError: naming the argument, what came and what is allowed.

    >>> MgNOConfig(nu=(1, 2), channels=(8, 8), form="published").notation
    'MgNO[1,2]-[8]'
    """

    Architecture: ClassVar[Any] = MgNOArchitecture
    title: ClassVar[str] = "an MgNO"
    same_function: ClassVar[tuple[str, ...]] = ("num_classes",)
    kind_of_network: ClassVar[str] = "MgNO"

    nu: tuple[int, ...]
    channels: tuple[int, ...]
    nu_post: tuple[int, ...] = None  # type: ignore[assignment]  # settled in __post_init__
    layers: int = 4
    form: str = "auto"
    activation: str = field(default="gelu", kw_only=True)
    batch_norm: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        settle_grids(self, "MgNO[1,1,2]-[24]", "channels", least=0)
        settle_post(self, (0,) * (len(self.nu) - 1))
        check_integer("layers", self.layers, 1)
        check_choices(self, CHOICES)
        check_choices(self, {"bias": (False,), "stem": ("default",)}, " in an MgNO, which has no stem and a linear W")
        check_settings(self, activations=1)
        if self.form == "auto":
            object.__setattr__(self, "form", "residual")
        _check_sweeps(self)

    @property
    def stem_channels(self) -> int:
        """Channels of the input: there is no stem."""
        return self.in_channels


def _check_sweeps(config: MgNOConfig) -> None:
    """Refuse a grid without the sweeps in which f is read, and sweeps that the published form has not."""
    published = config.form == "published"
    for l in range(len(config.nu)) if published else [len(config.nu) - 1]:
        if config.nu[l] == 0:
            raise ValueError(f'nu[{l}] must be at least 1 where form="{config.form}", or its f is not read; got 0')
    if published and any(config.nu_post):
        raise ValueError(f'nu_post must be zeros or None where form="published"; got {config.nu_post}')
