"""A run and what is kept of it: `nets.train`, its folder, records, reports, model cards.

The training loop is in `nets.training`, the checkpoint format in `nets.models.checkpoint`.
"""

from nets.runs.hub import export_hub
from nets.runs.provenance import excluded_images, held_out
from nets.runs.run import TrainingResult, train

__all__ = ["TrainingResult", "excluded_images", "export_hub", "held_out", "train"]
