"""Problems of the family, and cycles with random parameters."""

import numpy as np
import torch

import pde
from pde.learning import TrainableMultigrid

TENSOR = np.array([[1.0, 0.4], [0.4, 0.7]])
TENSOR_3D = np.eye(3) + 0.2 * np.ones((3, 3))


def problem(shape, full=False, **options):
    if full:
        options["coefficient"] = (TENSOR if len(shape) == 2 else TENSOR_3D).tolist()
    return pde.Poisson(shape, **options)


def module(problem, seed=0, size=0.1, **options):
    """Stencils at a random distance from damped Jacobi and bilinear transfers."""
    made = TrainableMultigrid(problem, omega=0.7, **options)
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += size * torch.randn(parameter.shape, generator=noise, dtype=torch.float64)
    return made


def values(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spacings(shape, longest=1.0):
    """The box on which a grid of this shape has the same spacing along all axes."""
    return [longest * (n + 1) / (max(shape) + 1) for n in shape]
