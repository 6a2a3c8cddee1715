"""The version of the package that is installed."""

from __future__ import annotations

PACKAGE = "mgnet-multigrid"


def installed_version() -> str:
    """The version, "0+unknown" of a checkout that is on the path and not installed."""
    from importlib.metadata import PackageNotFoundError, version  # which takes a while to import

    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "0+unknown"
