"""Keyword arguments under other names than ours: the error suggests the right one (`other_names.csv`)."""

from __future__ import annotations

from mgcore.common.arguments import Keywords

suggesting = Keywords("pde.common")
ARGUMENTS, unknown = suggesting.arguments, suggesting.unknown
