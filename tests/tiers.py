"""What of a long list of alike cases `make test` tries, and what `make test-all` adds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def sampled(values: Iterable[Any], *, every: int) -> list[ParameterSet]:
    """Parameters of a test: every so many-th value, beginning with the first, is tried always, the rest thoroughly."""
    thorough = pytest.mark.thorough
    return [pytest.param(value, marks=() if at % every == 0 else thorough) for at, value in enumerate(values)]
