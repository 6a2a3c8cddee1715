"""Run some of the tests in a process of their own, and tell of every failure when it comes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
REPORTS = "MGNET_TEST_REPORTS"
BLOB = re.compile(r"@reproduce_failure\(.*\)")
EXAMPLES = ("-m", "hypothesis and not slow")


# ---- a plugin of pytest, loaded in the other process by `-p tests.running` -----------------------------------------


def pytest_runtest_logreport(report):
    """Take down how a test ended: its call, or a set-up or tear-down that did not pass."""
    if "PYTEST_XDIST_WORKER" in os.environ or (report.when != "call" and report.passed):
        return
    text = report.longreprtext if report.failed else ""
    with open(os.environ[REPORTS], "a", encoding="utf-8") as file:
        file.write(json.dumps({"test": report.nodeid, "outcome": report.outcome, "text": text}) + "\n")


# ---- in this process ----------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """How many tests passed and were skipped, which failed, and how pytest ended."""

    passed: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0
    code: int | None = None
    """The exit code of pytest; None where it was stopped."""
    output: str = ""

    @property
    def well(self) -> bool:
        """Whether everything that ran has passed, and something did."""
        return not self.failed and (self.code == 0 or (self.code is None and self.passed > 0))


def environment(**changed: str) -> dict[str, str]:
    """This process's environment with `changed`, and without what would make the tests others."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")}
    return {**kept, **changed}


def run(
    arguments: Sequence[str],
    around: Mapping[str, str],
    seconds: float | None = None,
    failed: Callable[[str, str], None] = lambda test, text: None,
    jobs: str = "auto",
) -> Outcome:
    """Run pytest with `arguments` in the environment `around`, at most for so many `seconds`.

    Args:
        failed: called with the test and its traceback at once when one fails.
        jobs: processes of pytest-xdist.
    """
    outcome, began = Outcome(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        reports, output = Path(folder) / "reports", Path(folder) / "output"
        reports.touch()
        plugins = ("-p", "tests.running", "-p", "no:cacheprovider")
        command = [sys.executable, "-m", "pytest", *plugins, "-n", jobs, *arguments]
        with open(output, "wb") as file, open(reports, encoding="utf-8") as lines:
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**around, REPORTS: str(reports)},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                while child.poll() is None and (seconds is None or time.monotonic() - began < seconds):
                    time.sleep(0.2)
                    _read(lines, outcome, failed)
            finally:
                outcome.code = _stop(child)
                _read(lines, outcome, failed)
        outcome.output = output.read_text(encoding="utf-8", errors="replace")
    outcome.seconds = time.monotonic() - began
    return outcome


def _read(lines: object, outcome: Outcome, failed: Callable[[str, str], None]) -> None:
    for line in lines:  # type: ignore[attr-defined]
        report = json.loads(line)
        if report["outcome"] == "failed":
            outcome.failed.append(report["test"])
            failed(report["test"], report["text"])
        else:
            setattr(outcome, report["outcome"], getattr(outcome, report["outcome"]) + 1)


def _stop(child: subprocess.Popen[bytes]) -> int | None:
    """The exit code of a process that has ended; else None, and it ends with all that it started."""
    if child.poll() is not None:
        return child.returncode
    for number in (signal.SIGINT, signal.SIGKILL):
        os.killpg(child.pid, number)
        try:
            child.wait(5)
            break
        except subprocess.TimeoutExpired:
            continue
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # workers that have outlived it
    return None


def repeat(test: str, changed: Mapping[str, str], *options: str) -> str:
    """The command that runs one test again."""
    words = [f"{name}={shlex.quote(value)}" for name, value in changed.items()]
    return " ".join([*words, shlex.join([os.path.relpath(sys.executable), "-m", "pytest", "-n", "0", *options, test])])


def tell(test: str, text: str, command: str) -> None:
    """Print a failure: what was wrong, in the last lines of its traceback, and how to repeat it."""
    print(f"\nFAILED {test}")
    wrong = [line for line in text.splitlines() if line.startswith("E ")]
    print(*wrong[:25], sep="\n")
    print(f"  repeat: {command}")
    for blob in dict.fromkeys(BLOB.findall(text)):
        print(f"  or, with this line above the test: {blob}")
    print(flush=True)
