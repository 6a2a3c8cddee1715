"""All that is to be measured when a GPU is at hand for a quarter of an hour, the most valuable part first.

python benchmarks/gpu/all.py [--device cuda] [--quick] [--output FOLDER]

Each part has a hard limit; what it has measured by then is kept.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PARTS = {"poisson.py": 480, "networks.py": 180}
"""Seconds of each part."""


def main() -> None:
    for part, seconds in PARTS.items():
        print(f"{part}, at most {seconds} s", flush=True)
        try:
            subprocess.run([sys.executable, str(Path(__file__).with_name(part)), *sys.argv[1:]], timeout=seconds)
        except subprocess.TimeoutExpired:
            print(f"{part}: stopped after {seconds} s; its rows so far are kept", flush=True)


if __name__ == "__main__":
    main()
