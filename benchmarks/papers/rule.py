"""The rule by which a claim is decided; it was written before the first run.

A claim compares two networks, a and b, trained with the same seeds: s decides the order of the images, their
augmentation and the initial weights. Let d_s be the test accuracy of a less that of b after the last epoch, in
percentage points, and I the 95 % interval of their mean by Student's t: mean +- t(0.975, n - 1) D / sqrt(n), where D is
their standard deviation.

- "better": a is better than b. Supported where I > 0, contradicted where I < 0.
- "as good": a loses nothing to b that counts: at most MARGIN. Supported where I > -MARGIN, contradicted where
  I < -MARGIN.

Otherwise the two cannot be told apart. A run that diverges counts as chance. Three seeds are run for every claim, then
five; the verdict is that of all seeds that both networks have. No run is left out, and no setting is changed after a
look at results. Every claim has its own interval: of twenty true differences of zero, one is expected outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

from scipy.stats import t

MARGIN = 1.0
"""Percentage points that count, of "as good"."""
LEAST = 3
"""Seeds without which there is no verdict."""
KINDS = ("better", "as good")
SUPPORTED, CONTRADICTED, OPEN, FEW = "supported", "contradicted", "cannot be told apart", "too few seeds"


class Verdict(NamedTuple):
    """Mean difference and interval in percentage points, and the words."""

    n: int
    mean: float
    low: float
    high: float
    words: str


def decide(kind: str, a: Mapping[int, float], b: Mapping[int, float]) -> Verdict:
    """Decide a claim by the accuracies in percent of both networks by seed.

    >>> decide("better", {0: 70.0, 1: 71.0, 2: 72.0}, {0: 60.0, 1: 61.0, 2: 62.5}).words
    'supported'

    Raises:
        ValueError: for another kind than "better" and "as good".
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}; got {kind!r}")
    differences = [a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())]
    n = len(differences)
    if n == 0:
        return Verdict(0, float("nan"), float("nan"), float("nan"), FEW)
    mean = sum(differences) / n
    if n < LEAST:
        return Verdict(n, mean, float("nan"), float("nan"), FEW)
    deviation = sqrt(sum((d - mean) ** 2 for d in differences) / (n - 1))
    half = float(t.ppf(0.975, n - 1)) * deviation / sqrt(n)
    low, high = mean - half, mean + half
    line = 0.0 if kind == "better" else -MARGIN
    words = SUPPORTED if low > line else CONTRADICTED if high < line else OPEN
    return Verdict(n, mean, low, high, words)
