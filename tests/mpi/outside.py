"""The plugin of the pytest that people start: it runs tests on ranks by mpiexec, and tells their outcomes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.mpi.launch import LIMIT, MANY_RANKS, ROOT, command, end

WORKER = "PDE_TEST_RANK"
"""Environment variable of the ranks that run tests."""


class Outside:
    """Runs tests that have a parameter `comm` elsewhere: all of one number of ranks at once."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.reports: dict[str, list[Any]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if (ranks := _ranks(item)) is None:
            return None
        if item.nodeid not in self.reports:
            self._run(ranks, [i for i in item.session.items if _ranks(i) == ranks])
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self.reports[item.nodeid]:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        item.session._setupstate.teardown_exact(nextitem)  # fixtures of tests before this one
        return True

    def _run(self, ranks: int, items: list[pytest.Item]) -> None:
        while waiting := [item for item in items if item.nodeid not in self.reports]:
            with tempfile.TemporaryDirectory() as name:
                began, trouble = self._start(ranks, waiting, Path(name))
            for item in waiting:
                if item.nodeid not in self.reports and (item.nodeid == began or began is None):
                    self.reports[item.nodeid] = [_failed(item, trouble)]
                    print(f"\n{item.nodeid}: {ranks} ranks are started again for the other tests", file=sys.stderr)

    def _start(self, ranks: int, items: list[pytest.Item], folder: Path) -> tuple[str | None, str]:
        """Run tests in one mpiexec: the last one that began without an end, and what was printed, if it failed."""
        limit = self.config.getoption("--limit")
        options = ["--ranks", str(ranks)]  # a mark may name others
        options += [f"--verbosity={self.config.option.verbose}", f"--tb={self.config.option.tbstyle}"]
        options += ["-m", self.config.option.markexpr]
        (folder / "tests.json").write_text(json.dumps([item.nodeid for item in items]), "utf-8")
        words = ["-m", "tests.mpi.worker", folder, limit, *options]
        around = {**os.environ, **MANY_RANKS, "PYTHONPATH": str(ROOT), WORKER: "1"}
        with open(folder / "output", "wb") as output:
            child = subprocess.Popen(
                command(ranks, *words), cwd=ROOT, env=around, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                hangs = self._wait(child, folder, limit)
            finally:
                end(child)
        done = [line for path in folder.glob("reports.*") for line in path.read_text("utf-8").splitlines()]
        for line in map(json.loads, done):
            self.reports[line["test"]] = [self._report(data) for data in line["reports"]]
        begun = max((path.read_text("utf-8").splitlines() for path in folder.glob("begun.*")), key=len, default=[])
        stacks = "\n".join(f"{path.name}\n{_stack(path)}" for path in sorted(folder.glob("rank *")) if hangs)
        how = f"no end after {limit:.0f} s" if hangs else f"mpiexec ended with exit code {child.returncode}"
        output_text = (folder / "output").read_text("utf-8", "replace")[-10_000:]
        return (begun[-1] if begun else None), f"{how}\n{stacks}\n{output_text}"

    def _report(self, data: dict[str, Any]) -> pytest.TestReport:
        if isinstance(data["longrepr"], list):  # file, line and reason of a skip: JSON has no tuples
            data["longrepr"] = tuple(data["longrepr"])
        report: pytest.TestReport = self.config.hook.pytest_report_from_serializable(config=self.config, data=data)
        return report

    @staticmethod
    def _wait(child: subprocess.Popen[Any], folder: Path, limit: float) -> bool:
        """Wait for the end; True where no test has begun for so many seconds, and a few for the stacks."""
        seen, since = 0, time.monotonic()
        while child.poll() is None:
            size = sum(path.stat().st_size for path in folder.glob("begun.*"))
            if size != seen:
                seen, since = size, time.monotonic()
            elif time.monotonic() - since > (limit + 3 if seen else max(limit, LIMIT)):  # it starts first
                return True
            time.sleep(0.05)
        return False


def _ranks(item: pytest.Item) -> int | None:
    call = getattr(item, "callspec", None)
    return None if call is None else call.params.get("comm")


def _stack(path: Path) -> str:
    """The stack of a rank without the frames of pytest."""
    lines = path.read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if not any(part in line for part in ("/_pytest/", "/pluggy/", "runpy")))


def _failed(item: pytest.Item, text: str) -> pytest.TestReport:
    return pytest.TestReport(item.nodeid, item.location, dict.fromkeys(item.keywords, 1), "failed", text, "call")
