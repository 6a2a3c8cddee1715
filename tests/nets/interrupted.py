"""Runs in which something happens at a step."""

import sys

import nets  # noqa: F401  loads the loop

loop = sys.modules["nets.training.loop"]


def during(monkeypatch, step, action):
    """Before this step of the run, counted from 1, do something."""
    real = loop._step
    monkeypatch.setattr(loop, "_step", lambda run, *rest: (run.step == step - 1 and action(), real(run, *rest))[1])
