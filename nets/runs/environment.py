"""The environment of a run: versions, hardware, commit, command."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import torch

from mgcore.common.version import PACKAGE, installed_version


def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of everything that can change the last bit of a result."""
    found = {"python": platform.python_version(), "torch": str(torch.__version__), "numpy": numpy.__version__}
    if torch.version.cuda:
        found |= {"cuda": torch.version.cuda, "cudnn": str(torch.backends.cudnn.version())}
    return found


def hardware(device: torch.device) -> dict[str, Any]:
    """Processor, cores and threads; the device, and what GPU it is."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "gpu": gpu,
    }


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def command() -> str:
    """The command line, as far as the system knows it."""
    return shlex.join(["python", *sys.orig_argv[1:]])


@cache
def commit() -> str:
    """`git describe` of the checkout that the code is in, "-dirty" where files differ; else the package's version."""
    root = Path(__file__).resolve().parents[2]
    if (root / ".git").exists():  # not a repository into whose folder the package was installed
        try:
            git = ["git", "-C", str(root), "describe", "--always", "--dirty", "--tags", "--abbrev=12"]
            return subprocess.run(git, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return f"{PACKAGE} {installed_version()}"
