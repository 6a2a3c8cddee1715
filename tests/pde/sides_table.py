"""Which sides the tests combine, and boxes whose sides, sizes and coefficients are drawn at random."""

from itertools import product

import numpy as np
from hypothesis import strategies as st

from tests.pde.reference import SEEDS
from tests.pde.sides_reference import SIDES, make_box, smooth

SIZES = (1, 2, 3, 4, 5, 7, 8, 11, 16, 17)

TABLE = [
    *((kind,) for kind in SIDES),
    *product(SIDES, repeat=2),
    ("D", "N", "P"),
    ("P", "P", "P"),
    ("N", "N", "N"),
    ("R", "R", "R"),
    ("DN", "ND", "NR"),
    ("P", "RD", "N"),
    ("P", "N", "D"),
    ("R0", "P", "N"),
]

NAMES = ["/".join(kinds) for kinds in TABLE]

MIXED = [("D",) * 3, ("N",) * 3, ("P",) * 3, ("R",) * 3, ("DN", "N", "P"), ("DN", "RD", "NR"), ("N", "P", "D")]


def random_box(seed, kinds, cell, sizes=SIZES, reaction=None, stretch=None):
    """Everything that is not said is drawn: sizes, lengths, coefficients, stretching, reaction."""
    rng = np.random.default_rng(seed)
    ndim = len(kinds)
    sizes = [int(rng.choice(sizes if ndim < 3 else [n for n in sizes if n <= 7])) for _ in kinds]
    if stretch is None:
        stretch = smooth if rng.random() < 0.4 else None
    lengths, a = rng.choice([0.5, 1.0, 2.0], ndim), rng.choice([0.5, 1.0, 3.0], ndim)
    c = {"none": 0.0, "number": 2.5, "array": rng.uniform(0, 5, sizes)}[reaction or rng.choice(["none", "number"])]
    return make_box(kinds, sizes, cell, lengths=lengths, a=a, c=c, stretch=stretch), rng


@st.composite
def boxes_of_any_sides(draw, ndim=None):
    kinds = [draw(st.sampled_from(list(SIDES))) for _ in range(ndim or draw(st.integers(1, 3)))]
    return random_box(draw(SEEDS), kinds, draw(st.booleans()))[0]
