"""The theorems that connect the networks, as functions that measure how far the two sides are apart.

Each takes networks in evaluation mode and images and returns the largest deviation on any grid, relative to the larger
side; `THEOREMS` holds them with random networks. `python -m nets theorems` prints them.

>>> import torch
>>> model = random_network("MgNet[2,2]-[4]-B^l", seed=0)  # in float64
>>> theorem_8_1(model, torch.ones(1, 3, 8, 8, dtype=torch.float64)) < 1e-12
True
"""

from nets.theorems.cases import LIMITS, THEOREMS, random_network, run
from nets.theorems.feature_maps import average_is_a_grid, circular_shifts, constants_kept, negative_features
from nets.theorems.multigrid import lemma_4_1, theorem_6_1, theorem_6_1_v, two_jacobi_steps
from nets.theorems.nonlinear import beyond_theorem_6_1, theorem_6_1_nonlinear
from nets.theorems.plain import FixedXiMgNet, as_mgnet, as_plain_cnn, as_sequential, fixed_xi, theorem_8_3
from nets.theorems.pooling import appendix_a, responses, restricted_is_dilated, strided_is_subsampled
from nets.theorems.residuals import (
    chebyshev_is_lm_resnet,
    gdfi_is_mgnet,
    lm_resnet,
    multi_step_is_dense,
    residual_form,
    residual_levels,
    theorem_4_1,
    theorem_8_1,
    with_form,
)
from nets.theorems.resnets import (
    iresnet_is_mgnet,
    lemma_8_2,
    negated,
    shared_A,
    sign_of_A,
    skip_activation,
    wide_levels,
)
from nets.theorems.unet import UNet, unet_is_v_mgnet, unet_levels

__all__ = [
    "LIMITS",
    "THEOREMS",
    "FixedXiMgNet",
    "UNet",
    "appendix_a",
    "as_mgnet",
    "as_plain_cnn",
    "as_sequential",
    "average_is_a_grid",
    "beyond_theorem_6_1",
    "chebyshev_is_lm_resnet",
    "circular_shifts",
    "constants_kept",
    "fixed_xi",
    "gdfi_is_mgnet",
    "iresnet_is_mgnet",
    "lemma_4_1",
    "lemma_8_2",
    "lm_resnet",
    "multi_step_is_dense",
    "negated",
    "negative_features",
    "random_network",
    "residual_form",
    "residual_levels",
    "responses",
    "restricted_is_dilated",
    "run",
    "shared_A",
    "sign_of_A",
    "skip_activation",
    "strided_is_subsampled",
    "theorem_4_1",
    "theorem_6_1",
    "theorem_6_1_nonlinear",
    "theorem_6_1_v",
    "theorem_8_1",
    "theorem_8_3",
    "two_jacobi_steps",
    "unet_is_v_mgnet",
    "unet_levels",
    "wide_levels",
    "with_form",
]
