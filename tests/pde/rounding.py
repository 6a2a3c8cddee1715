"""What rounding may change, from the problem: eps times the size of what is added, and the condition."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.pde.reference import EPS
from tests.pde.sides_reference import Box

OPERATIONS = 256
"""Roundings of a few cycles that one number of the result may take part in, each at its worst."""


def norm(box: Box, v: np.ndarray) -> float:
    """That of control volumes, in which A is symmetric."""
    return float(np.linalg.norm(np.sqrt(box.volumes()) * v))


def of_residual(box: Box, folded: np.ndarray, *iterates: np.ndarray) -> float:
    """What it leaves of f - A u relative to f: both are added, A u as large as D u with the diagonal D of A."""
    size = norm(box, folded)
    diagonal = box.matrix().diagonal().reshape(box.shape)
    largest = max(norm(box, diagonal * u) for u in iterates)
    return EPS * (2 * largest / size + 1) if size > 0 else 0.0


def of_solution(box: Box, folded: np.ndarray, expected: np.ndarray, *residuals: float) -> float:
    """|A^-1| times these residuals, relative to f, and rounding: of f, and of u times the condition of A."""
    root = np.sqrt(box.volumes()).ravel()
    values = abs(np.linalg.eigvalsh(root[:, None] * box.matrix().toarray() / root))[int(box.singular) :]
    if len(values) == 0:
        return OPERATIONS * EPS * max(1.0, float(np.abs(folded).max()))
    smallest, condition = values.min(), values.max() / values.min()
    of_f = (sum(residuals) + OPERATIONS * EPS) * norm(box, folded) / smallest
    return float(of_f + OPERATIONS * EPS * condition * norm(box, expected))


def of_cycle(mg: Any, f: np.ndarray, *iterates: np.ndarray) -> float:
    """What it changes of u in a cycle, most: every number that is added, f among them, is rounded a few hundred times.

    Roundings of A u are as rough as the grid, of which A^-1 keeps the root of the condition; those of f reach the
    coarsest grid, where they are divided by the smallest eigenvalue: none lies below the reaction.
    """
    largest = max(float(np.max(level.info.operator.diagonal)) for level in mg.levels)
    smallest = min(1.0, float(np.min(mg.problem.terms.reaction)))
    condition = (largest / smallest) ** 0.5
    size = (1 + condition) * max(float(np.max(np.abs(u))) for u in iterates) + float(np.max(np.abs(f))) / smallest
    return float(OPERATIONS * np.finfo(mg.dtype).eps * size)
