"""The ResNet family: networks in data space, in the loop of `mgcore` with the residual r as the only state."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from nets.data_level import DataLevel
from nets.network import Network
from nets.operators import convolution, lists, normalisation
from nets.resnet_config import ResNetConfig

Map = Callable[[Tensor], Tensor]


class ResNet(Network):
    """The network of a configuration: stem, blocks over the grids, head.

    Convolutions live once and batch norms once per use, in lists by grid (finest first): `A[l]` and `B[l]` hold one
    module per block or one for all of them, `norm_1[l][i]` and `norm_2[l][i]` are those of block i. `B_0[l - 1]`,
    `R[l - 1]` and `norm_R[l - 1]` lead to grid l; block 0 of that grid is the transition.

    In "ResNet" batch norm follows each convolution; in the other kinds it precedes each activation of a block, and
    there is none on R nor in the stem.
    """

    config: ResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(
            config,
            config.channels[0],
            config.channels[-1],
            stem_norm=config.batch_norm and config.kind == "ResNet",
        )
        nu, c, dims, after = config.nu, config.channels, config.dims, config.kind == "ResNet"
        steps = range(1, len(nu))

        def norm(channels: int, needed: bool = True) -> nn.Module:
            return normalisation(dims, channels, enabled=config.batch_norm and needed)

        self.A = lists(_count_A(config), lambda l: convolution(dims, c[l], c[l]))
        self.B = lists(_count_B(config), lambda l: convolution(dims, c[l], c[l]))
        self.norm_1 = nn.ModuleList(
            nn.ModuleList(norm(c[l - 1] if l > 0 and i == 0 and not after else c[l]) for i in range(nu[l]))
            for l in range(len(nu))
        )
        self.norm_2 = lists(nu, lambda l: norm(c[l]))
        self.R = nn.ModuleList(convolution(dims, c[l - 1], c[l], stride=2, size=1) for l in steps)
        self.norm_R = nn.ModuleList(norm(c[l], after) for l in steps)
        if not _restrict_first(config):
            self.B_0 = nn.ModuleList(convolution(dims, c[l - 1], c[l], stride=2) for l in steps)
        self.head = self.new_head(config.num_classes)

    @property
    def levels(self) -> list[DataLevel]:
        """The grids as levels in data space, finest first; a level's pool is block 0 of the next coarser grid."""
        nu = self.config.nu
        return [
            DataLevel(
                steps=[self._block(l, i) for i in range(0 if l == 0 else 1, nu[l])],
                pool=self._block(l + 1, 0) if l + 1 < len(nu) else None,
            )
            for l in range(len(nu))
        ]

    def _block(self, l: int, i: int) -> Map:
        return self._block_after(l, i) if self.config.kind == "ResNet" else self._block_before(l, i)

    def _block_after(self, l: int, i: int) -> Map:
        """r -> s(R r + A s(B r)), (7.8), with R the identity within a grid; batch norm after each convolution."""
        s, A, B, norm_1, norm_2 = self._parts(l, i)
        down, first = l > 0 and i == 0, _restrict_first(self.config)

        def block(r: Tensor) -> Tensor:
            q = self.norm_R[l - 1](self.R[l - 1](r)) if down else r
            return s(q + norm_2(A(s(norm_1(B(q if first else r))))))

        return block

    def _block_before(self, l: int, i: int) -> Map:
        """r -> R r + A s(B s(r)), (7.9), or with minus (8.1), or R s(r) - A s(B s(r)), (8.3), (8.6).

        R is the identity within a grid; s includes the batch norm before it.
        """
        s, A, B, norm_1, norm_2 = self._parts(l, i)
        down, first, sign = l > 0 and i == 0, _restrict_first(self.config), _sign(self.config)
        s_before = self.s[l - 1] if down else s
        activated = self.config.kind in ("sigma-ResNet", "Mg-ResNet") or (down and first)

        def block(r: Tensor) -> Tensor:
            a = s_before(norm_1(r))
            q = a if activated else r
            q = self.R[l - 1](q) if down else q
            d = A(s(norm_2(B(q if down and first else a))))
            return q + d if sign > 0 else q - d

        return block

    def _parts(self, l: int, i: int) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module, nn.Module]:
        """s, A, B and the two batch norms of block i on grid l."""
        A, B, first = self.A[l], self.B[l], _restrict_first(self.config)
        if l > 0 and i == 0 and not first:
            kernel = self.B_0[l - 1]
        else:
            kernel = B[0] if len(B) == 1 else B[i if l == 0 or first else i - 1]
        return self.s[l], A[0] if len(A) == 1 else A[i], kernel, self.norm_1[l][i], self.norm_2[l][i]  # type: ignore


def _sign(config: ResNetConfig) -> int:
    """The sign of A s(B s(r)): plus in (7.9), minus where the papers derive the step from f - A u."""
    return 1 if config.kind == "pre-act ResNet" else -1


def _restrict_first(config: ResNetConfig) -> bool:
    """Whether R comes before the first block of a grid: the "tables" reading of shared B, without B^{l,0}."""
    return config.sharing == "tables" and config.B == "B^l"


def _count_A(config: ResNetConfig) -> list[int]:
    """Convolutions A per grid; on the finest grid "tables" shares nothing where B is shared."""
    return [n if config.A == "A^{l,i}" or (l == 0 and _restrict_first(config)) else 1 for l, n in enumerate(config.nu)]


def _count_B(config: ResNetConfig) -> list[int]:
    """Convolutions B per grid, the strided B^{l,0} apart."""
    if _restrict_first(config):
        return [n if l == 0 else 1 for l, n in enumerate(config.nu)]
    own = [n if l == 0 else n - 1 for l, n in enumerate(config.nu)]
    return own if config.B == "B^{l,i}" else [min(n, 1) for n in own]
