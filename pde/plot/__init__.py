"""Pictures: residual histories, solutions, observed order, smoothing, symbols.

Each function writes a file and returns its path, `solution` its figure. Nothing here solves or predicts: results are
arguments.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     figure, axes = solution(pde.Poisson(7), [0.1] * 7, f"{folder}/u.png")
>>> axes.get_ylabel()
'u'
"""

from pde.plot.damping import smoothing
from pde.plot.histories import convergence, history, order
from pde.plot.solutions import solution
from pde.plot.symbols import symbol

__all__ = ["convergence", "history", "order", "smoothing", "solution", "symbol"]
