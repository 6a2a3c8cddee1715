"""Paths on the command line and in a file of settings."""

from __future__ import annotations

import argparse
from pathlib import Path


def path(text: str) -> Path:
    """Make a path of an option; an empty one, as of a variable that is not set, would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("must be a path; got ''")
    return Path(text)
