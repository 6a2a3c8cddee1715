"""Networks that learn a -> u: settings chosen on validation fields, then equal CPU time for each, and larger grids."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learned import darcy
from benchmarks.runner import Clock, Result

FOLDER = Path("out") / "learned"
FILES = {64: FOLDER / "darcy_64.npz", 128: FOLDER / "darcy_128.npz"}
VALIDATION = FOLDER / "darcy_64_validation.npz"
WEIGHT_DECAY = 1e-4

MINUTES = 30
"""CPU minutes of each network and seed: a quarter of an hour on two cores."""


@dataclass(frozen=True)
class Setting:
    """A network and how it is trained; `options` make it, or `name` is one that `nets.create_model` takes."""

    kind: str
    rate: float
    batch: int
    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        what = self.name or ", ".join(f"{key} {value}" for key, value in self.options.items())
        return f"{what}, rate {self.rate:g}, batch {self.batch}"


MGNO = "MgNO[1,1,1,1,1,2]-[{}]"
SETTINGS = {
    "MgNO": (
        Setting("MgNO", 2e-3, 8, MGNO.format(24)),
        Setting("MgNO", 4e-3, 16, MGNO.format(24)),
        Setting("MgNO", 2e-3, 8, MGNO.format(24) + ", form=published"),
    ),
    "FNO": (
        Setting("FNO", 2e-3, 8, options={"width": 32, "modes": 16}),
        Setting("FNO", 2e-3, 8, options={"width": 32, "modes": 32}),
        Setting("FNO", 5e-3, 16, options={"width": 32, "modes": 32}),
    ),
    "U-Net": (
        Setting("U-Net", 1e-3, 8, options={"width": 16}),
        Setting("U-Net", 3e-3, 16, options={"width": 16}),
        Setting("U-Net", 1e-3, 8, options={"width": 32}),
    ),
}
"""Three settings of each network, of which the validation fields choose one."""


def make_data(clock: Clock, results: dict[str, Result]) -> Result:
    """Write the files; the solver's own time, and the error of the mean of all solutions."""
    seconds = {str(n): darcy.save(file, n) for n, file in FILES.items()}
    darcy.save(VALIDATION, 64, "validation")
    arrays = np.load(FILES[64])
    mean = arrays["train_targets"].mean(axis=0, keepdims=True)
    return {"seconds_per_sample": seconds, "mean": relative_error(mean, arrays["test_targets"])}


def relative_error(predicted: np.ndarray, targets: np.ndarray) -> float:
    """The mean over the samples of ||p - t|| / ||t||."""
    axes = tuple(range(1, targets.ndim))
    distance, size = (np.sqrt((x**2).sum(axis=axes, dtype=float)) for x in (predicted - targets, targets))
    return float(np.mean(distance / size))


Predict = Callable[[np.ndarray], np.ndarray]


def learn(setting: Setting, file: Path, seed: int, clock: Clock, epoch: float | None, folder: Path) -> Result:
    """Train for the CPU seconds of the clock; `epoch` are those of one epoch, where they are known."""
    import torch

    torch.set_num_threads(cores())
    way = learn_by_nets if setting.kind == "MgNO" else learn_by_loop
    predict, numbers = way(setting, file, seed, clock, epoch, folder)
    arrays, larger = np.load(file), np.load(FILES[128])
    error, seconds = _evaluated(predict, arrays["test_inputs"], arrays["test_targets"])
    error_128 = _evaluated(predict, larger["test_inputs"], larger["test_targets"])[0]
    return {"setting": str(setting), **numbers, "l2": error, "l2 at 128": error_128, "seconds_per_sample": seconds}


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _evaluated(predict: Predict, inputs: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """The error, and CPU seconds per sample."""
    began = time.process_time()
    error = relative_error(predict(inputs), targets)
    return error, (time.process_time() - began) / len(inputs)


def learn_by_nets(
    setting: Setting, file: Path, seed: int, clock: Clock, epoch: float | None, folder: Path
) -> tuple[Predict, Result]:
    """By `nets.train`, for as many epochs as fit; a run that was broken off goes on from its folder."""
    import nets

    data = nets.data.load_dense(file)
    options = {"batch": setting.batch, "learning_rate": setting.rate, "weight_decay": WEIGHT_DECAY, "seed": seed}
    options |= {"channels_last": True, "loss": "relative L2", "recipe": "dense"}
    if epoch is None:  # a trial: one epoch tells how many there can be
        shutil.rmtree(folder, ignore_errors=True)
        began = clock.used
        nets.train(setting.name, data, epochs=1, progress=False, **options)
        epoch = clock.used - began
        epochs = max(1, int(0.9 * clock.left / epoch))
    else:
        epochs = max(1, int(0.9 * clock.limit / epoch))
    run = nets.train(setting.name, data, epochs=epochs, output=folder, resume=True, **options)
    numbers = {"parameters": sum(p.numel() for p in run.model.parameters()), "epochs": epochs, "epoch": epoch}
    return (lambda inputs: nets.predict(run.model, inputs)), numbers


def learn_by_loop(
    setting: Setting, file: Path, seed: int, clock: Clock, epoch: float | None, folder: Path
) -> tuple[Predict, Result]:
    """The same recipe in a loop, for the time of the clock: relative L2, AdamW, a rate that rises and falls with it."""
    import torch

    from benchmarks.learned.networks import make, parameters

    torch.manual_seed(seed)
    model = make(setting.kind, setting.options)
    if setting.kind == "U-Net":  # 13 % faster
        model.to(memory_format=torch.channels_last)
    arrays = {name: torch.from_numpy(value) for name, value in np.load(file).items()}
    inputs, targets = arrays["train_inputs"], arrays["train_targets"]
    (mean, std), (shift, scale) = ((float(x.mean()), float(x.std())) for x in (inputs, targets))

    def predict(x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = model((x - mean) / std) * scale + shift
        return y

    optimizer = torch.optim.AdamW(model.parameters(), lr=setting.rate, weight_decay=WEIGHT_DECAY)
    limit, steps, per_epoch = 0.97 * clock.limit, 0, -(-len(inputs) // setting.batch)
    while (passed := clock.used / limit) < 1:
        if steps % per_epoch == 0:
            order = torch.randperm(len(inputs)).split(setting.batch)
        some = order[steps % per_epoch]
        falling = (1 + cos(pi * max(0.0, passed - 0.1) / 0.9)) / 2
        optimizer.param_groups[0]["lr"] = setting.rate * min(passed / 0.1 + 0.01, falling)
        gap, size = (x.flatten(1).norm(dim=1) for x in (predict(inputs[some]) - targets[some], targets[some]))
        optimizer.zero_grad()
        (gap / size).mean().backward()
        optimizer.step()
        steps += 1
    model.eval()
    torch.save(model.state_dict(), f"{folder}.pt")

    @torch.no_grad()
    def in_batches(x: np.ndarray) -> np.ndarray:
        return torch.cat([predict(part) for part in torch.from_numpy(x).split(8)]).numpy()

    epochs = steps / per_epoch
    return in_batches, {"parameters": parameters(model), "epochs": round(epochs, 1), "epoch": clock.used / epochs}


def trial(kind: str, number: int, clock: Clock, results: dict[str, Result]) -> Result:
    """Train with one of the settings for a short time; `l2` is the error on the validation fields."""
    return learn(SETTINGS[kind][number], VALIDATION, 0, clock, None, FOLDER / f"trial-{kind}-{number}")


def trials(kind: str) -> list[str]:
    """The experiments that choose a setting."""
    return [f"operator/{kind}/trial{number}" for number in range(len(SETTINGS[kind]))]


def final(kind: str, seed: int, clock: Clock, results: dict[str, Result]) -> Result:
    """Train with the setting that has the smallest validation error; errors on the test fields."""
    tried = [results[name] for name in trials(kind)]
    best = min(range(len(tried)), key=lambda number: tried[number]["l2"])
    folder = FOLDER / f"{kind}-seed{seed}"
    made = learn(SETTINGS[kind][best], FILES[64], seed, clock, tried[best]["epoch"], folder)
    return {**made, "chosen": best, "validation": [each["l2"] for each in tried]}


def tune_at_128(more: int, clock: Clock, results: dict[str, Result]) -> Result:
    """One epoch on 128 x 128 cells from the MgNO of seed 0, with `more` levels: a new finest one is a copy."""
    import nets

    setting = SETTINGS["MgNO"][results["operator/MgNO/seed0"]["chosen"]]
    before = nets.load(FOLDER / "MgNO-seed0")
    name = setting.name.replace("[", f"[{'1,' * more}", 1)
    model = nets.create_model(name, in_channels=1, num_classes=1)
    model.load_state_dict(with_finer_levels(before.state_dict(), model.state_dict(), more))
    options = {"batch": 8, "learning_rate": setting.rate / 4, "weight_decay": WEIGHT_DECAY, "warmup": 0.0}
    run = nets.train(model, nets.data.load_dense(FILES[128]), recipe="dense", epochs=1, channels_last=True, **options)
    return {"setting": f"{name}, one epoch at 128², rate {setting.rate / 4:g}", "l2 at 128": run.evaluation.relative_l2}


def with_finer_levels(old: dict[str, Any], new: dict[str, Any], more: int) -> dict[str, Any]:
    """The weights of an MgNO with `more` levels: those of level l are of level l - more before, or of its finest.

    A weight that is there on coarser levels alone comes from the next one that has it.
    """
    made = {}
    for key in new:
        kind, *others = key.split(".")
        if kind != "W":
            made[key] = old[key]
            continue
        layer, operator, level, *rest = others
        levels = range(max(int(level) - more, 0), int(level) + 1)
        names = (".".join([kind, layer, operator, str(l), *rest]) for l in levels)
        made[key] = next(old[name] for name in names if name in old)
    return made
