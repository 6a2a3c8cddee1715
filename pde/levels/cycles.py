"""The named cycles of `mgcore`, under the name that this package imports them by."""

from mgcore.cycle import CYCLES, work_units

__all__ = ["CYCLES", "work_units"]
