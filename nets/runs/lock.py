"""One process at a time writes into the folder of a run."""

from __future__ import annotations

import os
import platform
import warnings
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

FILE = "run.lock"


class FolderInUseError(ValueError):
    """Another process writes into the folder: the message names it."""


class Lock:
    """Lock a folder until `release` or until the process ends, however it ends; the file says which process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = FileLock(self.path, thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise FolderInUseError(f"output: {self._owner()} is writing into {folder} ({FILE})") from None
        except OSError as error:
            warnings.warn(f"output: {folder} cannot be locked ({error.strerror})", stacklevel=3)
            return
        with suppress(OSError):  # Windows lets no handle but the lock's own write there
            self.path.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")

    def _owner(self) -> str:
        with suppress(OSError):
            return self.path.read_text(encoding="utf-8", errors="replace")[:200] or "another process"
        return "another process"

    def release(self) -> None:
        if self._lock.is_locked:
            with suppress(OSError):  # Windows removes no open file
                self.path.unlink()
            self._lock.release()
