"""Tables of the results: claims.md, hat.md, cifar10.md with its plot."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nets
from benchmarks import report
from benchmarks.papers import plot, rule
from benchmarks.papers.cifar import COARSE_RECIPE, COARSE_TO_FINE, FULL_RECIPE, FULL_SIZE, WHOLE, Part
from benchmarks.papers.cifar import RECIPE as HOUR_RECIPE
from benchmarks.papers.claims import CLAIMS, HAT_CLAIMS, HAT_MODELS, MODELS, Claim
from benchmarks.papers.experiments import HAT_SCALES, HOURS, SCALES, hour_name
from benchmarks.papers.training import RECIPE, Scale
from benchmarks.runner import Result, is_done

Results = Mapping[str, Result]
POINTS = "percentage points"


def write_all(results: Results, missing: Mapping[str, str], folder: Path) -> None:
    """Write every table into `folder`; `missing` says why experiments have no result."""
    done = {name: result for name, result in results.items() if is_done(result)}
    hours = [done[name] for name in map(hour_name, HOURS) if name in done]
    parts = {
        "claims": ("The papers' claims at a small scale", "cifar-10,", claims_body(done)),
        "hat": ("Hat beside ReLU on MNIST", "mnist,", hat_body(done)),
        "cifar10": ("CIFAR-10 in an hour of two cores", "an hour", hours_body(hours)),
    }
    if hours:
        plot.hours(hours, folder / "cifar10.png")
    for name, (title, start, body) in parts.items():
        own = {e: why for e, why in missing.items() if e.startswith(start)}
        report.write(name, title, "\n\n".join([body, *not_run(own)]), folder, show=False)
        print(folder / f"{name}.md", flush=True)


def not_run(missing: Mapping[str, str]) -> list[str]:
    """A section that lists experiments without a result, with the reason, and seeds of one network in one line."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for name, why in missing.items():
        run, _, seed = name.partition(", seed ")
        grouped.setdefault((run + ", seed " * bool(seed), why), []).append(seed)
    lines = (f"- {run}{', '.join(seeds)}: {why}" for (run, why), seeds in grouped.items())
    return ["## Not run\n\n" + "\n".join(lines)] if missing else []


def accuracies(results: Results, model: str, data: str, scale: Scale) -> dict[int, float]:
    """Test accuracies in percent of a network at a scale, by seed."""
    return {r["seed"]: r["accuracy"] for r in runs(results, model, data, scale)}


def runs(results: Results, model: str, data: str, scale: Scale) -> list[Result]:
    """Results of a network at a scale, in the order of their seeds."""
    same = {"model": model, "data": data, "size": scale.size, "epochs": scale.epochs}
    found = [r for r in results.values() if same.items() <= r.items()]
    return sorted(found, key=lambda r: int(r["seed"]))


def spread(values: Iterable[float]) -> str:
    """Mean ± deviation (number)."""
    values = list(values)
    if len(values) < 2:
        return f"{values[0]:.2f} (1)" if values else "-"
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f} ({len(values)})"


def claims_table(results: Results, claims: Sequence[Claim], data: str, scale: Scale) -> str:
    """A row for each claim that has results of both networks."""
    rows = []
    for claim in claims:
        a, b = (accuracies(results, model, data, scale) for model in (claim.a, claim.b))
        verdict = rule.decide(claim.kind, a, b)
        if verdict.n:
            interval = f"{verdict.mean:+.2f} [{verdict.low:+.2f}, {verdict.high:+.2f}]"
            difference = interval if verdict.n >= rule.LEAST else f"{verdict.mean:+.2f}"
            both = spread(a.values()), spread(b.values())
            rows.append([claim.text, claim.source, *both, difference, claim.printed, f"**{verdict.words}**"])
    header = ["claim: a against b", "source", "a, %", "b, %", f"a - b, {POINTS}", "printed a, b", "the evidence"]
    return report.table(header, rows)


def networks_table(results: Results, models: Sequence[str], data: str, scale: Scale) -> str:
    """A row for each network with results: parameters, accuracy and single runs."""
    rows = []
    for model in models:
        found = runs(results, model, data, scale)
        if found:
            single = ", ".join("diverged" if "diverged" in r else f"{r['accuracy']:.2f}" for r in found)
            count = nets.parameters(nets.create_model(model, in_channels=1 if data == "mnist" else 3))
            seconds = max(r["seconds"] for r in found)  # those of a run that was interrupted lack its first part
            mean = spread(r["accuracy"] for r in found)
            rows.append([f"`{model}`", f"{count:,}", mean, single, f"{seconds:.0f}"])
    return report.table(["network", "parameters", "accuracy, %", "runs", "CPU s of the longest"], rows)


def sections(
    results: Results, claims: Sequence[Claim], models: Sequence[str], data: str, scales: Mapping[str, Scale]
) -> list[str]:
    """For every scale with results: the claims, then the networks."""
    found = []
    for scale in scales.values():
        if any(runs(results, model, data, scale) for model in models):
            both = (f(results, some, data, scale) for f, some in ((claims_table, claims), (networks_table, models)))
            found += [f"## {scale.size} x {scale.size} pixels, {scale.epochs} epochs", *both]
    return found


def claims_body(results: Results) -> str:
    return "\n\n".join([CLAIMS_NOTES.strip(), *sections(results, CLAIMS, MODELS, "cifar-10", SCALES)])


def hat_body(results: Results) -> str:
    parts = [HAT_NOTES.strip(), *sections(results, HAT_CLAIMS, HAT_MODELS, "mnist", HAT_SCALES)]
    rows = []
    for scale in HAT_SCALES.values():
        for model in HAT_MODELS:
            found = runs(results, model, "mnist", scale)
            ends = [r["supports"] for r in found if "trained" in model and "supports" in r]  # none where one diverged
            if ends:
                begin = model.partition("hat-trained:")[2]
                mean = ", ".join(f"{statistics.mean(column):.2f}" for column in zip(*ends, strict=True))
                rows.append([str(scale), begin, mean, str(len(ends))])
    header = ["scale", "supports at the start, by grid", "at the end, mean over seeds", "runs"]
    return "\n\n".join([*parts, *(["## Where trained supports end", report.table(header, rows)] if rows else [])])


def hours_body(results: Sequence[Result]) -> str:
    """The table of the runs of an hour."""
    if not results:
        return "No result yet."
    rows = []
    for r in results:
        passes = "; ".join(f"{p['size']} px: {p['epochs']}{_of(p)}" for p in r["parts"])
        hours = r["seconds"] / 3600
        rows.append(
            [
                f"`{r['model']}`",
                f"{r['parameters']:,}",
                f"**{r['accuracy']:.2f}**",
                f"{r['accuracy_without_degraded']:.2f}",
                passes,
                f"{r['full_size_epochs']}",
                f"{hours:.2f} ({r['threads']} thread{'s' * (r['threads'] > 1)})",
                r["precision"].partition(":")[0],
                r.get("processor", "-"),
            ]
        )
    header = [
        "network",
        "parameters",
        "10,000 test images, %",
        "without degraded ones, %",
        "epochs by size of the images",
        "epochs at 32 px that would fit",
        "CPU hours",
        "precision",
        "processor",
    ]
    notes = HOUR_NOTES.format(**results[0]["degraded"]).strip()
    return "\n\n".join([notes, report.table(header, rows), "![accuracy against work and parameters](cifar10.png)"])


def _of(part: Mapping[str, int]) -> str:
    return f" x {part['limit_batches']} steps" if part["limit_batches"] else ""


def _settings(recipe: nets.Recipe, given: Mapping[str, Any], *names: str) -> str:
    """The settings of a training with `given` ones over those of a recipe; augmentation is told in words."""
    computed = replace(recipe, **given)
    return ", ".join(f"{name}={getattr(computed, name)!r}" for name in (*COMMON, *names))


def _parts(parts: Iterable[Part]) -> str:
    return ", ".join(f"{part.size} px up to a rate of {part.learning_rate}" for part in parts)


COMMON = ("batch", "schedule", "momentum", "nesterov", "weight_decay", "decay_norms", "label_smoothing")
CLAIMS_RECIPE = _settings(nets.Recipe(), RECIPE, "learning_rate", "warmup", "precision")
_RULE = f"""
The rule, written before the first run (`benchmarks/papers/rule.py`): a and b are trained with the same seeds; the
interval is that of Student's t with 95 % for the mean of the paired differences. "Better" is supported where the
interval is above 0, contradicted where it is below; "keeps the accuracy" with -{rule.MARGIN:g} point in place of 0.
Else the two cannot be told apart. Last epoch, whole test part, no test-time augmentation. Accuracies are mean ±
deviation (seeds). A run that diverges counts as chance.
"""
CLAIMS_NOTES = f"""
{_RULE}
CIFAR-10, averaged to fewer pixels where the title says so. These are small networks after few epochs; the papers' have
8 or 16 times the widths and 120 to 150 epochs, so that what holds here need not hold there. Training images whose
pixels are known not to be the published ones are left out; the test part is whole.
Recipe: {CLAIMS_RECIPE}; random crop and flip.
"""
HAT_NOTES = f"""
{_RULE}
MNIST, averaged to fewer pixels where the title says so. The slides do not give their network.
Recipe: {CLAIMS_RECIPE}; random shifts of up to a fourteenth of the side.
"""
HOUR_NOTES = f"""
One run each, seed 0, last epoch, no test-time augmentation; nothing was chosen by the test images. {{train}} training
images with degraded pixels were left out; of the test images {{test}} are degraded. Where fewer than
{FULL_SIZE:g} epochs at full size fit into the hour, training begins on averaged images (`benchmarks/papers/cifar.py`):
parts of {_parts(COARSE_TO_FINE)}, each one cycle of the learning rate; else it is one cycle of {_parts(WHOLE)}.
CPU hours are those of the process, with its trial and its evaluation; other work on the machine does not count. Those
of a run that was interrupted lack its first part.
Recipe at 32 px: {_settings(FULL_RECIPE, HOUR_RECIPE)}; at fewer: {_settings(COARSE_RECIPE, HOUR_RECIPE)}; random crop,
alternating flip.
"""
