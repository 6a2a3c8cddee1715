"""record.json: description, progress and result of a run, written before the first batch and after every epoch."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from nets.common.checked_file import write_atomically
from nets.data import Data, DenseDataset
from nets.inspect.cost import multiply_adds, parameters
from nets.models.replaced import replaced_modules
from nets.runs import environment, provenance
from nets.runs.environment import now
from nets.runs.resume import Run
from nets.training.average import RULE
from nets.training.dense_evaluation import DenseEvaluation
from nets.training.loop import Result
from nets.training.multilabel import MultiLabelEvaluation
from nets.training.objective import FIGURES

FILE = "record.json"
FORMAT = "mgnet-multigrid record 1"
MULTILABEL = "multi-label"


def describe(run: Run, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Describe what does not change in a run, as plain values; `recipe` has its name, its source and the overrides."""
    # runs of earlier versions, which lack the rule, had no warm-up
    averaging = {} if run.training.average is None else {"averaging_decay": RULE}
    data, config = run.training.whole, run.training.model.config
    files = [file._asdict() for file in data.source]
    return {
        "model": config.notation,
        "settings": config.settings(),
        "parameters": parameters(run.training.model),
        "multiply_adds": multiply_adds(run.training.model, data.train_images.shape[1:]),
        "data": {
            "name": data.name,
            "split": data.split,
            "train": len(run.training.data.train_labels),
            "validation": len(run.training.data.test_labels) if run.training.recipe.val_fraction else 0,
            "test": len(data.test_labels),
            "excluded": {part: len(images) for part, images in data.excluded.items() if images},
            **({"skipped": list(data.skipped)} if data.skipped else {}),
            "classes": list(data.class_names),
            **_targets(data),
            "files": files,
            "folder": provenance.folder(data),
        },
        "modules": replaced_modules(run.training.model),
        "frozen": run.frozen,
        "initial": run.initial,
        "recipe": {
            "name": recipe["name"],
            "source": recipe["source"],
            **asdict(run.asked),
            **averaging,
        },
        "overrides": recipe["overrides"],
        **({} if run.precision is None else {"precision": run.precision._asdict()}),
        **({"continued": run.continued} if run.continued else {}),
        "seed": run.training.seed,
        **circumstances(run),
        "started": run.started,
    }


def _targets(data: Data) -> dict[str, str]:
    """The kind of the targets, where they are not one class per image."""
    if isinstance(data, DenseDataset):
        return {"targets": data.kind}
    return {"targets": MULTILABEL} if data.is_multilabel else {}


def circumstances(run: Run) -> dict[str, Any]:
    """Describe this process."""
    return {
        "command": environment.command(),
        "commit": environment.commit(),
        "versions": environment.versions(),
        "hardware": {**environment.hardware(run.training.device), "processes": run.training.ranks.count},
        "process": {"id": os.getpid(), "host": platform.node()},
    }


def resume(path: Path, run: Run) -> dict[str, Any]:
    """Read the record of a run that is resumed: its first process, and the processes that resumed it."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        kept = {name: before[name] for name in ("command", "commit", "versions", "hardware", "process")}
        resumed = [*before.get("resumed", ()), {"from_step": run.training.step, "at": now(), **circumstances(run)}]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # lost: the checkpoint has all that is needed
        return {}
    return {**kept, "resumed": resumed}


def progress(run: Run) -> dict[str, Any]:
    """The entries that change: the time of this entry, and the progress of the run."""
    return {
        "written": now(),
        "epoch": run.training.epoch,
        "step": run.training.step,
        "seconds": run.training.seconds,
        "compile_seconds": run.training.compile_seconds,
        "history": run.training.history,
    }


def result(run: Run, evaluation: Result) -> dict[str, Any]:
    """The result on the test part, with the epoch that the network is of."""
    if isinstance(evaluation, DenseEvaluation):
        more: dict[str, Any] = {} if evaluation.is_regression else {"per_class": evaluation.iou}
    elif isinstance(evaluation, MultiLabelEvaluation):
        mean = evaluation.mean_average_precision
        more = {"mean_average_precision": mean, "per_class": evaluation.average_precision}
    else:
        more = {"top5": evaluation.top5, "auc": evaluation.auc, "per_class": evaluation.per_class}
        more |= {"ece": evaluation.ece, "nll": evaluation.nll}
    training = run.training
    averaged = ["averaged weights"] if training.average is not None else []
    best = [f"best validation {FIGURES[training.best.figure].words}"] if training.best.weights is not None else []
    which = ", ".join(averaged + best) or "last epoch"
    return {"which": which, "epoch": training.kept_epoch, **evaluation.figures, **more}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """JSON without NaN and infinity, which it does not have: null stands for them."""
    text = json.dumps(_plain(content), indent=1, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8; bytes of paths that are not UTF-8 are escaped as JSON reads them back."""
    write_atomically(path, text.encode(errors="backslashreplace"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value
