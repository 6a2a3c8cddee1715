"""Stamps: small files that say which kernels are in Numba's cache. They are read without importing Numba.

A stamp is named after all that decides whether Numba finds its files again: its version, Python's, the processor, its
settings and the sources of the kernels. One that is wrong does no harm: Numba then compiles when the kernels are used.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Any

from pde.backends.numba.variants import Variant

SOURCES = Path(__file__).parent

PROCESSOR = ("cpu family", "model", "flags", "Features", "CPU ")
"""How lines of /proc/cpuinfo begin that tell which code a processor runs."""


@cache
def digest(folder: Path = SOURCES) -> str:
    """A name for the state of the source files in a folder."""
    return sha256(b"".join(path.read_bytes() for path in sorted(folder.rglob("*.py")))).hexdigest()[:12]


def is_compiled(variant: Variant) -> bool:
    """Whether Numba's cache holds these kernels."""
    files = _read(variant).get("files") or []
    return bool(files) and all(map(os.path.exists, files))


def failure(variant: Variant) -> str | None:
    """Why these kernels cannot be compiled here, where that was tried."""
    return _read(variant).get("failed")


def can_be_kept() -> bool:
    """Whether there is a folder for compiled kernels."""
    try:
        return _folder().is_dir()
    except OSError:
        return False


def write(variant: Variant, **values: Any) -> None:
    """Leave a stamp: `files` of Numba's cache, or `failed`, the reason; nothing where no folder takes it."""
    with suppress(OSError):
        path = _folder() / _name(variant)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(values), encoding="utf-8")
        os.replace(part, path)


def lock(variant: Variant) -> Any:
    """Lock the compilation of a variant until the result is released or this process ends; None: another process has.

    Raises:
        OSError: there is no folder to write to.
    """
    from filelock import FileLock, Timeout

    held = FileLock(_folder() / f"{_name(variant)}.lock", mode=0o666)
    try:
        held.acquire(timeout=0)
    except Timeout:
        return None
    except NotImplementedError:  # files here have no locks: go on without
        pass
    return held


def spec_of(package: str) -> ModuleSpec | None:
    """Where a package is, without importing it; None where it cannot be found."""
    try:
        return find_spec(package)
    except (ImportError, ValueError):  # an import hook refuses it; it is a stand-in
        return None


def _folder() -> Path:
    """Of NUMBA_CACHE_DIR, a folder beside the sources and one at home the first that can be written to, as in Numba.

    Raises:
        OSError: none can.
    """
    given = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/.cache")
    for folder in (*([Path(given).absolute()] if given else []), SOURCES / "__pycache__", Path(home) / "numba"):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    raise OSError("no folder for compiled kernels can be written to")


def _read(variant: Variant) -> dict[str, Any]:
    """Read a stamp; nothing where there is none, or a damaged one."""
    try:
        values = json.loads((_folder() / _name(variant)).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _name(variant: Variant) -> str:
    return f"pde-{variant.name}-{_circumstances()}.json"


@cache
def _circumstances() -> str:
    """A name for what else Numba looks at before it takes a file of its cache."""
    settings = sorted(
        item for item in os.environ.items() if item[0].startswith("NUMBA_") and item[0] != "NUMBA_CACHE_DIR"
    )
    dates = [(path.name, path.stat().st_mtime_ns) for path in sorted(SOURCES.rglob("*.py"))]
    packages = [_version(name) for name in ("numba", "llvmlite")]
    parts = (digest(), dates, packages, sys.version, sys.implementation.cache_tag, _processor(), settings)
    return sha256(repr(parts).encode()).hexdigest()[:16]


def _version(package: str) -> str:
    """The file with the version of a package, which is not imported; where there is none, the age of the package."""
    spec = spec_of(package)
    if spec is None or spec.origin is None:
        return ""
    folder = Path(spec.origin).parent
    try:
        return f"{folder} {(folder / '_version.py').read_text(encoding='utf-8')}"
    except OSError:
        return f"{folder} {os.stat(spec.origin).st_mtime_ns}"


def _processor() -> Sequence[str]:
    """The processor as the system tells of it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            first = takewhile(str.strip, lines)  # of several processors, to the empty line
            return [platform.machine(), *(each for each in first if each.startswith(PROCESSOR))]
    except OSError:
        return [platform.machine(), os.environ.get("PROCESSOR_IDENTIFIER", ""), platform.version()]
