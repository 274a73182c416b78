"""Splits long lists of alike cases: `make test` tries a sample of them, and `make test-all` the rest."""

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def sampled(values: Iterable[Any], *, every: int) -> list[ParameterSet]:
    """Parameters of a test: every so many-th value, beginning with the first, is tried always, the rest thoroughly."""
    thorough = pytest.mark.thorough
    return [pytest.param(value, marks=() if at % every == 0 else thorough) for at, value in enumerate(values)]


def sampled_pairs(one: Iterable[Any], other: Iterable[Any]) -> list[ParameterSet]:
    """Parameters of a test of two: each value of the first is tried always with one of the second, in turns."""
    second = list(other)
    return [
        pytest.param(value, each, marks=() if (at - number) % len(second) == 0 else pytest.mark.thorough)
        for number, value in enumerate(one)
        for at, each in enumerate(second)
    ]
