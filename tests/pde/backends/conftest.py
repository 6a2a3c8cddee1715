"""A machine on which no kernels are compiled."""

import pytest

import pde
from pde.backends.numba import background


@pytest.fixture
def first(monkeypatch, tmp_path):
    """A machine without compiled kernels, and a process that may have children; the list of those that it starts."""
    started = []
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PDE_COMPILE", "background")
    monkeypatch.setattr(pde.backends.numba.backend, "SMALLEST", 300)
    monkeypatch.setattr(background, "no_child", lambda: None)
    monkeypatch.setattr(background, "_begun", {})
    monkeypatch.setattr(background, "_start", lambda variant: started.append(variant))
    return started
