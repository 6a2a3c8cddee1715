"""The README's two commands in a fresh clone of the last commit, timed; installation apart.

python benchmarks/fresh_clone.py
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path

import report

ROOT = Path(__file__).parent.parent
COMMANDS = (("demo", "make .venv/.demo", "make demo"), ("test", "make .venv/.test", "make test"))


def timed(command: str, folder: str) -> tuple[float, str]:
    """Seconds and output; raises where the command fails."""
    began = time.perf_counter()
    run = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True)
    return time.perf_counter() - began, run.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        timed(f"git clone --quiet {ROOT} .", folder)
        rows = []
        for name, install, command in COMMANDS:
            installing, _ = timed(install, folder)
            seconds, output = timed(command, folder)
            last = output.strip().splitlines()[-1]
            if name == "demo":
                last = next(line for line in output.splitlines() if re.match("All four parts", line))
            rows.append([f"`{command}`", f"{installing:.0f} s", f"{seconds:.0f} s", last.strip("= ")])
            print(*rows[-1], flush=True)
        pictures = sorted(path.name for path in Path(folder, "out").glob("*.png"))
    header = ["command", "installation", "after it", "it says"]
    report.write(
        "fresh_clone", "The two commands in a fresh clone", f"{report.table(header, rows)}\n\nPictures: {pictures}"
    )


if __name__ == "__main__":
    main()
