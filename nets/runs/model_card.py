"""The model card of a run: the network, its data and recipe, its accuracy, and its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from nets.common.formatting import duration, threads
from nets.data.sets import is_known
from nets.naming.lookup import own_settings
from nets.papers.accuracies import published
from nets.runs.record import MULTILABEL
from nets.training.objective import FIGURES, said

FILE = "model_card.md"
PARTS = {"train": "training", "test": "test"}
PUBLISHED = {True: " (as published)", False: " (not the published file)", None: ""}
LICENCE = "code: MIT; the weights belong to who trained them, and the data have terms of their own"
NAMED = 12
"""Frozen parameters that are named."""
WORST = 5
"""Classes with the lowest accuracy that are named."""


def model_card(record: Mapping[str, Any], use: Sequence[str] | None = None) -> str:
    """The card of a run in Markdown, from its record (`nets.runs.record`); what that does not say is left out.

    `use` are other lines than those for the folder of a run on how to use it.
    """
    data, result = record["data"], record.get("result") or {}
    lines = [f"# {record['model']} on {data['name']}", "", *_opening(record), "", "| | |", "|---|---|"]
    lines += [f"| {name} | {cell(text)} |" for name, text in _facts(record).items() if text]
    lines += ["", "## How well it does", "", *_results(record, result)]
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in _limits(record, result))]
    lines += ["", "## Recipe", "", *_recipe(record)]
    lines += ["", "## Use", "", *(use or _use(record))]
    return "\n".join(lines) + "\n"


USE = (
    "```python",
    "import nets",
    "",
    'model = nets.load("checkpoint.pt")      # its class names and test transform are in model.transform',
    "```",
    "",
    "Where modules were replaced, make that network and give it: `nets.load(path, into=model)`.",
    "",
    "`python -m nets predict . image.png` classifies image files, `python -m nets evaluate .` repeats the evaluation.",
)


DENSE_USE = (
    "```python",
    "import nets",
    "",
    'model = nets.load("checkpoint.pt")      # means, deviations and class names are in model.transform',
    "predictions = nets.predict(model, inputs)     # inputs (N, c, n, ...) as in the data; as the targets are",
    "```",
    "",
    "`python -m nets evaluate .` repeats the evaluation; predictions.png shows truth, prediction and error.",
)


def _use(record: Mapping[str, Any]) -> tuple[str, ...]:
    """How to use the folder of a run; data of one's own are not found again by `python -m nets evaluate`."""
    lines, pair = (DENSE_USE, "inputs, targets") if _targets(record) else (USE, "images, labels")
    if is_known(record["data"]["name"]):
        return lines
    with_data = f"`nets.evaluate(model, ({pair}))` with the test part"
    return (*lines[:-1], lines[-1].replace("`python -m nets evaluate .`", with_data))


def _targets(record: Mapping[str, Any]) -> str:
    """The targets at every point, "regression" or "segmentation"; "" for images."""
    return "" if _has_labels(record) else str(record["data"].get("targets") or "")


def _has_labels(record: Mapping[str, Any]) -> bool:
    """Whether an image has several labels."""
    return bool(record["data"].get("targets") == MULTILABEL)


def _opening(record: Mapping[str, Any]) -> list[str]:
    started = " from weights that were trained before" if initial_weights(record) else ""
    what = {"regression": "A network that predicts values at every point of a grid"}
    what |= {"segmentation": "A network that tells the class of every point of a grid"}
    classifier = (
        "A network that finds any number of labels of an image" if _has_labels(record) else "An image classifier"
    )
    text = f"{what.get(_targets(record), classifier)}, trained{started} with mgnet-multigrid."
    if record.get("status") == "finished":
        return [text]
    message = f": {record['message']}" if record.get("message") else ""
    return [text, "", f"**The run is {record.get('status', 'of unknown state')}{message}.** It has no result."]


def _facts(record: Mapping[str, Any]) -> dict[str, str]:
    data, recipe, hardware = record["data"], record.get("recipe") or {}, record.get("hardware") or {}
    overrides = ", ".join(f"{name} = {value}" for name, value in (record.get("overrides") or {}).items())
    machine = [hardware.get("gpu"), hardware.get("cpu"), threads(hardware.get("threads"))]
    if (hardware.get("processes") or 1) > 1:
        machine.append(f"{hardware['processes']} processes")
    chosen = record.get("precision") or {}
    source = f" ({recipe['source']})" if recipe.get("source") else ""
    seconds, compiling = record.get("seconds"), record.get("compile_seconds")
    time = duration(float(seconds)) if seconds else ""
    settings = record.get("settings") or {}
    always = {name: settings[name] for name in ("activation", "dims", "input", "in_channels") if name in settings}
    settings = always | own_settings(record["model"], settings)
    return {
        "parameters": _number(record.get("parameters")),
        f"multiply-adds per {'sample' if _targets(record) else 'image'}": _number(record.get("multiply_adds")),
        "settings": ", ".join(f"{name} = {value}" for name, value in settings.items()),
        "replaced modules": "; ".join(f"{name} is {words}" for name, words in (record.get("modules") or {}).items()),
        "initial weights": initial_weights(record),
        "frozen parameters": _frozen(record),
        "data": _data(data),
        "files": ", ".join(f["name"] + PUBLISHED[f.get("as_published")] for f in data.get("files") or ()),
        "recipe": ", ".join(filter(None, [f"{recipe.get('name') or 'own'}{source}", overrides])),
        "precision": ": ".join(str(chosen[key]) for key in ("precision", "reason") if chosen.get(key)),
        "continued": "; ".join(
            f"after epoch {piece['from_epoch']}, from {piece['epochs_before']} epochs to {piece['epochs']}"
            for piece in record.get("continued") or ()
        ),
        "seed": str(record.get("seed", "")),
        "time": f"{time}, and {duration(float(compiling))} of compilation" if time and compiling else time,
        "hardware": ", ".join(filter(None, machine)),
        "date": str(record.get("started") or ""),
        "versions": ", ".join(f"{name} {number}" for name, number in (record.get("versions") or {}).items()),
        "code": str(record.get("commit") or ""),
        "command": f"`{record['command']}`" if record.get("command") else "",
        "licence": LICENCE,
    }


def initial_weights(record: Mapping[str, Any]) -> str:
    """Say from where a run started; "" for fresh weights, or where the record does not say."""
    initial = record.get("initial") or {}
    if "from" not in initial:
        return ""
    trained = f" ({initial['model']} trained on {initial['data']})" if "data" in initial else ""
    return f"{initial['from']}{trained}, SHA-256 {initial.get('file_sha256', initial['sha256'])}"


def _frozen(record: Mapping[str, Any]) -> str:
    """Name the frozen parameters, or count them where they are many."""
    names, freeze = list(record.get("frozen") or ()), (record.get("recipe") or {}).get("freeze")
    if len(names) <= NAMED:
        return ", ".join(names)
    return f"{len(names)}, {f'freeze = {freeze}' if freeze else f'from {names[0]} to {names[-1]}'}"


def _data(data: Mapping[str, Any]) -> str:
    parts = [str(data["name"])]
    if data.get("train") is not None:
        what = "images" if data.get("targets") in (None, MULTILABEL) else "samples"
        parts.append(f"{data['train']:,} training and {data.get('test', 0):,} test {what}")
    if data.get("validation"):
        parts.append(f"{data['validation']:,} for validation")
    if data.get("excluded"):
        counts = (f"{count} {PARTS[part]}" for part, count in data["excluded"].items())
        parts.append(f"{' and '.join(counts)} images left out")
    return ", ".join(parts + ([f"split {data['split']}"] if data.get("split") else []))


def _results(record: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    if _targets(record) and result:
        return _dense_results(record, result)
    if _has_labels(record) and result:
        return _label_results(record, result)
    if result.get("accuracy") is None:
        return ["There is no result."]
    count, accuracy = record["data"].get("test"), float(result["accuracy"])
    deviation = f" ± {100 * sqrt(accuracy * (1 - accuracy) / count):.2f}" if count else ""
    among = f" of {count:,} test images" if count else ""
    lines = [f"- Top-1: **{100 * accuracy:.2f} %**{among}, n = 1 run ({result.get('which') or 'last epoch'})."]
    if deviation:
        lines.append(f"- The images alone leave it open by{deviation} % (one standard deviation of the binomial law).")
    if result.get("top5") is not None:
        lines.append(f"- Top-5: {100 * float(result['top5']):.2f} %.")
    if result.get("auc") is not None:
        lines.append(f"- Area under the ROC curve (AUC): {100 * float(result['auc']):.2f} %.")
    if result.get("ece") is not None:
        ece, nll = 100 * float(result["ece"]), float(result["nll"])
        lines.append(f"- Expected calibration error {ece:.2f} % (15 bins), negative log-likelihood {nll:.4g}.")
    worst = _worst(record["data"], result.get("per_class") or ())
    lines += [f"- Lowest by class: {worst}."] if worst else []
    activation = str((record.get("settings") or {}).get("activation", "relu"))
    printed = {(e.source, e.accuracy): e for e in published(record["data"]["name"], record["model"], activation)}
    if printed:
        values = ", ".join(f"{accuracy:.2f} % ({source})" for source, accuracy in printed)
        lines.append(f"- Published for this network: {values}; with other recipes, and no number of runs is given.")
    return lines


def _dense_results(record: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    among = f"of {record['data'].get('test')} test samples, n = 1 run ({result.get('which') or 'last epoch'})"
    figures = [said(name, float(result[name])) for name in FIGURES if result.get(name) is not None]
    lines = [f"- **{'; '.join(figures)}** {among}."]
    if _targets(record) == "regression":
        return [*lines, "- Errors are the mean over the samples of the norm of the error over that of the target."]
    worst = _worst(record["data"], result.get("per_class") or ())
    return [*lines, *([f"- Lowest IoU by class: {worst}."] if worst else [])]


def _label_results(record: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    figures = [said(name, float(result[name])) for name in ("f1", "exact_match")]
    among = f"of {record['data'].get('test')} test images, n = 1 run ({result.get('which') or 'last epoch'})"
    lines = [f"- **{'; '.join(figures)}** {among}: the mean over the images, and the share without a wrong label."]
    if result.get("mean_average_precision") is not None:
        worst = _worst(record["data"], result.get("per_class") or ())
        lines.append(f"- Mean average precision {100 * result['mean_average_precision']:.2f} %, lowest: {worst}.")
    return lines


def _worst(data: Mapping[str, Any], per_class: Any) -> str:
    names = data.get("classes") or [f"class {k}" for k in range(len(per_class))]
    known = [(share, name) for share, name in zip(per_class, names, strict=False) if share is not None]
    return ", ".join(f"{name} ({100 * share:.1f} %)" for share, name in sorted(known, key=lambda pair: pair[0])[:WORST])


def _limits(record: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    name = record["data"]["name"]
    if _targets(record):
        return [
            f"It has seen {name} alone: on other data or another grid it may be wrong without a sign of it.",
            "One run: another seed gives another number.",
            _measured(record, result),
            "This record does not say whether the recipe was chosen by the test samples.",
        ]
    limits = [
        f"It has seen {name} alone: on images of another kind, size or camera it may be wrong without a sign of it.",
        *(() if _has_labels(record) else ("It answers with one of its classes for any image.",)),
        "Its probabilities have not been calibrated afterwards.",
        "One run: another seed gives another number. `python -m nets report` compares runs.",
    ]
    if result.get("accuracy") is not None or (_has_labels(record) and result):
        limits.append(f"{_measured(record, result)} There is no test-time augmentation.")
        limits.append("This record does not say whether the recipe was chosen by the test images.")
    return limits


def _measured(record: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Say of which epoch the network is, and by what it was chosen."""
    if "best" in str(result.get("which")):
        return f"The epoch was chosen by the validation part, never by the test part ({record.get('message')})."
    epochs, message = (record.get("recipe") or {}).get("epochs"), record.get("message")
    if message and result.get("epoch"):
        return f"Measured after epoch {result['epoch']} of {epochs}, the last one, never the best one ({message})."
    return "Measured after the last epoch, never the best one."


def _recipe(record: Mapping[str, Any]) -> list[str]:
    settings = {k: v for k, v in (record.get("recipe") or {}).items() if k not in ("name", "source")}
    return ["| setting | value |", "|---|---|", *(f"| {k} | {cell(str(v))} |" for k, v in settings.items())]


def _number(value: Any) -> str:
    return "" if value is None else f"{value:,}"


def cell(text: str) -> str:
    """Write a text into one cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
