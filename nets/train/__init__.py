"""Training that can be repeated and resumed."""

from nets.train.checkpoint import CheckpointError, load
from nets.train.evaluation import Evaluation, evaluate
from nets.train.loop import TrainingError, TrainingResult, train
from nets.train.provenance import excluded_images, held_out
from nets.train.recipe import Recipe
from nets.train.recipes import RECIPES
from nets.train.signals import TrainingInterrupted

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
