"""Numbers of a run for TensorBoard, which is an extra."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nets.training.distributed import Ranks


def check_tensorboard() -> None:
    """Raises ImportError where TensorBoard is not installed."""
    if find_spec("tensorboard") is None:
        raise ImportError("tensorboard is not installed: pip install 'mgnet-multigrid[tensorboard]'")


class Events:
    """The rows of a history as TensorBoard reads them; the first process writes, if there is a folder."""

    def __init__(self, folder: Path | None, ranks: Ranks) -> None:
        self.writer: Any = None
        if folder is not None and ranks.first:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(folder))

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()

    def add(self, row: Mapping[str, Any]) -> None:
        if self.writer is None:
            return
        for name, value in row.items():
            if name != "epoch" and value is not None:
                self.writer.add_scalar(name, value, row["epoch"])
        self.writer.flush()
