"""Cycles of mgcore whose smoothers and transfers are trained, as torch modules.

Only the way to the solution is learned: the fixed point of every trained cycle is the discrete solution.
"""

from pde.common.arrays import import_torch

import_torch("pde.learning")  # first of all: says what to install where torch is missing

from pde.learning.meta import MetaMultigrid  # noqa: E402
from pde.learning.trainable import TrainableMultigrid  # noqa: E402
from pde.learning.training import FitProgress, History  # noqa: E402

__all__ = ["FitProgress", "History", "MetaMultigrid", "TrainableMultigrid"]
