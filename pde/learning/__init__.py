"""Cycles of mgcore whose smoothers and transfers are trained, as torch modules.

Only the way to the solution is learned: the fixed point of every trained cycle is the discrete solution.
"""

from pde.learning.meta import MetaMultigrid
from pde.learning.trainable import TrainableMultigrid
from pde.learning.training import FitProgress, History

__all__ = ["FitProgress", "History", "MetaMultigrid", "TrainableMultigrid"]
