"""MgNet: image classifiers that are multigrid cycles with trained convolutions.

Imports `mgcore` and torch, never `pde`. Equation numbers without a source are those of S19, He and Xu, Sci. China
Math. 62 (2019); N23 is He, Xu, Zhang, Zhu, Neural Networks 162 (2023).
"""

from mgcore.renamed import keep_old_names
from nets import data
from nets.data.transform import Transform
from nets.deploy.export import Exported, ExportError, export
from nets.deploy.predict import Prediction, predict
from nets.inspect.cost import multiply_adds, parameters
from nets.inspect.memory import TrainingMemory, training_memory
from nets.inspect.summary import Summary, summary
from nets.models.base import FeatureInfo, Network
from nets.models.densenet import DenseNet, DenseNetConfig
from nets.models.mgnet import MgNet
from nets.models.plain import PlainConfig, PlainNet
from nets.models.registry import create_model, list_models
from nets.models.resnet import ResNet
from nets.models.resnet_config import ResNetConfig
from nets.models.vmgnet import VMgNet
from nets.naming.config import MgNetConfig
from nets.naming.grammar import Architecture, DenseNetArchitecture, PlainArchitecture, ResNetArchitecture, parse
from nets.training import (
    CheckpointError,
    Evaluation,
    Recipe,
    TrainingError,
    TrainingInterrupted,
    TrainingResult,
    evaluate,
    load,
    train,
)

__all__ = [
    "Architecture",
    "CheckpointError",
    "DenseNet",
    "DenseNetArchitecture",
    "DenseNetConfig",
    "Evaluation",
    "ExportError",
    "Exported",
    "FeatureInfo",
    "MgNet",
    "MgNetConfig",
    "Network",
    "PlainArchitecture",
    "PlainConfig",
    "PlainNet",
    "Prediction",
    "Recipe",
    "ResNet",
    "ResNetArchitecture",
    "ResNetConfig",
    "Summary",
    "TrainingError",
    "TrainingInterrupted",
    "TrainingMemory",
    "TrainingResult",
    "Transform",
    "VMgNet",
    "create_model",
    "data",
    "evaluate",
    "export",
    "list_models",
    "load",
    "multiply_adds",
    "parameters",
    "parse",
    "predict",
    "summary",
    "train",
    "training_memory",
]

keep_old_names({"nets.bottleneck": "nets.papers.bottleneck"}, until="0.3")


def __dir__() -> list[str]:
    return __all__
