"""How far two networks are apart."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mgcore.level import difference


def largest(a: Sequence[Tensor | None], b: Sequence[Tensor | None]) -> float:
    """Largest difference on any grid relative to the largest value on any; None is zero."""
    gaps, sizes = [0.0], [0.0]
    for v, w in zip(a, b, strict=True):
        gap = difference(v, w)
        gaps += [] if gap is None else [float(gap.abs().max())]
        sizes += [float(t.abs().max()) for t in (v, w) if t is not None]
    return max(gaps) / max(sizes) if max(sizes) > 0 else max(gaps)
