"""The theorems that connect the networks, as functions that measure how far the two sides are apart.

Each takes networks in evaluation mode and images and returns the largest deviation on any grid, relative to the larger
side; `THEOREMS` holds them with random networks. `python -m nets theorems` prints them.
"""

from nets.theorems.cases import THEOREMS, random_network, run
from nets.theorems.plain import FixedXiMgNet, as_mgnet, as_plain_cnn, fixed_xi, theorem_8_3
from nets.theorems.residuals import (
    chebyshev_is_lm_resnet,
    multi_step_is_dense,
    residual_form,
    residual_levels,
    theorem_8_1,
    with_form,
)
from nets.theorems.resnets import lemma_8_2, negated, shared_A, sign_of_A

__all__ = [
    "THEOREMS",
    "FixedXiMgNet",
    "as_mgnet",
    "as_plain_cnn",
    "chebyshev_is_lm_resnet",
    "fixed_xi",
    "lemma_8_2",
    "multi_step_is_dense",
    "negated",
    "random_network",
    "residual_form",
    "residual_levels",
    "run",
    "shared_A",
    "sign_of_A",
    "theorem_8_1",
    "theorem_8_3",
    "with_form",
]
