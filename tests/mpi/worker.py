"""One rank of `tests/mpi`: pytest under mpiexec, that runs the tests of a list on all ranks in step.

    mpiexec -n 4 python -m tests.mpi.worker FOLDER LIMIT [options of pytest]

FOLDER/tests.json holds the list. Rank R writes there: `begun.R`, each test that begins; `reports.R`,
outcomes, one JSON object a line; `rank R`, its stack where it hangs.
"""

from __future__ import annotations

import faulthandler
import json
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from mpi4py import MPI

PATIENCE = 2.0
"""Seconds in which the others end a test that one rank has failed; where they wait for that rank, they never do."""


class Rank:
    """Runs each test on this rank, and learns how the others fared."""

    def __init__(self, folder: Path, limit: float) -> None:
        self.comm = MPI.COMM_WORLD.Dup()
        self.folder, self.limit = folder, limit
        self.stuck: BaseException | None = None
        self.stack = open(folder / f"rank {self.comm.rank}", "w", encoding="utf-8")  # noqa: SIM115  open to the end

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        for item in items:
            if (test := getattr(item.obj, "hypothesis", None)) is not None:
                test.inner_test = self._in_step(test.inner_test)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        with open(self.folder / f"begun.{self.comm.rank}", "a", encoding="utf-8") as file:
            file.write(f"{item.nodeid}\n")
        faulthandler.dump_traceback_later(self.limit, file=self.stack)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        faulthandler.cancel_dump_traceback_later()
        failed = any(report.failed for report in reports)
        dump = item.config.hook.pytest_report_to_serializable
        found = [dump(config=item.config, report=report) for report in reports]
        wrong = [line for report in reports for line in report.longreprtext.splitlines() if line.startswith("E ")]
        text = "\n".join((*wrong, *(f"{report.capstdout}{report.capstderr}" for report in reports)))
        if not self._all_came(failed):
            self._write(item.nodeid, self.comm.rank, found, [])
            self.comm.Abort(1)
        every = self.comm.gather((failed, found, text))
        if every is not None:
            ours = next((rank for rank, (failed, _, _) in enumerate(every) if failed), 0)
            told = every[ours][2]  # once, where it is the same
            others = [(rank, text) for rank, (failed, _, text) in enumerate(every) if failed and text != told]
            self._write(item.nodeid, ours, every[ours][1], others)
        return True

    def _write(self, test: str, rank: int, reports: list[Any], others: list[tuple[int, str]]) -> None:
        """Write an outcome: the reports of one rank, and the text of others that failed."""
        for report in reports:
            if report["outcome"] == "failed":
                own = (f"rank {rank} of {self.comm.size}", "the traceback above is this rank's")
                report["sections"] = [own, *((f"rank {r}", text) for r, text in others), *report["sections"]]
        with open(self.folder / f"reports.{self.comm.rank}", "a", encoding="utf-8") as file:
            file.write(f"{json.dumps({'test': test, 'reports': reports})}\n")

    def _all_came(self, failed: bool) -> bool:
        """Wait for all ranks; one that has failed waits for a few seconds only."""
        request, began = self.comm.Ibarrier(), time.monotonic()
        while not request.Test():
            if failed and time.monotonic() - began > PATIENCE:
                return False
            time.sleep(0.001)
        return True

    def _in_step(self, test: Callable[..., Any]) -> Callable[..., Any]:
        """Let an example fail on all ranks where it fails on one: all of them draw the same next one."""

        @wraps(test)
        def call(*arguments: Any, **named: Any) -> None:
            if self.stuck is not None:  # hypothesis runs the example again to show it
                raise self.stuck
            error: BaseException | None = None
            try:
                test(*arguments, **named)
            except BaseException as raised:  # assume(False) and the like too, the same ones everywhere
                error = raised
            if not self._all_came(error is not None):
                self.stuck = error
            elif self.comm.allreduce(error is not None, MPI.LOR) and error is None:
                raise AssertionError("fails on another rank")
            if error is not None:
                raise error

        return call


def main() -> int:
    folder, limit, *options = sys.argv[1:]
    tests = json.loads((Path(folder) / "tests.json").read_text("utf-8"))
    rank = Rank(Path(folder), float(limit))
    own = [f"--basetemp={folder}/temporary {rank.comm.rank}", "--no-header", "-pno:cacheprovider", "-pno:faulthandler"]
    code = pytest.main([*own, *options, *tests], plugins=[rank])
    return 0 if code in (0, 1) else int(code)


if __name__ == "__main__":
    sys.exit(main())
