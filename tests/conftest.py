"""Shared by all tests: none of our environment variables, no network but this machine, no Hypothesis deadline."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Shared machines stall now and then; a slow example is no failure.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def _no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LSTM_GRADER_")]:
        monkeypatch.delenv(name)
