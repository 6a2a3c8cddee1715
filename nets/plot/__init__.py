"""Pictures: a network as a cycle over its levels, its steps as block diagrams, its features for an image, runs.

Matplotlib is imported here alone. Numbers about a network are in `nets.inspect`, tables of runs in `nets.runs`.
"""

from nets.plot.dense import predictions
from nets.plot.diagrams import steps
from nets.plot.levels import features, kernels, on_grids
from nets.plot.network import cycle
from nets.plot.results import calibration, confusion_matrix, learning_curve, misclassified, roc
from nets.plot.runs import accuracy_parameters, accuracy_time, learning_curves

__all__ = [
    "accuracy_parameters",
    "accuracy_time",
    "calibration",
    "confusion_matrix",
    "cycle",
    "features",
    "kernels",
    "learning_curve",
    "learning_curves",
    "misclassified",
    "on_grids",
    "predictions",
    "roc",
    "steps",
]
