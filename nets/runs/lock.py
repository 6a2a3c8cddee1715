"""One process at a time writes into the folder of a run."""

from __future__ import annotations

import os
import platform
import warnings
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FILE = "run.lock"


class FolderInUseError(ValueError):
    """Another process writes into the folder: the message names it."""


class Lock:
    """A lock on a folder until `release` or until the process ends, however it ends.

    The file holds the process that has the lock, for the message; the lock itself is the system's, so that no file that
    is left behind keeps anybody out. Windows has no such locks, and nobody is kept out there.

    Raises:
        FolderInUseError: another process has it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._file: int | None = None
        while self._file is None:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            self._take(file)
            if _is_there(file, self.path):
                self._file = file
            else:  # its owner removed it between the two lines
                os.close(file)
        os.ftruncate(self._file, 0)
        os.write(self._file, f"process {os.getpid()} on {platform.node()}".encode())

    def _take(self, file: int) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(file, 200).decode(errors="replace") or "another process"
            os.close(file)
            raise FolderInUseError(f"output: {owner} is writing into {self.path.parent} ({self.path.name})") from None
        except OSError as error:
            warnings.warn(f"output: {self.path.parent} cannot be locked ({error.strerror})", stacklevel=4)

    def release(self) -> None:
        if self._file is not None:
            if fcntl is not None:  # Windows removes no open file
                self.path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def _is_there(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
