"""MgNet: image classifiers that are multigrid cycles with trained convolutions.

Its folders, from the top: cli, plot; runs, deploy, theorems; papers; training, inspect; models; naming, data; common.
Each imports those below it, `mgcore` and torch, never `pde`.

Equation numbers without a source are those of S19, He and Xu, Sci. China
Math. 62 (2019); N23 is He, Xu, Zhang, Zhu, Neural Networks 162 (2023).
"""

from pathlib import Path
from typing import Any

import nets.common.torch_import  # noqa: F401  first of all: says what to install where torch is missing
from mgcore.common.renamed import keep_old_names
from mgcore.common.version import installed_version
from nets import data
from nets.data.transform import Transform
from nets.deploy.export import Exported, ExportError, export
from nets.deploy.predict import Prediction, predict
from nets.deploy.timm_models import register_timm
from nets.inspect.cost import multiply_adds, parameters
from nets.inspect.memory import TrainingMemory, training_memory
from nets.inspect.summary import Summary, summary
from nets.models.base import FeatureInfo, FeatureInfos, Network
from nets.models.bottleneck import BottleneckNet
from nets.models.checkpoint import CheckpointError
from nets.models.create import create_model, is_model, list_models
from nets.models.densenet import DenseNet
from nets.models.feature_net import FeatureNet
from nets.models.freezing import freeze
from nets.models.mgnet import MgNet
from nets.models.mgno import MgNO
from nets.models.modes import train_mode
from nets.models.plain import PlainNet
from nets.models.resnet import ResNet
from nets.models.saved import save
from nets.models.vmgnet import VMgNet
from nets.models.weights import load
from nets.naming.bottleneck_config import BottleneckConfig
from nets.naming.densenet_config import DenseNetConfig
from nets.naming.grammar import (
    Architecture,
    BottleneckArchitecture,
    DenseNetArchitecture,
    MgNOArchitecture,
    PlainArchitecture,
    ResNetArchitecture,
    parse,
)
from nets.naming.mgnet_config import MgNetConfig
from nets.naming.mgno_config import MgNOConfig
from nets.naming.plain_config import PlainConfig
from nets.naming.resnet_config import ResNetConfig
from nets.runs import TrainingResult, directory, export_hub, train
from nets.training import (
    DenseEvaluation,
    Evaluation,
    MultiLabelEvaluation,
    Recipe,
    TrainingError,
    TrainingInterrupted,
    evaluate,
)

__all__ = [
    "Architecture",
    "BottleneckArchitecture",
    "BottleneckConfig",
    "BottleneckNet",
    "CheckpointError",
    "DenseEvaluation",
    "DenseNet",
    "DenseNetArchitecture",
    "DenseNetConfig",
    "Evaluation",
    "ExportError",
    "Exported",
    "FeatureInfo",
    "FeatureInfos",
    "FeatureNet",
    "MgNO",
    "MgNOArchitecture",
    "MgNOConfig",
    "MgNet",
    "MgNetConfig",
    "MultiLabelEvaluation",
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
    "export_hub",
    "freeze",
    "is_model",
    "list_models",
    "load",
    "multiply_adds",
    "parameters",
    "parse",
    "predict",
    "register_timm",
    "save",
    "summary",
    "train",
    "train_mode",
    "training_memory",
]

__version__ = installed_version()

_MODULES_OF_MODELS = ("activations", "densenet", "iterations", "mgnet", "operators", "plain", "resnet", "vmgnet")
keep_old_names(
    {
        "nets.bottleneck": "nets.papers.bottleneck",
        # pickled networks, names and costs name these
        **{f"nets.{name}": f"nets.models.{name}" for name in _MODULES_OF_MODELS},
        "nets.network": "nets.models.base",
        "nets.states": "nets.models.state_dict_checks",
        "nets.transform": "nets.data.transform",
        "nets.config": "nets.naming.mgnet_config",
        "nets.resnet_config": "nets.naming.resnet_config",
        "nets.notation": "nets.naming.grammar",
        "nets.memory": "nets.inspect.memory",
    },
    until="0.3",
)


def _draw_history(history: list[dict[str, Any]], path: Path) -> None:
    from nets import plot  # which needs matplotlib

    plot.learning_curve(history, path)


def _draw_predictions(evaluation: DenseEvaluation, path: Path) -> None:
    from nets import plot

    plot.predictions(evaluation, path)


directory.draw_history = _draw_history
directory.draw_predictions = _draw_predictions


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
