"""How networks are trained: recipes, optimizer, steps, evaluation, several processes.

What a run keeps on disk is in `nets.runs`.
"""

from nets.runs.checkpoint import CheckpointError, load
from nets.runs.loop import TrainingError, TrainingResult, train
from nets.runs.provenance import excluded_images, held_out
from nets.training.evaluation import Evaluation, evaluate
from nets.training.recipe import Recipe
from nets.training.recipes import RECIPES
from nets.training.signals import TrainingInterrupted

__all__ = [
    "RECIPES",
    "CheckpointError",
    "Evaluation",
    "Recipe",
    "TrainingError",
    "TrainingInterrupted",
    "TrainingResult",
    "evaluate",
    "excluded_images",
    "held_out",
    "load",
    "train",
]
