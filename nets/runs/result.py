"""The result of `nets.train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nets.models.base import Network
from nets.training.dense_evaluation import DenseEvaluation
from nets.training.loop import Result


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """The result of a run.

    Attributes:
        model: the network after the last epoch, or with keep="best" after the best one (averaged weights where the
            recipe averages), in evaluation mode.
        evaluation: how it does on the test part: `Evaluation`, `MultiLabelEvaluation` where images have several
            labels, or `DenseEvaluation` of a `DenseDataset`.
        history: one row of numbers per epoch.
        checkpoint: the path of the last checkpoint, or None.
        validation: how it does on the validation part, where there is one.
        epoch: the epoch that the network is of.
        reason: why it is that one, such as "best validation accuracy, epoch 7 of 12; stopped: no better since epoch 7";
            "" for the last of all epochs.

    >>> result = train("MgNet[1]-[4]-B^l", "digits", epochs=1, limit_batches=1, progress=False)
    >>> result.model.training, result.checkpoint
    (False, None)
    """

    model: Network
    evaluation: Result
    history: list[dict[str, Any]]
    checkpoint: Path | None
    validation: Result | None = None
    epoch: int = 0
    reason: str = ""

    def __repr__(self) -> str:
        name, value = next(iter(self.evaluation.figures.items()))
        reached = f"{name}={value:.4f}, {len(self.history)} epochs" + (f", {self.reason!r}" if self.reason else "")
        return f"TrainingResult({type(self.model).__name__}, {reached}, checkpoint={self.checkpoint})"

    @property
    def accuracy(self) -> float:
        """Accuracy of `model` on the test part in [0, 1], of images or of points.

        Of several labels per image it is the share of images without a wrong one.
        """
        found = self.evaluation
        return found.pixel_accuracy if isinstance(found, DenseEvaluation) else found.accuracy

    @property
    def error(self) -> float:
        """Relative L2 error of `model` on the test part, of a regression."""
        if not isinstance(self.evaluation, DenseEvaluation):
            raise AttributeError("a classification has no relative error, which is that of a regression")
        return self.evaluation.relative_l2
