"""All that is to be measured when a GPU is at hand for a quarter of an hour, the most valuable part first.

python benchmarks/gpu/all.py [--device cuda] [--only cifar networks poisson] [--data-dir FOLDER ...] [--quick]
    [--output FOLDER]

Each part has a hard limit; what it has measured by then is kept. All together take less than ten minutes. The exit code
is 1 where a part has failed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from common import parse, parser_of

PARTS = {"cifar": 360, "networks": 90, "poisson": 120}
"""Seconds of each part."""
SLACK = 30
"""Seconds of its limit in which a training starts, and is evaluated."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS], help="these parts (default: all)")
    parser.add_argument("--data-dir", nargs="+", default=[], help="folders with batch files of CIFAR-10")
    given = parse(parser)
    shared = ["--device", given.device, "--output", str(given.output), *["--quick"] * given.quick]
    own = {"cifar": ["--seconds", str(PARTS["cifar"] - SLACK)]}
    if given.data_dir:
        own["cifar"] += ["--data-dir", *given.data_dir]
    failed = False
    for part in (part for part in PARTS if part in given.only):
        print(f"{part}, at most {PARTS[part]} s", flush=True)
        command = [sys.executable, str(Path(__file__).with_name(f"{part}.py")), *shared, *own.get(part, [])]
        try:
            code = subprocess.run(command, timeout=PARTS[part]).returncode
            failed |= code != 0
            print(f"{part}: ended with exit code {code}" if code else f"{part}: done", flush=True)
        except subprocess.TimeoutExpired:
            print(f"{part}: stopped after {PARTS[part]} s; its rows so far are kept", flush=True)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
