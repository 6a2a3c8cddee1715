"""MgNet: image classifiers that are multigrid cycles with trained convolutions.

Imports `mgcore` and torch, never `pde`. Equation numbers without a source are those of S19, He and Xu, Sci. China
Math. 62 (2019); N23 is He, Xu, Zhang, Zhu, Neural Networks 162 (2023).
"""

from mgcore.modules import show_module
from nets import data
from nets.config import MgNetConfig
from nets.cost import multiply_adds, parameters
from nets.densenet import DenseNet, DenseNetConfig
from nets.exporting import Exported, ExportError, export
from nets.memory import TrainingMemory, training_memory
from nets.mgnet import MgNet
from nets.network import FeatureInfo, Network
from nets.notation import Architecture, DenseNetArchitecture, PlainArchitecture, ResNetArchitecture, parse
from nets.plain import PlainConfig, PlainNet
from nets.prediction import Prediction, predict
from nets.resnet import ResNet
from nets.resnet_config import ResNetConfig
from nets.summary import Summary, summary
from nets.train import (
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
from nets.transform import Transform
from nets.vmgnet import VMgNet
from nets.zoo import create_model, list_models

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


def __dir__() -> list[str]:
    return __all__


show_module(summary, "nets.summary")
show_module(train, "nets.train")
