"""Pictures: residual histories, solutions, observed order, smoothing, symbols. Each writes a file, returns its path."""

from pde.plot.damping import smoothing
from pde.plot.histories import convergence, history, order
from pde.plot.solutions import solution
from pde.plot.symbols import symbol

__all__ = ["convergence", "history", "order", "smoothing", "solution", "symbol"]
