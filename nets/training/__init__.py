"""Training of networks: the loop, steps, recipes, schedule, optimizer, evaluation, distribution over processes.

`loop.train_epochs` knows no folder; `nets.runs` keeps what a run gives, and has `nets.train`.
"""

from nets.training.dense_evaluation import DenseEvaluation
from nets.training.evaluation import Evaluation, evaluate
from nets.training.loop import TrainingError
from nets.training.multilabel import MultiLabelEvaluation
from nets.training.recipe import Recipe
from nets.training.recipes import RECIPES
from nets.training.signals import TrainingInterrupted

__all__ = [
    "RECIPES",
    "DenseEvaluation",
    "Evaluation",
    "MultiLabelEvaluation",
    "Recipe",
    "TrainingError",
    "TrainingInterrupted",
    "evaluate",
]
