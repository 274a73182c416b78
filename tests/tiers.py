"""Splits long lists of alike cases: `make test` tries a sample of them, and `make test-all` the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def sampled(values: Iterable[Any], *, every: int) -> list[ParameterSet]:
    """Parameters of a test: every so many-th value, beginning with the first, is tried always, the rest thoroughly."""
    thorough = pytest.mark.thorough
    return [pytest.param(value, marks=() if at % every == 0 else thorough) for at, value in enumerate(values)]
