"""Shared by all tests: none of our environment variables, no network but this machine, no Hypothesis deadline.

Tests marked `gpu` run where a GPU is that the box can use; elsewhere they are skipped, and say what is missing. No
other test is skipped in continuous integration: what it needs and does not find there is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from grader.sandbox import choose_device
from tests.postgresql import PostgreSQL, running_postgresql
from tests.receiver import Receiver, listening

# Shared machines stall now and then; a slow example is no failure.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutants", action="store_true", help="grade all wrong answers of tests/integration/mutants")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and (reason := choose_device("auto").reason):
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"no GPU here: {reason}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") and not item.get_closest_marker("gpu"):
        report.outcome = "failed"
        report.longrepr = f"nothing but a GPU may be missing here: {report.longrepr[2]}"  # type: ignore[index]
    return report


@pytest.fixture(autouse=True)
def _no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LSTM_GRADER_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with running_postgresql() as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver
