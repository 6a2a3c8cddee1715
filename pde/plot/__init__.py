"""Pictures: residual histories, solutions, observed order, smoothing, symbols.

Each function writes a file and returns its path. Nothing here solves or predicts: that is handed in.
"""

from pde.plot.damping import smoothing
from pde.plot.histories import convergence, history, order
from pde.plot.solutions import solution
from pde.plot.symbols import symbol

__all__ = ["convergence", "history", "order", "smoothing", "solution", "symbol"]
