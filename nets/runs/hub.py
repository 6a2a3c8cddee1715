"""`export_hub` writes a network as a folder that the Hugging Face hub takes. Nothing is uploaded."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nets.common.checked_file import write_atomically
from nets.common.paths import make_folder
from nets.data import DenseTransform
from nets.inspect.cost import parameters
from nets.models import checkpoint as checkpoints
from nets.models.base import Network
from nets.models.replaced import replaced_modules
from nets.models.saved import CONFIG, WEIGHTS, content, save, without_path
from nets.models.weights import load
from nets.naming.lookup import own_settings
from nets.runs import record as records
from nets.runs.model_card import LICENCE, cell, model_card

CARD = "README.md"
TASKS = {"": "image-classification", "segmentation": "image-segmentation"}
"""The hub's names of tasks; it has none for values at every point of a grid."""


def export_hub(
    model: Network | str | os.PathLike[str], folder: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write config.json, model.safetensors and README.md, as the Hugging Face hub has them; `load` reads the folder.

    config.json holds the name and the settings of the network, its class names and the normalisation of its images,
    and the version of this package. No file names a folder of this machine, and nothing is uploaded.

    Args:
        model: a network, or the folder of a run or its checkpoint, whose record becomes the card, README.md.
        folder: where the files are written; it is made where there is none.
        overwrite: whether files of an earlier export are replaced.

    Raises:
        TypeError, ValueError: naming the argument; CheckpointError: the run cannot be read.

    >>> import tempfile
    >>> model = create_model("MgNet[1]-[4]-B^l", num_classes=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = sorted(path.name for path in export_hub(model, folder).iterdir())
    ...     again = load(folder)
    >>> files, again.config == model.config
    (['README.md', 'config.json', 'model.safetensors'], True)
    """
    path = checkpoints.path_of(folder, "folder")
    record: Mapping[str, Any] | None = None
    if not isinstance(model, Network):
        if not isinstance(model, str | os.PathLike):
            need = "a nets.Network, or the path of a run or its checkpoint"
            raise TypeError(f"model must be {need}; got {type(model).__name__}")
        record, model = _record_of(Path(model)), load(model)
    names = (checkpoints.FILE, checkpoints.PREVIOUS, *(() if overwrite else (CONFIG, WEIGHTS, CARD)))
    for file in (path / name for name in names):
        if file.exists():
            what = "belongs to a run" if file.suffix == ".pt" else "exists already"
            raise ValueError(f"folder: {file} {what}; choose another folder, or overwrite=True for an earlier export")
    make_folder("folder", path)
    config = content(model)
    save(model, path / WEIGHTS, overwrite=True)
    write_atomically(path / CONFIG, (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode())
    records.write_text(path / CARD, _front(model) + _card(model, record))
    return path


def _record_of(path: Path) -> dict[str, Any] | None:
    """Read the record of a run without the places of its files; None where there is none."""
    try:
        found = json.loads((path if path.is_dir() else path.parent).joinpath(records.FILE).read_text(encoding="utf-8"))
        if found["format"] != records.FORMAT or not (path.is_dir() or path.name == checkpoints.FILE):
            return None
        data = {**found["data"], "name": without_path(found["data"]["name"])}
        initial = found.get("initial") or {}
        if "from" in initial:
            initial = {**initial, "from": Path(initial["from"]).name}
        if "data" in initial:
            initial["data"] = without_path(initial["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {**found, "data": data, "initial": initial, "command": None}


def _front(model: Network) -> str:
    """The lines by which the hub files a model."""
    transform = model.transform
    targets = "regression" if isinstance(transform, DenseTransform) and transform.is_regression else "segmentation"
    task = TASKS.get(targets if model.dense else "")
    lines = ["---", "library_name: mgnet-multigrid", "tags:", "- mgnet", "- multigrid"]
    lines += [f"pipeline_tag: {task}"] if task and transform is not None else []
    return "\n".join([*lines, "---", ""])


def _card(model: Network, record: Mapping[str, Any] | None) -> str:
    replaced = replaced_modules(model)
    use = [
        "```python",
        "import nets      # pip install 'mgnet-multigrid[torch]'",
        "",
        f'model = nets.load("FOLDER"{", into=model" if replaced else ""})      # the folder with these files',
        "```",
    ]
    if replaced:
        use += ["", "Modules were replaced: make that network, and give it as `into=model`."]
    if record is not None:
        return model_card(record, use)
    config = model.config
    facts = {
        "parameters": f"{parameters(model):,}",
        "settings": ", ".join(f"{k} = {v}" for k, v in own_settings(config.notation, config.settings()).items()),
        "replaced modules": "; ".join(f"{name} is {words}" for name, words in replaced.items()),
        "classes": str(config.num_classes),
        "data": "" if model.transform is None else without_path(model.transform.data),
        "licence": LICENCE,
    }
    table = ["| | |", "|---|---|", *(f"| {name} | {cell(text)} |" for name, text in facts.items() if text)]
    said = "There is no record of its training here."
    return "\n".join([f"# {config.notation}", "", said, "", *table, "", "## Use", "", *use]) + "\n"
